"""A result Dataset of the right shape and of plausible size, without the engine: a pool as shares of buckets.

One-factor roll rates of the near-prime kind drive expected flows path by path; principal, interest, loans and cash
are conserved as methodology (9) asks. It serves the tests of what becomes of a result; what a result ought to be is
tested elsewhere.
"""

from __future__ import annotations

import numpy as np
import pandas
import xarray as xr

from scenarios.vocabulary import (
    BOOK_VARIABLES,
    CUTS,
    DATASET_VARIABLES,
    EXIT_LABELS,
    INCIDENT_VARIABLES,
    MACRO_VARIABLES,
    NO_PROGRAMME,
    POOL_VARIABLES,
    REFERENCE_STRATEGY,
    RNG_SCHEME,
    RUNG_VARIABLES,
    SEGMENTS,
    STAGES,
    UNDERWRITING_VARIABLES,
    Variable,
)

STRESS = {"baseline": 1.0, "severely_adverse": 1.9}
ROLL = np.array(
    [
        # current, 30, 60, 90; charged off, prepaid, total loss
        [0.9555, 0.028, 0.0, 0.0, 0.0, 0.016, 0.0005],
        [0.375, 0.4525, 0.160, 0.0, 0.0, 0.012, 0.0005],
        [0.120, 0.140, 0.3775, 0.339, 0.015, 0.008, 0.0005],
        [0.060, 0.020, 0.060, 0.3175, 0.534, 0.008, 0.0005],
    ]
)
BUCKETS = ("current", "30-59", "60-89", "90-119")
STATES = (*BUCKETS, *EXIT_LABELS.values())
LEVELS = {
    "region": ("TX", "CA", "FL"),
    "sector": ("unknown",),
    "vehicle": ("car", "suv", "truck"),
    "tier": ("us_near_prime",),
    "vintage": ("2022", "2023", "2024"),
    "channel": ("unknown",),
    "product": ("purchase_loan",),
}
OPENING = 182_345_678.90
LOANS = 10_000
AMORTISED = 0.985
"""Principal left after a month's instalments."""
CONTRACT = 0.98
"""The same if nobody were late."""
START = np.array([0.95, 0.03, 0.012, 0.008])
STAGE_SHARE = np.array([0.93, 0.062, 0.008])
"""Opening principal by stage: some current loans are extended, or riskier than they were."""
STAGE_LOSS = np.array([0.75, 0.17, 0.08])
"""Of a path's loss."""
SALE_LAG, DEFICIENCY_LAG = 3, 8
CONTACTS = 900.0
"""Hours of contact that the pool of a sample with one has in a month."""

Flows = dict[str, np.ndarray]


def sample_results(n_paths: int = 400, n_months: int = 36, seed: int = 1, *, pool: bool = False) -> xr.Dataset:
    """Result of a pretended study of two scenarios; every variable of the vocabulary is filled, pools if asked."""
    random = np.random.default_rng(seed)
    shape = (len(STRESS), 1, 1, n_paths, n_months)
    factor = _autoregressive(random, n_paths, n_months, 0.95)
    values: Flows = {variable.name: np.zeros(shape) for variable in BOOK_VARIABLES}
    counts = np.zeros((len(STRESS), 1, 1, n_months, len(BUCKETS), len(STATES)))
    buckets = np.zeros((2, len(STRESS), 1, 1, n_months, len(BUCKETS)))
    for number, stress in enumerate(STRESS.values()):
        _walk(values, counts, buckets, number, stress, factor)
    values |= {"transition_count_mean": counts, "bucket_balance_mean": buckets[0], "bucket_balance_sd": buckets[1]}
    values |= _market(random, factor)
    _recover(values)
    values |= _after_horizon(values)
    values |= _economics(values) | _contractual(n_months) | _stages(values)
    if pool:
        values |= _pool(values)
    return _labelled(values, n_paths, n_months, seed)


def _autoregressive(random: np.random.Generator, n_paths: int, n_months: int, persistence: float) -> np.ndarray:
    noise = random.standard_normal((n_paths, n_months))
    series = noise.copy()
    for month in range(1, n_months):
        series[:, month] = persistence * series[:, month - 1] + np.sqrt(1 - persistence**2) * noise[:, month]
    return series


# --- the book --------------------------------------------------------------------------------------------


