"""A synthetic book: loans drawn jointly from a profile, aged, amortised, some of them in arrears.

Every attribute of a candidate is an inverse distribution function of a uniform number whose address is
seed, loan id and attribute (`simulator.tape.draws`).  So the first loans of a seed do not change when
more are asked for, and a new attribute changes no old one.
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
from simulator.sourced import Share
from simulator.tape.amortisation import COMPOUNDING
from simulator.tape.dates import FIRST_YEAR, LAST_YEAR
from simulator.tape.draws import attribute_uniforms
from simulator.tape.profile import CORRELATED, TapeMarket, TapeProfile, Weights, load_market, load_profile, pick
from simulator.tape.report import CENTS, LoadReport
from simulator.tape.schedule import GREATEST_GROWTH, balance_after, growth_to_maturity, instalment_to
from simulator.tape.tape import FIELDS, Column, LoanTape, balance_cents, make_tape

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
Texts = NDArray[np.str_]

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
    "product",
    "amortisation",
    "kilometres",
    "income_verified",
    "tracker",
    "starter_interrupt",
    "credit_insured",
    "modified",
    "repossessed",
)
"""What is drawn, in the order of the draws' addresses; new ones go to the end."""

SERIOUSLY_LATE: Final = 2
"""Instalments past due from which a car may have been repossessed."""

SEEDS: Final = 1 << 64
"""Number of seeds: the key of the draws has 64 bits."""

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
    instalments past due has paid k instalments fewer than its age.  A single-payment loan is the last one of
    a row of renewals: current, it has not reached its due date; k months past due, it was due k months ago.

    Parameters
    ----------
    profile : str or TapeProfile
        A shipped profile's name, a path, or a profile.
    n_loans : int
        Loans, at least 1.
    seed : int
        Same seed, same loans; 0 to 2**64 - 1.
    as_of : datetime.date
        Reporting date.
    bucket_shares : Sequence of float, optional
        Share of loans 0, 1, 2, ... instalments past due; only ratios matter. Absent: all current.
    bucket_edges : Sequence of int
        Least days past due of each of these buckets, from 0; the last bucket is as wide as the one before.
    minimum_remaining_term : int, optional
        Months that every loan has left at least: loans with fewer are drawn again. Single-payment loans are
        renewed and have no last month.

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
    columns: dict[str, Column] = {}
    found = 0
    for number, block in enumerate(_blocks(profile, market, arrears, seed=seed, as_of=as_of)):
        kept = np.flatnonzero((block["remaining_term"] >= least) | (block["amortisation"] == "single_payment"))
        _fill(columns, {name: column[kept[: n_loans - found]] for name, column in block.items()}, found, n_loans)
        found += kept.size
        if found >= n_loans:
            break
        if found < FEWEST_OF_BLOCK * BLOCK * (number + 1):
            wish, title = f"minimum_remaining_term = {least}", profile.name
            raise InputError(Fault(title, wish, "a term that more loans reach", "Ask for fewer months left."))
    cents = balance_cents(columns["current_balance"])
    note = f"Synthetic loans of profile {profile.name}, market {market.name}, seed {seed}; they name no make or model."
    report = LoadReport("synthetic", f"profile {profile.name}", n_loans, n_loans, cents, cents, notes=(note,))
    return make_tape(columns, as_of=as_of, currency=market.currency, report=report, consume=True)


