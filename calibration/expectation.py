"""What a book is expected to do at reference macro, factor and index: sums of probabilities, no draws.

The engine's monthly step with each loan's states weighted by their probabilities (`population`), and the
cash that charge-offs leave (`proceeds`).  Factors stand at mean intensity, the used-car index stays flat:
what differs from the engine's mean is the small effect of persistence and of a random index, and that an
extension does not move a loan's last due date.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from calibration.population import Owed, Population, Standing, opening
from calibration.proceeds import Cars, book_cars
from simulator.book import build_book
from simulator.kernels.bundles import Loans
from simulator.parameters import Parameters
from simulator.tape import LoanTape
from simulator.tape.schedule import balance_after

Floats = NDArray[np.float64]

WORKOUT_MONTHS = 12
"""Months after the last maturity in which arrears are still worked out."""

RENEWING_MONTHS = 60
"""Months in which a book of loans that renew has all but ended: by the slowest shipped set 1 % is left."""


@dataclass(frozen=True, eq=False)
class Recoveries:
    """Expected cash of all charge-offs, by the share of cars found after them.

    Attributes
    ----------
    fixed : float
        Of cars seized before, and collections if no other car were found, currency.
    if_found : float64[loan]
        What finding each loan's car adds, currency.
    find : float64[loan]
        Multiplier of the chance to find it.
    """

    fixed: float
    if_found: Floats
    find: Floats

    def cash(self, found_share: float) -> float:
        """Currency, all months."""
        return self.fixed + float(np.minimum(found_share * self.find, 1.0) @ self.if_found)


@dataclass(frozen=True, eq=False)
class ExpectedBook:
    """Expected flows and stocks of a book by month.

    Attributes
    ----------
    live, delinquent, seriously_delinquent : float64[month 0..]
        Expected number of live loans, and of those one and two instalments past due or more.
    charge_off_count, total_loss_count : float64[month 0..]
        Expected number of charge-offs, and of total losses of the car; 0 in month 0.
    charge_off : float64[month 0..]
        Principal and accrued interest charged off, what total losses leave unpaid included, currency.
    entries, entries_without_equity : float64[month 0..]
        Expected number of loans that fall behind, and the same without the effect of negative equity.
    recoveries : Recoveries
        Cash on all of it.
    """

    live: Floats
    delinquent: Floats
    seriously_delinquent: Floats
    charge_off_count: Floats
    total_loss_count: Floats
    charge_off: Floats
    entries: Floats
    entries_without_equity: Floats
    recoveries: Recoveries

    def recovery_share(self, found_share: float) -> float:
        """Recoveries over charged-off balance where that share of cars is found after charge-off."""
        return self.recoveries.cash(found_share) / float(self.charge_off.sum())


FLOWS = tuple(field.name for field in fields(ExpectedBook) if field.name != "recoveries")


def run_off_months(tape: LoanTape) -> int:
    """Months after which a book has run off: the last maturity and the workout after it."""
    renews = bool((tape["amortisation"] == "single_payment").any())
    last = max(int(tape["remaining_term"].max()), RENEWING_MONTHS if renews else 0)
    return last + WORKOUT_MONTHS


def expected_book(tape: LoanTape, parameters: Parameters) -> ExpectedBook:
    """Run a book off in expectation, to the last maturity and the workout after it.

    Parameters
    ----------
    tape : LoanTape
        The book at its as-of date.
    parameters : Parameters
        Its tiers.
    """
    loans, months = build_book(tape, parameters).loans, run_off_months(tape)
    cars = book_cars(loans, parameters, tape.as_of.month, months)
    population, standing = Population(loans, parameters), opening(loans, parameters)
    flows = np.zeros((len(FLOWS), months + 1))
    flows[:3, 0] = _stocks(standing)
    fixed, if_found = 0.0, np.zeros(loans.contract.track.size)
    for month in range(1, months + 1):
        owed = _owed(loans, parameters, month, standing.excess())
        equity = population.equity_multiplier(owed.principal, cars.value(month))
        standing, exits = population.step(standing, month, equity, owed)
        unpaid = exits.total_loss * cars.unpaid_total_loss(month, owed.claim)
        gone = exits.charged_off.sum(axis=2)
        flows[:3, month] = _stocks(standing)
        flows[3:5, month] = gone.sum(), exits.total_loss.sum()
        flows[5, month] = (gone * owed.claim).sum() + unpaid.sum()
        flows[6:, month] = exits.entries.sum(), exits.entries_without_equity.sum()
        kept, further = _cash(cars, month, owed.claim, exits.charged_off)
        fixed += kept + float(cars.deficiency_cash(unpaid).sum())
        if_found += further
    recoveries = Recoveries(fixed, if_found, loans.fact.find)
    return ExpectedBook(**dict(zip(FLOWS, flows, strict=True)), recoveries=recoveries)


def _cash(cars: Cars, month: int, claim: Floats, charged_off: Floats) -> tuple[float, Floats]:
    """Cash of a month's charge-offs if no car is found after them, and what each loan's finding adds."""
    without, lost = cars.deficiency_cash(claim), charged_off[..., 0]
    fixed = float((lost * without).sum())
    for held in range(1, charged_off.shape[2]):
        here = charged_off[..., held]
        if here.any():
            fixed += float((here * cars.after_sale(month, claim, held)).sum())
    further = lost * (cars.after_sale(month, claim, None) - without)
    return fixed, np.asarray(further.sum(axis=1))


def _stocks(standing: Standing) -> tuple[float, float, float]:
    late = standing.arrears[0].sum(axis=(0, 2, 3))
    return float(standing.current[0].sum() + late.sum()), float(late.sum()), float(late[1:].sum())


def _owed(loans: Loans, parameters: Parameters, month: int, excess: Floats) -> Owed:
    """What loans owe in a month, by opening bucket; `excess` float64[loan, K+1] of the track above schedule."""
    compounding = 12.0 * (loans.contract.shrink - 1.0)
    before, track = (
        balance_after(
            loans.contract.track, compounding, loans.contract.step, np.full(loans.contract.track.size, months)
        )
        for months in (month - 1, month)
    )
    principal, claims = before[:, None] + excess, []
    for bucket in range(len(parameters.bucket_labels)):
        overdue = min(bucket + 1, parameters.nonaccrual_months)
        claims.append(np.maximum(principal[:, bucket], 0.0) * (1.0 + (loans.contract.growth - 1.0) * overdue))
        principal = (principal + loans.contract.step[:, None]) / loans.contract.shrink[:, None]
    return Owed(np.stack(claims, axis=1), np.maximum(before + excess[:, 0], 0.0), track)
