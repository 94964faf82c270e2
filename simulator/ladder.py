"""A collection strategy becomes the kernels' tables (methodology (P1) to (P13))."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
from numpy.typing import NDArray
from scipy.special import gammaincinv

from scenarios.errors import Fault, InputError
from scenarios.macro import PERCENT
from scenarios.rungs import (
    AnyRung,
    DebtSale,
    Extension,
    Litigation,
    Outsourcing,
    Plan,
    Repossession,
    Surrender,
    Visit,
    WriteOff,
)
from scenarios.rungs import Effect as RungEffect
from scenarios.strategy import CollectionStrategy
from scenarios.treatment import ByType
from scenarios.vocabulary import ACTIONS, INCIDENTS, PURPOSE_TEAM, TYPES
from simulator.entities import named_entity
from simulator.kernels.bundles import EFFECTS, MOST_POOLS, MOST_RUNGS, POOL, RUNG, Ladder, Loans, Records, records
from simulator.kernels.items import AT_ONCE
from simulator.kernels.random import event_uniform
from simulator.parameters import Parameters
from simulator.servicing import Servicing
from simulator.tape import LoanTape

Floats = NDArray[np.float64]

WEEKS_A_MONTH = 52.0 / 12.0
LOANS_BASE = 1000.0
"""Opening loans to which `hours_per_1000_loans` refers, and contacts to which rates of incidents do."""
TEAM = "collections team"
"""Named entity that incidents belong to."""
ADDITIVE = (Plan, Surrender, Litigation, Outsourcing, DebtSale, WriteOff)
"""Rungs that do more than multiply intensities: what they do under the observed strategy is in the set's figures."""
REVEALED = ("unknown", *TYPES)


def build_ladder(servicing: Servicing, tape: LoanTape, loans: Loans, parameters: Parameters) -> Ladder:
    """The ladder of a run; `team` is empty and filled for each block of paths.

    Raises
    ------
    InputError
        A rung for days in which no bucket of the parameters begins, amounts in another currency than the tape's, too
        many rungs or pools, hours that are less than one loan takes, or an observed strategy that is more than
        multipliers by days.
    """
    power = float(parameters.workout.fire_sale_elasticity * servicing.market_share)
    usual = float(parameters.workout.baseline_sales[loans.fact.tier].mean())
    strategy, edges = servicing.strategy, parameters.bucket_edges
    if strategy is None:
        return _no_ladder(power, usual)
    check_ladder(servicing, tape, parameters)
    observed_mean = _observed_means(servicing.observed, len(parameters.names), edges)
    own_mean = mean_effects(strategy, edges)
    rung = _rungs(strategy, edges)
    pool = _pools(strategy, len(tape), float(tape["current_balance"].mean()))
    return Ladder(
        on=1,
        fits=_fits(strategy, tape, loans, parameters),
        rung=rung,
        pool=pool,
        effect=np.array([_effects(item) for item in strategy.ladder]).reshape(-1, 2, len(EFFECTS), len(TYPES)),
        accepted=np.array([_accepted(item) for item in strategy.ladder]).reshape(-1, len(TYPES)),
        scale=np.ascontiguousarray(1.0 / observed_mean),
        mean=np.ascontiguousarray(own_mean / observed_mean),
        incident_rate=_incident_rates(strategy),
        incident_cost=np.array([getattr(strategy.incidents.cost, kind) for kind in INCIDENTS], np.float64),
        suspension=int(strategy.incidents.suspension_months),
        team=np.empty(0),
        team_entity=np.uint64(named_entity(TEAM)),
        searches=int(any(isinstance(item, Repossession) for item in strategy.ladder)),
        measures=int(_measures(rung, pool)),
        fire_power=power,
        baseline_sales=usual,
    )


def check_ladder(servicing: Servicing, tape: LoanTape, parameters: Parameters) -> None:
    """Refuse a strategy that does not go with the book or its parameters, as `build_ladder` says."""
    if servicing.strategy is None:
        return
    faults = list(_faults(servicing.strategy, tape, parameters))
    seen: set[str] = set()
    for observed in servicing.observed:
        if observed is not None and observed.name not in seen:
            seen.add(observed.name)
            faults += _observed_faults(observed)
    if faults:
        raise InputError(faults)


def _no_ladder(power: float, usual: float) -> Ladder:
    """Nobody acts: empty tables."""
    table = np.empty((0, 0, len(EFFECTS), len(TYPES)))
    return Ladder(
        on=0,
        fits=np.empty(0, np.uint32),
        rung=np.empty(0, RUNG).view(np.recarray),
        pool=np.empty(0, POOL).view(np.recarray),
        effect=table,
        accepted=np.empty((0, len(TYPES))),
        scale=table,
        mean=table,
        incident_rate=np.empty((0, 0)),
        incident_cost=np.empty(0),
        suspension=0,
        team=np.empty(0),
        team_entity=np.uint64(0),
        searches=1,
        measures=0,
        fire_power=power,
        baseline_sales=usual,
    )


