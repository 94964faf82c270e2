"""The base of specs that are whole files, and of fields that may be written in several forms."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, ClassVar, Final, Self

from pydantic import Discriminator, PrivateAttr, model_validator
from pydantic_core import PydanticCustomError

from scenarios.checks import Problem, dotted
from scenarios.shelf import Shelf
from scenarios.spec import Spec
from scenarios.yaml_text import YamlDocument

_TELLING_KEYS: Final = ("satellite", "shock_percent", "shock", "revert", "synthetic", "file")


class FileSpec(Spec):
    """A spec that is a whole file: it knows where its text stands."""

    shelf: ClassVar[Shelf | None] = None
    """Where a bare name is looked up; None: this room knows of no shipped ones."""

    _document: YamlDocument | None = PrivateAttr(default=None)
    _folder: Path | None = PrivateAttr(default=None)

    @classmethod
    def settled(cls, document: YamlDocument, base: YamlDocument | None) -> YamlDocument:
        """The text with everything worked out that refers to the file it extends; here nothing does."""
        return document

    @classmethod
    def problems(cls, data: Mapping[str, Any]) -> Iterator[Problem]:
        """Contradictions between fields of the plain data; it may be malformed elsewhere."""
        return iter(())

    @model_validator(mode="after")
    def _check(self) -> Self:
        found = list(type(self).problems(self.model_dump(mode="json", exclude_none=True)))
        if found:
            text = "; ".join(f"{problem.found}; expected {problem.expected}" for problem in found)
            raise PydanticCustomError("problems", "{text}", {"text": text})
        return self

    def placed(self, document: YamlDocument, folder: Path | None) -> Self:
        """A copy that knows its text and the folder that its relative paths start from."""
        copy = self.model_copy()
        copy._document, copy._folder = document, folder
        return copy

    @property
    def document(self) -> YamlDocument | None:
        """The text that it was read from; None if it was made in Python."""
        return self._document

    @property
    def folder(self) -> Path:
        """Where relative paths start: the file's folder, or the working directory."""
        return self._folder or Path()

    @property
    def files(self) -> tuple[Path, ...]:
        """The files that it was read from: its own, and those that it extends; none where it is shipped or made."""
        if self._document is None:
            return ()
        own = () if self._folder is None else (Path(self._document.name),)
        return (*own, *self._document.bases)

    def where(self, *path: str | int) -> str:
        """``file:line:column`` of a field, or its path alone where there is no file."""
        name = getattr(self, "name", type(self).__name__)
        return self._document.where(path) if self._document else f"{name}: {dotted(path)}"


def _form(value: Any) -> str | None:
    """Which form of a union a piece of YAML takes: a list, a word, or a map known by its telling key."""
    keys = type(value).model_fields if isinstance(value, Spec) else value if isinstance(value, Mapping) else ()
    if keys:
        telling = next((key for key in _TELLING_KEYS if key in keys), None)
        return f"{telling or _nearly_telling(keys)} form"
    return "list form" if isinstance(value, list | tuple) else "word form" if isinstance(value, str) else None


def _nearly_telling(keys: Iterable[str]) -> str | None:
    """The telling key that a misspelt one is nearest to, so that the error can ask for it."""
    close = (difflib.get_close_matches(str(key), _TELLING_KEYS, n=1, cutoff=0.6) for key in keys)
    return next((match[0] for match in close if match), None)


def one_of(expected: str) -> Discriminator:
    """Chooses among members tagged ``list form``, ``word form`` or ``KEY form``, KEY being the telling key.

    A tag holds a blank, so that no key of a file is mistaken for one when an error's place is looked up.
    """
    return Discriminator(_form, custom_error_type="form", custom_error_message=expected)
