"""Plain-dict forms of a tape, its parameters, a scenario and the servicing: what `reference` simulates."""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr

from reference import simulate_plain
from scenarios.history import used_car_index_at
from scenarios.macro import MonthlyMacro
from scenarios.strategy import CollectionStrategy
from scenarios.vocabulary import CAUSE_CLASSES, HISTORIES, MACRO_VARIABLES, SEGMENTS, TYPES
from simulator.horizon import RUN_OFF_MONTHS, months_needed
from simulator.parameters import Parameters
from simulator.servicing import Servicing
from simulator.tape import LoanTape
from small_books import macro_at, tape_of

OF_A_BOOK = ("response", "shares", "persistence", "index_persistence", "index_innovation_sd", "index_common_share")
OF_A_BOOK += ("index_factor_correlation", "jump_intensity", "jump_mean", "jump_sd", "reversion")
OF_A_BOOK += ("bucket_edges", "mileage_edges", "default_bucket", "nonaccrual_months", "probation_months")
"""Parameters that all tiers share and that are numbers or words already."""

OF_A_TIER = ("sigma", "rho", "ltv_coefficient", "ltv_reference", "pti_coefficient", "pti_reference", "discount_cap")

OF_A_BORROWER = ("hardship_per_point", "spell_end", "equity_slope", "equity_cap", "equity_threshold", "equity_mean")
OF_A_BORROWER += ("score_coefficient", "score_reference", "late_fee", "renewal_fee")

OF_A_WORKOUT = ("total_loss", "insured_share", "insurance_deductible", "tracker_multiplier", "found_share")
OF_A_WORKOUT += ("search_lag", "sale_lag", "deficiency_lag", "haircut", "cost_fixed", "cost_share")
OF_A_WORKOUT += ("storage_per_month", "vehicle_sd", "lgd_floor", "deficiency_share", "baseline_sales")

TRACED = ("trace_state", "trace_balance", "trace_loss", "trace_value", "trace_cash", "trace_type")
TRACED += ("trace_rungs", "trace_flags")
"""Traced variables, in the order of a row of the reference's histories."""

OF_STRATEGIES = ("judgment_cash", "debt_sale_cash", "surrendered_count", "collection_cost", "incident_cost")
"""Variables of the book that are 0 where arrears are worked as they were where the parameters come from."""


def plain_world(
    tape: LoanTape,
    macro: MonthlyMacro,
    parameters: Parameters,
    *,
    months: int,
    seed: int,
    servicing: Servicing | None = None,
    stages: list[int] | None = None,
) -> dict[str, Any]:
    """What `reference.simulate_plain` takes; a loan whose stage is not given stands in the first."""
    servicing = servicing or Servicing()
    return {
        "loans": plain_loans(tape, stages or [0] * len(tape)),
        "macro": plain_macro(macro),
        "parameters": plain_parameters(parameters),
        "history": plain_history(tape),
        "as_of": (tape.as_of.year, tape.as_of.month),
        "seed": seed,
        "months": months,
        "run_off": RUN_OFF_MONTHS,
        "strategy": plain_strategy(servicing.strategy),
        "observed": [plain_strategy(strategy) for strategy in servicing.observed or ()] or None,
        "market_share": servicing.market_share,
    }


def plain_loans(tape: LoanTape, stages: list[int]) -> list[dict[str, Any]]:
    """One dict a loan, of Python's own types; months as (year, month)."""
    loans = []
    for place, stage in enumerate(stages):
        loan = {name: column[place].item() for name, column in tape.columns.items()}
        loan["origination_date"] = (loan["origination_date"].year, loan["origination_date"].month)
        loans.append({**loan, "stage": stage})
    return loans


def plain_macro(macro: MonthlyMacro) -> dict[str, Any]:
    """Levels by month and variable, index by month and segment, offsets by region or sector and variable."""
    return {
        "levels": [dict(zip(MACRO_VARIABLES, row, strict=True)) for row in macro.macro.to_numpy().tolist()],
        "index": [dict(zip(SEGMENTS, row, strict=True)) for row in macro.used_car_index.to_numpy().tolist()],
        "region_offsets": _plain_offsets(macro.regional_offset, "region"),
        "sector_offsets": _plain_offsets(macro.sector_offset, "sector"),
    }