def team_factors(servicing: Servicing, paths: range, seed: int) -> Floats:
    """``float64[path]`` the teams' factor on rates of incidents, Gamma with mean 1 (P11)."""
    strategy = servicing.strategy
    if strategy is None:
        return np.empty(0)
    variance = strategy.incidents.variance
    if variance == 0.0:
        return np.ones(len(paths))
    entity, key = np.uint64(named_entity(TEAM)), np.uint64(seed)
    u = np.array([event_uniform(entity, path, 0, PURPOSE_TEAM, key) for path in paths])
    return np.asarray(gammaincinv(1.0 / variance, u) * variance)


def couples(ladder: Ladder) -> bool:
    """Whether anything makes the loans of a path depend on each other: then the whole book meets each month."""
    return ladder.on > 0 or ladder.fire_power != 0.0


# --- tables --------------------------------------------------------------------------------------------


def buckets_of(rung: AnyRung, edges: Iterable[int]) -> list[int]:
    """Buckets of arrears that a rung is for: those that begin within its days."""
    return [k for k, day in enumerate(edges) if k > 0 and rung.who.from_days <= day <= rung.who.to_days]


def contacts_of(rung: AnyRung) -> float:
    """Contacts of a loan in a month."""
    if rung.contacts_per_week is not None:
        return rung.contacts_per_week * WEEKS_A_MONTH
    return 1.0 if rung.contacts_per_month is None else rung.contacts_per_month


def _mask(places: Iterable[int]) -> int:
    return sum(1 << place for place in set(places))


def _or(value: float | None, otherwise: float) -> float:
    return otherwise if value is None else float(value)


def _rungs(strategy: CollectionStrategy, edges: tuple[int, ...]) -> Records:
    labels, pools = strategy.labels, tuple(strategy.pools)
    rows = [_rung(item, labels, pools, edges) for item in strategy.ladder]
    names = RUNG.names or ()
    columns = {name: np.array([row[name] for row in rows], RUNG.fields[name][0]) for name in names}  # type: ignore[index]
    return records(RUNG, **columns)


def _rung(rung: AnyRung, labels: tuple[str, ...], pools: tuple[str, ...], edges: tuple[int, ...]) -> dict[str, float]:
    who, contacts = rung.who, contacts_of(rung)
    suit = rung if isinstance(rung, Litigation) else None
    return {
        "contacts": contacts,
        "hours": contacts * (rung.hours_per_contact or 0.0),
        "cost": contacts * rung.cost_per_contact,
        "reach": PERCENT * rung.reach_percent,
        "backfire": PERCENT * rung.backfire_percent if isinstance(rung, Visit) else 0.0,
        "priority": rung.priority,
        "from_balance": _or(who.from_balance, -np.inf),
        "to_balance": _or(who.to_balance, np.inf),
        "from_ltv": PERCENT * _or(who.from_ltv_percent, -np.inf),
        "to_ltv": PERCENT * _or(who.to_ltv_percent, np.inf),
        "find": rung.finds_car if isinstance(rung, Visit) else 1.0,
        "claim_cost": PERCENT * suit.cost_percent if suit else 0.0,
        "commission": PERCENT * rung.commission_percent if isinstance(rung, Outsourcing) else 0.0,
        "won": PERCENT * suit.won_percent if suit else 0.0,
        "enforced": PERCENT * suit.enforced_percent if suit else 0.0,
        "price": PERCENT * rung.price_percent if isinstance(rung, DebtSale) else 0.0,
        "buckets": _mask(buckets_of(rung, edges)),
        "revealed": _mask(REVEALED.index(name) for name in who.revealed or REVEALED),
        "after": _mask(labels.index(name) for name in who.after),
        "unless": _mask(labels.index(name) for name in who.unless),
        "broken": who.broken_promises,
        "judgment_months": suit.judgment_months if suit else 0,
        "action": ACTIONS.index(rung.action),
        "pool": -1 if rung.pool is None else pools.index(rung.pool),
        "once": rung.once,
        "reveals": isinstance(rung, Visit) and rung.reveals,
        "seizes": isinstance(rung, Repossession),
        "extends": isinstance(rung, Extension),
        "files": suit is not None,
        "agency": isinstance(rung, Outsourcing),
        "sells": isinstance(rung, DebtSale),
        "writes_off": isinstance(rung, WriteOff),
        "surrenders": isinstance(rung, Surrender),
    }


def pool_hours(strategy: CollectionStrategy, name: str, loans: int) -> float:
    """Hours a month that a pool has at the start; infinite where it is unlimited."""
    pool = strategy.pools[name]
    if pool.unlimited:
        return np.inf
    per_loans = (pool.hours_per_1000_loans or 0.0) * loans / LOANS_BASE
    return per_loans if pool.hours_per_month is None else pool.hours_per_month


