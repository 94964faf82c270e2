"""The simple job of the benchmark: once as inputs of the engine, once as plain arrays for its peers.

Loans are current, 30, 60 or 90 days past due, in default or prepaid, and all begin as current.  In month t

* a current loan falls behind with probability 1 - exp(-exp(b_i + sigma z_t)), is prepaid with 1.5 %, and stays
  otherwise; z is an AR(1) of unit variance with coefficient .95, sigma is .5;
* a loan in arrears returns to current with probability .35, .20 or .10 by bucket, goes to the next worse one with .35,
  .55 or .75, from 90 days past due into default, and stays otherwise;
* a default loses max(balance - .7 x value x index, 0).  The balance is what was owed four instalments ago, as the loan
  missed four: level instalments without interest.  The value is the car's, less 15 % a year; the index is a path of
  its own, a random walk of 2 % a month in logarithms with mean 1.

The figures stand in ``simple_job.yaml``, a parameter set of the product; the peers read theirs from it.

What the engine knows beyond this job, and why it does nothing here:

=========================================== ==========================================================================
what                                        neutral by
=========================================== ==========================================================================
history, types, extensions, negative equity, the set has no such section: every multiplier is 1, every probability 0
fees, seizure, total loss, deficiency,
fire sale, economics
macro variables, seasoning, LTV, payment    no sensitivity; a flat curve; ratios of 1 and 0
region and sector                           one of each, and no share of the factor's variance
interest, discounting                       the loans' rate is 0: nothing accrues, a month's discount factor is 1
sale after charge-off                       every car is found, at once; no cost but the haircut; cars of a value are
                                            alike; no season; the loss is floored at 0
values                                      stated as wholesale in a currency without price history, in the month
                                            of origination
maturity                                    terms end a year or more after the horizon
run-off after the horizon                   takes place (a loan 90 days past due counts as in default) and is not
                                            counted: losses are those of the horizon's months
collections, market share                   none: `reference`, and no share
=========================================== ==========================================================================

One difference is left.  The engine's causes compete (methodology (2)): the more a loan is about to fall behind, the
less it prepays, and the other way round.  Its two intensities are those at which a loan of the reference score in a
month of mean intensity has the job's two probabilities exactly; elsewhere they differ in second order.  In arrears
there is no difference, as intensities are constants there.  `benchmarks.exact` follows both laws without a draw, so the
difference in the loss is known and printed, and each side is judged by its own law.
"""

from __future__ import annotations

import datetime
import math
import sys
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq

from scenarios.library import find_scenario
from scenarios.load import read_spec
from scenarios.macro import MonthlyMacro, monthly_macro
from simulator.correlation import Credit, solve_response
from simulator.horizon import months_needed
from simulator.parameter_set import ParameterSet
from simulator.parameters import Parameters, build_parameters
from simulator.tape import LoadReport, LoanTape, make_tape
from simulator.tape.tape import balance_cents

Floats = NDArray[np.float64]

PARAMETER_FILE = Path(__file__).with_name("simple_job.yaml")

SCENARIO = "baseline"
"""The shipped scenario that the engine runs on: nothing in the job is sensitive to it, and its index is flat."""

MISSED = 4
"""Instalments that a loan has missed when it defaults."""

VOLATILITY = 0.5
"""sigma, strength of the factor in the exponent; the set states the correlation that leads to it."""

YEAR = 12

SPARE_MONTHS = 12
"""Months from the horizon to the last instalment, so that no loan matures."""

SCORES = np.arange(600.0, 725.0, 5.0)
"""Scores of the book, each as likely as another: b_i lies within .6 of its mean."""

LOAN_TO_VALUE = np.array([0.8, 0.9, 1.0, 1.1, 1.2])
"""Balance over value of the car, each as likely as another.

Few distinct scores and ratios make no implementation faster; they let `exact` add loans up before it follows them."""

BALANCES = (8_000.0, 40_000.0)
"""Smallest and largest balance; uniform between."""

BOOK_SEED = 20_260_101
"""Seed of the book's features; the job's draws have seeds of their own."""


@dataclass(frozen=True, slots=True)
class Law:
    """Monthly probabilities of the job.

    Attributes
    ----------
    prepay : float
        Of a current loan.
    cure, roll : (float, float, float)
        From 30, 60, 90 days past due back to current, and to the next worse state.
    volatility : float
        sigma, strength of the factor in the exponent.
    """

    prepay: float
    cure: tuple[float, float, float]
    roll: tuple[float, float, float]
    volatility: float


@dataclass(frozen=True, slots=True, eq=False)
class Job:
    """The job as plain arrays: what the peers are given.

    Attributes
    ----------
    months : int
    law : Law
    log_odds : float64[loan]
        b_i.
    balance, instalment : float64[loan]
        Currency; principal falls by the instalment each month.
    proceeds : float64[loan]
        What a sale of the car would bring at the start, haircut taken off, currency.
    decay : float64[month 1..T]
        Value of a car over its value at the start, index apart.
    """

    months: int
    law: Law
    log_odds: Floats
    balance: Floats
    instalment: Floats
    proceeds: Floats
    decay: Floats

    def odds(self) -> Floats:
        """float64[loan] exp(b_i): intensity of entry in a month of z = 0."""
        return np.exp(self.log_odds)


