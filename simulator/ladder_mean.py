"""What a strategy does on average: the mean over who is reached (methodology (P5), (P13)).

An intensity that is multiplied by 2 or by 1/2, each for half of the borrowers, moves fewer than one that is not
multiplied: the mean is therefore taken of monthly probabilities (2), and brought back to one multiplier.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from scenarios.macro import PERCENT
from scenarios.rungs import AnyRung, Extension, Repossession, Visit
from scenarios.rungs import Effect as RungEffect
from scenarios.strategy import CollectionStrategy
from scenarios.treatment import ByType
from scenarios.vocabulary import TYPES
from simulator.kernels.ladder import EFFECTS, EXTENSION, SEIZURE

Floats = NDArray[np.float64]

RACING = 3
"""Of EFFECTS, the first ones: classes whose causes compete within the month."""
MOST_STEPS = 500
CLOSE = 1e-14
"""Relative step of N at which it is found."""


@dataclass(frozen=True, slots=True)
class Rates:
    """Intensities in arrears at reference macro.

    Attributes
    ----------
    arrears : float64[tier, type, K+1, K+3]
        As in `Hazards`.
    total_loss : float64[tier]
    modified_share : float64[tier, K+1]
    """

    arrears: Floats
    total_loss: Floats
    modified_share: Floats


def buckets_of(rung: AnyRung, edges: Sequence[int]) -> list[int]:
    """Buckets of arrears that a rung is for: those that begin within its days."""
    return [k for k, day in enumerate(edges) if k > 0 and rung.who.from_days <= day <= rung.who.to_days]


def by_days_alone(rung: AnyRung) -> bool:
    """Whether a rung tells loans apart by nothing but days past due."""
    fields = type(rung.who).model_fields
    others = set(fields) - {"from_days", "to_days"}
    return not rung.once and all(getattr(rung.who, name) == fields[name].default for name in others)


def rung_effects(rung: AnyRung) -> Floats:
    """Multipliers of who was reached: float64[meant or backfired, class, type]."""
    backfire = rung.backfire if isinstance(rung, Visit) else rung.effect
    return np.stack([_multipliers(rung.effect, rung), _multipliers(backfire, rung)])


def _multipliers(effect: RungEffect, rung: AnyRung) -> Floats:
    seized = rung.seized if isinstance(rung, Repossession) else 1.0
    granted = rung.granted if isinstance(rung, Extension) else 1.0
    return np.array([_by_type(value) for value in (effect.cure, effect.roll, effect.charge_off, seized, granted)])


def _by_type(factor: ByType | float) -> list[float]:
    return [getattr(factor, kind) for kind in TYPES] if isinstance(factor, ByType) else [factor] * len(TYPES)


# --- who is reached by what ----------------------------------------------------------------------------


class Cases(NamedTuple):
    """The ways in which the rungs for a bucket may reach a borrower."""

    weight: Floats
    """[case] probability."""
    effect: Floats
    """[case, class that races, type] product of multipliers."""


def _cases(rungs: Sequence[AnyRung]) -> Cases:
    """All of them, equal ones as one."""
    outcomes = [_outcomes(rung) for rung in rungs]
    found: dict[bytes, tuple[float, Floats]] = {}
    for chosen in product(*outcomes):
        weight, effect = 1.0, np.ones((RACING, len(TYPES)))
        for share, multiplier in chosen:
            weight, effect = weight * share, effect * multiplier
        before = found.get(effect.tobytes(), (0.0, effect))[0]
        found[effect.tobytes()] = (before + weight, effect)
    weights, effects = zip(*found.values(), strict=True)
    return Cases(np.array(weights), np.array(effects))


def _outcomes(rung: AnyRung) -> list[tuple[float, Floats]]:
    """Shares of borrowers and what acts on them: nobody reached them, it is as meant, it backfires."""
    reach = PERCENT * rung.reach_percent
    backfire = reach * PERCENT * rung.backfire_percent if isinstance(rung, Visit) else 0.0
    meant, backfired = rung_effects(rung)[:, :RACING]
    every = [(1.0 - reach, np.ones_like(meant)), (reach - backfire, meant), (backfire, backfired)]
    return [(share, effect) for share, effect in every if share > 0.0]


def _some(rungs: Sequence[AnyRung], place: int, absent: float) -> Floats:
    """Mean over who is reached of the product of effects on seizure or extension, 0 of who is reached by none."""
    if not rungs:
        return np.full(len(TYPES), absent)
    every, nobody = np.ones(len(TYPES)), 1.0
    for rung in rungs:
        reach = PERCENT * rung.reach_percent
        every *= 1.0 - reach + reach * rung_effects(rung)[0][place]
        nobody *= 1.0 - reach
    return every - nobody


def _for_bucket(rungs: Sequence[AnyRung], bucket: int, edges: Sequence[int]) -> list[AnyRung]:
    return [rung for rung in rungs if bucket in buckets_of(rung, edges)]


def _without_racing(rungs: Sequence[AnyRung], absent: float) -> Floats:
    """Mean effects on seizure and extension: float64[2, type]."""
    seizing = [rung for rung in rungs if isinstance(rung, Repossession)]
    granting = [rung for rung in rungs if isinstance(rung, Extension)]
    return np.stack([_some(seizing, SEIZURE, absent), _some(granting, EXTENSION, absent)])


# --- one month of one loan -----------------------------------------------------------------------------


class Month(NamedTuple):
    """Intensities of a loan of one tier, bucket and type."""

    current: float
    """Return to current."""
    partly: float
    """Return to fewer instalments past due."""
    roll: float
    charge_off: float
    other: float
    """Payoff and total loss."""
    share: float
    """Share of extensions among returns to current."""


def _month(rates: Rates, tier: int, bucket: int, kind: int) -> Month:
    row = rates.arrears[tier, kind, bucket]
    size = rates.arrears.shape[2]
    return Month(
        current=float(row[0]),
        partly=float(row[1:bucket].sum()),
        roll=float(row[bucket + 1 : size].sum()),
        charge_off=float(row[size]),
        other=float(row[size + 1] + rates.total_loss[tier]),
        share=float(rates.modified_share[tier, bucket]),
    )


def _probabilities(month: Month, effect: Floats, extension: float) -> Floats:
    """Of cure, roll, charge-off and all else (2): float64[..., 4] for ``effect`` float64[..., 3]."""
    cure, roll, charge_off = np.moveaxis(effect, -1, 0)
    returns = 1.0 + ((1.0 - month.share) * (cure - 1.0) + month.share * (extension - 1.0))
    rate = np.stack(
        [
            month.current * returns + month.partly * cure,
            month.roll * roll,
            month.charge_off * charge_off,
            np.full_like(cure, month.other),
        ],
        axis=-1,
    )
    total = rate.sum(axis=-1, keepdims=True)
    return np.where(total > 0.0, rate / np.where(total > 0.0, total, 1.0) * -np.expm1(-total), 0.0)


def _neutral(month: Month, cases: Cases, kind: int) -> Floats:
    """N of (P5), float64[3]: effects over it leave the mean probabilities where they are without any."""
    effect = cases.effect[:, :, kind]
    found = cases.weight @ effect
    if len(effect) == 1:
        return found
    wished = _probabilities(month, np.ones(RACING), 1.0)[:RACING]
    for _ in range(MOST_STEPS):
        mean = (cases.weight @ _probabilities(month, effect / found, 1.0))[:RACING]
        step = np.where(wished > 0.0, mean / np.where(wished > 0.0, wished, 1.0), 1.0)
        found = found * step
        if np.abs(step - 1.0).max() < CLOSE:
            break
    return np.asarray(found)


def _one_multiplier(month: Month, cases: Cases, kind: int, scale: Floats, extension: float) -> Floats:
    """The multipliers, float64[3], that alone give the mean probabilities of the cases' effects times `scale`."""
    effect = cases.effect[:, :, kind] * scale
    mean = cases.weight @ effect
    if len(effect) == 1:
        return np.asarray(mean)
    found = cases.weight @ _probabilities(month, effect, extension)
    total = found.sum()
    if not 0.0 < total < 1.0:
        return np.asarray(mean)
    cure, roll, charge_off, _ = found / total * -np.log1p(-total)
    by_cure = month.current * (1.0 - month.share) + month.partly
    if by_cure > 0.0:
        mean[0] = (cure - month.current * month.share * extension) / by_cure
    if month.roll > 0.0:
        mean[1] = roll / month.roll
    if month.charge_off > 0.0:
        mean[2] = charge_off / month.charge_off
    return np.asarray(mean)


