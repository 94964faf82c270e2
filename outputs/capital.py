"""Capital for credit losses of twelve months, three ways: the Basel formula, the standardised approach, the simulation.

The formula ("other retail") takes a PD and an LGD by tier from the simulated run and supposes one factor, an
infinitely fine pool and a certain LGD; the simulation has the run's own factors, loans, cars and sale prices. What both
call capital is a quantile of 99.9 % less the expected loss, so the two can be laid side by side. The standardised
weights look at no loan at all.

Sources: Basel Committee on Banking Supervision, International Convergence of Capital Measurement and Capital Standards
(June 2006), paragraph 330, and Annex 5 for its illustrative weights; Regulation (EU) No 575/2013 (CRR), article 154(1)
for the formula, 123 for the weight of 75 % of regulatory retail, 127(1) for exposures in default, 92(1) for the 8 %.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import pandas
import xarray as xr
from numpy.typing import NDArray
from scipy.special import ndtr, ndtri

from outputs import estimators
from outputs.estimators import Estimate
from outputs.lending import of_lent
from outputs.measures import path_weight, runs, sample_of
from scenarios.vocabulary import STAGES

Floats = NDArray[np.float64]

HORIZON: Final = 12
"""Months of the capital measures, by definition."""

LEVEL: Final = 0.999
"""Probability that capital and expected loss cover the year's loss (CRR 154)."""

LEAST_PD: Final = 0.0005
"""Floor of a retail PD: Basel Committee, Basel III: Finalising post-crisis reforms (December 2017); it was 0.0003."""

CORRELATIONS: Final = (0.03, 0.16)
"""Asset correlation of "other retail" at a PD of 1 and of 0 (paragraph 330)."""

DECAY: Final = 35.0
"""How fast it falls with PD (paragraph 330)."""

CAPITAL_RATIO: Final = 0.08
"""Capital over risk-weighted exposure (CRR 92(1))."""

RETAIL_WEIGHT: Final = 0.75
"""Regulatory retail (CRR 123)."""

DEFAULT_WEIGHTS: Final = (1.5, 1.0)
"""An exposure in default (CRR 127(1)): where provisions are less than `PROVISION_SHARE` of it, and elsewhere. A car is
no eligible collateral of the standardised approach, so the whole exposure counts as unsecured."""

PROVISION_SHARE: Final = 0.20
"""Provisions over exposure from which on the smaller weight applies (CRR 127(1))."""


@dataclass(frozen=True, slots=True)
class RetailWeight:
    """What the formula makes of a PD and an LGD; floats or arrays of them.

    Attributes
    ----------
    correlation : float
        R, asset correlation.
    capital : float
        K, fraction of exposure.
    risk_weight : float
        12.5 K times the scaling factor, fraction of exposure.
    """

    correlation: Floats
    capital: Floats
    risk_weight: Floats


def irb_other_retail(
    pd_12m: float | Floats, lgd: float | Floats, *, scaling: float = 1.0, level: float = LEVEL
) -> RetailWeight:
    """Weights of the internal-ratings approach for "other retail": no maturity term.

    Parameters
    ----------
    pd_12m : float or float64[...]
        Probability of default within twelve months, fraction; taken as it is, without the floor.
    lgd : float or float64[...]
        Loss given default, fraction of exposure.
    scaling : float
        1.06 under Basel II, 1 under Basel III.
    level : float
        Probability of the quantile.

    Returns
    -------
    RetailWeight
        With w = (1 - exp(-35 PD)) / (1 - exp(-35)): R = .03 w + .16 (1 - w) and K = LGD (Phi((Phi^-1(PD) +
        sqrt(R) Phi^-1(level)) / sqrt(1 - R)) - PD).
    """
    probability = np.asarray(pd_12m, float)
    share = np.expm1(-DECAY * probability) / math.expm1(-DECAY)
    correlation = CORRELATIONS[0] * share + CORRELATIONS[1] * (1.0 - share)
    stressed = ndtr((ndtri(probability) + np.sqrt(correlation) * ndtri(level)) / np.sqrt(1.0 - correlation))
    capital = np.asarray(lgd, float) * (stressed - probability)
    return RetailWeight(correlation, capital, scaling * capital / CAPITAL_RATIO)


# --- the simulated year ----------------------------------------------------------------------------------


def shortfall_12m(results: xr.Dataset) -> xr.DataArray:
    """Loss of the defaults of twelve months by path, discounted to the as-of date, loans in default then included.

    Returns
    -------
    xr.DataArray
        float64[scenario, strategy, programme, path], currency.
    """
    return results["shortfall_12m_by_stage"].sum("stage", skipna=False).rename("shortfall_12m")


