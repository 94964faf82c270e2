"""Stresses of published size: unemployment and used-car prices from one level to another, and what a book then loses.

`PYTHONPATH=tests python -m stress_sizes` prints the rows of two tables of docs/targets.md.
"""

from __future__ import annotations

import math
import sys
from dataclasses import dataclass, replace
from functools import cache
from typing import Literal

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from calibration.baseline import baseline_book, reference_macro
from calibration.library import find_parameter_set
from scenarios.macro import MonthlyMacro
from scenarios.vocabulary import MACRO_VARIABLES
from simulator.engine import simulate
from simulator.parameters import Parameters, build_parameters
from simulator.tape import LoanTape

Floats = NDArray[np.float64]
Range = Literal["central", "top"]

LOANS = {"us_prime": 6_000, "us_subprime": 2_000}
"""Prime loans are charged off rarely, so more of them are needed for the same error."""
PATHS, SEED = 128, 51
RAMP = 12
"""Months over which unemployment and prices reach their new level, which then holds."""
YEAR = slice(12, 24)
"""The second year: the first at the new level."""
LIFE = 96
"""Months in which the oldest loans of the baseline books have matured and been worked out."""

# Falls of used-car prices that happened, percent.
CPI_2001 = 19.0
"""US used-car CPI, January 2001 to June 2004 (CUSR0000SETA02)."""
MANHEIM_2008 = 14.3
"""Manheim index, May 2007 to November 2008 (Moody's Analytics, June 2013)."""
MANHEIM_2023 = 20.5
"""Manheim index, peak of December 2021 to November 2023."""
TWICE_THE_RECORD = 40.0
"""Twice the largest falls on record, 19 to 21 percent."""


@dataclass(frozen=True)
class Stress:
    """A stress that somebody published with a size.

    Attributes
    ----------
    who : str
        The publisher and the case.
    tier : str
        Parameter set.
    normal, stressed : float
        Unemployment before and after, percent.
    cars : float
        Fall of used-car prices, percent.
    measure : "yearly loss", "remaining loss" or "recovery"
        What was published: net loss a year, net loss to the end of all loans, recovery on charged-off balance.
    quoted : float
        Its ratio to the unstressed one.
    """

    who: str
    tier: str
    normal: float
    stressed: float
    cars: float
    measure: str
    quoted: float

    @property
    def months(self) -> int:
        return LIFE if self.measure == "remaining loss" else 36

    def reach(self, choice: Range) -> float:
        """Move over the move that was published: 1 where they are equal."""
        return (self.ratio(choice)[0] - 1.0) / (self.quoted - 1.0)

    def ratio(self, choice: Range) -> tuple[float, float]:
        """Stressed over unstressed, and its standard error over paths on common draws."""
        above, below = (
            _parts(self.tier, self.normal, level, cars, choice, self.measure, self.months)
            for level, cars in ((self.stressed, self.cars), (self.normal, 0.0))
        )
        return _quotient(above, below)


STRESSES = (
    Stress("S&P 2017, mild recession", "us_subprime", 4.5, 6.0, CPI_2001, "yearly loss", 9.61 / 6.77),
    Stress("S&P 2017, crisis of 2008", "us_subprime", 4.5, 10.0, MANHEIM_2008, "yearly loss", 12.0 / 6.77),
    Stress("S&P 2022, recession of 2007-09", "us_subprime", 4.73, 8.27, MANHEIM_2008, "remaining loss", 1.30),
    Stress("S&P 2022, base stress", "us_subprime", 4.5, 4.5, MANHEIM_2023, "recovery", 0.80),
    Stress("Fitch, moderate", "us_prime", 6.0, 12.0, MANHEIM_2008, "recovery", 0.80),
    Stress("Fitch, severe", "us_prime", 6.0, 20.0, MANHEIM_2023, "recovery", 0.50),
    Stress("Fitch, severe, cars fall twice as far", "us_prime", 6.0, 20.0, TWICE_THE_RECORD, "recovery", 0.50),
    Stress("Fitch 2008, unemployment doubles", "us_subprime", 4.8, 9.6, MANHEIM_2008, "yearly loss", 2.30),
)
"""Sources of sizes: S&P Global Ratings, How Will Auto ABS Pools Perform Through A Credit Cycle (autofinancenews.net, 15
March 2017) and Scenario Analysis of 8 December 2022; Fitch Ratings, stress test of prime auto ABS (fi-magazine.com
352770) and sensitivity of consumer ABS to unemployment (fi-magazine.com, April 2008: up to +130 % where it doubles)."""


@cache
def _book(tier: str) -> LoanTape:
    return baseline_book(find_parameter_set(tier), loans=LOANS[tier])


@cache
def _parameters(tier: str, choice: Range) -> Parameters:
    return build_parameters([find_parameter_set(tier)], sensitivity=choice)


