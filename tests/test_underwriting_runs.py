"""Runs and studies of strategies with cut-offs at underwriting, and what is said of them (P17), (P18)."""
# ruff: noqa: E501  # a table has one case a line

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas
import pytest
import xarray as xr

from busy_books import busy_macro, busy_tiers
from calibration.library import find_parameter_set
from comparisons import assert_same_bits, assert_same_values
from outputs import balance_sheet, business, cash, rates, strategies
from outputs.lending import lent_balance, lent_count
from outputs.strategies_report import winners
from outputs.strategies_view import compare_strategies, format_comparison
from outputs.weighted import ALL_SCENARIOS, WEIGHT, by_path
from scenarios.errors import InputError
from scenarios.library import find_strategy, find_study
from scenarios.strategy import CollectionStrategy
from scenarios.underwriting import CRITERIA
from scenarios.vocabulary import CUTS, TRACE_VARIABLES, UNDERWRITING_VARIABLES
from simulator.engine import RunSize, simulate
from simulator.parameters import build_parameters
from simulator.servicing import Servicing
from simulator.story import check_wish
from simulator.study import StudyInputs, inputs_from_store, inputs_to_store, load_inputs, run_study
from simulator.tape import LoanTape
from simulator.underwriting import ACCEPTED, declined_by, lent
from small_books import mixed_book, values
from strategy_texts import spoilt
from underwriting_cases import CUT_OFFS, LTV, SEED, TEXT, asking, lending

TRACED = [name for name, _, _ in TRACE_VARIABLES]

# --- runs --------------------------------------------------------------------------------------------


def simulated(tape: LoanTape, strategy: CollectionStrategy | None, **options: Any) -> xr.Dataset:
    parameters = busy_tiers("lognormal")
    macro = busy_macro(parameters, 12)
    servicing = Servicing(strategy, underwrites=True)
    return simulate(tape, macro, parameters, paths=12, months=12, seed=SEED, servicing=servicing, **options)


def test_criteria_that_all_loans_meet_change_no_bit() -> None:
    tape = mixed_book(200)
    plain, neutral = simulated(tape, asking()), simulated(tape, asking(most_ltv_percent=1000.0, least_score=1.0))
    assert_same_bits(neutral, plain)


def test_an_accepted_loan_has_the_same_history_whoever_is_declined() -> None:
    tape = mixed_book(300)
    strategy = asking(**CUT_OFFS)
    found = lending(tape, **CUT_OFFS)
    ids = tuple(found.tape["loan_id"].tolist())
    before, after = simulated(tape, asking(), trace=ids), simulated(tape, strategy, trace=ids)
    assert_same_values(after, before, *TRACED)
    assert np.mean((values(before, "trace_state") > 10).any(axis=(1, 2))) > 0.2
    copied = simulated(tape, asking(**CUT_OFFS, declined="replaced"), trace=ids)
    assert_same_values(copied, before, *TRACED)


def test_a_run_of_what_is_lent_is_that_of_a_tape_without_the_others() -> None:
    """All that is by path and not relative to the whole book, for a book in which every region, tier and sector stays."""
    tape = mixed_book(300)
    found = lending(tape, **CUT_OFFS)
    one, other = simulated(tape, asking(**CUT_OFFS)), simulated(found.tape, asking())
    for name in ("balance", "cash", "charge_off", "ultimate_loss", "live_count", "default_count", "funding_cost"):
        np.testing.assert_allclose(values(one, name), values(other, name), rtol=1e-9, atol=1e-6, err_msg=name)
    for name in ("opening_balance_by_stage", "contractual_interest"):
        np.testing.assert_allclose(one[f"lent_{name}"].squeeze(), other[name].squeeze(), rtol=1e-12, err_msg=name)


def test_levels_and_openings_stay_those_of_the_whole_book() -> None:
    base = mixed_book(300)
    away = {"region": np.where(base["score"] < 610.0, "ZZ", base["region"])}
    tape = LoanTape({**base.columns, **away}, base.as_of, base.currency, base.report)
    whole, part = simulated(tape, asking()), simulated(tape, asking(least_score=610.0))
    assert "ZZ" in part["region"].values
    assert float(part["loss_by_region"].sel(region="ZZ").sum()) == 0.0
    for name in whole.variables:
        if "strategy" not in whole[name].dims:
            np.testing.assert_array_equal(part[name], whole[name], err_msg=str(name))
    assert part.attrs == whole.attrs
    for cut in CUTS:
        by_cut, total = (
            values(part, f"loss_by_{cut}").sum(axis=-1),
            part["ultimate_loss"].sum("month") + part["ultimate_loss_after_horizon"],
        )
        np.testing.assert_allclose(by_cut, total.squeeze(), rtol=1e-9, err_msg=cut)


