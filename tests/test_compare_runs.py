"""Strategies of two runs: joined on common draws, refused otherwise with every reason."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr

from outputs import servicing, strategies
from outputs.strategies_join import StoredRun, differences_of_draws, join_runs
from scenarios.errors import InputError
from strategy_samples import LADDERS, strategy_results

STUDY = {"name": "a", "shift_calendar": False, "market_share_percent": 0.0, "uncertainty": None, "tail": None}
SCENARIOS = [{"name": "baseline", "months": 12}, {"name": "severely_adverse", "months": 12}]


def stored(name: str, *ladders: str, **study: Any) -> StoredRun:
    """A run of some of the sample's ladders, as if it had been stored."""
    results = strategy_results(60, 6, ladders={ladder: LADDERS[ladder] for ladder in ladders})
    tape = xr.Dataset({"current_balance": ("loan", np.array([100.0, 200.0]))}, attrs={"metadata": name})
    inputs: dict[str, xr.Dataset | str] = {
        "tape": tape,
        "study": json.dumps({**STUDY, "name": name, **study}),
        "scenarios": json.dumps(SCENARIOS),
        "parameters": json.dumps([{"name": "us_near_prime"}]),
        "observed": json.dumps([{"name": "reference_us"}]),
    }
    facts = {"seed": 1, "rng_scheme": "philox4x32-10/v1", "run_id": name, "versions": {"carstress": "1"}}
    return StoredRun(name, f"runs/{name}", Path(f"runs/{name}/results.nc"), results, facts, inputs)


@pytest.fixture(scope="module")
def first() -> StoredRun:
    return stored("first", "reference_us", "none")


@pytest.fixture(scope="module")
def second() -> StoredRun:
    return stored("second", "digital_only")


def test_strategies_of_both_runs_stand_side_by_side(first: StoredRun, second: StoredRun) -> None:
    joined, notes = join_runs(first, second)
    assert list(joined["strategy"].values) == ["reference_us", "none", "digital_only"]
    assert notes == ()
    losses = strategies.strategy_loss(joined)
    np.testing.assert_array_equal(
        losses.sel(strategy="none"), strategies.strategy_loss(first.results).sel(strategy="none")
    )
    own = strategies.strategy_loss(second.results).isel(strategy=0)
    np.testing.assert_array_equal(losses.sel(strategy="digital_only"), own)
    assert set(joined.variables) == set(first.results.variables)


def test_a_run_with_its_scenarios_in_another_order_is_put_in_order(first: StoredRun, second: StoredRun) -> None:
    turned = replace(second, results=second.results.isel(scenario=[1, 0]))
    joined, _ = join_runs(first, turned)
    xr.testing.assert_identical(joined, join_runs(first, second)[0])


def test_a_strategy_that_is_the_same_in_both_is_shown_once(first: StoredRun) -> None:
    joined, notes = join_runs(first, stored("second", "reference_us"))
    assert list(joined["strategy"].values) == ["reference_us", "none"]
    assert notes == ("reference_us is the same in both runs and is shown once.",)


def test_strategies_of_one_name_and_other_losses_get_the_names_of_their_runs(first: StoredRun) -> None:
    other = stored("second", "none")
    worse = other.results.assign(collection_cost=other.results["collection_cost"] + 1.0)
    joined, notes = join_runs(first, replace(other, results=worse))
    assert list(joined["strategy"].values) == ["reference_us", "none@first", "none@second"]
    assert notes == ("none has other losses in the two runs: none@first and none@second.",)
    again, _ = join_runs(first, replace(other, results=worse, name="first"))
    assert list(again["strategy"].values) == ["reference_us", "none@runs/first", "none@runs/second"]


def test_what_one_run_lacks_does_nothing_there(first: StoredRun, second: StoredRun) -> None:
    """The first run has no pools, incidents or rungs; the second renames its pool."""
    bare = replace(first, results=first.results.drop_dims(["pool", "incident", "rung"]))
    renamed = second.results.assign_coords(pool=["people", "trucks", "machines"])
    joined, _ = join_runs(bare, replace(second, results=renamed))
    counts = strategies.incidents(joined)
    assert counts is not None
    assert float(counts.sel(strategy="none").max()) == 0.0
    at = {"scenario": "baseline", "programme": "none"}
    assert servicing.pools_of(joined.sel({**at, "strategy": "reference_us"})) == ()
    assert servicing.pools_of(joined.sel({**at, "strategy": "digital_only"})) == ("machines",)
    union, _ = join_runs(first, replace(second, results=renamed))
    assert list(union["pool"].values) == ["phone", "field", "digital", "people", "trucks", "machines"]
    assert servicing.pools_of(union.sel({**at, "strategy": "reference_us"})) == ("phone", "field", "digital")


# --- reasons not to --------------------------------------------------------------------------------------------------


