"""The base of every spec: frozen, refuses unknown keys, documents itself."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from scenarios.checks import NAME_PATTERN

Name = Annotated[str, Field(pattern=NAME_PATTERN)]
"""Letters, digits, `_`, `.` and `-`: it may become a folder's name."""

Reference = Annotated[str, Field(min_length=1)]
"""A library name, or a path (it ends in `.yaml` or holds a `/`) that starts from the file's own folder."""


class Spec(BaseModel):
    """A piece of YAML with a meaning.

    A field's docstring (the string below it), with unit and range, is its documentation: it feeds
    the published JSON Schema, so editors show it.
    """

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        use_attribute_docstrings=True,
        allow_inf_nan=False,
        strict=False,
        validate_default=True,
        protected_namespaces=(),  # a tape has a model_year; older pydantic warns of names that begin with model_
    )
