"""The reference's draws, factors and used-car prices: loops over months, in plain Python (see `reference`)."""

from __future__ import annotations

import functools
import math
from statistics import NormalDist
from typing import TYPE_CHECKING, Any

import numpy as np

from scenarios.vocabulary import SEGMENTS
from simulator.entities import named_entity
from simulator.kernels.random import block_at

if TYPE_CHECKING:
    from reference import Life

Plain = dict[str, Any]
NORMAL = NormalDist()


# --- draws (D1) ------------------------------------------------------------------------------------------


def uniform(entity: int, path: int, slot: int, word: int, seed: int) -> float:
    """The number in (0, 1) at an address: the middle of one of 2^32 equal parts."""
    words = block_at(np.uint64(entity), path, slot, np.uint64(seed))
    return (int(words[word]) + 0.5) / 2.0**32


def monthly_uniform(entity: int, path: int, month: int, seed: int) -> float:
    return uniform(entity, path, month // 4, month % 4, seed)


def event_uniform(entity: int, path: int, month: int, purpose: int, seed: int) -> float:
    return uniform(entity, path, 2**16 + month * 16 + purpose // 4, purpose % 4, seed)


def draw(life: Life, month: int, purpose: int) -> float:
    """A loan's own event draw on its path."""
    return event_uniform(life.contract["entity"], life.path, month, purpose, life.world["seed"])


# --- factors and prices (3c), (5) to (5c) ------------------------------------------------------------------------


def draw_market(world: Plain, path: int) -> Plain:
    """Factors by name and month, and the used-car index by segment and month, on one path."""
    parameters, last = world["parameters"], last_month(world)
    normals = Normals(path, world["seed"])
    names = ["global"]
    for kind in ("region", "sector"):
        names += sorted({f"{kind}:{loan[kind]}" for loan in world["loans"]})
    factor = {name: autoregression(normals, f"factor:{name}", parameters["persistence"], last) for name in names}
    common = common_returns(normals, parameters, last)
    sudden = jumps(parameters, path, last, world["seed"])
    index = {}
    for segment in SEGMENTS:
        sd = parameters["index_residual_sd"][segment] / math.sqrt(1.0 - parameters["index_persistence"] ** 2)
        own = autoregression(normals, f"index:{segment}", parameters["index_persistence"], last)
        returns = [shared + sd * residual for shared, residual in zip(common, own, strict=True)]
        index[segment] = compensated_index(
            returns, sudden, parameters, segment, [row[segment] for row in world["macro"]["index"]]
        )
    return {"factor": factor, "index": index}


class Normals(dict[tuple[str, int], float]):
    """Standard normals by name and month, drawn when asked."""

    def __init__(self, path: int, seed: int) -> None:
        self.address = path, seed

    def __missing__(self, key: tuple[str, int]) -> float:
        path, seed = self.address
        self[key] = NORMAL.inv_cdf(monthly_uniform(named_entity(key[0]), path, key[1], seed))
        return self[key]


def autoregression(normals: Normals, name: str, persistence: float, last: int) -> list[float]:
    """AR(1) with variance 1 in every month, month 0 included."""
    values = [normals[name, 0]]
    for month in range(1, last + 1):
        values.append(persistence * values[-1] + math.sqrt(1.0 - persistence**2) * normals[name, month])
    return values


def common_returns(normals: Normals, parameters: Plain, last: int) -> list[float]:
    """Returns that all segments share, from innovations tied to the global factor's (5a)."""
    phi, tie = parameters["index_persistence"], parameters["index_factor_correlation"]
    credit = parameters["persistence"]
    sd = parameters["index_innovation_sd"] * math.sqrt(parameters["index_common_share"])
    # Month 0: correlation of two stationary series, each a sum of its past innovations, term by term.
    past = range(5_000)
    start = tie * sum((phi * credit) ** k for k in past)
    start /= math.sqrt(sum(phi ** (2 * k) for k in past) * sum(credit ** (2 * k) for k in past))

    def mixed(weight: float, month: int) -> float:
        own = math.sqrt(1.0 - weight**2) * normals["index:common", month]
        return weight * normals["factor:global", month] + own

    returns = [sd / math.sqrt(1.0 - phi**2) * mixed(start, 0)]
    for month in range(1, last + 1):
        returns.append(phi * returns[-1] + sd * mixed(tie, month))
    return returns


def jumps(parameters: Plain, path: int, last: int, seed: int) -> list[float]:
    """Sum of the market's jumps in months 0..last (5c); their number is the first at which Poisson's sum reaches u."""
    found = [0.0]
    for month in range(1, last + 1):
        u = monthly_uniform(named_entity("index:jumps"), path, month, seed)
        number, chance = 0, math.exp(-parameters["jump_intensity"])
        reached = chance
        while u > reached:
            number += 1
            chance *= parameters["jump_intensity"] / number
            reached += chance
        size = NORMAL.inv_cdf(monthly_uniform(named_entity("index:jump_size"), path, month, seed))
        found.append(number * parameters["jump_mean"] + math.sqrt(number) * parameters["jump_sd"] * size)
    return found


def compensated_index(
    returns: list[float], sudden: list[float], parameters: Plain, segment: str, path: list[float]
) -> list[float]:
    """Scenario path times exp(u), each month divided by its mean (5); u keeps 1 - kappa of itself a month (5b)."""
    kept = 1.0 - parameters["reversion"]
    innovation = parameters["index_innovation_sd"] ** 2 * parameters["index_common_share"]
    innovation += parameters["index_residual_sd"][segment] ** 2
    mean, sd = parameters["jump_mean"], parameters["jump_sd"]
    index, level, cumulant = [path[0]], 0.0, 0.0
    for month in range(1, len(returns)):
        level = kept * level + returns[month] + sudden[month]
        share = kept ** (month - 1)  # of a jump in the first month, now
        cumulant += parameters["jump_intensity"] * (math.exp(share * mean + share**2 * sd**2 / 2.0) - 1.0)
        variance = innovation * level_variance(month, parameters["index_persistence"], kept)
        index.append(path[month] * math.exp(level - 0.5 * variance - cumulant))
    return index


@functools.cache
def level_variance(months: int, phi: float, kept: float) -> float:
    """Variance of the level after so many months, pair of months by pair, for innovations of variance 1."""
    ages = range(months)
    return sum(kept ** (i + j) * phi ** abs(i - j) for i in ages for j in ages) / (1.0 - phi**2)


def last_month(world: Plain) -> int:
    """Last month whose prices matter: horizon, run-off, the longest search for a car and its sale."""
    lags = [tier["search_lag"] + tier["sale_lag"] for tier in world["parameters"]["tiers"]]
    return world["months"] + world["run_off"] + max(lags)
