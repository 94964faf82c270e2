"""A result Dataset of the right shape and of plausible size, without the engine: a pool as shares of buckets.

One-factor roll rates of the near-prime kind drive expected flows path by path. It serves the tests of what
becomes of a result; what a result ought to be is tested elsewhere.
"""

from __future__ import annotations

import numpy as np
import pandas
import xarray as xr

from scenarios.vocabulary import (
    CUTS,
    DATASET_VARIABLES,
    MACRO_VARIABLES,
    NO_PROGRAMME,
    REFERENCE_STRATEGY,
    RNG_SCHEME,
    RUN_DIMS,
    SEGMENTS,
    Variable,
)

STRESS = {"baseline": 1.0, "severely_adverse": 1.9}
ROLL = np.array(
    [
        [0.956, 0.028, 0.0, 0.0, 0.0, 0.016],
        [0.375, 0.453, 0.160, 0.0, 0.0, 0.012],
        [0.120, 0.140, 0.378, 0.339, 0.015, 0.008],
        [0.060, 0.020, 0.060, 0.318, 0.534, 0.008],
    ]
)
BUCKETS = ("current", "30-59", "60-89", "90-119")
STATES = (*BUCKETS, "charged_off", "prepaid", "matured")
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


def sample_results(n_paths: int = 400, n_months: int = 36, seed: int = 1) -> xr.Dataset:
    """Result of a pretended study of two scenarios; every variable of the vocabulary is filled."""
    random = np.random.default_rng(seed)
    shape = (len(STRESS), 1, 1, n_paths, n_months)
    factor = _autoregressive(random, n_paths, n_months, 0.95)
    flows = {name: np.zeros(shape) for name in _book_names()}
    counts = np.zeros((len(STRESS), 1, 1, n_months, len(BUCKETS), len(STATES)))
    buckets = np.zeros((2, len(STRESS), 1, 1, n_months, len(BUCKETS)))
    for number, stress in enumerate(STRESS.values()):
        _walk(flows, counts, buckets, number, stress, factor)
    filled = {**{name: (Ellipsis, values) for name, values in flows.items()}}
    values = {name: pair[1] for name, pair in filled.items()}
    values |= {"transition_count_mean": counts, "bucket_balance_mean": buckets[0], "bucket_balance_sd": buckets[1]}
    values |= _market(random, factor)
    values |= _after_horizon(values)
    return _labelled(values, n_paths, n_months, seed)


def _book_names() -> list[str]:
    return [variable.name for variable in DATASET_VARIABLES if variable.dims == (*RUN_DIMS, "path", "month")]


def _autoregressive(random: np.random.Generator, n_paths: int, n_months: int, persistence: float) -> np.ndarray:
    noise = random.standard_normal((n_paths, n_months))
    series = noise.copy()
    for month in range(1, n_months):
        series[:, month] = persistence * series[:, month - 1] + np.sqrt(1 - persistence**2) * noise[:, month]
    return series


def _walk(
    flows: dict[str, np.ndarray],
    counts: np.ndarray,
    buckets: np.ndarray,
    number: int,
    stress: float,
    factor: np.ndarray,
) -> None:
    n_paths, n_months = factor.shape
    share = np.tile(np.array([0.95, 0.03, 0.012, 0.008]), (n_paths, 1))
    amortised = 1.0
    for month in range(n_months):
        rise = 1.0 + (stress - 1.0) * min(1.0, month / 9.0)
        worse = rise * np.exp(0.25 * factor[:, month] - 0.25**2 / 2)
        matrix = _matrix(worse)
        moved = share[:, :, None] * matrix
        counts[number, 0, 0, month, :, :6] = LOANS * moved.mean(axis=0)
        charged, prepaid = moved[:, :, 4].sum(axis=1), moved[:, :, 5].sum(axis=1)
        share = moved[:, :, :4].sum(axis=1)
        amortised *= 0.985
        scale = OPENING * amortised
        at = (number, 0, 0, slice(None), month)
        _book(flows, at, scale, share, charged, prepaid, moved[:, 2, 3])
        buckets[0, number, 0, 0, month] = scale * share.mean(axis=0)
        buckets[1, number, 0, 0, month] = scale * share.std(axis=0)


