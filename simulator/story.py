"""One loan on one path of a study, month by month, with the uniform draws that decided it.

The path is simulated again, with the whole book, since loans of a path may share a pool or a market; everything else
about the loan follows from its trace. A draw is a pure function of its address (methodology (D1)), so it is not stored
but looked up again.
"""

from __future__ import annotations

import difflib
import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
import xarray as xr

from scenarios.care import AnyCare
from scenarios.errors import Fault, InputError
from scenarios.explain import nearest
from scenarios.macro import PERCENT
from scenarios.rungs import AnyRung
from scenarios.vocabulary import (
    ACTION_PURPOSE,
    CHARGED_OFF,
    EXIT_LABELS,
    HARDSHIP,
    MATURED,
    MAX_BUCKET,
    PREPAID,
    PURPOSE_BUCKET,
    PURPOSE_CHARGE_OFF,
    PURPOSE_CONDITION,
    PURPOSE_HISTORY,
    PURPOSE_INSURED,
    PURPOSE_MODIFY,
    PURPOSE_PREPAY,
    PURPOSE_SEIZE,
    PURPOSE_SOLD,
    PURPOSE_SPELL,
    PURPOSE_TOTAL_LOSS,
    PURPOSE_TYPE,
    REFERENCE_STRATEGY,
    SEGMENTS,
    TOTAL_LOSS,
    TYPES,
)
from simulator.engine import RunSize
from simulator.entities import loan_entities
from simulator.kernels.random import WORDS, block_at, event_uniform, unit
from simulator.labels import month_ends
from simulator.parameters import Parameters, assign_tiers
from simulator.study import StudyInputs, simulate_scenario
from simulator.tail_proposal import Proposal
from simulator.uncertainty import draw_sets
from simulator.underwriting import declining, lent_tape

FLAGS: Final = {1: "extended", 2: "car seized", 4: "reached", 8: "in default"}
"""Words of the bits of `trace_flags`."""

REACHED: Final = 4
SEIZED: Final = 2
NEAR_LOANS: Final = 3
"""Loan ids that an unknown one is answered with."""


@dataclass(frozen=True, slots=True)
class Draw:
    """A uniform draw, in (0, 1).

    Attributes
    ----------
    name : str
        What it is about, as "to current" or "month".
    value : float
    happened : bool
        Whether what it is about took place; of the draw for a type, history or condition: always.
    """

    name: str
    value: float
    happened: bool = False


@dataclass(frozen=True, slots=True)
class StoryMonth:
    """A loan at the close of a month; month 0 is the as-of date.

    Attributes
    ----------
    month : int
    date : str
        Last day of the month, ISO 8601.
    state : str
        Label of its bucket, or of its exit.
    kind : str
        The borrower's type while in arrears, else empty.
    flags : tuple of str
        Words of `FLAGS`.
    principal, car_value, cash, loss : float
        Currency: principal; wholesale value of the car without its own condition; cash of the month from the borrower
        or the car's insurance; discounted loss so far.
    draws : tuple of Draw
        Those of the month.
    """

    month: int
    date: str
    state: str
    kind: str
    flags: tuple[str, ...]
    principal: float
    car_value: float
    cash: float
    loss: float
    draws: tuple[Draw, ...]


@dataclass(frozen=True, slots=True)
class Story:
    """One loan on one path of one scenario.

    Attributes
    ----------
    loan, scenario, strategy, tier, currency : str
    path, seed : int
    entity : int
        Address of the loan's draws: BLAKE2b-64 of its id.
    months : tuple of StoryMonth
        From the as-of date to its exit, or to the horizon.
    path_loss : float
        Ultimate loss of the whole book on the path, run-off included, currency.
    leading_factor, weight : float or None
        Where a method for the tail drew the path's factors: their component along its direction, and what the path
        weighs beside one of average weight.
    """

    loan: str
    scenario: str
    strategy: str
    tier: str
    currency: str
    path: int
    seed: int
    entity: int
    months: tuple[StoryMonth, ...]
    path_loss: float
    leading_factor: float | None = None
    weight: float | None = None

    @property
    def run(self) -> str:
        """The run that it belongs to, in words."""
        return self.scenario if self.strategy == REFERENCE_STRATEGY else f"{self.scenario} / {self.strategy}"


