"""Files -> specs. Every fault of a file is found at once and says where, what, what instead and what to do."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal, TypeVar

from pydantic import BaseModel, ValidationError
from pydantic.json_schema import models_json_schema

from scenarios.checks import Problem
from scenarios.errors import Fault, InputError
from scenarios.explain import faults_of, nearest
from scenarios.file_spec import FileSpec
from scenarios.inherit import merged
from scenarios.shelf import FoundText, read_text
from scenarios.spec import Spec
from scenarios.yaml_text import YamlDocument, parse_yaml

S = TypeVar("S", bound=Spec)


def read_spec(source: Path, spec: type[S]) -> S:
    """A spec from a YAML file, what it extends included.

    Parameters
    ----------
    source : Path
        The file.
    spec : type of Spec
        What the file should hold.

    Raises
    ------
    InputError
        With every fault of the file, each as ``file:line:column``.
    """
    return spec_from_text(read_text(source), str(source), spec, source.parent)


def spec_from_text(text: str, name: str, spec: type[S], folder: Path | None = None) -> S:
    """A spec from YAML text; `folder` is where its relative paths start."""
    return _validated(_settled(parse_yaml(text, name), spec, folder, ()), spec, folder)


def load_any(path: Path, kinds: Mapping[str, type[Spec]]) -> Spec:
    """The spec of a file, of the type that its `kind:` names among `kinds`."""
    document = parse_yaml(read_text(path), str(path))
    kind = document.data.get("kind")
    if not isinstance(kind, str) or kind not in kinds:
        found = "kind is missing" if kind is None else f"kind = {json.dumps(kind)}"
        where = document.where(("kind",)) if "kind" in document.data else f"{path}:1:1"
        raise InputError(Fault(where, found, f"one of {', '.join(sorted(kinds))}", nearest(str(kind), kinds)))
    spec = kinds[kind]
    return _validated(_settled(document, spec, path.parent, ()), spec, path.parent)


def _validated(document: YamlDocument, spec: type[S], folder: Path | None) -> S:
    problems = spec.problems(document.data) if issubclass(spec, FileSpec) else ()
    faults = [_placed(problem, document) for problem in problems]
    try:
        # JSON mode: `true` is no number and "36" is none either, yet a list is a tuple and text may be a date.
        found = spec.model_validate_json(json.dumps(document.data), strict=True)
    except ValidationError as error:
        told = {(fault.where, fault.expected) for fault in faults}  # a check said it, and what it looks like
        faults += [each for each in faults_of(error, document, spec) if (each.where, each.expected) not in told]
        raise InputError(sorted(faults, key=lambda fault: _line(fault.where))) from None
    return found.placed(document, folder) if isinstance(found, FileSpec) else found


def _placed(problem: Problem, document: YamlDocument) -> Fault:
    return Fault(document.where(problem.path), problem.found, problem.expected, problem.remedy)


def _line(where: str) -> tuple[str, int, int]:
    name, line, column = where.rsplit(":", 2)
    return name, int(line), int(column)


# --- files that extend others ---------------------------------------------------------------------


def _settled(document: YamlDocument, spec: type[Spec], folder: Path | None, chain: tuple[str, ...]) -> YamlDocument:
    """The document laid on what it extends, all the way down, with what refers to the base worked out."""
    if not issubclass(spec, FileSpec):
        return document
    reference = document.data.get("extends")
    if reference is None or "extends" not in spec.model_fields or spec.shelf is None:
        return spec.settled(document, None)
    where = document.where(("extends",))
    if not isinstance(reference, str):
        remedy = "Name one scenario; it may extend another itself."
        raise InputError(Fault(where, f"extends = {json.dumps(reference)}", "a name or a path", remedy))
    found = spec.shelf.find(reference, folder, where)
    chain = chain or (_identity(document, folder),)
    if found.identity in chain:
        circle = " -> ".join((*chain, found.identity))
        raise InputError(Fault(where, f"`extends` goes in a circle: {circle}", "a chain that ends", "Remove one."))
    base = _settled(parse_yaml(found.text, found.name), spec, found.folder, (*chain, found.identity))
    kind = document.data.get("kind")
    if base.data.get("kind") != kind:
        other = f"{found.name} is of kind {base.data.get('kind')}"
        raise InputError(Fault(where, other, f"a file of kind {kind}", "Extend one of the same kind."))
    _validated(base, spec, found.folder)
    laid = merged(base, document)
    return spec.settled(replace(laid, bases=(*found.files, *laid.bases)), base)


def _identity(document: YamlDocument, folder: Path | None) -> str:
    return FoundText("", document.name, folder).identity


# --- the schema for editors -----------------------------------------------------------------------


def json_schema(kinds: Mapping[str, type[Spec]]) -> dict[str, Any]:
    """JSON Schema of all kinds of file, chosen by `kind`, for completion and checks in an editor.

    A file that extends another may leave out anything, so nothing is called required in kinds that can extend.
    """
    models: list[tuple[type[BaseModel], Literal["validation"]]] = [(spec, "validation") for spec in kinds.values()]
    _, schema = models_json_schema(models)
    definitions: dict[str, Any] = schema["$defs"]
    for spec in kinds.values():
        if "extends" in spec.model_fields:
            for name in _reached(spec.__name__, definitions, set()):
                definitions[name].pop("required", None)
    choices = [
        {"if": {"properties": {"kind": {"const": kind}}}, "then": {"$ref": f"#/$defs/{spec.__name__}"}}
        for kind, spec in kinds.items()
    ]
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "carstress",
        "type": "object",
        "required": ["kind"],
        "properties": {"kind": {"enum": sorted(kinds)}},
        "allOf": choices,
        "$defs": definitions,
    }


def _reached(name: str, definitions: Mapping[str, Any], seen: set[str]) -> set[str]:
    """Names of the definitions that a definition uses, itself included."""
    if name not in seen:
        seen.add(name)
        for used in re.findall(r'"#/\$defs/(\w+)"', json.dumps(definitions[name])):
            _reached(used, definitions, seen)
    return seen