def with_facts(run: StoredRun, **facts: Any) -> StoredRun:
    return replace(run, facts={**run.facts, **facts})


def with_inputs(run: StoredRun, **inputs: Any) -> StoredRun:
    return replace(run, inputs={**run.inputs, **inputs})


def with_study(run: StoredRun, **study: Any) -> StoredRun:
    return with_inputs(run, study=json.dumps({**json.loads(str(run.inputs["study"])), **study}))


def other_tape(run: StoredRun) -> StoredRun:
    return with_inputs(run, tape=xr.Dataset({"current_balance": ("loan", np.array([100.0, 201.0]))}))


REASONS: dict[str, tuple[Callable[[StoredRun], StoredRun], str]] = {
    "seed": (lambda run: with_facts(run, seed=2), "seed 2; expected 1, as in runs/first"),
    "scheme": (lambda run: with_facts(run, rng_scheme="other/v1"), "rng_scheme other/v1; expected philox4x32-10/v1"),
    "paths": (
        lambda run: replace(run, results=run.results.isel(path=slice(0, 50))),
        "paths 50 from 0; expected 60 from",
    ),
    "first path": (
        lambda run: replace(run, results=run.results.assign_coords(path=np.arange(60) + 60)),
        "paths 60 from 60; expected 60 from 0",
    ),
    "months": (lambda run: replace(run, results=run.results.isel(month=slice(0, 5))), "months 5; expected 6"),
    "book": (other_tape, "opening book "),
    "date": (
        lambda run: replace(run, results=run.results.assign_attrs(as_of="2025-12-31")),
        "as-of date 2025-12-31; expected 2024-12-31",
    ),
    "parameters": (lambda run: with_inputs(run, parameters="[]"), "parameters "),
    "observed": (lambda run: with_inputs(run, observed='[{"name": "other"}]'), "observed "),
    "tail": (lambda run: with_study(run, tail="shifted"), 'tail "shifted"; expected none'),
    "share": (lambda run: with_study(run, market_share_percent=5.0), "market_share_percent 5.0; expected 0.0"),
    "uncertainty": (lambda run: with_study(run, uncertainty={"draws": 9}), 'uncertainty {"draws": 9}; expected none'),
    "content": (
        lambda run: with_inputs(run, scenarios=json.dumps([SCENARIOS[0], {**SCENARIOS[1], "months": 13}])),
        "scenario severely_adverse has other content; expected what runs/first has under that name",
    ),
    "fewer scenarios": (
        lambda run: with_inputs(run, scenarios=json.dumps(SCENARIOS[:1])),
        "no scenario severely_adverse; expected the scenarios of runs/first",
    ),
    "more scenarios": (
        lambda run: with_inputs(run, scenarios=json.dumps([*SCENARIOS, {"name": "boom"}])),
        "scenario boom; expected the scenarios of runs/first alone",
    ),
    "weights": (
        lambda run: replace(run, results=run.results.assign_coords(log_weight=("path", np.linspace(0, 1, 60)))),
        "weights of the paths differ; expected those of runs/first",
    ),
    "factors": (
        lambda run: replace(run, results=run.results.assign(global_factor=run.results["global_factor"] + 1e-3)),
        "global factors of the paths differ; expected those of runs/first",
    ),
    "proposal": (
        lambda run: replace(run, results=run.results.assign(shift_direction=("direction", np.ones(3)))),
        "directions of the tail's proposal differ",
    ),
}


@pytest.mark.parametrize("reason", REASONS)
def test_each_reason_is_told_alone(reason: str, first: StoredRun, second: StoredRun) -> None:
    change, words = REASONS[reason]
    with pytest.raises(InputError) as refused:
        join_runs(first, change(second))
    (fault,) = refused.value.faults
    assert str(fault).startswith("runs/second: ")
    assert words in str(fault)
    assert fault.remedy.endswith(".")


def test_all_reasons_are_told_at_once(first: StoredRun, second: StoredRun) -> None:
    changed = second
    for name in ("seed", "months", "book", "parameters", "tail", "content", "weights"):
        changed = REASONS[name][0](changed)
    found = list(differences_of_draws(first, changed))
    assert len(found) == 6, "of paths that are not the same months weights say nothing more"
    assert len({str(fault) for fault in found}) == 6


def test_names_and_files_do_not_matter(first: StoredRun, second: StoredRun) -> None:
    """The tape's own notes, the study's name, title and strategies, and observed ladders that one run does not need."""
    other = with_study(second, name="other", title="x", strategies=["digital_only"], limits=[])
    assert list(differences_of_draws(first, with_inputs(other, observed="[]"))) == []
    nearly = second.results.assign(global_factor=second.results["global_factor"] + 1e-12)
    assert list(differences_of_draws(first, replace(second, results=nearly))) == []
