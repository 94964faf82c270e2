"""How each loan of a tape repays its principal, in closed form, and what the book is due by contract (methodology (1)).

Between events principal follows B(t + 1) = a B(t) - b.  What it has not repaid by its last due date falls due with the
last instalment.

============== ================ ==========================================================
amortisation   a (`shrink`)     b (`step`)
============== ================ ==========================================================
level          1 + rate / 12    the instalment
balloon        1 + rate / 12    the instalment; computed, it leaves the balloon
interest_only  1                0
linear         1                principal (less a balloon) over the instalments still due
single_payment 1                0; on its due date the loan is renewed, unless paid off
============== ================ ==========================================================
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final, Protocol

import numpy as np
from numpy.typing import NDArray

from scenarios.counted import counted
from simulator.tape.schedule import balance_after, instalment_to
from simulator.tape.tape import LoanTape

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
Flags = NDArray[np.bool_]

COMPOUNDING: Final = ("level", "balloon")
"""Amortisations whose instalment holds the interest; the others pay interest beside their principal."""

LAST_CENT: Final = 1e-3
"""Share of an instalment that rounding may leave over without making another instalment."""

NEVER: Final = 10_000
"""Instalments of a loan whose instalment never repays it; more than any horizon."""


@dataclass(frozen=True, slots=True, eq=False)
class Amortisation:
    """The contract of each loan, as the engine follows it.

    Attributes
    ----------
    shrink, step : float64[loan]
        a and b of methodology (1): principal becomes a B - b (b in currency a month).
    growth : float64[loan]
        1 + monthly contract rate, whatever the amortisation: a month's interest is B (growth - 1).
    track : float64[loan]
        Principal at the as-of date if all instalments due so far had been paid, currency.
    term : int64[loan]
        Months to the last due date, 0 or less where it lies behind; of single-payment loans to the next, at least 1
        where nothing is past due.
    renewal : int64[loan]
        Months from one due date of a single-payment loan to the next, at least 1; 0 for all other loans.
    notes : tuple of str
        What was computed where the tape is silent, and what its terms leave for the last instalment.
    """

    shrink: Floats
    step: Floats
    growth: Floats
    track: Floats
    term: Integers
    renewal: Integers
    notes: tuple[str, ...]


def amortisation(tape: LoanTape, bucket: Integers) -> Amortisation:
    """Instalment, term and the fully paid track of each loan.

    The tape's own instalment wins over the computed one of level and balloon loans.  A loan that its
    instalment repays early ends early; what it leaves at maturity is part of the last instalment, and is
    reported.  Interest-only, linear and single-payment loans follow from their term alone.

    Parameters
    ----------
    tape : LoanTape
    bucket : int64[loan]
        Instalments past due.
    """
    terms = _terms(tape, bucket)
    payment, due = _instalments(terms)
    step = np.where(terms.compounding, payment, np.where(terms.linear, (terms.principal - terms.balloon) / due, 0.0))
    growth = 1.0 + terms.rate / 12.0
    notes = (
        *_residual_notes(terms, payment, due),
        *_balloon_notes(tape, terms),
        *_renewal_notes(tape, terms),
        *_absent_notes(terms),
    )
    return Amortisation(
        shrink=np.where(terms.compounding, growth, 1.0),
        step=step,
        growth=growth,
        track=balance_after(terms.principal, np.where(terms.compounding, terms.rate, 0.0), step, bucket),
        term=np.where(terms.single, np.maximum(tape["remaining_term"], bucket == 0), due - bucket),
        renewal=np.where(terms.single, np.maximum(tape["original_term"], 1), 0),
        notes=notes,
    )


@dataclass(frozen=True, slots=True, eq=False)
class _Terms:
    """What the tape states: arrays[loan]; `stated` is 0 where no instalment is, `balloon` 0 where none is or counts."""

    principal: Floats
    rate: Floats
    due: Integers
    stated: Floats
    balloon: Floats
    with_balloon: Flags
    compounding: Flags
    linear: Flags
    single: Flags


def _terms(tape: LoanTape, bucket: Integers) -> _Terms:
    kind, principal = tape["amortisation"], tape["current_balance"]
    compounding, linear = np.isin(kind, COMPOUNDING), kind == "linear"
    stated_balloon = np.nan_to_num(tape["balloon"], nan=0.0)
    balloon = np.where(compounding | linear, np.minimum(stated_balloon, principal), 0.0)
    return _Terms(
        principal=principal,
        rate=tape["rate"],
        due=np.maximum(tape["remaining_term"], np.where(bucket > 0, 0, 1)) + bucket,
        stated=np.nan_to_num(tape["scheduled_payment"], nan=0.0),
        balloon=balloon,
        with_balloon=(kind == "balloon") | (compounding & (balloon > 0.0)),
        compounding=compounding,
        linear=linear,
        single=kind == "single_payment",
    )


def _instalments(terms: _Terms) -> tuple[Floats, Integers]:
    """Instalment as of a level or balloon loan, and the number of instalments still due, those past due included."""
    computed = instalment_to(terms.principal, terms.balloon, terms.rate, terms.due)
    payment = np.where(terms.stated > 0.0, terms.stated, computed)
    enough = _instalments_to_repay(terms.principal, terms.rate, payment)
    return payment, np.where(terms.compounding, np.minimum(terms.due, enough), terms.due)


def _instalments_to_repay(principal: Floats, rate: Floats, payment: Floats) -> Integers:
    """Least number of instalments after which nothing is owed; `NEVER` where they never repay."""
    monthly = rate / 12.0
    with np.errstate(divide="ignore", invalid="ignore"):
        with_interest = -np.log1p(-principal * monthly / payment) / np.log1p(monthly)
        count = np.where(monthly > 0.0, with_interest, principal / payment)
    count = np.where(np.isfinite(count), count, NEVER)
    return np.clip(np.ceil(count - LAST_CENT), 1, NEVER).astype(np.int64)


# --- notes -----------------------------------------------------------------------------------------


def _residual_notes(terms: _Terms, payment: Floats, due: Integers) -> Iterator[str]:
    """What stated instalments leave for the last due date."""
    last = balance_after(terms.principal, terms.rate, payment, due - 1) * (1.0 + terms.rate / 12.0)
    residual = np.maximum(last - payment, 0.0)
    large = terms.compounding & ~terms.with_balloon & (residual > payment)
    if large.any():
        yield (
            f"{counted(int(large.sum()), 'loan owes', 'loans owe')} more than two instalments at maturity by the "
            f"stated payment; {residual[large].sum():,.2f} beyond the instalment falls due with the last one."
        )
    stated = terms.with_balloon & (terms.stated > 0.0)
    open_size = stated & (terms.balloon == 0.0)
    if open_size.any():
        loans = counted(int(open_size.sum()), "loan states no size of its", "loans state no size of their")
        left = residual[open_size].sum()
        yield f"{loans} balloon; by the instalments {left:,.2f} falls due with the last one."
    other_size = stated & (terms.balloon > 0.0) & (np.abs(residual - terms.balloon) > payment)
    if other_size.any():
        loans = counted(int(other_size.sum()), "loan has a balloon", "loans have balloons")
        yield (
            f"{loans} of {terms.balloon[other_size].sum():,.2f}, but by the stated payment "
            f"{residual[other_size].sum():,.2f} falls due with the last instalment; the payment was taken."
        )


def _balloon_notes(tape: LoanTape, terms: _Terms) -> Iterator[str]:
    """Balloons of no size, and of too large a one."""
    silent = terms.with_balloon & (terms.balloon == 0.0) & (terms.stated <= 0.0)
    if silent.any():
        loans = counted(int(silent.sum()), "loan states neither its", "loans state neither their")
        yield f"{loans} balloon nor an instalment; level instalments are computed that repay all."
    larger = (terms.compounding | terms.linear) & (tape["balloon"] > terms.principal)
    if larger.any():
        loans = counted(int(larger.sum()), "loan states a balloon", "loans state balloons")
        yield f"{loans} above the principal; all principal falls due with the last instalment."


def _renewal_notes(tape: LoanTape, terms: _Terms) -> Iterator[str]:
    """What becomes of single-payment loans that last longer than a month."""
    longer = terms.single & (tape["original_term"] > 1)
    if longer.any():
        loans = counted(int(longer.sum()), "single-payment loan lasts", "single-payment loans last")
        yield f"{loans} longer than a month: interest is paid monthly, and due dates are renewals (methodology (1c))."


def _absent_notes(terms: _Terms) -> Iterator[str]:
    if absent := int((terms.compounding & (terms.stated <= 0.0)).sum()):
        loans = counted(absent, "loan states", "loans state")
        yield f"{loans} no instalment; the level payment is computed (methodology (1))."


# --- the contractual cash of a book ------------------------------------------------------------------


class Scheduled(Protocol):
    """Loans as the engine holds them."""

    @property
    def contract(self) -> Any:
        """Columns `track`, `shrink`, `step`, `growth`: see `Amortisation`."""

    @property
    def fact(self) -> Any:
        """Columns `term`, `renewal`: see `Amortisation`."""

    @property
    def bucket(self) -> NDArray[Any]:
        """Instalments past due."""


def principal_owed(loans: Scheduled) -> Floats:
    """``float64[loan]`` principal at the as-of date: the fully paid track, as many instalments ago as are due (1)."""
    owed: Floats = loans.contract.track.copy()
    for arrears in range(1, int(loans.bucket.max(initial=0)) + 1):
        owed = np.where(loans.bucket >= arrears, (owed + loans.contract.step) / loans.contract.shrink, owed)
    return owed


def contractual(loans: Scheduled, months: int, nonaccrual_months: int) -> tuple[Floats, Floats]:
    """Principal and interest that a book is due if from now on nobody is late and nobody prepays.

    Loans in arrears pay these, and the interest accrued on them (1a), in the first month; single-payment
    loans renew on their due dates (1c), so that no principal of theirs is ever due.

    Parameters
    ----------
    loans : Scheduled
        `simulator.kernels.bundles.Loans`, or anything with the same arrays.
    months : int
    nonaccrual_months : int
        Months in arrears after which interest stops accruing.

    Returns
    -------
    principal, interest : float64[months]
        Currency; months 1, 2, ... after the as-of date.
    """
    principal, interest = np.zeros(months), np.zeros(months)
    monthly = loans.contract.growth - 1.0
    opening, accruing = principal_owed(loans), np.minimum(loans.bucket + 1, nonaccrual_months)
    balance = loans.contract.track
    for month in range(1, months + 1):
        goes_on = (month < loans.fact.term) | (loans.fact.renewal > 0)
        balance = np.where(goes_on, loans.contract.shrink * balance - loans.contract.step, 0.0)
        principal[month - 1] = np.sum(opening - balance)
        interest[month - 1] = np.sum(opening * monthly * accruing)
        opening, accruing = balance, np.ones_like(accruing)
    return principal, interest
