"""What a borrower in arrears does in a month: competing exponentials (2), (3g), (3h), (3i), in the compiled kernels."""

from __future__ import annotations

import math
from collections import Counter
from decimal import Decimal, getcontext

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy.stats import chi2

from item_kernels import Arrears, clock_of, decided, fill_waiting, race_one
from scenarios.vocabulary import (
    CHARGE_OFF,
    CHARGED_OFF,
    CURE,
    ENTER,
    EXTENDED,
    FORGETFUL,
    HARDSHIP,
    MAX_BUCKET,
    PREPAID,
    PREPAY,
    PURPOSE_BUCKET,
    PURPOSE_CHARGE_OFF,
    PURPOSE_MODIFY,
    PURPOSE_PLAN,
    PURPOSE_PREPAY,
    PURPOSE_SPELL,
    PURPOSE_TOTAL_LOSS,
    ROLL,
    TOTAL_LOSS,
    TYPES,
)
from simulator.intensities import cause_classes, probabilities_from_intensities
from simulator.kernels.random import event_uniform
from simulator.kernels.workspace import OFFERS_WRITE_OFF
from small_books import fixed_examples

SEED = 20_250_101

shares = st.floats(0.0, 1.0)


def exits(worst: int) -> list[int]:
    """Events by column of a row of intensities: buckets, charge-off, payoff; then total loss."""
    return [*range(worst + 1), CHARGED_OFF, PREPAID, TOTAL_LOSS]


# --- one exponential a cause ---------------------------------------------------------------------


Macro = tuple[float, float, float, float, float]
Case = tuple[Arrears, tuple[int, int, int], Macro, float]
"""Loan, address (path, month, seed), multipliers by class, intensity of total loss."""


@st.composite
def arrears(draw: st.DrawFn) -> Case:
    worst = draw(st.integers(1, MAX_BUCKET))
    bucket = draw(st.integers(1, worst))
    row = np.array(
        draw(st.lists(st.one_of(st.just(0.0), st.floats(1e-9, 4.0)), min_size=worst + 3, max_size=worst + 3))
    )
    row[bucket] = 0.0
    macro = draw(st.tuples(*[st.floats(0.1, 5.0)] * 5))
    total_loss = draw(st.one_of(st.just(0.0), st.floats(1e-9, 2.0)))
    path, month = draw(st.integers(0, 2**32 - 1)), draw(st.integers(1, 1_223))
    kind = draw(st.integers(0, len(TYPES) - 1))
    modified = draw(st.one_of(st.just(0.0), st.just(1.0), shares))
    loan = Arrears(draw(st.integers(0, 2**63 - 1)), bucket, row, kind, modified)
    return loan, (path, month, SEED), macro, total_loss


def state_after(case: Case) -> int:
    loan, (path, month, seed), macro, total_loss = case
    found, _ = decided([loan], clock_of(seed, path=path), month, macro, total_loss)
    return int(found[0])


def plain(case: Case) -> Case:
    """The case without extensions."""
    loan, *rest = case
    return loan._replace(modified_share=0.0), *rest


def causes(case: Case) -> dict[int, tuple[int, float]]:
    """Purpose of the draw and intensity of every cause that can happen."""
    loan, _, macro, total_loss = case
    worst = loan.row.size - 3
    classes = cause_classes(worst + 1)[loan.bucket]
    purposes = [*(PURPOSE_BUCKET + target for target in range(worst + 1)), PURPOSE_CHARGE_OFF, PURPOSE_PREPAY]
    rates = [rate * macro[kind] for rate, kind in zip(loan.row.tolist(), classes, strict=True)]
    drawn = zip(exits(worst), [*purposes, PURPOSE_TOTAL_LOSS], [*rates, total_loss], strict=True)
    return {event: (purpose, rate) for event, purpose, rate in drawn if rate > 0.0}


