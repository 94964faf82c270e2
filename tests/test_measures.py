"""Measures against closed forms, and their errors against what the errors ought to be."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass

import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy import stats

from outputs import estimators, measures, rates, wording
from outputs.estimators import draw_up_sample
from outputs.limits import check_limits
from sample_results import OPENING, sample_results
from scenarios.errors import IntegrityError

FIVE = 5.0
"""Standard errors that a fixed-seed comparison may be off: 5.7e-7 of false alarm each, were the seed drawn anew."""


@pytest.fixture(scope="module")
def results() -> xr.Dataset:
    return sample_results(n_paths=400)


def normal_scores(count: int) -> np.ndarray:
    """The normal distribution as `count` equally likely values: nothing random is left."""
    return stats.norm.ppf((np.arange(count) + 0.5) / count)


# --- known answers -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("count", "level", "low", "high", "coverage"),
    [
        (10_000, 0.99, 9_880, 9_920, 0.95575),
        (100_000, 0.99, 98_938, 99_062, 0.95123),
        (100_000, 0.999, 99_880, 99_920, 0.95479),
    ],
)
def test_value_at_risk_has_the_published_order_statistic_ranks(
    count: int, level: float, low: int, high: int, coverage: float
) -> None:
    ranks = np.arange(1, count + 1, dtype=float)
    found = estimators.value_at_risk(draw_up_sample(ranks), level)
    assert (found.low, found.value, found.high) == (low, round(count * level), high)
    binomial = stats.binom(count, level)
    assert binomial.cdf(high - 1) - binomial.cdf(low - 1) == pytest.approx(coverage, abs=5e-6)


def test_standard_errors_of_a_normal_sample_are_the_asymptotic_ones() -> None:
    sample = draw_up_sample(normal_scores(100_000))
    assert estimators.value_at_risk(sample, 0.99).standard_error == pytest.approx(0.0118055, rel=0.005)
    assert estimators.expected_shortfall(sample, 0.99).standard_error == pytest.approx(0.0145097, rel=0.005)
    assert estimators.mean(sample).standard_error == pytest.approx(1 / math.sqrt(100_000), rel=1e-3)
    assert estimators.standard_deviation(sample).standard_error == pytest.approx(1 / math.sqrt(200_000), rel=2e-3)


VASICEK = [
    # PD, rho, (VaR95, ES95, VaR99, ES99, VaR99.9, ES99.9), SD: closed forms of the one-factor model (Vasicek 2002)
    (0.01, 0.03, (0.01909641, 0.02303059, 0.02541397, 0.02935265, 0.03448696, 0.03853116), 0.00480656),
    (0.02, 0.05, (0.04183778, 0.05179049, 0.05781298, 0.06788236, 0.08103341, 0.09139377), 0.01140551),
    (0.05, 0.15, (0.13717110, 0.18223306, 0.20988145, 0.25486353, 0.31350591, 0.35652042), 0.04401147),
    (0.10, 0.05, (0.17425358, 0.20083580, 0.21735909, 0.24144221, 0.27229182, 0.29409503), 0.04004378),
]


@pytest.mark.parametrize(("pd", "rho", "tails", "sd"), VASICEK)
def test_measures_meet_the_one_factor_closed_forms(pd: float, rho: float, tails: tuple[float, ...], sd: float) -> None:
    """32 comparisons at five standard errors: a false alarm of 2e-5 over all, were the seeds drawn anew."""
    factor = np.random.default_rng(20_250_101).standard_normal(200_000)
    losses = stats.norm.cdf((stats.norm.ppf(pd) + math.sqrt(rho) * factor) / math.sqrt(1 - rho))
    sample = draw_up_sample(losses)
    pairs = [(estimators.mean(sample), pd), (estimators.standard_deviation(sample), sd)]
    for place, level in enumerate(measures.LEVELS):
        pairs.append((estimators.value_at_risk(sample, level), tails[2 * place]))
        pairs.append((estimators.expected_shortfall(sample, level), tails[2 * place + 1]))
    for found, truth in pairs:
        assert abs(found.value - truth) < FIVE * found.standard_error
        assert not found.unreliable


def test_finite_pool_quantiles_are_inside_their_intervals() -> None:
    """Defaults of 1,000 loans, PD .02, rho .03: 38, 50 and 66; ES 45.305, 56.603 and 72.352. One fixed seed."""
    random = np.random.default_rng(7)
    factor = random.standard_normal(100_000)
    conditional = stats.norm.cdf((stats.norm.ppf(0.02) + math.sqrt(0.03) * factor) / math.sqrt(0.97))
    sample = draw_up_sample(random.binomial(1_000, conditional).astype(float))
    truth = {0.95: (38, 45.30525160), 0.99: (50, 56.60295853), 0.999: (66, 72.35205585)}
    for level, (quantile, shortfall) in truth.items():
        value_at_risk = estimators.value_at_risk(sample, level)
        assert value_at_risk.low <= quantile <= value_at_risk.high
        found = estimators.expected_shortfall(sample, level)
        assert abs(found.value - shortfall) < FIVE * found.standard_error


def test_value_at_risk_intervals_cover_as_often_as_they_say() -> None:
    """2,000 repeats: the share covered has sd .0049, so .925 to .975 is five of them: false alarm below 1e-6."""
    random = np.random.default_rng(11)
    truth = stats.expon.ppf(0.95)
    hits = 0
    for _ in range(2_000):
        found = estimators.value_at_risk(draw_up_sample(random.exponential(size=1_000)), 0.95)
        hits += found.low <= truth <= found.high
    assert 0.925 < hits / 2_000 < 0.975


def test_shortfall_and_deviation_errors_match_the_spread_over_repeats() -> None:
    """400 repeats of gamma losses: the spread of an estimate is known to 3.5 %, so 20 % is more than five sd."""
    random = np.random.default_rng(12)
    found = [draw_up_sample(random.gamma(2.0, size=4_000)) for _ in range(400)]
    for estimate in (lambda s: estimators.expected_shortfall(s, 0.95), estimators.standard_deviation):
        values = [estimate(sample) for sample in found]
        spread = np.std([item.value for item in values], ddof=1)
        assert np.mean([item.standard_error for item in values]) == pytest.approx(spread, rel=0.20)


# --- weights and batches -----------------------------------------------------------------------------


def test_whole_weights_are_repetitions() -> None:
    values = np.random.default_rng(3).gamma(2.0, size=200)
    times = np.random.default_rng(4).integers(1, 5, size=200)
    weighted = draw_up_sample(values, np.log(times))
    repeated = draw_up_sample(np.repeat(values, times), batch=np.repeat(np.arange(200), times))
    for level in measures.LEVELS:
        assert estimators.quantile(weighted, level) == estimators.quantile(repeated, level)
        pair = [estimators.expected_shortfall(sample, level) for sample in (weighted, repeated)]
        assert pair[0].value == pytest.approx(pair[1].value, rel=1e-12)
        assert pair[0].standard_error == pytest.approx(pair[1].standard_error, rel=1e-9, nan_ok=True)
    assert estimators.mean(weighted).standard_error == pytest.approx(estimators.mean(repeated).standard_error)


def test_shifted_draws_with_their_weights_meet_the_far_quantile_more_sharply() -> None:
    """A defensive mixture of N(0, 1) and N(3.24, 1), as the tail methods will draw: weights of at most 2."""
    random = np.random.default_rng(5)
    shift = np.where(random.random(20_000) < 0.5, 3.24, 0.0)
    drawn = random.standard_normal(20_000) + shift
    sample = draw_up_sample(drawn, -np.log(0.5 + 0.5 * np.exp(3.24 * drawn - 3.24**2 / 2)))
    found = estimators.value_at_risk(sample, 0.999)
    plain = math.sqrt(0.001 * 0.999 / 20_000) / stats.norm.pdf(3.0902323)
    assert abs(found.value - 3.0902323) < FIVE * found.standard_error
    assert found.standard_error < plain / 7
    assert not found.unreliable


def test_adding_a_constant_to_all_log_weights_changes_nothing() -> None:
    values = np.random.default_rng(6).gamma(2.0, size=500)
    log_weight = np.random.default_rng(7).normal(size=500)
    assert estimators.mean(draw_up_sample(values, log_weight)).value == pytest.approx(
        estimators.mean(draw_up_sample(values, log_weight - 800.0)).value, rel=1e-12
    )


def test_paths_that_repeat_within_a_batch_are_one_piece_of_news() -> None:
    values = np.random.default_rng(8).normal(size=300)
    alone = draw_up_sample(values)
    copied = draw_up_sample(np.tile(values, 10), batch=np.tile(np.arange(300), 10))
    for estimate in (estimators.mean, estimators.standard_deviation):
        assert estimate(copied).standard_error == pytest.approx(estimate(alone).standard_error, rel=2e-2)
    naive = estimators.mean(draw_up_sample(np.tile(values, 10))).standard_error
    assert estimators.mean(copied).standard_error == pytest.approx(math.sqrt(10) * naive, rel=2e-2)
    assert estimators.value_at_risk(copied, 0.99).unreliable
    assert estimators.effective_paths_beyond(copied, 0.99) == pytest.approx(3.0)


def test_error_of_the_mean_is_that_of_batch_means() -> None:
    values = np.random.default_rng(9).normal(size=(40, 25)) + np.random.default_rng(10).normal(size=(40, 1))
    sample = draw_up_sample(values.ravel(), batch=np.repeat(np.arange(40), 25))
    expected = values.mean(axis=1).std(ddof=1) / math.sqrt(40)
    assert estimators.mean(sample).standard_error == pytest.approx(expected, rel=1e-9)


# --- what a sample cannot tell -----------------------------------------------------------------------


@pytest.mark.parametrize(("count", "unreliable"), [(9_000, True), (9_999, True), (10_000, False), (12_000, False)])
def test_fewer_than_ten_paths_beyond_are_unreliable(count: int, unreliable: bool) -> None:
    sample = draw_up_sample(np.arange(count, dtype=float))
    assert estimators.value_at_risk(sample, 0.999).unreliable is unreliable
    assert estimators.expected_shortfall(sample, 0.999).unreliable is unreliable


def test_a_sample_without_a_tail_names_no_error() -> None:
    sample = draw_up_sample(np.arange(30, dtype=float))
    for found in (estimators.value_at_risk(sample, 0.99), estimators.expected_shortfall(sample, 0.99)):
        assert found.value == 29.0
        assert math.isnan(found.standard_error)
        assert found.unreliable


def test_one_batch_or_one_path_names_no_error() -> None:
    sample = draw_up_sample(np.arange(100, dtype=float), batch=np.zeros(100, dtype=np.int64))
    assert math.isnan(estimators.mean(sample).standard_error)
    assert math.isnan(estimators.value_at_risk(sample, 0.95).standard_error)
    assert math.isnan(estimators.standard_deviation(draw_up_sample(np.array([1.0]))).value)


def test_no_path_at_all_is_an_error_that_says_what_was_expected() -> None:
    with pytest.raises(ValueError, match=r"0 paths .* expected 1 path or more"):
        draw_up_sample(np.array([]))


def test_equal_losses_have_no_spread() -> None:
    sample = draw_up_sample(np.full(500, 3.0))
    assert estimators.standard_deviation(sample).value == 0.0
    found = estimators.value_at_risk(sample, 0.99)
    assert (found.value, found.low, found.high, found.standard_error) == (3.0, 3.0, 3.0, 0.0)


losses_of_paths = hnp.arrays(np.float64, st.integers(2, 60), elements=st.floats(-1e6, 1e6, width=32))


@settings(deadline=None, max_examples=150)
@given(losses_of_paths, st.floats(0.5, 0.995))
def test_invariants_of_quantile_and_shortfall(values: np.ndarray, level: float) -> None:
    sample = draw_up_sample(values)
    threshold = estimators.quantile(sample, level)
    shortfall = estimators.expected_shortfall(sample, level).value
    slack = 1e-9 * (1.0 + np.abs(values).max())
    assert threshold in values
    assert threshold - slack <= shortfall <= values.max() + slack
    assert threshold <= estimators.quantile(sample, (1.0 + level) / 2)
    moved = draw_up_sample(2.0 * values[::-1] + 16.0)
    assert estimators.quantile(moved, level) == 2.0 * threshold + 16.0
    assert estimators.expected_shortfall(moved, level).value == pytest.approx(2.0 * shortfall + 16.0, abs=4 * slack)


# --- of a result -------------------------------------------------------------------------------------


def test_path_loss_includes_what_comes_after_the_horizon(results: xr.Dataset) -> None:
    loss = measures.path_loss(results)
    expected = results["ultimate_loss"].sum("month") + results["ultimate_loss_after_horizon"]
    assert loss.dims == ("scenario", "strategy", "programme", "path")
    np.testing.assert_allclose(loss.values, expected.values)
    net = measures.path_loss(results, "net_loss")
    late = results["charge_off_after_horizon"] - results["recovery_after_horizon"]
    by_month = (results["charge_off"] - results["recovery"]).sum("month")
    np.testing.assert_allclose(net.values, (by_month + late).values)


def test_a_loss_that_is_no_number_is_an_integrity_error(results: xr.Dataset) -> None:
    broken = results.copy(deep=True)
    broken["ultimate_loss"][0, 0, 0, 3, 5] = np.nan
    with pytest.raises(IntegrityError, match="1 of 800 path losses are not finite numbers"):
        measures.path_loss(broken)
    broken["charge_off"][0, 0, 0, 3, 5] = np.nan
    with pytest.raises(IntegrityError, match="1 of 400 values by path are not finite numbers"):
        rates.rates(broken)


def test_summary_has_each_measure_with_its_error_for_each_scenario(results: xr.Dataset) -> None:
    table = measures.summary(results)
    assert len(table) == 2 * 8
    expected = table[table["measure"] == "expected_loss"].set_index("scenario")
    by_hand = measures.path_loss(results).mean("path").squeeze().to_series()
    np.testing.assert_allclose(expected["value"], by_hand[expected.index])
    np.testing.assert_allclose(table["percent_of_opening"], 100 * table["value"] / OPENING)
    assert expected.loc["severely_adverse", "value"] > expected.loc["baseline", "value"]
    assert table.loc[table["level"] == 0.999, "unreliable"].all()
    assert not table.loc[table["level"] == 0.95, "unreliable"].any()
    assert (table.loc[table["level"] == 0.99, "unreliable"]).all()  # 400 paths leave 4 beyond 99 %


def test_records_are_plain_json(results: xr.Dataset) -> None:
    records = measures.as_records(measures.summary(results))
    assert json.loads(json.dumps(records, allow_nan=False)) == records
    assert records[0]["level"] is None
    assert records[2]["level"] == 0.95


def test_readable_summary_says_amount_share_error_and_doubt(results: xr.Dataset) -> None:
    text = wording.format_summary(measures.summary(results), results)
    lines = text.splitlines()
    assert "over 36 months and run-off" in lines[0]
    assert "400 paths" in lines[0]
    assert "opening balance 182,345,679 USD of 10,000 loans as of 2024-12-31" in lines[1]
    assert lines[3].split() == [
        "scenario",
        "measure",
        "loss,",
        "USD",
        "+/-",
        "s.e.",
        "%",
        "of",
        "opening",
        "+/-",
        "s.e.",
    ]
    assert sum("VaR 99.9 %" in line and line.endswith("*") for line in lines) == 2
    assert lines[-1] == "* unreliable: fewer than 10 paths lie beyond it; more paths are needed"
    assert len({len(line) for line in lines[5:21] if not line.endswith("*")}) == 1


@pytest.mark.parametrize(
    ("value", "text"), [(1234567.5, "1,234,568"), (12.345, "12.35"), (-0.001, "0.00"), (math.nan, "n/a")]
)
def test_amounts_are_worded_with_thousands(value: float, text: str) -> None:
    assert wording.amount(value) == text


def test_an_error_has_no_cents_beside_a_figure_without() -> None:
    assert wording.amount(138.42, 57_641.0) == "138"
    assert wording.amount(138.42, -57_641.0) == "138"
    assert wording.amount(138.42, 641.2) == "138.42"


def test_exceedance_curve_is_the_survivor_function(results: xr.Dataset) -> None:
    first_run = next(measures.runs(results))
    curve = measures.exceedance_curve(results, first_run)
    losses = measures.path_loss(results).sel(first_run).values
    assert curve["probability"].iloc[-1] == 0.0
    assert curve["return_period"].iloc[-2] == pytest.approx(400.0)
    for place in (0, 17, 399):
        share = np.mean(losses > curve["loss"].iloc[place])
        assert curve["probability"].iloc[place] == pytest.approx(share)
    assert curve["unreliable"].sum() == 10
    table = measures.return_periods(results)
    first = table[(table["scenario"] == "baseline") & (table["return_period"] == 20)].iloc[0]
    assert first["value"] == estimators.quantile(draw_up_sample(losses), 0.95)


def test_exceedance_curve_meets_a_level_at_its_value_at_risk(results: xr.Dataset) -> None:
    """Equal losses are one step; the first loss that 1 - level of the paths exceed at most is the value at risk."""
    rounded = results.copy()
    rounded["ultimate_loss"] = (results["ultimate_loss"] / 2e5).round() * 2e5
    rounded["ultimate_loss_after_horizon"] = 0.0 * results["ultimate_loss_after_horizon"]
    for dataset in (results, rounded):
        for run_labels in measures.runs(dataset):
            curve = measures.exceedance_curve(dataset, run_labels)
            assert curve["loss"].is_monotonic_increasing
            assert curve["loss"].is_unique
            sample = measures.sample_of(measures.path_loss(dataset).sel(run_labels), dataset)
            for level in measures.LEVELS:
                met = curve[curve["probability"] <= 1.0 - level + estimators.ROUNDING]["loss"].iloc[0]
                assert met == estimators.value_at_risk(sample, level).value


def test_fan_is_the_inverted_distribution_function_month_by_month(results: xr.Dataset) -> None:
    cnl = rates.cumulative_net_loss(results)
    fan = measures.quantile_fan(cnl, results["log_weight"])
    expected = np.quantile(cnl.values, measures.FAN_LEVELS, axis=3, method="inverted_cdf")
    np.testing.assert_allclose(np.moveaxis(fan.transpose(..., "month", "quantile").values, -1, 0), expected)
    heavy = xr.zeros_like(results["log_weight"])
    heavy[7] = 50.0
    np.testing.assert_allclose(measures.quantile_fan(cnl, heavy).sel(quantile=0.5), cnl.isel(path=7))


@dataclass(frozen=True)
class Bound:
    measure: str
    scenario: str
    at_most_percent: float
    level: float = 0.95


def test_limits_compare_a_measure_with_its_bound(results: xr.Dataset) -> None:
    table = measures.summary(results).set_index(["scenario", "measure", "level"])["percent_of_opening"]
    found = table["baseline", "value_at_risk", 0.95]
    bounds = [
        Bound("value_at_risk", "baseline", found),
        Bound("value_at_risk", "baseline", found - 1e-9),
        Bound("expected_loss", "severely_adverse", 1.0),
        Bound("expected_shortfall", "severely_adverse", 99.0),
    ]
    verdicts = check_limits(results, bounds)
    assert [verdict.passed for verdict in verdicts] == [True, False, False, True]
    assert [verdict.label for verdict in verdicts] == ["VaR 95 %", "VaR 95 %", "EL", "ES 95 %"]
    assert "limit FAILS: severely_adverse: EL = " in str(verdicts[2])
    assert "at most 1.000 % of opening balance" in str(verdicts[2])