def _pools(strategy: CollectionStrategy, loans: int, mean_principal: float) -> Records:
    pools = strategy.pools.values()
    hours = np.array([pool_hours(strategy, name, loans) for name in strategy.pools])
    step = [0.0 if pool.hiring is None else PERCENT * pool.hiring.step_percent for pool in pools]
    most = [1.0 if pool.hiring is None else PERCENT * pool.hiring.most_percent for pool in pools]
    finite = np.where(np.isfinite(hours), hours, 0.0)
    return records(
        POOL,
        hours=hours,
        step=finite * np.array(step),
        most=np.where(np.isfinite(hours), finite * np.array(most), np.inf),
        bucket=np.array([pool.priority.bucket for pool in pools]),
        waiting=np.array([pool.priority.waiting for pool in pools]),
        balance=np.array([pool.priority.balance for pool in pools]) / mean_principal,
        cost=np.array([pool.cost_per_hour for pool in pools]),
        hiring=np.array([0.0 if pool.hiring is None else pool.hiring.cost_per_hour for pool in pools]),
        unlimited=np.array([pool.unlimited for pool in pools]),
        field=np.array([pool.field for pool in pools]),
    )


def _measures(rung: Records, pool: Records) -> bool:
    """Whether amounts of a loan matter to who is served."""
    bounded = np.isfinite(rung.from_balance) | np.isfinite(rung.to_balance)
    bounded |= np.isfinite(rung.from_ltv) | np.isfinite(rung.to_ltv)
    return bool(bounded.any() or (pool.balance != 0.0).any())


def _by_type(factor: ByType | float) -> list[float]:
    return [getattr(factor, kind) for kind in TYPES] if isinstance(factor, ByType) else [factor] * len(TYPES)


def _multipliers(effect: RungEffect, rung: AnyRung) -> Floats:
    """float64[class, type]."""
    seized = rung.seized if isinstance(rung, Repossession) else 1.0
    granted = rung.granted if isinstance(rung, Extension) else 1.0
    return np.array([_by_type(value) for value in (effect.cure, effect.roll, effect.charge_off, seized, granted)])


def _effects(rung: AnyRung) -> Floats:
    """float64[meant or backfired, class, type]."""
    backfire = rung.backfire if isinstance(rung, Visit) else rung.effect
    return np.stack([_multipliers(rung.effect, rung), _multipliers(backfire, rung)])


def _accepted(rung: AnyRung) -> list[float]:
    """By type: the intensity of accepting a plan, the probability of a surrender."""
    if not isinstance(rung, Plan | Surrender):
        return [0.0] * len(TYPES)
    shares = [PERCENT * getattr(rung.accepted_percent, kind) for kind in TYPES]
    if isinstance(rung, Surrender):
        return shares
    return [float(-np.log1p(-share)) if share < 1.0 else AT_ONCE for share in shares]


def _incident_rates(strategy: CollectionStrategy) -> Floats:
    """float64[rung, kind] incidents a contact."""
    rates = [[getattr(rung.incidents, kind) for kind in INCIDENTS] for rung in strategy.ladder]
    return np.array(rates, np.float64).reshape(-1, len(INCIDENTS)) * (strategy.incidents.standard / LOANS_BASE)


def _fits(strategy: CollectionStrategy, tape: LoanTape, loans: Loans, parameters: Parameters) -> NDArray[np.uint32]:
    """uint32[loan] rungs whose fixed conditions a loan meets."""
    fits = np.zeros(len(tape), np.uint32)
    tier = np.array(parameters.names)[loans.fact.tier]
    for place, rung in enumerate(strategy.ladder):
        who, meets = rung.who, np.ones(len(tape), bool)
        for name in ("tracker", "starter_interrupt"):
            wanted = getattr(who, name)
            if wanted is not None:
                meets &= tape[name].astype(bool) == wanted
        if who.regions is not None:
            names, code = tape.codes("region")
            meets &= np.isin(names, who.regions)[code]
        if who.tiers is not None:
            meets &= np.isin(tier, who.tiers)
        fits |= meets.astype(np.uint32) << np.uint32(place)
    return fits


# --- effects on average --------------------------------------------------------------------------------


def by_days_alone(rung: AnyRung) -> bool:
    """Whether a rung tells loans apart by nothing but days past due."""
    others = set(type(rung.who).model_fields) - {"from_days", "to_days"}
    fields = type(rung.who).model_fields
    return not rung.once and all(getattr(rung.who, name) == fields[name].default for name in others)


