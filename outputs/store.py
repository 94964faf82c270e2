"""Runs on disk. The only module that knows NetCDF.

``runs/<name>/`` holds ``results.nc``, ``manifest.json``, ``report.html``, ``figures/`` and ``tables/``.
``results.nc`` is NetCDF-4 in the style of CF-1.11 with the groups ``inputs`` (what a re-run needs),
``results`` and ``attrs`` (what identifies the run); it holds no wall-clock fact, so the same inputs give the
same bytes.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import h5py
import numpy as np
import pandas
import xarray as xr

from outputs.manifest import Inputs, RunFacts, canonical_json, read_manifest, verify_run, write_manifest
from outputs.run_folder import RESULTS, check_destination, new_folder
from scenarios.errors import Fault, InputError
from scenarios.vocabulary import CUTS, DATASET_VARIABLES, MEASURE_VARIABLES, TAIL_VARIABLES, TOP_OF_RANGE

__all__ = [
    "check_destination",
    "read_all",
    "read_facts",
    "read_inputs",
    "read_manifest",
    "read_results",
    "verify_run",
    "write_run",
]

ENGINE: Final = "h5netcdf"
COMPRESSION: Final = {"zlib": True, "complevel": 1, "shuffle": True}
"""Measured on 84 MB of noisy results: level 1 gives 65 MB in 3.5 s, level 9 gives 64 MB in 6.6 s, and without
`shuffle` (bytes of equal significance side by side) no level gets below 76 MB."""

PATHS_A_CHUNK: Final = 1024
"""A chunk is one run's block of 1,024 paths over all months: about 300 kB, what a reader takes at once."""

CF_ATTRIBUTES: Final[Mapping[str, Mapping[str, str]]] = {
    "scenario": {"long_name": "macro scenario"},
    "strategy": {"long_name": "collection strategy"},
    "programme": {"long_name": "insurance programme"},
    "path": {"standard_name": "realization", "long_name": "simulated future", "units": "1"},
    "path_top": {"long_name": "the path of the same place that was run again", "units": "1"},
    "scenario_weight": {"long_name": "probability of the scenario", "units": "1"},
    "month": {"long_name": "months since the as-of date", "units": "1"},
    "month_end": {"standard_name": "time", "long_name": "last day of the month"},
    "log_weight": {"long_name": "logarithm of the path's importance weight", "units": "1"},
    "leading_factor": {"long_name": "component of the factors' shocks along the shift", "units": "1"},
    "stratum": {"long_name": "stratum of the leading factor", "units": "1"},
    "shocked_entity": {"long_name": "factor or index whose shocks a direction moves"},
    "shock_month": {"long_name": "month of the shock, 0 before the first", "units": "1"},
    "loss_measure": {"long_name": "measure of the ultimate loss"},
    "batch": {"long_name": "batch of paths that may depend on each other", "units": "1"},
    "parameter_draw": {"long_name": "number of the draw of uncertain parameters", "units": "1"},
    "stage": {"long_name": "stage of expected credit loss at the as-of date"},
    "pool": {"long_name": "pool of contacts of finite capacity"},
    "criterion": {"long_name": "criterion of underwriting"},
    "rung": {"long_name": "rung of a collection strategy"},
    "incident": {"long_name": "kind of incident"},
    "bucket": {"long_name": "days past due"},
    "bucket_first_day": {"long_name": "first day past due of the bucket", "units": "d"},
    "rung_while_current": {"long_name": "whether the rung is for loans without arrears", "units": "1"},
    "from_bucket": {"long_name": "days past due at the opening of the month"},
    "to_state": {"long_name": "state at the close of the month"},
    "segment": {"long_name": "vehicle segment"},
    "macro_variable": {"long_name": "macro variable"},
    **{cut: {"long_name": f"level of the cut '{cut}'"} for cut in CUTS},
}
PORTION_BYTES: Final = 1 << 26
"""Columns of a table that are encoded together: those of 100,000 loans; a million loans take seven times as many."""

TIME_ENCODING: Final = {"units": "days since 1970-01-01", "calendar": "proleptic_gregorian", "dtype": "int64"}


def write_run(
    folder: Path,
    results: xr.Dataset,
    inputs: Inputs,
    facts: RunFacts,
    *,
    force: bool = False,
    documents: Callable[[Path], None] | None = None,
    run_record: Mapping[str, Any] | None = None,
) -> Path:
    """Write a run's folder, whole or not at all.

    Parameters
    ----------
    folder : Path
        Final name of the folder.
    results : xr.Dataset
        What the engine returned.
    inputs : Inputs
        What a re-run needs: the tape as a Dataset, the specs as texts.
    facts : RunFacts
        From `outputs.manifest.run_facts`.
    force : bool
        Replace an earlier run of that name.
    documents : callable, optional
        Writes pictures, tables and report into the folder that it is given (still under its temporary name).
    run_record : mapping, optional
        Wall-clock facts for the manifest.

    Returns
    -------
    Path
        The folder under its final name.

    Raises
    ------
    InputError
        Where the folder exists and `force` is not given, or is no run.
    """
    with new_folder(folder, force=force) as building:
        _write_netcdf(building / RESULTS, results, inputs, facts)
        if documents is not None:
            documents(building)
        write_manifest(building, facts, run_record or {})
    return folder.absolute()