def _matrix(worse: np.ndarray) -> np.ndarray:
    matrix = np.tile(ROLL, (len(worse), 1, 1))
    for bucket in range(3):
        matrix[:, bucket, bucket + 1] *= np.minimum(worse, 3.0)
    return matrix / matrix.sum(axis=2, keepdims=True)


def _book(
    flows: dict[str, np.ndarray],
    at: tuple[object, ...],
    scale: float,
    share: np.ndarray,
    charged: np.ndarray,
    prepaid: np.ndarray,
    defaulted: np.ndarray,
) -> None:
    money = {
        "balance": share.sum(axis=1),
        "delinquent_balance": share[:, 1:].sum(axis=1),
        "seriously_delinquent_balance": share[:, 2:].sum(axis=1),
        "accrued_interest": 0.01 * share[:, 1:].sum(axis=1),
        "collateral_value": 0.8 * share.sum(axis=1),
        "principal_paid": 0.02 * share[:, 0],
        "interest_paid": 0.007 * share[:, 0],
        "interest_accrued": 0.008 * share.sum(axis=1),
        "prepaid": prepaid,
        "charge_off": 1.02 * charged,
        "charge_off_interest": 0.02 * charged,
        "recovery": 0.45 * charged,
        "ultimate_loss": 0.58 * charged,
        "default_balance": defaulted,
    }
    for name, values in money.items():
        flows[name][at] = scale * values
    loans = {
        "live_count": share.sum(axis=1),
        "default_count": defaulted,
        "charge_off_count": charged,
        "prepaid_count": prepaid,
    }
    for name, values in loans.items():
        flows[name][at] = LOANS * values


def _market(random: np.random.Generator, factor: np.ndarray) -> dict[str, np.ndarray]:
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


def _after_horizon(values: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    names = ("principal_paid", "interest_paid", "charge_off", "recovery", "ultimate_loss")
    return {f"{name}_after_horizon": 1.5 * values[name][..., -1] for name in names}


def _labelled(values: dict[str, np.ndarray], n_paths: int, n_months: int, seed: int) -> xr.Dataset:
    coordinates = _coordinates(n_paths, n_months)
    sizes = {name: len(labels) for name, labels in coordinates.items()}
    variables = {
        variable.name: (variable.dims, _filled(variable, values, sizes), _attributes(variable))
        for variable in DATASET_VARIABLES
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
    }
    dataset = xr.Dataset(variables, coords=coordinates, attrs=attributes)
    ends = pandas.date_range("2025-01-31", periods=n_months, freq="ME").values
    return dataset.assign_coords(
        month_end=("month", ends),
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
        **{cut: list(LEVELS[cut]) for cut in CUTS},
    }


def _filled(variable: Variable, values: dict[str, np.ndarray], sizes: dict[str, int]) -> np.ndarray:
    """The simulated values, or an even split over a cut's levels for what was not simulated."""
    if variable.name in values:
        found = values[variable.name]
        return np.rint(found).astype(np.int32) if variable.name.endswith("_count") else found
    shape = tuple(sizes[dim] for dim in variable.dims)
    stem, _, cut = variable.name.partition("_by_")
    if stem == "opening_balance":
        return np.full(shape, OPENING / shape[-1])
    if stem == "loss":
        loss = values["ultimate_loss"].sum(axis=-1) + values["ultimate_loss_after_horizon"]
        return np.broadcast_to(loss[..., None] / shape[-1], shape).copy()
    if cut.endswith("_mean"):
        return np.broadcast_to(values[stem].mean(axis=3)[..., None] / shape[-1], shape).copy()
    return np.zeros(shape)


def _attributes(variable: Variable) -> dict[str, str]:
    unit = "USD" if variable.unit == "currency" else variable.unit
    return {"long_name": variable.long_name, "units": unit, "cell_methods": variable.cell_methods}
