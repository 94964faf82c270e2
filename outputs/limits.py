"""Declared limits: a measure against its bound."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from typing import Any, Final, Protocol

import xarray as xr

from outputs import estimators, measures
from outputs.wording import measure_label, percent, run_label


class Limit(Protocol):
    """What a study declares; `scenarios.schema.Limit` is one."""

    @property
    def measure(self) -> str:
        """`expected_loss`, `value_at_risk` or `expected_shortfall`."""

    @property
    def level(self) -> float:
        """Probability, of a quantile or shortfall."""

    @property
    def scenario(self) -> str:
        """The scenario that it bounds."""

    @property
    def at_most_percent(self) -> float:
        """Bound, percent of opening balance."""


@dataclass(frozen=True, slots=True)
class LimitResult:
    """A limit and what was found.

    Attributes
    ----------
    scenario, strategy, programme : str
        The run that was held against it.
    label : str
        What was bounded, as "VaR 99 %".
    at_most_percent, found_percent, standard_error_percent : float
        Percent of opening balance.
    passed : bool
    unreliable : bool
        Too few paths lie beyond for the verdict to be relied on.
    vary : tuple of str
        Which of strategy and programme the result has several of: a reader is told those.
    """

    scenario: str
    strategy: str
    programme: str
    label: str
    at_most_percent: float
    found_percent: float
    standard_error_percent: float
    passed: bool
    unreliable: bool
    vary: tuple[str, ...] = ()

    @property
    def run(self) -> str:
        """What was bounded, for readers: the scenario, and whose where there are several."""
        return run_label(self.scenario, self.strategy, self.programme, vary=self.vary)

    def record(self) -> dict[str, str | float | bool | None]:
        """Fields by name, for JSON: what is not a number is None."""
        found = {name: getattr(self, name) for name in COLUMNS}
        return {
            name: None if isinstance(value, float) and math.isnan(value) else value for name, value in found.items()
        }

    def __str__(self) -> str:
        verdict = "holds" if self.passed else "FAILS"
        found = f"{percent(self.found_percent)} % +/- {percent(self.standard_error_percent)}"
        bound = f"at most {percent(self.at_most_percent)} % of opening balance"
        return f"limit {verdict}: {self.run}: {self.label} = {found}; {bound}"


COLUMNS: Final = tuple(field.name for field in fields(LimitResult) if field.name != "vary")
"""What JSON and `tables/limits.csv` hold of each."""


def check_limits(dataset: xr.Dataset, limits: Iterable[Limit]) -> tuple[LimitResult, ...]:
    """Compare each limit with the loss after discounted recoveries of its scenario.

    Parameters
    ----------
    dataset : xr.Dataset
        A result; where it has several strategies or programmes, each must respect the limit.
    limits : iterable of Limit

    Returns
    -------
    tuple of LimitResult
        One for each limit and run of its scenario, in order.
    """
    losses = measures.path_loss(dataset)
    scale = 100.0 / float(dataset.attrs["opening_balance"])
    vary = tuple(dim for dim in ("strategy", "programme") if dataset.sizes[dim] > 1)
    found = []
    for limit in limits:
        for run in (run for run in measures.runs(dataset) if run["scenario"] == limit.scenario):
            sample = measures.sample_of(losses.sel(run), dataset)
            found.append(_result(limit, _estimate(limit, sample), scale, run | {"vary": vary}))
    return tuple(found)


def _estimate(limit: Limit, sample: estimators.Sample) -> estimators.Estimate:
    if limit.measure == "expected_loss":
        return estimators.mean(sample)
    if limit.measure == "value_at_risk":
        return estimators.value_at_risk(sample, limit.level)
    if limit.measure == "expected_shortfall":
        return estimators.expected_shortfall(sample, limit.level)
    raise ValueError(f"limit on {limit.measure}; expected expected_loss, value_at_risk or expected_shortfall.")


def _result(limit: Limit, estimate: estimators.Estimate, scale: float, whose: Mapping[str, Any]) -> LimitResult:
    label = measure_label(limit.measure, math.nan if limit.measure == "expected_loss" else limit.level)
    value = estimate.value * scale
    return LimitResult(
        **whose,
        label=label,
        at_most_percent=limit.at_most_percent,
        found_percent=value,
        standard_error_percent=estimate.standard_error * scale,
        passed=value <= limit.at_most_percent,
        unreliable=estimate.unreliable,
    )
