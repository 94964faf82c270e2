"""The loans that a collection strategy's underwriting lends: cut-offs, and what takes the others' place (P17)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from scenarios.counted import counted
from scenarios.errors import Fault, InputError
from scenarios.strategy import CollectionStrategy
from scenarios.underwriting import CRITERIA, Underwriting
from simulator.tape import LoanTape, make_tape
from simulator.tape.draws import REPLACEMENT_SLOT, attribute_uniforms
from simulator.tape.tape import loan_to_value

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
Flags = NDArray[np.bool_]

ACCEPTED: Final = -1
"""Of `Lent.declined_by`: no criterion declines the loan."""

COPY_OF: Final = "~"
"""Between the ids of a declined loan and of that whose copy takes its place."""


@dataclass(frozen=True, slots=True, eq=False)
class Lent:
    """The loans that a strategy lends of a book.

    Attributes
    ----------
    tape : LoanTape
        Accepted loans and copies of them, trackers fitted; the book itself where nothing is changed.
    place : int64[loan of `tape`]
        Place in the book of each loan, or of that of which it is a copy.
    copy : bool[loan of `tape`]
        Whether it takes a declined loan's place.
    declined_by : int8[loan of the book]
        Place in `scenarios.underwriting.CRITERIA` of the first criterion that is not met; `ACCEPTED` where all are.
    fitted : int
        Trackers that are fitted.
    """

    tape: LoanTape
    place: Integers
    copy: Flags
    declined_by: NDArray[np.int8]
    fitted: int


def lent(tape: LoanTape, strategy: CollectionStrategy | None, seed: int) -> Lent | None:
    """The loans of a book that a strategy lends; None where it has no underwriting and takes the book as it is.

    Parameters
    ----------
    seed : int
        Of the study: it draws the loans that take the place of declined ones.

    Raises
    ------
    InputError
        Every loan is declined, or the least score is one that no loan of the tape has.
    """
    if strategy is None or strategy.underwriting is None:
        return None
    block = strategy.underwriting
    drawn = f", drawn with seed {seed}" if block.declined == "replaced" else ""
    return tape.once(f"lent under {block.model_dump_json()}{drawn}", lambda some: _lent(some, strategy, seed))


def lent_tape(tape: LoanTape, strategy: CollectionStrategy | None, seed: int) -> LoanTape:
    """The tape of a strategy: that of `lent`, or the book's own."""
    found = lent(tape, strategy, seed)
    return tape if found is None else found.tape


def declining(tape: LoanTape, strategy: CollectionStrategy | None, loan: str) -> str | None:
    """The first criterion that a loan of the book does not meet; None where it meets all, or is not of the book."""
    place = np.flatnonzero(tape["loan_id"] == loan)
    if strategy is None or strategy.underwriting is None or place.size == 0:
        return None
    first = int(declined_by(tape, strategy.underwriting)[place[0]])
    return None if first == ACCEPTED else CRITERIA[first]


# --- cut-offs ------------------------------------------------------------------------------------------


def declined_by(tape: LoanTape, block: Underwriting) -> NDArray[np.int8]:
    """``int8[loan]`` place in `CRITERIA` of the first that is not met; else `ACCEPTED`."""
    first = np.full(len(tape), ACCEPTED, np.int8)
    for name, unmet in _unmet(tape, block):
        first[(first == ACCEPTED) & unmet] = CRITERIA.index(name)
    return first


def _unmet(tape: LoanTape, block: Underwriting) -> Iterator[tuple[str, Flags]]:
    """Criteria that are asked, in their order, and the loans that do not meet each."""
    ratio, share, score = loan_to_value(tape), tape["payment_to_income"], scores(tape)
    if block.most_ltv_percent is not None:
        yield "most_ltv_percent", (ratio > block.most_ltv_percent / 100.0) | _silent(ratio, block)
    if block.least_score is not None:
        yield "least_score", (score < block.least_score) | _silent(score, block)
    if block.most_payment_to_income_percent is not None:
        most = block.most_payment_to_income_percent / 100.0
        yield "most_payment_to_income_percent", (share > most) | _silent(share, block)
    for name in ("income_verified", "credit_insured"):
        if getattr(block, name):
            yield name, ~tape[name]
    if block.tracker == "required":
        yield "tracker", ~tape["tracker"]


def scores(tape: LoanTape) -> Floats:
    """Scores at origination, NaN where there is none."""
    return np.where(np.nan_to_num(tape["score"], nan=0.0) > 0.0, tape["score"], np.nan)


