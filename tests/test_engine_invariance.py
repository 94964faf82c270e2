"""What must not change a bit, and what must: threads, blocks, row order, other loans, more paths, scenarios, seeds."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
import pytest
import xarray as xr

from calibration.library import find_parameter_set
from scenarios.errors import InputError
from scenarios.library import find_study
from scenarios.macro import MonthlyMacro
from scenarios.vocabulary import CUTS, DATASET_VARIABLES
from simulator.engine import LOAN_BLOCK, RunSize, months_needed, simulate
from simulator.kernels.portfolio import simulate_paths
from simulator.parameters import Parameters
from simulator.study import StudyInputs, load_inputs, run_study
from simulator.tape import LoanTape
from small_books import macro_at, mixed_book, run, shipped, subset, tape_of_columns, values

PATHS, MONTHS, SEED = 130, 20, 99


def parameters() -> Parameters:
    return shipped("us_near_prime", "us_subprime")


@cache
def book() -> LoanTape:
    """More loans than one block holds, so that blocks of loans are crossed, too."""
    return mixed_book(LOAN_BLOCK + 300, seed=4)


def moving_macro(months: int = MONTHS) -> MonthlyMacro:
    last = months_needed(parameters(), months)
    return macro_at(parameters(), last, unemployment=0.04 * np.sin(np.arange(last + 1) / 6.0), used_car_index=0.9)


def simulated(tape: LoanTape, paths: int = PATHS, seed: int = SEED, **options: object) -> xr.Dataset:
    return simulate(tape, moving_macro(), parameters(), paths=paths, months=MONTHS, seed=seed, **options)


@cache
def whole() -> xr.Dataset:
    ids = book()["loan_id"].tolist()
    return simulated(book(), trace=(ids[0], ids[-1]), size=RunSize(threads=1, path_block=PATHS))


def assert_same_bits(found: xr.Dataset, expected: xr.Dataset) -> None:
    assert set(found.variables) == set(expected.variables)
    for name, variable in expected.variables.items():
        floats = variable.dtype.kind == "f"
        assert np.array_equal(found[name].to_numpy(), variable.to_numpy(), equal_nan=floats), name
        assert found[name].attrs == variable.attrs
    assert found.attrs == expected.attrs


# --- the same bits --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("path_block", [7, 64, PATHS])
def test_threads_and_blocks_of_paths(threads: int, path_block: int) -> None:
    found = simulated(book(), trace=whole()["traced_loan"].to_numpy(), size=RunSize(threads, path_block))
    assert_same_bits(found, whole())


def test_default_size() -> None:
    assert_same_bits(simulated(book(), trace=tuple(whole()["traced_loan"].to_numpy())), whole())


def test_shuffled_tape() -> None:
    order = np.random.default_rng(7).permutation(len(book()))
    shuffled = tape_of_columns({name: column[order] for name, column in book().columns.items()})
    assert_same_bits(simulated(shuffled, trace=tuple(whole()["traced_loan"].to_numpy())), whole())


def test_the_dataset_has_exactly_the_vocabularys_variables() -> None:
    plain = simulated(mixed_book(), paths=3)
    assert set(plain.data_vars) == {variable.name for variable in DATASET_VARIABLES}
    for variable in DATASET_VARIABLES:
        assert plain[variable.name].dims == variable.dims, variable.name
    traced = set(whole().data_vars) - set(plain.data_vars)
    assert traced == {"trace_state", "trace_balance", "trace_loss"}


# --- a loan's own history -----------------------------------------------------------------------------------------


def test_histories_are_unchanged_when_other_loans_are_removed() -> None:
    tape = mixed_book(400, seed=8)
    random = np.random.default_rng(9)
    kept = np.sort(random.permutation(len(tape))[: len(tape) * 9 // 10])
    smaller = subset(tape, kept)
    ids = tuple(smaller["loan_id"].tolist())
    before, after = (simulated(book, paths=40, trace=ids) for book in (tape, smaller))
    for name in ("trace_state", "trace_balance", "trace_loss"):
        assert np.array_equal(before[name].to_numpy(), after[name].to_numpy()), name
    # Not for want of events: most of these loans leave within the horizon on some path.
    assert np.mean((values(before, "trace_state") > 10).any(axis=(1, 2))) > 0.5
    assert not np.array_equal(values(before, "ultimate_loss"), values(after, "ultimate_loss"))


def test_the_first_paths_are_unchanged_when_there_are_more() -> None:
    fewer = simulated(book(), paths=50)
    for variable in DATASET_VARIABLES:
        if "path" in variable.dims:
            expected = whole()[variable.name].isel(path=slice(50)).to_numpy()
            assert np.array_equal(fewer[variable.name].to_numpy(), expected), variable.name


def test_a_longer_horizon_leaves_the_months_before_alone() -> None:
    longer = simulate(book(), moving_macro(MONTHS + 9), parameters(), paths=20, months=MONTHS + 9, seed=SEED)
    for name in ("balance", "charge_off", "interest_paid", "used_car_index", "recovery"):
        expected = whole()[name].isel(path=slice(20)).to_numpy()
        assert np.array_equal(longer[name].isel(month=slice(MONTHS)).to_numpy(), expected), name


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
def test_losses_by_level_add_up_to_the_books(cut: str) -> None:
    total = values(whole(), "ultimate_loss").sum(axis=1) + values(whole(), "ultimate_loss_after_horizon")
    assert values(whole(), f"loss_by_{cut}").sum(axis=1) == pytest.approx(total, rel=1e-9)
    opening = float(whole()[f"opening_balance_by_{cut}"].sum())
    assert opening == pytest.approx(book().opening_balance, rel=1e-12)
    flows = {name: float(values(whole(), name).sum(axis=1).mean()) for name in ("charge_off", "recovery")}
    for name, flow in flows.items():
        assert values(whole(), f"{name}_by_{cut}_mean").sum() == pytest.approx(flow, rel=1e-9)


# --- one machine code, and arguments at the door --------------------------------------------------------------


def test_every_run_uses_one_machine_code() -> None:
    tape = mixed_book()
    for changes in ({"response": "lognormal"}, {"response": "probit"}):
        run(tape, replace(parameters(), **changes), paths=4, months=5, seed=1)
        run(tape, replace(parameters(), **changes), paths=4, months=5, seed=1, trace=[tape["loan_id"][3]])
    run(subset(tape, np.array([0])), shipped("us_prime"), paths=1, months=1, seed=1)
    assert len(simulate_paths.signatures) == 1


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"paths": 0}, ("paths = 0", "1 to")),
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
        simulate(mixed_book(), moving_macro(), parameters(), **arguments)
    for word in words:
        assert word in str(refusal.value)


def test_all_arguments_at_fault_are_named_at_once() -> None:
    with pytest.raises(InputError) as refusal:
        simulate(mixed_book(), moving_macro(), parameters(), paths=0, months=0, seed=-1)
    assert len(refusal.value.faults) == 3


def test_more_threads_than_paths_or_than_a_block() -> None:
    tape = mixed_book()
    expected = simulated(tape, paths=2)
    for threads in (3, 300):
        assert_same_bits(simulated(tape, paths=2, size=RunSize(threads=threads)), expected)