@fixed_examples
@given(arrears())
def test_the_shortest_waiting_time_wins_if_it_is_below_a_month(case: Case) -> None:
    loan, (path, month, seed), *_ = case
    entity = np.uint64(loan.entity)
    waiting = {
        event: -math.log(event_uniform(entity, path, month, purpose, np.uint64(seed))) / rate
        for event, (purpose, rate) in causes(case).items()
    }
    first = min(waiting, key=waiting.__getitem__, default=loan.bucket)
    expected = first if waiting.get(first, 1.0) < 1.0 else loan.bucket
    assert state_after(plain(case)) == expected
    extension = event_uniform(entity, path, month, PURPOSE_MODIFY, np.uint64(seed))
    extended = expected == 0 and extension < loan.modified_share
    assert state_after(case) == (EXTENDED if extended else expected)


@fixed_examples
@given(arrears(), st.integers(0, 2))
def test_no_extension_once_the_last_instalment_is_due(case: Case, late: int) -> None:
    loan, address, *rest = case
    month = address[1]
    assert state_after((loan._replace(term=month - late, modified_share=1.0), address, *rest)) == state_after(
        plain(case)
    )


@fixed_examples
@given(arrears(), st.integers(0, MAX_BUCKET + 3), st.floats(0.01, 5.0))
def test_another_cause_leaves_the_draws_of_the_others_alone(case: Case, column: int, rate: float) -> None:
    loan, address, macro, total_loss = plain(case)
    rates = np.append(loan.row, total_loss)
    assume(column < rates.size and column != loan.bucket and rates[column] == 0.0)
    rates[column] = rate
    event = exits(loan.row.size - 3)[column]
    more = loan._replace(row=rates[:-1].copy()), address, macro, float(rates[-1])
    assert state_after(more) in (state_after(plain(case)), event)


@fixed_examples
@given(arrears(), st.sampled_from([CURE, ROLL, CHARGE_OFF, PREPAY]), st.floats(1.0, 4.0))
def test_a_multiplier_moves_its_own_class_alone(case: Case, cause: int, factor: float) -> None:
    loan, address, macro, total_loss = plain(case)
    before = state_after(plain(case))
    raised = tuple(value * factor if place == cause else value for place, value in enumerate(macro))
    after = state_after((loan, address, raised, total_loss))
    no_class = -9  # total loss answers to no multiplier
    classes = dict(
        zip(exits(loan.row.size - 3), [*cause_classes(loan.row.size - 2)[loan.bucket], no_class], strict=True)
    )
    assert after == before or classes[after] == cause
    assert before == loan.bucket or classes[before] != cause or after == before or classes[after] == cause


@fixed_examples
@given(arrears())
def test_the_class_of_entry_does_not_touch_arrears(case: Case) -> None:
    loan, address, macro, total_loss = case
    other = tuple(7.0 if place == ENTER else value for place, value in enumerate(macro))
    assert state_after((loan, address, other, total_loss)) == state_after(case)


@fixed_examples
@given(st.lists(arrears(), min_size=2, max_size=70), st.integers(1, MAX_BUCKET))
def test_loans_side_by_side_decide_as_each_alone(cases: list[Case], worst: int) -> None:
    """All at the first one's address in time and under its macro variables; rows of one length."""
    _, address, macro, total_loss = cases[0]
    some = [loan._replace(bucket=min(loan.bucket, worst), row=np.resize(loan.row, worst + 3)) for loan, *_ in cases]
    for loan in some:
        loan.row[loan.bucket] = 0.0
    path, month, seed = address
    found, _ = decided(some, clock_of(seed, path=path), month, macro, total_loss)
    assert found.tolist() == [state_after((loan, address, macro, total_loss)) for loan in some]


@fixed_examples
@given(arrears(), st.floats(0.05, 0.95))
def test_a_hardship_that_is_over_acts_no_more_in_its_last_month(case: Case, chance: float) -> None:
    """What its bearer does is looked up under the type that he has become, whose intensities move all at once."""
    loan, (path, month, seed), macro, total_loss = plain(case)
    for kind in range(len(TYPES)):
        mine = loan._replace(kind=kind)
        found, after = decided([mine], clock_of(seed, path=path), month, macro, total_loss, chance)
        ends = event_uniform(np.uint64(loan.entity), path, month, PURPOSE_SPELL, np.uint64(seed)) < chance
        over = kind == HARDSHIP and ends
        assert after[0].kind == (FORGETFUL if over else kind)
        # Rows that are not the loan's own are so large that it moves at once.
        if over:
            assert found[0] != loan.bucket
        else:
            assert found[0] == state_after((mine, (path, month, seed), macro, total_loss))


