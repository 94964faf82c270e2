"""Tape, macro paths and parameters become the kernels' arrays. Specs and labels stop here."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import log_ndtr, ndtri

from scenarios.history import used_car_index_at
from scenarios.macro import MonthlyMacro
from scenarios.vocabulary import (
    CAUSE_CLASSES,
    CUTS,
    ENTER,
    MACRO_VARIABLES,
    SEGMENTS,
)
from simulator.entities import loan_entities
from simulator.factors import factor_name
from simulator.kernels.bundles import Hazards, Loans, Sale
from simulator.kernels.hazards import TABLE_HIGH, TABLE_LOW, TABLE_STEP
from simulator.parameters import Parameters, assign_tiers
from simulator.tape import LoanTape

Floats = NDArray[np.float64]
MOST_LEVELS = 60
"""A cut with more levels keeps its largest by balance; the rest become one level."""


@dataclass(frozen=True, slots=True)
class Cells:
    """Distinct (tier, region, sector) of a book: all loans of a cell share their systematic risk."""

    tier: NDArray[np.int32]
    region: tuple[str, ...]
    sector: tuple[str, ...]
    factor_names: tuple[str, ...]
    factor: NDArray[np.int32]
    """[cell, 3] rows of the systematic factors: global, region, sector."""


@dataclass(frozen=True, slots=True)
class Book:
    """A book ready for the kernels, with the labels that its results will carry."""

    loans: Loans
    cells: Cells
    levels: dict[str, tuple[str, ...]]
    """Level names of each cut, in the order of the kernels' counting."""
    opening_by_level: dict[str, Floats]
    notes: tuple[str, ...]


def build_book(tape: LoanTape, parameters: Parameters) -> Book:
    """Arrange a tape for the kernels: bundles in canonical order, cells, levels of each cut."""
    columns = tape.columns
    tier = assign_tiers(parameters, columns["score"], columns["rate"])
    cells, cell = _cells(tier, columns["region"], columns["sector"])
    bucket = bucket_of(columns["days_past_due"], parameters)
    schedule = _schedule(tape, bucket)
    vehicle_age, value, value_notes = _collateral(tape, parameters)
    segment = _segment(tape)
    level, levels, opening = _cut_levels(tape, parameters, tier)
    loans = Loans(
        entity=loan_entities(columns["loan_id"]),
        cell=cell.astype(np.int32),
        tier=tier.astype(np.int32),
        segment=segment.astype(np.int32),
        bucket=bucket.astype(np.int8),
        track=schedule.track,
        growth=schedule.growth,
        payment=schedule.payment,
        term=schedule.term.astype(np.int32),
        age=_loan_age(tape).astype(np.int32),
        vehicle_age=vehicle_age.astype(np.int32),
        value_as_new=value,
        risk=_risk(tape, parameters, tier),
        level=level,
    )
    worst = columns["days_past_due"] >= parameters.bucket_edges[-1] + 30
    notes = [*schedule.notes, *value_notes]
    if worst.any():
        notes.append(
            f"{int(worst.sum())} loans past the worst bucket's last day stand in the worst bucket "
            f"({parameters.bucket_labels[-1]}) at the as-of date."
        )
    return Book(loans, cells, levels, opening, tuple(notes))


def bucket_of(days_past_due: NDArray[np.int64], parameters: Parameters) -> NDArray[np.int64]:
    """Instalments past due from days past due, by the parameter set's bucket edges."""
    edges = np.asarray(parameters.bucket_edges)
    return np.searchsorted(edges, np.maximum(days_past_due, 0), side="right") - 1


