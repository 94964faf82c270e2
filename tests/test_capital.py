"""Capital: the Basel formula's published weights, the simulated year's quantile, the standardised weights by hand."""

from __future__ import annotations

import math
from statistics import NormalDist

import numpy as np
import pytest
import xarray as xr

from outputs.capital import (
    BOOK,
    CAPITAL_RATIO,
    COLUMNS,
    LEAST_PD,
    NOTES,
    capital_table,
    capital_view,
    irb_other_retail,
    simulated_capital,
    tier_years,
)
from scenarios.vocabulary import RUN_DIMS, STAGES

RUN = {"scenario": "baseline", "strategy": "reference", "programme": "none"}

# PD, R, K at LGD 45 %, risk weight in percent, K at LGD 60 %, risk weight in percent: computed with scipy to 8 digits
PUBLISHED_FORMULA = [
    (0.0003, 0.15864214, 0.00356088, 4.45110, 0.00474784, 5.93480),
    (0.005, 0.13912941, 0.02588895, 32.36119, 0.03451860, 43.14825),
    (0.01, 0.12160945, 0.03661818, 45.77272, 0.04882424, 61.03030),
    (0.02, 0.09455609, 0.04638915, 57.98644, 0.06185221, 77.31526),
    (0.03, 0.07549191, 0.05023349, 62.79186, 0.06697799, 83.72248),
    (0.05, 0.05259061, 0.05313213, 66.41517, 0.07084285, 88.55356),
    (0.10, 0.03392566, 0.06043424, 75.54281, 0.08057899, 100.72374),
    (0.20, 0.03011854, 0.08022189, 100.27736, 0.10696252, 133.70315),
]

# Basel II, Annex 5, illustrative weights in percent of "other retail" at LGD 45 %
ANNEX_5 = {
    0.0003: 4.45,
    0.0005: 6.63,
    0.0010: 11.16,
    0.0025: 21.15,
    0.0050: 32.36,
    0.0100: 45.77,
    0.0150: 53.37,
    0.0200: 57.99,
    0.0250: 60.90,
}


@pytest.mark.parametrize(("pd_12m", "correlation", "k_45", "weight_45", "k_60", "weight_60"), PUBLISHED_FORMULA)
def test_the_formula_gives_the_published_figures(
    pd_12m: float, correlation: float, k_45: float, weight_45: float, k_60: float, weight_60: float
) -> None:
    for lgd, capital, weight in ((0.45, k_45, weight_45), (0.60, k_60, weight_60)):
        found = irb_other_retail(pd_12m, lgd)
        assert abs(found.correlation - correlation) <= 0.5e-8
        assert abs(found.capital - capital) <= 0.5e-8
        assert abs(100.0 * found.risk_weight - weight) <= 0.5e-5


def test_the_formula_gives_the_illustrative_weights_of_annex_5() -> None:
    found = irb_other_retail(np.array(list(ANNEX_5)), 0.45)
    assert np.round(100.0 * found.risk_weight, 2).tolist() == list(ANNEX_5.values())


def test_a_certain_default_and_an_impossible_one_need_no_capital() -> None:
    found = irb_other_retail(np.array([0.0, 1.0]), 0.5)
    assert found.capital.tolist() == [0.0, 0.0]
    assert found.correlation.tolist() == [0.16, 0.03]


def test_the_scaling_factor_of_basel_ii_multiplies_the_weight_alone() -> None:
    plain, scaled = irb_other_retail(0.02, 0.45), irb_other_retail(0.02, 0.45, scaling=1.06)
    assert scaled.risk_weight == pytest.approx(1.06 * plain.risk_weight, rel=1e-15)
    assert scaled.capital == plain.capital


# --- a run with known answers ----------------------------------------------------------------------------


