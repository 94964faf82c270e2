"""The engine at baseline: what one tier's books show where macro stands at the levels of its observations.

Published figures were observed in a certain economy, so the macro variables stay at the set's own
reference levels and the used-car index stays flat: no scenario's forecast comes in.  Factors and the
index vary around that as in any run.
"""

from __future__ import annotations

import datetime
from dataclasses import dataclass

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from calibration.expectation import run_off_months
from scenarios.macro import MonthlyMacro
from scenarios.vocabulary import MACRO_VARIABLES, SEGMENTS
from simulator.engine import simulate
from simulator.horizon import months_needed
from simulator.parameter_set import ParameterSet
from simulator.parameters import Parameters, build_parameters, seasoned_shares
from simulator.tape import LoanTape, load_profile
from simulator.tape.synthetic import synthetic_tape

OBSERVED = datetime.date(2019, 12, 31)
"""As-of date of the baseline books: the end of the months in which the published figures were observed."""

STOCK_MONTHS = 12
"""Months over which stocks and hazards are averaged: beyond a year a book that takes on no new loans is too old."""

CLEAN_UP = 0.10
"""Share of its opening balance at which a securitised pool is usually called. Assumption, confidence M: deal terms."""

ALL_LEAVE = 1.0 - 1e-9
"""Attrition a month of a book without a past: only the loans of the last month are there."""

LOANS = 4_000
PATHS = 128
SEED = 20191231


@dataclass(frozen=True)
class Estimate:
    """A ratio of two means over paths, and its standard error to first order."""

    value: float
    standard_error: float


@dataclass(frozen=True)
class BaselineLevels:
    """Levels that a tier's books show, by the names of `ParameterSet.published`.

    Attributes
    ----------
    delinquent_share, seriously_delinquent_share : Estimate
        Balance one and two instalments past due or more, over balance, mean of `STOCK_MONTHS`; seasoned book.
    charge_off_hazard : Estimate
        Charge-offs a month over loans alive at its opening, mean of `STOCK_MONTHS`; seasoned book.
    recovery_share : Estimate
        Cash from sales over charged-off balance, until nothing is left; seasoned book.
    cumulative_net_loss : Estimate
        Charge-offs less recoveries over opening balance, until nothing is left; pool of new loans.
    cumulative_default : Estimate
        Balance that defaulted so far over opening balance, mean of the months in which more than `CLEAN_UP` of
        the pool is left: outstanding deals are of all these ages; pool of new loans.
    """

    delinquent_share: Estimate
    seriously_delinquent_share: Estimate
    charge_off_hazard: Estimate
    recovery_share: Estimate
    cumulative_net_loss: Estimate
    cumulative_default: Estimate


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


def new_pool(item: ParameterSet, loans: int = LOANS, seed: int = SEED) -> LoanTape:
    """The same borrowers' loans in the month of their origination, all current."""
    profile = load_profile(item.name)
    attrition = profile.attrition.model_copy(update={"value": ALL_LEAVE})
    return synthetic_tape(profile.model_copy(update={"attrition": attrition}), loans, seed=seed, as_of=OBSERVED)


def reference_macro(parameters: Parameters, months: int) -> MonthlyMacro:
    """Macro variables at the first tier's reference levels, used-car index flat, for a run of `months`."""
    needed = np.arange(months_needed(parameters, months) + 1)
    macro = {"month": needed, "macro_variable": list(MACRO_VARIABLES)}
    index = {"month": needed, "segment": list(SEGMENTS)}
    nowhere = {"region": np.array([], dtype=str), "macro_variable": list(MACRO_VARIABLES)}
    return MonthlyMacro(
        name="reference_levels",
        macro=xr.DataArray(np.tile(parameters.reference[0], (needed.size, 1)), macro, tuple(macro)),
        used_car_index=xr.DataArray(np.ones((needed.size, len(SEGMENTS))), index, tuple(index)),
        regional_offset=xr.DataArray(np.zeros((0, len(MACRO_VARIABLES))), nowhere, tuple(nowhere)),
        beyond="hold",
        assumptions=("Macro variables stay at the levels at which the parameters were observed.",),
        shifted=False,
    )


def run_off(tape: LoanTape, parameters: Parameters, paths: int = PATHS, seed: int = SEED) -> xr.Dataset:
    """Simulate a book at baseline until its last loan has matured and arrears are worked out.

    Returns
    -------
    xarray.Dataset
        As `simulate`, without the dims of length 1.
    """
    months = run_off_months(tape)
    macro = reference_macro(parameters, months)
    results = simulate(tape, macro, parameters, paths=paths, months=months, seed=seed)
    return results.isel(scenario=0, strategy=0, programme=0)


def baseline_levels(item: ParameterSet, loans: int = LOANS, paths: int = PATHS, seed: int = SEED) -> BaselineLevels:
    """Levels that the engine shows for a tier at baseline.

    Parameters
    ----------
    item : ParameterSet
        The tier; its synthetic profile bears the same name.
    loans, paths : int
        Size of each of the two runs, a seasoned book and a pool of new loans.
    seed : int
        Seed of loans and paths.
    """
    parameters = build_parameters([item])
    book = run_off(baseline_book(item, loans, seed), parameters, paths, seed)
    pool = run_off(new_pool(item, loans, seed), parameters, paths, seed)
    opening = np.full(paths, pool.attrs["opening_balance"])
    return BaselineLevels(
        delinquent_share=_in_window(book, "delinquent_balance", book["balance"]),
        seriously_delinquent_share=_in_window(book, "seriously_delinquent_balance", book["balance"]),
        charge_off_hazard=_in_window(book, "charge_off_count", _opening_count(book)),
        recovery_share=observed_recovery(book),
        cumulative_net_loss=_ratio(_in_all(pool, "charge_off") - _in_all(pool, "recovery"), opening),
        cumulative_default=_ratio(_mean_default_so_far(pool), opening),
    )


def observed_recovery(results: xr.Dataset) -> Estimate:
    """Cash from sales over charged-off balance, after the horizon included, of a run without scenario dims."""
    return _ratio(_in_all(results, "recovery"), _in_all(results, "charge_off"))


def _opening_count(results: xr.Dataset) -> xr.DataArray:
    """Live loans at the opening of each month: those at the close of the month before."""
    return results["live_count"].shift(month=1, fill_value=results.attrs["opening_count"])


def _in_window(results: xr.Dataset, name: str, base: xr.DataArray) -> Estimate:
    window = {"month": slice(0, STOCK_MONTHS)}
    return _ratio(*(values.isel(window).sum("month").to_numpy() for values in (results[name], base)))


def _mean_default_so_far(pool: xr.Dataset) -> NDArray[np.float64]:
    """Balance that defaulted so far, float64[path], mean of the months in which the pool is outstanding."""
    outstanding = pool["balance"].mean("path") > CLEAN_UP * pool.attrs["opening_balance"]
    so_far = pool["default_balance"].cumsum("month")
    return np.asarray(so_far.where(outstanding).mean("month"), dtype=np.float64)


def _in_all(results: xr.Dataset, name: str) -> NDArray[np.float64]:
    """Sum over all months, float64[path], after the horizon included."""
    return np.asarray(results[name].sum("month") + results[f"{name}_after_horizon"], dtype=np.float64)


def _ratio(above: NDArray[np.float64], below: NDArray[np.float64]) -> Estimate:
    """Ratio of two means over paths; its error to first order is that of the mean of a - r b, over mean b."""
    value = float(above.mean() / below.mean())
    spread = float(np.std(above - value * below, ddof=1))
    return Estimate(value, spread / float(below.mean()) / float(np.sqrt(above.size)))
