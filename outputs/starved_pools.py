"""Pools of collectors that have next to no hours for what is asked of them, most often by a mistake."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import numpy as np
import xarray as xr

from outputs.measures import path_weight
from scenarios.vocabulary import RUN_DIMS

LEAST_GIVEN: Final = 0.10
"""Share of the hours asked over a whole run below which a pool is as good as absent."""


def starved_pools(dataset: xr.Dataset) -> tuple[str, ...]:
    """Say which pools serve hardly anybody: one sentence for each pool of a strategy, or none."""
    if not dataset.sizes.get("pool"):
        return ()
    weight = path_weight(dataset)
    asked, given = (dataset[name].sum("month").weighted(weight).mean("path") for name in ("pool_demand", "pool_served"))
    share = (given / asked.where(asked > 0.0)).stack(run=RUN_DIMS)
    return tuple(
        f"Pool {pool} of strategy {strategy} gives {cases} of the hours that are asked of it: its rungs reach hardly "
        "anybody, and compare as if they were not there. `hours_per_100_in_arrears` goes by the loans past due at the "
        "as-of date: where these are few, write `hours_per_month` or `hours_per_1000_loans`."
        for pool, strategy, cases in _cases(share)
    )


def _cases(share: xr.DataArray) -> Iterator[tuple[str, str, str]]:
    """Pool, strategy, and in words what it gives under which scenario."""
    for pool in share["pool"].to_numpy():
        low: dict[str, list[str]] = {}
        for value, run in zip(share.sel(pool=pool).to_numpy(), share["run"].to_numpy(), strict=True):
            scenario, strategy, _ = run
            if np.isfinite(value) and value < LEAST_GIVEN:
                low.setdefault(str(strategy), []).append(f"{100.0 * value:.1f} % under {scenario}")
        for strategy, cases in low.items():
            yield str(pool), strategy, ", ".join(cases)
