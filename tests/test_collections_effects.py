"""What a ladder does to loans: nothing where it has no effect, closed forms where they exist, never the wrong way."""

from __future__ import annotations

import math
from functools import cache
from itertools import pairwise

import numpy as np
import pytest
import xarray as xr
from numpy.typing import NDArray
from scipy.special import gammaincinv
from scipy.stats import binom, nbinom

from busy_books import busy_tiers
from calibration.library import find_parameter_set
from known_cases import PUBLISHED_CHAIN, normal_bound
from ladders import ladder, rung
from scenarios.library import find_strategy, library_names
from scenarios.strategy import CollectionStrategy
from scenarios.vocabulary import BOOK_VARIABLES, CHARGED_OFF, INCIDENTS, MATURED, TRACE_VARIABLES
from simulator.intensities import intensities_from_probabilities
from simulator.parameters import Parameters
from simulator.servicing import Servicing
from small_books import certain, chain, changed, endless_loans, equal_loans, mixed_book, run, shipped, values

FALSE_ALARM = 1e-4
"""Chance that a statistical test of this file fails on a fresh seed although all is well."""


def bound(false_alarm: float, error: float) -> float:
    """What a figure with that standard error misses with no more than that chance."""
    return normal_bound(false_alarm, 1) * error


COSTS = ("collection_cost", "incident_cost")
UNLIMITED = {"unlimited": True, "cost_per_hour": 3.0}


# --- no effect ---------------------------------------------------------------------------------------------------


def without_effects(strategy: CollectionStrategy) -> CollectionStrategy:
    """The same ladder with every effect, cost and incident at nothing; whom it serves stays."""
    nothing = {"effect": {}, "cost_per_contact": 0.0, "incidents": {}}
    own = {
        "visit": {"backfire_percent": 0.0, "backfire": {}, "finds_car": 1.0},
        "plan": {"accepted_percent": {}},
        "surrender": {"accepted_percent": {}},
        "extension": {"granted": 1.0},
        "repossession": {"seized": 1.0},
        "litigation": {"won_percent": 0.0, "cost_percent": 0.0},
        "outsourcing": {"commission_percent": 0.0},
    }
    rungs = [
        {**item, **nothing, **own.get(item["action"], {})}
        for item in strategy.model_dump(mode="json", exclude_none=True)["ladder"]
        if item["action"] not in ("debt_sale", "write_off")  # what these do has no size
    ]
    pools = {
        name: {**pool, "cost_per_hour": 0.0, "hiring": None}
        for name, pool in strategy.model_dump(mode="json", exclude_none=True)["pools"].items()
    }
    plain = strategy.model_dump(mode="json", exclude_none=True)
    care = [{**item, "averted_percent": 0.0, "cost_per_contact": 0.0} for item in plain["while_current"]]
    fields = {**plain, "ladder": rungs, "while_current": care, "pools": pools, "incidents": {}, "underwriting": None}
    return CollectionStrategy.model_validate({**fields, "rules": None, "currency": "USD"})


def loan_by_loan(parameters: Parameters, servicing: Servicing) -> xr.Dataset:
    tape = mixed_book(40, seed=3)
    ids = tuple(tape["loan_id"].tolist())
    return run(tape, parameters, paths=4, months=12, seed=5, trace=ids, servicing=servicing)


def no_car_no_extension() -> Parameters:
    """Everything at work but seizure, search and extension, which a strategy without these rungs takes away."""
    parameters = busy_tiers("lognormal")
    tiers, buckets = parameters.borrower.modified_share.shape
    return changed(
        parameters,
        seizure=np.zeros((tiers, buckets)),
        found_share=np.zeros(tiers),
        modified_share=np.zeros((tiers, buckets)),
    )


def assert_same_loans(one: xr.Dataset, other: xr.Dataset) -> None:
    names = [name for name, *_ in TRACE_VARIABLES if name not in ("trace_rungs", "trace_flags")]
    for name in (*names, *(variable.name for variable in BOOK_VARIABLES if variable.name not in COSTS)):
        assert np.array_equal(values(one, name), values(other, name), equal_nan=True), name


@pytest.mark.parametrize("name", library_names("strategies"))
def test_a_strategy_without_effects_is_the_reference_loan_by_loan(name: str) -> None:
    strategy = without_effects(find_strategy(name))
    parameters = no_car_no_extension()
    found = loan_by_loan(parameters, Servicing(strategy, (None,) * len(parameters.names)))
    assert_same_loans(found, loan_by_loan(parameters, Servicing()))
    assert values(found, "collection_cost").sum() == 0.0
    if strategy.ladder:
        assert values(found, "trace_rungs").max() > 0.0


