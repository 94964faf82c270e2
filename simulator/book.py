"""Tape and parameters become the kernels' arrays of loans. Labels stop here and return in labels.py."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scenarios.counted import counted
from scenarios.vocabulary import CUTS, MODIFIED, SEGMENTS
from simulator.collateral import OLDEST_MONTH, value_cars
from simulator.entities import loan_entities
from simulator.factors import factor_name
from simulator.kernels.bundles import CONTRACT, DRAW_MARK, FACTS, Loans, Records, lay_out, records
from simulator.parameters import OLDEST_AGE, Parameters
from simulator.tape import LoanTape
from simulator.tape.amortisation import Amortisation, amortisation
from simulator.tape.tape import Coded, loan_age, loan_to_value, vintages
from simulator.tiers import TierAssignment, tier_assignment

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

MOST_LEVELS = 60
"""A cut with more levels keeps its largest by balance; the rest become one level."""


@dataclass(frozen=True, slots=True)
class Cells:
    """Distinct (tier, region, sector) of a book: all loans of a cell share their systematic risk."""

    tier: NDArray[np.int32]
    region: tuple[str, ...]
    sector: tuple[str, ...]
    factor_names: tuple[str, ...]
    factor: NDArray[np.int32]
    """[cell, 3] rows of the systematic factors: global, region, sector."""


@dataclass(frozen=True, slots=True)
class Book:
    """A book ready for the kernels, with the labels that its results will carry."""

    loans: Loans
    cells: Cells
    levels: dict[str, tuple[str, ...]]
    """Level names of each cut, in the order of the kernels' counting."""
    opening_by_level: dict[str, Floats]
    notes: tuple[str, ...]
    """Sentences for the report: what was assumed where the tape is silent."""


def build_book(tape: LoanTape, parameters: Parameters) -> Book:
    """Arrange a tape for the kernels: loans in canonical order, cells, levels of each cut."""
    assignment = tier_assignment(parameters, tape["score"], tape["rate"])
    tier = assignment.tier
    cells, cell = _cells(tier, tape)
    seized = np.where(tape["repossessed"], parameters.default_bucket, 0)
    bucket = np.maximum(bucket_of(tape["days_past_due"], parameters), seized)
    schedule = amortisation(tape, bucket)
    segment = _segment(tape)
    cars = value_cars(tape, segment, parameters)
    level, levels, opening = _cut_levels(tape, parameters, tier)
    risk = _risk(tape, parameters, tier)
    places, car = np.unique(cars.curve * OLDEST_MONTH + np.minimum(cars.age, OLDEST_AGE), return_inverse=True)
    loans = Loans(
        fact=records(
            FACTS,
            entity=_entities(tape),
            risk=risk,
            risk_bound=risk * _largest_multiplier(parameters)[tier],
            value_as_new=cars.value_as_new,
            find=_find(tape, parameters, tier, segment),
            cell=cell,
            tier=tier,
            stage=np.zeros(len(tape)),
            segment=segment,
            car=car,
            age=np.maximum(loan_age(tape), 0),
            renewal=schedule.renewal,
            term=schedule.term,
        ),
        contract=_contracts(schedule, np.minimum(tape["rate"], parameters.discount_cap[tier]), level),
        bucket=bucket.astype(np.int8),
        mark=np.where(tape["modified"], MODIFIED, DRAW_MARK).astype(np.int16),
        repossessed=np.ascontiguousarray(tape["repossessed"]),
        car=places,
    )
    notes = (*_tape_notes(tape, parameters, assignment), *schedule.notes, *cars.notes)
    return Book(loans, cells, levels, opening, notes)


def part_of_book(book: Book, tape: LoanTape, place: Integers, parameters: Parameters) -> Book:
    """A book of other loans, each as that at its place in this one but for its id and tracker; `tape` holds them.

    Cells, levels, their opening principal and notes stay those of the whole book, so that results stack.
    """
    loans = loans_at(book.loans, place)
    loans.fact["entity"] = _entities(tape)
    loans.fact["find"] = _find(tape, parameters, loans.fact.tier, loans.fact.segment)
    return replace(book, loans=loans)


def loans_at(loans: Loans, place: Integers | NDArray[np.bool_]) -> Loans:
    """Some loans of a book, by place; arrays may be written where the book's may, as kernels are compiled for that."""
    mark, bucket, repossessed = loans.mark[place], loans.bucket[place], loans.repossessed[place]
    repossessed.flags.writeable = loans.repossessed.flags.writeable
    fact, contract = lay_out(loans.fact[place]), lay_out(loans.contract[place])
    return loans._replace(fact=fact, contract=contract, bucket=bucket, mark=mark, repossessed=repossessed)