# --- what collections do to it (P6), (P7) -----------------------------------------------------------------------------


def treated(case: Case, **effort: float) -> Case:
    """The case in a month in which collections act."""
    loan, *rest = case
    return loan._replace(effort=effort), *rest


@fixed_examples
@given(arrears())
def test_collections_without_effect_change_nothing(case: Case) -> None:
    assert state_after(treated(case)) == state_after(case)


@fixed_examples
@given(arrears(), *[st.floats(0.0, 4.0)] * 3)
def test_effects_multiply_the_intensities_of_their_class(
    case: Case, cure: float, roll: float, charge_off: float
) -> None:
    """As if the loan's own row were larger, cause by cause; payoff and total loss are nobody's to move."""
    loan, *rest = plain(case)
    factors = np.ones(loan.row.size)
    factors[: loan.bucket], factors[loan.bucket + 1 : -2], factors[-2] = cure, roll, charge_off
    expected = state_after((loan._replace(row=loan.row * factors), *rest))
    assert state_after(treated(plain(case), cure=cure, roll=roll, charge_off=charge_off)) == expected


@fixed_examples
@given(arrears(), st.floats(0.0, 4.0), st.floats(0.0, 4.0))
def test_extensions_have_an_effect_of_their_own(case: Case, cure: float, extension: float) -> None:
    """(P6): returns to current are the sum of cures, cured by `cure`, and of extensions, by `extension`."""
    loan, *rest = case
    share = loan.modified_share
    returns = (1.0 - share) * cure + share * extension
    row = loan.row.copy()
    row[0] *= returns
    row[1 : loan.bucket] *= cure
    share_after = share * extension / returns if returns > 0.0 else 0.0
    expected = state_after((loan._replace(row=row, modified_share=share_after), *rest))
    assert state_after(treated(case, cure=cure, extension=extension)) == expected


@fixed_examples
@given(arrears(), st.floats(1e-6, 4.0), st.integers(-1, 1))
def test_a_plan_is_a_cause_with_its_own_exponential(case: Case, plan: float, left: int) -> None:
    """(P7): it competes with the others, and only while the loan has its last due date before it."""
    loan, (path, month, seed), *rest = plain(case)
    mine = loan._replace(term=month + left), (path, month, seed), *rest
    entity = np.uint64(loan.entity)
    waiting = {
        event: -math.log(event_uniform(entity, path, month, purpose, np.uint64(seed))) / rate
        for event, (purpose, rate) in causes(mine).items()
    }
    accepted = -math.log(event_uniform(entity, path, month, PURPOSE_PLAN, np.uint64(seed))) / plan
    comes = left > 0 and accepted < min([1.0, *waiting.values()])
    assert state_after(treated(mine, plan=plan)) == (EXTENDED if comes else state_after(mine))


@fixed_examples
@given(arrears(), st.floats(0.0, 4.0))
def test_a_write_off_comes_before_all_else(case: Case, charge_off: float) -> None:
    assert state_after(treated(case, offers=OFFERS_WRITE_OFF, charge_off=charge_off)) == CHARGED_OFF


