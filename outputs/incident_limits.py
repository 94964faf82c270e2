"""Chance constraints on incidents: a number that a strategy exceeds with little probability, in every scenario."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, fields
from typing import TYPE_CHECKING

import pandas
import xarray as xr

from outputs import estimators
from outputs.measures import runs, sample_of
from outputs.wording import percent

if TYPE_CHECKING:
    from scenarios.strategy import CollectionStrategy

LOANS_BASE = 1000.0
NAMES = {
    "complaint": ("complaint", "complaints"),
    "claim": ("claim", "claims"),
    "injury": ("injury", "injuries"),
    "regulatory": ("regulatory event", "regulatory events"),
}
"""An incident and several, by kind."""


@dataclass(frozen=True, slots=True)
class IncidentResult:
    """A chance constraint and what was found.

    Attributes
    ----------
    scenario, strategy, kind : str
    at_most : float
        Incidents over the horizon for each 1,000 opening loans.
    with_probability_percent : float
        Least share of paths that must keep it.
    found_percent, standard_error_percent : float
        Share of paths that do, and its Monte Carlo error.
    passed : bool
    """

    scenario: str
    strategy: str
    kind: str
    at_most: float
    with_probability_percent: float
    found_percent: float
    standard_error_percent: float
    passed: bool

    @property
    def bound(self) -> str:
        """The number allowed, in words."""
        return f"{self.at_most:g} {NAMES[self.kind][self.at_most != 1.0]}"

    def record(self) -> dict[str, str | float | bool]:
        """Fields by name, for JSON."""
        return asdict(self)

    def __str__(self) -> str:
        verdict = "holds" if self.passed else "FAILS"
        found = f"{percent(self.found_percent)} % +/- {percent(self.standard_error_percent)}"
        return (
            f"limit {verdict}: {self.scenario} / {self.strategy}: at most {self.bound} for "
            f"each 1,000 opening loans on {found} of paths; at least {self.with_probability_percent:g} %"
        )


def limits_table(found: Sequence[IncidentResult]) -> dict[str, pandas.DataFrame]:
    """Verdicts as a table by the name of its file, a row a constraint and scenario."""
    columns = [field.name for field in fields(IncidentResult)]
    return {"incident_limits": pandas.DataFrame([each.record() for each in found], columns=columns)}


def strategies_from(text: str) -> tuple[CollectionStrategy | None, ...]:
    """Strategies as a run stores them, JSON; None where loans are worked as in the parameters."""
    from scenarios.strategy import CollectionStrategy

    return tuple(None if item is None else CollectionStrategy.model_validate(item) for item in json.loads(text))


def check_incidents(dataset: xr.Dataset, strategies: Iterable[CollectionStrategy | None]) -> tuple[IncidentResult, ...]:
    """Hold every strategy's constraints against its incidents over the horizon, scenario by scenario."""
    return tuple(result for strategy in strategies if strategy is not None for result in _results(dataset, strategy))


def _results(dataset: xr.Dataset, strategy: CollectionStrategy) -> Iterator[IncidentResult]:
    loans = float(dataset.attrs["opening_count"])
    for limit in strategy.incidents.limits:
        for run in (run for run in runs(dataset) if run["strategy"] == strategy.name):
            counts = dataset["incident_count"].sel(run).sel(incident=limit.kind).sum("month")
            kept = 100.0 * (counts * LOANS_BASE / loans <= limit.at_most).astype(float)
            found = estimators.mean(sample_of(kept, dataset))
            yield IncidentResult(
                scenario=run["scenario"],
                strategy=strategy.name,
                kind=limit.kind,
                at_most=limit.at_most,
                with_probability_percent=limit.with_probability_percent,
                found_percent=found.value,
                standard_error_percent=found.standard_error,
                passed=found.value >= limit.with_probability_percent,
            )