def simulated_capital(results: xr.Dataset, run: Mapping[str, str]) -> Estimate:
    """VaR 99.9 % less EL of the loss of a year's defaults, with its Monte Carlo error.

    The standard error is that of the two influences together, the quantile's being scaled to its own error. The
    interval joins those of the quantile (order statistics) and of the mean as if they were independent; as the two rise
    together, it is a little too wide.
    """
    sample = sample_of(shortfall_12m(results).sel(run), results)
    quantile, mean = estimators.value_at_risk(sample, LEVEL), estimators.mean(sample)
    value = quantile.value - mean.value
    beyond = np.where(np.arange(len(sample.value)) > estimators.rank(sample, LEVEL), LEVEL, LEVEL - 1.0)
    spread = estimators.standard_error(sample, beyond)
    scale = quantile.standard_error / spread if spread > 0.0 else estimators.NOT_ESTIMABLE
    error = estimators.standard_error(sample, scale * beyond - (sample.value - mean.value))
    low = value - math.hypot(quantile.value - quantile.low, mean.value - mean.low)
    high = value + math.hypot(quantile.high - quantile.value, mean.high - mean.value)
    return Estimate(value, error, low, high, quantile.unreliable)


@dataclass(frozen=True, slots=True)
class TierYear:
    """What a run says of one tier's loans that are not in default at the as-of date.

    Attributes
    ----------
    name : str
    exposure : float
        Opening principal, currency.
    pd_12m : float
        Exposure of new defaults within twelve months over it, mean over paths, fraction.
    lgd : float
        Loss of new defaults, run-off included, over their exposure, fraction.
    """

    name: str
    exposure: float
    pd_12m: float
    lgd: float


def tier_years(results: xr.Dataset, run: Mapping[str, str]) -> Iterator[TierYear]:
    """PD, LGD and exposure by tier of one run.

    Loans in default at the as-of date are taken out of exposure and loss in the same proportion in every tier.
    """
    one = results.sel(run)
    by_stage = of_lent(one, "opening_balance_by_stage")
    performing = 1.0 - float(_stage_3(by_stage) / by_stage.sum())
    lifetime = _mean(one["shortfall_by_stage"], results)
    total = float(lifetime.sum())
    new = 1.0 - float(_stage_3(lifetime)) / total if total > 0.0 else 1.0
    defaults = one["default_by_tier_mean"]
    year = defaults.isel(month=slice(0, HORIZON)).sum("month", skipna=False)
    ever = defaults.sum("month", skipna=False)
    losses = new * _mean(one["loss_by_tier"], results)
    for tier in results["tier"].values:
        exposure = performing * float(of_lent(one, "opening_balance_by_tier").sel(tier=tier))
        base = float(ever.sel(tier=tier))
        lgd = float(losses.sel(tier=tier)) / base if base > 0.0 else 0.0
        pd_12m = float(year.sel(tier=tier)) / exposure if exposure > 0.0 else 0.0
        yield TierYear(str(tier), exposure, pd_12m, lgd)


def _mean(values: xr.DataArray, results: xr.Dataset) -> xr.DataArray:
    return values.weighted(path_weight(results)).mean("path", skipna=False)


def _stage_3(values: xr.DataArray) -> xr.DataArray:
    return values.sel(stage=STAGES[2])


# --- the table -------------------------------------------------------------------------------------------

COLUMNS: Final = (
    "scenario",
    "strategy",
    "programme",
    "approach",
    "part",
    "exposure",
    "pd_12m_percent",
    "lgd_percent",
    "correlation",
    "risk_weight_percent",
    "capital",
    "percent_of_exposure",
    "standard_error",
    "low",
    "high",
    "unreliable",
)

BOOK: Final = "book"
PERFORMING: Final = "performing"
IN_DEFAULT: Final = "in default"
"""Parts of the book that are no tiers."""


def capital_table(results: xr.Dataset) -> pandas.DataFrame:
    """Capital by run, approach and part of the book; a head only where the run is shorter than a year.

    Returns
    -------
    pandas.DataFrame
        `COLUMNS`. Approaches: `irb_other_retail` by tier and for the book, of loans that are not in default;
        `standardised` for what performs, for what is in default and for the book; `simulated` for the book: capital is
        VaR 99.9 % less EL, standard_error, low and high (currency) its Monte Carlo error.
    """
    rows: list[dict[str, Any]] = []
    for run in runs(results) if results.sizes["month"] >= HORIZON else ():
        parts = [*_irb_rows(results, run), *_standardised_rows(results, run), _simulated_row(results, run)]
        rows += [{**run, **part} for part in parts]
    return pandas.DataFrame(rows, columns=list(COLUMNS))


def _row(approach: str, part: str, exposure: float, capital: float, **more: Any) -> dict[str, Any]:
    weight = capital / exposure if exposure > 0.0 else 0.0
    shares = {"percent_of_exposure": 100.0 * weight, "risk_weight_percent": 100.0 * weight / CAPITAL_RATIO}
    return {"approach": approach, "part": part, "exposure": exposure, "capital": capital, **shares, **more}


