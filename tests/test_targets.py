"""Known answers that no other file shows, and the table of all of them in docs/targets.md."""

from __future__ import annotations

import ast
import math
import re
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from scipy.special import ndtr, ndtri
from scipy.stats import norm

from known_cases import PUBLISHED_CHAIN, assert_shares, normal_bound
from outputs import estimators, rates
from outputs.estimators import draw_up_sample
from outputs.measures import LEVELS
from outputs.tail import tail_of
from scenarios.vocabulary import MACRO_VARIABLES, PREPAY
from simulator.engine import simulate
from simulator.horizon import months_needed
from simulator.parameters import Parameters
from small_books import chain, current_only, endless_loans, equal_loans, macro_at, run, values
from target_cases import Queue, WrongWay, both_below, drawn_factor, fine_grained, loan_to_value, one_factor, two_tiers

ROOT = Path(__file__).resolve().parents[1]
TABLE = ROOT / "docs" / "targets.md"

FALSE_ALARM = 1e-4
"""Chance that a statistical test of this file fails on a fresh seed although all is well, shared among comparisons."""


# --- the table ----------------------------------------------------------------------------------------------------


def defined_tests(path: Path) -> set[str]:
    tree = ast.parse(path.read_text("utf-8"))
    return {node.name for node in tree.body if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")}


def test_every_test_that_the_table_names_exists() -> None:
    named = re.findall(r"`([\w/]+\.py)::(\w+)`", TABLE.read_text("utf-8"))
    assert len(named) > 40
    for file, name in named:
        path = ROOT / "tests" / file
        assert path.is_file(), f"docs/targets.md names {file}, which is not among the tests"
        assert name in defined_tests(path), f"docs/targets.md names {file}::{name}, which is not there"


# --- one period, one factor: infinitely large pool ------------------------------------------------------------------

# PD, rho, (VaR95, ES95, VaR99, ES99, VaR99.9, ES99.9), SD: closed forms of the one-factor model (Vasicek 2002)
FINE_GRAINED = [
    (0.01, 0.03, (0.01909641, 0.02303059, 0.02541397, 0.02935265, 0.03448696, 0.03853116), 0.00480656),
    (0.01, 0.10, (0.02846151, 0.04003333, 0.04679699, 0.05996825, 0.07749737, 0.09263180), 0.00962565),
    (0.02, 0.01, (0.02879662, 0.03176527, 0.03360340, 0.03630015, 0.03975680, 0.04225567), 0.00489302),
    (0.02, 0.05, (0.04183778, 0.05179049, 0.05781298, 0.06788236, 0.08103341, 0.09139377), 0.01140551),
    (0.05, 0.03, (0.08366612, 0.09602916, 0.10365856, 0.11515297, 0.12994779, 0.14078086), 0.01822632),
    (0.05, 0.05, (0.09505920, 0.11315505, 0.12427399, 0.14154526, 0.16387986, 0.18048812), 0.02384256),
    (0.05, 0.10, (0.11790133, 0.14955598, 0.16893592, 0.20016664, 0.24079407, 0.27116189), 0.03482512),
    (0.05, 0.15, (0.13717110, 0.18223306, 0.20988145, 0.25486353, 0.31350591, 0.35652042), 0.04401147),
    (0.10, 0.05, (0.17425358, 0.20083580, 0.21735909, 0.24144221, 0.27229182, 0.29409503), 0.04004378),
]
ASYMPTOTIC_PATHS = 100_000


@cache
def factor_of_many_paths() -> np.ndarray:
    return drawn_factor(one_factor(0.05, 0.05), ASYMPTOTIC_PATHS, seed=21)


@pytest.mark.parametrize(("probability", "rho", "tails", "sd"), FINE_GRAINED)
def test_a_fine_grained_pool_has_the_closed_forms_tails(
    probability: float, rho: float, tails: tuple[float, ...], sd: float
) -> None:
    """The engine's factor and response on 100,000 paths; nine sets of eight comparisons, once in 10,000 seeds."""
    sample = draw_up_sample(fine_grained(one_factor(probability, rho), factor_of_many_paths())[0])
    pairs = [(estimators.mean(sample), probability), (estimators.standard_deviation(sample), sd)]
    for place, level in enumerate(LEVELS):
        pairs.append((estimators.value_at_risk(sample, level), tails[2 * place]))
        pairs.append((estimators.expected_shortfall(sample, level), tails[2 * place + 1]))
    for found, truth in pairs:
        assert abs(found.value - truth) < normal_bound(FALSE_ALARM, 8 * len(FINE_GRAINED)) * found.standard_error


JOINT = {(0.02, 0.05): (5.300856e-4, 0.00663702), (0.05, 0.10): (3.7127891e-3, 0.02553240)}
"""PD and rho to joint PD and default correlation, as printed."""

PAIR_LOANS, PAIR_PATHS = 100, 20_000


@pytest.mark.parametrize(("probability", "rho", "_tails", "sd"), FINE_GRAINED)
def test_pairs_default_together_as_often_as_they_should(
    probability: float, rho: float, _tails: tuple[float, ...], sd: float
) -> None:
    """K (K - 1) over N (N - 1) is the joint PD without bias; nine comparisons, which fail once in 10,000 seeds."""
    c = float(ndtri(probability))
    joint = both_below(c, c, rho)
    assert joint - probability**2 == pytest.approx(sd**2, rel=2e-6)
    printed = JOINT.get((probability, rho))
    if printed:
        correlation = (joint - probability**2) / (probability * (1.0 - probability))
        assert (joint, correlation) == pytest.approx(printed, rel=1e-6)
    results = run(equal_loans(PAIR_LOANS), one_factor(probability, rho), paths=PAIR_PATHS, months=1, seed=22)
    count = values(results, "charge_off_count")[:, 0].astype(np.float64)
    together = count * (count - 1.0) / (PAIR_LOANS * (PAIR_LOANS - 1.0))
    error = together.std() / math.sqrt(PAIR_PATHS)
    assert abs(together.mean() - joint) < normal_bound(FALSE_ALARM, len(FINE_GRAINED)) * error
    assert error < 0.1 * joint


# --- chain: months spent in each bucket, quasi-stationary mix, spread of lifetimes -------------------------------------

MONTHS_IN_BUCKET = (42.21285155, 3.88988183, 1.09527389, 0.47793770)
"""Expected months of the published chain in current, 30, 60 and 90 of a loan that starts current: N's first row."""
SURVIVORS = (0.87759372, 0.08560486, 0.02530756, 0.01149386)
KEPT = 0.97844006
LIFETIME_VARIANCE = 2112.98031
CHAIN_LOANS, CHAIN_PATHS, CHAIN_MONTHS = 10_000, 10, 900


@cache
def chain_from_current() -> xr.Dataset:
    """100,000 loans; of each 3e-9 live longer than the horizon."""
    tape = endless_loans(CHAIN_LOANS)
    return run(tape, chain(PUBLISHED_CHAIN), paths=CHAIN_PATHS, months=CHAIN_MONTHS, seed=23)


def test_months_spent_in_each_bucket_before_absorption() -> None:
    """Variances of visits: N (2 diag N - 1) - N^2 (Kemeny and Snell 1960); four comparisons, once in 10,000 seeds."""
    among = np.array(PUBLISHED_CHAIN)[:, :4]
    fundamental = np.linalg.inv(np.eye(4) - among)
    assert fundamental[0] == pytest.approx(MONTHS_IN_BUCKET, abs=5e-9)
    variance = (fundamental @ (2.0 * np.diag(np.diag(fundamental)) - np.eye(4)) - fundamental**2)[0]
    visits = values(chain_from_current(), "transition_count_mean").sum(axis=(0, 2)) / CHAIN_LOANS
    z = (visits - MONTHS_IN_BUCKET) / np.sqrt(variance / (CHAIN_LOANS * CHAIN_PATHS))
    assert np.all(np.abs(z) < normal_bound(FALSE_ALARM, 4)), z


def test_survivors_settle_in_the_quasi_stationary_mix() -> None:
    """36 months on the second eigenvalue's part is 1e-6; five shares of 100,000 loans, once in 10,000 seeds."""
    moved = values(chain_from_current(), "transition_count_mean") * CHAIN_PATHS
    opening = moved[36].sum(axis=1)
    live = round(float(opening.sum()))
    assert_shares(opening, SURVIVORS, live, normal_bound(FALSE_ALARM, 5))
    assert_shares(moved[36, :, :4].sum(keepdims=True), [KEPT], live, normal_bound(FALSE_ALARM, 5))


def test_variance_of_the_months_to_absorption() -> None:
    """From live counts, E[T^2] = sum (2 t + 1) P(T > t); bounded by the sample's own spread over paths.

    The error of a variance of 100,000 nearly exponential lifetimes is sqrt(8 / n) of it; once in 10,000 seeds.
    """
    live = values(chain_from_current(), "live_count").sum(axis=0) / (CHAIN_LOANS * CHAIN_PATHS)
    assert live[-1] == 0.0
    survival = np.concatenate([[1.0], live])
    months = np.arange(survival.size)
    mean, squares = survival.sum(), ((2.0 * months + 1.0) * survival).sum()
    error = LIFETIME_VARIANCE * math.sqrt(8.0 / (CHAIN_LOANS * CHAIN_PATHS))
    assert abs(squares - mean**2 - LIFETIME_VARIANCE) < normal_bound(FALSE_ALARM, 1) * error


# --- competing causes, prepayment ------------------------------------------------------------------------------------


def test_two_causes_are_not_counted_twice() -> None:
    """Default .02, payoff .015 a month: 1 - exp(-.02) a month, the naive figure, is refuted.

    Cumulative incidence of twelve months among 5,000,000 loans; two comparisons, which fail once in 10,000 seeds.
    """
    loans, paths = 5_000, 1_000
    results = run(endless_loans(loans), current_only(0.02, 0.015), paths=paths, months=12, seed=24)
    counts = [values(results, f"{name}_count").sum() for name in ("charge_off", "prepaid")]
    assert_shares(np.array(counts), [0.1959732458, 0.1469799344], loans * paths, normal_bound(FALSE_ALARM, 2))
    naive = -np.expm1(-np.array([0.02, 0.015]))
    stays = 1.0 - naive.sum()
    wrong = naive * (1.0 - stays**12) / (1.0 - stays)
    with pytest.raises(AssertionError):
        assert_shares(np.array(counts), wrong, loans * paths, normal_bound(FALSE_ALARM, 2))


def test_mean_months_to_the_first_of_two_causes() -> None:
    """29.0743451785 months by 1 / p, geometric: sd sqrt(1 - p) / p; one comparison, which fails once in 10,000 seeds."""
    loans, paths, leaves = 5_000, 20, -math.expm1(-0.035)
    results = run(endless_loans(loans), current_only(0.02, 0.015), paths=paths, months=900, seed=25)
    live = values(results, "live_count")
    assert live[:, -1].sum() == 0
    months = 1.0 + live.sum() / (loans * paths)
    error = math.sqrt(1.0 - leaves) / leaves / math.sqrt(loans * paths)
    assert 1.0 / leaves == pytest.approx(29.0743451785, abs=5e-11)
    assert abs(months - 29.0743451785) < normal_bound(FALSE_ALARM, 1) * error


ABS_TO_SMM = {
    1.4: {1: 1.4, 6: 1.505376, 12: 1.654846, 24: 2.064897, 36: 2.745098, 48: 4.093567},
    1.3: {12: 1.516919, 36: 2.385321},
    1.5: {12: 1.796407, 36: 3.157895},
}
"""Absolute prepayment speed, percent of the original number a month, to the share of those still there, percent."""


def prepaying(speed: float, months: int) -> tuple[Parameters, np.ndarray]:
    """Loans that only prepay, and the macro path under which the same number of the original ones does each month."""
    smm = speed / (100.0 - speed * np.arange(months))
    sensitivity = np.zeros((1, 5, len(MACRO_VARIABLES)))
    sensitivity[0, PREPAY, 0] = 10.0
    parameters = current_only(0.0, -math.log1p(-smm[0]), sensitivity=sensitivity)
    unemployment = np.zeros(months_needed(parameters, months) + 1)
    unemployment[1 : months + 1] = np.log(np.log1p(-smm) / np.log1p(-smm[0])) / 10.0
    return parameters, unemployment


@pytest.mark.parametrize("speed", ABS_TO_SMM)
def test_an_absolute_prepayment_speed_takes_the_same_number_of_loans_every_month(speed: float) -> None:
    """SMM = ABS / (1 - ABS (month - 1)): realised SMM at the printed months, and (20) over all of them.

    1,000,000 loans; at most 18 comparisons in three runs, which fail once in 10,000 seeds.
    """
    loans, paths, months, bound = 20_000, 50, 48, normal_bound(FALSE_ALARM, 18)
    parameters, unemployment = prepaying(speed, months)
    macro = macro_at(parameters, unemployment.size - 1, unemployment=unemployment)
    results = simulate(endless_loans(loans), macro, parameters, paths=paths, months=months, seed=26)
    prepaid = values(results, "prepaid_count").sum(axis=0)
    opening = loans * paths - np.concatenate([[0], prepaid.cumsum()[:-1]])
    for month, smm in ABS_TO_SMM[speed].items():
        assert speed / (100.0 - speed * (month - 1)) == pytest.approx(smm / 100.0, abs=5e-9)
        assert_shares(prepaid[month - 1 : month], [smm / 100.0], int(opening[month - 1]), bound)
        assert_shares(prepaid[month - 1 : month], [speed / 100.0], loans * paths, bound)
    table = rates.rates(results).set_index("measure")
    mean_speed = speed * months / (months - speed / 100.0 * months * (months - 1) / 2.0)
    row = table.loc["prepayment_rate"]
    assert abs(row["value"] - mean_speed) < bound * row["standard_error"]


# --- the loan against its car --------------------------------------------------------------------------------------

LOAN_TO_VALUE = {
    0.15: ({0: 1.176471, 12: 1.149564, 24: 1.053623, 36: 0.858844}, 0, 29),
    0.20: ({12: 1.221412, 24: 1.189442, 36: 1.030152}, 14, 38),
}
"""Loss of value a year to LTV by month, month of the peak, first month at 1 or less: 20,000 at 8 % on 17,000."""


@pytest.mark.parametrize("share", LOAN_TO_VALUE)
def test_loan_to_value_by_month_and_when_it_crosses_one(share: float) -> None:
    known, peak, crossing = LOAN_TO_VALUE[share]
    path = loan_to_value(share, 40)
    assert [path[month] for month in known] == pytest.approx(list(known.values()), abs=5e-7)
    assert int(path.argmax()) == peak
    assert int(np.argmax(path <= 1.0)) == crossing
    if share == 0.20:
        assert path[14] == pytest.approx(1.222548, abs=5e-7)


# --- default and car together -----------------------------------------------------------------------------------------

CLAIM = {"probability": 0.05, "balance": 12_000.0, "median": 10_000.0}
WRONG_WAY = {
    "apart, every car for itself": (WrongWay(**CLAIM, market_sd=0.0, own_sd=0.25, correlation=0.0, asset_correlation=0.1), 107.32742790, 0.17887905),
    "apart, one market": (WrongWay(**CLAIM, market_sd=0.25, own_sd=0.0, correlation=0.0, asset_correlation=0.1), 107.32742790, 0.17887905),
    "wrong way, one market": (WrongWay(**CLAIM, market_sd=0.25, own_sd=0.0, correlation=0.2, asset_correlation=0.05), 145.15538807, 0.24192565),
    "wrong way, market and car": (WrongWay(**CLAIM, market_sd=0.15, own_sd=0.2, correlation=0.2, asset_correlation=0.15), 145.15538807, 0.24192565),
}  # fmt: skip
"""Configuration, expected loss of a loan, loss given default, both as printed."""


@pytest.mark.parametrize("case", WRONG_WAY)
def test_default_and_a_fallen_car_come_together(case: str) -> None:
    """Loss of 100 loans on 20,000 paths; mean loss and loss given default, eight comparisons, once in 10,000 seeds."""
    configured, loss, lgd = WRONG_WAY[case]
    assert configured.expected_loss() == pytest.approx(loss, abs=5e-7)
    assert loss / (configured.probability * configured.balance) == pytest.approx(lgd, abs=5e-9)
    loans, paths, bound = 100, 20_000, normal_bound(FALSE_ALARM, 2 * len(WRONG_WAY))
    results = configured.simulate(loans, paths, seed=27)
    by_path = values(results, "ultimate_loss")[:, 0] / loans
    exposure = values(results, "charge_off")[:, 0] / loans
    error = by_path.std() / math.sqrt(paths)
    assert error < 0.03 * loss
    assert abs(by_path.mean() - loss) < bound * error
    spread = (by_path - lgd * exposure).std() / math.sqrt(paths) / exposure.mean()
    assert abs(by_path.mean() / exposure.mean() - lgd) < bound * spread


def test_wrong_way_risk_adds_a_third_to_the_loss() -> None:
    together, apart = (WRONG_WAY[case][0].expected_loss() for case in ("wrong way, one market", "apart, one market"))
    assert together / apart == pytest.approx(1.35245, abs=5e-6)


DOUBLE_TRIGGER = {0.0: 0.014, 0.1: 0.0172901187, 0.3: 0.0242802349}
"""Correlation to P(default and car worth less than the claim), of probabilities .04 and .35."""


@pytest.mark.parametrize("correlation", DOUBLE_TRIGGER)
def test_double_trigger(correlation: float) -> None:
    """Default of probability .04 and negative equity of .35; three comparisons, which fail once in 10,000 seeds."""
    expected, below = DOUBLE_TRIGGER[correlation], float(ndtri(0.35))
    assert both_below(float(ndtri(0.04)), below, correlation) == pytest.approx(expected, abs=5e-11)
    claim = 10_000.0 * math.exp(0.25 * below)
    configured = WrongWay(0.04, claim, 10_000.0, 0.25, 0.0, correlation, asset_correlation=0.12)
    loans, paths = 100, 20_000
    results = configured.simulate(loans, paths, seed=28)
    lost, count = (values(results, name)[:, 0] for name in ("ultimate_loss", "charge_off_count"))
    both = np.where(lost > 1e-6, count, 0) / loans
    assert abs(both.mean() - expected) < normal_bound(FALSE_ALARM, 3) * both.std() / math.sqrt(paths)


# --- pool of finite capacity ----------------------------------------------------------------------------------------

QUEUES = {
    (100, 90): (Queue(100.0, 90, 20_000), 60, 89.20995673),
    (100, 100): (Queue(100.0, 100, 20_000), 60, 96.01390032),
    (100, 120): (Queue(100.0, 120, 20_000), 60, 99.89728009),
    (1000, 950): (Queue(1000.0, 950, 50_000), 24, 949.26219558),
}
"""Mean demand and capacity to the queue, paths and E[min(N, C)] of Poisson demand, as printed."""


@pytest.mark.parametrize("case", QUEUES)
def test_a_pool_serves_what_it_can(case: tuple[int, int]) -> None:
    """Contacts of 24 months a path: min(asked, capacity) exactly, and on average what closed forms say.

    Demand is binomial here; its figure is compared, and lies within a fifth of a standard deviation a month of the
    Poisson's. Four comparisons, which fail once in 10,000 seeds.
    """
    queue, paths, printed = QUEUES[case]
    assert queue.poisson_mean() == pytest.approx(printed, abs=5e-9)
    months = 24
    results = queue.simulate(paths, months, seed=29)
    asked, served, left = (values(results, f"pool_{name}")[..., 0] for name in ("demand", "served", "waiting"))
    assert np.array_equal(served, np.minimum(asked, queue.capacity))
    assert np.array_equal(left, asked - served)
    mean, variance = queue.moments(months)
    error = math.sqrt(variance / (paths * months))
    assert abs(served.mean() - mean) < normal_bound(FALSE_ALARM, len(QUEUES)) * error
    assert abs(mean - printed) < 0.2 * math.sqrt(variance)


# --- Euler contributions ----------------------------------------------------------------------------------------------


def paths_of(losses: np.ndarray) -> xr.Dataset:
    """What `tail_of` asks of a result: weights and batches of equally likely paths."""
    count = losses.shape[-1]
    return xr.Dataset(coords={"log_weight": ("path", np.zeros(count)), "batch": ("path", np.arange(count))})


def normal_scores(count: int) -> np.ndarray:
    """The normal distribution as `count` equally likely values: nothing random is left."""
    return np.asarray(norm.ppf((np.arange(count) + 0.5) / count))


def contributions(losses: np.ndarray, level: float) -> tuple[float, list[float]]:
    """Expected shortfall of the sum, and the parts' contributions to it; losses float64[part, path]."""
    tail = tail_of(xr.DataArray(losses.sum(axis=0), dims="path"), paths_of(losses), level)
    return tail.shortfall.value, [tail.part(part) for part in losses]


def test_euler_contributions_of_normal_losses() -> None:
    """Three normal losses with their regression on the sum; residuals cancel in pairs of paths with one sum."""
    mean, sd = np.array([100.0, 60.0, 40.0]), np.array([30.0, 25.0, 20.0])
    covariance = np.outer(sd, sd) * np.array([[1.0, 0.3, 0.1], [0.3, 1.0, 0.2], [0.1, 0.2, 1.0]])
    with_sum = covariance.sum(axis=1)
    total = math.sqrt(with_sum.sum())
    assert total == pytest.approx(51.91338941, abs=5e-9)
    scores = normal_scores(100_000)
    centre = mean[:, None] + (with_sum / total)[:, None] * scores
    residual = np.linalg.cholesky(covariance - np.outer(with_sum, with_sum) / total**2 + 1e-9 * np.eye(3))
    noise = residual @ np.random.default_rng(30).standard_normal((3, scores.size))
    noise -= noise.mean(axis=0)  # residuals of a regression on the sum do not move the sum
    losses = np.concatenate([centre + noise, centre - noise], axis=1)
    found = {level: contributions(losses, level) for level in (0.95, 0.99)}
    assert found[0.99][0] == pytest.approx(338.36030368, rel=2e-4)
    assert found[0.99][1] == pytest.approx([160.83746192, 108.77264879, 68.75019297], rel=2e-4)
    assert found[0.95][0] == pytest.approx(307.08241322, rel=2e-4)
    assert found[0.95][1] == pytest.approx([147.08447483, 97.74704733, 62.25089106], rel=2e-4)
    spread = estimators.standard_deviation(draw_up_sample(losses.sum(axis=0))).value
    assert spread / sd.sum() == pytest.approx(0.69217853, rel=2e-4)


def test_euler_contributions_of_two_tiers_on_one_factor() -> None:
    """The engine's response of two tiers, PD .02 and .08, rho .03 and .06, LGD .45 and .60, on a grid of the factor."""
    parameters = two_tiers((0.02, 0.08), (0.03, 0.06), (0.45, 0.60))
    shares = fine_grained(parameters, normal_scores(200_000))
    losses = np.array([0.7 * 0.45, 0.3 * 0.60])[:, None] * shares
    found, parts = contributions(losses, 0.99)
    assert found == pytest.approx(0.0563039734, rel=2e-4)
    assert parts == pytest.approx([0.0167757080, 0.0395282654], rel=2e-4)
    assert contributions(losses, 0.999)[0] == pytest.approx(0.0709195981, rel=1e-3)
    for level, printed in ((0.99, 0.0497668992), (0.999, 0.0647354748)):
        assert estimators.quantile(draw_up_sample(losses.sum(axis=0)), level) == pytest.approx(printed, rel=1e-4)


def test_two_tiers_lose_what_their_terms_say() -> None:
    """LGD .45 and .60 in the engine itself, loan by loan."""
    parameters = two_tiers((0.02, 0.08), (0.03, 0.06), (0.45, 0.60))
    tape = equal_loans(400, score=np.repeat([640.0, 600.0], 200), rate=0.0, amortisation="interest_only")
    results = run(tape, parameters, paths=200, months=1, seed=31)
    lost, gone = (results[name].to_numpy()[0, 0, 0] for name in ("loss_by_tier", "charge_off_by_tier_mean"))
    assert results["tier"].to_numpy().tolist() == ["us_near_prime", "us_subprime"]
    assert lost.mean(axis=0) / gone.sum(axis=0) == pytest.approx([0.45, 0.60], rel=1e-12)


# --- what a control variate could save -----------------------------------------------------------------------------


@pytest.mark.parametrize(("loans", "paths", "r_squared"), [(100, 20_000, 0.46683), (1_000, 10_000, 0.89750)])
def test_how_much_of_a_pools_loss_its_factor_explains(loans: int, paths: int, r_squared: float) -> None:
    """Share of the variance of defaults, PD .03 and rho .05, that the mean given the factor explains, by Fisher's z.

    Two comparisons, which fail once in 10,000 seeds. Fisher's error holds for normal pairs; the skew of the conditional
    mean (kurtosis about 5) widens it, hence half as much again.
    """
    results = run(equal_loans(loans), one_factor(0.03, 0.05), paths=paths, months=1, seed=32)
    factor = results["global_factor"].to_numpy()[:, 0]
    conditional = ndtr((ndtri(0.03) + math.sqrt(0.05) * factor) / math.sqrt(0.95))
    found = float(np.corrcoef(values(results, "charge_off_count")[:, 0], conditional)[0, 1])
    gap = math.atanh(found) - math.atanh(math.sqrt(r_squared))
    assert abs(gap) * math.sqrt(paths - 3) < 1.5 * normal_bound(FALSE_ALARM, 2)