def stressed_macro(parameters: Parameters, months: int, normal: float, stressed: float, cars: float) -> MonthlyMacro:
    """Unemployment from `normal` to `stressed` percent, prices down by `cars` percent, both within `RAMP` months."""
    macro = reference_macro(parameters, months)
    share = np.minimum(np.arange(macro.macro.sizes["month"]) / RAMP, 1.0)
    levels, index = macro.macro.copy(deep=True), macro.used_car_index.copy(deep=True)
    levels[:, MACRO_VARIABLES.index("unemployment")] = (normal + (stressed - normal) * share) / 100.0
    index[:] = np.exp(math.log1p(-cars / 100.0) * share)[:, None]
    return replace(macro, macro=levels, used_car_index=index)


@cache
def stressed_run(tier: str, normal: float, stressed: float, cars: float, choice: Range, months: int) -> xr.Dataset:
    """A tier's seasoned book under a stress, without the dims of length 1."""
    parameters = _parameters(tier, choice)
    macro = stressed_macro(parameters, months, normal, stressed, cars)
    results = simulate(_book(tier), macro, parameters, paths=PATHS, months=months, seed=SEED)
    return results.isel(scenario=0, strategy=0, programme=0)


def _parts(
    tier: str, normal: float, stressed: float, cars: float, choice: Range, measure: str, months: int
) -> tuple[Floats, Floats]:
    """Numerator and denominator by path of a measure: float64[path] each."""
    results = stressed_run(tier, normal, stressed, cars, choice, months)
    if measure == "remaining loss":
        net = (results["charge_off"] - results["recovery"]).sum("month").to_numpy()
        late = (results["charge_off_after_horizon"] - results["recovery_after_horizon"]).to_numpy()
        return net + late, np.full(PATHS, results.attrs["opening_balance"])
    window = results.isel(month=YEAR).sum("month")
    if measure == "recovery":
        return window["recovery"].to_numpy(), window["charge_off"].to_numpy()
    opening = results["balance"].shift(month=1, fill_value=results.attrs["opening_balance"])
    net = (window["charge_off"] - window["recovery"]).to_numpy()
    return net, opening.isel(month=YEAR).sum("month").to_numpy() / 12.0


def _quotient(above: tuple[Floats, Floats], below: tuple[Floats, Floats]) -> tuple[float, float]:
    """(a / b) / (c / d) of means over the same paths, with the error of its logarithm's linear form."""
    terms = [part for pair in (above, below) for part in pair]
    means = [float(part.mean()) for part in terms]
    influence = sum(sign * part / mean for sign, part, mean in zip((1, -1, -1, 1), terms, means, strict=True))
    value = means[0] / means[1] / (means[2] / means[3])
    return value, value * float(np.std(influence, ddof=1)) / math.sqrt(PATHS)


def row(stress: Stress) -> str:
    """A row of the table of docs/targets.md."""
    ratios = [f"{stress.ratio(choice)[0]:.2f} ({stress.reach(choice):.0%})" for choice in ("central", "top")]
    name = stress.tier.removeprefix("us_").replace("_", "-")
    moved = f"{stress.normal:g} to {stress.stressed:g} %" if stress.stressed != stress.normal else "the same"
    return (
        f"| {stress.who} | {name} | {moved} | -{stress.cars:g} % | {stress.measure} | {stress.quoted:.2f} | "
        f"{ratios[0]} | {ratios[1]} |"
    )


# --- how arrears and recoveries answer -------------------------------------------------------------------------------

ELASTICITIES = {
    "balance in arrears, log a point of unemployment": (3.0, 0.0, 3.0),
    "balance in arrears, log on log price": (0.0, MANHEIM_2008, math.log1p(-MANHEIM_2008 / 100.0)),
    "recovery, log on log price": (0.0, MANHEIM_2008, math.log1p(-MANHEIM_2008 / 100.0)),
}
"""What answers, to the points of unemployment and the fall of prices that move it, and the move to divide by."""


def elasticity(what: str, tier: str) -> float:
    """Log change of a tier's balance in arrears, or of what the second year's charge-offs recover, over the move."""
    points, cars, move = ELASTICITIES[what]
    usual = find_parameter_set(tier).macro_reference.unemployment_percent.value
    moved = stressed_run(tier, usual, usual + points, cars, "central", 36)
    still = stressed_run(tier, usual, usual, 0.0, "central", 36)
    recovery = what.startswith("recovery")
    above, below = (
        ("recovery_by_tier_mean", "charge_off_by_tier_mean") if recovery else ("delinquent_balance", "balance")
    )
    shares = [float(run[above].isel(month=YEAR).sum() / run[below].isel(month=YEAR).sum()) for run in (moved, still)]
    return math.log(shares[0] / shares[1]) / move


def elasticity_row(what: str) -> str:
    """A row of the second table of docs/targets.md, without what was published."""
    return f"| {what} | {elasticity(what, 'us_prime'):.2f} | {elasticity(what, 'us_subprime'):.2f} |"


if __name__ == "__main__":
    for item in STRESSES:
        sys.stdout.write(row(item) + "\n")
    for item in ELASTICITIES:
        sys.stdout.write(elasticity_row(item) + "\n")
