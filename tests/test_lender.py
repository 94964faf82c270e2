"""What a run means for the lender: provision by stage, income, cash against the schedule; sums by hand."""

from __future__ import annotations

import math
from functools import reduce
from operator import add

import numpy as np
import pandas
import pytest
import xarray as xr

from outputs import cash, income, provision
from outputs.estimators import draw_up_sample, mean, quantile
from outputs.money_views import cut_off, stage_3_coverage
from outputs.periods import WHOLE, periods, years
from outputs.report_views import by_run
from outputs.terminal import further_lines, measures_document
from sample_results import OPENING, STAGE_SHARE, sample_results
from scenarios.vocabulary import STAGES
from strategy_samples import strategy_results

EXACT = 1e-9
WEIGHTS = (0.75, 0.25)


@pytest.fixture(scope="module")
def results() -> xr.Dataset:
    return sample_results(n_paths=300)


@pytest.fixture(scope="module")
def weighted(results: xr.Dataset) -> xr.Dataset:
    return results.assign_coords(scenario_weight=("scenario", np.array(WEIGHTS)))


def one(results: xr.Dataset, name: str, scenario: str = "baseline") -> np.ndarray:
    """A variable of one run: float64[path, ...]."""
    return results[name].sel(scenario=scenario).values[0, 0]


# --- periods --------------------------------------------------------------------------------------------------


def test_years_cover_the_horizon_once() -> None:
    assert [period.label for period in years(26)] == ["months 1-12", "months 13-24", "months 25-26"]
    assert [period.label for period in years(13)][-1] == "month 13"
    assert [period.label for period in periods(1)] == ["month 1", WHOLE]
    for months in (1, 11, 12, 13, 60):
        covered = [month for period in years(months) for month in range(period.first, period.last + 1)]
        assert covered == list(range(1, months + 1))


# --- provision ------------------------------------------------------------------------------------------------


def test_stage_1_is_allowed_for_with_a_year_and_the_others_with_their_life(results: xr.Dataset) -> None:
    table = provision.credit_loss(results).set_index(["scenario", "stage"])
    year, life = (one(results, name).mean(axis=0) for name in ("shortfall_12m_by_stage", "shortfall_by_stage"))
    by_hand = [year[0], life[1], life[2]]
    rows = table.loc["baseline"]
    np.testing.assert_allclose(rows["allowance"].iloc[:3], by_hand)
    assert rows["allowance"].iloc[3] == pytest.approx(sum(by_hand))
    np.testing.assert_allclose(rows["lifetime"], [*life, life.sum()])
    assert list(rows["horizon"]) == ["12 months", "life", "life", ""]
    np.testing.assert_allclose(rows["opening_balance"].iloc[:3], OPENING * STAGE_SHARE)
    np.testing.assert_allclose(rows["coverage_percent"], 100 * rows["allowance"] / rows["opening_balance"])
    np.testing.assert_allclose(rows["allowance_percent"], 100 * rows["allowance"] / OPENING)
    assert (rows["allowance"] <= rows["lifetime"] * (1 + EXACT)).all()


def test_error_of_the_whole_allowance_is_that_of_its_sum_by_path(results: xr.Dataset) -> None:
    """Stages of a path rise together, so the error of their sum is larger than independence would have it."""
    found = provision.credit_loss(results).set_index(["scenario", "stage"]).loc["baseline"]
    total = provision.allowance(results).sel(scenario="baseline").sum("stage").values.ravel()
    error = total.std(ddof=1) / math.sqrt(total.size)
    assert found["allowance_error"]["all stages"] == pytest.approx(error)
    assert error > math.sqrt(float((found["allowance_error"].iloc[:3] ** 2).sum()))


def test_weighted_allowance_is_the_mean_over_scenarios_with_the_error_of_the_pairs(weighted: xr.Dataset) -> None:
    """(16): a path has the same draws in every scenario."""
    table = provision.credit_loss(weighted)
    rows = table[table["scenario"] == "(weighted)"].set_index("stage")
    alone = table[table["scenario"] != "(weighted)"].pivot(index="stage", columns="scenario", values="allowance")
    for stage in (*STAGES, "all stages"):
        assert rows["allowance"][stage] == pytest.approx(float(alone.loc[stage] @ np.array(WEIGHTS)))
    by_path = provision.allowance(weighted).sum("stage").squeeze().transpose("scenario", "path").values
    mixed = np.array(WEIGHTS) @ by_path
    assert rows["allowance_error"]["all stages"] == pytest.approx(mixed.std(ddof=1) / math.sqrt(mixed.size))