def test_what_is_declined_is_counted() -> None:
    tape = mixed_book(300)
    found, run = (
        lending(tape, **CUT_OFFS, declined="replaced"),
        simulated(tape, asking(**CUT_OFFS, declined="replaced")),
    )
    declined = found.declined_by != ACCEPTED
    assert run["declined_count"].item() == declined.sum()
    assert run["declined_balance"].item() == pytest.approx(tape["current_balance"][declined].sum(), abs=0.005)
    assert run["declined_by_criterion"].squeeze().values.tolist() == [
        (found.declined_by == item).sum() for item in range(len(CRITERIA))
    ]
    assert run["replaced_count"].item() == declined.sum()
    assert run["replaced_balance"].item() == pytest.approx(found.tape["current_balance"][found.copy].sum(), abs=0.005)
    left = simulated(tape, asking(**CUT_OFFS))
    whole_interest, kept = float(left["contractual_interest"].sum()), float(left["lent_contractual_interest"].sum())
    assert left["declined_interest"].item() == pytest.approx(whole_interest - kept, rel=1e-9)
    assert left["declined_interest"].item() == run["declined_interest"].item() > 0.0


def test_trackers_cost_once_and_find_cars() -> None:
    tape = mixed_book(300)
    plain, fitted = simulated(tape, asking()), simulated(tape, asking(tracker="fitted", cost_per_tracker=150.0))
    bare = (~tape["tracker"]).sum()
    more = values(fitted, "collection_cost") - values(plain, "collection_cost")
    np.testing.assert_allclose(more[:, 0], 150.0 * bare, rtol=1e-12)
    np.testing.assert_array_equal(more[:, 1:], 0.0)
    assert values(fitted, "sold_count").sum() > values(plain, "sold_count").sum()
    assert fitted["declined_count"].item() == 0


# --- studies -----------------------------------------------------------------------------------------

STUDY = """\
kind: study
name: lent
portfolio: {synthetic: {parameters: us_subprime, loans: 300, seed: 3, as_of: 2024-12-31}}
parameters: us_subprime
scenarios: [baseline, severely_adverse]
strategies: [asking.yaml, reference, copying.yaml]
paths: 16
months: 6
seed: 7
"""
POOL = "pools: {agents: {hours_per_1000_loans: 100}}\nladder:\n  - {action: phone, pool: agents, hours_per_contact: 0.5, effect: {cure: 1.5}}\n"
SIZE = RunSize(threads=1, path_block=8)


def inputs_of(folder: Path, text: str = STUDY) -> StudyInputs:
    pooled = spoilt(spoilt(TEXT, "ladder:\n", POOL), LTV, "most_ltv_percent: 110\n  least_score: 590")
    copying = spoilt(spoilt(pooled, "name: asking", "name: copying"), "590", "590\n  declined: replaced")
    for name, content in {"study": text, "asking": pooled, "copying": copying}.items():
        (folder / f"{name}.yaml").write_text(content, "utf-8")
    return load_inputs(find_study(folder / "study.yaml"), find_parameter_set)


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> StudyInputs:
    return inputs_of(tmp_path_factory.mktemp("lent"))


@pytest.fixture(scope="module")
def results(inputs: StudyInputs) -> xr.Dataset:
    return run_study(inputs, size=SIZE)


def test_each_strategy_has_its_own_tape(inputs: StudyInputs, results: xr.Dataset) -> None:
    whole = inputs.tape
    assert inputs.tape_of("reference") is whole
    assert len(inputs.tape_of()) == len(inputs.tape_of("asking")) < len(whole) == len(inputs.tape_of("copying"))
    for name in ("asking", "reference", "copying"):
        one = results.sel(strategy=name)
        assert int(lent_count(one)) == len(inputs.tape_of(name))
        assert float(lent_balance(one)) == pytest.approx(inputs.tape_of(name).opening_balance, abs=0.005)
        moved = one["transition_count_mean"].isel(month=0).sum(["from_bucket", "to_state"])
        np.testing.assert_allclose(moved, len(inputs.tape_of(name)))
        hours = float(one["pool_capacity"].max())
        assert hours == pytest.approx(0.0 if name == "reference" else 0.1 * len(inputs.tape_of(name)))
    for variable in UNDERWRITING_VARIABLES:
        assert results[variable.name].dims == variable.dims
    assert results["declined_count"].sel(strategy="reference").item() == 0
    assert set(results["declined_by_criterion"].sum("criterion").values) == {0, len(whole) - len(inputs.tape_of())}


