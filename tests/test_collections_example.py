"""The worked example of docs/collections.md: a queue turns a ranking, and without it the ranking turns back."""

from __future__ import annotations

import math
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from calibration.library import find_parameter_set
from scenarios.library import find_study
from simulator.study import load_inputs, run_study

DOCS = Path(__file__).parent.parent / "docs"
SCENARIOS = ("baseline", "severely_adverse")


@cache
def results() -> xr.Dataset:
    study = find_study(str(DOCS / "examples" / "queues" / "study.yaml"))
    return run_study(load_inputs(study, find_parameter_set))


def cost_and_loss(scenario: str, strategy: str) -> np.ndarray:
    """Percent of opening balance by path."""
    one = results().sel(scenario=scenario, strategy=strategy, programme="none")
    lost = one["ultimate_loss"].sum("month") + one["ultimate_loss_after_horizon"]
    lost = lost + one["collection_cost"].sum("month") + one["incident_cost"].sum("month")
    return np.asarray(100.0 * lost / results().attrs["opening_balance"])


def difference(scenario: str, strategy: str) -> tuple[float, float]:
    """Mean difference from the agency, paired by path, and its standard error."""
    gap = cost_and_loss(scenario, strategy) - cost_and_loss(scenario, "agency")
    return float(gap.mean()), float(gap.std(ddof=1) / math.sqrt(gap.size))


def test_the_queue_turns_the_ranking_and_capacity_turns_it_back() -> None:
    """Each difference is more than three standard errors from 0."""
    signs = {("baseline", "own_team"): -1, ("severely_adverse", "own_team"): 1}
    signs |= {(scenario, "own_team_unlimited"): -1 for scenario in SCENARIOS}
    for (scenario, strategy), sign in signs.items():
        mean, error = difference(scenario, strategy)
        assert sign * mean > 3.0 * error, (scenario, strategy, mean, error)


def test_more_loans_wait_in_the_recession() -> None:
    assert 0.95 < served("baseline") < 0.99
    assert served("severely_adverse") < served("baseline") - 0.03


def served(scenario: str) -> float:
    one = results().sel(scenario=scenario, strategy="own_team", pool="team")
    return float(one["pool_served"].sum() / one["pool_demand"].sum())


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_the_page_tells_what_the_example_gives(scenario: str) -> None:
    (first, one), (second, two) = difference(scenario, "own_team"), difference(scenario, "own_team_unlimited")
    agency, team, ample = (
        cost_and_loss(scenario, name).mean() for name in ("agency", "own_team", "own_team_unlimited")
    )
    row = (
        f"| {scenario} | {agency:.2f} | {team:.2f} | {first:+.3f} +/- {one:.3f} | {100 * served(scenario):.0f} % | "
        f"{ample:.2f} | {second:+.3f} +/- {two:.3f} |"
    )
    assert row in (DOCS / "collections.md").read_text(encoding="utf-8")


def test_common_draws_need_a_fifth_of_the_paths_of_independent_ones_at_most() -> None:
    """Variance of the mean difference on independent paths over that on common ones."""
    for scenario in SCENARIOS:
        for strategy in ("own_team", "own_team_unlimited"):
            one, other = cost_and_loss(scenario, strategy), cost_and_loss(scenario, "agency")
            assert one.var() + other.var() > 5.0 * (one - other).var()