def _entities(tape: LoanTape) -> NDArray[np.uint64]:
    return tape.once("entities", lambda some: loan_entities(some["loan_id"]))


def _contracts(schedule: Amortisation, rate: Floats, level: NDArray[np.int16]) -> Records:
    """``CONTRACT[loan]``; `rate` is that at which its recoveries are discounted, fraction a year; `level` by cut."""
    return records(
        CONTRACT,
        track=schedule.track,
        shrink=schedule.shrink,
        step=schedule.step,
        growth=schedule.growth,
        discount=1.0 + rate / 12.0,
        level=level,
    )


def _tape_notes(tape: LoanTape, parameters: Parameters, assignment: TierAssignment) -> list[str]:
    return [
        *_tier_notes(assignment.by_rate, assignment.outside),
        *_score_notes(tape, parameters),
        *_arrears_notes(tape, parameters),
        *_repossession_notes(tape, parameters),
    ]


def bucket_of(days_past_due: Integers, parameters: Parameters) -> Integers:
    """Instalments past due from days past due, by the parameter sets' bucket edges."""
    edges = np.asarray(parameters.bucket_edges)
    return np.searchsorted(edges, np.maximum(days_past_due, 0), side="right") - 1


def _tier_notes(by_rate: int, outside: int) -> list[str]:
    notes = []
    if by_rate:
        loans = counted(by_rate, "loan has", "loans have")
        notes.append(f"{loans} no score; the tier follows from the contract rate.")
    if outside:
        loans = counted(outside, "loan lies", "loans lie")
        notes.append(f"{loans} outside every tier's band and counted to the nearest.")
    return notes


def _score_notes(tape: LoanTape, parameters: Parameters) -> list[str]:
    """Scores of another scale than that of the tiers' bands; nothing where no score decides a tier."""
    scales = {item.score.scale for item in parameters.sets if item.score is not None}
    if len(parameters.sets) < 2 or not scales:
        return []
    (scale,) = scales  # `tiers.check_bands` refuses several
    scored = np.nan_to_num(tape["score"], nan=0.0) > 0.0
    names, count = np.unique(tape["score_type"][scored], return_counts=True)
    return [
        f"The tape calls the scores of {counted(int(number), 'loan')} "
        f"{repr(str(name)) if name else 'nothing at all'}; they are read as {scale}, the scale of the tiers' bands."
        for name, number in zip(names, count, strict=True)
        if scale.casefold() not in str(name).casefold()
    ]


def _arrears_notes(tape: LoanTape, parameters: Parameters) -> list[str]:
    last_day = parameters.bucket_edges[-1] + 30
    days, first_day = tape["days_past_due"], parameters.bucket_edges[1]
    early, late = (days > 0) & (days < first_day), days >= last_day
    notes = []
    if early.any():
        loans = counted(int(early.sum()), "loan is", "loans are")
        owed = f"{tape['current_balance'][early].sum():,.2f} {tape.currency}"
        notes.append(f"{loans} 1 to {first_day - 1} days past due and counted as current: {owed} of principal.")
    if late.any():
        loans, label = counted(int(late.sum()), "loan is", "loans are"), parameters.bucket_labels[-1]
        notes.append(f"{loans} {last_day} days past due or more and counted to the worst bucket ({label}).")
    return notes


def _repossession_notes(tape: LoanTape, parameters: Parameters) -> list[str]:
    """Repossessed loans whose days past due are fewer than those of default."""
    early = tape["repossessed"] & (bucket_of(tape["days_past_due"], parameters) < parameters.default_bucket)
    if not early.any():
        return []
    loans, label = counted(int(early.sum()), "repossessed loan is", "repossessed loans are"), parameters.bucket_labels
    return [
        f"{loans} counted to the bucket of default ({label[parameters.default_bucket]}) whatever the days past due."
    ]


def _largest_multiplier(parameters: Parameters) -> Floats:
    """``float64[tier]`` the largest that seasoning and negative equity do to a loan's entry: for the kernels' bound."""
    borrower = parameters.borrower
    equity = np.where(borrower.equity_slope > 0.0, np.maximum(borrower.equity_cap, 1.0), 1.0) / borrower.equity_mean
    return np.asarray(parameters.seasoning.max(axis=1) * equity)