def test_trucks_and_extensions_for_all_are_the_reference_loan_by_loan() -> None:
    """Bit for bit but for sums over loans, which come in another order where a car is seized."""
    parameters = busy_tiers("lognormal")
    observed = ladder(
        rung("extension"), rung("repossession", pool="trucks", hours_per_contact=2), pools={"trucks": UNLIMITED}
    )
    found = loan_by_loan(parameters, Servicing(observed, (observed,) * len(parameters.names)))
    usual = loan_by_loan(parameters, Servicing())
    for name, *_ in TRACE_VARIABLES:
        if name not in ("trace_rungs", "trace_flags"):
            assert np.array_equal(values(found, name), values(usual, name), equal_nan=True), name
    for variable in BOOK_VARIABLES:
        if variable.name not in COSTS:
            assert values(found, variable.name) == pytest.approx(values(usual, variable.name), rel=1e-12), variable.name
    assert values(usual, "repossessed_count").sum() > 0.0
    assert values(usual, "modified_count").sum() > 0.0


# --- the strategy under which parameters were observed -----------------------------------------------------------


def levels(name: str, servicing: Servicing) -> dict[str, tuple[NDArray[np.float64], NDArray[np.float64]]]:
    """Sums over a year by path, numerator and denominator of stock, charge-off and recovery."""
    from calibration.baseline import baseline_book, reference_macro
    from simulator.engine import simulate

    parameters, tape = shipped(name), baseline_book(find_parameter_set(name), loans=2000)
    macro = reference_macro(parameters, 12)
    found = simulate(tape, macro, parameters, paths=60, months=12, seed=9, servicing=servicing)
    late, live, lost = (values(found, key).sum(axis=1) for key in ("delinquent_balance", "balance", "charge_off"))
    after = values(found, "recovery_after_horizon") + values(found, "recovery").sum(axis=1)
    return {
        "stock": (late, live),
        "charge-off": (lost, live),
        "recovery": (after, lost + values(found, "charge_off_after_horizon")),
    }


@pytest.mark.parametrize("name", ["us_near_prime", "us_subprime", "us_deep_subprime", "us_title_loan", "cn_title_loan"])
def test_the_observed_strategy_reproduces_its_set(name: str) -> None:
    """Stock, charge-off and recovery as without any ladder; paired by path, at most one in 10,000 seeds misses.

    Beyond chance there is what the pools leave unserved at baseline, and months in which the economy's factors are
    not at their mean: 1 % of the level.
    """
    item = find_parameter_set(name)
    observed = find_strategy(item.observed_under)
    usual, found = levels(name, Servicing()), levels(name, Servicing(observed, (observed,)))
    for what, (above, below) in found.items():
        level = usual[what][0].mean() / usual[what][1].mean()
        gap = above / below.mean() - usual[what][0] / usual[what][1].mean()
        most = bound(FALSE_ALARM / len(found), gap.std(ddof=1) / math.sqrt(gap.size)) + 0.01 * level
        assert abs(gap.mean()) < most, (what, level, gap.mean(), most)


@pytest.mark.parametrize("name", ["us_prime", "us_subprime", "cn_auto_finance", "us_title_loan"])
def test_nobody_collecting_loses_more(name: str) -> None:
    observed = find_strategy(find_parameter_set(name).observed_under)
    nobody, usual = levels(name, Servicing(find_strategy("none"), (observed,))), levels(name, Servicing())
    assert nobody["charge-off"][0].mean() > usual["charge-off"][0].mean()
    assert (nobody["recovery"][0] <= usual["recovery"][0]).mean() > 0.9
    lost = {name: (found["charge-off"][0] - found["recovery"][0]) for name, found in (("no", nobody), ("yes", usual))}
    assert (lost["no"] > lost["yes"]).mean() > 0.9


# --- closed forms ------------------------------------------------------------------------------------------------

CHAIN_LOANS, CHAIN_PATHS, CHAIN_MONTHS, FASTER = 400, 60, 60, 1.7


@cache
def faster_chain() -> NDArray[np.float64]:
    """Monthly matrix of the published chain, the intensities of all cures multiplied; exits stay."""
    moves = np.array(PUBLISHED_CHAIN, dtype=np.float64)
    np.fill_diagonal(moves[:, : len(moves)], 0.0)
    rate = intensities_from_probabilities(moves)
    cures = np.tril(np.ones((4, 4)), -1).astype(bool)
    rate[:, :4][cures] *= FASTER
    total = rate.sum(axis=1)
    full = np.eye(6)
    full[:4] = rate / total[:, None] * -np.expm1(-total)[:, None]
    full[np.arange(4), np.arange(4)] = np.exp(-total)
    return full


