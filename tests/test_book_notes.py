"""What the notes of a book say: arrears that count as current, scores of another scale, and numbers with their noun."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest

from calibration.library import find_parameter_set
from simulator.book import build_book
from simulator.parameters import Parameters, build_parameters
from simulator.tape import LoanTape
from small_books import tape_of

TIERS = ("us_prime", "us_near_prime", "us_subprime")


def notes_of(tape: LoanTape, *sets: str) -> tuple[str, ...]:
    return build_book(tape, parameters_of(*sets)).notes


def parameters_of(*sets: str) -> Parameters:
    return build_parameters([find_parameter_set(name) for name in sets or ("us_near_prime",)])


def the_note(words: str, *rows: dict[str, Any], sets: tuple[str, ...] = ()) -> str:
    (found,) = [note for note in notes_of(tape_of(rows), *sets) if words in note]
    return found


def test_loans_a_few_days_late_count_as_current_and_the_note_says_how_many() -> None:
    rows = [{"days_past_due": days, "current_balance": 1000.0 + days} for days in (0, 1, 29, 30)]
    assert the_note("counted as current", *rows) == (
        "2 loans are 1 to 29 days past due and counted as current: 2,030.00 USD of principal."
    )
    assert not any("counted as current" in note for note in notes_of(tape_of([rows[0], rows[3]])))


def test_scores_of_another_scale_are_noted_where_they_decide_the_tier() -> None:
    rows = [
        {"score": 600.0, "score_type": "VantageScore 3.0"},
        {"score": 640.0, "score_type": "FICO Auto Score 8"},
        {"score": 680.0, "score_type": ""},
        {"score": np.nan, "score_type": "Other"},
    ]
    found = [note for note in notes_of(tape_of(rows), *TIERS) if "scale of the tiers" in note]
    assert found == [
        "The tape calls the scores of 1 loan nothing at all; they are read as FICO, the scale of the tiers' bands.",
        "The tape calls the scores of 1 loan 'VantageScore 3.0'; they are read as FICO, the scale of the tiers' bands.",
    ]
    assert not any("scale of the tiers" in note for note in notes_of(tape_of(rows)))


@pytest.mark.parametrize("count", [1, 3])
def test_notes_count_with_the_right_noun(count: int) -> None:
    odd = {
        "days_past_due": 150,
        "scheduled_payment": np.nan,
        "vehicle_new": False,
        "model_year": np.nan,
        "score": np.nan,
        "rate": 0.9,
    }
    notes = notes_of(tape_of([odd] * count), *TIERS)
    assert len(notes) >= 4
    for note in notes:
        number = re.match(r"([\d,]+) (?:used )?(\w+) (\w+)", note)
        if number is not None:
            plural = number[2] in ("loans", "cars") and not number[3].endswith("s")
            assert plural == (number[1] != "1"), note
