"""What must not change a bit, and what must: other loans, other paths, a longer horizon, scenarios, seeds.

How a run is cut up is the matter of `test_engine_schedules`.
"""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
import pytest
import xarray as xr

from busy_books import busy_macro, busy_servicing, busy_seven_buckets, busy_tiers
from calibration.library import find_parameter_set
from comparisons import assert_same_bits, assert_same_values
from scenarios.errors import InputError
from scenarios.library import find_study
from scenarios.vocabulary import (
    BOOK_VARIABLES,
    CUTS,
    DATASET_VARIABLES,
    INCIDENT_VARIABLES,
    POOL_VARIABLES,
    RUNG_VARIABLES,
    TRACE_VARIABLES,
    UNDERWRITING_VARIABLES,
)
from simulator.engine import RunSize, simulate
from simulator.kernels.portfolio import simulate_paths
from simulator.parameters import Parameters
from simulator.study import StudyInputs, load_inputs, run_study
from simulator.tape import LoanTape
from simulator.totals import LOAN_BLOCK
from small_books import changed, mixed_book, run, shipped, subset, values

PATHS, MONTHS, SEED = 60, 20, 99

TRACED = tuple(name for name, *_ in TRACE_VARIABLES)


@cache
def parameters() -> Parameters:
    return busy_tiers("lognormal")


@cache
def book() -> LoanTape:
    """More loans than one block holds, so that blocks of loans are crossed, too."""
    return mixed_book(LOAN_BLOCK + 300, seed=4)


def simulated(
    tape: LoanTape, paths: int | range = PATHS, seed: int = SEED, months: int = MONTHS, **options: object
) -> xr.Dataset:
    macro = busy_macro(parameters(), months)
    return simulate(tape, macro, parameters(), paths=paths, months=months, seed=seed, **options)


@cache
def whole() -> xr.Dataset:
    return simulated(book())


# --- what a Dataset holds ---------------------------------------------------------------------------------------


def test_the_dataset_has_exactly_the_vocabularys_variables() -> None:
    tape = mixed_book()
    everything = {variable.name for variable in DATASET_VARIABLES}
    of_strategies = (*POOL_VARIABLES, *INCIDENT_VARIABLES, *RUNG_VARIABLES, *UNDERWRITING_VARIABLES)
    plain = simulated(tape, paths=3)
    pooled = simulated(tape, paths=3, servicing=replace(busy_servicing(parameters()), underwrites=True))
    assert set(plain.data_vars) == everything - {variable.name for variable in of_strategies}
    assert set(pooled.data_vars) == everything
    for variable in DATASET_VARIABLES:
        assert pooled[variable.name].dims == variable.dims, variable.name
    traced = simulated(tape, paths=3, trace=[tape["loan_id"][3]])
    assert set(traced.data_vars) - set(plain.data_vars) == set(TRACED)


# --- a loan's own history -----------------------------------------------------------------------------------------