@dataclass(frozen=True, slots=True, eq=False)
class Market:
    """What all loans of a path share, for some paths: the same for every implementation.

    Attributes
    ----------
    paths : range
        Numbers of the paths.
    factor, index : float64[path, month 1..T]
        z; used-car index.
    """

    paths: range
    factor: Floats
    index: Floats

    def part(self, first: int, count: int) -> Market:
        """Some of the paths."""
        rows = slice(first, first + count)
        return Market(self.paths[rows], self.factor[rows], self.index[rows])

    def response(self, job: Job) -> Floats:
        """float64[path, month] exp(sigma z), which multiplies a loan's odds."""
        return np.exp(job.law.volatility * self.factor)

    def price(self, job: Job) -> Floats:
        """float64[path, month] what a car brings over what it would have brought at the start."""
        return self.index * job.decay


@cache
def parameters() -> Parameters:
    """The job's parameter set as the engine's bundle."""
    return build_parameters([read_spec(PARAMETER_FILE, ParameterSet)])


def solved_correlation() -> float:
    """Correlation of one month's entries at which the set's monthly response is exp(`VOLATILITY` z - ...)."""
    bundle = parameters()
    credit = Credit(bundle.published_intensity[0], bundle.default_bucket, bundle.persistence)

    def excess(correlation: float) -> float:
        return solve_response(credit, "lognormal", correlation, 1) - VOLATILITY

    return float(brentq(excess, 1e-4, 0.5, xtol=1e-14))


def reference_entry() -> float:
    """Probability that a current loan falls behind, at the reference score in a month of mean intensity."""
    (item,) = parameters().sets
    return item.transitions[0].to[item.buckets.labels[1]]


def simple_tape(loans: int, months: int) -> LoanTape:
    """The book as a tape: new loans of 0 % on new cars, all current, that differ in score, balance and value."""
    random = np.random.Generator(np.random.PCG64(BOOK_SEED))
    balance = np.round(random.uniform(*BALANCES, loans), 2)
    as_of = _as_of()
    features = {
        "loan_id": np.array([f"S{place:07d}" for place in range(loans)]),
        "original_balance": balance,
        "current_balance": balance,
        "score": random.choice(SCORES, loans),
        "vehicle_value": balance / random.choice(LOAN_TO_VALUE, loans),
    }
    term = months + SPARE_MONTHS
    alike = {
        **dict.fromkeys(("vehicle_make", "vehicle_model"), ""),
        **dict.fromkeys(("scheduled_payment", "payment_to_income", "balloon", "mileage", "income"), np.nan),
        **dict.fromkeys(("co_borrower", "income_verified", "tracker", "starter_interrupt"), False),
        **dict.fromkeys(("credit_insured", "modified", "repossessed"), False),
        **dict.fromkeys(("region", "sector", "channel"), "one"),
        **dict.fromkeys(("original_term", "remaining_term"), term),
        "as_of_date": np.datetime64(as_of),
        "origination_date": np.datetime64(as_of, "M"),
        "rate": 0.0,
        "days_past_due": 0,
        "score_type": "FICO",
        "product": "purchase_loan",
        "vehicle": "car",
        "model_year": float(as_of.year),
        "vehicle_new": True,
        "value_source": "wholesale",
        "amortisation": "level",
    }
    columns = {**features, **{name: np.full(loans, value) for name, value in alike.items()}}
    cents = balance_cents(balance)
    report = LoadReport("the simple job", "columns", loans, loans, cents, cents)
    return make_tape(columns, as_of=as_of, currency=parameters().currency, report=report)


def _as_of() -> datetime.date:
    """Last day of the month before the scenario begins."""
    year, month = find_scenario(SCENARIO).first_month
    return datetime.date(year, month, 1) - datetime.timedelta(days=1)


def simple_macro(months: int) -> MonthlyMacro:
    """The scenario's monthly paths, as long as the engine needs them."""
    as_of, needed = _as_of(), months_needed(parameters(), months)
    return monthly_macro(find_scenario(SCENARIO), (as_of.year, as_of.month), months, needed)


def simple_job(tape: LoanTape, months: int) -> Job:
    """The same job as arrays, from the same tape and parameter set."""
    (item,) = parameters().sets
    rows = {row.from_bucket: row.to for row in item.transitions}
    current, *late = (rows[label] for label in item.buckets.labels)
    worse = [*item.buckets.labels[2:], "charge_off"]
    law = Law(
        prepay=current["prepaid"],
        cure=(late[0]["current"], late[1]["current"], late[2]["current"]),
        roll=(late[0][worse[0]], late[1][worse[1]], late[2][worse[2]]),
        volatility=float(parameters().sigma[0]),
    )
    per_point, reference = item.covariates.score_per_point, item.covariates.score_reference
    if per_point is None or reference is None:
        raise ValueError(f"{PARAMETER_FILE.name}: covariates without score_per_point and score_reference")
    # At the reference score and a mean month, exp(b + sigma^2/2) is the intensity of the set's own probability.
    log_odds = math.log(-math.log1p(-reference_entry())) - 0.5 * law.volatility**2
    balance = np.asarray(tape["current_balance"], dtype=np.float64)
    return Job(
        months=months,
        law=law,
        log_odds=log_odds + per_point.value * (tape["score"] - reference.value),
        balance=balance,
        instalment=balance / tape["remaining_term"],
        proceeds=(1.0 - item.sale.auction_haircut.value) * tape["vehicle_value"],
        decay=(1.0 - item.depreciation.later_years.value) ** (np.arange(1, months + 1) / YEAR),
    )


if __name__ == "__main__":
    sys.stdout.write(f"systematic.correlation: {solved_correlation():.11g}\n")