def test_runs_at_the_top_of_the_range_have_the_strategies_own_loans(inputs: StudyInputs, results: xr.Dataset) -> None:
    """As runs of the strategies' own tapes, under ladders that decline nobody."""
    top, macro = build_parameters(inputs.sets, sensitivity="top"), inputs.macro_paths()[1]
    for servicing in inputs.servicings():
        strategy = servicing.strategy and servicing.strategy.model_copy(update={"underwriting": None})
        again = simulate(
            inputs.tape_of(servicing.name),
            macro,
            top,
            paths=16,
            months=6,
            seed=inputs.study.seed,
            servicing=replace(servicing, strategy=strategy),
        )
        loss = again["ultimate_loss"].sum("month") + again["ultimate_loss_after_horizon"]
        found = results["loss_at_top_sensitivity"].sel(scenario=macro.name, strategy=servicing.name)
        np.testing.assert_allclose(found.squeeze(), loss.squeeze(), rtol=1e-9, err_msg=servicing.name)


def test_a_results_file_runs_again_to_the_same_bits(inputs: StudyInputs, results: xr.Dataset, tmp_path: Path) -> None:
    (tmp_path / "results.nc").write_bytes(b"a results file")
    again = inputs_from_store(inputs_to_store(inputs), tmp_path / "results.nc")
    xr.testing.assert_identical(run_study(again, size=SIZE), results)


def test_a_pilot_of_loans_that_are_lent_draws_paths_for_all(tmp_path: Path) -> None:
    text = spoilt(
        STUDY, "months: 6\n", "months: 6\ntail: {method: shifted, pilot_paths: 200}\nsensitivity_range: false\n"
    )
    found = run_study(inputs_of(tmp_path, text), size=SIZE)
    assert found["log_weight"].dims == ("path",)
    assert float(np.ptp(found["log_weight"].values)) > 0.0
    assert bool((found["ultimate_loss"].sum(["month", "path"]) > 0.0).all())


def test_a_declined_loan_is_not_told(inputs: StudyInputs) -> None:
    found = lent(inputs.tape, inputs.strategies[0], inputs.study.seed)
    assert found is not None
    gone = str(inputs.tape["loan_id"][found.declined_by == CRITERIA.index("least_score")][0])
    said = f"loan `{gone}` was declined by strategy asking: it does not meet least_score"
    for strategy in (None, "asking"):
        with pytest.raises(InputError, match=said):
            check_wish(inputs, gone, 0, None, strategy)
    assert check_wish(inputs, gone, 0, None, "reference") == 0
    (copy,) = [name for name in inputs.tape_of("copying")["loan_id"] if str(name).startswith(f"{gone}~")]
    assert check_wish(inputs, str(copy), 0, None, "copying") == 0


# --- what is said of it --------------------------------------------------------------------------------


def test_principal_that_is_not_lent_is_cash_that_is_kept(results: xr.Dataset) -> None:
    found = strategies.net_cash(results)
    late = sum(results[f"{name}_after_horizon"] for name in strategies.LATE_CASH)
    from_loans = results["cash"].sum("month") + late - strategies.total_cost(results)
    kept = {"asking": float(results["declined_balance"][0]), "reference": 0.0}
    kept["copying"] = kept["asking"] - float(results["replaced_balance"].sel(strategy="copying"))
    for name, principal in kept.items():
        more = found.sel(strategy=name) - from_loans.sel(strategy=name)
        np.testing.assert_allclose(more, principal, rtol=1e-9, err_msg=name)
    assert kept["asking"] > kept["copying"] != 0.0


