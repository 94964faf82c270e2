"""What a run is known by: the facts that identify it, and the manifest that holds its files together.

Wall-clock facts live in the manifest only, under `run_record`: every other file of a run has the same bytes
whenever and wherever the same inputs are run with the same versions.
"""

from __future__ import annotations

import datetime
import hashlib
import importlib.metadata
import json
import platform
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np
import pandas
import xarray as xr

from outputs.run_folder import MANIFEST, write_text
from scenarios.digest import file_digest
from scenarios.errors import Fault, InputError, IntegrityError
from simulator.tape import LoadReport
from simulator.tape.rejects import load_summary
from simulator.tape.tape import METADATA

SCHEMA: Final = "carstress-manifest/1"
PACKAGES: Final = (
    "carstress",
    "numpy",
    "scipy",
    "numba",
    "llvmlite",
    "xarray",
    "pandas",
    "h5netcdf",
    "h5py",
    "matplotlib",
    "jinja2",
    "duckdb",
    "pydantic",
    "ruamel.yaml",
)
RUN_ID_LENGTH: Final = 12
DIGEST_ROWS: Final = 65_536
"""Values that are hashed at a time: a column of a million texts is not written out once more as a whole."""
"""Hexadecimal digits of a run id: 48 bits, so that a million runs share one with a chance of 1 in 500."""

Inputs = Mapping[str, xr.Dataset | str]
"""What a re-run needs: `tape` as a Dataset over dim `loan`, the specs as JSON texts."""


@dataclass(frozen=True, slots=True)
class RunFacts:
    """What identifies a run, known before its files are written.

    Attributes
    ----------
    run_id : str
        Short hash of inputs, seed, paths and versions.
    seed : int
    rng_scheme : str
    versions : Mapping[str, str]
        Of Python and of each package.
    platform : Mapping[str, str]
        Class of machine within which results are promised to be the same bits.
    input_files : Mapping[str, str]
        SHA-256 of every input file by the name that the user gave.
    inputs : Mapping[str, str]
        SHA-256 of what was run by its part: tape, study, scenarios, parameters, whether from files, drawn or shipped.
    warnings : tuple of str
    tape : Mapping[str, Any]
        Rows and cents read, used and rejected, with the reasons (`simulator.tape.rejects.load_summary`).
    """

    run_id: str
    seed: int
    rng_scheme: str
    versions: Mapping[str, str]
    platform: Mapping[str, str]
    input_files: Mapping[str, str]
    warnings: tuple[str, ...] = ()
    tape: Mapping[str, Any] = field(default_factory=dict)
    inputs: Mapping[str, str] = field(default_factory=dict)


def run_facts(
    results: xr.Dataset, inputs: Inputs, input_files: Mapping[str, str] | None = None, warnings: tuple[str, ...] = ()
) -> RunFacts:
    """Collect the facts of a run.

    Parameters
    ----------
    results : xr.Dataset
        Its attributes `seed` and `rng_scheme` and its sizes are part of the identity.
    inputs : Inputs
        What will be stored beside the results; its content is hashed into the run id.
    input_files : mapping of str to str, optional
        SHA-256 of the files that were read, by the name to show (no absolute path: a report is passed on).
    """
    found = versions()
    digests = {name: digest_of(value) for name, value in inputs.items()}
    seed, scheme = int(results.attrs["seed"]), str(results.attrs["rng_scheme"])
    identity = {
        "inputs": digests,
        "seed": seed,
        "rng_scheme": scheme,
        "paths": results.sizes["path"],
        "months": results.sizes["month"],
        "versions": found,
    }
    run_id = hashlib.sha256(canonical_json(identity).encode()).hexdigest()[:RUN_ID_LENGTH]
    hashes = dict(sorted((input_files or {}).items()))
    return RunFacts(run_id, seed, scheme, found, machine(), hashes, warnings, _tape_summary(inputs), digests)


def _tape_summary(inputs: Inputs) -> dict[str, Any]:
    """What became of the tape's rows, from the load report that is stored with it."""
    table = inputs.get("tape")
    stored = table.attrs.get(METADATA) if isinstance(table, xr.Dataset) else None
    return {} if stored is None else load_summary(LoadReport.from_dict(json.loads(stored)["report"]))


