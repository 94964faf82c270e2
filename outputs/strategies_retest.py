"""The winner among strategies once more, on paths that had no part in its choice.

The least of several estimates is too low by the luck that made it the least. Fresh paths know nothing of that luck: the
winner and its rival are run on them, and one test, chosen before, says whether the verdict holds.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import pandas
import xarray as xr

from outputs.measures import Loss, sample_of
from outputs.strategies import mean_difference, nearest_to_best, strategy_levels, strategy_loss
from outputs.strategies_join import StoredRun
from outputs.strategies_verdicts import FAMILY_ERROR, holm, two_sided
from scenarios.errors import Fault, InputError
from simulator.engine import RunSize, available_cores
from simulator.study import inputs_from_store, simulate_scenario
from simulator.tail_study import stored_proposal

Simulate = Callable[[str, str, range], xr.Dataset]
"""Runs a scenario under a strategy on some paths: (scenario, strategy, path numbers) to a result of both alone."""

HOLDS, FAILS, OPEN = "holds", "does not hold", "was open"
OUTCOMES: Final[dict[str, str]] = {
    HOLDS: "told apart in the run and on fresh paths",
    FAILS: "told apart in the run, not on fresh paths",
    OPEN: "not told apart in the run",
}


def simulate_again(run: StoredRun) -> Simulate:
    """Simulates strategies of a stored run as the run did, from what it keeps.

    Raises
    ------
    InputError
        The study draws its parameters: paths beyond its own have none.
    """
    inputs = inputs_from_store(dict(run.inputs), run.file)
    if inputs.study.uncertainty is not None:
        found = f"a study that draws its parameters, and has draws for its {inputs.study.paths:,} paths alone"
        remedy = "Run the study with more paths and compare again."
        raise InputError(Fault(run.place, found, "a study with fixed parameters for --retest", remedy))
    macros = {macro.name: macro for macro in inputs.macro_paths()}
    proposal, size = stored_proposal(run.results), RunSize(threads=available_cores())

    def simulate(scenario: str, strategy: str, numbers: range) -> xr.Dataset:
        return simulate_scenario(
            inputs, macros[scenario], paths=numbers, strategy=strategy, proposal=proposal, size=size
        )

    return simulate


@dataclass(frozen=True, slots=True)
class Contest:
    """A winner by expected loss, costs included, and whom it is measured with."""

    scenario: str
    programme: str
    winner: str
    rival: str


def contests(dataset: xr.Dataset, loss: Loss = "ultimate_loss") -> list[Contest]:
    """The contest of each scenario: the winner with the baseline, or, where that wins, with the second."""
    levels = strategy_levels(dataset, loss)
    baseline = str(dataset["strategy"].values[0])
    found = []
    for scenario in map(str, dataset["scenario"].values):
        for programme in map(str, dataset["programme"].values):
            at = {"scenario": scenario, "programme": programme}
            found.append(Contest(scenario, programme, *nearest_to_best(levels, at, baseline)))
    return found


def fresh_paths(dataset: xr.Dataset, count: int) -> range:
    """Numbers of paths beyond those of the run."""
    first = int(dataset["path"].values.max()) + 1
    return range(first, first + count)


def retest(dataset: xr.Dataset, count: int, simulate: Simulate, loss: Loss = "ultimate_loss") -> pandas.DataFrame:
    """Winner less rival by expected loss with costs, in the run and on fresh paths.

    Parameters
    ----------
    dataset : xr.Dataset
        The run, its baseline first.
    count : int
        Fresh paths.
    simulate : callable
        As `Simulate`.

    Returns
    -------
    pandas.DataFrame
        scenario, programme, winner, rival, paths (fresh), value, low, high, p_value (in the run), fresh_value,
        fresh_low, fresh_high, fresh_p_value, fresh_adjusted_p (by Holm over scenarios), outcome (`OUTCOMES`). Currency.
    """
    rows: list[dict[str, Any]] = []
    for contest in contests(dataset, loss):
        numbers = fresh_paths(dataset, count)
        both = [simulate(contest.scenario, name, numbers) for name in (contest.winner, contest.rival)]
        kept = [dataset.sel(scenario=[contest.scenario], strategy=[name]) for name in (contest.winner, contest.rival)]
        told = {"scenario": contest.scenario, "programme": contest.programme}
        told |= {"winner": contest.winner, "rival": contest.rival}
        first, second = _columns(kept, contest, loss), _columns(both, contest, loss)
        fresh = {f"fresh_{name}": value for name, value in second.items()}
        rows.append({**told, "paths": count, **first, **fresh})
    adjusted = holm([row["fresh_p_value"] for row in rows])
    return pandas.DataFrame(
        [
            {**row, "fresh_adjusted_p": float(p), "outcome": _outcome(row, float(p))}
            for row, p in zip(rows, adjusted, strict=True)
        ]
    )


def _columns(parts: list[xr.Dataset], contest: Contest, loss: Loss) -> dict[str, float]:
    """Difference of the two means on the paths of two results, each of one scenario and strategy."""
    pair = [strategy_loss(part, loss).sel(programme=contest.programme).squeeze(drop=True) for part in parts]
    one, other = (values.reset_coords(drop=True) for values in pair)
    found = mean_difference(one, other, parts[0])
    p_value = two_sided(found, sample_of(one - other, parts[0]))
    return {"value": found.value, "low": found.low, "high": found.high, "p_value": p_value}


def _outcome(row: dict[str, Any], adjusted: float) -> str:
    if not row["p_value"] <= FAMILY_ERROR:  # NaN where the run does not tell the error
        return OPEN
    return HOLDS if adjusted <= FAMILY_ERROR and row["fresh_value"] < 0.0 else FAILS
