"""Share of cars found after charge-off, solved so that a baseline book recovers what was published for its tier.

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
from calibration.expectation import ExpectedBook, expected_book
from calibration.library import US_TIERS, find_parameter_set
from simulator.parameter_set import ParameterSet
from simulator.parameters import Parameters, build_parameters
from simulator.tape import LoanTape

MOST_FOUND = 0.95
"""Largest share of cars found and sold. Assumption, confidence L: some cars are always gone."""


@dataclass(frozen=True)
class SaleFit:
    """Sale terms that reproduce a published recovery.

    Attributes
    ----------
    found_share : float
        P(car found and sold | charged off without it).
    haircut : float
        Auction haircut, fraction of wholesale; less than the prior only where `MOST_FOUND` binds.
    recovery_share : float
        The recovery reproduced: net proceeds and collections over charged-off balance.
    per_found : float
        What the recovery gains for each unit of `found_share`.
    """

    found_share: float
    haircut: float
    recovery_share: float
    per_found: float


def fit_found_share(tape: LoanTape, parameters: Parameters, recovery_share: float) -> SaleFit:
    """Solve the share of cars found after charge-off, in expectation, from a recovery on charged-off balance.

    The two unknowns of a sale, how often and how dear, show in one published number only.  So the
    haircut keeps its prior and the found share is solved; only where more than `MOST_FOUND` of the cars
    would have to be found is the haircut lowered instead.

    Parameters
    ----------
    tape : LoanTape
        A book of one tier.
    parameters : Parameters
        That tier, with the prior haircut, costs, repossession and deficiency.
    recovery_share : float
        Published recoveries over charged-off balance, fraction.

    Raises
    ------
    ValueError
        Not even `MOST_FOUND` of the cars without a haircut bring that much, or the seized cars alone bring more.
    """
    prior = float(parameters.workout.haircut[0])
    at_prior = expected_book(tape, parameters)
    least, most = at_prior.recovery_share(0.0), at_prior.recovery_share(MOST_FOUND)
    if least > recovery_share:
        raise ValueError(
            f"a recovery of {recovery_share:.3g} is out of reach: seized cars and collections alone bring "
            f"{least:.3g}; lower the intensity of repossession or raise the haircut or the costs"
        )
    if most >= recovery_share:
        found = brentq(lambda share: at_prior.recovery_share(share) - recovery_share, 0.0, MOST_FOUND, xtol=1e-10)
        return SaleFit(float(found), prior, recovery_share, _slope(at_prior, float(found)))

    def miss(haircut: float) -> float:
        return expected_book(tape, with_haircut(parameters, haircut)).recovery_share(MOST_FOUND) - recovery_share

    best = miss(0.0)
    if best < 0.0:
        raise ValueError(
            f"a recovery of {recovery_share:.3g} is out of reach: {MOST_FOUND:.0%} of the cars without haircut "
            f"bring {best + recovery_share:.3g}; check loan-to-value, basis of values and costs"
        )
    haircut = float(brentq(miss, 0.0, prior, xtol=1e-6))
    book = expected_book(tape, with_haircut(parameters, haircut))
    return SaleFit(MOST_FOUND, haircut, recovery_share, _slope(book, MOST_FOUND))


def with_haircut(parameters: Parameters, haircut: float) -> Parameters:
    """The same with another auction haircut in every tier."""
    haircuts = np.full_like(parameters.workout.haircut, haircut)
    return replace(parameters, workout=replace(parameters.workout, haircut=haircuts))


def _slope(book: ExpectedBook, found_share: float) -> float:
    """Gain of the recovery for each unit of the found share, where it stands."""
    step = 1e-6
    return (book.recovery_share(found_share + step) - book.recovery_share(found_share - step)) / (2.0 * step)


def fit_tier(item: ParameterSet) -> SaleFit:
    """Fit a set to its own `published.recovery_share` on its baseline book: how the shipped values were solved.

    Raises
    ------
    ValueError
        The set publishes no recovery, or one that is out of reach.
    """
    return fit_found_share(baseline_book(item), build_parameters([item]), _published_recovery(item))


def engine_found_share(
    item: ParameterSet, fit: SaleFit, loans: int = LOANS, paths: int = PATHS, seed: int = SEED
) -> Estimate:
    """Found share at which the engine recovers `published.recovery_share`, at the set's own haircut.

    One run at the shipped share, and the slope of the expectation from there.  What differs from
    `fit_tier` is the random index: a boom's surplus belongs to the borrower, a slump's shortfall does
    not, and slumps come when charge-offs are many.
    """
    target, parameters = _published_recovery(item), build_parameters([item])
    found = observed_recovery(run_off(baseline_book(item, loans, seed), parameters, paths, seed))
    shipped = float(parameters.workout.found_share[0])
    return Estimate(shipped + (target - found.value) / fit.per_found, found.standard_error / fit.per_found)


def _published_recovery(item: ParameterSet) -> float:
    if item.published.recovery_share is None:
        raise ValueError(f"{item.name} publishes no recovery_share to fit to")
    return item.published.recovery_share.value


def main(names: Sequence[str] = US_TIERS) -> None:
    """Write a line a tier: shipped and solved found share, haircut, and the engine's found share."""
    for name in names or US_TIERS:
        item = find_parameter_set(name)
        fit = fit_tier(item)
        engine = engine_found_share(item, fit)
        sys.stdout.write(
            f"{name}: found_share {fit.found_share:.3f} (shipped {item.sale.found_share.value:g}) at auction_haircut "
            f"{fit.haircut:.3f}; engine {engine.value:.3f}, standard error {engine.standard_error:.3f}\n"
        )


if __name__ == "__main__":
    main(sys.argv[1:])