def versions() -> dict[str, str]:
    """Versions of Python and of the packages that results or files depend on."""
    found = {"python": platform.python_version()}
    for package in PACKAGES:
        try:
            found[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            found[package] = "not installed"
    return found


def machine() -> dict[str, str]:
    """Class of the machine: system, C library, architecture and, where numba is loaded, processor family."""
    facts = {
        "system": platform.system(),
        "machine": platform.machine(),
        "libc": " ".join(platform.libc_ver()).strip() or "unknown",
        "implementation": platform.python_implementation(),
    }
    binding = sys.modules.get("llvmlite.binding")
    facts["cpu"] = str(binding.get_host_cpu_name()) if binding is not None else "unknown"
    return facts


def digest_of(value: xr.Dataset | str) -> str:
    """SHA-256 of a text, or of a Dataset's names, types, shapes and values in a fixed order."""
    if isinstance(value, str):
        return hashlib.sha256(value.encode()).hexdigest()
    total = hashlib.sha256(canonical_json({str(key): str(item) for key, item in value.attrs.items()}).encode())
    for name in sorted(str(name) for name in value.variables):
        variable = value[name]
        total.update(f"{name}|{variable.dims}|{variable.shape}|".encode())
        values = variable.values.ravel()
        if values.dtype.kind not in "OUT":
            total.update(_plain(values[:0]).dtype.str.encode())
        for first in range(0, values.size, DIGEST_ROWS):
            total.update(_value_bytes(values[first : first + DIGEST_ROWS]))
    return total.hexdigest()


def _value_bytes(values: np.ndarray[Any, Any]) -> bytes:
    """Bytes that are the same before a value is stored and after it was read back."""
    if values.dtype.kind == "U":  # long columns of few distinct texts: each is written out once
        found, code = np.unique(values, return_inverse=True)
        pieces = [len(text).to_bytes(8, "little") + text for text in (text.encode() for text in found.tolist())]
        return b"".join(map(pieces.__getitem__, code.tolist()))
    if values.dtype.kind in "OT":
        texts = ("" if pandas.isna(value) else str(value) for value in values)
        return b"".join(len(text).to_bytes(8, "little") + text for text in (text.encode() for text in texts))
    return _plain(values).tobytes()


def _plain(values: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    return values.astype("datetime64[s]") if values.dtype.kind == "M" else values


def canonical_json(document: Any) -> str:
    """JSON with sorted keys and one layout, so that equal content has equal bytes; no NaN."""
    return json.dumps(document, sort_keys=True, indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def write_manifest(folder: Path, facts: RunFacts, run_record: Mapping[str, Any]) -> None:
    """Write the manifest of a folder whose other files are all there.

    Parameters
    ----------
    folder : Path
    facts : RunFacts
    run_record : mapping
        Wall-clock facts: when, how long, on how many threads. Nothing that results depend on. Where it says when the
        run `started` (ISO 8601), it is told when the manifest was `written` and how many seconds lie between.
    """
    document = {
        "program": "carstress",
        "schema": SCHEMA,
        "run_id": facts.run_id,
        "seed": facts.seed,
        "rng_scheme": facts.rng_scheme,
        "versions": dict(facts.versions),
        "platform": dict(facts.platform),
        "inputs": dict(facts.inputs),
        "input_files": dict(facts.input_files),
        "tape": dict(facts.tape),
        "output_files": {name: file_digest(folder / name) for name in sorted(_files(folder))},
        "warnings": list(facts.warnings),
        "run_record": _timed(run_record),
    }
    document["content_sha256"] = hashlib.sha256(canonical_json(document).encode()).hexdigest()
    write_text(folder / MANIFEST, canonical_json(document))


def _timed(record: Mapping[str, Any]) -> dict[str, Any]:
    """A run's record with its end and length."""
    if "started" not in record:
        return dict(record)
    written = datetime.datetime.now(datetime.UTC)
    seconds = (written - datetime.datetime.fromisoformat(record["started"])).total_seconds()
    return {**record, "written": written.isoformat(timespec="milliseconds"), "duration_seconds": round(seconds, 1)}


def _files(folder: Path) -> set[str]:
    names = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    return names - {MANIFEST}


def read_manifest(folder: Path) -> dict[str, Any]:
    """The manifest of a run, checked against its own hash.

    Raises
    ------
    InputError
        Where there is no manifest.
    IntegrityError
        Where a single bit of it is not as it was written.
    """
    path = folder / MANIFEST
    if not path.is_file():
        remedy = "Name a folder that `carstress run` wrote."
        raise InputError(Fault(str(folder), f"no {MANIFEST}", "the folder of a run", remedy))
    changed = IntegrityError(f"{path}: the manifest is not as it was written (its content hash does not match).")
    content = path.read_bytes()
    try:
        document = json.loads(content)
        stated = document.pop("content_sha256")
        found = hashlib.sha256(canonical_json(document).encode()).hexdigest()
    except (ValueError, KeyError, AttributeError, TypeError) as error:
        raise changed from error
    if stated != found or canonical_json({**document, "content_sha256": stated}).encode() != content:
        raise changed
    return dict(document)


def verify_run(folder: Path) -> tuple[str, ...]:
    """Hash every file of a run again.

    Returns
    -------
    tuple of str
        Files in the folder that the manifest does not know (notes that somebody added, say).

    Raises
    ------
    IntegrityError
        Naming each file that is missing or is not as it was written.
    """
    stated: dict[str, str] = read_manifest(folder)["output_files"]
    present = _files(folder)
    problems = []
    for name, digest in sorted(stated.items()):
        if name not in present:
            problems.append(f"{folder / name}: missing; the manifest lists it.")
        elif file_digest(folder / name) != digest:
            problems.append(f"{folder / name}: not as it was written (its SHA-256 does not match the manifest).")
    if problems:
        raise IntegrityError("\n".join(problems))
    return tuple(sorted(present - set(stated)))
