"""What a strategy does before the loan, as a run has it: the book as it was offered, and what of it is lent."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from scenarios.strategy import CollectionStrategy
from scenarios.underwriting import CRITERIA
from scenarios.vocabulary import CUTS, STAGES
from simulator.book import Book, loans_at, part_of_book
from simulator.parameters import Parameters
from simulator.tape import LoanTape
from simulator.tape.amortisation import contractual
from simulator.tape.report import CENTS
from simulator.tape.tape import balance_cents
from simulator.underwriting import ACCEPTED, lent

Floats = NDArray[np.float64]


class Opening(NamedTuple):
    """A book at the as-of date; fields are named as variables of results are."""

    contractual_principal: Floats
    """float64[month 1..T] principal that its contracts ask for, currency."""
    contractual_interest: Floats
    """float64[month 1..T] interest that they ask for."""
    opening_balance_by_stage: Floats
    """float64[stage] principal, currency."""
    opening_count_by_stage: Floats
    """float64[stage] loans."""
    opening_balance_by_tier: Floats
    """float64[level of the cut `tier`] principal, currency."""


class Business(NamedTuple):
    """What a strategy does before the loan: numbers of loans, and currency."""

    declined: int = 0
    declined_balance: float = 0.0
    declined_interest: float = 0.0
    """What the contracts of declined loans ask for within the horizon."""
    declined_by: tuple[int, ...] = (0,) * len(CRITERIA)
    """Loans by the first of `scenarios.underwriting.CRITERIA` that declines them."""
    replaced: int = 0
    replaced_balance: float = 0.0
    fitting_cost: float = 0.0
    """Of trackers, in the first month."""


def opening_of(book: Book, tape: LoanTape, parameters: Parameters, months: int) -> Opening:
    """A book at the as-of date, the stages of its loans known; `tape` holds them."""
    principal, interest = contractual(book.loans, months, parameters.nonaccrual_months)
    stage, balance = book.loans.fact.stage, tape["current_balance"]
    before = sum(len(book.levels[cut]) for cut in CUTS[: CUTS.index("tier")])
    tier = book.loans.contract.level[:, CUTS.index("tier")] - before
    return Opening(
        principal,
        interest,
        np.bincount(stage, weights=balance, minlength=len(STAGES)).astype(np.float64),
        np.bincount(stage, minlength=len(STAGES)).astype(np.float64),
        np.bincount(tier, weights=balance, minlength=len(book.levels["tier"])).astype(np.float64),
    )


def lend(
    book: Book, tape: LoanTape, parameters: Parameters, strategy: CollectionStrategy | None, *, months: int, seed: int
) -> tuple[Book, LoanTape, Business]:
    """The part of a book that a strategy lends, its tape, and what was declined and took its place (P17)."""
    found = lent(tape, strategy, seed)
    if found is None or strategy is None or strategy.underwriting is None:
        return book, tape, Business()
    declined = found.declined_by != ACCEPTED
    _, interest = contractual(loans_at(book.loans, declined), months, parameters.nonaccrual_months)
    business = Business(
        declined=int(declined.sum()),
        declined_balance=balance_cents(tape["current_balance"][declined]) / CENTS,
        declined_interest=float(interest.sum()),
        declined_by=tuple(np.bincount(found.declined_by[declined], minlength=len(CRITERIA)).tolist()),
        replaced=int(found.copy.sum()),
        replaced_balance=balance_cents(found.tape["current_balance"][found.copy]) / CENTS,
        fitting_cost=found.fitted * strategy.underwriting.cost_per_tracker,
    )
    return part_of_book(book, found.tape, found.place, parameters), found.tape, business