def write_results(path: Path, results: xr.Dataset) -> None:
    """Write a Dataset of results alone, as it would stand in a run's file, to see what it takes."""
    described = _described(results)
    described.to_netcdf(path, group="/results", engine=ENGINE, encoding=_encoding(described))


def stored_by_path(path: Path) -> dict[str, int]:
    """Bytes that each variable by path of a results file takes, compressed."""
    with h5py.File(path) as file:
        group = file["results"]
        return {str(name): item.id.get_storage_size() for name, item in group.items() if _has_path(item)}


def _has_path(item: Any) -> bool:
    return any(scale.name.endswith("/path") for dim in item.dims for scale in dim.values())


def _write_netcdf(path: Path, results: xr.Dataset, inputs: Inputs, facts: RunFacts) -> None:
    tables = {f"/inputs/{name}": _portions(value) for name, value in inputs.items() if isinstance(value, xr.Dataset)}
    groups = {
        "/": xr.Dataset(attrs=_global_attributes(results, facts)),
        "/attrs": xr.Dataset(attrs=_identity(facts)),
        "/results": _described(results),
        "/inputs": _texts_group(inputs),
        **{name: first for name, (first, *_) in tables.items()},
    }
    encoding = {name: _encoding(group) for name, group in groups.items()}
    tree = xr.DataTree.from_dict(groups)
    tree.to_netcdf(path, engine=ENGINE, encoding=encoding)
    for name, (_, *others) in tables.items():
        for part in others:
            part.to_netcdf(path, mode="a", group=name, engine=ENGINE, encoding=_encoding(part))


def _global_attributes(results: xr.Dataset, facts: RunFacts) -> dict[str, str]:
    program = f"carstress {facts.versions['carstress']}"
    return {
        "Conventions": "CF-1.11",
        "title": str(results.attrs.get("title", "auto-loan stress test")),
        "institution": "carstress",
        "source": f"{program}: Monte Carlo simulation of a loan portfolio",
        "history": f"{program}: simulated as run {facts.run_id} with seed {facts.seed}",
        "references": "docs/methodology.md of carstress",
    }


def _identity(facts: RunFacts) -> dict[str, str]:
    return {
        "run_id": facts.run_id,
        "seed": str(facts.seed),  # as text: 64 unsigned bits do not fit a signed attribute
        "rng_scheme": facts.rng_scheme,
        "versions": canonical_json(dict(facts.versions)),
        "input_files": canonical_json(dict(facts.input_files)),
        "warnings": canonical_json(list(facts.warnings)),
    }


def _described(results: xr.Dataset) -> xr.Dataset:
    """Results with the attributes that CF asks for; what the engine said of a variable is kept."""
    described = results.copy(deep=False)
    currency = str(results.attrs["currency"])
    known = {
        variable.name: variable for variable in (*DATASET_VARIABLES, TOP_OF_RANGE, *TAIL_VARIABLES, *MEASURE_VARIABLES)
    }
    for name in described.variables:
        attributes: dict[str, str] = dict(CF_ATTRIBUTES.get(str(name), {}))
        if str(name) in known:
            variable = known[str(name)]
            attributes |= {"long_name": variable.long_name, "cell_methods": variable.cell_methods}
            attributes["units"] = {"currency": currency, "hours": "h"}.get(variable.unit, "1")
        described[name].attrs = {key: value for key, value in (attributes | results[name].attrs).items() if value != ""}
    return described


def _texts_group(inputs: Inputs) -> xr.Dataset:
    """Texts as scalar variables: an attribute of HDF5 ends at 64 kB."""
    return xr.Dataset({name: ((), value) for name, value in inputs.items() if isinstance(value, str)})


def _portions(table: xr.Dataset) -> list[xr.Dataset]:
    """A table cut into some of its columns at a time, since all of a group are encoded before one is written."""
    parts: list[list[str]] = [[]]
    taken = 0
    for name, variable in table.variables.items():
        if taken and taken + variable.nbytes > PORTION_BYTES:
            parts.append([])
            taken = 0
        parts[-1].append(str(name))
        taken += variable.nbytes
    return [_storable(table[names]) for names in parts]


def _storable(table: xr.Dataset) -> xr.Dataset:
    """Columns of objects as text; a missing text becomes the empty text."""
    columns = {
        str(name): variable.copy(data=_texts(variable.values))
        for name, variable in table.variables.items()
        if variable.dtype.kind in "OT"
    }
    return table.assign(columns)