def _cells(tier: NDArray[np.int64], region: NDArray[np.str_], sector: NDArray[np.str_]) -> tuple[Cells, NDArray[np.int64]]:
    regions, region_code = np.unique(region.astype(str), return_inverse=True)
    sectors, sector_code = np.unique(sector.astype(str), return_inverse=True)
    code = (tier * regions.size + region_code) * sectors.size + sector_code
    distinct, cell = np.unique(code, return_inverse=True)
    cell_region = distinct // sectors.size % regions.size
    cell_sector = distinct % sectors.size
    names = [factor_name("region", str(name)) for name in regions]
    names += [factor_name("sector", str(name)) for name in sectors]
    factor = np.stack([np.zeros_like(distinct), 1 + cell_region, 1 + regions.size + cell_sector], axis=1)
    cells = Cells(
        tier=(distinct // (sectors.size * regions.size)).astype(np.int32),
        region=tuple(str(regions[item]) for item in cell_region),
        sector=tuple(str(sectors[item]) for item in cell_sector),
        factor_names=tuple(names),
        factor=np.ascontiguousarray(factor.astype(np.int32)),
    )
    return cells, cell


# --- the schedule (methodology (1)) ----------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Schedule:
    track: Floats
    growth: Floats
    payment: Floats
    term: NDArray[np.int64]
    notes: tuple[str, ...]


def _schedule(tape: LoanTape, bucket: NDArray[np.int64]) -> _Schedule:
    """Instalment, term and the fully paid track of each loan.

    The tape's own instalment wins over the computed one.  A loan that its instalment repays early
    ends early; what it leaves at maturity is part of the last instalment, and is reported.
    """
    principal = tape.columns["current_balance"]
    growth = 1.0 + tape.columns["rate"] / 12.0
    due = np.maximum(tape.columns["remaining_term"], np.where(bucket > 0, 0, 1)) + bucket
    level = level_payment(principal, growth, due)
    stated = np.nan_to_num(tape.columns["scheduled_payment"], nan=0.0)
    payment = np.where(stated > 0.0, stated, level)
    needed = _instalments_to_repay(principal, growth, payment)
    due = np.minimum(due, needed)
    residual = np.maximum(_after(principal, growth, payment, due - 1) * growth - payment, 0.0)
    large = residual > payment
    notes = []
    if large.any():
        notes.append(
            f"{int(large.sum())} loans leave more than one extra instalment at maturity by their own "
            f"payment: {residual[large].sum():,.2f} falls due with their last instalments."
        )
    absent = int((stated <= 0.0).sum())
    if absent:
        notes.append(f"{absent} loans state no instalment; the level payment is computed (methodology (1)).")
    track = _after(principal, growth, payment, bucket)
    return _Schedule(track, growth, payment, due - bucket, tuple(notes))


def level_payment(principal: Floats, growth: Floats, instalments: NDArray[np.int64]) -> Floats:
    """Level instalment that repays `principal` in so many months; `growth` = 1 + monthly rate."""
    rate = growth - 1.0
    with np.errstate(divide="ignore", invalid="ignore"):
        level = principal * rate / -np.expm1(-instalments * np.log1p(rate))
    return np.where(rate > 0.0, level, principal / instalments)


def _after(principal: Floats, growth: Floats, payment: Floats, instalments: NDArray[np.int64]) -> Floats:
    """Principal after so many instalments: B g^k - payment (g^k - 1) / (g - 1)."""
    rate = growth - 1.0
    power = growth**instalments
    with np.errstate(divide="ignore", invalid="ignore"):
        paid = np.where(rate > 0.0, (power - 1.0) / rate, instalments)
    return principal * power - payment * paid


def _instalments_to_repay(principal: Floats, growth: Floats, payment: Floats) -> NDArray[np.int64]:
    """Least number of instalments after which nothing is owed; huge where they never repay."""
    rate = growth - 1.0
    with np.errstate(divide="ignore", invalid="ignore"):
        count = np.where(rate > 0.0, -np.log1p(-principal * rate / payment) / np.log1p(rate), principal / payment)
    count = np.where(np.isfinite(count), count, 1e6)
    # A rounding of the last cent must not add an instalment.
    return np.maximum(np.ceil(count - 1e-3), 1).astype(np.int64)


# --- collateral (methodology (6)) and covariates (3) -------------------------------------------------


def _loan_age(tape: LoanTape) -> NDArray[np.int64]:
    """Months since origination, at least 0."""
    as_of = tape.as_of.year * 12 + tape.as_of.month - 1
    return np.maximum(as_of - _month_number(tape.columns["origination_date"]), 0)


def _month_number(dates: NDArray[np.datetime64]) -> NDArray[np.int64]:
    return dates.astype("datetime64[M]").astype(np.int64) + 1970 * 12


def _segment(tape: LoanTape) -> NDArray[np.int64]:
    """Index of each car's segment in vocabulary.SEGMENTS."""
    names, code = np.unique(tape.columns["vehicle"].astype(str), return_inverse=True)
    return np.array([SEGMENTS.index(str(name)) for name in names])[code]


def _collateral(tape: LoanTape, parameters: Parameters) -> tuple[NDArray[np.int64], Floats, list[str]]:
    """Age of each car in months, and its wholesale value today over the depreciation it has reached."""
    columns = tape.columns
    origination = _month_number(columns["origination_date"])
    loan_age = _loan_age(tape)
    model_year = columns["model_year"]
    known = np.nan_to_num(model_year.astype(float), nan=-1.0) > 0
    # A model year stands for a car registered in the middle of that year.
    by_year = np.maximum(origination - (np.where(known, model_year, 0).astype(np.int64) * 12 + 6), 0)
    new = columns["vehicle_new"].astype(bool)
    age_then = np.where(new, 0, np.where(known, by_year, DEFAULT_USED_AGE_MONTHS))
    notes = []
    guessed = int((~new & ~known).sum())
    if guessed:
        notes.append(f"{guessed} used cars state no model year; {DEFAULT_USED_AGE_MONTHS} months at origination assumed.")
    sources, code = np.unique(columns["value_source"].astype(str), return_inverse=True)
    basis = np.array([parameters.wholesale[str(name) or "other"] for name in sources])[code]
    depreciation, oldest = parameters.depreciation, parameters.depreciation.shape[1] - 1
    segment = _segment(tape)
    index = _historical_growth(tape, origination)
    notes += index.notes
    value_as_new = columns["vehicle_value"] * basis / depreciation[segment, np.minimum(age_then, oldest)] * index.growth
    return age_then + loan_age, value_as_new, notes


DEFAULT_USED_AGE_MONTHS = 48
"""Assumption L: about the mean age of a used car financed (World Omni 2020 pool: model years 2015-2017)."""


@dataclass(frozen=True, slots=True)
class _IndexGrowth:
    growth: Floats
    notes: list[str]


def _historical_growth(tape: LoanTape, origination: NDArray[np.int64]) -> _IndexGrowth:
    """Used-car index from each loan's origination to the as-of date; 1 where no history is shipped."""
    if tape.currency != "USD":
        return _IndexGrowth(
            np.ones(len(tape)), [f"No used-car price history for {tape.currency}: values at origination roll by age alone."]
        )
    months, code = np.unique(origination, return_inverse=True)
    now = used_car_index_at(tape.as_of.year, tape.as_of.month)
    then = np.array([used_car_index_at(int(month) // 12, int(month) % 12 + 1) for month in months])
    return _IndexGrowth((now / then)[code], [])


def _risk(tape: LoanTape, parameters: Parameters, tier: NDArray[np.int64]) -> Floats:
    """exp(x'beta) of entry: loan-to-value at origination and payment-to-income (methodology (3))."""
    columns = tape.columns
    with np.errstate(divide="ignore", invalid="ignore"):
        ltv = columns["original_balance"] / columns["vehicle_value"]
    score = np.zeros(len(tape))
    for value, coefficient, reference in (
        (ltv, parameters.ltv_coefficient[tier], parameters.ltv_reference[tier]),
        (columns["payment_to_income"], parameters.pti_coefficient[tier], parameters.pti_reference[tier]),
    ):
        gap = np.where(np.isfinite(value), value - reference, 0.0)
        score += coefficient * gap
    return np.asarray(np.exp(score))


# --- cuts ----------------------------------------------------------------------------------------------


def _cut_levels(
    tape: LoanTape, parameters: Parameters, tier: NDArray[np.int64]
) -> tuple[NDArray[np.int32], dict[str, tuple[str, ...]], dict[str, Floats]]:
    """Level of each loan in each cut, counted through; level names; opening principal by level."""
    columns, balance = tape.columns, tape.columns["current_balance"]
    year = _month_number(columns["origination_date"]) // 12
    labels = {
        "region": columns["region"].astype(str),
        "sector": columns["sector"].astype(str),
        "vehicle": columns["vehicle"].astype(str),
        "tier": np.array(parameters.names)[tier],
        "vintage": year.astype(str),
        "channel": columns["channel"].astype(str),
        "product": columns["product"].astype(str),
    }
    level = np.empty((len(tape), len(CUTS)), dtype=np.int32)
    names: dict[str, tuple[str, ...]] = {}
    opening: dict[str, Floats] = {}
    first = 0
    for item, cut in enumerate(CUTS):
        found, code = np.unique(_largest(labels[cut], balance), return_inverse=True)
        level[:, item] = first + code
        first += found.size
        names[cut] = tuple(str(name) for name in found)
        opening[cut] = np.bincount(code, weights=balance, minlength=found.size)
    return level, names, opening


def _largest(labels: NDArray[np.str_], balance: Floats) -> NDArray[np.str_]:
    found, code = np.unique(labels, return_inverse=True)
    if found.size <= MOST_LEVELS:
        return labels
    order = np.argsort(-np.bincount(code, weights=balance), kind="stable")
    kept = np.isin(code, order[: MOST_LEVELS - 1])
    return np.where(kept, labels, f"all other ({found.size - MOST_LEVELS + 1})")


# --- hazards and sale ----------------------------------------------------------------------------------


def build_hazards(cells: Cells, macro: MonthlyMacro, parameters: Parameters, months: int, run_off: int) -> Hazards:
    """Intensities by month and cell for a scenario (methodology (3), (3a), (3b))."""
    multiplier = _class_multipliers(cells, macro, parameters, months + run_off)
    entry = parameters.intensity[:, 0, 1:-1].sum(axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        direct = np.where(entry > 0.0, parameters.intensity[:, 0, -2] / entry, 0.0)
    base = entry[cells.tier] * multiplier[: months + 1, :, ENTER]
    threshold, loading, table = _response(base, cells, parameters)
    return Hazards(
        intensity=np.ascontiguousarray(parameters.intensity),
        class_multiplier=multiplier,
        threshold=np.ascontiguousarray(threshold),
        loading=np.ascontiguousarray(loading),
        direct_share=direct,
        seasoning=np.ascontiguousarray(parameters.seasoning),
        response_table=table,
        cell_factor=cells.factor,
        factor_root=np.sqrt(np.asarray(parameters.shares, dtype=np.float64)),
    )


def _class_multipliers(cells: Cells, macro: MonthlyMacro, parameters: Parameters, last_month: int) -> Floats:
    """``float64[month, cell, class]`` exp(m'gamma), m relative to the parameter set's reference."""
    levels = macro.macro.sel(macro_variable=list(MACRO_VARIABLES)).to_numpy()[: last_month + 1]
    offsets = np.zeros((len(cells.region), len(MACRO_VARIABLES)))
    named = {str(name): item for item, name in enumerate(macro.regional_offset["region"].to_numpy())}
    table = macro.regional_offset.sel(macro_variable=list(MACRO_VARIABLES)).to_numpy()
    for cell, region in enumerate(cells.region):
        if region in named:
            offsets[cell] = table[named[region]]
    gap = levels[:, None, :] - parameters.reference[cells.tier][None] + offsets[None]
    log_multiplier = np.zeros((levels.shape[0], len(cells.region), len(CAUSE_CLASSES)))
    for variable in range(len(MACRO_VARIABLES)):
        log_multiplier += gap[:, :, variable, None] * parameters.sensitivity[cells.tier][None, :, :, variable]
    return np.exp(log_multiplier)


def _response(base: Floats, cells: Cells, parameters: Parameters) -> tuple[Floats, Floats, Floats]:
    """Threshold, loading and table of the entry response, both responses in one argument."""
    if parameters.response == "lognormal":
        sigma = parameters.sigma[cells.tier]
        with np.errstate(divide="ignore"):
            return np.log(base) - 0.5 * sigma**2, sigma, np.empty((0, 2))
    rho = parameters.rho[cells.tier]
    threshold = ndtri(-np.expm1(-base)) / np.sqrt(1.0 - rho)
    return threshold, np.sqrt(rho / (1.0 - rho)), response_table()


def response_table() -> Floats:
    """``float64[x, 2]`` -ln(1 - Phi(x)) and its derivative on the kernels' grid."""
    x = TABLE_LOW + TABLE_STEP * np.arange(round((TABLE_HIGH - TABLE_LOW) / TABLE_STEP) + 1)
    survival = log_ndtr(-x)
    slope = np.exp(-0.5 * x**2 - 0.5 * np.log(2.0 * np.pi) - survival)
    return np.ascontiguousarray(np.stack([-survival, slope], axis=1))


def build_sale(parameters: Parameters) -> Sale:
    """Terms of the sale after charge-off, by tier."""
    return Sale(
        sold_share=parameters.sold_share,
        haircut=parameters.haircut,
        cost=parameters.sale_cost,
        cost_share=parameters.sale_cost_share,
        condition_sd=parameters.vehicle_sd,
        lgd_floor=np.where(np.isnan(parameters.lgd_floor), -np.inf, parameters.lgd_floor),
        lag=parameters.sale_lag.astype(np.int32),
    )