def _walk(
    flows: Flows, counts: np.ndarray, buckets: np.ndarray, number: int, stress: float, factor: np.ndarray
) -> None:
    """Fill one scenario: shares of buckets by path, and what moves between them."""
    n_paths, n_months = factor.shape
    share = np.tile(START, (n_paths, 1))
    loans = np.full(n_paths, float(LOANS))
    before = {"balance": OPENING * np.ones(n_paths), "accrued_interest": 0.01 * OPENING * START[1:].sum()}
    for month in range(n_months):
        rise = 1.0 + (stress - 1.0) * min(1.0, month / 9.0)
        moved = share[:, :, None] * _matrix(rise * np.exp(0.25 * factor[:, month] - 0.25**2 / 2))
        counts[number, 0, 0, month, :, :7] = LOANS * moved.mean(axis=0)
        share = moved[:, :, :4].sum(axis=1)
        at = (number, 0, 0, slice(None), month)
        scale = OPENING * AMORTISED ** (month + 1)
        stocks = _stocks(scale, share)
        loans = _loans(flows, at, loans, moved)
        for name, values in {**stocks, **_money(scale, moved, before, stocks)}.items():
            flows[name][at] = values
        before = {name: stocks[name] for name in before}
        buckets[0, number, 0, 0, month] = scale * share.mean(axis=0)
        buckets[1, number, 0, 0, month] = scale * share.std(axis=0)


def _matrix(worse: np.ndarray) -> np.ndarray:
    matrix = np.tile(ROLL, (len(worse), 1, 1))
    for bucket in range(3):
        matrix[:, bucket, bucket + 1] *= np.minimum(worse, 3.0)
    return matrix / matrix.sum(axis=2, keepdims=True)


def _stocks(scale: float, share: np.ndarray) -> Flows:
    shares = {
        "balance": share.sum(axis=1),
        "delinquent_balance": share[:, 1:].sum(axis=1),
        "seriously_delinquent_balance": share[:, 2:].sum(axis=1),
        "defaulted_balance": 1.1 * share[:, 3],
        "modified_balance": 0.02 * share[:, 0],
        "repossessed_balance": 0.3 * share[:, 3],
        "accrued_interest": 0.01 * share[:, 1:].sum(axis=1),
        "collateral_value": 0.8 * share.sum(axis=1),
    }
    return {name: scale * values for name, values in shares.items()}


def _loans(flows: Flows, at: tuple[object, ...], opened: np.ndarray, moved: np.ndarray) -> np.ndarray:
    """Whole loans, none lost by rounding; returns how many live on."""
    exits = {"charge_off_count": 4, "prepaid_count": 5, "total_loss_count": 6}
    for name, state in exits.items():
        flows[name][at] = np.rint(LOANS * moved[:, :, state].sum(axis=1))
    live = opened - sum(flows[name][at] for name in exits)
    delinquent = moved[:, :, 1:4].sum(axis=(1, 2))
    others = {
        "live_count": live,
        "delinquent_count": np.rint(LOANS * delinquent),
        "default_count": np.rint(LOANS * moved[:, 2, 3]),
        "modified_count": np.rint(0.1 * LOANS * moved[:, 1:, 0].sum(axis=1)),
        "repossessed_count": np.rint(0.5 * LOANS * moved[:, 2, 3]),
        "redeemed_count": np.rint(0.1 * LOANS * moved[:, 2, 3]),
        "sold_count": np.rint(0.6 * LOANS * moved[:, :, 4].sum(axis=1)),
    }
    for name, values in others.items():
        flows[name][at] = values
    return live


def _money(scale: float, moved: np.ndarray, before: Flows, stocks: Flows) -> Flows:
    """Flows of a month; what is paid is what conservation leaves (9)."""
    charged, prepaid, total_loss = (scale * moved[:, :, state].sum(axis=1) for state in (4, 5, 6))
    uninsured = 0.2 * total_loss
    capitalised = 0.001 * scale * moved[:, 1:, 0].sum(axis=1)
    charge_off_interest = 0.02 * charged
    accrued = 0.008 * before["balance"]
    loss = 0.58 / 1.02 * (charged + charge_off_interest + uninsured)
    paid = before["balance"] + capitalised - stocks["balance"] - prepaid - total_loss - charged
    return {
        "principal_paid": paid,
        "interest_paid": before["accrued_interest"]
        + accrued
        - stocks["accrued_interest"]
        - charge_off_interest
        - capitalised,
        "interest_accrued": accrued,
        "capitalised": capitalised,
        "prepaid": prepaid,
        "total_loss_paid": total_loss - uninsured,
        "fees": 0.002 * scale * moved[:, 1:, 0].sum(axis=1),
        "collected": 0.06 * scale * moved[:, 1:, 0].sum(axis=1),
        "charge_off": charged + charge_off_interest + uninsured,
        "charge_off_interest": charge_off_interest,
        "ultimate_loss": loss,
        "default_loss": 0.98 * loss,
        "default_balance": scale * moved[:, 2, 3],
    }


