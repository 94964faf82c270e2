"""Cut-offs at underwriting: who is declined, who takes the place, and what a run has of loans that are lent (P17)."""
# ruff: noqa: E501  # a table has one case a line

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from scenarios.errors import InputError
from scenarios.load import spec_from_text
from scenarios.strategy import CollectionStrategy
from scenarios.underwriting import CRITERIA
from simulator.entities import loan_entities
from simulator.tape import LoanTape
from simulator.underwriting import ACCEPTED
from small_books import mixed_book
from strategy_texts import spoilt
from underwriting_cases import CUT_OFFS, LTV, SEED, TEXT, lending

# --- who is declined ---------------------------------------------------------------------------------


def test_cut_offs_decline_whom_they_say() -> None:
    tape = mixed_book(300)
    ratio = 100.0 * tape["original_balance"] / tape["vehicle_value"]
    score, share = tape["score"], 100.0 * tape["payment_to_income"]
    for missing in ("accept", "decline"):
        silent = missing == "decline"
        unmet = np.stack(
            [ratio > 120.0, (score < 610.0) | (np.isnan(score) & silent), (share > 15.0) | (np.isnan(share) & silent)]
        )
        expected = np.where(unmet.any(axis=0), unmet.argmax(axis=0), ACCEPTED)
        found = lending(tape, **CUT_OFFS, missing=missing)
        np.testing.assert_array_equal(found.declined_by, expected)
        assert (np.bincount(expected + 1, minlength=4) > 0).all()
        assert found.tape["loan_id"].tolist() == tape["loan_id"][expected == ACCEPTED].tolist()
        for name, column in tape.columns.items():
            np.testing.assert_array_equal(found.tape[name], column[expected == ACCEPTED], err_msg=name)


@pytest.mark.parametrize(
    ("name", "block"),
    [
        ("income_verified", {"income_verified": True}),
        ("credit_insured", {"credit_insured": True}),
        ("tracker", {"tracker": "required"}),
    ],
)
def test_flags_decline_loans_without_them(name: str, block: dict[str, Any]) -> None:
    base = mixed_book(60)
    flag = np.arange(len(base)) % 3 == 0
    tape = LoanTape({**base.columns, name: flag}, base.as_of, base.currency, base.report)
    found = lending(tape, **block)
    np.testing.assert_array_equal(found.declined_by, np.where(flag, ACCEPTED, CRITERIA.index(name)))


def test_a_ratio_at_the_cut_off_is_accepted() -> None:
    base = mixed_book(60)
    exact = {
        "original_balance": np.full(60, 24_000.0),
        "vehicle_value": np.full(60, 20_000.0),
        "payment_to_income": np.full(60, 0.35),
        "score": np.full(60, 600.0),
    }
    tape = LoanTape({**base.columns, **exact}, base.as_of, base.currency, base.report)
    found = lending(tape, most_ltv_percent=120.0, most_payment_to_income_percent=35.0, least_score=600.0)
    assert (found.declined_by == ACCEPTED).all()
    assert found.tape is tape


# --- who takes the place -----------------------------------------------------------------------------


def test_copies_take_the_place_of_declined_loans() -> None:
    tape = mixed_book(400)
    found = lending(tape, **CUT_OFFS, declined="replaced")
    declined = found.declined_by != ACCEPTED
    assert len(found.tape) == len(tape)
    assert found.copy.sum() == declined.sum() > 50
    accepted = set(tape["loan_id"][~declined])
    pairs = [name.split("~") for name in found.tape["loan_id"][found.copy]]
    assert sorted(gone for gone, _ in pairs) == sorted(tape["loan_id"][declined])
    assert {copied for _, copied in pairs} <= accepted
    for name, column in found.tape.columns.items():
        if name != "loan_id":
            np.testing.assert_array_equal(column, tape[name][found.place], err_msg=name)
    kept = set(zip(tape["region"][~declined], tape["vehicle"][~declined], strict=True))
    place = {str(name): item for item, name in enumerate(tape["loan_id"])}
    for gone, copied in pairs:
        one, other = place[gone], place[copied]
        assert tape["region"][one] == tape["region"][other]
        if (tape["region"][one], tape["vehicle"][one]) in kept:
            assert tape["vehicle"][one] == tape["vehicle"][other]


