"""Methodology (3k): the seasoned pool shows the published matrix, whatever tells its borrowers apart."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable
from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from numpy.typing import NDArray

from calibration.library import find_parameter_set, parameter_set_names
from parameter_sections import SECTIONS, by_type, figure, with_sections, without_sections
from scenarios.errors import InputError
from scenarios.vocabulary import (
    CHARGE_OFF,
    CURE,
    CURED,
    ENTER,
    FORGETFUL,
    HARDSHIP,
    HISTORY_MONTHS,
    MODIFIED,
    ROLL,
    STRATEGIC,
)
from simulator.intensities import quasi_stationary, transition_matrix
from simulator.parameters import Parameters, build_parameters
from simulator.seasoned import (
    HISTORY_STATES,
    SeasonedPool,
    Traits,
    bucket_matrix,
    older,
    pool_chain,
    relapse_probability,
    sales_per_loan,
    seized_share,
    solve_pool,
    spell_matrix,
)
from simulator.tier_tables import tier_traits

NAMES = parameter_set_names()
ALIKE = Traits(np.ones((2, HISTORY_MONTHS + 1)), np.array([1.0, 0.0, 0.0]), np.ones((3, 5)), 0.0, np.zeros(4))


@cache
def _on(name: str) -> Parameters:
    return build_parameters([with_sections(find_parameter_set(name))])


@cache
def _shipped(name: str) -> Parameters:
    return build_parameters([find_parameter_set(name)])


def _pool(parameters: Parameters) -> tuple[SeasonedPool, Traits]:
    traits = tier_traits(parameters.borrower, 0)
    return solve_pool(parameters.published_intensity[0], traits, "a test"), traits


# --- the published matrix ---------------------------------------------------------------------------


@pytest.mark.parametrize("build", [_shipped, _on])
@pytest.mark.parametrize("name", NAMES)
def test_the_seasoned_pool_shows_the_published_matrix(build: Callable[[str], Parameters], name: str) -> None:
    parameters = build(name)
    pool, traits = _pool(parameters)
    realised = bucket_matrix(pool_chain(parameters.intensity[0], traits), pool.share)
    assert np.abs(realised - transition_matrix(parameters.published_intensity[0])).max() < 1e-10
    assert (pool.intensity == parameters.intensity[0]).all()


Shares = dict[tuple[int, int], float]


class AgedPool:
    """The slow obvious version: states in dicts, one by one, and no linear algebra.

    Current loans are (kind of history or -1, months since), loans in arrears (bucket, type).
    """

    def __init__(self, traits: Traits, intensity: NDArray[np.float64]) -> None:
        self.traits, self.intensity, self.worst = traits, intensity, len(intensity) - 1
        self.current: Shares = {(-1, 0): 1.0}
        self.arrears: Shares = {}

    def month(self) -> NDArray[np.float64]:
        """Move the pool by a month; return its realised matrix."""
        flow = np.zeros((self.worst + 1, self.worst + 3))
        before, self.current, self.arrears = (self.current, self.arrears), defaultdict(float), defaultdict(float)
        for state, share in before[0].items():
            self._from_current(state, share, flow)
        for (bucket, opened_as), share in before[1].items():
            ends = 1.0 - math.exp(-self.traits.spell_end) if opened_as == HARDSHIP else 0.0
            self._from_arrears(bucket, opened_as, share * (1.0 - ends), flow)
            self._from_arrears(bucket, FORGETFUL, share * ends, flow)
        left = sum(self.current.values()) + sum(self.arrears.values())
        self.current = {state: share / left for state, share in self.current.items()}
        self.arrears = {state: share / left for state, share in self.arrears.items()}
        total = flow.sum(axis=1, keepdims=True)
        return np.divide(flow, total, out=np.zeros_like(flow), where=total > 0.0)

    def history(self) -> NDArray[np.float64]:
        """Shares of current loans, as `Borrower.open_history` orders them."""
        states = [(-1, 0), *((kind, month) for kind in (CURED, MODIFIED) for month in range(HISTORY_MONTHS))]
        shares = np.array([self.current.get(state, 0.0) for state in states])
        return np.asarray(shares / shares.sum())

    def _from_current(self, state: tuple[int, int], share: float, flow: NDArray[np.float64]) -> None:
        kind, month = state
        rates = self.intensity[0].copy()
        rates[1:-1] *= self.traits.history[kind, month] if kind >= 0 else 1.0
        moves = share * rates / rates.sum() * (1.0 - math.exp(-rates.sum()))
        flow[0] += moves
        flow[0, 0] += share - moves.sum()
        goes_on = kind >= 0 and month + 1 < HISTORY_MONTHS
        self.current[(kind, month + 1) if goes_on else (-1, 0)] += share - moves.sum()
        for borrower in (FORGETFUL, HARDSHIP, STRATEGIC):
            self.arrears[1, borrower] += moves[1] * self.traits.entry_type[borrower]

    def _from_arrears(self, bucket: int, borrower: int, share: float, flow: NDArray[np.float64]) -> None:
        own, rates = self.traits.type_multiplier[borrower], self.intensity[bucket].copy()
        rates[:bucket] *= own[CURE]
        rates[bucket : self.worst + 1] *= own[ROLL]
        rates[self.worst + 1] *= own[CHARGE_OFF]
        moves = share * rates / rates.sum() * (1.0 - math.exp(-rates.sum()))
        moves[bucket] = share - moves.sum()
        flow[bucket] += moves
        for target in range(1, self.worst + 1):
            self.arrears[target, borrower] += moves[target]
        self.current[CURED, 0] += moves[0] * (1.0 - self.traits.modified_share[bucket])
        self.current[MODIFIED, 0] += moves[0] * self.traits.modified_share[bucket]


@pytest.mark.parametrize("name", ["us_subprime", "cn_auto_finance"])
def test_a_pool_aged_month_by_month_settles_to_the_published_matrix(name: str) -> None:
    # The slowest memory of the start fades by less than .85 a month: 1e-9 is left of it after 130.
    parameters = _on(name)
    pool = AgedPool(tier_traits(parameters.borrower, 0), parameters.intensity[0])
    for _ in range(160):
        realised = pool.month()
    assert realised == pytest.approx(transition_matrix(parameters.published_intensity[0]), abs=1e-9)
    assert pool.history() == pytest.approx(parameters.borrower.open_history[0], abs=1e-9)


@pytest.mark.parametrize("name", NAMES)
def test_without_sections_nothing_changes_a_bit(name: str) -> None:
    parameters = build_parameters([without_sections(find_parameter_set(name))])
    assert (parameters.intensity == parameters.published_intensity).all()
    assert parameters.borrower.open_history[0].tolist() == [1.0, *[0.0] * (HISTORY_STATES - 1)]
    assert (parameters.borrower.open_type == np.array([1.0, 0.0, 0.0])).all()


def test_multipliers_of_one_change_nothing_a_bit() -> None:
    # Types are told apart by name only: the pool has its mix of them, and the intensities of the matrix.
    ones = {name: by_type(1.0, 1.0, 1.0) for name in ("cure_multiplier", "roll_multiplier", "charge_off_multiplier")}
    item = with_sections(find_parameter_set("us_prime"), types={**SECTIONS["types"], **ones}, history=None)
    parameters = build_parameters([item])
    assert (parameters.intensity == parameters.published_intensity).all()
    assert 0.0 < parameters.borrower.open_type[0, 1, HARDSHIP] < 1.0
    assert parameters.borrower.open_history[0, 0] < 1.0


def test_each_tier_of_a_book_is_solved_alone() -> None:
    prime, near = (with_sections(find_parameter_set(name)) for name in ("us_prime", "us_near_prime"))
    both = build_parameters([prime, near])
    assert (both.intensity[1] == build_parameters([near]).intensity[0]).all()
    assert (both.borrower.open_type[0] == build_parameters([prime]).borrower.open_type[0]).all()


def test_a_pool_that_cannot_be_is_refused() -> None:
    # Nobody cures but the forgetful, of whom there are none.
    types = {**SECTIONS["types"], "shares": by_type(0.0, 0.0, 1.0), "cure_multiplier": by_type(1.0, 1.0, 0.0)}
    with pytest.raises(InputError) as caught:
        build_parameters([with_sections(find_parameter_set("us_prime"), types=types)])
    text = str(caught.value)
    assert text.startswith("parameters us_prime: histories and types with which no intensities return the published")
    assert "Move the multipliers of `history` and `types` nearer to 1" in text


# --- the mix ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", NAMES)
def test_shares_sum_to_one(name: str) -> None:
    borrower = _on(name).borrower
    assert borrower.open_history.sum(axis=1) == pytest.approx(1.0, abs=1e-12)
    assert borrower.open_type.sum(axis=2) == pytest.approx(1.0, abs=1e-12)
    assert (borrower.open_history > 0.0).all()


def test_the_longer_ago_the_fewer() -> None:
    history = _on("us_subprime").borrower.open_history[0]
    for kind in (CURED, MODIFIED):
        months = history[1 + kind * HISTORY_MONTHS :][:HISTORY_MONTHS]
        assert (np.diff(months) < 0.0).all()


def test_strategic_borrowers_gather_in_the_worse_buckets() -> None:
    types = _on("us_subprime").borrower.open_type[0]
    assert (np.diff(types[1:, STRATEGIC]) > 0.0).all()
    assert (np.diff(types[1:, FORGETFUL]) < 0.0).all()


def test_intensities_fall_as_multipliers_rise() -> None:
    # The pool's mean is kept: the riskier a cured loan, the safer a clean one.
    clean = []
    for multiplier in (1.0, 2.0, 4.0, 8.0):
        history = {**SECTIONS["history"], "multiplier_at_cure": figure(multiplier)}
        item = with_sections(find_parameter_set("us_near_prime"), history=history)
        clean.append(build_parameters([item]).intensity[0, 0, 1])
    assert (np.diff(clean) < 0.0).all()


def test_negative_equity_makes_entries_strategic() -> None:
    traits = tier_traits(_on("us_prime").borrower, 0)
    assert traits.entry_type == pytest.approx([0.4 / 1.25, 0.5 / 1.25, 0.2 + 0.1 / 1.25])


def test_a_history_ends_after_two_years() -> None:
    state = np.array([1])
    for _ in range(HISTORY_MONTHS - 1):
        state = older(state)
    assert (state.tolist(), older(state).tolist()) == ([HISTORY_MONTHS], [0])
    assert older(np.array([0, HISTORY_MONTHS + 1, 2 * HISTORY_MONTHS])).tolist() == [0, HISTORY_MONTHS + 2, 0]


def test_hardship_ends_with_its_intensity() -> None:
    assert spell_matrix(0.15)[HARDSHIP] == pytest.approx([1.0 - np.exp(-0.15), np.exp(-0.15), 0.0])
    assert spell_matrix(0.15)[[FORGETFUL, STRATEGIC]].tolist() == [[1.0, 0.0, 0.0], [0.0, 0.0, 1.0]]


# --- multipliers of history and of the types ----------------------------------------------------------


def test_the_multiplier_after_a_cure_halves_and_ends() -> None:
    table = _on("us_prime").borrower.history_multiplier[0]
    assert table[CURED, [0, HISTORY_MONTHS]].tolist() == [3.0, 1.0]
    left = 2.0 ** (-HISTORY_MONTHS / 4.0)
    assert table[CURED, 4] == pytest.approx(1.0 + 2.0 * (0.5 - left) / (1.0 - left))
    assert (np.diff(table[CURED]) < 0.0).all()


def test_the_multiplier_after_an_extension_holds_and_ends() -> None:
    assert _on("us_prime").borrower.history_multiplier[0, MODIFIED].tolist() == [2.0] * 12 + [1.0] * 13


def test_types_act_in_arrears_only() -> None:
    table = _on("us_prime").borrower.type_multiplier[0]
    assert table[:, CURE].tolist() == [1.5, 0.7, 0.5]
    assert table[:, ENTER].tolist() == [1.0] * 3


# --- what follows from a pool ----------------------------------------------------------------------------


def test_relapse_of_a_chain_without_traits_known_answer() -> None:
    # One month: entry. Two months more: two rolls, the second maybe a charge-off, by the matrix itself.
    published = _shipped("us_near_prime").published_intensity[0]
    pool = solve_pool(published, ALIKE, "a test")
    matrix = transition_matrix(published)
    assert relapse_probability(pool, ALIKE, 1, months=1) == pytest.approx(matrix[0, 1])
    expected = matrix[0, 1] * matrix[1, 2] * (matrix[2, 3] + matrix[2, 4])
    assert relapse_probability(pool, ALIKE, 3, months=3) == pytest.approx(expected)


def test_relapse_rises_with_the_multiplier_and_with_time() -> None:
    pool, traits = _pool(_on("us_subprime"))
    worse = replace(traits, history=np.minimum(traits.history * 1.5, traits.history[:, :1] * 1.5))
    assert relapse_probability(pool, worse, 3) > relapse_probability(pool, traits, 3)
    assert relapse_probability(pool, traits, 3, 24) > relapse_probability(pool, traits, 3, 12)
    assert relapse_probability(pool, traits, 1) > relapse_probability(pool, traits, 3)


def test_no_seizure_sells_what_is_found() -> None:
    parameters = _shipped("us_subprime")
    matrix = transition_matrix(parameters.published_intensity[0])
    shares, _ = quasi_stationary(matrix[:, :4])
    pool = solve_pool(parameters.published_intensity[0], ALIKE, "a test")
    assert sales_per_loan(pool, ALIKE, np.zeros(4), 0.6) == pytest.approx(0.6 * shares @ matrix[:, 4])


def test_certain_seizure_takes_every_car_in_arrears() -> None:
    parameters = _on("us_subprime")
    pool, traits = _pool(parameters)
    everything = np.array([0.0, 800.0, 800.0, 800.0])
    arrears = pool.share[HISTORY_STATES:].reshape(3, 3)
    assert seized_share(pool, traits, everything) == pytest.approx(arrears)
    all_sold = sales_per_loan(pool, traits, everything, 0.0)
    charge_offs = pool.share[:HISTORY_STATES].sum() / pool.share.sum()
    assert 0.0 < all_sold < charge_offs
    assert (seized_share(pool, traits, np.array([0.0, 0.0, 0.1, 0.3]))[0] < arrears[0]).all()


def test_a_seized_car_stays_seized_through_partial_cures() -> None:
    # No seizure in the first bucket, yet loans come back to it from the second with their cars gone.
    parameters = _on("us_subprime")
    pool, traits = _pool(parameters)
    share = seized_share(pool, traits, np.array([0.0, 0.0, 5.0, 0.0]))
    assert (share[0] > 0.0).all()
    assert share[0].sum() < share[1].sum()


def test_total_loss_beyond_payoff_is_refused() -> None:
    section = {**SECTIONS["total_loss"], "intensity_per_month": figure(0.02)}
    with pytest.raises(InputError) as caught:
        build_parameters([with_sections(find_parameter_set("us_prime"), total_loss=section)])
    text = str(caught.value)
    assert "total_loss.intensity_per_month = 0.02 and payoff of 0.01" in text
    assert "Lower the intensity of total loss, or add total losses to `prepaid`" in text