def tell_story(
    inputs: StudyInputs,
    loan: str,
    path: int,
    scenario: str | None = None,
    strategy: str | None = None,
    size: RunSize | None = None,
    proposal: Proposal | None = None,
) -> Story:
    """Simulate one path of a study again and tell one loan's part in it.

    Parameters
    ----------
    inputs : StudyInputs
        Of the run, as `inputs_from_store` gives them.
    loan : str
        Its id on the tape.
    path : int
        0 to the study's number of paths less 1.
    scenario : str, optional
        Name of one of the study's; the first if left out.
    strategy : str, optional
        The same.
    size : RunSize, optional
        Changes no result.
    proposal : Proposal, optional
        What the factors of the run were drawn from (`tail_study.stored_proposal`); the path has the same then. Without
        it a study that has a method for the tail runs its pilot again.

    Raises
    ------
    InputError
        No such loan, path, scenario or strategy.
    """
    place = check_wish(inputs, loan, path, scenario, strategy)
    macro = inputs.macro_paths()[place]
    alone = range(path, path + 1)
    results = simulate_scenario(
        inputs, macro, paths=alone, strategy=strategy, trace=(loan,), size=size, proposal=proposal
    )
    return _Teller(inputs, loan, path, results).story()


def check_wish(inputs: StudyInputs, loan: str, path: int, scenario: str | None, strategy: str | None = None) -> int:
    """Place of the scenario that is asked for; refuses what the study does not have, all of it at once."""
    names = [item.name for item in inputs.scenarios]
    chosen = names[0] if scenario is None else scenario
    faults = [*_loan_faults(inputs, loan, strategy), *_path_faults(inputs, path)]
    if chosen not in names:
        expected = f"one of {', '.join(names)}"
        faults.append(Fault("trace", f"unknown scenario `{chosen}`", expected, nearest(chosen, names)))
    strategies = [servicing.name for servicing in inputs.servicings()]
    if strategy is not None and strategy not in strategies:
        expected = f"one of {', '.join(strategies)}"
        faults.append(Fault("trace", f"unknown strategy `{strategy}`", expected, nearest(strategy, strategies)))
    if faults:
        raise InputError(faults)
    return names.index(chosen)


def _loan_faults(inputs: StudyInputs, loan: str, strategy: str | None) -> list[Fault]:
    known = strategy is None or strategy in [servicing.name for servicing in inputs.servicings()]
    chosen = inputs.servicing(strategy if known else None).strategy
    ids = [str(name) for name in lent_tape(inputs.tape, chosen, inputs.study.seed)["loan_id"]]
    if loan in ids:
        return []
    criterion = declining(inputs.tape, chosen, loan)
    if criterion is not None and chosen is not None:
        found = f"loan `{loan}` was declined by strategy {chosen.name}: it does not meet {criterion}"
        remedy = "Trace it under a strategy that lends it, by --strategy."
        return [Fault("trace", found, "a loan that the strategy lends", remedy)]
    near = difflib.get_close_matches(loan, ids, n=NEAR_LOANS, cutoff=0.6)
    remedy = f"The nearest: {', '.join(near)}." if near else f"Its first is {min(ids)}."
    return [Fault("trace", f"no loan `{loan}` among those that were used", "an id of the run's tape", remedy)]


def _path_faults(inputs: StudyInputs, path: int) -> list[Fault]:
    last = inputs.study.paths - 1
    return [] if 0 <= path <= last else [Fault("trace", f"path = {path}", f"0 to {last}")]


def _parameters(inputs: StudyInputs, results: xr.Dataset) -> Parameters:
    """The parameters that the path had: those stated, or its batch's draw."""
    spec = inputs.study.uncertainty
    if spec is None:
        return inputs.parameters()
    return draw_sets(inputs.sets, spec, int(results["parameter_draw"][0]), inputs.study.seed).parameters