def test_histories_are_unchanged_when_other_loans_are_removed() -> None:
    tape = mixed_book(400, seed=8)
    random = np.random.default_rng(9)
    kept = np.sort(random.permutation(len(tape))[: len(tape) * 9 // 10])
    smaller = subset(tape, kept)
    ids = tuple(smaller["loan_id"].tolist())
    before, after = (simulated(some, paths=40, trace=ids) for some in (tape, smaller))
    assert_same_values(after, before, *TRACED)
    # Not for want of events: most of these loans leave within the horizon on some path.
    assert np.mean((values(before, "trace_state") > 10).any(axis=(1, 2))) > 0.5
    assert not np.array_equal(values(before, "ultimate_loss"), values(after, "ultimate_loss"))


def test_the_first_paths_are_unchanged_when_there_are_more() -> None:
    fewer = simulated(book(), paths=25)
    for variable in DATASET_VARIABLES:
        if "path" in variable.dims and variable.name in fewer:
            expected = whole()[variable.name].isel(path=slice(25)).to_numpy()
            assert np.array_equal(fewer[variable.name].to_numpy(), expected), variable.name


def test_some_paths_are_those_of_a_run_that_holds_them() -> None:
    part = simulated(book(), paths=range(17, 40), size=RunSize(2, 5))
    assert part["path"].to_numpy().tolist() == list(range(17, 40))
    for variable in DATASET_VARIABLES:
        if "path" in variable.dims and variable.name in part:
            expected = whole()[variable.name].isel(path=slice(17, 40)).to_numpy()
            assert np.array_equal(part[variable.name].to_numpy(), expected), variable.name
    moved = values(part, "transition_count_mean").sum(axis=(1, 2)) * 23
    leaves = values(part, "live_count")
    opened = np.concatenate([np.full((23, 1), len(book())), leaves[:, :-1]], axis=1)
    assert moved == pytest.approx(opened.sum(axis=0), rel=1e-12)
    assert values(part, "bucket_balance_mean").sum(axis=1) == pytest.approx(values(part, "balance").mean(axis=0))


@pytest.mark.parametrize("phone", [False, True])
def test_a_longer_horizon_leaves_the_months_before_alone(phone: bool) -> None:
    servicing = busy_servicing(parameters(), times=30.0) if phone else None
    shorter = simulated(book(), paths=15, servicing=servicing)
    longer = simulated(book(), paths=15, months=MONTHS + 9, servicing=servicing)
    for name in (*(variable.name for variable in BOOK_VARIABLES), "used_car_index", "funding_cost"):
        found = longer[name].isel(month=slice(MONTHS)).to_numpy()
        assert np.array_equal(found, shorter[name].to_numpy()), name


# --- scenarios and seeds ----------------------------------------------------------------------------------------------


def study_inputs(*scenarios: str) -> StudyInputs:
    study = find_study("default")
    drawn = study.portfolio.model_copy(
        update={"synthetic": study.portfolio.synthetic.model_copy(update={"loans": 300})}
    )
    changes = {"portfolio": drawn, "scenarios": scenarios, "paths": 60, "months": 12}
    return load_inputs(study.model_copy(update=changes), lambda name, _folder, _where: find_parameter_set(name))


def test_another_scenario_changes_nothing() -> None:
    alone = run_study(study_inputs("severely_adverse"))
    among = run_study(study_inputs("baseline", "severely_adverse", "used_car_crash"))
    assert among["scenario"].to_numpy().tolist() == ["baseline", "severely_adverse", "used_car_crash"]
    # The run at the top of the sensitivities' range is made for scenarios after the first, so alone there is none.
    here = among.sel(scenario=["severely_adverse"]).drop_vars(["loss_at_top_sensitivity", "path_top"])
    assert_same_bits(here, alone)


def test_scenarios_share_their_draws() -> None:
    pair = run_study(study_inputs("baseline", "severely_adverse"))
    assert "scenario" not in pair["global_factor"].dims
    noise = pair["used_car_index"] / pair["used_car_path"]
    first, second = (noise.isel(scenario=place).to_numpy() for place in range(2))
    assert first == pytest.approx(second, rel=1e-12)


def test_a_new_seed_changes_the_paths() -> None:
    total = {seed: values(simulated(book(), seed=seed), "ultimate_loss").sum(axis=1) for seed in (SEED, SEED + 1)}
    assert np.mean(total[SEED] != total[SEED + 1]) > 0.99
    # The high word of the seed counts, too.
    high = values(simulated(book(), seed=SEED + 2**32), "ultimate_loss").sum(axis=1)
    assert np.mean(total[SEED] != high) > 0.99


@pytest.mark.parametrize("cut", CUTS)
def test_figures_by_level_add_up_to_the_books(cut: str) -> None:
    total = values(whole(), "ultimate_loss").sum(axis=1) + values(whole(), "ultimate_loss_after_horizon")
    assert values(whole(), f"loss_by_{cut}").sum(axis=1) == pytest.approx(total, rel=1e-9)
    opening = float(whole()[f"opening_balance_by_{cut}"].sum())
    assert opening == pytest.approx(book().opening_balance, rel=1e-12)
    for flow, name in (("charge_off", "charge_off"), ("default_balance", "default")):
        by_month = values(whole(), flow).mean(axis=0)
        assert values(whole(), f"{name}_by_{cut}_mean").sum(axis=1) == pytest.approx(by_month, rel=1e-9)
    # Recoveries stand in the month of their charge-off, where the book has no such series: all cuts agree.
    recovered = values(whole(), "recovery_by_tier_mean").sum(axis=1)
    assert values(whole(), f"recovery_by_{cut}_mean").sum(axis=1) == pytest.approx(recovered, rel=1e-9)


# --- one machine code, and arguments at the door --------------------------------------------------------------


def test_every_run_uses_one_machine_code() -> None:
    tape = mixed_book()
    for terms in (busy_tiers("lognormal"), busy_tiers("probit"), busy_seven_buckets(), shipped("us_prime")):
        for servicing in (None, busy_servicing(terms)):
            run(tape, terms, paths=4, months=5, seed=1, servicing=servicing, size=RunSize(2, month_major=True))
            run(tape, terms, paths=4, months=5, seed=1, servicing=servicing, trace=[tape["loan_id"][3]])
    run(subset(tape, np.array([0])), shipped("us_prime"), paths=1, months=1, seed=1)
    assert len(simulate_paths.signatures) == 1


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"paths": 0}, ("paths = 0", "1 to")),
        ({"paths": range(3, 3)}, ("paths = 0", "1 to")),
        ({"paths": range(0, 6, 2)}, ("range(0, 6, 2)", "step 1")),
        ({"paths": range(-1, 3)}, ("range(-1, 3)", "between 0 and")),
        ({"months": 0}, ("months = 0", "1 to 1200")),
        ({"months": 1201}, ("months = 1201", "1 to 1200")),
        ({"seed": -1}, ("seed = -1", "0 to")),
        ({"seed": 2**64}, ("seed = 18446744073709551616",)),
        ({"trace": ["nobody"]}, ("loan 'nobody'", "an id of the tape")),
    ],
)
def test_arguments_that_cannot_run_are_refused(changes: dict[str, object], words: tuple[str, ...]) -> None:
    arguments = {"paths": 2, "months": 2, "seed": 1, **changes}
    with pytest.raises(InputError) as refusal:
        simulate(mixed_book(), busy_macro(parameters(), MONTHS), parameters(), **arguments)
    for word in words:
        assert word in str(refusal.value)


