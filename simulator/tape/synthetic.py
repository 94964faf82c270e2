"""A synthetic book: loans drawn jointly from a profile, aged, amortised, some of them in arrears.

A portfolio is an *input* of a simulation, so its draws are numpy's, not the engine's: uniform numbers
of PCG64, one stream an attribute and a block of 4,096 candidates, seeded by (seed, block, attribute).
Only `Generator.random` is used; everything else is an inverse distribution function.  So the first
loans of a seed do not change when more are asked for, and a new attribute changes no old one.
"""

from __future__ import annotations

import datetime
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr, ndtri

from scenarios.errors import Fault, InputError
from scenarios.vocabulary import MAX_BUCKET
from simulator.tape.dates import FIRST_YEAR, LAST_YEAR
from simulator.tape.profile import CORRELATED, TapeMarket, TapeProfile, load_market, load_profile, pick
from simulator.tape.report import CENTS, LoadReport
from simulator.tape.schedule import GREATEST_GROWTH, balance_after, growth_to_maturity, level_instalment
from simulator.tape.tape import FIELDS, Column, LoanTape, balance_cents, make_tape

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

BLOCK: Final = 4096
"""Candidates a block."""

FEWEST_OF_BLOCK: Final = 0.001
"""Share of candidates that must meet the wish for remaining term; with fewer it would take too long."""

ATTRIBUTES: Final = (
    *CORRELATED,
    "age",
    "days",
    "region",
    "sector",
    "channel",
    "segment",
    "electric",
    "vehicle_age",
    "co_borrower",
)
"""What is drawn, in the order of the streams' numbers; new ones go to the end."""

RATE_DIGITS: Final = 4
"""Contract rates are quoted in hundredths of a percent."""


def synthetic_tape(
    profile: str | TapeProfile,
    n_loans: int,
    *,
    seed: int,
    as_of: datetime.date,
    bucket_shares: Sequence[float] | Floats | None = None,
    bucket_edges: Sequence[int] = (0, 30, 60, 90),
    minimum_remaining_term: int | None = None,
) -> LoanTape:
    """Draw a book.

    Ages are those of an evenly originated book that loses `attrition` of its loans a month.  A loan k
    instalments past due has paid k instalments fewer than its age.

    Parameters
    ----------
    profile : str or TapeProfile
        A shipped profile's name, a path, or a profile.
    n_loans : int
        Loans, at least 1.
    seed : int
        Same seed, same loans; at least 0.
    as_of : datetime.date
        Reporting date.
    bucket_shares : Sequence of float, optional
        Share of loans 0, 1, 2, ... instalments past due; only ratios matter. Absent: all current.
    bucket_edges : Sequence of int
        Least days past due of each of these buckets, from 0; the last bucket is as wide as the one before.
    minimum_remaining_term : int, optional
        Months that every loan has left at least: loans with fewer are drawn again.

    Raises
    ------
    InputError
        No such profile, a wish that cannot be met, or buckets that do not fit together.
    """
    profile = load_profile(profile) if isinstance(profile, str) else profile
    market = load_market(profile.market, profile.where("market"))
    arrears = _arrears(bucket_shares, bucket_edges)
    least = 1 if minimum_remaining_term is None else minimum_remaining_term
    _refuse_wishes(profile, n_loans, seed, least, as_of)
    blocks: list[dict[str, Column]] = []
    found = 0
    for number, block in enumerate(_blocks(profile, market, arrears, seed=seed, as_of=as_of)):
        kept = block["remaining_term"] >= least
        blocks.append({name: column[kept] for name, column in block.items()})
        found += int(kept.sum())
        if found >= n_loans:
            break
        if found < FEWEST_OF_BLOCK * BLOCK * (number + 1):
            wish, title = f"minimum_remaining_term = {least}", profile.name
            raise InputError(Fault(title, wish, "a term that more loans reach", "Ask for fewer months left."))
    columns = {name: np.concatenate([block[name] for block in blocks])[:n_loans] for name in FIELDS}
    cents = balance_cents(columns["current_balance"])
    note = f"Synthetic loans of profile {profile.name}, market {market.name}, seed {seed}; they name no make or model."
    report = LoadReport("synthetic", f"profile {profile.name}", n_loans, n_loans, cents, cents, notes=(note,))
    return make_tape(columns, as_of=as_of, currency=market.currency, report=report)


@dataclass(frozen=True, slots=True)
class _Arrears:
    shares: tuple[float, ...]
    first_day: Integers
    days: Integers