def mean_effects(strategy: CollectionStrategy | None, edges: tuple[int, ...], *, absent: float = 0.0) -> Floats:
    """Mean effects of the rungs that tell loans apart by days alone (P5): float64[bucket, class, type].

    There is capacity for all. `absent` stands for seizure and extension where no rung seizes or grants extensions.
    """
    found = np.ones((len(edges), len(EFFECTS), len(TYPES)))
    if strategy is None:
        return found
    rungs = [rung for rung in strategy.ladder if by_days_alone(rung)]
    for bucket in range(1, len(edges)):
        here = [rung for rung in rungs if bucket in buckets_of(rung, edges)]
        for rung in here:
            found[bucket, :3] *= 1.0 + PERCENT * rung.reach_percent * (_on_average(rung)[:3] - 1.0)
        for place, kind in ((3, Repossession), (4, Extension)):
            found[bucket, place] = _mean_of_some([rung for rung in here if isinstance(rung, kind)], place, absent)
    return found


def _on_average(rung: AnyRung) -> Floats:
    """Effects of who was reached, backfires mixed in: float64[class, type]."""
    share = PERCENT * rung.backfire_percent if isinstance(rung, Visit) else 0.0
    meant, backfired = _effects(rung)
    return np.asarray((1.0 - share) * meant + share * backfired)


def _mean_of_some(rungs: list[AnyRung], place: int, absent: float) -> Floats:
    """Mean over who is reached of the product of effects, 0 of who is reached by none."""
    if not rungs:
        return np.full(len(TYPES), absent)
    product, nobody = np.ones(len(TYPES)), 1.0
    for rung in rungs:
        reach = PERCENT * rung.reach_percent
        product *= 1.0 - reach + reach * _effects(rung)[0][place]
        nobody *= 1.0 - reach
    return product - nobody


def _observed_means(observed: tuple[CollectionStrategy | None, ...], tiers: int, edges: tuple[int, ...]) -> Floats:
    """N of (P5): float64[tier, bucket, class, type]."""
    each = observed or (None,) * tiers
    means = np.stack([mean_effects(item, edges, absent=1.0) for item in each])
    return np.where(means > 0.0, means, 1.0)


# --- faults --------------------------------------------------------------------------------------------


def _faults(strategy: CollectionStrategy, tape: LoanTape, parameters: Parameters) -> Iterator[Fault]:
    edges = parameters.bucket_edges
    if strategy.currency is not None and strategy.currency != tape.currency:
        found = f"strategy {strategy.name} is in {strategy.currency} but the tape is in {tape.currency}"
        yield Fault(
            strategy.where("currency"), found, f"a strategy in {tape.currency}", "Costs are amounts: convert them."
        )
    for what, held, most in (("ladder", strategy.ladder, MOST_RUNGS), ("pools", strategy.pools, MOST_POOLS)):
        if len(held) > most:
            yield Fault(strategy.where(what), f"{len(held)} {what}", f"at most {most}")
    for place, rung in enumerate(strategy.ladder):
        where = strategy.where("ladder", place)
        if not buckets_of(rung, edges):
            days = ", ".join(str(day) for day in edges[1:])
            found = (
                f"rung {rung.label} is for days {rung.who.from_days} to {rung.who.to_days}, in which no bucket begins"
            )
            yield Fault(where, found, f"days that hold one of {days}, where the parameter set's buckets begin")
        for name, known in (("regions", tape.codes("region")[0]), ("tiers", parameters.names)):
            for wanted in getattr(rung.who, name) or ():
                if wanted not in known:
                    found = f"rung {rung.label} is for {name[:-1]} {wanted}, which no loan belongs to"
                    shown = ", ".join(sorted({str(item) for item in known})[:20])
                    yield Fault(strategy.where("ladder", place, "who", name), found, f"one of {shown}")
        if rung.pool is not None:
            hours, needed = (
                pool_hours(strategy, rung.pool, len(tape)),
                contacts_of(rung) * (rung.hours_per_contact or 0.0),
            )
            if hours < needed:
                loans = f"{len(tape):,} loans; one loan of rung {rung.label} takes {needed:g}"
                found = f"pool {rung.pool} has {hours:g} hours a month for {loans}"
                yield Fault(
                    strategy.where("pools", rung.pool), found, f"at least {needed:g} hours a month", "Write more hours."
                )


def _observed_faults(observed: CollectionStrategy) -> Iterator[Fault]:
    """What a strategy that parameter sets were observed under may not have (P5)."""
    for place, rung in enumerate(observed.ladder):
        where = observed.where("ladder", place)
        if isinstance(rung, ADDITIVE):
            found = f"strategy {observed.name}, under which parameters were observed, has rung {rung.label}"
            yield Fault(where, found, "effects that multiply intensities", "What it brings is in the set's figures.")
        elif not by_days_alone(rung):
            found = (
                f"strategy {observed.name}, under which parameters were observed, has conditions in rung {rung.label}"
            )
            yield Fault(where, found, "days past due as the only condition")
