"""Small tapes, parameters and macro paths for tests of the engine, and their plain-dict forms for `reference`."""

from __future__ import annotations

import datetime
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
import xarray as xr
from hypothesis import settings
from numpy.typing import NDArray

from calibration.library import find_parameter_set
from scenarios.history import used_car_index_at
from scenarios.macro import MonthlyMacro
from scenarios.vocabulary import CAUSE_CLASSES, MACRO_VARIABLES, SEGMENTS
from simulator.engine import RUN_OFF_MONTHS, months_needed, simulate
from simulator.intensities import intensities_from_probabilities
from simulator.parameters import Parameters, build_parameters
from simulator.tape import LoadReport, LoanTape, make_tape
from simulator.tape.tape import balance_cents

AS_OF = datetime.date(2024, 12, 31)

fixed_examples = settings(derandomize=True, deadline=None)
"""For property tests of compiled kernels: the same examples in every run, and the first may take a compilation."""

BUCKET_DAYS = (0, 30, 60, 90)
"""First day past due of the US sets' buckets."""

ORDINARY_LOAN: Mapping[str, Any] = {
    "as_of_date": np.datetime64(AS_OF),
    "origination_date": np.datetime64("2023-06"),
    "original_balance": 20_000.0,
    "current_balance": 16_000.0,
    "rate": 0.08,
    "original_term": 72,
    "remaining_term": 54,
    "scheduled_payment": np.nan,
    "days_past_due": 0,
    "score": np.nan,
    "score_type": "FICO",
    "payment_to_income": np.nan,
    "co_borrower": False,
    "region": "TX",
    "sector": "unknown",
    "channel": "unknown",
    "product": "purchase_loan",
    "vehicle": "car",
    "vehicle_make": "",
    "vehicle_model": "",
    "model_year": 2023.0,
    "vehicle_new": True,
    "vehicle_value": 21_000.0,
    "value_source": "retail",
}
"""A loan of which nothing is unusual; a test states what it changes."""


# --- tapes -------------------------------------------------------------------------------------------


def tape_of(rows: Sequence[Mapping[str, Any]], currency: str = "USD") -> LoanTape:
    """Tape of the rows given, each an `ORDINARY_LOAN` with changes; ids L00000, L00001, ... where none is stated."""
    full = [{"loan_id": f"L{place:05d}", **ORDINARY_LOAN, **row} for place, row in enumerate(rows)]
    return tape_of_columns({name: np.array([row[name] for row in full]) for name in full[0]}, currency)


def tape_of_columns(columns: Mapping[str, NDArray[Any]], currency: str = "USD") -> LoanTape:
    """Tape of whole columns, in any row order."""
    cents = balance_cents(np.asarray(columns["current_balance"], dtype=np.float64))
    count = len(columns["loan_id"])
    report = LoadReport("a test", "columns", count, count, cents, cents)
    return make_tape(columns, as_of=AS_OF, currency=currency, report=report)


def equal_loans(count: int, currency: str = "USD", **changes: Any) -> LoanTape:
    """Tape of `count` equal loans but for their ids."""
    row = {**ORDINARY_LOAN, **changes}
    columns = {name: np.full(count, value) for name, value in row.items()}
    return tape_of_columns({"loan_id": np.array([f"L{place:07d}" for place in range(count)]), **columns}, currency)


def endless_loans(count: int, days_past_due: int = 0) -> LoanTape:
    """Loans of 0 % that do not mature within any horizon."""
    return equal_loans(count, rate=0.0, current_balance=3_000.0, remaining_term=3_000, days_past_due=days_past_due)


def subset(tape: LoanTape, kept: NDArray[Any]) -> LoanTape:
    """Tape of the rows kept, in the order in which they are named (make_tape sorts them again)."""
    return tape_of_columns({name: column[kept] for name, column in tape.columns.items()}, tape.currency)


def mixed_book(count: int = 60, seed: int = 1) -> LoanTape:
    """Book with every kind of loan: rates from 0 %, terms that end within months, arrears past maturity, any car."""
    random = np.random.default_rng(seed)
    tape = tape_of([_mixed_loan(random, place) for place in range(count)])
    assert (tape["days_past_due"] > 0).sum() > count // 4
    assert (tape["rate"] == 0.0).any()
    assert ((tape["remaining_term"] == 0) & (tape["days_past_due"] > 0)).any()
    return tape