def results_of(loss: np.ndarray, *, months: int = 12, stage_3: float = 0.0, stage_3_loss: float = 0.0) -> xr.Dataset:
    """A result of one run with 12-month losses by path and two tiers.

    Opening balance 1,000, of it `stage_3` in default whose mean loss is `stage_3_loss`; tiers hold 600 and 400, default
    for 1 and 2 a month and lose half and a quarter of it.
    """
    paths = len(loss)
    by_stage = np.zeros((1, 1, 1, paths, 3))
    by_stage[..., 0] = loss - stage_3_loss
    by_stage[..., 2] = stage_3_loss
    defaults = np.zeros((1, 1, 1, months, 2))
    defaults[...] = [1.0, 2.0]
    losses = np.zeros((1, 1, 1, paths, 2))
    losses[...] = np.array([0.5, 0.25]) * defaults.sum(axis=3)[..., None, :]
    variables = {
        "opening_balance_by_stage": ("stage", [1000.0 - stage_3, 0.0, stage_3]),
        "shortfall_12m_by_stage": ((*RUN_DIMS, "path", "stage"), by_stage),
        "shortfall_by_stage": ((*RUN_DIMS, "path", "stage"), by_stage),
        "loss_by_tier": ((*RUN_DIMS, "path", "tier"), losses),
        "opening_balance_by_tier": ("tier", [600.0, 400.0]),
        "default_by_tier_mean": ((*RUN_DIMS, "month", "tier"), defaults),
    }
    coordinates = {
        **{dim: [label] for dim, label in RUN.items()},
        "path": np.arange(paths),
        "month": np.arange(1, months + 1),
        "stage": list(STAGES),
        "tier": ["prime", "subprime"],
        "log_weight": ("path", np.zeros(paths)),
        "batch": ("path", np.arange(paths)),
    }
    return xr.Dataset(variables, coordinates, {"opening_balance": 1000.0})


def test_pd_and_lgd_by_tier_of_a_run_made_by_hand() -> None:
    prime, subprime = tier_years(results_of(np.ones(10), months=24), RUN)
    assert (prime.name, prime.exposure, prime.pd_12m, prime.lgd) == ("prime", 600.0, 12.0 / 600.0, 0.5)
    assert (subprime.name, subprime.exposure, subprime.pd_12m, subprime.lgd) == ("subprime", 400.0, 24.0 / 400.0, 0.25)


def test_loans_in_default_are_taken_out_of_exposure_and_loss() -> None:
    # A tenth of the balance is in default, and makes a quarter of the loss.
    prime, _ = tier_years(results_of(np.full(10, 40.0), stage_3=100.0, stage_3_loss=10.0), RUN)
    assert prime.exposure == pytest.approx(540.0, rel=1e-14)
    assert prime.pd_12m == pytest.approx(12.0 / 540.0, rel=1e-14)
    assert prime.lgd == pytest.approx(0.75 * 0.5, rel=1e-14)


def test_the_table_lays_the_three_side_by_side() -> None:
    loss = np.linspace(0.0, 100.0, 2001)
    table = capital_table(results_of(loss, stage_3=100.0, stage_3_loss=10.0)).set_index(["approach", "part"])
    prime = table.loc[("irb_other_retail", "prime")]
    formula = irb_other_retail(prime["pd_12m_percent"] / 100.0, prime["lgd_percent"] / 100.0)
    assert prime["risk_weight_percent"] == pytest.approx(100.0 * formula.risk_weight, rel=1e-12)
    assert prime["capital"] == pytest.approx(540.0 * formula.capital, rel=1e-12)
    both = table.loc["irb_other_retail"]["capital"]
    assert both[BOOK] == pytest.approx(both["prime"] + both["subprime"], rel=1e-14)
    standard = table.loc["standardised"]["capital"]
    # 75 % of 900, and 150 % of 100, whose provisions are a tenth
    assert standard["performing"] == pytest.approx(CAPITAL_RATIO * 0.75 * 900.0, rel=1e-14)
    assert standard["in default"] == pytest.approx(CAPITAL_RATIO * 1.5 * 100.0, rel=1e-14)
    assert standard[BOOK] == pytest.approx(CAPITAL_RATIO * (675.0 + 150.0), rel=1e-14)
    # rank 1,999 of 2,001 (0.999 x 2,001 = 1,998.999) less the mean
    simulated = table.loc[("simulated", BOOK)]
    assert simulated["capital"] == pytest.approx(loss[1998] - 50.0, rel=1e-12)
    assert simulated["percent_of_exposure"] == pytest.approx((loss[1998] - 50.0) / 10.0, rel=1e-12)
    assert bool(simulated["unreliable"])