def _plain_offsets(offsets: xr.DataArray, kind: str) -> dict[str, dict[str, float]]:
    rows = zip(offsets[kind].to_numpy(), offsets.to_numpy().tolist(), strict=True)
    return {str(name): dict(zip(MACRO_VARIABLES, row, strict=True)) for name, row in rows}


def plain_history(tape: LoanTape) -> dict[tuple[int, int], float]:
    """Used-car index by (year, month), for the months of origination and the as-of month of a book."""
    months = {(day.year, day.month) for day in tape["origination_date"].tolist()} | {
        (tape.as_of.year, tape.as_of.month)
    }
    return {month: float(used_car_index_at(*month)) for month in sorted(months)}


def plain_strategy(strategy: CollectionStrategy | None) -> dict[str, Any] | None:
    """The fields of a strategy's file."""
    return strategy and strategy.model_dump(mode="python")


def plain_parameters(parameters: Parameters) -> dict[str, Any]:
    """Everything that the reference needs, by name, without an array."""
    return {
        **{name: getattr(parameters, name) for name in OF_A_BOOK},
        "wholesale": dict(parameters.wholesale),
        "index_residual_sd": dict(zip(SEGMENTS, parameters.index_residual_sd.tolist(), strict=True)),
        "depreciation": dict(zip(SEGMENTS, parameters.depreciation.tolist(), strict=True)),
        "segment_find": dict(zip(SEGMENTS, parameters.workout.segment_find.tolist(), strict=True)),
        "season": parameters.workout.season.tolist(),
        "fire_sale_elasticity": float(parameters.workout.fire_sale_elasticity),
        "tiers": [_plain_tier(parameters, tier) for tier in range(len(parameters.names))],
    }


def _plain_tier(parameters: Parameters, tier: int) -> dict[str, Any]:
    figures = ((parameters, OF_A_TIER), (parameters.borrower, OF_A_BORROWER), (parameters.workout, OF_A_WORKOUT))
    targets = [*range(len(parameters.bucket_edges)), "charge_off", "prepay"]
    score, rate = parameters.sets[tier].score, parameters.sets[tier].rate
    return {
        "name": parameters.names[tier],
        **{name: getattr(group, name)[tier].item() for group, names in figures for name in names},
        **_plain_borrower(parameters, tier),
        "rows": [
            {target: rate for target, rate in zip(targets, row, strict=True) if rate > 0.0}
            for row in parameters.intensity[tier].tolist()
        ],
        "seasoning": parameters.seasoning[tier].tolist(),
        "seizure": parameters.workout.seizure[tier].tolist(),
        "reference": dict(zip(MACRO_VARIABLES, parameters.reference[tier].tolist(), strict=True)),
        "sensitivity": {
            cause: dict(zip(MACRO_VARIABLES, parameters.sensitivity[tier, row].tolist(), strict=True))
            for row, cause in enumerate(CAUSE_CLASSES)
        },
        "score_band": (score.low, score.high) if score else (None, None),
        "rate_band": (rate.low_percent, rate.high_percent) if rate else (None, None),
    }


def _plain_borrower(parameters: Parameters, tier: int) -> dict[str, Any]:
    borrower = parameters.borrower
    tables = ("type_share", "modified_share", "open_history", "open_type")
    assert borrower.history_multiplier.shape[1] == len(HISTORIES)
    assert borrower.type_multiplier.shape[1] == len(TYPES)
    return {
        **{name: getattr(borrower, name)[tier].tolist() for name in tables},
        "history_multiplier": borrower.history_multiplier[tier].tolist(),
        "type_multiplier": [_by_cause(row) for row in borrower.type_multiplier[tier]],
    }


def _by_cause(row: np.ndarray) -> dict[str, float]:
    return dict(zip(CAUSE_CLASSES, np.asarray(row).tolist(), strict=True))


# --- a few loans on one path -------------------------------------------------------------------------------------


def plain_run(rows: list[dict[str, Any]], parameters: Parameters, months: int, **more: Any) -> dict[str, Any]:
    """The first path of a few loans, `moved` macro variables apart at their reference levels."""
    macro = macro_at(parameters, months_needed(parameters, months), **more.pop("moved", {}))
    return simulate_plain(plain_world(tape_of(rows), macro, parameters, months=months, seed=20_250_101, **more), 1)[0]


def booked(path: dict[str, Any], name: str) -> dict[int, float]:
    """Months after month 0 in which a variable is not 0."""
    return {month: value for (found, month), value in path["book"].items() if found == name and month and value}