def test_scenarios_may_differ_in_their_stages(weighted: xr.Dataset) -> None:
    moved = weighted.copy(deep=True)
    moved["opening_balance_by_stage"][1] = [0.0, OPENING, 0.0]
    moved["shortfall_12m_by_stage"][1, ..., 0] = 0.0
    table = provision.credit_loss(moved).set_index(["scenario", "stage"])
    assert np.isnan(table.loc[("severely_adverse", "stage 1"), "coverage_percent"])
    assert table.loc[("severely_adverse", "stage 2"), "opening_balance"] == OPENING
    mixed = table.loc[("(weighted)", "stage 2"), "opening_balance"]
    assert mixed == pytest.approx(0.75 * OPENING * STAGE_SHARE[1] + 0.25 * OPENING)


def test_stages_without_a_scenario_are_those_of_all(results: xr.Dataset) -> None:
    names = ("opening_balance_by_stage", "opening_count_by_stage")
    shared = results.assign({name: results[name].isel(scenario=0, drop=True) for name in names})
    pandas.testing.assert_frame_equal(provision.credit_loss(shared), provision.credit_loss(results))


def test_coverage_of_the_stock_in_default_leaves_out_a_book_without_any(results: xr.Dataset) -> None:
    blocks = by_run(provision.credit_loss(results))
    ((first, share), *_) = stage_3_coverage(blocks)
    assert first == "baseline"
    assert share == pytest.approx(100 * blocks[0].rows[-1]["allowance"] / (OPENING * STAGE_SHARE[2]))
    sound = results.assign(opening_balance_by_stage=results["opening_balance_by_stage"] * [1.0, 1.0, 0.0])
    assert stage_3_coverage(by_run(provision.credit_loss(sound))) == []


def test_what_outlives_the_horizon_is_said(results: xr.Dataset) -> None:
    left = float(one(results, "balance")[:, -1].mean()) / OPENING
    assert f"baseline {100 * left:.1f} %" in cut_off(results)
    assert "lifetime losses are too small" in cut_off(results)
    assert cut_off(results.assign(balance=0.001 * results["balance"])) == ""


# --- income ---------------------------------------------------------------------------------------------------


def test_result_is_what_the_lines_above_leave(results: xr.Dataset) -> None:
    table = income.income(results).set_index(["scenario", "period", "item"]).sort_index()["value"]
    for scenario in ("baseline", "severely_adverse"):
        for period in periods(36):
            line = table[scenario, period.label]
            earned = line["interest"] + line["fees"] - line["funding_cost"]
            lost = line["charge_off"] - line["sale_proceeds"] - line["deficiency_cash"] + line["workout_cost"]
            assert line["net_interest_and_fees"] == pytest.approx(earned)
            assert line["result"] == pytest.approx(earned - line["servicing_cost"] - lost)


def test_years_sum_to_the_horizon_and_lines_are_the_books_own(results: xr.Dataset) -> None:
    table = income.income(results).set_index(["scenario", "item", "period"]).sort_index()["value"]["baseline"]
    for item, name in (("interest", "interest_accrued"), ("charge_off",) * 2, ("funding_cost",) * 2):
        by_hand = float(one(results, name).sum(axis=1).mean())
        assert table[item][WHOLE] == pytest.approx(by_hand)
        assert table[item].drop(WHOLE).sum() == pytest.approx(by_hand)
    recovered = table["sale_proceeds"][WHOLE] + table["deficiency_cash"][WHOLE] - table["workout_cost"][WHOLE]
    assert recovered == pytest.approx(float(one(results, "recovery").sum(axis=1).mean()))


def test_a_margin_is_a_year_of_the_balance(results: xr.Dataset) -> None:
    """The sample accrues .8 % a month of the opening balance: 9.6 % a year, whatever the period."""
    table = income.income(results).set_index(["scenario", "item"]).sort_index()
    interest = table.loc[("baseline", "interest")]
    np.testing.assert_allclose(interest["percent_a_year"], 9.6)
    np.testing.assert_allclose(interest["percent_a_year_error"], 0.0, atol=1e-12)


# --- cash -----------------------------------------------------------------------------------------------------


def test_sources_of_cash_sum_to_it(results: xr.Dataset) -> None:
    table = cash.cash_by_period(results)
    rows = table[table["period"] != cash.LARGEST]
    np.testing.assert_allclose(rows[list(cash.SOURCES)].sum(axis=1), rows["cash"])
    np.testing.assert_allclose(rows["shortfall"], rows["due"] - rows["cash"] + rows["prepaid"])


def test_what_is_prepaid_leaves_the_schedule_pro_rata(results: xr.Dataset) -> None:
    due, contract = cash.due(results), cash.scheduled(results).values
    early = one(results, "prepaid") + one(results, "total_loss_paid")
    opened = np.concatenate([np.full((300, 1), OPENING), one(results, "balance")[:, :-1]], axis=1)
    left = np.ones(300)
    for month in range(36):
        left = left * (1.0 - early[:, month] / opened[:, month])
        np.testing.assert_allclose(due.sel(scenario="baseline").values[0, 0, :, month], contract[month] * left)