def _mixed_loan(random: np.random.Generator, place: int) -> dict[str, Any]:
    late = place % 3 == 0
    ending = place % 5 == 0
    balance = round(float(random.uniform(500.0, 30_000.0)), 2)
    rate = 0.0 if place % 7 == 0 else float(random.uniform(0.03, 0.24))
    remaining = int(random.integers(0 if late else 1, 20)) if ending else int(random.integers(6, 84))
    if place in (0, 30):
        remaining = 0
    instalment = balance / max(remaining, 4) * float(random.uniform(0.8, 1.6))
    return {
        "loan_id": f"{place:03d}-ü",
        "origination_date": np.datetime64("2024-12") - np.timedelta64(int(random.integers(0, 70)), "M"),
        "original_balance": balance * float(random.uniform(1.0, 1.5)),
        "current_balance": balance,
        "rate": rate,
        "original_term": 84,
        "remaining_term": remaining,
        "scheduled_payment": instalment + balance * rate / 12.0 if place % 4 == 1 else np.nan,
        "days_past_due": int(random.integers(1, 160)) if late else 0,
        "score": np.nan if place % 11 == 0 else float(random.integers(581, 659)),
        "payment_to_income": np.nan if place % 6 == 0 else float(random.uniform(0.05, 0.2)),
        "region": str(random.choice(["TX", "CA", "NV"])),
        "sector": str(random.choice(["mining", "health"])),
        "vehicle": str(random.choice(SEGMENTS)),
        "model_year": np.nan if place % 8 == 0 else float(random.integers(2014, 2025)),
        "vehicle_new": bool(place % 2),
        "vehicle_value": balance * float(random.uniform(0.7, 1.8)),
        "value_source": str(random.choice(["invoice", "msrp", "retail", "wholesale", "other"])),
    }


# --- parameters -----------------------------------------------------------------------------------------


@cache
def shipped(*names: str) -> Parameters:
    """Shipped parameter sets as the tiers of one book."""
    return build_parameters([find_parameter_set(name) for name in names])


def quiet(name: str = "us_near_prime", **changes: Any) -> Parameters:
    """A shipped set with nothing that varies: no sensitivity, no factor, no seasoning, no covariate, no price noise."""
    base = shipped(name)
    none = {
        "sensitivity": np.zeros_like(base.sensitivity),
        "sigma": np.zeros(1),
        "rho": np.zeros(1),
        "seasoning": np.ones_like(base.seasoning),
        "ltv_coefficient": np.zeros(1),
        "pti_coefficient": np.zeros(1),
        "index_innovation_sd": 0.0,
        "index_residual_sd": np.zeros(len(SEGMENTS)),
        "vehicle_sd": np.zeros(1),
    }
    return replace(base, **{**none, **changes})


def chain(probability: Sequence[Sequence[float]] | NDArray[np.float64], **changes: Any) -> Parameters:
    """Quiet set of one tier with the monthly matrix given: rows current, 30, 60, 90; then charge-off, prepaid."""
    moves = np.array(probability, dtype=np.float64)
    np.fill_diagonal(moves[:, : len(moves)], 0.0)
    return quiet(intensity=intensities_from_probabilities(moves)[None], **changes)


def current_only(default: float, payoff: float = 0.0, **changes: Any) -> Parameters:
    """Quiet set in which a loan without arrears is charged off or prepaid at the monthly intensities given."""
    intensity = np.zeros((1, 4, 6))
    intensity[0, 0, 4:] = default, payoff
    return quiet(intensity=intensity, **changes)


