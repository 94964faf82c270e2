"""Scalars of a mapping file as the text that a loan file would hold."""

from __future__ import annotations

import datetime
from typing import Annotated, Any, Final

from pydantic import BeforeValidator, WithJsonSchema


def _as_text(value: object) -> object:
    """YAML scalars as the text that a file would hold: 1 -> "1", true -> "true", dates in ISO form."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int | float):
        return repr(value)
    return value.isoformat() if isinstance(value, datetime.date) else value


def _as_texts(value: object) -> object:
    """One scalar or a list of scalars as a tuple of texts."""
    return tuple(map(_as_text, value)) if isinstance(value, list | tuple) else (_as_text(value),)


def _as_codes(value: object) -> object:
    """A code list with keys and values as text."""
    return {_as_text(key): _as_text(code) for key, code in value.items()} if isinstance(value, dict) else value


def _as_conditions(value: object) -> object:
    """Lists of cells by column, as text."""
    return {key: _as_texts(cells) for key, cells in value.items()} if isinstance(value, dict) else value


_SCALAR: Final[dict[str, Any]] = {"type": ["string", "number", "boolean"]}
_SCALARS: Final[dict[str, Any]] = {"anyOf": [_SCALAR, {"type": "array", "items": _SCALAR}]}
_CODES: Final[dict[str, Any]] = {"type": "object", "additionalProperties": _SCALAR}
_CONDITIONS: Final[dict[str, Any]] = {"type": "object", "additionalProperties": _SCALARS}

Text = Annotated[str, BeforeValidator(_as_text), WithJsonSchema(_SCALAR)]
Texts = Annotated[tuple[str, ...], BeforeValidator(_as_texts), WithJsonSchema(_SCALARS)]
Codes = Annotated[dict[str, str], BeforeValidator(_as_codes), WithJsonSchema(_CODES)]
Conditions = Annotated[dict[str, tuple[str, ...]], BeforeValidator(_as_conditions), WithJsonSchema(_CONDITIONS)]
