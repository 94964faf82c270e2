"""What is wrong with a collection strategy on a book and its parameters."""

from __future__ import annotations

from collections.abc import Iterator

from scenarios.counted import counted
from scenarios.errors import Fault, InputError
from scenarios.rungs import DebtSale, Litigation, Outsourcing, Plan, Surrender, Visit, WriteOff
from scenarios.strategy import CollectionStrategy
from simulator.care import observed_care_faults
from simulator.kernels.ladder import MOST_POOLS, MOST_RUNGS
from simulator.ladder_facts import contacts_of, idle_rungs, loans_past_due, pool_hours
from simulator.ladder_mean import by_days_alone
from simulator.parameters import Parameters
from simulator.servicing import Servicing
from simulator.tape import LoanTape

ADDITIVE = (Plan, Surrender, Litigation, Outsourcing, DebtSale, WriteOff)
"""Rungs that do more than multiply intensities: what they do under the observed strategy is in the set's figures."""


def check_ladder(servicing: Servicing, tape: LoanTape, parameters: Parameters) -> None:
    """Refuse a strategy that does not go with the book or its parameters, as `build_ladder` says."""
    if servicing.strategy is None:
        return
    faults = list(_faults(servicing.strategy, tape, parameters))
    seen: set[str] = set()
    for observed in servicing.observed:
        if observed is not None and observed.name not in seen:
            seen.add(observed.name)
            faults += [*_observed_faults(observed), *observed_care_faults(observed)]
    if faults:
        raise InputError(faults)


def _faults(strategy: CollectionStrategy, tape: LoanTape, parameters: Parameters) -> Iterator[Fault]:
    edges = parameters.bucket_edges
    if strategy.currency is not None and strategy.currency != tape.currency:
        found = f"strategy {strategy.name} is in {strategy.currency} but the tape is in {tape.currency}"
        yield Fault(
            strategy.where("currency"), found, f"a strategy in {tape.currency}", "Costs are amounts: convert them."
        )
    for what, held, most in (("ladder", strategy.labels, MOST_RUNGS), ("pools", strategy.pools, MOST_POOLS)):
        if len(held) > most:
            yield Fault(strategy.where(what), f"{len(held)} {'rungs' if what == 'ladder' else what}", f"at most {most}")
    if strategy.ladder and len(idle_rungs(strategy, edges)) == len(strategy.ladder):
        days = ", ".join(str(day) for day in edges[1:])
        found = f"no rung of strategy {strategy.name} is for days in which a bucket begins"
        yield Fault(strategy.where("ladder"), found, f"days that hold one of {days}, as the parameter set has them")
    for section, place, rung in strategy.rungs():
        for name, known in (("regions", tape.codes("region")[0]), ("tiers", parameters.names)):
            for wanted in getattr(rung.who, name) or ():
                if wanted not in known:
                    found = f"rung {rung.label} is for {name[:-1]} {wanted}, which no loan belongs to"
                    shown = ", ".join(sorted({str(item) for item in known})[:20])
                    yield Fault(strategy.where(section, place, "who", name), found, f"one of {shown}")


def check_hours(strategy: CollectionStrategy, tape: LoanTape) -> None:
    """Refuse pools that have not the hours that one loan takes: a unit mistake, or a book too small for its figures."""
    faults = []
    for name in strategy.pools:
        rungs = [rung for _, _, rung in strategy.rungs() if rung.pool == name]
        taken = {rung.label: contacts_of(rung) * (rung.hours_per_contact or 0.0) for rung in rungs}
        hours, most = pool_hours(strategy, name, tape), max(taken, key=lambda label: taken[label], default=None)
        if most is None or hours >= taken[most]:
            continue
        found = (
            f"pool {name} has {hours:.3g} hours a month for {_basis(strategy, name, tape)}, less than one of them takes"
        )
        expected = f"at least {taken[most]:.3g} hours, as rung {most} takes"
        faults.append(Fault(strategy.where("pools", name), found, expected, _more_hours(strategy, name)))
    if faults:
        raise InputError(faults)


def _basis(strategy: CollectionStrategy, name: str, tape: LoanTape) -> str:
    """The loans by whose number a pool has its hours."""
    if strategy.pools[name].hours_per_100_in_arrears is None:
        return f"a book of {len(tape):,} loans"
    return f"{counted(loans_past_due(tape), 'loan')} past due at the as-of date"


def _more_hours(strategy: CollectionStrategy, name: str) -> str:
    if strategy.pools[name].hours_per_100_in_arrears is None:
        return "Write more hours, or try the strategy on a larger book."
    return "Write hours_per_month or hours_per_1000_loans: arrears of a young book are still to come."


def _observed_faults(observed: CollectionStrategy) -> Iterator[Fault]:
    """What a strategy that parameter sets were observed under may not have (P5)."""
    for place, rung in enumerate(observed.ladder):
        where = observed.where("ladder", place)
        if isinstance(rung, ADDITIVE):
            found = f"strategy {observed.name}, under which parameters were observed, has rung {rung.label}"
            yield Fault(where, found, "effects that multiply intensities", "What it brings is in the set's figures.")
        elif isinstance(rung, Visit) and rung.finds_car != 1.0:
            found = (
                f"strategy {observed.name}, under which parameters were observed, has finds_car = {rung.finds_car:g}"
            )
            remedy = "What its visits find is in the set's share of cars found."
            yield Fault(observed.where("ladder", place, "finds_car"), found, "1", remedy)
        elif not by_days_alone(rung):
            found = (
                f"strategy {observed.name}, under which parameters were observed, has conditions in rung {rung.label}"
            )
            yield Fault(where, found, "days past due as the only condition")
