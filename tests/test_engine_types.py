"""Types of borrowers in arrears, through the engine: who is of which type, and what types do (3g), (3h)."""

from __future__ import annotations

import math

import numpy as np
import pytest

from known_cases import assert_shares, normal_bound
from scenarios.macro import MonthlyMacro
from scenarios.vocabulary import CAUSE_CLASSES, CHARGE_OFF, CURE, FORGETFUL, HARDSHIP, ROLL, STRATEGIC, TYPES
from simulator.engine import simulate
from simulator.horizon import months_needed
from simulator.parameters import Parameters
from simulator.tape import LoanTape
from small_books import BUCKET_DAYS, certain, equal_loans, macro_at, mixed_book, quiet, run, values, with_offset

FALSE_ALARM = 1e-4
"""Chance that a statistical test of this file fails on a fresh seed although all is well."""

SHARES = np.array([[0.5, 0.3, 0.2]])
PER_POINT = math.log(2.0) / 0.02
"""Two points of unemployment double the odds of hardship."""


def kinds_at_entry(parameters: Parameters, tape: LoanTape, macro: MonthlyMacro) -> np.ndarray:
    """Types of loans that all enter arrears in month 1, counted."""
    ids = tuple(tape["loan_id"].tolist())
    results = simulate(tape, macro, parameters, paths=3, months=1, seed=8, trace=ids)
    kinds = values(results, "trace_type")[..., 1].astype(int)
    assert kinds.min() >= 0
    return np.bincount(kinds.ravel(), minlength=len(TYPES))


@pytest.mark.parametrize(
    ("nation", "region", "sector"), [(0.0, 0.0, 0.0), (0.02, 0.0, 0.0), (0.0, 0.0, 0.02), (0.01, 0.02, -0.05)]
)
def test_hardship_moves_with_unemployment_where_the_borrower_lives_and_works(
    nation: float, region: float, sector: float
) -> None:
    """Three shares of 12,000 entries; the four cases fail about once in 10,000 fresh seeds."""
    parameters = certain({0: 1}, type_share=SHARES, hardship_per_point=np.array([PER_POINT]))
    tape = equal_loans(4_000, region="NV", sector="mining")
    macro = macro_at(parameters, months_needed(parameters, 1), unemployment=nation)
    macro = with_offset(with_offset(macro, "NV", unemployment=region), "mining", "sector", unemployment=sector)
    odds = math.exp(PER_POINT * (nation + region + sector))
    expected = SHARES[0] * [1.0, odds, 1.0] / (SHARES[0] * [1.0, odds, 1.0]).sum()
    assert_shares(kinds_at_entry(parameters, tape, macro), expected, 12_000, normal_bound(FALSE_ALARM, 12))


def test_other_regions_and_sectors_keep_their_odds() -> None:
    parameters = certain({0: 1}, type_share=SHARES, hardship_per_point=np.array([PER_POINT]))
    tape = equal_loans(300, region="NV", sector="mining")
    level = macro_at(parameters, months_needed(parameters, 1))
    elsewhere = with_offset(with_offset(level, "CA", unemployment=0.05), "health", "sector", unemployment=0.05)
    found, expected = (kinds_at_entry(parameters, tape, macro) for macro in (elsewhere, level))
    assert np.array_equal(found, expected)


def test_the_odds_are_those_of_the_month_of_entry() -> None:
    """All enter in months 1, 3 and 5; unemployment stands high in month 3 alone; once in 10,000 fresh seeds."""
    parameters = certain({0: 1, 1: 0}, type_share=SHARES, hardship_per_point=np.array([PER_POINT]))
    last, tape = months_needed(parameters, 5), equal_loans(4_000, remaining_term=60)
    macro = macro_at(parameters, last, unemployment=np.where(np.arange(last + 1) == 3, 0.04, 0.0))
    ids = tuple(tape["loan_id"].tolist())
    kinds = values(simulate(tape, macro, parameters, paths=1, months=5, seed=8, trace=ids), "trace_type")[:, 0]
    for month, odds in ((1, 1.0), (3, 4.0), (5, 1.0)):
        hardship = np.array([(kinds[:, month] == HARDSHIP).sum()])
        assert_shares(hardship, [0.3 * odds / (0.7 + 0.3 * odds)], 4_000, normal_bound(FALSE_ALARM, 3))