def test_a_book_that_pays_by_contract_is_never_short(results: xr.Dataset) -> None:
    quiet = results.copy()
    for name in ("prepaid", "total_loss_paid", "fees", "recovery"):
        quiet[name] = 0.0 * quiet[name]
    for name, source in (("principal_paid", "contractual_principal"), ("interest_paid", "contractual_interest")):
        quiet[name] = 0.0 * quiet[name] + quiet[source]
    quiet["cash"] = quiet["principal_paid"] + quiet["interest_paid"]
    np.testing.assert_allclose(cash.shortfall(quiet), 0.0, atol=1e-6)
    assert float(cash.largest_shortfall(quiet).max()) == pytest.approx(0.0, abs=1e-5)
    late = quiet.copy()
    late["cash"] = quiet["cash"] - xr.where(quiet["month"] == 3, 50.0, 0.0) + xr.where(quiet["month"] == 9, 50.0, 0.0)
    np.testing.assert_allclose(cash.largest_shortfall(late), 50.0, atol=1e-5)
    assert float(cash.shortfall(late).sum("month").max()) == pytest.approx(0.0, abs=1e-5)


def test_largest_shortfall_is_the_worst_month_end_of_each_path(results: xr.Dataset) -> None:
    by_hand = np.maximum(np.cumsum(cash.shortfall(results).values, axis=-1).max(axis=-1), 0.0)
    np.testing.assert_allclose(cash.largest_shortfall(results).values, by_hand)
    sample = draw_up_sample(by_hand[0, 0, 0])
    row = cash.cash_by_period(results).set_index(["scenario", "period"]).sort_index().loc[("baseline", cash.LARGEST)]
    assert row["shortfall"] == pytest.approx(mean(sample).value)
    assert row["shortfall_error"] == pytest.approx(mean(sample).standard_error)
    assert row["shortfall_q95"] == quantile(sample, 0.95)


def test_months_add_up_to_the_shortfall_to_date(results: xr.Dataset) -> None:
    table = cash.cash_by_month(results)
    rows = table[table["scenario"] == "severely_adverse"]
    np.testing.assert_allclose((rows["due_mean"] - rows["collected_mean"]).cumsum(), rows["to_date_mean"])
    quantiles = rows[[f"collected_q{level}" for level in ("05", "25", "50", "75", "95")]].to_numpy()
    assert (np.diff(quantiles, axis=1) >= 0.0).all()
    collected = reduce(add, (one(results, name, "severely_adverse") for name in ("principal_paid", "interest_paid")))
    collected = collected + one(results, "fees", "severely_adverse") + one(results, "recovery", "severely_adverse")
    np.testing.assert_allclose(rows["collected_mean"], collected.mean(axis=0))


# --- at the terminal --------------------------------------------------------------------------------------------


def test_terminal_has_one_line_a_run_for_the_lender(weighted: xr.Dataset) -> None:
    lines = "\n".join(further_lines(weighted)).splitlines()
    start = next(place for place, line in enumerate(lines) if line.startswith("For the lender"))
    assert lines[start + 2].split()[:3] == ["scenario", "allowance", "+/-"]
    rows = [line.split() for line in lines[start + 3 : start + 5]]
    table = provision.credit_loss(weighted).set_index(["scenario", "stage"]).sort_index()["allowance_percent"]
    for row in rows:
        assert len(row) == 9
        assert row[1] == f"{table[row[0], 'all stages']:.3f}"


def test_the_result_is_after_what_strategies_cost_and_bring() -> None:
    """Lines that begin with "less" are taken away; what no strategy has is no line."""
    ladders = strategy_results(n_paths=60, n_months=12)
    rng = np.random.default_rng(4)
    for name in ("judgment_cash", "debt_sale_cash"):
        ladders[name] = ladders["deficiency_cash"] * rng.random()
    table = income.income(ladders)
    whole = table[table["period"] == WHOLE].set_index(["scenario", "strategy", "item"]).sort_index()["value"]
    labels = {item.name: item for item in income.ITEMS}
    for scenario in ladders["scenario"].values:
        for strategy in ladders["strategy"].values:
            lines = whole[scenario, strategy]
            assert {"judgment_cash", "debt_sale_cash", "collection_cost", "incident_cost"} <= set(lines.index)
            parts = [
                value * (-1.0 if labels[name].label.startswith("less") else 1.0)
                for name, value in lines.items()
                if not labels[name].total
            ]
            assert lines[income.RESULT] == pytest.approx(sum(parts), rel=EXACT)
    assert "judgment_cash" not in set(income.income(sample_results(n_paths=20, n_months=12))["item"])


def test_json_has_provision_income_cash_and_the_balance_sheet(weighted: xr.Dataset) -> None:
    document = measures_document(weighted, ())
    assert document["balance_sheet"] == "runoff"
    assert len(document["expected_credit_loss"]) == 3 * 4
    assert {row["period"] for row in document["cash"]} >= {WHOLE, cash.LARGEST}
    assert {row["item"] for row in document["income"]} == {item.name for item in income.ITEMS if item.shown(weighted)}
    assert document["parameter_bands"] == []