# --- tables --------------------------------------------------------------------------------------------


def observed_means(observed: Sequence[CollectionStrategy | None], rates: Rates, edges: Sequence[int]) -> Floats:
    """N of (P5): float64[tier, bucket, class, type]; `observed` is one a tier, or empty."""
    tiers = len(rates.arrears)
    found = np.ones((tiers, len(edges), len(EFFECTS), len(TYPES)))
    for tier, strategy in enumerate(observed or (None,) * tiers):
        if strategy is None:
            continue
        for bucket in range(1, len(edges)):
            rungs = _for_bucket(strategy.ladder, bucket, edges)
            cases = _cases(rungs)
            for kind in range(len(TYPES)):
                found[tier, bucket, :RACING, kind] = _neutral(_month(rates, tier, bucket, kind), cases, kind)
            found[tier, bucket, RACING:] = _without_racing(rungs, absent=1.0)
    return np.where(found > 0.0, found, 1.0)


def same_ladder(one: CollectionStrategy | None, other: CollectionStrategy) -> bool:
    """Whether two strategies do the same to loans in arrears that they reach, whatever they are called."""
    return one is not None and [rung.model_dump() for rung in one.ladder] == [
        rung.model_dump() for rung in other.ladder
    ]


def mean_effects(
    strategy: CollectionStrategy,
    observed: Sequence[CollectionStrategy | None],
    rates: Rates,
    scale: Floats,
    edges: Sequence[int],
    groups: Sequence[Sequence[int]],
) -> Floats:
    """E of (P13): float64[group, tier, bucket, class, type]; `scale` is 1 / N, `groups` hold places of rungs.

    The rungs of a loan's group act on it, with capacity for all.
    """
    found, known = np.ones((len(groups), *scale.shape)), dict[tuple[int, int, tuple[int, ...]], Floats]()
    for group, tier in product(range(len(groups)), range(len(scale))):
        if observed and same_ladder(observed[tier], strategy):
            continue
        for bucket in range(1, len(edges)):
            acting = tuple(place for place in groups[group] if bucket in buckets_of(strategy.ladder[place], edges))
            what = tier, bucket, acting
            if what not in known:
                known[what] = _mean([strategy.ladder[place] for place in acting], rates, scale, tier, bucket)
            found[group, tier, bucket] = known[what]
    return found


def _mean(rungs: Sequence[AnyRung], rates: Rates, scale: Floats, tier: int, bucket: int) -> Floats:
    """E of one tier and bucket where these rungs act: float64[class, type]."""
    factor, cases = scale[tier, bucket], _cases(rungs)
    found = np.ones_like(factor)
    found[RACING:] = _without_racing(rungs, absent=0.0) * factor[RACING:]
    for kind in range(len(TYPES)):
        month, extension = _month(rates, tier, bucket, kind), found[EXTENSION, kind]
        found[:RACING, kind] = _one_multiplier(month, cases, kind, factor[:RACING, kind], extension)
    return np.asarray(found)
