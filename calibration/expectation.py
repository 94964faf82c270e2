"""What a book is expected to do at reference macro, factor and index: sums of probabilities, no draws.

The engine's monthly step (methodology (1), (2), (3), (6)) with each loan's states weighted by their
probabilities.  Factors stand at mean intensity, the used-car index stays flat: what differs from the
engine's mean is the small effect of persistence and of a random index.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

from simulator.book import build_book
from simulator.collateral import OLDEST_MONTH
from simulator.intensities import transition_matrix
from simulator.kernels.bundles import Loans
from simulator.parameters import Parameters
from simulator.tape import LoanTape
from simulator.tape.schedule import balance_after

Floats = NDArray[np.float64]

WORKOUT_MONTHS = 12
"""Months after the last maturity in which arrears are still worked out."""


@dataclass(frozen=True, eq=False)
class ExpectedBook:
    """Expected flows and stocks of a book by month.

    Attributes
    ----------
    live, delinquent, seriously_delinquent : float64[month 0..]
        Expected number of live loans, and of those one and two instalments past due or more.
    charge_off_count : float64[month 0..]
        Expected number of charge-offs; 0 in month 0.
    charge_off : float64[month 0..]
        Principal and accrued interest charged off, currency.
    sale : float64[month 0..]
        What the month's charge-offs would bring net of costs if every car were found and sold, currency.
    """

    live: Floats
    delinquent: Floats
    seriously_delinquent: Floats
    charge_off_count: Floats
    charge_off: Floats
    sale: Floats

    @property
    def sale_share(self) -> float:
        """Net proceeds over charged-off balance if every car were sold."""
        return float(self.sale.sum() / self.charge_off.sum())


def expected_book(tape: LoanTape, parameters: Parameters) -> ExpectedBook:
    """Run a book off in expectation, to the last maturity and the workout after it.

    Parameters
    ----------
    tape : LoanTape
        The book at its as-of date.
    parameters : Parameters
        Its tiers.
    """
    loans = build_book(tape, parameters).loans
    n_buckets = len(parameters.bucket_labels)
    state = np.eye(n_buckets)[loans.bucket.astype(np.int64)]
    months = int(loans.term.max()) + WORKOUT_MONTHS
    flows = np.zeros((6, months + 1))
    flows[:3, 0] = _stocks(state)
    for month in range(1, months + 1):
        moves = state[:, :, None] * _matrices(loans, parameters, month)
        claim = _claims(loans, parameters, month)
        charged_off = moves[:, :, n_buckets]
        state = np.where(_matured(loans, month, n_buckets), 0.0, moves[:, :, :n_buckets].sum(axis=1))
        flows[:3, month] = _stocks(state)
        flows[3, month] = charged_off.sum()
        flows[4, month] = (charged_off * claim).sum()
        flows[5, month] = (charged_off * _expected_sale(loans, parameters, month, claim)).sum()
    return ExpectedBook(*flows)


def _stocks(state: Floats) -> tuple[float, float, float]:
    return float(state.sum()), float(state[:, 1:].sum()), float(state[:, 2:].sum())


def _matrices(loans: Loans, parameters: Parameters, month: int) -> Floats:
    """Monthly transition probabilities of each loan: float64[loan, K+1, K+3]."""
    age = np.minimum(loans.age + month, parameters.seasoning.shape[1] - 1)
    intensity = parameters.intensity[loans.tier]
    intensity[:, 0, 1:-1] *= (loans.risk * parameters.seasoning[loans.tier, age])[:, None]
    return transition_matrix(intensity)


def _matured(loans: Loans, month: int, n_buckets: int) -> NDArray[np.bool_]:
    """Whether a loan so many instalments behind has paid its last one: bool[loan, K+1]."""
    return month - np.arange(n_buckets) >= loans.term[:, None]


def _claims(loans: Loans, parameters: Parameters, month: int) -> Floats:
    """Principal and accrued interest of a charge-off in this month, by opening bucket: float64[loan, K+1]."""
    rate = 12.0 * (loans.growth - 1.0)
    principal = balance_after(loans.track, rate, loans.payment, np.full(loans.track.size, month - 1))
    claims = []
    for bucket in range(len(parameters.bucket_labels)):
        overdue = min(bucket + 1, parameters.nonaccrual_months)
        claims.append(np.maximum(principal, 0.0) * (1.0 + (loans.growth - 1.0) * overdue))
        principal = (principal + loans.payment) / loans.growth
    return np.stack(claims, axis=1)


def _expected_sale(loans: Loans, parameters: Parameters, month: int, claim: Floats) -> Floats:
    """Expected net proceeds of a sale after a charge-off in this month: float64[loan, K+1]."""
    tier = loans.tier
    segment, car_age = loans.car // OLDEST_MONTH, loans.car % OLDEST_MONTH
    age = np.minimum(car_age + month + parameters.sale_lag[tier], parameters.depreciation.shape[1] - 1)
    price = loans.value_as_new * parameters.depreciation[segment, age] * (1.0 - parameters.haircut[tier])
    return capped_sale(
        (price * (1.0 - parameters.sale_cost_share[tier]))[:, None],
        parameters.sale_cost[tier][:, None],
        claim * (1.0 - np.nan_to_num(parameters.lgd_floor[tier], nan=-np.inf))[:, None],
        parameters.vehicle_sd[tier][:, None],
    )


def capped_sale(price: Floats, cost: Floats, cap: Floats, sd: Floats) -> Floats:
    """E[min(price X - cost, cap)] of a car whose own condition X is lognormal with mean 1.

    With k = (cap + cost) / price: price E[min(X, k)] - cost, and
    E[min(X, k)] = Phi((ln k - sd^2/2) / sd) + k Phi(-(ln k + sd^2/2) / sd).
    """
    limit = (cap + cost) / price
    with np.errstate(divide="ignore", invalid="ignore"):
        below = np.where(sd > 0.0, (np.log(limit) - 0.5 * sd**2) / sd, np.copysign(np.inf, limit - 1.0))
        above = np.where(sd > 0.0, -(np.log(limit) + 0.5 * sd**2) / sd, np.copysign(np.inf, 1.0 - limit))
        rest = np.where(np.isinf(limit), 0.0, limit * ndtr(above))
    return np.asarray(price * (ndtr(below) + rest) - cost)
