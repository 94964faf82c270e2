"""P(car sold | charge-off), solved so that a baseline book recovers what was published for its tier.

`python -m calibration.recovery` solves the shipped US tiers again, on their present figures: the
number to write into each set, and beside it what the engine itself finds on common draws.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy.optimize import brentq

from calibration.baseline import LOANS, PATHS, SEED, Estimate, baseline_book, observed_recovery, run_off
from calibration.expectation import expected_book
from calibration.library import US_TIERS, find_parameter_set
from simulator.parameter_set import ParameterSet
from simulator.parameters import Parameters, build_parameters
from simulator.tape import LoanTape

MOST_SOLD = 0.95
"""Largest share of cars found and sold. Assumption, confidence L: some cars are always gone."""


@dataclass(frozen=True)
class SaleFit:
    """Sale terms that reproduce a published recovery.

    Attributes
    ----------
    sold_share : float
        P(car found and sold | charge-off).
    haircut : float
        Auction haircut, fraction of wholesale; less than the prior only where `MOST_SOLD` binds.
    sale_share : float
        Net proceeds over charged-off balance if every car were sold, at that haircut.
    recovery_share : float
        The recovery reproduced: sold_share x sale_share.
    """

    sold_share: float
    haircut: float
    sale_share: float

    @property
    def recovery_share(self) -> float:
        """Recovery over charged-off balance."""
        return self.sold_share * self.sale_share


def fit_sold_share(tape: LoanTape, parameters: Parameters, recovery_share: float) -> SaleFit:
    """Solve the share of cars sold, in expectation, from a recovery on charged-off balance.

    The two unknowns of a sale, how often and how dear, show in one published number only.  So the
    haircut keeps its prior and the sold share is solved; only where more than `MOST_SOLD` of the cars
    would have to be sold is the haircut lowered instead.

    Parameters
    ----------
    tape : LoanTape
        A book of one tier.
    parameters : Parameters
        That tier, with the prior haircut and costs.
    recovery_share : float
        Published recoveries over charged-off balance, fraction.

    Raises
    ------
    ValueError
        Not even selling `MOST_SOLD` of the cars without a haircut recovers that much.
    """

    def sale_share(haircut: float) -> float:
        changed = replace(parameters, haircut=np.full_like(parameters.haircut, haircut))
        return expected_book(tape, changed).sale_share

    prior = float(parameters.haircut[0])
    at_prior = sale_share(prior)
    if at_prior * MOST_SOLD >= recovery_share:
        return SaleFit(recovery_share / at_prior, prior, at_prior)
    most = sale_share(0.0)
    if most * MOST_SOLD < recovery_share:
        raise ValueError(
            f"a recovery of {recovery_share:.3g} is out of reach: {MOST_SOLD:.0%} of the cars without haircut "
            f"bring {most * MOST_SOLD:.3g}; check loan-to-value, basis of values and costs"
        )
    haircut = float(brentq(lambda cut: sale_share(cut) * MOST_SOLD - recovery_share, 0.0, prior, xtol=1e-6))
    return SaleFit(MOST_SOLD, haircut, recovery_share / MOST_SOLD)


def fit_tier(item: ParameterSet) -> SaleFit:
    """Fit a set to its own `published.recovery_share` on its baseline book: how the shipped values were solved.

    Raises
    ------
    ValueError
        The set publishes no recovery, or one that is out of reach.
    """
    return fit_sold_share(baseline_book(item), build_parameters([item]), _published_recovery(item))


def engine_sold_share(item: ParameterSet, loans: int = LOANS, paths: int = PATHS, seed: int = SEED) -> Estimate:
    """Sold share at which the engine recovers `published.recovery_share`, at the set's own haircut.

    Recovery is in proportion to the sold share, so one run in which every car is sold solves it.  What
    differs from `fit_tier` is the random index: a boom's surplus belongs to the borrower, a slump's
    shortfall does not, and slumps come when charge-offs are many.
    """
    target, parameters = _published_recovery(item), build_parameters([item])
    every_car = replace(parameters, sold_share=np.ones_like(parameters.sold_share))
    found = observed_recovery(run_off(baseline_book(item, loans, seed), every_car, paths, seed))
    sold_share = target / found.value
    return Estimate(sold_share, sold_share * found.standard_error / found.value)


def _published_recovery(item: ParameterSet) -> float:
    if item.published.recovery_share is None:
        raise ValueError(f"{item.name} publishes no recovery_share to fit to")
    return item.published.recovery_share.value


def main(names: Sequence[str] = US_TIERS) -> None:
    """Write a line a tier: shipped and solved sold share, haircut, and the engine's sold share."""
    for name in names or US_TIERS:
        item = find_parameter_set(name)
        fit, engine = fit_tier(item), engine_sold_share(item)
        sys.stdout.write(
            f"{name}: sold_share {fit.sold_share:.3f} (shipped {item.sale.sold_share.value:g}) at auction_haircut "
            f"{fit.haircut:.3f}; engine {engine.value:.3f}, standard error {engine.standard_error:.3f}\n"
        )


if __name__ == "__main__":
    main(sys.argv[1:])