# --- frequencies ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("bucket", "scale"), [(1, 1.0), (3, 1.0), (6, 0.2), (6, 3.0)])
def test_frequencies_are_those_of_equation_2(bucket: int, scale: float) -> None:
    """Chi-square of 40,000 draws over all exits; four cases, a fresh seed fails about once in 10,000."""
    worst, draws = 6, 40_000
    row = scale * np.array([0.30, 0.12, 0.10, 0.08, 0.06, 0.05, 0.04, 0.25, 0.02])
    row[bucket] = 0.0
    macro, total_loss = (1.0, 0.8, 1.3, 1.1, 0.9), scale * 0.03
    entities = np.arange(draws, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15) >> np.uint64(1)
    counts: Counter[int] = Counter()
    for part in entities.reshape(4, -1):
        loans = [Arrears(int(entity), bucket, row) for entity in part]
        found, _ = decided(loans, clock_of(SEED, path=3), 5, macro, total_loss)
        counts.update(found.tolist())
    classes = cause_classes(worst + 1)[bucket]
    rates = np.append(row * np.where(classes < 0, 1.0, np.array(macro)[classes]), total_loss)
    moves = probabilities_from_intensities(rates)
    moves[bucket] = 1.0 - moves.sum()
    statistic = sum(
        (counts[event] - draws * p) ** 2 / (draws * p) for event, p in zip(exits(worst), moves, strict=True)
    )
    assert statistic < chi2.isf(1e-4 / 4, df=len(moves) - 1)


# --- exponentials --------------------------------------------------------------------------------------------


ENDS = [0, 1, 2, 3, 2**32 - 1, 2**32 - 2, 2**31 - 1, 2**31, 2**31 + 1]
POWERS = [2**power + step for power in range(2, 32) for step in (-1, 0, 1)]


def test_the_logarithm_of_a_word_misses_by_less_than_a_unit_in_the_last_place() -> None:
    """Against forty digits: both ends, all powers of two, where the argument's reduction changes, and 6,000 others."""
    turns = [round(math.sqrt(0.5) * 2**power) + step for power in range(2, 33) for step in (-2, -1, 0, 1)]
    random = np.random.default_rng(9).integers(0, 2**32, 5_000).tolist()
    near_one = (2**32 - np.geomspace(1, 2**31, 1_000).astype(np.int64)).tolist()
    words = np.unique(np.array([*ENDS, *POWERS, *turns, *random, *near_one], dtype=np.uint32))
    found, getcontext().prec = np.empty(words.size), 40
    fill_waiting(words, found)
    exact = [-((Decimal(int(word)) + Decimal("0.5")) / 2**32).ln() for word in words]
    missed = [
        abs(Decimal(value) - truth) / Decimal(math.ulp(value))
        for value, truth in zip(found.tolist(), exact, strict=True)
    ]
    assert max(missed) < 1
    plain_log = np.array([-math.log((int(word) + 0.5) / 2**32) for word in words])
    np.testing.assert_array_max_ulp(found, plain_log, maxulp=1)


def test_the_exponential_of_any_word_is_positive_and_falls() -> None:
    words = np.unique(np.array([*ENDS, *POWERS, *range(0, 2**32, 65_537)], dtype=np.uint32))
    found = np.empty(words.size)
    fill_waiting(words, found)
    assert np.all(np.diff(found) <= 0.0)
    assert found[-1] == pytest.approx(2.0**-33, rel=1e-9)
    assert found[0] == pytest.approx(33.0 * math.log(2.0), rel=1e-15)


@fixed_examples
@given(
    causes=st.integers(1, 9),
    count=st.integers(1, 70),
    none=st.floats(0.0, 1.0),
    seed=st.integers(0, 2**32 - 1),
)
def test_a_race_is_won_by_the_shortest_time(causes: int, count: int, none: float, seed: int) -> None:
    """The least E_k / lambda_k below a month wins; a cause of intensity 0 never does."""
    random = np.random.default_rng(seed)
    words = random.integers(0, 2**32, (causes, count), dtype=np.uint32)
    rates = np.where(random.random((causes, count)) < none, 0.0, random.exponential(1.0, (causes, count)))
    soonest, drawn = np.ones(count), np.full(count, 99, np.int64)
    for cause in range(causes):
        race_one(cause, words[cause], rates[cause], soonest, drawn)
    times = np.full((causes, count), np.inf)
    np.divide(-np.log((words + 0.5) / 2.0**32), rates, out=times, where=rates > 0.0)
    best = times.min(axis=0)
    assert np.array_equal(drawn, np.where(best < 1.0, times.argmin(axis=0), 99))
    np.testing.assert_allclose(soonest, np.minimum(best, 1.0), rtol=4e-16)
