"""Parameters and macro paths become the kernels' intensities by month and cell (methodology (3))."""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray
from scipy.special import log_ndtr, ndtri

from scenarios.errors import Fault, InputError
from scenarios.macro import MonthlyMacro
from scenarios.vocabulary import CAUSE_CLASSES, CHARGE_OFF, CURE, ENTER, MACRO_VARIABLES, PREPAY, ROLL
from simulator.book import Cells
from simulator.kernels.bundles import GUIDE, TRAITS, Hazards, Records, records
from simulator.kernels.hazards import TABLE_HIGH, TABLE_LOW, TABLE_STEP
from simulator.parameters import Parameters

Floats = NDArray[np.float64]

MOST_EXTREME = 20.0
"""Largest log multiplier of an intensity that is no mistake: published ones stay below 2."""


def build_hazards(
    cells: Cells,
    macro: MonthlyMacro,
    parameters: Parameters,
    months: int,
    last_month: int,
) -> Hazards:
    """Intensities of a scenario; `factor` is empty and filled for each block of paths.

    Parameters
    ----------
    months, last_month : int
        The horizon; the last month in which a loan may move (the run-off's).
    """
    multiplier = class_multipliers(cells, macro, parameters, last_month)
    entry = entry_intensity(parameters)
    direct = np.divide(parameters.intensity[:, 0, -2], entry, out=np.zeros_like(entry), where=entry > 0.0)
    base = entry[cells.tier] * multiplier[: months + 1, :, ENTER]
    total_loss = parameters.workout.total_loss
    intensity = parameters.intensity.copy()
    intensity[:, :, -1] = np.maximum(intensity[:, :, -1] - total_loss[:, None], 0.0)
    payoff = intensity[cells.tier, 0, -1] * multiplier[: months + 1, :, PREPAY] + total_loss[cells.tier]
    threshold, loading, table = _response(base, cells, parameters)
    return Hazards(
        arrears=_in_arrears(intensity, parameters),
        class_multiplier=multiplier,
        payoff=np.ascontiguousarray(payoff),
        payoff_bound=payoff.max(axis=1),
        trait=_traits(parameters, direct),
        factor=np.empty((0, 0, 0)),
        threshold=np.ascontiguousarray(threshold),
        loading=np.ascontiguousarray(loading),
        seasoning=np.ascontiguousarray(parameters.seasoning),
        **_of_borrowers(parameters),
        hardship_odds=_hardship_odds(cells, macro, parameters, months),
        response_table=table,
        cell_factor=cells.factor,
        factor_root=np.sqrt(np.asarray(parameters.shares, dtype=np.float64)),
    )


def entry_intensity(parameters: Parameters) -> Floats:
    """``float64[tier]`` intensity of leaving current for arrears, direct charge-off included, at reference (3)."""
    return np.asarray(parameters.intensity[:, 0, 1:-1].sum(axis=1))


def _in_arrears(intensity: Floats, parameters: Parameters) -> Floats:
    """``float64[tier, type, K+1, K+3]`` intensities by cause, what the type does included (3h)."""
    size, by_class = intensity.shape[1], parameters.borrower.type_multiplier.copy()
    cause = np.full((size, size + 2), ROLL)
    cause[np.tril_indices(size, -1)] = CURE
    cause[:, size], cause[:, size + 1] = CHARGE_OFF, PREPAY
    by_class[..., PREPAY] = 1.0
    found = intensity[:, None] * by_class[..., cause]
    found[..., np.arange(size), np.arange(size)] = 0.0
    return np.ascontiguousarray(found)


def class_multipliers(cells: Cells, macro: MonthlyMacro, parameters: Parameters, last_month: int) -> Floats:
    """``float64[month 0..last_month, cell, class]`` exp(m'gamma), m relative to the set's reference levels."""
    gap = _macro_gap(cells, macro, parameters, last_month)
    log_multiplier = np.zeros((gap.shape[0], len(cells.region), len(CAUSE_CLASSES)))
    for variable in range(len(MACRO_VARIABLES)):
        log_multiplier += gap[:, :, variable, None] * parameters.sensitivity[cells.tier][:, :, variable]
    largest = np.abs(log_multiplier).max()
    if not largest <= MOST_EXTREME:
        found = f"macro variables move an intensity by a factor of exp({largest:.0f})"
        remedy = "Look for a unit mistake in the scenario's path or the parameter set's sensitivities."
        raise InputError(Fault(f"scenario {macro.name}", found, f"at most exp({MOST_EXTREME:.0f})", remedy))
    return np.exp(log_multiplier)