def _recover(flows: Flows) -> None:
    """Cash of charge-offs in its months, and the month's cash (9); what comes after the horizon is left out."""
    gross = flows["charge_off"]
    flows["sale_proceeds"] = _later(0.45 * gross, SALE_LAG)
    flows["workout_cost"] = _later(0.06 * gross, SALE_LAG)
    flows["deficiency_cash"] = _later(0.05 * gross, DEFICIENCY_LAG)
    flows["recovery"] = flows["sale_proceeds"] - flows["workout_cost"] + flows["deficiency_cash"]
    paid = ("principal_paid", "interest_paid", "prepaid", "total_loss_paid", "fees", "recovery")
    flows["cash"] = sum(flows[name] for name in paid)


def _later(values: np.ndarray, months: int) -> np.ndarray:
    moved = np.zeros_like(values)
    moved[..., months:] = values[..., : max(values.shape[-1] - months, 0)]
    return moved


# --- what follows from the book ----------------------------------------------------------------------------


def opening_of(values: Flows, name: str, first: float) -> np.ndarray:
    """A stock at each month's opening."""
    return np.concatenate([np.full_like(values[name][..., :1], first), values[name][..., :-1]], axis=-1)


def _economics(values: Flows) -> Flows:
    prime = values["macro"][:, :, MACRO_VARIABLES.index("prime_rate")][:, None, None, None]
    opened = opening_of(values, "live_count", LOANS)
    late = opening_of(values, "delinquent_count", LOANS * START[1:].sum())
    return {
        "funding_cost": opening_of(values, "balance", OPENING) * (prime - 0.02) / 12.0,
        "servicing_cost": 9.0 * opened + 35.0 * late,
    }


def _contractual(n_months: int) -> Flows:
    left = OPENING * CONTRACT ** np.arange(n_months)
    return {"contractual_principal": (1.0 - CONTRACT) * left, "contractual_interest": 0.008 * left}


def _stages(values: Flows) -> Flows:
    scenarios = len(STRESS)
    within_a_year = values["ultimate_loss"][..., : 12 + SALE_LAG].sum(axis=-1)
    life = values["ultimate_loss"].sum(axis=-1) + values["ultimate_loss_after_horizon"]
    return {
        "opening_balance_by_stage": np.tile(OPENING * STAGE_SHARE, (scenarios, 1)),
        "opening_count_by_stage": np.tile(LOANS * STAGE_SHARE, (scenarios, 1)),
        "shortfall_12m_by_stage": 0.9 * within_a_year[..., None] * STAGE_LOSS,
        "shortfall_by_stage": 0.9 * life[..., None] * STAGE_LOSS,
    }


def _pool(values: Flows) -> Flows:
    demand = 2.0 * opening_of(values, "delinquent_count", LOANS * START[1:].sum())
    served = np.minimum(demand, CONTACTS)
    waiting = 0.5 * (demand - served)
    pools = {"demand": demand, "served": served, "waiting": waiting, "waiting_months": np.minimum(waiting, 40.0) / 20.0}
    pools |= {"capacity": np.full_like(demand, CONTACTS), "cost": np.zeros_like(demand)}
    return {f"pool_{name}": found[..., None] for name, found in pools.items()}


def _market(random: np.random.Generator, factor: np.ndarray) -> Flows:
    n_paths, n_months = factor.shape
    months = np.arange(1, n_months + 1)
    fall = {"baseline": -0.001 * months, "severely_adverse": -0.20 * np.minimum(1.0, months / 12.0)}
    noise = np.cumsum(0.012 * random.standard_normal((n_paths, n_months)) - 0.002 * factor, axis=1)
    segment = 0.01 * np.arange(len(SEGMENTS))[None, None, :] * months[None, :, None] / n_months
    index = np.stack([np.exp(path[None, :, None] + noise[:, :, None] - segment) for path in fall.values()])
    unemployment = {
        "baseline": 0.041 + 0.0 * months,
        "severely_adverse": 0.041 + 0.059 * np.minimum(1.0, months / 21.0),
    }
    macro = np.zeros((len(STRESS), n_months, len(MACRO_VARIABLES)))
    for number, name in enumerate(STRESS):
        income = 0.025 - 0.04 * (number == 1) * (months < 15)
        prime = 0.0785 - 0.04 * number * np.minimum(1.0, months / 9.0)
        macro[number] = np.stack([unemployment[name], income, prime, np.ones(n_months)], axis=1)
    scenario_index = np.stack([np.exp(path[:, None] - segment[0]) for path in fall.values()])
    market = {"used_car_index": index[:, None, None], "used_car_path": scenario_index}
    return {**market, "global_factor": factor, "macro": macro}