@pytest.mark.parametrize(("stage_3_loss", "weight_percent"), [(19.99, 150.0), (20.0, 100.0), (60.0, 100.0)])
def test_provisions_of_a_fifth_lower_the_weight_of_a_loan_in_default(
    stage_3_loss: float, weight_percent: float
) -> None:
    view = capital_view(results_of(np.full(10, 70.0), stage_3=100.0, stage_3_loss=stage_3_loss))
    assert view is not None
    assert view.default_weight_percent == weight_percent


def test_a_pd_below_the_floor_is_raised_to_it() -> None:
    results = results_of(np.ones(10))
    results["default_by_tier_mean"] = results["default_by_tier_mean"] * 1e-6
    table = capital_table(results).set_index(["approach", "part"])
    assert table.loc[("irb_other_retail", "prime"), "pd_12m_percent"] == 100.0 * LEAST_PD


def test_a_book_without_defaults_needs_the_formulas_capital_for_no_loss() -> None:
    results = results_of(np.zeros(10))
    for name in ("default_by_tier_mean", "loss_by_tier"):
        results[name] = 0.0 * results[name]
    table = capital_table(results).set_index(["approach", "part"])
    assert table.loc[("irb_other_retail", BOOK), "capital"] == 0.0
    assert table.loc[("simulated", BOOK), "capital"] == 0.0


def test_a_run_shorter_than_a_year_has_no_capital() -> None:
    results = results_of(np.ones(10), months=11)
    assert capital_view(results) is None
    table = capital_table(results)
    assert (len(table), tuple(table.columns)) == (0, COLUMNS)


def test_the_view_is_of_the_first_scenario() -> None:
    one, other = results_of(np.linspace(0.0, 10.0, 1000)), results_of(np.linspace(0.0, 90.0, 1000))
    other = other.assign_coords(scenario=["adverse"])
    both = xr.concat([one, other], "scenario", data_vars="minimal", coords="minimal", compat="override", join="exact")
    view = capital_view(both)
    assert view is not None
    assert view.run == "baseline"
    assert {row["scenario"] for row in view.rows} == {"baseline"}
    assert view.simulated.value == pytest.approx(4.995, abs=0.01)
    assert len(capital_table(both)) == 2 * len(view.rows)
    book = {row["approach"]: row["capital"] for row in view.rows if row["part"] == BOOK}
    assert (view.irb, view.standardised) == (book["irb_other_retail"], book["standardised"])


# --- the simulated quantile and its error ------------------------------------------------------------------


def test_the_simulated_capital_of_normal_losses_is_their_quantile_and_its_interval_covers_it() -> None:
    # 120 samples of 12,000 losses N(50, 10): capital is 10 z_.999. The interval may be too wide, not too narrow: at
    # 95 % coverage fewer than 0.86 of 120 has a probability of 1e-5. The seed is fixed.
    random, truth = np.random.default_rng(5), 10.0 * NormalDist().inv_cdf(0.999)
    found = [simulated_capital(results_of(random.normal(50.0, 10.0, 12_000)), RUN) for _ in range(120)]
    covered = np.mean([item.low <= truth <= item.high for item in found])
    assert covered >= 0.86
    values = np.array([item.value for item in found])
    assert values.mean() == pytest.approx(truth, abs=4.0 * values.std() / math.sqrt(len(values)) + 0.05)
    errors = np.median([item.standard_error for item in found])
    # The standard error estimates the spread of the values; both have errors of a few percent.
    assert errors == pytest.approx(values.std(), rel=0.25)
    assert not any(item.unreliable for item in found)


def test_one_path_tells_no_error() -> None:
    found = simulated_capital(results_of(np.array([5.0])), RUN)
    assert found.value == 0.0
    assert math.isnan(found.standard_error)
    assert found.unreliable


def test_notes_say_what_the_figures_leave_out() -> None:
    told = " ".join(NOTES)
    assert "in the same proportion in every tier" in told
    assert "the PD is 1 at most" in told
    assert "discounted to the charge-off" in told
    assert "the exposure in default is before provisions" in told
