"""Expected cash after the end of a bad loan: sale of the car, deficiency, insurance (methodology (3j), (8b)).

The used-car index stays flat, so a car's own condition is the only chance in a price.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

from simulator.horizon import longest_sale
from simulator.kernels.bundles import Loans
from simulator.parameters import Parameters
from simulator.workouts import MONTHS_A_YEAR, car_depreciation

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Cars:
    """Cars and terms of a book.

    Attributes
    ----------
    loans : Loans
        The book.
    parameters : Parameters
        Its tiers.
    depreciation : float64[month, car]
        Value relative to new.
    first_month : int
        Calendar month of the as-of date, 1 to 12.
    """

    loans: Loans
    parameters: Parameters
    depreciation: Floats
    first_month: int

    def value(self, month: int | NDArray[np.int64]) -> Floats:
        """Wholesale value in a month, without the car's own condition: float64[loan]."""
        return np.asarray(self.loans.fact.value_as_new * self.depreciation[month, self.loans.fact.car])

    def after_sale(self, month: int, claim: Floats, held: int | None) -> Floats:
        """Cash after a charge-off whose car is sold, net of costs: proceeds, and collections on the rest.

        Parameters
        ----------
        month : int
            Month of the charge-off.
        claim : float64[loan, K+1]
            Principal and accrued interest by opening bucket, currency.
        held : int or None
            Months since the car was seized; None: it is found after the charge-off.

        Returns
        -------
        float64[loan, K+1]
        """
        terms, tier = self.parameters.workout, self.loans.fact.tier
        lag = terms.sale_lag[tier]
        stored = lag if held is None else np.maximum(lag, held)
        wait = lag + terms.search_lag[tier] if held is None else np.maximum(lag - held, 0)
        season = terms.season[(self.first_month - 1 + month + wait) % MONTHS_A_YEAR]
        price = self.value(month + wait) * (1.0 - terms.haircut[tier]) * season
        cost = terms.cost_fixed[tier] + terms.storage_per_month[tier] * stored
        cap = claim * (1.0 - np.nan_to_num(terms.lgd_floor[tier], nan=-np.inf))[:, None]
        kept = (price * (1.0 - terms.cost_share[tier]))[:, None], cost[:, None]
        spread = terms.vehicle_sd[tier][:, None]
        net = capped_sale(*kept, cap, spread)
        rest = claim - (net if (cap <= claim).all() else capped_sale(*kept, np.minimum(cap, claim), spread))
        return net + self.deficiency_cash(rest)

    def deficiency_cash(self, rest: Floats) -> Floats:
        """Collections on what is left unpaid, float64[loan, K+1] of the same."""
        return np.asarray(self.parameters.workout.deficiency_share[self.loans.fact.tier][:, None] * rest)

    def unpaid_total_loss(self, month: int, claim: Floats) -> Floats:
        """What a total loss of the car leaves unpaid, float64[loan, K+1], the uninsured included.

        Its own insurance pays the retail value.
        """
        terms, tier = self.parameters.workout, self.loans.fact.tier
        value = (self.value(month) / self.parameters.wholesale["retail"])[:, None]
        deductible = terms.insurance_deductible[tier][:, None]
        spread = terms.vehicle_sd[tier][:, None]
        paid = capped_sale(value, deductible, claim, spread) - capped_sale(
            value, deductible, np.zeros_like(claim), spread
        )
        return np.asarray(claim - terms.insured_share[tier][:, None] * paid)


def book_cars(loans: Loans, parameters: Parameters, first_month: int, months: int) -> Cars:
    """Cars of a book whose as-of date lies in a calendar month."""
    last = months + longest_sale(parameters)
    return Cars(loans, parameters, car_depreciation(loans, parameters, last + 1), first_month)


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