def _texts(values: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    plain = ["" if pandas.isna(value) else str(value) for value in values.ravel()]
    return np.array(plain, dtype=object).reshape(values.shape)


def _encoding(group: xr.Dataset) -> dict[str, dict[str, Any]]:
    return {str(name): _variable_encoding(group[name]) for name in group.variables}


def _variable_encoding(variable: xr.DataArray) -> dict[str, Any]:
    if variable.dtype.kind == "M":
        return dict(TIME_ENCODING)
    if variable.dtype.kind in "OUT":
        # Long columns of text as characters, which compress; labels as strings, which every reader shows.
        return {"dtype": "S1", **COMPRESSION} if "loan" in variable.dims else {}
    fill = {"_FillValue": None} if variable.dtype.kind in "iub" or variable.name in variable.coords else {}
    if variable.ndim == 0 or variable.size < PATHS_A_CHUNK:
        return fill
    return {**fill, **COMPRESSION, "chunksizes": _chunks(variable)}


def _chunks(variable: xr.DataArray) -> tuple[int, ...]:
    by_path = "path" in variable.dims
    sizes = {"path": PATHS_A_CHUNK, "scenario": 1, "strategy": 1, "programme": 1}
    return tuple(min(size, sizes.get(str(dim), size)) if by_path else size for dim, size in variable.sizes.items())


# --- reading ---------------------------------------------------------------------------------------


def read_results(path: Path) -> xr.Dataset:
    """Result Dataset of a run, in memory.

    Parameters
    ----------
    path : Path
        The run's folder or its results file.

    Raises
    ------
    InputError
        Where there is no such file, or it is not one that carstress wrote.
    """
    with _reading(path) as tree:
        return _results(tree)


def read_inputs(path: Path) -> dict[str, xr.Dataset | str]:
    """What a re-run needs, as it was given to `write_run`: texts by name, the tape as a Dataset."""
    with _reading(path) as tree:
        return _inputs(tree)


def read_facts(path: Path) -> dict[str, Any]:
    """What identifies the run: run_id, seed, rng_scheme, versions, input_files, warnings."""
    with _reading(path) as tree:
        return _facts(tree)


def read_all(path: Path) -> tuple[xr.Dataset, dict[str, xr.Dataset | str], dict[str, Any]]:
    """Results, inputs and facts of a run from one opening of its file, which takes longer than reading a small run."""
    with _reading(path) as tree:
        return _results(tree), _inputs(tree), _facts(tree)


def _results(tree: xr.DataTree) -> xr.Dataset:
    results = tree.children["results"].to_dataset().load()
    results.attrs = {name: _plain(value) for name, value in results.attrs.items()}
    return results


def _inputs(tree: xr.DataTree) -> dict[str, xr.Dataset | str]:
    group = tree.children["inputs"]
    texts = {str(name): str(variable.values) for name, variable in group.to_dataset().data_vars.items()}
    return {**texts, **{name: child.to_dataset().load() for name, child in group.children.items()}}


def _facts(tree: xr.DataTree) -> dict[str, Any]:
    facts = dict(tree.children["attrs"].attrs)
    decoded = {name: json.loads(str(facts[name])) for name in ("versions", "input_files", "warnings")}
    return {
        "run_id": str(facts["run_id"]),
        "seed": int(facts["seed"]),
        "rng_scheme": str(facts["rng_scheme"]),
        **decoded,
    }


def _plain(value: Any) -> Any:
    return value.item() if isinstance(value, np.generic) else value


UNREADABLE: Final = (OSError, RuntimeError, ValueError, KeyError)
"""What h5py and xarray raise over a damaged file, on opening it or on reading a block: no one class holds them."""


@contextmanager
def _reading(path: Path) -> Iterator[xr.DataTree]:
    """An open file; damage is bad input wherever it shows, since xarray reads blocks only when asked for them."""
    with _open(path) as tree:
        try:
            yield tree
        except UNREADABLE as error:
            raise _damaged(_results_file(path), error) from error


def _damaged(file: Path, error: Exception) -> InputError:
    remedy = "The file is damaged or of another program; run again."
    return InputError(Fault(str(file), f"not readable ({error})", "results.nc of carstress", remedy))


def _results_file(path: Path) -> Path:
    return path / RESULTS if path.is_dir() else path


def _open(path: Path) -> xr.DataTree:
    file = _results_file(path)
    remedy = "Name a folder that `carstress run` wrote, or its results file."
    try:
        with file.open("rb"):
            pass
    except PermissionError:
        found, allow = "reading it is not permitted", "Ask its owner, or change its permissions."
        raise InputError(Fault(str(file), found, "a file that may be read", allow)) from None
    except OSError:  # none there, or a folder
        raise InputError(Fault(str(file), "no such file", "the results of a run", remedy)) from None
    try:
        tree = xr.open_datatree(file, engine=ENGINE)
    except UNREADABLE as error:
        raise _damaged(file, error) from error
    missing = [name for name in ("inputs", "results", "attrs") if name not in tree.children]
    if missing:
        tree.close()
        remedy = "Name the results file of a run."
        raise InputError(Fault(str(file), f"no group {', '.join(missing)}", "results.nc of carstress", remedy))
    return tree