def test_the_table_of_declined_business(results: xr.Dataset) -> None:
    table = business.declined_business(results).set_index(["scenario", "strategy"])
    losses = strategies.strategy_loss(results).mean("path").squeeze()
    for (scenario, strategy), row in table.iterrows():
        lent_of = results.attrs["opening_balance"] - row["declined_balance"] + row["replaced_balance"]
        loss = float(losses.sel(scenario=scenario, strategy=strategy))
        assert row["loss_percent"] == pytest.approx(100.0 * loss / lent_of)
        assert row["declined_percent"] == pytest.approx(
            100.0 * row["declined_balance"] / results.attrs["opening_balance"]
        )
        assert sum(row[f"declined_by_{name}"] for name in CRITERIA) == row["declined"]
    told = format_comparison(compare_strategies(results))
    row = table.loc["baseline", "asking"]
    assert "Business declined before the loan, USD" in told
    assert (
        f"asking declines for: loan-to-value {row['declined_by_most_ltv_percent']:,}, score {row['declined_by_least_score']:,}."
        in told
    )
    assert "reference declines" not in told


def test_declined_business_is_told_over_all_scenarios_with_their_weights(results: xr.Dataset) -> None:
    weighted = results.assign_coords({WEIGHT: ("scenario", [0.25, 0.75])})
    plain, table = business.declined_business(results), business.declined_business(weighted)
    pandas.testing.assert_frame_equal(table[: len(plain)], plain)
    mixed = table[len(plain) :].set_index("strategy")
    assert set(mixed["scenario"]) == {ALL_SCENARIOS}
    for name, row in mixed.iterrows():
        good, bad = plain[plain["strategy"] == name]["loss_percent"]
        assert row["loss_percent"] == pytest.approx(0.25 * good + 0.75 * bad, rel=1e-12)
        assert row["declined"] == plain[plain["strategy"] == name]["declined"].iloc[0]
    best = str(by_path(strategies.strategy_loss(weighted), weighted).mean("path").squeeze().idxmin().item())
    assert mixed.loc[best, "declined"] > 0
    (said,) = [
        each for each in winners(compare_strategies(weighted)) if "over all scenarios with their weights" in each
    ]
    assert f"{best} has the least expected loss" in said
    assert f"It declines {mixed.loc[best, 'declined_percent']:.1f} % of the book before the loan" in said
    assert said.endswith(f": {mixed['loss_percent'].min():.2f} %.")


def test_no_word_of_it_where_no_strategy_declines(results: xr.Dataset) -> None:
    plain = results.drop_vars([variable.name for variable in UNDERWRITING_VARIABLES]).drop_vars("criterion")
    assert business.declined_business(plain).empty
    assert business.business_tables(plain) == {}
    assert "declined" not in format_comparison(compare_strategies(plain))


def test_stocks_and_dues_are_those_of_what_is_lent(inputs: StudyInputs, results: xr.Dataset) -> None:
    loans, balance, due = (
        rates.loans_at_opening(results),
        balance_sheet.balance_at_opening(results),
        cash.scheduled(results),
    )
    for name in ("asking", "reference", "copying"):
        tape = inputs.tape_of(name)
        assert set(loans.sel(strategy=name).isel(month=0).values.ravel()) == {len(tape)}
        np.testing.assert_allclose(balance.sel(strategy=name).isel(month=0), tape.opening_balance, rtol=1e-12)
    assert float(due.sel(strategy="asking").sum()) < float(due.sel(strategy="copying").sum())
    np.testing.assert_array_equal(
        due.sel(strategy="reference"), results["contractual_principal"] + results["contractual_interest"]
    )
    assert loans.dtype == results["live_count"].dtype


def test_strict_underwriting_loses_less_of_what_it_lends(tmp_path: Path) -> None:
    """Paired paths: the difference of loss rates was 27 standard errors below zero when this was written."""
    text = spoilt(
        STUDY, "strategies: [asking.yaml, reference, copying.yaml]", "strategies: [reference_us, strict_underwriting]"
    )
    text = spoilt(
        spoilt(spoilt(text, "loans: 300", "loans: 1500"), "paths: 16", "paths: 60"), "months: 6", "months: 24"
    )
    text = spoilt(text, "[baseline, severely_adverse]", "[baseline]")
    found = run_study(inputs_of(tmp_path, text), size=SIZE)
    rate = (strategies.strategy_loss(found) / lent_balance(found)).squeeze()
    less = (rate.sel(strategy="strict_underwriting") - rate.sel(strategy="reference_us")).values
    assert less.mean() + 5.0 * less.std(ddof=1) / np.sqrt(less.size) < 0.0
    assert find_strategy("strict_underwriting").ladder == find_strategy("reference_us").ladder


def test_declined_by_needs_no_run() -> None:
    block = asking(least_score=610.0).underwriting
    assert block is not None
    tape = mixed_book(60)
    np.testing.assert_array_equal(declined_by(tape, block) != ACCEPTED, tape["score"] < 610.0)
