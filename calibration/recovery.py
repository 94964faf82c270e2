"""P(car sold | charge-off), solved so that a baseline book recovers what was published for its tier."""

from __future__ import annotations

import datetime
from dataclasses import dataclass, replace

import numpy as np
from scipy.optimize import brentq

from calibration.expectation import expected_book
from simulator.parameter_set import ParameterSet
from simulator.parameters import Parameters, build_parameters, seasoned_shares
from simulator.tape import LoanTape
from simulator.tape.synthetic import synthetic_tape

OBSERVED = datetime.date(2019, 12, 31)
"""As-of date of the baseline book: the end of the months in which the published recoveries were observed."""

MOST_SOLD = 0.95
"""Largest share of cars found and sold. Assumption, confidence L: some cars are always gone."""

LOANS = 4_000
SEED = 20191231


@dataclass(frozen=True)
class SaleFit:
    """Sale terms that reproduce a published recovery.

    Attributes
    ----------
    sold_share : float
        P(car found and sold | charge-off).
    haircut : float
        Auction haircut, fraction of wholesale; larger than the prior only where `MOST_SOLD` binds.
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


def baseline_book(item: ParameterSet, loans: int = LOANS, seed: int = SEED) -> LoanTape:
    """A seasoned synthetic book of one tier at `OBSERVED`."""
    parameters = build_parameters([item])
    return synthetic_tape(
        item.name,
        loans,
        seed=seed,
        as_of=OBSERVED,
        bucket_shares=seasoned_shares(parameters, 0),
        bucket_edges=parameters.bucket_edges,
    )


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
    if item.published.recovery_share is None:
        raise ValueError(f"{item.name} publishes no recovery_share to fit to")
    return fit_sold_share(baseline_book(item), build_parameters([item]), item.published.recovery_share.value)
