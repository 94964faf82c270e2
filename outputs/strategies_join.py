"""Strategies of two runs side by side: joined if, and only if, they share draws and all but strategies."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import xarray as xr

from outputs.manifest import digest_of
from outputs.measures import path_loss
from outputs.run_folder import RESULTS
from outputs.store import read_all
from outputs.strategies import strategy_loss
from scenarios.errors import Fault, InputError

WORLD: Final = ("shift_calendar", "market_share_percent", "uncertainty", "tail")
"""Fields of a study that change what happens to a book whatever the strategy. Its other fields name what is compared
one by one, or do not act on losses."""

OWN_DIMS: Final = ("pool", "incident", "rung", "criterion")
"""Dims whose labels are the strategies' own."""

SAME: Final = 1e-9
"""Absolute slack of weights and factors: another processor's exponential may differ in its last bit."""


@dataclass(frozen=True, slots=True)
class StoredRun:
    """A finished run as it was stored.

    Attributes
    ----------
    name : str
        Its folder's.
    place : str
        As the user named it.
    file : Path
        Its results file.
    results : xr.Dataset
    facts : mapping
        Of `outputs.store.read_facts`.
    inputs : mapping
        Of `outputs.store.read_inputs`.
    """

    name: str
    place: str
    file: Path
    results: xr.Dataset
    facts: Mapping[str, Any]
    inputs: Mapping[str, xr.Dataset | str]


def read_run(path: Path) -> StoredRun:
    """Read a run by its folder or its results file; `InputError` where there is none."""
    folder = path if path.is_dir() else path.absolute().parent
    name = folder.absolute().name if path.is_dir() or path.name == RESULTS else path.stem
    file = path / RESULTS if path.is_dir() else path
    results, inputs, facts = read_all(path)
    return StoredRun(name, str(path), file, results, facts, inputs)


def join_runs(first: StoredRun, second: StoredRun) -> tuple[xr.Dataset, tuple[str, ...]]:
    """Strategies of both runs along one dim, and what is to be said of it.

    A strategy of the same name and the same losses in both is shown once; where its losses differ, both get the name
    of their run: ``reference@calls``.

    Raises
    ------
    InputError
        With every reason why the runs cannot be compared path by path.
    """
    faults = list(differences_of_draws(first, second))
    if faults:
        raise InputError(faults)
    other = second.results.sel(scenario=first.results["scenario"].values, programme=first.results["programme"].values)
    pair, notes = _named_apart((first, second), [_strategies_only(first.results), _strategies_only(other)])
    one, two = _on_one_footing(*pair)
    joined = xr.concat(
        [one, two], "strategy", data_vars="minimal", coords="minimal", compat="override", join="override"
    )
    rest = first.results.drop_vars([*_strategies_only(first.results).data_vars, "strategy"])
    rest = rest.drop_dims([dim for dim in OWN_DIMS if dim in rest.dims])
    return joined.merge(rest, compat="override", join="override").assign_attrs(first.results.attrs), notes


# --- reasons not to ------------------------------------------------------------------------------------------


def differences_of_draws(first: StoredRun, second: StoredRun) -> Iterator[Fault]:
    """All that keeps two runs from being compared path by path."""
    ours, theirs = _identity(first), _identity(second)
    for name, (found, remedy) in theirs.items():
        expected = ours[name][0]
        if found != expected and not (name == "observed" and "" in (found, expected)):
            yield _fault(first, second, name, (found, expected), remedy)
    yield from _scenario_faults(first, second)
    if not any(ours[name][0] != theirs[name][0] for name in ("paths", "months")):
        yield from _factor_faults(first, second)


def _identity(run: StoredRun) -> dict[str, tuple[str, str]]:
    """What two runs must have in common, as text, with the remedy where they do not."""
    results, study = run.results, json.loads(str(run.inputs["study"]))
    tape = run.inputs["tape"]
    columns = xr.Dataset(tape.variables) if isinstance(tape, xr.Dataset) else tape
    paths = results["path"].values
    again = "Run it again with"
    return {
        "seed": (str(run.facts["seed"]), f"{again} --seed of the other."),
        "rng_scheme": (str(run.facts["rng_scheme"]), "Run both with one version and one method for the tail."),
        "paths": (f"{paths.size:,} from {paths[0]}", f"{again} --paths of the other."),
        "months": (str(results.sizes["month"]), "Give both studies the same `months:`."),
        "opening book": (_short(digest_of(columns)), "Give both studies the same `portfolio:`."),
        "as-of date": (str(results.attrs["as_of"]), "Give both studies the same `portfolio:`."),
        "parameters": (_short(digest_of(str(run.inputs["parameters"]))), "Give both the same `parameters:`."),
        **_observed(run),
        "programmes": (", ".join(map(str, results["programme"].values)), "Give both the same programmes."),
        **{name: (_told(study.get(name)), f"Give both studies the same `{name}:`.") for name in WORLD},
    }


def _observed(run: StoredRun) -> dict[str, tuple[str, str]]:
    """Strategies under which the parameters were observed, where the run has a ladder: others act relative to them."""
    text = str(run.inputs.get("observed", "[]"))
    told = _short(digest_of(text)) if json.loads(text) else ""
    return {"observed": (told, "Give the strategies under which the parameters were observed one content.")}


def _short(digest: str) -> str:
    return digest[:12]


def _told(value: Any) -> str:
    return "none" if value is None else json.dumps(value, sort_keys=True)