def _find(tape: LoanTape, parameters: Parameters, tier: Integers, segment: Integers) -> Floats:
    """``float64[loan]`` multiplier of the chance to find a car: its tracker and its segment (8b)."""
    workout = parameters.workout
    return workout.segment_find[segment] * np.where(tape["tracker"], workout.tracker_multiplier[tier], 1.0)


def _cells(tier: Integers, tape: LoanTape) -> tuple[Cells, Integers]:
    regions, region_code = tape.codes("region")
    sectors, sector_code = tape.codes("sector")
    code = (tier * regions.size + region_code) * sectors.size + sector_code
    distinct, cell = np.unique(code, return_inverse=True)
    cell_region = distinct // sectors.size % regions.size
    names = [factor_name("region", str(name)) for name in regions]
    names += [factor_name("sector", str(name)) for name in sectors]
    rows = (np.zeros_like(distinct), 1 + cell_region, 1 + regions.size + distinct % sectors.size)
    cells = Cells(
        tier=(distinct // (sectors.size * regions.size)).astype(np.int32),
        region=tuple(str(regions[item]) for item in cell_region),
        sector=tuple(str(sectors[item]) for item in distinct % sectors.size),
        factor_names=tuple(names),
        factor=np.ascontiguousarray(np.stack(rows, axis=1).astype(np.int32)),
    )
    return cells, cell


def _segment(tape: LoanTape) -> Integers:
    """Index of each car's segment in vocabulary.SEGMENTS."""
    names, code = tape.codes("vehicle")
    return np.array([SEGMENTS.index(str(name)) for name in names], dtype=np.int64)[code]


def _risk(tape: LoanTape, parameters: Parameters, tier: Integers) -> Floats:
    """exp(x'beta) of entry: loan-to-value at origination, payment-to-income and score (methodology (3)).

    A loan's missing covariate counts as its tier's reference.  Where negative equity acts by (4), loan-to-value
    counts here up to its threshold only, so that nothing is counted twice.
    """
    borrower = parameters.borrower
    most = np.where(borrower.equity_slope > 0.0, borrower.equity_threshold, np.inf)[tier]
    credit = np.where(np.nan_to_num(tape["score"], nan=0.0) > 0.0, tape["score"], np.nan)
    score = np.zeros(len(tape))
    for value, coefficient, reference in (
        (np.minimum(loan_to_value(tape), most), parameters.ltv_coefficient[tier], parameters.ltv_reference[tier]),
        (tape["payment_to_income"], parameters.pti_coefficient[tier], parameters.pti_reference[tier]),
        (credit, borrower.score_coefficient[tier], borrower.score_reference[tier]),
    ):
        score += coefficient * np.where(np.isfinite(value), value - reference, 0.0)
    return np.asarray(np.exp(score))


# --- cuts ----------------------------------------------------------------------------------------------


def _cut_levels(
    tape: LoanTape, parameters: Parameters, tier: Integers
) -> tuple[NDArray[np.int16], dict[str, tuple[str, ...]], dict[str, Floats]]:
    """Level of each loan in each cut, counted through; level names; opening principal by level."""
    balance = tape["current_balance"]
    labels: dict[str, Coded] = {
        name: tape.codes(name) for name in ("region", "sector", "vehicle", "channel", "product")
    }
    labels["tier"] = (np.array(parameters.names), tier)
    labels["vintage"] = vintages(tape)
    level = np.empty((len(tape), len(CUTS)), dtype=np.int16)
    names: dict[str, tuple[str, ...]] = {}
    opening: dict[str, Floats] = {}
    first = 0
    for item, cut in enumerate(CUTS):
        found, code = _largest(*labels[cut], balance)
        level[:, item] = first + code
        first += found.size
        names[cut] = tuple(str(name) for name in found)
        opening[cut] = np.bincount(code, weights=balance, minlength=found.size).astype(np.float64)
    return level, names, opening


def _largest(names: NDArray[np.str_], code: NDArray[np.integer[Any]], balance: Floats) -> Coded:
    """Levels by name, those that the book holds, and each loan's: the largest by balance and one of all the others."""
    total, held = np.bincount(code, weights=balance, minlength=names.size), np.bincount(code, minlength=names.size) > 0
    count = int(held.sum())
    if count > MOST_LEVELS:
        kept = np.zeros(names.size, dtype=bool)
        kept[np.argsort(np.where(held, -total, np.inf), kind="stable")[: MOST_LEVELS - 1]] = True
        names = np.where(kept, names, f"all other ({count - MOST_LEVELS + 1})")
    found, place = np.unique(names[held], return_inverse=True)
    places = np.zeros(names.size, dtype=np.int64)
    places[held] = place
    return found, places[code]
