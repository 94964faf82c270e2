"""A collection strategy becomes the kernels' tables (methodology (P1) to (P13))."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.special import gammaincinv

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
from scenarios.strategy import CollectionStrategy
from scenarios.vocabulary import ACTION_PURPOSE, INCIDENTS, TEAM_PURPOSE_FACTOR, TYPES
from simulator.care import averted_shares, care_row, care_tables, no_care
from simulator.entities import named_entity
from simulator.kernels.bundles import Hazards, Loans, Records, records
from simulator.kernels.items import AT_ONCE
from simulator.kernels.ladder import EFFECTS, POOL, RUNG, Ladder
from simulator.kernels.random import event_uniform
from simulator.ladder_facts import LOANS_BASE, contacts_of, meets, pool_hours
from simulator.ladder_faults import check_ladder
from simulator.ladder_groups import group_loans
from simulator.ladder_mean import Rates, buckets_of, mean_effects, observed_means, rung_effects
from simulator.parameters import Parameters
from simulator.servicing import Servicing
from simulator.tape import LoanTape

Floats = NDArray[np.float64]

TEAM = "collections team"
"""Named entity that incidents belong to."""
REVEALED = ("unknown", *TYPES)
FOR_NOBODY = dict.fromkeys(RUNG.names or (), 0.0) | {"find": 1.0, "reach": 1.0}
"""Fields of a rung that is for no loan in arrears."""


def build_ladder(
    servicing: Servicing, tape: LoanTape, loans: Loans, parameters: Parameters, hazards: Hazards
) -> Ladder:
    """The ladder of a run; `team` is empty and filled for each block of paths.

    Raises
    ------
    InputError
        No rung for days in which a bucket of the parameters begins, amounts in another currency than the tape's, too
        many rungs or pools, hours that are less than one loan takes, or an observed strategy that is more than
        multipliers by days.
    """
    power = float(parameters.workout.fire_sale_elasticity * servicing.market_share)
    usual = float(parameters.workout.baseline_sales[loans.fact.tier].mean())
    strategy, edges = servicing.strategy, parameters.bucket_edges
    if strategy is None:
        return _no_ladder(power, usual, hazards.loading.size)
    check_ladder(servicing, tape, parameters)
    rates = Rates(hazards.arrears, hazards.trait.total_loss, hazards.modified_share)
    scale = np.ascontiguousarray(1.0 / observed_means(servicing.observed, rates, edges))
    rung, pool, care = _rungs(strategy, edges), _pools(strategy, tape), strategy.while_current
    fits = _fits(strategy, tape, loans, parameters)
    groups = group_loans(strategy.ladder, fits, rung, loans, parameters)
    return Ladder(
        on=1,
        fits=fits,
        rung=rung,
        of_bucket=_masks(len(edges), [buckets_of(item, edges) for item in strategy.ladder]),
        of_known=_masks(
            len(REVEALED),
            [[REVEALED.index(name) for name in item.who.revealed or REVEALED] for item in strategy.ladder],
        ),
        first_care=len(strategy.ladder),
        **care_tables(strategy, servicing.observed, tape, loans, parameters, hazards),
        pool=pool,
        effect=_effects(strategy),
        accepted=np.array([*map(_accepted, strategy.ladder), *map(averted_shares, care)]).reshape(-1, len(TYPES)),
        scale=scale,
        mean=np.ascontiguousarray(mean_effects(strategy, servicing.observed, rates, scale, edges, groups.rungs)),
        group=groups.of_loan,
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


def _no_ladder(power: float, usual: float, cells: int) -> Ladder:
    """Nobody acts: empty tables."""
    table = np.empty((0, 0, len(EFFECTS), len(TYPES)))
    return Ladder(
        on=0,
        fits=np.empty(0, np.uint32),
        rung=np.empty(0, RUNG).view(np.recarray),
        of_bucket=np.empty(0, np.uint32),
        of_known=np.empty(0, np.uint32),
        first_care=0,
        **no_care(cells),
        pool=np.empty(0, POOL).view(np.recarray),
        effect=table,
        accepted=np.empty((0, len(TYPES))),
        scale=table,
        mean=table[None],
        group=np.empty(0, np.int32),
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
    u = np.array([event_uniform(entity, path, 0, TEAM_PURPOSE_FACTOR, key) for path in paths])
    return np.asarray(gammaincinv(1.0 / variance, u) * variance)


def couples(ladder: Ladder) -> bool:
    """Whether anything makes the loans of a path depend on each other: then the whole book meets each month."""
    return ladder.on > 0 or ladder.fire_power != 0.0


# --- tables --------------------------------------------------------------------------------------------


def _mask(places: Iterable[int]) -> int:
    return sum(1 << place for place in set(places))


def _masks(size: int, places: Sequence[Iterable[int]]) -> NDArray[np.uint32]:
    """``uint32[size]`` rungs that hold each place, a bit each; `places` by rung."""
    return np.array(
        [_mask(rung for rung, held in enumerate(places) if item in held) for item in range(size)], np.uint32
    )


def _or(value: float | None, otherwise: float) -> float:
    return otherwise if value is None else float(value)


def _rungs(strategy: CollectionStrategy, edges: tuple[int, ...]) -> Records:
    labels, pools = strategy.labels, tuple(strategy.pools)
    rows = [_rung(item, labels, pools, edges) for item in strategy.ladder]
    rows += [FOR_NOBODY | care_row(item, pools) for item in strategy.while_current]
    names = RUNG.names or ()
    columns = {name: np.array([row[name] for row in rows], RUNG.fields[name][0]) for name in names}  # type: ignore[index]
    return records(RUNG, **columns)


def _effects(strategy: CollectionStrategy) -> Floats:
    """``float64[rung, meant or backfired, class, type]``; those for loans without arrears multiply nothing."""
    neutral = np.ones((len(strategy.while_current), 2, len(EFFECTS), len(TYPES)))
    each = np.array([rung_effects(item) for item in strategy.ladder]).reshape(-1, *neutral.shape[1:])
    return np.concatenate([each, neutral])


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
        "after": _mask(labels.index(name) for name in who.after),
        "unless": _mask(labels.index(name) for name in who.unless),
        "broken": who.broken_promises,
        "judgment_months": suit.judgment_months if suit else 0,
        "purpose": ACTION_PURPOSE[rung.action],
        "pool": -1 if rung.pool is None else pools.index(rung.pool),
        "watched": -1,
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


def _pools(strategy: CollectionStrategy, tape: LoanTape) -> Records:
    pools, mean_principal = strategy.pools.values(), float(tape["current_balance"].mean())
    hours = np.array([pool_hours(strategy, name, tape) for name in strategy.pools])
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
    rates += [[0.0] * len(INCIDENTS)] * len(strategy.while_current)
    return np.array(rates, np.float64).reshape(-1, len(INCIDENTS)) * (strategy.incidents.standard / LOANS_BASE)


def _fits(strategy: CollectionStrategy, tape: LoanTape, loans: Loans, parameters: Parameters) -> NDArray[np.uint32]:
    """uint32[loan] rungs whose fixed conditions a loan meets."""
    fits = np.zeros(len(tape), np.uint32)
    tier = np.array(parameters.names)[loans.fact.tier]
    for place, rung in enumerate(rung for _, _, rung in strategy.rungs()):
        met = meets(rung, tape)
        if rung.who.tiers is not None:
            met &= np.isin(tier, rung.who.tiers)
        fits |= met.astype(np.uint32) << np.uint32(place)
    return fits