def test_all_arguments_at_fault_are_named_at_once() -> None:
    with pytest.raises(InputError) as refusal:
        simulate(mixed_book(), busy_macro(parameters(), MONTHS), parameters(), paths=0, months=0, seed=-1)
    assert len(refusal.value.faults) == 3


def test_more_threads_than_paths_or_than_a_block() -> None:
    tape = mixed_book()
    expected = simulated(tape, paths=2)
    for threads in (3, 300):
        assert_same_bits(simulated(tape, paths=2, size=RunSize(threads=threads)), expected)


def test_macro_paths_that_end_before_the_last_sale_are_refused() -> None:
    lag = np.array([9, 2])
    longer = changed(parameters(), search_lag=lag)
    macro = busy_macro(parameters(), MONTHS)
    needed = MONTHS + 24 + 9 + 4
    with pytest.raises(InputError, match=rf"expected month {needed}, run-off and sale lag included"):
        simulate(mixed_book(), macro, longer, paths=2, months=MONTHS, seed=SEED)
    # Deficiency cash may come later than any price is known.
    late = changed(parameters(), deficiency_lag=np.array([90, 90]))
    results = simulate(mixed_book(), macro, late, paths=2, months=MONTHS, seed=SEED)
    assert np.all(values(results, "recovery_after_horizon") > 0.0)