def _fill(columns: dict[str, Column], block: dict[str, Column], first: int, count: int) -> None:
    """Write a block's loans from the `first` of `count` on; columns are made by the first block, texts widen later."""
    for name in FIELDS:
        part = block[name]
        whole = columns.get(name)
        if whole is None:
            whole = columns[name] = np.empty(count, part.dtype)
        elif part.dtype != whole.dtype:
            whole = columns[name] = whole.astype(np.result_type(whole, part), copy=False)
        whole[first : first + part.size] = part


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
    ways = {"level": 1.0} if profile.amortisation is None else profile.amortisation.weights
    renewed = ways.get("single_payment", 0.0) > 0.0
    oldest = longest + (MAX_BUCKET if renewed else 0)
    first_year = FIRST_YEAR + -(-oldest // 12) + profile.used_vehicle_age.values[-1]
    slower = f"rates and terms that unpaid principal grows by at most {GREATEST_GROWTH:,.0f}-fold under"
    reached = least >= 1 and (renewed or least <= longest)
    wishes = (
        (followed, f"a rate of {highest:g} a year over {longest} months", slower),
        (first_year <= as_of.year <= LAST_YEAR, f"as_of = {as_of}", f"a year from {first_year} to {LAST_YEAR}"),
        (n_loans >= 1, f"loans = {n_loans}", "at least 1"),
        (0 <= seed < SEEDS, f"seed = {seed}", f"0 to {SEEDS - 1}"),
        (reached, f"minimum_remaining_term = {least}", f"1 to {longest}, the longest term"),
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
        ids = np.array([f"{profile.name}-{candidate:09d}" for candidate in range(number * BLOCK, (number + 1) * BLOCK)])
        uniform = attribute_uniforms(ids, ATTRIBUTES, seed)
        joint = _joint(root, uniform)
        terms = _terms(profile, joint, uniform)
        history = _history(profile, arrears, terms, joint["arrears"], uniform)
        yield {
            "loan_id": ids,
            "as_of_date": np.full(BLOCK, np.datetime64(as_of, "D")),
            **_money(terms, history),
            **_dates(as_of, terms, history),
            **_borrowers(profile, market, joint, uniform, terms),
            **_cars(profile, terms, joint, uniform, np.datetime64(as_of, "M") - history.age),
            **_flags(profile, uniform, history),
        }
        number += 1


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
    """Contract terms at origination; `step` is what principal falls by a month, with interest where it compounds."""

    amount: Floats
    rate: Floats
    term: Integers
    amortisation: Texts
    step: Floats
    balloon: Floats
    value: Floats

    @property
    def compounding_rate(self) -> Floats:
        """The contract rate where instalments hold the interest, else 0."""
        return np.where(np.isin(self.amortisation, COMPOUNDING), self.rate, 0.0)

    @property
    def payment(self) -> Floats:
        """The same amount every month: the instalment, or the interest alone; missing where there is none."""
        interest = np.where(self.amortisation == "interest_only", _cents(self.amount * self.rate / 12.0), np.nan)
        return np.where(np.isin(self.amortisation, COMPOUNDING), self.step, interest)


def _cents(amount: Floats) -> Floats:
    rounded: Floats = np.rint(amount * CENTS) / CENTS
    return rounded


def _terms(profile: TapeProfile, joint: dict[str, Floats], uniform: dict[str, Floats]) -> _Terms:
    amount = _cents(profile.amount.at(joint["amount"]))
    rate = np.round(profile.rate.at(joint["rate"]), RATE_DIGITS)
    term = profile.term.at(joint["term"])
    value = _cents(amount / profile.loan_to_value.at(joint["loan_to_value"]))
    way = _named(profile.amortisation, "level", uniform["amortisation"])
    share = 0.0 if profile.balloon_share is None else profile.balloon_share.value
    balloon = np.where(way == "balloon", _cents(share * amount), 0.0)
    level = np.isin(way, COMPOUNDING)
    step = np.where(level, instalment_to(amount, balloon, rate, term), np.where(way == "linear", amount / term, 0.0))
    return _Terms(amount, rate, term, way, _cents(step), balloon, value)


def _named(weights: Weights | None, otherwise: str, uniform: Floats) -> Texts:
    """Names drawn by weight; all the same where a profile states none."""
    return np.full(BLOCK, otherwise) if weights is None else weights.at(uniform)


@dataclass(frozen=True, slots=True)
class _History:
    """What has happened since origination."""

    age: Integers
    past_due: Integers
    days: Integers


def _history(
    profile: TapeProfile, arrears: _Arrears, terms: _Terms, worse: Floats, uniform: dict[str, Floats]
) -> _History:
    """Age and arrears; a loan k instalments past due is k months old or more and not mature, or due k months ago."""
    single = terms.amortisation == "single_payment"
    past_due = pick(arrears.shares, worse)
    past_due = np.where(single, past_due, np.minimum(past_due, terms.term - 1))
    age = np.maximum(_ages(profile.attrition.value, terms.term, uniform["age"]), past_due)
    age = np.where(single & (past_due > 0), terms.term + past_due, age)
    days = arrears.first_day[past_due] + np.floor(uniform["days"] * arrears.days[past_due]).astype(np.int64)
    return _History(age, past_due, days)


def _ages(attrition: float, term: Integers, uniform: Floats) -> Integers:
    """Months on book 0 .. term - 1 with probabilities in proportion to (1 - attrition)^age, by inversion."""
    if attrition == 0.0:
        return np.floor(uniform * term).astype(np.int64)
    log_stay = np.log1p(-attrition)
    age: Integers = np.floor(np.log1p(uniform * np.expm1(term * log_stay)) / log_stay).astype(np.int64)
    return np.minimum(age, term - 1)


def _money(terms: _Terms, history: _History) -> dict[str, Column]:
    paid = history.age - history.past_due
    balance = _cents(balance_after(terms.amount, terms.compounding_rate, terms.step, paid))
    return {
        "original_balance": terms.amount,
        "current_balance": balance,
        "rate": terms.rate,
        "scheduled_payment": terms.payment,
        "days_past_due": history.days,
        "amortisation": terms.amortisation,
        "balloon": np.where(terms.balloon > 0.0, terms.balloon, np.nan),
    }


def _dates(as_of: datetime.date, terms: _Terms, history: _History) -> dict[str, Column]:
    return {
        "origination_date": np.datetime64(as_of, "M") - history.age,
        "original_term": terms.term,
        "remaining_term": np.maximum(terms.term - history.age, 0),
    }


def _borrowers(
    profile: TapeProfile, market: TapeMarket, joint: dict[str, Floats], uniform: dict[str, Floats], terms: _Terms
) -> dict[str, Column]:
    """Borrowers; where payment-to-income is known their income is, too."""
    nothing, stated = np.full(BLOCK, np.nan), profile.payment_to_income
    ratio = nothing if stated is None else np.round(stated.at(joint["payment_to_income"]), RATE_DIGITS)
    return {
        "score": nothing if profile.score is None else np.rint(profile.score.at(joint["score"])),
        "score_type": np.full(BLOCK, profile.score_type),
        "payment_to_income": ratio,
        "income": _cents(terms.payment / np.where(ratio > 0.0, ratio, np.nan)),
        "co_borrower": uniform["co_borrower"] < profile.co_borrower_share.value,
        "region": market.regions.at(uniform["region"]),
        "sector": market.sectors.at(uniform["sector"]),
        "channel": profile.channels.at(uniform["channel"]),
        "product": _named(profile.product, "purchase_loan", uniform["product"]),
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
    years = np.where(new, 0, profile.used_vehicle_age.at(uniform["vehicle_age"]))
    return {
        "vehicle": np.where(electric, "ev", segment),
        "vehicle_make": np.full(BLOCK, ""),
        "vehicle_model": np.full(BLOCK, ""),
        "model_year": (year - years).astype(np.float64),
        "mileage": _mileage(profile, years, uniform["kilometres"]),
        "vehicle_new": new,
        "vehicle_value": terms.value,
        "value_source": np.where(new, profile.new_value_source, profile.used_value_source),
    }


def _mileage(profile: TapeProfile, years: Integers, uniform: Floats) -> Floats:
    """Kilometres at origination; missing where the car is less than a year old."""
    if profile.kilometres_per_year is None:
        return np.full(BLOCK, np.nan)
    driven: Floats = np.rint(profile.kilometres_per_year.at(uniform) * years)
    return np.where(years > 0, driven, np.nan)


def _flags(profile: TapeProfile, uniform: dict[str, Floats], history: _History) -> dict[str, Column]:
    """What is so of a share of the loans, each apart from the others."""
    shares = {
        "income_verified": profile.income_verified_share,
        "tracker": profile.tracker_share,
        "starter_interrupt": profile.starter_interrupt_share,
        "credit_insured": profile.credit_insured_share,
        "modified": profile.modified_share,
        "repossessed": profile.repossessed_share,
    }
    flags: dict[str, Column] = {name: uniform[name] < _value(share) for name, share in shares.items()}
    flags["repossessed"] &= history.past_due >= SERIOUSLY_LATE
    return flags


def _value(share: Share | None) -> float:
    return 0.0 if share is None else share.value