def busy_tiers(response: str, seed: int = 3) -> Parameters:
    """Two shipped tiers, changed until every feature is at work and most loans move."""
    base = shipped("us_near_prime", "us_subprime")
    random = np.random.default_rng(seed)
    intensity = base.intensity * random.uniform(0.5, 2.0, base.intensity.shape)
    intensity[:, 0, 1] *= 3.0
    intensity[:, 0, 4] = 0.004, 0.008
    intensity[:, 2:] *= 0.2  # so that some default linger, and reach the end of the run-off
    return replace(
        base,
        response=response,
        intensity=intensity,
        sensitivity=random.uniform(-6.0, 6.0, base.sensitivity.shape) * [1.0, 0.5, 1.0, 0.2],
        nonaccrual_months=2,
        default_bucket=2,
        lgd_floor=np.array([np.nan, 0.0]),
        sale_lag=np.array([4, 2]),
        sold_share=np.array([0.9, 0.6]),
        sale_cost=np.array([900.0, 300.0]),
        sale_cost_share=np.array([0.03, 0.08]),
    )


def busy_seven_buckets() -> Parameters:
    """The Chinese set: six buckets of arrears, so that draws come from more than one block of words."""
    base = shipped("cn_auto_finance")
    intensity = base.intensity.copy()
    intensity[:, 0, 1] *= 10.0
    intensity[:, 1:, 1:] *= 1.5
    intensity[:, 4:] *= 0.06
    intensity[:, 6, 1:4] += 0.05
    # The book's amounts are taken as they stand, and its cars' history as the one that is shipped.
    return replace(base, intensity=intensity, currency="USD")


# --- macro paths ------------------------------------------------------------------------------------------


def macro_at(
    parameters: Parameters, months: int, name: str = "level", **moved: Sequence[float] | float
) -> MonthlyMacro:
    """Macro paths at the first set's reference levels plus what is moved, and a flat used-car index.

    `moved` holds additions to a macro variable by its name, or levels of `used_car_index`.
    """
    index = np.ones((months + 1, len(SEGMENTS))) * np.reshape(moved.pop("used_car_index", 1.0), (-1, 1))
    levels = np.tile(parameters.reference[0], (months + 1, 1))
    for variable, change in moved.items():
        levels[:, MACRO_VARIABLES.index(variable)] += np.asarray(change)
    no_offset = xr.DataArray(
        np.zeros((0, len(MACRO_VARIABLES))),
        dims=("region", "macro_variable"),
        coords={"region": np.array([], dtype=object), "macro_variable": list(MACRO_VARIABLES)},
    )
    return MonthlyMacro(
        name=name,
        macro=xr.DataArray(levels, dims=("month", "macro_variable"), coords={"macro_variable": list(MACRO_VARIABLES)}),
        used_car_index=xr.DataArray(index, dims=("month", "segment"), coords={"segment": list(SEGMENTS)}),
        regional_offset=no_offset,
        beyond=None,
        assumptions=(),
        shifted=False,
    )


def with_offset(macro: MonthlyMacro, region: str, **offset: float) -> MonthlyMacro:
    """The same paths with one region's offsets from the nation."""
    row = [[offset.get(variable, 0.0) for variable in MACRO_VARIABLES]]
    coords = {"region": [region], "macro_variable": list(MACRO_VARIABLES)}
    return replace(macro, regional_offset=xr.DataArray(row, dims=("region", "macro_variable"), coords=coords))


def busy_macro(parameters: Parameters, horizon: int) -> MonthlyMacro:
    """Every macro variable moves, cars lose a fifth, and one region is off the nation."""
    months = np.arange(months_needed(parameters, horizon) + 1)
    macro = macro_at(
        parameters,
        int(months[-1]),
        unemployment=0.03 * np.sin(months / 5.0),
        prime_rate=0.0004 * months,
        fuel_price=0.3 * np.cos(months / 7.0),
        used_car_index=np.exp(-0.01 * np.minimum(months, 24)),
    )
    return with_offset(macro, "NV", unemployment=0.02)


# --- runs ------------------------------------------------------------------------------------------------


def run(tape: LoanTape, parameters: Parameters, *, paths: int, months: int, seed: int, **options: Any) -> xr.Dataset:
    """Simulate at the reference levels of the macro variables; `options` are those of `simulate`."""
    macro = macro_at(parameters, months_needed(parameters, months))
    return simulate(tape, macro, parameters, paths=paths, months=months, seed=seed, **options)


def values(results: xr.Dataset, name: str) -> NDArray[Any]:
    """One variable without its three dimensions of length 1."""
    return results[name].to_numpy()[0, 0, 0]