def _arrears(shares: Sequence[float] | Floats | None, edges: Sequence[int]) -> _Arrears:
    """Buckets with their first day and width; a current loan is 0 days past due."""
    given = (1.0,) if shares is None else tuple(float(share) for share in shares)
    lower = (0,) if shares is None else tuple(int(edge) for edge in edges)
    rising = all(right > left for left, right in pairwise(lower))
    if len(given) != len(lower) or not rising or lower[0] != 0 or len(given) > MAX_BUCKET + 1:
        found = f"{len(given)} bucket_shares with bucket_edges {lower}"
        raise InputError(Fault("synthetic tape", found, "one ascending edge a share, from 0 days, 7 at most"))
    if not all(np.isfinite(given)) or min(given) < 0.0 or sum(given) <= 0.0:
        raise InputError(Fault("synthetic tape", f"bucket_shares = {given}", "shares of at least 0, some above 0"))
    widths = np.diff(lower, append=2 * lower[-1] - lower[-2] if len(lower) > 1 else 1)
    widths[0] = 1
    return _Arrears(given, np.array(lower, dtype=np.int64), widths.astype(np.int64))


def _refuse_wishes(profile: TapeProfile, n_loans: int, seed: int, least: int, as_of: datetime.date) -> None:
    longest, highest = profile.term.values[-1], profile.rate.values[-1]
    followed = growth_to_maturity(highest, longest) <= GREATEST_GROWTH
    first_year = FIRST_YEAR + -(-longest // 12) + profile.used_vehicle_age.values[-1]
    slower = f"rates and terms that unpaid principal grows by at most {GREATEST_GROWTH:,.0f}-fold under"
    wishes = (
        (followed, f"a rate of {highest:g} a year over {longest} months", slower),
        (first_year <= as_of.year <= LAST_YEAR, f"as_of = {as_of}", f"a year from {first_year} to {LAST_YEAR}"),
        (n_loans >= 1, f"loans = {n_loans}", "at least 1"),
        (seed >= 0, f"seed = {seed}", "at least 0"),
        (1 <= least <= longest, f"minimum_remaining_term = {least}", f"1 to {longest}, the longest term"),
    )
    faults = [Fault(f"synthetic {profile.name}", found, expected) for met, found, expected in wishes if not met]
    if faults:
        raise InputError(faults)


def _blocks(
    profile: TapeProfile, market: TapeMarket, arrears: _Arrears, *, seed: int, as_of: datetime.date
) -> Iterator[dict[str, Column]]:
    """Blocks of candidates without end, each a full set of columns."""
    root = np.asarray(np.linalg.cholesky(profile.correlation_matrix), dtype=np.float64)
    number = 0
    while True:
        uniform = _uniforms(seed, number)
        joint = _joint(root, uniform)
        terms = _terms(profile, joint)
        history = _history(profile, arrears, terms, joint["arrears"], uniform)
        yield {
            **_identity(profile, number, as_of),
            **_money(terms, history),
            **_dates(as_of, terms, history),
            **_borrowers(profile, market, joint, uniform),
            **_cars(profile, terms, joint, uniform, np.datetime64(as_of, "M") - history.age),
        }
        number += 1


def _uniforms(seed: int, block: int) -> dict[str, Floats]:
    """One uniform number a candidate and attribute, above 0 and below 1."""
    numbers: dict[str, Floats] = {}
    for stream, name in enumerate(ATTRIBUTES):
        sequence = np.random.SeedSequence(entropy=seed, spawn_key=(block, stream))
        # random() may return 0, whose normal score is minus infinity.
        numbers[name] = np.maximum(np.random.Generator(np.random.PCG64(sequence)).random(BLOCK), 2.0**-54)
    return numbers


def _joint(root: Floats, uniform: dict[str, Floats]) -> dict[str, Floats]:
    """Uniform numbers that hang together: normal scores, mixed by the Cholesky factor `root`."""
    scores = [ndtri(uniform[name]) for name in CORRELATED]
    joint: dict[str, Floats] = {}
    for row, name in enumerate(CORRELATED):
        # Term by term, not `@`: a matrix library's order of summation depends on the processor.
        mixed = np.zeros(BLOCK)
        for column in range(row + 1):
            mixed += root[row, column] * scores[column]
        joint[name] = ndtr(mixed)
    return joint


@dataclass(frozen=True, slots=True)
class _Terms:
    """Contract terms at origination."""

    amount: Floats
    rate: Floats
    term: Integers
    instalment: Floats
    value: Floats


def _cents(amount: Floats) -> Floats:
    rounded: Floats = np.rint(amount * CENTS) / CENTS
    return rounded


def _terms(profile: TapeProfile, joint: dict[str, Floats]) -> _Terms:
    amount = _cents(profile.amount.at(joint["amount"]))
    rate = np.round(profile.rate.at(joint["rate"]), RATE_DIGITS)
    term = profile.term.at(joint["term"])
    value = _cents(amount / profile.loan_to_value.at(joint["loan_to_value"]))
    return _Terms(amount, rate, term, _cents(level_instalment(amount, rate, term)), value)


@dataclass(frozen=True, slots=True)
class _History:
    """What has happened since origination."""

    age: Integers
    past_due: Integers
    days: Integers


def _history(
    profile: TapeProfile, arrears: _Arrears, terms: _Terms, worse: Floats, uniform: dict[str, Floats]
) -> _History:
    """Age and arrears; a loan k instalments past due is at least k months old and not yet mature."""
    past_due = np.minimum(pick(arrears.shares, worse), terms.term - 1)
    age = np.maximum(_ages(profile.attrition.value, terms.term, uniform["age"]), past_due)
    days = arrears.first_day[past_due] + np.floor(uniform["days"] * arrears.days[past_due]).astype(np.int64)
    return _History(age, past_due, days)


def _ages(attrition: float, term: Integers, uniform: Floats) -> Integers:
    """Months on book 0 .. term - 1 with probabilities in proportion to (1 - attrition)^age, by inversion."""
    if attrition == 0.0:
        return np.floor(uniform * term).astype(np.int64)
    log_stay = np.log1p(-attrition)
    age: Integers = np.floor(np.log1p(uniform * np.expm1(term * log_stay)) / log_stay).astype(np.int64)
    return np.minimum(age, term - 1)


def _identity(profile: TapeProfile, number: int, as_of: datetime.date) -> dict[str, Column]:
    first = number * BLOCK
    ids = np.array([f"{profile.name}-{candidate:09d}" for candidate in range(first, first + BLOCK)])
    return {"loan_id": ids, "as_of_date": np.full(BLOCK, np.datetime64(as_of, "D"))}


def _money(terms: _Terms, history: _History) -> dict[str, Column]:
    paid = history.age - history.past_due
    balance = _cents(balance_after(terms.amount, terms.rate, terms.instalment, paid))
    return {
        "original_balance": terms.amount,
        "current_balance": balance,
        "rate": terms.rate,
        "scheduled_payment": terms.instalment,
        "days_past_due": history.days,
    }


def _dates(as_of: datetime.date, terms: _Terms, history: _History) -> dict[str, Column]:
    return {
        "origination_date": np.datetime64(as_of, "M") - history.age,
        "original_term": terms.term,
        "remaining_term": terms.term - history.age,
    }


def _borrowers(
    profile: TapeProfile, market: TapeMarket, joint: dict[str, Floats], uniform: dict[str, Floats]
) -> dict[str, Column]:
    nothing = np.full(BLOCK, np.nan)
    ratio = profile.payment_to_income
    return {
        "score": nothing if profile.score is None else np.rint(profile.score.at(joint["score"])),
        "score_type": np.full(BLOCK, profile.score_type),
        "payment_to_income": nothing if ratio is None else np.round(ratio.at(joint["payment_to_income"]), RATE_DIGITS),
        "co_borrower": uniform["co_borrower"] < profile.co_borrower_share.value,
        "region": market.regions.at(uniform["region"]),
        "sector": market.sectors.at(uniform["sector"]),
        "channel": profile.channels.at(uniform["channel"]),
        "product": np.full(BLOCK, "purchase_loan"),
    }


def _cars(
    profile: TapeProfile,
    terms: _Terms,
    joint: dict[str, Floats],
    uniform: dict[str, Floats],
    origination: NDArray[np.datetime64],
) -> dict[str, Column]:
    """Cars; the used ones are those whose joint draw is largest."""
    new = joint["used"] < 1.0 - profile.used_share.value
    electric = new & (uniform["electric"] < profile.electric_share_of_new.value)
    segment = np.where(new, profile.new_vehicles.at(uniform["segment"]), profile.used_vehicles.at(uniform["segment"]))
    year = origination.astype("datetime64[Y]").astype(np.int64) + 1970
    return {
        "vehicle": np.where(electric, "ev", segment),
        "vehicle_make": np.full(BLOCK, ""),
        "vehicle_model": np.full(BLOCK, ""),
        "model_year": (year - np.where(new, 0, profile.used_vehicle_age.at(uniform["vehicle_age"]))).astype(np.float64),
        "vehicle_new": new,
        "vehicle_value": terms.value,
        "value_source": np.where(new, profile.new_value_source, profile.used_value_source),
    }
