"""What pydantic found wrong with plain data -> faults with a place, the expected value and a remedy."""

from __future__ import annotations

import difflib
import json
from collections.abc import Container, Iterable, Iterator
from typing import Any, Final

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from scenarios.checks import NAME_PATTERN, dotted
from scenarios.errors import Fault
from scenarios.spec import Spec
from scenarios.yaml_text import KeyPath, YamlDocument

Schema = dict[str, Any]

MAX_SHOWN: Final = 60

_EXPECTED: Final = {
    "float_type": "a number",
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "string_type": "text",
    "bool_type": "true or false",
    "tuple_type": "a list",
    "list_type": "a list",
    "dict_type": "a mapping of keys to values",
    "model_type": "a mapping of keys to values",
    "model_attributes_type": "a mapping of keys to values",
    "date_type": "a date, as in 2024-12-31",
    "date_parsing": "a date, as in 2024-12-31",
    "date_from_datetime_parsing": "a date, as in 2024-12-31",
}

_BOUNDS: Final = {
    "minimum": "at least",
    "exclusiveMinimum": "more than",
    "maximum": "at most",
    "exclusiveMaximum": "less than",
}

_UNIT_REMEDIES: Final = {  # by the end of a field's name
    "_percent": "Rates are in percent: write 5.5 for 5.5 %.",
    "_index": "Levels: 100 is the month before the start, so write 80 for a fall by 20 %.",
    "hours_per_month": "Take the pool and its rungs out where nobody works.",
    "hours_per_100_in_arrears": "Take the pool and its rungs out where nobody works.",
    "hours_per_1000_loans": "Take the pool and its rungs out where nobody works.",
    "hours_per_contact": "Hours: write 0.25 for a quarter of an hour.",
}


def nearest(name: str, known: Iterable[str]) -> str:
    """``Did you mean `x`?``, or nothing where no known name is near."""
    close = difflib.get_close_matches(name, list(known), n=1, cutoff=0.6)
    return f"Did you mean `{close[0]}`?" if close else ""


def faults_of(error: ValidationError, document: YamlDocument, spec: type[Spec]) -> list[Fault]:
    """All faults that pydantic reports, one a place, in the file's order."""
    explainer = _Explainer(document, spec.model_json_schema())
    found: dict[str, Fault] = {}
    details = error.errors(include_url=False)
    for detail in details:
        if detail["type"] == "problems":  # reported by the spec itself, with places
            continue
        if detail["type"] == "too_short" and any(_is_below(other, detail) for other in details):
            continue  # it is short of sound items only: their own faults are reported
        fault = explainer.fault(detail)
        earlier = found.setdefault(fault.where + fault.found, fault)
        if fault.expected not in earlier.expected:  # the other branches of a union
            expected = f"{earlier.expected} or {fault.expected}"
            found[fault.where + fault.found] = Fault(fault.where, fault.found, expected, earlier.remedy or fault.remedy)
    return list(found.values())


def _is_below(detail: ErrorDetails, other: ErrorDetails) -> bool:
    """Whether a fault lies within what another one is about."""
    size = len(other["loc"])
    return len(detail["loc"]) > size and detail["loc"][:size] == other["loc"]