def _silent(value: Floats, block: Underwriting) -> Flags:
    """Loans that are declined because the tape does not state a value."""
    return ~np.isfinite(value) & (block.missing == "decline")


# --- the strategy's tape -------------------------------------------------------------------------------


def _lent(tape: LoanTape, strategy: CollectionStrategy, seed: int) -> Lent:
    block = strategy.underwriting or Underwriting()
    _check_score(tape, strategy, block)
    first = declined_by(tape, block)
    accepted, declined = np.flatnonzero(first == ACCEPTED), np.flatnonzero(first != ACCEPTED)
    if accepted.size == 0:
        raise InputError(_nobody(strategy, first))
    ids, place = tape["loan_id"][accepted], accepted
    if block.declined == "replaced":
        copied = _places_taken(tape, declined, accepted, seed)
        ids = np.concatenate([ids, _copy_ids(tape["loan_id"], declined, copied)])
        place = np.concatenate([accepted, copied])
    order = np.argsort(ids, kind="stable")
    copy = order >= accepted.size
    place, bare = place[order], ~tape["tracker"][place[order]]
    fits = block.tracker == "fitted"
    if declined.size == 0 and not (fits and bare.any()):
        return Lent(tape, place, copy, first, 0)
    columns = {name: column[place] for name, column in tape.columns.items()}
    columns["loan_id"] = ids[order]
    if fits:
        columns["tracker"] = np.ones(place.size, bool)
    smaller = make_tape(columns, as_of=tape.as_of, currency=tape.currency, report=tape.report, consume=True)
    return Lent(smaller, place, copy, first, int(bare.sum()) if fits else 0)


def _places_taken(tape: LoanTape, declined: Integers, accepted: Integers, seed: int) -> Integers:
    """Place of the accepted loan that is copied for each declined one: of its region and segment, region, or any."""
    ids = tape["loan_id"][declined]
    uniform = attribute_uniforms(ids, ("replacement",), seed, first_slot=REPLACEMENT_SLOT)["replacement"]
    (_, region), (vehicles, vehicle) = tape.codes("region"), tape.codes("vehicle")
    taken = np.full(declined.size, ACCEPTED, np.int64)
    for group in (region.astype(np.int64) * vehicles.size + vehicle, region, np.zeros_like(region)):
        candidates = accepted[np.argsort(group[accepted], kind="stable")]
        first, stop = (np.searchsorted(group[candidates], group[declined], side) for side in ("left", "right"))
        drawn = first + np.floor(uniform * (stop - first)).astype(np.int64)
        here = (taken == ACCEPTED) & (stop > first)
        taken[here] = candidates[drawn[here]]
    return taken


def _copy_ids(ids: NDArray[np.str_], declined: Integers, copied: Integers) -> NDArray[np.str_]:
    """Ids of copies, none of which is an id of the book."""
    found = np.char.add(np.char.add(ids[declined], COPY_OF), ids[copied])
    while np.isin(found, ids).any():
        found = np.char.add(found, COPY_OF)
    return found


# --- faults --------------------------------------------------------------------------------------------


def _check_score(tape: LoanTape, strategy: CollectionStrategy, block: Underwriting) -> None:
    """Refuse a least score that no loan of the tape has: one of another scale, or a slip."""
    known = scores(tape)[np.isfinite(scores(tape))]
    if block.least_score is None or known.size == 0 or block.least_score <= known.max():
        return
    found = (
        f"underwriting.least_score = {block.least_score:g}, and the tape's scores go from {known.min():g} to "
        f"{known.max():g}"
    )
    where = strategy.where("underwriting", "least_score")
    remedy = "Write a score on the tape's own scale."
    raise InputError([Fault(where, found, f"at most {known.max():g}", remedy)])


def _nobody(strategy: CollectionStrategy, first: NDArray[np.int8]) -> list[Fault]:
    by = ", ".join(f"{name} {(first == item).sum():,}" for item, name in enumerate(CRITERIA) if (first == item).any())
    loans = "the only loan" if first.size == 1 else f"all {counted(first.size, 'loan')}"
    found = f"underwriting of strategy {strategy.name} declines {loans} of the book ({by})"
    remedy = "Loosen it: `carstress portfolio describe` tells what the book is like."
    return [Fault(strategy.where("underwriting"), found, "cut-offs that some loans meet", remedy)]