def _fault(first: StoredRun, second: StoredRun, name: str, pair: tuple[str, str], remedy: str) -> Fault:
    found, expected = pair
    return Fault(second.place, f"{name} {found}", f"{expected}, as in {first.place}", remedy)


def _scenario_faults(first: StoredRun, second: StoredRun) -> Iterator[Fault]:
    """Scenarios that are in one run only, or that are not the same in both."""
    ours, theirs = (
        {str(item["name"]): item for item in json.loads(str(run.inputs["scenarios"]))} for run in (first, second)
    )
    both = "Give both studies the same `scenarios:`."
    for name in ours:
        if name not in theirs:
            yield Fault(second.place, f"no scenario {name}", f"the scenarios of {first.place}", both)
    for name, content in theirs.items():
        if name not in ours:
            yield Fault(second.place, f"scenario {name}", f"the scenarios of {first.place} alone", both)
        elif content != ours[name]:
            expected = f"what {first.place} has under that name"
            yield Fault(second.place, f"scenario {name} has other content", expected, both)


def _factor_faults(first: StoredRun, second: StoredRun) -> Iterator[Fault]:
    """Paths whose weights, batches or factors are not the same although all that is stated is."""
    for name, label in (
        ("log_weight", "weights of the paths"),
        ("shift_direction", "directions of the tail's proposal"),
        ("stratum_low", "strata of the tail's proposal"),
        ("batch", "batches of the paths"),
        ("global_factor", "global factors of the paths"),
    ):
        pair = [run.results[name].values if name in run.results.variables else None for run in (first, second)]
        if not _same(*pair):
            remedy = "Run both again with one version of carstress."
            yield Fault(second.place, f"{label} differ", f"those of {first.place}", remedy)


def _same(one: np.ndarray[Any, Any] | None, other: np.ndarray[Any, Any] | None) -> bool:
    if one is None or other is None:
        return one is other
    return one.shape == other.shape and np.allclose(one, other, rtol=0.0, atol=SAME, equal_nan=True)


# --- one Dataset of both -------------------------------------------------------------------------------------


def _strategies_only(results: xr.Dataset) -> xr.Dataset:
    """Variables that a strategy has a value of."""
    return results[[str(name) for name, variable in results.data_vars.items() if "strategy" in variable.dims]]


def _named_apart(
    found: Sequence[StoredRun], pair: Sequence[xr.Dataset]
) -> tuple[tuple[xr.Dataset, xr.Dataset], tuple[str, ...]]:
    """The two results without what stands in both, and with names that differ."""
    one, two = pair
    ours, theirs = ([str(name) for name in part["strategy"].values] for part in pair)
    runs = [run.name for run in found] if found[0].name != found[1].name else [run.place for run in found]
    if runs[0] == runs[1]:
        runs = [f"{runs[0]}-{number}" for number in (1, 2)]
    notes = []
    for name in [name for name in ours if name in theirs]:
        if _equal_losses(one.sel(strategy=[name]), two.sel(strategy=[name])):
            two = two.isel(strategy=[place for place, label in enumerate(two["strategy"].values) if label != name])
            notes.append(f"{name} is the same in both runs and is shown once.")
        else:
            one, two = (
                part.assign_coords(strategy=[f"{name}@{run}" if label == name else str(label) for label in labels])
                for part, run, labels in (
                    (one, runs[0], one["strategy"].values),
                    (two, runs[1], two["strategy"].values),
                )
            )
            notes.append(f"{name} has other losses in the two runs: {name}@{runs[0]} and {name}@{runs[1]}.")
    return (one, two), tuple(notes)


def _equal_losses(one: xr.Dataset, other: xr.Dataset) -> bool:
    pairs = [(strategy_loss(part).values, path_loss(part, "net_loss").values) for part in (one, other)]
    return all(np.array_equal(ours, theirs) for ours, theirs in zip(*pairs, strict=True))


def _on_one_footing(one: xr.Dataset, two: xr.Dataset) -> tuple[xr.Dataset, xr.Dataset]:
    """Both with the same variables and the same pools, incidents and rungs: what one lacks does nothing there."""
    for dim in OWN_DIMS:
        labels = [str(name) for part in (one, two) if dim in part.dims for name in part[dim].values]
        union = list(dict.fromkeys(labels))
        facts = _facts_of_labels(dim, union, (one, two))
        one, two = (
            part.reindex({dim: union}, fill_value=0).assign_coords(facts) if dim in part.dims else part
            for part in (one, two)
        )
    return _filled(one, two), _filled(two, one)


def _facts_of_labels(dim: str, labels: Sequence[str], parts: Sequence[xr.Dataset]) -> dict[str, Any]:
    """What either result says of pools, incidents or rungs as such: coordinates along that dim alone."""
    told: dict[str, dict[str, Any]] = {}
    for part in reversed(parts):  # the first has the last word
        for name, values in part.coords.items():
            if values.dims == (dim,) and name != dim:
                told.setdefault(str(name), {}).update(zip(map(str, part[dim].values), values.values, strict=True))
    return {name: (dim, np.array([found.get(label, False) for label in labels])) for name, found in told.items()}


def _filled(part: xr.Dataset, other: xr.Dataset) -> xr.Dataset:
    """A result with all variables of another, 0 where it has none of its own."""
    sizes = {**other.sizes, **part.sizes}
    missing = {
        name: (variable.dims, np.zeros([sizes[dim] for dim in variable.dims], variable.dtype))
        for name, variable in other.data_vars.items()
        if name not in part
    }
    labels = {dim: other[dim] for dim in OWN_DIMS if dim in other.coords and dim not in part.coords}
    return part.assign(missing).assign_coords(labels)