def test_a_cure_multiplier_gives_the_probabilities_of_the_modified_chain() -> None:
    """State after 60 months of loans that start current; at most one in 10,000 seeds misses (targets 2.6)."""
    faster = Servicing(ladder(rung("sms", effect={"cure": FASTER})))
    results = run(endless_loans(CHAIN_LOANS), chain(PUBLISHED_CHAIN), paths=CHAIN_PATHS, months=CHAIN_MONTHS, seed=31,
                  servicing=faster)  # fmt: skip
    expected = np.linalg.matrix_power(faster_chain(), CHAIN_MONTHS)[0]
    count = CHAIN_LOANS * CHAIN_PATHS
    charged_off = values(results, "charge_off_count").sum() / count
    prepaid = values(results, "prepaid_count").sum() / count
    late = values(results, "delinquent_count")[:, -1].sum() / count
    for found, share in ((charged_off, expected[4]), (prepaid, expected[5]), (late, expected[1:4].sum())):
        assert abs(found - share) < bound(FALSE_ALARM / 3.0, math.sqrt(share * (1.0 - share) / count))
    usual = np.linalg.matrix_power(np.vstack([PUBLISHED_CHAIN, np.eye(6)[4:]]), CHAIN_MONTHS)[0]
    assert charged_off < 0.7 * usual[4]


POISSON_MEAN, CONTACTS = 100.0, 90


def test_mean_served_is_the_expected_lesser_of_demand_and_capacity() -> None:
    """Loans fall behind with a small chance each, all cure at once: demand is nearly Poisson (targets 2.11)."""
    loans = 40_000
    entry = -math.log1p(-POISSON_MEAN / loans)
    parameters = certain({1: 0})
    intensity = parameters.intensity.copy()
    intensity[0, 0, 1] = entry
    phones = ladder(
        rung("phone", pool="agents", hours_per_contact=0.5), pools={"agents": {"hours_per_month": 0.5 * CONTACTS}}
    )
    results = run(endless_loans(loans), changed(parameters, intensity=intensity), paths=80, months=6, seed=4,
                  servicing=Servicing(phones))  # fmt: skip
    # Of those current at the opening; in the first months all are.
    served, asked = values(results, "pool_served")[..., 0] / 0.5, values(results, "pool_demand")[..., 0] / 0.5
    share = binom(loans, POISSON_MEAN / loans)
    mean = share.expect(lambda n: np.minimum(n, CONTACTS), lb=0, ub=400)
    assert mean == pytest.approx(89.20995673, abs=0.02)  # the Poisson value of targets 2.11
    error = np.minimum(share.rvs(100_000, random_state=1), CONTACTS).std() / math.sqrt(served.size)
    assert abs(served.mean() - mean) < bound(FALSE_ALARM, error) + 0.01 * mean * POISSON_MEAN / loans
    assert np.array_equal(served, np.minimum(asked, CONTACTS))


def test_incidents_are_gamma_poisson() -> None:
    """20,000 contacts at 2 in 10,000, squared coefficient of variation .5: mean 4, variance 12 (targets 2.11)."""
    visits = ladder(rung("visit", contacts_per_month=1000, incidents={"complaint": 0.2}), incidents={"variance": 0.5})
    paths = 20_000
    results = run(endless_loans(20, days_past_due=45), certain({}), paths=paths, months=1, seed=8,
                  servicing=Servicing(visits))  # fmt: skip
    count = values(results, "incident_count")[:, 0, INCIDENTS.index("complaint")]
    exact = nbinom(2.0, 2.0 / 6.0)
    assert (exact.mean(), exact.var(), exact.pmf(0)) == pytest.approx((4.0, 12.0, 1.0 / 9.0))
    for found, share in (((count == 0).mean(), exact.pmf(0)), ((count >= 10).mean(), 0.0751466296)):
        assert abs(found - share) < bound(FALSE_ALARM / 4.0, math.sqrt(share * (1.0 - share) / paths))
    assert abs(count.mean() - 4.0) < bound(FALSE_ALARM / 4.0, math.sqrt(12.0 / paths))
    fourth = exact.stats(moments="k") + 3.0
    assert abs(count.var() - 12.0) < bound(FALSE_ALARM / 4.0, 12.0 * math.sqrt((fourth - 1.0) / paths))


def test_team_factor_has_the_stated_variance() -> None:
    u = (np.arange(4000) + 0.5) / 4000
    factor = gammaincinv(2.0, u) / 2.0
    assert (factor.mean(), factor.var()) == pytest.approx((1.0, 0.5), rel=0.01)


# --- monotone ----------------------------------------------------------------------------------------------------