def _after_horizon(values: Flows) -> Flows:
    """Of everything half as much again as in the last month; names from the vocabulary, so that none is forgotten."""
    suffix = "_after_horizon"
    names = [variable.name for variable in DATASET_VARIABLES if variable.name.endswith(suffix)]
    return {name: 1.5 * values[name.removesuffix(suffix)][..., -1] for name in names}


# --- labels --------------------------------------------------------------------------------------------


def _labelled(values: Flows, n_paths: int, n_months: int, seed: int) -> xr.Dataset:
    coordinates = _coordinates(n_paths, n_months)
    of_strategies = (*POOL_VARIABLES, *INCIDENT_VARIABLES, *RUNG_VARIABLES, *UNDERWRITING_VARIABLES)
    optional = {variable.name for variable in of_strategies}
    wanted = [variable for variable in DATASET_VARIABLES if variable.name not in optional or variable.name in values]
    if "pool_demand" in values:
        coordinates["pool"] = ["phone"]
    sizes = {name: len(labels) for name, labels in coordinates.items()}
    variables = {
        variable.name: (variable.dims, _filled(variable, values, sizes), _attributes(variable)) for variable in wanted
    }
    attributes = {
        "title": "near-prime sample",
        "currency": "USD",
        "as_of": "2024-12-31",
        "seed": str(seed),
        "rng_scheme": RNG_SCHEME,
        "opening_balance": OPENING,
        "opening_count": LOANS,
        "parameters": "us_near_prime",
        "notes": "",
        "balance_sheet": "runoff",
        "default_bucket": BUCKETS[-1],
    }
    dataset = xr.Dataset(variables, coords=coordinates, attrs=attributes)
    ends = pandas.date_range("2025-01-31", periods=n_months, freq="ME").values
    return dataset.assign_coords(
        month_end=("month", ends),
        bucket_first_day=("bucket", np.array([0, 30, 60, 90], dtype=np.int64)),
        log_weight=("path", np.zeros(n_paths)),
        batch=("path", np.arange(n_paths)),
        parameter_draw=("path", np.zeros(n_paths, dtype=np.int64)),
    )


def _coordinates(n_paths: int, n_months: int) -> dict[str, object]:
    return {
        "scenario": list(STRESS),
        "strategy": [REFERENCE_STRATEGY],
        "programme": [NO_PROGRAMME],
        "path": np.arange(n_paths),
        "month": np.arange(1, n_months + 1),
        "bucket": list(BUCKETS),
        "from_bucket": list(BUCKETS),
        "to_state": list(STATES),
        "segment": list(SEGMENTS),
        "macro_variable": list(MACRO_VARIABLES),
        "stage": list(STAGES),
        **{cut: list(LEVELS[cut]) for cut in CUTS},
    }


def _filled(variable: Variable, values: Flows, sizes: dict[str, int]) -> np.ndarray:
    """The simulated values, or an even split over a cut's levels for what was not simulated."""
    shape = tuple(sizes[dim] for dim in variable.dims)
    if variable.name in values:
        found = values[variable.name]
        return np.rint(found).astype(np.int32) if variable.name.endswith("_count") else found
    stem, _, cut = variable.name.partition("_by_")
    if stem == "opening_balance":
        return np.full(shape, OPENING / shape[-1])
    if stem == "loss":
        loss = values["ultimate_loss"].sum(axis=-1) + values["ultimate_loss_after_horizon"]
        return np.broadcast_to(loss[..., None] / shape[-1], shape).copy()
    if cut.endswith("_mean"):
        flow = {"recovery": 0.44 * values["charge_off"], "default": values["default_balance"]}
        mean = flow.get(stem, values["charge_off"]).mean(axis=3)
        return np.broadcast_to(mean[..., None] / shape[-1], shape).copy()
    return np.zeros(shape)


def _attributes(variable: Variable) -> dict[str, str]:
    unit = "USD" if variable.unit == "currency" else variable.unit
    return {"long_name": variable.long_name, "units": unit, "cell_methods": variable.cell_methods}
