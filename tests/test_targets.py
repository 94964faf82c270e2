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
from scipy.special import ndtri

from known_cases import PUBLISHED_CHAIN, assert_shares, normal_bound
from outputs import rates
from scenarios.vocabulary import MACRO_VARIABLES, PREPAY
from simulator.engine import simulate
from simulator.horizon import months_needed
from simulator.parameters import Parameters
from small_books import chain, current_only, macro_at, run, values
from target_cases import Queue, WrongWay, both_below, lasting_loans, loan_to_value

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


# --- chain: months spent in each bucket, quasi-stationary mix, spread of lifetimes ------------------------------------

MONTHS_IN_BUCKET = (42.21285155, 3.88988183, 1.09527389, 0.47793770)
"""Expected months of the published chain in current, 30, 60 and 90 of a loan that starts current: N's first row."""
SURVIVORS = (0.87759372, 0.08560486, 0.02530756, 0.01149386)
KEPT = 0.97844006
LIFETIME_VARIANCE = 2112.98031
CHAIN_LOANS, CHAIN_PATHS, CHAIN_MONTHS = 5_000, 20, 900


@cache
def chain_from_current() -> xr.Dataset:
    """100,000 loans; of each 3e-9 live longer than the horizon."""
    tape = lasting_loans(CHAIN_LOANS, CHAIN_MONTHS)
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
    results = run(lasting_loans(loans, 12), current_only(0.02, 0.015), paths=paths, months=12, seed=24)
    counts = [values(results, f"{name}_count").sum() for name in ("charge_off", "prepaid")]
    assert_shares(np.array(counts), [0.1959732458, 0.1469799344], loans * paths, normal_bound(FALSE_ALARM, 2))
    naive = -np.expm1(-np.array([0.02, 0.015]))
    stays = 1.0 - naive.sum()
    wrong = naive * (1.0 - stays**12) / (1.0 - stays)
    with pytest.raises(AssertionError):
        assert_shares(np.array(counts), wrong, loans * paths, normal_bound(FALSE_ALARM, 2))


def test_mean_months_to_the_first_of_two_causes() -> None:
    """29.0743451785 months by 1 / p; geometric, so sd sqrt(1 - p) / p; fails once in 10,000 seeds."""
    loans, paths, leaves = 5_000, 20, -math.expm1(-0.035)
    results = run(lasting_loans(loans, 900), current_only(0.02, 0.015), paths=paths, months=900, seed=25)
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

    200,000 loans; at most 23 comparisons in three runs, which fail once in 10,000 seeds.
    """
    loans, paths, months, bound = 5_000, 40, 48, normal_bound(FALSE_ALARM, 23)
    parameters, unemployment = prepaying(speed, months)
    macro = macro_at(parameters, unemployment.size - 1, unemployment=unemployment)
    results = simulate(lasting_loans(loans, months), macro, parameters, paths=paths, months=months, seed=26)
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

CLAIM = (0.05, 12_000.0, 10_000.0)
"""Probability of default, claim, median of the car's value."""
APART, TOGETHER = (107.32742790, 0.17887905), (145.15538807, 0.24192565)
"""Expected loss of a loan and loss given default where assets and car values have correlation 0 and .2."""

# market_sd, own_sd, correlation, asset_correlation
WRONG_WAY = {
    "apart, every car for itself": (WrongWay(*CLAIM, 0.0, 0.25, 0.0, 0.1), APART),
    "apart, one market": (WrongWay(*CLAIM, 0.25, 0.0, 0.0, 0.1), APART),
    "wrong way, one market": (WrongWay(*CLAIM, 0.25, 0.0, 0.2, 0.05), TOGETHER),
    "wrong way, market and car": (WrongWay(*CLAIM, 0.15, 0.2, 0.2, 0.15), TOGETHER),
}


@pytest.mark.parametrize("case", WRONG_WAY)
def test_default_and_a_fallen_car_come_together(case: str) -> None:
    """Loss of 100 loans on 20,000 paths; mean loss and loss given default, eight comparisons, once in 10,000 seeds."""
    configured, (loss, lgd) = WRONG_WAY[case]
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
    (100, 90): (Queue(100.0, 90, 10_000), 40, 89.20995673),
    (100, 100): (Queue(100.0, 100, 10_000), 40, 96.01390032),
    (100, 120): (Queue(100.0, 120, 10_000), 40, 99.89728009),
    (1000, 950): (Queue(1000.0, 950, 50_000), 10, 949.26219558),
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