def test_what_negative_equity_adds_is_strategic() -> None:
    """At the cap 1.2 of the 2.2 entries are strategic, the rest as ever; once in 10,000 fresh seeds."""
    equity = {"equity_slope": 1.6, "equity_threshold": 0.9, "equity_cap": 2.2, "equity_mean": 1.07}
    parameters = certain({0: 1}, type_share=SHARES, **{name: np.array([value]) for name, value in equity.items()})
    tape = equal_loans(4_000, vehicle_value=2_000.0)
    macro = macro_at(parameters, months_needed(parameters, 1))
    shares = SHARES[0] / 2.2
    shares[STRATEGIC] += 1.2 / 2.2
    assert_shares(kinds_at_entry(parameters, tape, macro), shares, 12_000, normal_bound(FALSE_ALARM, 3))


@pytest.mark.parametrize("kind", [FORGETFUL, HARDSHIP, STRATEGIC])
@pytest.mark.parametrize("cause", [CURE, ROLL, CHARGE_OFF])
def test_a_types_multiplier_acts_on_its_class_as_another_intensity_would(kind: int, cause: int) -> None:
    """All borrowers of one type: its multiplier is that of the intensities of the class, loan by loan."""
    rates = np.array(
        [[0, 0.1, 0, 0, 0, 0.01], [0.5, 0, 0.3, 0, 0, 0.01], [0.2, 0.1, 0, 0.3, 0.1, 0], [0.1, 0, 0, 0, 0.3, 0]]
    )
    classes = {CURE: np.tril(np.ones((4, 6), bool), -1), ROLL: np.triu(np.ones((4, 6), bool), 1)}
    classes[ROLL][:, 4:] = False
    classes[CHARGE_OFF] = np.arange(6) == np.full((4, 1), 4)
    scaled = np.where(classes[cause] & (np.arange(4)[:, None] > 0), 2.3, 1.0) * rates
    multiplier = np.ones((1, len(TYPES), len(CAUSE_CLASSES)))
    multiplier[0, kind, cause] = 2.3
    shares = np.eye(len(TYPES))[kind]
    of_kind = {"type_share": shares[None], "open_type": np.tile(shares, (1, 4, 1))}
    tape = mixed_book(200, seed=2)

    def states(intensity: np.ndarray, **changes: object) -> np.ndarray:
        parameters, ids = quiet(intensity=intensity[None], **of_kind, **changes), tuple(tape["loan_id"].tolist())
        return np.asarray(values(run(tape, parameters, paths=5, months=12, seed=21, trace=ids), "trace_state"))

    found = states(rates, type_multiplier=multiplier)
    assert np.array_equal(found, states(scaled))
    assert not np.array_equal(found, states(rates))


def test_a_hardship_ends_and_the_borrower_is_forgetful() -> None:
    """Whoever is in arrears stays there; a fifth of hardships ends each month; three months, once in 10,000 seeds."""
    types = np.tile([0.0, 0.7, 0.3], (1, 4, 1))
    parameters = certain({}, open_type=types, spell_end=np.array([-math.log(0.8)]))
    tape = equal_loans(2_000, days_past_due=BUCKET_DAYS[2], remaining_term=100)
    results = run(tape, parameters, paths=3, months=6, seed=4, trace=tuple(tape["loan_id"].tolist()))
    kinds = values(results, "trace_type").astype(int)
    hardship = (kinds == HARDSHIP).sum(axis=(0, 1))
    bound = normal_bound(FALSE_ALARM, 4)
    for month in (0, 1, 3, 6):
        assert_shares(hardship[[month]], [0.7 * 0.8**month], 6_000, bound)
    # Nothing else changes its type.
    steps = set(zip(kinds[..., :-1].ravel().tolist(), kinds[..., 1:].ravel().tolist(), strict=True))
    stays = {(HARDSHIP, HARDSHIP), (STRATEGIC, STRATEGIC), (FORGETFUL, FORGETFUL)}
    assert steps == stays | {(HARDSHIP, FORGETFUL)}


def test_types_at_the_as_of_date_are_the_pools() -> None:
    """Three shares in two buckets of 6,000 loan-paths; once in 10,000 fresh seeds."""
    types = np.tile([0.2, 0.5, 0.3], (1, 4, 1))
    types[0, 3] = 0.6, 0.1, 0.3
    for bucket in (1, 3):
        tape = equal_loans(2_000, days_past_due=BUCKET_DAYS[bucket], remaining_term=100)
        results = run(
            tape, certain({}, open_type=types), paths=3, months=1, seed=4, trace=tuple(tape["loan_id"].tolist())
        )
        counts = np.bincount(values(results, "trace_type")[..., 0].astype(int).ravel(), minlength=len(TYPES))
        assert_shares(counts, types[0, bucket], 6_000, normal_bound(FALSE_ALARM, 6))
    current = run(equal_loans(3), certain({}), paths=1, months=2, seed=4, trace=("L0000000",))
    assert np.all(values(current, "trace_type") == -1)
