"""Small tapes, parameters and macro paths for tests of the engine.

What is quiet stands here; `busy_books` has parameters with everything at work, `plain_books` the plain-dict forms
that `reference` takes.
"""

from __future__ import annotations

import datetime
from collections.abc import Mapping, Sequence
from dataclasses import fields, replace
from functools import cache
from typing import Any

import numpy as np
import xarray as xr
from hypothesis import settings
from numpy.typing import NDArray

from calibration.library import find_parameter_set
from scenarios.macro import MonthlyMacro, offset_table
from scenarios.vocabulary import AMORTISATIONS, MACRO_VARIABLES, SEGMENTS
from simulator.engine import simulate
from simulator.horizon import months_needed
from simulator.intensities import intensities_from_probabilities
from simulator.parameter_groups import Borrower, Economics, Workout
from simulator.parameters import Parameters, build_parameters
from simulator.tape import LoadReport, LoanTape, make_tape
from simulator.tape.tape import balance_cents

AS_OF = datetime.date(2024, 12, 31)

fixed_examples = settings(derandomize=True, deadline=None)
"""For property tests of compiled kernels: the same examples in every run, and the first may take a compilation."""

BUCKET_DAYS = (0, 30, 60, 90)
"""First day past due of the US sets' buckets."""

CERTAIN = 1e9
"""An intensity a month that leaves no doubt."""

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
    "amortisation": "level",
    "balloon": np.nan,
    "mileage": np.nan,
    "income": np.nan,
    "income_verified": False,
    "tracker": False,
    "starter_interrupt": False,
    "credit_insured": False,
    "modified": False,
    "repossessed": False,
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
    """Book with every kind of loan: rates from 0 %, terms that end within months, arrears past maturity, any car.

    Every amortisation is there, current and in arrears; loans are extended, have their car seized, carry trackers.
    """
    random = np.random.default_rng(seed)
    tape = tape_of([_mixed_loan(random, place) for place in range(count)])
    late = tape["days_past_due"] > 0
    assert late.sum() > count // 4
    assert (tape["rate"] == 0.0).any()
    assert ((tape["remaining_term"] == 0) & late).any()
    for name in ("tracker", "modified", "repossessed"):
        assert tape[name].any(), name
    for kind in AMORTISATIONS:
        assert len(set(late[tape["amortisation"] == kind])) == 2, kind
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
    loan = {
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
    return {**loan, **_mixed_features(random, place, loan)}


def _mixed_features(random: np.random.Generator, place: int, loan: Mapping[str, Any]) -> dict[str, Any]:
    """How a loan of the mixed book is repaid, and its flags."""
    kind = AMORTISATIONS[(0, 0, 0, 0, 1, 1, 2, 3, 3, 4, 4)[place % 11]]
    features = {
        "amortisation": kind,
        "balloon": loan["current_balance"] * float(random.uniform(0.1, 0.6)) if place % 11 in (3, 4, 5, 8) else np.nan,
        "mileage": np.nan if place % 4 == 0 else float(random.uniform(5_000.0, 200_000.0)),
        "tracker": place % 3 == 1,
        "starter_interrupt": place % 4 == 1,
        "modified": place % 10 == 7 or place % 10 == 9,
        "repossessed": place % 12 == 9,
    }
    if kind == "single_payment":
        period = int(random.integers(1, 5))
        features |= {"original_term": period, "remaining_term": int(random.integers(0, period + 1))}
    return features


# --- parameters -----------------------------------------------------------------------------------------


@cache
def shipped(*names: str) -> Parameters:
    """Shipped parameter sets as the tiers of one book."""
    return build_parameters([find_parameter_set(name) for name in names])


def quiet(name: str = "us_near_prime", **changes: Any) -> Parameters:
    """A shipped set with nothing that varies: no sensitivity, no factor, no seasoning, no covariate, no price noise.

    Borrowers have no history and no type, no car is seized or lost, a sale's terms alone are those of the set.
    `changes` may name fields of the parameters and of their groups.
    """
    base = shipped(name)
    buckets = len(base.bucket_edges)
    sale = ("found_share", "sale_lag", "haircut", "cost_fixed", "cost_share", "lgd_floor")
    none = {
        "intensity": base.published_intensity,
        "sensitivity": np.zeros_like(base.sensitivity),
        "sigma": np.zeros(1),
        "rho": np.zeros(1),
        "seasoning": np.ones_like(base.seasoning),
        "ltv_coefficient": np.zeros(1),
        "pti_coefficient": np.zeros(1),
        "index_innovation_sd": 0.0,
        "index_residual_sd": np.zeros(len(SEGMENTS)),
        "jump_intensity": 0.0,
        "reversion": 0.0,
        "probation_months": 0,
        "discount_cap": np.full(1, np.inf),
        "borrower": Borrower.neutral(1, buckets),
        "workout": replace(Workout.neutral(1, buckets), **{field: getattr(base.workout, field) for field in sale}),
        "economics": Economics.neutral(1),
    }
    return changed(replace(base, **none), **changes)


def changed(parameters: Parameters, **changes: Any) -> Parameters:
    """Parameters with fields changed, by name, wherever they stand: among the parameters or in one of their groups.

    Intensities that are given are the published ones too.
    """
    if "intensity" in changes:
        changes.setdefault("published_intensity", changes["intensity"])
    for group, kind in (("borrower", Borrower), ("workout", Workout), ("economics", Economics)):
        own = {field.name: changes.pop(field.name) for field in fields(kind) if field.name in changes}
        if own:
            changes[group] = replace(changes.get(group, getattr(parameters, group)), **own)
    return replace(parameters, **changes)


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


def certain(moves: dict[int, int | str], **changes: Any) -> Parameters:
    """Quiet set in which each bucket named goes where it is told in the next month, and the others stay."""
    intensity = np.zeros((1, 4, 6))
    for bucket, target in moves.items():
        intensity[0, bucket, {"charge_off": 4, "prepaid": 5}.get(str(target), target)] = CERTAIN
    return quiet(intensity=intensity, nonaccrual_months=6, **changes)


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
    return MonthlyMacro(
        name=name,
        macro=xr.DataArray(levels, dims=("month", "macro_variable"), coords={"macro_variable": list(MACRO_VARIABLES)}),
        used_car_index=xr.DataArray(index, dims=("month", "segment"), coords={"segment": list(SEGMENTS)}),
        regional_offset=offset_table("region", (), ()),
        beyond=None,
        assumptions=(),
        shifted=False,
    )


def with_offset(macro: MonthlyMacro, name: str, kind: str = "region", **offset: float) -> MonthlyMacro:
    """The same paths with one region's or one sector's offsets from the nation."""
    table = offset_table(kind, (name,), [[offset.get(variable, 0.0) for variable in MACRO_VARIABLES]])
    return replace(macro, **{"regional_offset" if kind == "region" else "sector_offset": table})


# --- runs ------------------------------------------------------------------------------------------------


def run(tape: LoanTape, parameters: Parameters, *, paths: int, months: int, seed: int, **options: Any) -> xr.Dataset:
    """Simulate at the reference levels of the macro variables; `options` are those of `simulate`."""
    macro = macro_at(parameters, months_needed(parameters, months))
    return simulate(tape, macro, parameters, paths=paths, months=months, seed=seed, **options)


def values(results: xr.Dataset, name: str) -> NDArray[Any]:
    """One variable without its three dimensions of length 1."""
    return results[name].to_numpy()[0, 0, 0]