class _Explainer:
    def __init__(self, document: YamlDocument, schema: Schema) -> None:
        self.document = document
        self.schema = schema
        self.definitions: Schema = schema.get("$defs", {})

    def fault(self, detail: ErrorDetails) -> Fault:
        kind = detail["type"]
        path = self._path(detail["loc"], absent=kind in ("missing", "extra_forbidden"))
        if kind == "missing":
            return self._missing(path)
        if kind == "extra_forbidden":
            return self._unknown(path, self._keys(path[:-1]))
        if detail["loc"][-1] == "[key]":
            return self._unknown(path, _quoted(detail))
        value = self._value(path)
        note = self.document.mark(path).note
        found = f"{dotted(path)} = {_shown(value)}" if path else _shown(value)
        return Fault(
            self.document.where(path),
            f"{found} ({note})" if note else found,
            self._expected(detail, path),
            self._remedy(detail, path, value),
        )

    def _path(self, location: tuple[int | str, ...], *, absent: bool) -> KeyPath:
        """The part of pydantic's location that exists in the data: names of union branches drop out."""
        path: list[int | str] = []
        value: Any = self.document.data
        for depth, part in enumerate(location):
            last = absent and depth == len(location) - 1
            if part in _keys_of(value):
                value = value[part]
            elif not last:
                continue
            path.append(part)
        return tuple(path)

    def _value(self, path: KeyPath) -> Any:
        value: Any = self.document.data
        for part in path:
            value = value[part]
        return value

    def _missing(self, path: KeyPath) -> Fault:
        meaning = self._description(path)
        expected = f"`{path[-1]}:`" + (f" ({meaning})" if meaning else "")
        return Fault(self.document.where(path), f"{dotted(path)} is missing", expected)

    def _unknown(self, path: KeyPath, known: list[str]) -> Fault:
        if path[-1] in known:  # of another form of the same union
            remedy = "Remove it, or the keys of the other form."
            return Fault(self.document.where_key(path), f"{dotted(path)} beside another form", "one form alone", remedy)
        expected = f"one of {', '.join(known)}" if known else "no such key"
        found = f"unknown key {dotted(path)}"
        return Fault(self.document.where_key(path), found, expected, nearest(str(path[-1]), known))

    def _expected(self, detail: ErrorDetails, path: KeyPath) -> str:
        kind, context = detail["type"], detail.get("ctx", {})
        if kind.startswith(("greater_than", "less_than")):
            return self._bounds(path)
        if kind == "literal_error":
            return str(context["expected"]).replace("'", "`")
        if kind in ("too_short", "string_too_short"):
            least = context.get("min_length", 1)
            if kind == "string_too_short":
                return "some text" if least == 1 else f"a text of at least {least} characters"
            return "at least one value" if least == 1 else f"at least {least} values"
        if kind == "string_pattern_mismatch" and context["pattern"] == NAME_PATTERN:
            return (
                "at most 64 letters, digits, `_`, `.` and `-`, the first a letter or digit; no blanks, and no letters "
                "but a to z and A to Z"
            )
        if kind == "string_pattern_mismatch":
            return self._description(path) or f"text like {context['pattern']}"
        return _EXPECTED.get(kind) or detail["msg"].removeprefix("Value error, ")

    def _remedy(self, detail: ErrorDetails, path: KeyPath, value: Any) -> str:
        kind = detail["type"]
        if kind == "literal_error":
            return nearest(str(value), _quoted(detail))
        if kind == "string_type" and isinstance(value, int | float):
            return f'Put it in quotes: "{value}".'
        if kind == "string_type" and isinstance(value, dict) and "weight" in value:
            base = value.get("name", "baseline")
            return f"A weight stands in the scenario's own file: `extends: {base}`, `weight: {value['weight']}`."
        if kind == "string_too_short" and path[-1] == "source":
            return "Name the publication, or the assumption and what speaks for it."
        if kind in ("int_type", "float_type") and isinstance(value, str):
            return _number_remedy(value)
        if kind == "int_type" and isinstance(value, float) and value.is_integer():
            return f"Write {int(value)}."
        if kind.startswith(("greater_than", "less_than")):
            names = [str(part) for part in path if isinstance(part, str)]
            return next((text for end, text in _UNIT_REMEDIES.items() if any(name.endswith(end) for name in names)), "")
        return ""

    # --- what the JSON Schema says about a place ---

    def _at(self, path: KeyPath) -> list[Schema]:
        """Every branch of the schema that may describe the value at `path`."""
        branches = self._branches(self.schema)
        for part in path:
            inner = [step for branch in branches for step in _step(branch, part)]
            branches = [branch for schema in inner for branch in self._branches(schema)]
        return branches

    def _branches(self, schema: Schema) -> list[Schema]:
        reference = schema.get("$ref")
        if reference:
            found = self._branches(self.definitions[reference.rsplit("/", 1)[-1]])
            return [{**branch, "description": schema.get("description", branch.get("description"))} for branch in found]
        options = schema.get("oneOf") or schema.get("anyOf")
        if not options:
            return [schema]
        return [
            {**branch, "description": schema.get("description") or branch.get("description")}
            for option in options
            for branch in self._branches(option)
        ]

    def _keys(self, path: KeyPath) -> list[str]:
        return sorted({key for branch in self._at(path) for key in branch.get("properties", {})})

    def _description(self, path: KeyPath) -> str:
        for branch in self._at(path):
            text = " ".join(str(branch.get("description") or "").split())
            if text:
                return text.split(". ")[0].rstrip(".")
        return ""

    def _bounds(self, path: KeyPath) -> str:
        for branch in self._at(path):
            bounds = {key: branch[key] for key in _BOUNDS if key in branch}
            if bounds.keys() == {"minimum", "maximum"}:
                return f"{_plain(bounds['minimum'])} to {_plain(bounds['maximum'])}"
            if bounds:
                return " and ".join(f"{_BOUNDS[key]} {_plain(bound)}" for key, bound in bounds.items())
        return "another value"


def _step(schema: Schema, part: str | int) -> Iterator[Schema]:
    if isinstance(part, int):
        yield from schema.get("prefixItems", [])[part : part + 1]
        if isinstance(schema.get("items"), dict):
            yield schema["items"]
    elif part in schema.get("properties", {}):
        yield schema["properties"][part]
    elif isinstance(schema.get("additionalProperties"), dict):
        yield schema["additionalProperties"]
    else:
        yield from schema.get("patternProperties", {}).values()


def _plain(number: float) -> str:
    return str(int(number)) if number == int(number) else f"{number:g}"


def _keys_of(value: Any) -> Container[str | int]:
    """What `value` can be indexed with."""
    return range(len(value)) if isinstance(value, list) else value if isinstance(value, dict) else ()


def _shown(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= MAX_SHOWN else f"{text[:MAX_SHOWN]}..."


def _quoted(detail: ErrorDetails) -> list[str]:
    """The alternatives in ``'a', 'b' or 'c'``."""
    return str(detail.get("ctx", {}).get("expected", "")).split("'")[1::2]


def _number_remedy(text: str) -> str:
    if text.endswith("%"):
        return f"Write {text[:-1].strip()} without the sign."
    bare = text.replace("_", "").lstrip("+")
    if not text.isascii():
        return "Write it in the digits 0 to 9."
    if bare.lstrip("0").replace(".", "", 1).isdigit():
        return f"Write {bare.lstrip('0')}, without quotes, leading zeros or separators."
    return ""