def _irb_rows(results: xr.Dataset, run: Mapping[str, str]) -> Iterator[dict[str, Any]]:
    """The formula by tier, and summed, with the floor of the PD and an LGD of 0 or more."""
    tiers = list(tier_years(results, run))
    total = 0.0
    for tier in tiers:
        pd_12m, lgd = min(max(tier.pd_12m, LEAST_PD), 1.0), max(tier.lgd, 0.0)
        found = irb_other_retail(pd_12m, lgd)
        capital = float(found.capital) * tier.exposure
        total += capital
        yield _row(
            "irb_other_retail",
            tier.name,
            tier.exposure,
            capital,
            pd_12m_percent=100.0 * pd_12m,
            lgd_percent=100.0 * lgd,
            correlation=float(found.correlation),
        )
    yield _row("irb_other_retail", BOOK, sum(tier.exposure for tier in tiers), total)


def _standardised_rows(results: xr.Dataset, run: Mapping[str, str]) -> Iterator[dict[str, Any]]:
    """Weights of the standardised approach; provisions are what the run expects to lose of loans in default."""
    one = results.sel(run)
    opening = of_lent(one, "opening_balance_by_stage")
    bad = float(_stage_3(opening))
    good = float(opening.sum()) - bad
    coverage = float(_stage_3(_mean(one["shortfall_by_stage"], results))) / bad if bad > 0.0 else 0.0
    weight = DEFAULT_WEIGHTS[int(coverage >= PROVISION_SHARE)]
    parts = ((PERFORMING, good, RETAIL_WEIGHT * good), (IN_DEFAULT, bad, weight * bad))
    for part, exposure, weighted in parts:
        yield _row("standardised", part, exposure, CAPITAL_RATIO * weighted)
    yield _row("standardised", BOOK, good + bad, CAPITAL_RATIO * sum(weighted for _, _, weighted in parts))


def _simulated_row(results: xr.Dataset, run: Mapping[str, str]) -> dict[str, Any]:
    found = simulated_capital(results, run)
    exposure = float(of_lent(results.sel(run), "opening_balance_by_stage").sum())
    error = {"standard_error": found.standard_error, "low": found.low, "high": found.high}
    return _row("simulated", BOOK, exposure, found.value, **error, unreliable=found.unreliable)


# --- for readers -------------------------------------------------------------------------------------------

NOTES: Final = (
    "The formula's PD is the exposure of new defaults within twelve months over the opening balance that is not in "
    "default, and its LGD their loss over that exposure, both means of this run: a supervisor asks for a PD of a whole "
    "cycle and an LGD of a downturn. The PD is 0.05 % at least.",
    "The formula covers loans that are not in default; with the LGD of a loan in default at its best estimate it asks "
    "for nothing more. The simulated capital covers all loans of the book.",
    "Loans in default at the as-of date are taken out of exposure and loss in the same proportion in every tier: where "
    "they sit in bad tiers, a good tier's LGD is understated and a bad one's overstated. Accrued interest is in the "
    "exposure of new defaults and not in the opening principal that the PD divides it by; the PD is 1 at most. This "
    "LGD is discounted to the charge-off, the loss given default among the rates to the default.",
    "Under the standardised approach the exposure in default is before provisions, of which the regulation would have "
    "it net; provisions choose its weight and no more.",
    "The simulated loss is that of loans that default within twelve months, until their cars are sold, discounted to "
    "the as-of date. Its tail has the book's own factors and cars; it is no regulatory figure.",
)
"""What a reader of the capital section must know."""


@dataclass(frozen=True, slots=True)
class CapitalView:
    """Capital of one run as a report lays it out.

    Attributes
    ----------
    run : str
        The scenario: the study's first, which should be its baseline.
    rows : list of dict
        Rows of `capital_table` of that run.
    irb, standardised : float
        The book's capital by formula and by fixed weights, currency.
    simulated : Estimate
        VaR 99.9 % less EL, currency.
    default_weight_percent : float
        Weight that was applied to loans in default.
    notes : tuple of str
    """

    run: str
    rows: list[dict[str, Any]]
    irb: float
    standardised: float
    simulated: Estimate
    default_weight_percent: float
    notes: tuple[str, ...]


def capital_view(results: xr.Dataset) -> CapitalView | None:
    """The capital section of a run's first scenario; None where the run is shorter than a year."""
    table = capital_table(results)
    if table.empty:
        return None
    run = next(runs(results))
    first = table[(table[list(run)] == list(run.values())).all(axis="columns")]
    book = first[first["part"] == BOOK].set_index("approach")["capital"]
    bad = first[first["part"] == IN_DEFAULT]["risk_weight_percent"]
    return CapitalView(
        run["scenario"],
        [{str(name): value for name, value in row.items()} for row in first.to_dict(orient="records")],
        float(book["irb_other_retail"]),
        float(book["standardised"]),
        simulated_capital(results, run),
        float(bad.iloc[0]),
        NOTES,
    )