def _traits(parameters: Parameters, direct_share: Floats) -> Records:
    """``TRAITS[tier]``."""
    borrower = parameters.borrower
    return records(
        TRAITS,
        total_loss=parameters.workout.total_loss,
        direct_share=direct_share,
        spell_end=-np.expm1(-borrower.spell_end),
        threshold=borrower.equity_threshold,
        slope=np.maximum(borrower.equity_slope, 0.0),
        cap=np.maximum(borrower.equity_cap, 1.0),
        equity_mean=borrower.equity_mean,
    )


def _of_borrowers(parameters: Parameters) -> dict[str, NDArray[Any]]:
    """Histories and types (3f) to (3k)."""
    borrower = parameters.borrower
    return {
        "history": np.ascontiguousarray(borrower.history_multiplier),
        "history_bound": np.ascontiguousarray(
            np.maximum.accumulate(borrower.history_multiplier.max(axis=0)[:, ::-1], axis=1)[:, ::-1]
        ),
        "type_share": np.ascontiguousarray(borrower.type_share),
        "modified_share": np.ascontiguousarray(borrower.modified_share),
        "open_history": np.ascontiguousarray(np.cumsum(borrower.open_history, axis=-1)),
        "open_guide": np.stack(
            [
                np.minimum(np.searchsorted(shares, np.arange(GUIDE) / GUIDE, side="right"), shares.size - 1)
                for shares in np.cumsum(borrower.open_history, axis=-1)
            ]
        ).astype(np.int16),
        "open_type": np.ascontiguousarray(np.cumsum(borrower.open_type, axis=-1)),
    }


def _hardship_odds(cells: Cells, macro: MonthlyMacro, parameters: Parameters, months: int) -> Floats:
    """``float64[month 0..T, cell]`` odds of hardship over those at reference unemployment (3g)."""
    place = MACRO_VARIABLES.index("unemployment")
    gap = _macro_gap(cells, macro, parameters, months)[:, :, place]
    return np.ascontiguousarray(
        np.exp(np.minimum(gap * parameters.borrower.hardship_per_point[cells.tier], MOST_EXTREME))
    )


def _macro_gap(cells: Cells, macro: MonthlyMacro, parameters: Parameters, last_month: int) -> Floats:
    """``float64[month, cell, macro_variable]`` macro variables less reference, region's and sector's offsets added."""
    levels = macro.macro.sel(macro_variable=list(MACRO_VARIABLES)).to_numpy()[: last_month + 1]
    offsets = _offsets(macro.regional_offset, "region", cells.region) + _offsets(
        macro.sector_offset, "sector", cells.sector
    )
    return np.asarray(levels[:, None, :] - parameters.reference[cells.tier] + offsets)


def _offsets(given: xr.DataArray, dim: str, names: tuple[str, ...]) -> Floats:
    """``float64[cell, macro_variable]``; 0 for regions or sectors that the scenario does not name."""
    table = given.sel(macro_variable=list(MACRO_VARIABLES))
    named = {str(name): table.sel({dim: name}).to_numpy() for name in table[dim].to_numpy()}
    return np.array([named.get(name, np.zeros(len(MACRO_VARIABLES))) for name in names])


def _response(base: Floats, cells: Cells, parameters: Parameters) -> tuple[Floats, Floats, Floats]:
    """Threshold, loading and table of the entry response: both responses share one argument (3a), (3b)."""
    if parameters.response == "lognormal":
        sigma = parameters.sigma[cells.tier]
        with np.errstate(divide="ignore"):
            return np.log(base) - 0.5 * sigma**2, sigma, np.empty((0, 2))
    rho = parameters.rho[cells.tier]
    return ndtri(-np.expm1(-base)) / np.sqrt(1.0 - rho), np.sqrt(rho / (1.0 - rho)), response_table()


def response_table() -> Floats:
    """``float64[x, 2]`` -ln(1 - Phi(x)) and its derivative on the kernels' grid."""
    x = TABLE_LOW + TABLE_STEP * np.arange(round((TABLE_HIGH - TABLE_LOW) / TABLE_STEP) + 1)
    log_survival = log_ndtr(-x)
    slope = np.exp(-0.5 * x**2 - 0.5 * np.log(2.0 * np.pi) - log_survival)
    return np.ascontiguousarray(np.stack([-log_survival, slope], axis=1))