# --- plain forms for the reference ------------------------------------------------------------------------------


def plain_world(
    tape: LoanTape, macro: MonthlyMacro, parameters: Parameters, *, months: int, seed: int
) -> dict[str, Any]:
    """What `reference.simulate_plain` takes."""
    return {
        "loans": plain_loans(tape),
        "macro": plain_macro(macro),
        "parameters": plain_parameters(parameters),
        "history": plain_history(tape),
        "as_of": (tape.as_of.year, tape.as_of.month),
        "seed": seed,
        "months": months,
        "run_off": RUN_OFF_MONTHS,
    }


def plain_loans(tape: LoanTape) -> list[dict[str, Any]]:
    """One dict a loan, of Python's own types; months as (year, month)."""
    loans = []
    for place in range(len(tape)):
        loan = {name: column[place].item() for name, column in tape.columns.items()}
        loan["origination_date"] = (loan["origination_date"].year, loan["origination_date"].month)
        loans.append(loan)
    return loans


def plain_macro(macro: MonthlyMacro) -> dict[str, Any]:
    """Levels by month and variable, index by month and segment, offsets by region and variable."""
    offsets = macro.regional_offset
    return {
        "levels": [dict(zip(MACRO_VARIABLES, row, strict=True)) for row in macro.macro.to_numpy().tolist()],
        "index": [dict(zip(SEGMENTS, row, strict=True)) for row in macro.used_car_index.to_numpy().tolist()],
        "offsets": {
            str(region): dict(zip(MACRO_VARIABLES, offsets.sel(region=region).to_numpy().tolist(), strict=True))
            for region in offsets["region"].to_numpy()
        },
    }


def plain_parameters(parameters: Parameters) -> dict[str, Any]:
    """Everything that the reference needs, by name, without an array."""
    scalars = ("response", "shares", "persistence", "index_persistence", "index_innovation_sd", "index_common_share")
    scalars += ("index_factor_correlation", "bucket_edges", "default_bucket", "nonaccrual_months")
    return {
        **{name: getattr(parameters, name) for name in scalars},
        "wholesale": dict(parameters.wholesale),
        "index_residual_sd": dict(zip(SEGMENTS, parameters.index_residual_sd.tolist(), strict=True)),
        "depreciation": dict(zip(SEGMENTS, parameters.depreciation.tolist(), strict=True)),
        "tiers": [_plain_tier(parameters, tier) for tier in range(len(parameters.names))],
    }


def _plain_tier(parameters: Parameters, tier: int) -> dict[str, Any]:
    figures = ("sigma", "rho", "ltv_coefficient", "ltv_reference", "pti_coefficient", "pti_reference", "sold_share")
    figures += ("haircut", "sale_cost", "sale_cost_share", "vehicle_sd", "lgd_floor", "sale_lag")
    buckets = len(parameters.bucket_edges)
    targets = [*range(buckets), "charge_off", "prepay"]
    score, rate = parameters.sets[tier].score, parameters.sets[tier].rate
    return {
        **{name: getattr(parameters, name)[tier].item() for name in figures},
        "rows": [
            {target: rate for target, rate in zip(targets, row, strict=True) if rate > 0.0}
            for row in parameters.intensity[tier].tolist()
        ],
        "seasoning": parameters.seasoning[tier].tolist(),
        "reference": dict(zip(MACRO_VARIABLES, parameters.reference[tier].tolist(), strict=True)),
        "sensitivity": {
            cause: dict(zip(MACRO_VARIABLES, parameters.sensitivity[tier, row].tolist(), strict=True))
            for row, cause in enumerate(CAUSE_CLASSES)
        },
        "score_band": (score.low, score.high) if score else (None, None),
        "rate_band": (rate.low_percent, rate.high_percent) if rate else (None, None),
    }


def plain_history(tape: LoanTape) -> dict[tuple[int, int], float]:
    """Used-car index by (year, month), for the months of origination and the as-of month of a book."""
    months = {(day.year, day.month) for day in tape["origination_date"].tolist()} | {
        (tape.as_of.year, tape.as_of.month)
    }
    return {month: float(used_car_index_at(*month)) for month in sorted(months)}
