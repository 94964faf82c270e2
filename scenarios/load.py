"""Files -> specs. Every fault of a file is found at once and says where, what, what instead and what to do."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any, Final, Literal, TypeVar

from pydantic import BaseModel, ValidationError
from pydantic.json_schema import models_json_schema

from scenarios.checks import Problem
from scenarios.errors import Fault, InputError
from scenarios.explain import faults_of, nearest
from scenarios.file_spec import FileSpec
from scenarios.inherit import merged
from scenarios.spec import Spec
from scenarios.yaml_text import MAX_CHARACTERS, YamlDocument, parse_yaml

S = TypeVar("S", bound=Spec)

MAX_BYTES: Final = 4 * MAX_CHARACTERS
"""A character takes at most four bytes of UTF-8."""

SUFFIXES: Final = (".yaml", ".yml")


def read_text(path: Path) -> str:
    """Text of a UTF-8 file, a byte order mark removed.

    Raises
    ------
    InputError
        The file is missing, no regular file, unreadable, too large or binary.
    """
    try:
        if path.exists() and not path.is_file():
            raise InputError(Fault(str(path), "a folder or a device", "a file", "Name the file itself."))
        with path.open("rb") as stream:
            content = stream.read(MAX_BYTES + 1)
    except OSError as error:
        remedy = "Check the path; relative paths start from the folder of the file that names them."
        reason = (error.strerror or "cannot be read").lower()
        raise InputError(Fault(str(path), f"the file cannot be opened ({reason})", "a readable file", remedy)) from None
    return decoded(content, str(path))


def decoded(content: bytes, name: str) -> str:
    """UTF-8 text of a file's content; a fault names the first byte that is none."""
    if len(content) > MAX_BYTES:
        found, remedy = f"more than {MAX_BYTES} bytes", "Split the file, or keep long tables as CSV."
        raise InputError(Fault(f"{name}:1:1", found, f"at most {MAX_CHARACTERS} characters", remedy))
    place = content.find(b"\0")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        place = error.start if place < 0 else min(place, error.start)
        text = ""
    if place >= 0:
        line = content.count(b"\n", 0, place) + 1
        column = place - content.rfind(b"\n", 0, place)
        found = f"binary data (byte 0x{content[place]:02X})"
        remedy = "If it is text, save it as UTF-8; else check that it is the right file."
        raise InputError(Fault(f"{name}:{line}:{column}", found, "UTF-8 text", remedy))
    return text


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
        faults += faults_of(error, document, spec)
        raise InputError(sorted(faults, key=lambda fault: _line(fault.where))) from None
    return found.placed(document, folder) if isinstance(found, FileSpec) else found


def _placed(problem: Problem, document: YamlDocument) -> Fault:
    return Fault(document.where(problem.path), problem.found, problem.expected, problem.remedy)


def _line(where: str) -> tuple[str, int, int]:
    name, line, column = where.rsplit(":", 2)
    return name, int(line), int(column)


# --- files that extend others ---------------------------------------------------------------------


def is_path(reference: str) -> bool:
    """Whether a reference is a path; else it is a library name."""
    return reference.endswith(SUFFIXES) or "/" in reference or "\\" in reference


def library(folder: str) -> dict[str, Traversable]:
    """Files of a library folder by name, sorted."""
    root = resources.files("scenarios") / "library" / folder
    files = {entry.name.removesuffix(".yaml"): entry for entry in root.iterdir() if entry.name.endswith(".yaml")}
    return dict(sorted(files.items()))


def find_text(
    reference: str, library_folder: str | None, folder: Path | None, where: str
) -> tuple[str, str, Path | None]:
    """Text, shown name and folder of what a name or path refers to.

    Parameters
    ----------
    reference : str
        A library name, or a path that starts from `folder`.
    library_folder : str or None
        Folder of the library, ``macro`` or ``studies``; None: there is no library of this kind.
    folder : Path or None
        Where relative paths start; None: the working directory.
    where : str
        Who refers, for the error.
    """
    if is_path(reference):
        path = (folder or Path()) / reference
        if not path.is_file():
            found = f"the file {path} does not exist"
            raise InputError(Fault(where, found, "the path of a file", "Relative paths start from this file's folder."))
        return read_text(path), str(path), path.parent
    entries = library(library_folder) if library_folder else {}
    if reference not in entries:
        known = f"one of {', '.join(entries)}, or a path ending in .yaml" if entries else "a path ending in .yaml"
        raise InputError(Fault(where, f"`{reference}` is not in the library", known, nearest(reference, entries)))
    name = f"library/{library_folder}/{reference}.yaml"
    return decoded(entries[reference].read_bytes(), name), name, None


def _settled(document: YamlDocument, spec: type[Spec], folder: Path | None, chain: tuple[str, ...]) -> YamlDocument:
    """The document laid on what it extends, all the way down, with what refers to the base worked out."""
    if not issubclass(spec, FileSpec):
        return document
    reference = document.data.get("extends")
    if reference is None or "extends" not in spec.model_fields:
        return spec.settled(document, None)
    where = document.where(("extends",))
    if not isinstance(reference, str):
        remedy = "Name one scenario; it may extend another itself."
        raise InputError(Fault(where, f"extends = {json.dumps(reference)}", "a name or a path", remedy))
    text, name, base_folder = find_text(reference, spec.library_folder, folder, where)
    here = _identity(document.name)
    if _identity(name) in (*chain, here):
        circle = " -> ".join((*chain, here, _identity(name)))
        raise InputError(Fault(where, f"`extends` goes in a circle: {circle}", "a chain that ends", "Remove one."))
    base = _settled(parse_yaml(text, name), spec, base_folder, (*chain, here))
    kind = document.data.get("kind")
    if base.data.get("kind") != kind:
        found = f"{name} is of kind {base.data.get('kind')}"
        raise InputError(Fault(where, found, f"a file of kind {kind}", "Extend one of the same kind."))
    _validated(base, spec, base_folder)
    return spec.settled(merged(base, document), base)


def _identity(name: str) -> str:
    path = Path(name)
    return str(path.resolve()) if path.exists() else name


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
