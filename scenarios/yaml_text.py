"""YAML text -> plain data that remembers where everything stands.

The text is read event by event (ruamel, pure Python), never through a constructor: no tag runs code, no alias
multiplies.  Scalars are typed by the few rules of YAML 1.2 that nobody misreads; whatever else looks like a number
(`010`, `12:30`, `1_000`) stays text, so that the schema refuses it where a number is due and takes it where an
identifier is due.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.events import (
    AliasEvent,
    DocumentStartEvent,
    Event,
    MappingEndEvent,
    MappingStartEvent,
    NodeEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
)

from scenarios.errors import Fault, InputError

KeyPath = tuple[str | int, ...]

# The pure reader takes about 100 kB a second (measured, 2 cores), so this is a wait of some seconds at worst.
MAX_CHARACTERS: Final = 256 * 1024
MAX_DEPTH: Final = 50
MAX_FAULTS: Final = 20
MAX_DIGITS: Final = 300

_INTEGER = re.compile(r"[-+]?(0|[1-9][0-9]*)")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|(0|[1-9][0-9]*)(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_NOT_FINITE = re.compile(r"[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)")
_WORDS: Final[dict[str, bool | None]] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL"), None),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}
# The scanner looks 1,024 characters ahead, in quadratic time, before the first bracket comes out of it.
_BRACKETS = re.compile(rf"[\[{{]{{{MAX_DEPTH + 1}}}")
_UNREADABLE = re.compile("[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]")


@dataclass(frozen=True, slots=True)
class Mark:
    """A place in a file; `line` and `column` count from 1."""

    file: str
    line: int
    column: int
    note: str = ""

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}"


@dataclass(frozen=True, slots=True)
class YamlDocument:
    """Plain data (dict, list, str, int, float, bool, None) and the place of every value and key.

    Attributes
    ----------
    name : str
        The file's name as errors show it.
    data : dict of str to Any
        Keys are always text, as written.
    marks, key_marks : mapping of KeyPath to Mark
        Where a value, and where its key, stands; a path is made of keys and list positions.
    bases : tuple of Path
        Files that it extends, the nearest first; shipped ones are none.
    """

    name: str
    data: dict[str, Any]
    marks: Mapping[KeyPath, Mark]
    key_marks: Mapping[KeyPath, Mark] = field(default_factory=dict)
    bases: tuple[Path, ...] = ()

    def mark(self, path: KeyPath) -> Mark:
        """Place of the value at `path`, or of the nearest thing around it that exists."""
        while path and path not in self.marks:
            path = path[:-1]
        return self.marks[path]

    def position(self, path: KeyPath) -> tuple[int, int]:
        """Line and column, from 1, of the value at `path`."""
        mark = self.mark(path)
        return mark.line, mark.column

    def where(self, path: KeyPath) -> str:
        """``file:line:column`` of the value at `path`."""
        return str(self.mark(path))

    def where_key(self, path: KeyPath) -> str:
        """``file:line:column`` of the key at `path`."""
        return str(self.key_marks.get(path) or self.mark(path))


def parse_yaml(text: str, name: str) -> YamlDocument:
    """Read one YAML 1.2 mapping; every fault that it has is raised at once.

    Parameters
    ----------
    text : str
        The file's text.
    name : str
        The file's name, for errors.

    Raises
    ------
    InputError
        Syntax error, duplicate key, tag, anchor, alias, merge key, NaN or infinity, tab as indentation, control
        character, nothing in it, not a mapping, more than one document, too large, too deep.
    """
    _check_characters(text, name)
    reader = _Reader(name)
    try:
        return reader.document(text)
    except MarkedYAMLError as error:
        raise InputError([*reader.faults, _syntax_fault(error, name)]) from None
    except YAMLError as error:
        fault = Fault(f"{name}:1:1", " ".join(str(error).split()), "valid YAML 1.2")
        raise InputError([*reader.faults, fault]) from None


def _check_characters(text: str, name: str) -> None:
    if len(text) > MAX_CHARACTERS:
        found, expected = f"{len(text)} characters", f"at most {MAX_CHARACTERS}"
        raise InputError(Fault(f"{name}:1:1", found, expected, "Split the file, or keep long tables as CSV."))
    bad = _UNREADABLE.search(text)
    if bad:
        found = f"a control character (U+{ord(bad.group()):04X})"
        remedy = "This does not look like a text file; check that it is the right one."
        raise InputError(Fault(_place(text, bad.start(), name), found, "printable UTF-8 text", remedy))
    deep = _BRACKETS.search(text)
    if deep:
        raise InputError(_depth_fault(_place(text, deep.end() - 1, name)))


def _place(text: str, offset: int, name: str) -> str:
    return f"{name}:{text.count(chr(10), 0, offset) + 1}:{offset - text.rfind(chr(10), 0, offset)}"


def _depth_fault(where: str) -> Fault:
    return Fault(where, f"nesting deeper than {MAX_DEPTH} levels", "a flat file", "Check the brackets.")


def _syntax_fault(error: MarkedYAMLError, name: str) -> Fault:
    mark = error.problem_mark or error.context_mark
    where = f"{name}:{mark.line + 1}:{mark.column + 1}" if mark else f"{name}:1:1"
    begun = f" begun in line {error.context_mark.line + 1}" if error.context and error.context_mark else ""
    parts = [f"{part}{begun if part is error.context else ''}" for part in (error.context, error.problem) if part]
    found = ", ".join(" ".join(part.split()) for part in parts) or "a syntax error"
    remedy = "Indent with spaces, never with tabs." if "\\t" in found else ""
    if "mapping values are not allowed" in found:
        remedy = "Put text that contains ': ' in quotes, and check the indentation."
    return Fault(where, found, "valid YAML 1.2", remedy)


class _Reader:
    """Builds a document from events; faults that leave the text readable are collected, not raised."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.faults: list[Fault] = []
        self.marks: dict[KeyPath, Mark] = {}
        self.key_marks: dict[KeyPath, Mark] = {}
        self.events: Iterator[Event] = iter(())

    def document(self, text: str) -> YamlDocument:
        """The one document of the text."""
        self.events = iter(YAML(typ="safe", pure=True).parse(text))
        data: Any = None
        documents = 0
        for event in self.events:
            if not isinstance(event, DocumentStartEvent):
                continue
            documents += 1
            if documents == 1:
                data = self._node(next(self.events), ())
            else:
                self._fault(event, "a second document", "one document a file", "Remove the line `---`.")
                break
        if self.faults:
            raise InputError(self.faults)
        if not isinstance(data, dict):
            shown = "nothing" if data is None else "a list" if isinstance(data, list) else "a single value"
            remedy = "Start with `kind:`; `carstress init DIR` writes an example."
            raise InputError(Fault(f"{self.name}:1:1", f"{shown} in the file", "a mapping of keys to values", remedy))
        return YamlDocument(self.name, data, self.marks, self.key_marks)

    def _node(self, event: Event, path: KeyPath) -> Any:
        self.marks[path] = self._mark(event)
        if len(path) > MAX_DEPTH:
            raise InputError([*self.faults, _depth_fault(str(self._mark(event)))])
        self._refuse_machinery(event)
        if isinstance(event, MappingStartEvent):
            return self._mapping(path)
        if isinstance(event, SequenceStartEvent):
            return self._sequence(path)
        return self._scalar(event) if isinstance(event, ScalarEvent) else None

    def _sequence(self, path: KeyPath) -> list[Any]:
        values: list[Any] = []
        while not isinstance(event := next(self.events), SequenceEndEvent):
            values.append(self._node(event, (*path, len(values))))
        return values

    def _mapping(self, path: KeyPath) -> dict[str, Any]:
        values: dict[str, Any] = {}
        while not isinstance(event := next(self.events), MappingEndEvent):
            key = self._key(event, path)
            here = (*path, key)
            if key in values:
                first = self.key_marks[here].line
                remedy = f"It stands in line {first} already; keep one of them."
                self._fault(event, f"key `{key}` for the second time", "each key once", remedy)
            self.key_marks.setdefault(here, self._mark(event))
            values[key] = self._node(next(self.events), here)
            if values[key] is None:
                self.marks[here] = self.key_marks[here]  # an empty value would stand on the next line
        return values

    def _key(self, event: Event, path: KeyPath) -> str:
        if not isinstance(event, ScalarEvent) or event.value == "":
            self._fault(event, "a key that is not plain text", "a name, as in `name: value`")
            if not isinstance(event, ScalarEvent):
                self._node(event, (*path, "?"))
            return "?"
        self._refuse_machinery(event)
        if event.value == "<<" and not event.style:
            self._fault(event, "a merge key `<<`", "keys written out", "Use `extends:` to build on another file.")
        return str(event.value)

    def _refuse_machinery(self, event: Event) -> None:
        if isinstance(event, AliasEvent):
            self._fault(event, f"an alias `*{event.anchor}`", "plain values", "Write the value out.")
            return
        if not isinstance(event, NodeEvent):
            return
        if isinstance(event, ScalarEvent) and _UNREADABLE.search(event.value):
            self._fault(event, "text with an escaped control character", "printable text", "Remove the escape.")
        if event.anchor is not None:
            self._fault(event, f"an anchor `&{event.anchor}`", "plain values", "Remove it; aliases are refused.")
        tag = getattr(event, "tag", None)
        if tag is not None:
            shown = str(tag).replace("tag:yaml.org,2002:", "!!")
            self._fault(event, f"a tag `{shown}`", "plain values", "Remove it; the schema knows every type.")

    def _scalar(self, event: ScalarEvent) -> Any:
        text = str(event.value)
        if event.style:
            return text
        if text in _WORDS:
            return _WORDS[text]
        is_integer = _INTEGER.fullmatch(text) is not None
        if is_integer and len(text) > MAX_DIGITS:
            self._fault(event, f"a number of {len(text)} digits", f"at most {MAX_DIGITS} digits")
            return None
        if is_integer:
            return int(text)
        number = float(text) if _FLOAT.fullmatch(text) else None
        if _NOT_FINITE.fullmatch(text) or (number is not None and not math.isfinite(number)):
            remedy = "A missing value has no place here; leave the key out or give the number."
            self._fault(event, f"`{text}`", "a finite number", remedy)
            return None
        return text if number is None else number

    def _mark(self, event: Event) -> Mark:
        return Mark(self.name, event.start_mark.line + 1, event.start_mark.column + 1)

    def _fault(self, event: Event, found: str, expected: str, remedy: str = "") -> None:
        self.faults.append(Fault(str(self._mark(event)), found, expected, remedy))
        if len(self.faults) >= MAX_FAULTS:
            raise InputError(self.faults)