class _Teller:
    """What is known of the loan while its story is told."""

    def __init__(self, inputs: StudyInputs, loan: str, path: int, results: xr.Dataset) -> None:
        self.inputs, self.loan, self.path, self.results = inputs, loan, path, results
        self.parameters = _parameters(inputs, results)
        self.strategy = inputs.servicing(str(results["strategy"].values[0])).strategy
        self.tape = tape = inputs.tape_of(str(results["strategy"].values[0]))
        self.place = int(np.flatnonzero(tape["loan_id"] == loan)[0])
        self.tier = int(assign_tiers(self.parameters, tape["score"], tape["rate"])[self.place])
        self.entity = loan_entities([loan])[0]
        self.seed = np.uint64(inputs.study.seed)
        first = results.isel(scenario=0, strategy=0, programme=0, path=0)
        names = [str(name) for name in first.data_vars if str(name).startswith("trace_")]
        self.trace = {name: first[name].isel(traced_loan=0).to_numpy() for name in names}
        self.state, self.flags, self.kind = (
            [round(value) for value in self.trace[name].tolist()]
            for name in ("trace_state", "trace_flags", "trace_type")
        )

    def story(self) -> Story:
        """The loan's months up to its exit."""
        results, study = self.results, self.inputs.study
        last = next((month for month, state in enumerate(self.state) if state > MAX_BUCKET), len(self.state) - 1)
        loss = results["ultimate_loss"].sum("month", skipna=False) + results["ultimate_loss_after_horizon"]
        ends = month_ends(self.inputs.tape, study.months).astype("datetime64[D]").astype(str)
        dates = [self.inputs.tape.as_of.isoformat(), *ends]
        return Story(
            loan=self.loan,
            scenario=str(results["scenario"].values[0]),
            strategy=str(results["strategy"].values[0]),
            tier=self.parameters.names[self.tier],
            currency=self.inputs.tape.currency,
            path=self.path,
            seed=study.seed,
            entity=int(self.entity),
            months=tuple(self.month(month, dates[month]) for month in range(last + 1)),
            path_loss=float(loss.squeeze()),
            **self.drawing(),
        )

    def drawing(self) -> dict[str, float]:
        """Where the path's factors were drawn from, and its weight; nothing where it was drawn plainly."""
        if "leading_factor" not in self.results.coords:
            return {}
        weight = float(np.exp(self.results["log_weight"].to_numpy()[0]))
        return {"leading_factor": float(self.results["leading_factor"].to_numpy()[0]), "weight": weight}

    def month(self, month: int, date: str) -> StoryMonth:
        """One month, with its draws."""
        kind = self.kind[month]
        return StoryMonth(
            month=month,
            date=date,
            state=self.label(self.state[month]),
            kind=TYPES[kind] if kind >= 0 else "",
            flags=tuple(word for bit, word in FLAGS.items() if self.flags[month] & bit and self.tells(bit)),
            principal=float(self.trace["trace_balance"][month]),
            car_value=float(self.trace["trace_value"][month]),
            cash=float(self.trace["trace_cash"][month]),
            loss=float(self.trace["trace_loss"][month]),
            draws=tuple(self.opening_draws() if month == 0 else self.month_draws(month)),
        )

    def tells(self, bit: int) -> bool:
        """Whether a flag tells anything: without a strategy every loan in arrears is worked alike."""
        return bit != REACHED or self.strategy is not None

    def label(self, state: int) -> str:
        """A state in words."""
        return self.parameters.bucket_labels[state] if state <= MAX_BUCKET else EXIT_LABELS[state]

    # --- draws ---------------------------------------------------------------------------------------------

    def event(self, month: int, purpose: int) -> float:
        """Uniform of an event draw of the loan."""
        return float(event_uniform(self.entity, self.path, month, purpose, self.seed))

    def dense(self, month: int) -> float:
        """Uniform of the loan's dense draw of a month."""
        return float(unit(block_at(self.entity, self.path, month // WORDS, self.seed)[month % WORDS]))

    def opening_draws(self) -> Iterator[Draw]:
        """What was drawn of the loan before the first month."""
        borrower, late = self.parameters.borrower, self.state[0] > 0
        if not late and borrower.open_history[self.tier, 0] < 1.0:
            yield Draw("history", self.event(0, PURPOSE_HISTORY), happened=True)
        if late and borrower.open_type[self.tier, self.state[0]].max() < 1.0:
            yield Draw("type", self.event(0, PURPOSE_TYPE), happened=True)
        yield Draw("car's condition", self.event(0, PURPOSE_CONDITION), happened=True)

    def month_draws(self, month: int) -> Iterator[Draw]:
        """Draws that the loan's month depends on, in the order of the month."""
        before, after = self.state[month - 1], self.state[month]
        if before == 0:
            yield Draw("month", self.dense(month), happened=after in (1, CHARGED_OFF, PREPAID, TOTAL_LOSS))
            if after in (1, CHARGED_OFF):
                yield Draw("type", self.event(month, PURPOSE_TYPE), happened=True)
        else:
            yield from self.arrears_draws(month, before, after)
        yield from self.closing_draws(month, after)

    def arrears_draws(self, month: int, before: int, after: int) -> Iterator[Draw]:
        """One draw a cause that can act on a loan in arrears, the end of hardship first."""
        borrower, tier = self.parameters.borrower, self.tier
        if self.kind[month - 1] == HARDSHIP and borrower.spell_end[tier] > 0.0:
            u = self.event(month, PURPOSE_SPELL)
            yield Draw("hardship ends", u, happened=bool(u < -math.expm1(-borrower.spell_end[tier])))
        labels, intensity = self.parameters.bucket_labels, self.parameters.intensity[tier, before]
        lost = self.parameters.workout.total_loss[tier]
        causes = [(f"to {label}", PURPOSE_BUCKET + k, k, intensity[k]) for k, label in enumerate(labels) if k != before]
        causes += [
            ("charge-off", PURPOSE_CHARGE_OFF, CHARGED_OFF, intensity[len(labels)]),
            ("payoff", PURPOSE_PREPAY, PREPAID, intensity[len(labels) + 1] - lost),
            ("total loss", PURPOSE_TOTAL_LOSS, TOTAL_LOSS, lost),
        ]
        for name, purpose, state, rate in causes:
            if rate > 0.0:
                came = after == state or (state == 0 and after == MATURED)
                yield Draw(name, self.event(month, purpose), happened=came)
        share = borrower.modified_share[tier, before]
        if after == 0 and share > 0.0:
            u = self.event(month, PURPOSE_MODIFY)
            yield Draw("extension", u, happened=bool(u < share and self.trace["trace_cash"][month] == 0.0))

    def closing_draws(self, month: int, after: int) -> Iterator[Draw]:
        """What happens to the car and who is called, once the month's state is known."""
        workout, tier, was_seized = self.parameters.workout, self.tier, bool(self.flags[month - 1] & SEIZED)
        if after == TOTAL_LOSS:
            u = self.event(month, PURPOSE_INSURED)
            yield Draw("insurance pays", u, happened=bool(u < workout.insured_share[tier]))
        elif after == CHARGED_OFF and not was_seized and workout.found_share[tier] > 0.0:
            yield Draw("car found", self.event(month, PURPOSE_SOLD), happened=self.car_found(month))
        elif 1 <= after <= MAX_BUCKET and not was_seized and workout.seizure[tier, after] > 0.0:
            yield Draw("seizure", self.event(month, PURPOSE_SEIZE), happened=bool(self.flags[month] & SEIZED))
        for rung in self.carried_out(month):
            u, reach = self.event(month, ACTION_PURPOSE[rung.action]), PERCENT * rung.reach_percent
            if reach < 1.0:
                yield Draw(f"{rung.label} reaches", u, happened=u < reach)

    def carried_out(self, month: int) -> Iterator[AnyRung | AnyCare]:
        """The rungs that were carried out for the loan at the close of a month."""
        if self.strategy is not None:
            done = int(self.trace["trace_rungs"][month])
            yield from (rung for place, (_, _, rung) in enumerate(self.strategy.rungs()) if done >> place & 1)

    def car_found(self, month: int) -> bool:
        """Whether the car of a loan charged off in a month is found: tracker and segment help, and the draw decides."""
        workout, tape = self.parameters.workout, self.tape
        find = workout.segment_find[SEGMENTS.index(str(tape["vehicle"][self.place]))]
        if tape["tracker"][self.place]:
            find *= workout.tracker_multiplier[self.tier]
        return self.event(month, PURPOSE_SOLD) < float(workout.found_share[self.tier] * find)