def test_a_copy_is_drawn_by_the_seed_and_has_its_own_luck() -> None:
    tape = mixed_book(400)
    first, again, other = (
        lending(each, seed, **CUT_OFFS, declined="replaced").tape["loan_id"].tolist()
        for each, seed in ((tape, SEED), (mixed_book(400), SEED), (tape, SEED + 1))
    )
    assert first == again
    assert first != other
    entities = loan_entities(first)
    assert not set(entities[["~" in name for name in first]].tolist()) & set(loan_entities(tape["loan_id"]).tolist())


def test_copies_spread_over_all_that_could_be_copied() -> None:
    """700 draws of 40 loans, 17.5 each: a loan that is never drawn has a probability of 2e-8."""
    base = mixed_book(740)
    alike = {"region": np.full(740, "TX"), "vehicle": np.full(740, "car"), "tracker": np.arange(740) < 40}
    tape = LoanTape({**base.columns, **alike}, base.as_of, base.currency, base.report)
    found = lending(tape, tracker="required", declined="replaced")
    drawn = np.bincount(found.place[found.copy], minlength=740)
    assert drawn.sum() == 700
    assert (drawn[:40] > 0).all()


def test_trackers_are_fitted_to_all_who_are_lent_to() -> None:
    tape = mixed_book(120)
    found = lending(tape, least_score=610.0, tracker="fitted", cost_per_tracker=150.0)
    kept = found.declined_by == ACCEPTED
    assert found.tape["tracker"].all()
    assert found.fitted == (~tape["tracker"][kept]).sum() > 0


# --- what is refused ---------------------------------------------------------------------------------

FAULTS = [
    # what stands in the place of the loan-to-value, what is said
    ("income_verified: false", "asking.yaml:7:3: underwriting declines nobody; expected one of most_ltv_percent, least_score, most_payment_to_income_percent, income_verified, credit_insured, tracker. Write one, as `least_score: 620`, or take the block out."),
    ("most_ltv_percent: 1.2", "asking.yaml:7:21: underwriting.most_ltv_percent = 1.2, which looks like a fraction; expected at least 5. Shares are in percent: write 120 for 120 %."),
    ("most_payment_to_income_percent: 0.15", "asking.yaml:7:35: underwriting.most_payment_to_income_percent = 0.15, which looks like a fraction; expected at least 1. Shares are in percent: write 15 for 15 %."),
    ("least_score: 1200", "asking.yaml:7:16: underwriting.least_score = 1200; expected more than 0 and at most 900"),
    (f"{LTV}\n  cost_per_tracker: 150", "asking.yaml:8:21: underwriting.cost_per_tracker without a tracker that is fitted; expected `tracker: fitted`. Write it, or take the cost out."),
    ("tracker: required\n  missing: decline", "asking.yaml:8:12: underwriting.missing = decline, with no figure that could be missing; expected one of most_ltv_percent, least_score, most_payment_to_income_percent. Take it out, or write one."),
    ("tracker: fitted\n  declined: replaced", "asking.yaml:8:13: underwriting.declined = replaced, with nobody declined; expected a cut-off that declines. Take it out, or write one."),
    ("tracker: often", "asking.yaml:7:12: underwriting.tracker"),
]  # fmt: skip


@pytest.mark.parametrize(("block", "said"), FAULTS)
def test_a_block_that_contradicts_itself(block: str, said: str) -> None:
    with pytest.raises(InputError) as caught:
        spec_from_text(spoilt(TEXT, LTV, block), "asking.yaml", CollectionStrategy)
    assert any(str(fault).startswith(said) for fault in caught.value.faults), caught.value


def test_a_cost_needs_a_currency() -> None:
    text = spoilt(spoilt(TEXT, "currency: USD\n", ""), LTV, "tracker: fitted\n  cost_per_tracker: 150")
    with pytest.raises(InputError, match=r"asking\.yaml:7:21: an amount in a strategy without currency"):
        spec_from_text(text, "asking.yaml", CollectionStrategy)


def test_a_score_that_no_loan_has_is_one_of_another_scale() -> None:
    tape = mixed_book(60)
    most = np.nanmax(tape["score"])
    with pytest.raises(InputError, match=rf"least_score = 700, and the tape's scores go from \d+ to {most:g}"):
        lending(tape, least_score=700.0)
    assert (lending(tape, least_score=float(most)).declined_by == ACCEPTED).any()


def test_a_strategy_that_lends_nobody_is_refused() -> None:
    with pytest.raises(InputError, match=r"strategy asking declines all 60 loans of the book \(credit_insured 60\)"):
        lending(mixed_book(60), credit_insured=True)