def test_a_stronger_cure_effect_never_worsens_a_loan_in_the_next_month() -> None:
    """From the same state with the same draws; no payoff in this chain, so that states are ordered."""
    rows = [
        [0.9, 0.1, 0, 0, 0, 0],
        [0.3, 0.4, 0.3, 0, 0, 0],
        [0.1, 0.2, 0.4, 0.3, 0, 0],
        [0.05, 0.1, 0.1, 0.35, 0.4, 0],
    ]
    tape = mixed_book(90, seed=7)
    ids = tuple(tape["loan_id"].tolist())

    def states(factor: float) -> NDArray[np.float64]:
        strategy = Servicing(ladder(rung("sms", effect={"cure": factor})))
        results = run(tape, chain(rows), paths=30, months=1, seed=2, trace=ids, servicing=strategy)
        return values(results, "trace_state")[..., 1]

    weak, strong = states(1.1), states(2.5)
    weak, strong = (np.select([found == MATURED, found == CHARGED_OFF], [0, 7], found) for found in (weak, strong))
    assert max(weak.max(), strong.max()) == 7
    assert (strong <= weak).all()
    assert (strong < weak).any()


def test_a_stronger_cure_effect_never_raises_the_mean_loss() -> None:
    losses = []
    for factor in (1.0, 1.3, 2.0, 4.0):
        strategy = Servicing(ladder(rung("sms", effect={"cure": factor}), rung("repossession"), rung("extension")))
        results = run(equal_loans(300), shipped("us_subprime"), paths=40, months=24, seed=6, servicing=strategy)
        losses.append(values(results, "ultimate_loss").sum(axis=1) + values(results, "ultimate_loss_after_horizon"))
    for weaker, stronger in pairwise(losses):
        assert stronger.mean() < weaker.mean()
        assert (stronger <= weaker).mean() > 0.9


# --- what a servicer knows ---------------------------------------------------------------------------------------


def typed(shares: tuple[float, float, float]) -> Parameters:
    """A lively set whose types differ in nothing but their names and what visits do to them."""
    rows = [[0.6, 0.35, 0, 0, 0, 0.05], [0.3, 0.3, 0.35, 0, 0, 0.05], [0.15, 0.2, 0.3, 0.3, 0.05, 0]]
    parameters = chain([*rows, [0.1, 0.1, 0.2, 0.5, 0.1, 0]])
    open_type = np.tile(np.array(shares), (1, 4, 1))
    return changed(parameters, type_share=np.array([shares]), open_type=open_type)


def choices(shares: tuple[float, float, float], *rungs: dict) -> NDArray[np.float64]:
    tape = mixed_book(60, seed=4)
    ids = tuple(tape["loan_id"].tolist())
    agents = {"agents": {"hours_per_month": 6, "priority": {"waiting": 1, "balance": 1}}}
    strategy = ladder(*rungs, pools=agents if any("pool" in item for item in rungs) else {})
    results = run(tape, typed(shares), paths=6, months=10, seed=3, trace=ids, servicing=Servicing(strategy))
    return values(results, "trace_rungs")


def test_types_that_nobody_revealed_change_no_choice() -> None:
    calls = rung("phone", pool="agents", hours_per_contact=1, reach_percent=60, who={"revealed": ["unknown"]})
    letters = rung("letter", who={"after": ["phone"]})
    found = [choices(shares, calls, letters) for shares in ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.2, 0.3, 0.5))]
    assert np.array_equal(found[0], found[1])
    assert np.array_equal(found[0], found[2])
    assert set(np.unique(found[0])) == {0.0, 1.0, 2.0, 3.0}


def test_a_visit_reveals_the_type_and_only_then_it_counts() -> None:
    visits = rung("visit", reach_percent=50)
    writ = rung("litigation", judgment_months=6, won_percent=90, enforced_percent=20, cost_percent=5,
                who={"revealed": ["strategic"]})  # fmt: skip
    none, all_ = choices((1.0, 0.0, 0.0), visits, writ), choices((0.0, 0.0, 1.0), visits, writ)
    assert none.max() == 1.0
    assert (all_[:, :, 1] <= 1.0).all()  # a writ needs a visit at an earlier close
    assert all_.max() == 3.0


def test_visits_help_less_on_strategic_borrowers() -> None:
    """The library's visits, on books that are all of one type and else alike."""
    (visit,) = [item for item in find_strategy("field_early").ladder if item.action == "visit"][:1]
    fields = visit.model_dump(mode="json", exclude_none=True) | {"pool": None, "hours_per_contact": None, "who": {}}
    strategy = Servicing(ladder({key: value for key, value in fields.items() if value is not None}))
    charged_off = {}
    for place, kind in enumerate(("forgetful", "hardship", "strategic")):
        shares = tuple(float(item == place) for item in range(3))
        for name, servicing in (("none", Servicing(ladder())), ("visit", strategy)):
            results = run(endless_loans(400, 45), typed(shares), paths=20, months=8, seed=5, servicing=servicing)
            charged_off[kind, name] = values(results, "charge_off_count").sum()
    saved = {kind: 1.0 - charged_off[kind, "visit"] / charged_off[kind, "none"] for kind, _ in charged_off}
    assert saved["strategic"] < min(saved["forgetful"], saved["hardship"])
