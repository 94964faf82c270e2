"""The pilot of a tail method: paths of the study's own book that find where its factors have to go.

Its paths are numbered from 2^31 on, beyond any path of a study, so they share no draw with the run, and what is found
is independent of it. Half of them are drawn plainly; from them comes a direction: ridge regression of the normal scores
of the loss on the coordinates of the shocks. The other half is drawn with a first shift along that direction; from all
of them come the direction again and the length of the shift (`tail_shift`). The scenarios of a study have one direction
and one length, the mean of what each would have, so that their paths stay paired.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from scenarios.macro import MonthlyMacro
from scenarios.tail import Tail
from simulator.engine import RunSize, advance, prepare
from simulator.factors import INDEX_COMMON, draw_shocks, shocked_entities
from simulator.horizon import months_needed
from simulator.parameters import Parameters
from simulator.servicing import Servicing
from simulator.tail_proposal import Proposal, components, log_ratio, moved, proposal_along, with_strata
from simulator.tail_regression import explained, monthly_basis, normal_scores, orthonormal, slopes, without_noise
from simulator.tail_shift import best_shift, dependence_of
from simulator.tape import LoanTape
from simulator.totals import ScenarioRun

Floats = NDArray[np.float64]

FIRST_PATH: Final = 1 << 31
"""Number of the pilot's first path."""

PATHS: Final = 1000
PATHS_AN_ENTITY: Final = 16
"""Size of the pilot: a thousand, or so many for each factor and index, which have four coordinates each. On the
default study's book of 2,000 loans the direction of a thousand paths is within 8 degrees of that of forty thousand."""

FIRST_UNSHIFTED: Final = 0.5
"""Share of the second half of the pilot that is not shifted."""

STRATA: Final = 10
"""Strata by which the pilot measures what the leading factor explains."""

LEAST_EXPLAINED: Final = 0.05
"""Share of the loss's variance from which on strata are used: they cost 2 % of it."""


@dataclass(frozen=True, slots=True, eq=False)
class Pilot:
    """What a pilot found.

    Attributes
    ----------
    proposal : Proposal
    explained : tuple of float
        Share of the variance of the loss that z explains, by scenario.
    paths : int
        Of the pilot, in each scenario.
    control : bool
        Whether strata correct the weights.
    """

    proposal: Proposal
    explained: tuple[float, ...]
    paths: int
    control: bool


@dataclass(frozen=True, slots=True, eq=False)
class Question:
    """What a pilot is asked about.

    Attributes
    ----------
    tape, macros, parameters, servicing, months, seed
        Of the study.
    tail : Tail
    """

    tape: LoanTape
    macros: Sequence[MonthlyMacro]
    parameters: Parameters
    servicing: Servicing
    months: int
    seed: int
    tail: Tail


@dataclass(frozen=True, slots=True, eq=False)
class _Frame:
    """Coordinates of the shocks of a book's factors.

    Attributes
    ----------
    entities : tuple of str
    basis : float64[entity, function, month]
        Functions of the month of each entity, zeros where it has fewer.
    present : bool[entity, function]
    """

    entities: tuple[str, ...]
    basis: Floats
    present: NDArray[np.bool_]

    @property
    def last_month(self) -> int:
        """Last month with a shock."""
        return int(self.basis.shape[2]) - 1

    @property
    def groups(self) -> NDArray[np.int64]:
        """Entity of each coordinate."""
        return np.asarray(np.nonzero(self.present)[0])

    def of(self, shocks: Floats) -> Floats:
        """Coordinates of shocks: float64[path, coordinate]."""
        all_of_them = np.einsum("nem,efm->nef", shocks, self.basis, optimize=False)
        return np.asarray(all_of_them[:, self.present])

    def full(self, coordinates: Floats) -> Floats:
        """The direction of which these are the coordinates: float64[entity, month]."""
        spread = np.zeros(self.present.shape)
        spread[self.present] = coordinates
        return np.asarray(np.einsum("ef,efm->em", spread, self.basis, optimize=False))

    def directions(self, leading: Floats, count: int) -> Floats:
        """Orthonormal directions, that of the loss first: float64[direction, entity, month].

        The others are what is left of the global factor's and the common index's functions of the month, in turn.
        """
        common = self.entities.index(INDEX_COMMON)
        rows = [self.full(leading)]
        for function in (1, 0, *range(2, self.basis.shape[1])):
            for entity in (0, common):
                row = np.zeros(self.basis.shape[::2])
                row[entity] = self.basis[entity, function]
                rows.append(row)
        kept = [row for row in rows if np.any(row != 0.0)]
        flat = orthonormal(np.stack(kept).reshape(len(kept), -1))[:count]
        return flat.reshape(len(flat), *self.basis.shape[::2])


def run_pilot(
    question: Question,
    paths: int,
    *,
    size: RunSize | None = None,
    progress: Callable[[str, int], None] | None = None,
) -> Pilot:
    """Find a study's proposal.

    Parameters
    ----------
    question : Question
    paths : int
        Of the study: strata are weighed on all of them.
    size : RunSize, optional
        Changes no result.
    progress : callable, optional
        Told the pilot's name of each scenario, and how many of its paths are done.
    """
    tail, runs = question.tail, _runs(question)
    frame = _frame(runs[0])
    count = pilot_paths(tail, question.tape)
    plain, rest = range(FIRST_PATH, FIRST_PATH + count // 2), range(FIRST_PATH + count // 2, FIRST_PATH + count)
    report = _Report(runs, progress)
    early = _Sample(*_sample(runs, frame, plain, None, size, report), np.ones(len(plain)))
    before = _direction(frame, early)
    first = proposal_along(
        frame.entities,
        frame.full(before)[None],
        shift=_shift(frame, early, tail, FIRST_UNSHIFTED),
        unshifted=FIRST_UNSHIFTED,
    )
    later = _sample(runs, frame, rest, first, size, report)
    coordinates, losses = (np.concatenate(pair) for pair in zip(early[:2], later, strict=True))
    # Both halves together are one sample of a mixture with this share of plain paths.
    share = (len(plain) + FIRST_UNSHIFTED * len(rest)) / count
    both = _Sample(coordinates, losses, np.exp(log_ratio(_along(coordinates, before), first.shift, share)))
    proposal = proposal_along(
        frame.entities,
        frame.directions(_direction(frame, both), tail.directions),
        shift=_shift(frame, both, tail, tail.unshifted),
        unshifted=tail.unshifted,
        scrambles=tail.scrambled,
    )
    z = _unseen(frame, both)
    share_explained = tuple(explained(each, both.weight, z, STRATA) for each in both.losses.T)
    return _settled(Pilot(proposal, share_explained, count, control=False), tail, paths, question.seed)


def pilot_paths(tail: Tail, tape: LoanTape) -> int:
    """Paths of a pilot in each scenario."""
    entities = len(shocked_entities(())) + sum(np.unique(tape[name]).size for name in ("region", "sector"))
    return tail.pilot_paths or max(PATHS, PATHS_AN_ENTITY * entities)


def pilot_name(scenario: str) -> str:
    """What the pilot of a scenario is called while it goes on."""
    return f"{scenario}, pilot"


def _settled(pilot: Pilot, tail: Tail, paths: int, seed: int) -> Pilot:
    """The same with strata where they are wished for, or where they help in every scenario."""
    fits = tail.scrambled == 0 and tail.control is not False
    wished = fits and (tail.control is True or min(pilot.explained) >= LEAST_EXPLAINED)
    if not wished:
        return pilot
    stratified = with_strata(pilot.proposal, paths, seed)
    return replace(pilot, proposal=stratified, control=stratified.edges.size > 0)


# --- samples ---------------------------------------------------------------------------------------------


def _runs(question: Question) -> list[ScenarioRun]:
    return [
        prepare(
            question.tape,
            macro,
            question.parameters,
            question.servicing,
            months=question.months,
            seed=question.seed,
        )
        for macro in question.macros
    ]


def _frame(run: ScenarioRun) -> _Frame:
    """Coordinates of a run's factors, and of the index to the last month that a sale can have."""
    names = run.book.cells.factor_names
    entities, last = shocked_entities(names), months_needed(run.parameters, run.months)
    credit, index = monthly_basis(run.months, last), monthly_basis(last, last)
    basis = np.zeros((len(entities), len(index), last + 1))
    present = np.ones(basis.shape[:2], dtype=np.bool_)
    basis[: 1 + len(names), : len(credit)] = credit
    present[: 1 + len(names), len(credit) :] = False
    basis[1 + len(names) :] = index
    return _Frame(entities, basis, present)


class _Sample(NamedTuple):
    """Paths of a pilot.

    Attributes
    ----------
    coordinates : float64[path, coordinate]
    losses : float64[path, scenario]
    weight : float64[path]
    """

    coordinates: Floats
    losses: Floats
    weight: Floats

    def part(self, chosen: slice) -> _Sample:
        """Some of the paths."""
        return _Sample(*(values[chosen] for values in self))


@dataclass(slots=True)
class _Report:
    """Tells the pilot's progress, of both halves together."""

    runs: Sequence[ScenarioRun]
    progress: Callable[[str, int], None] | None
    before: int = 0

    def of(self, run: ScenarioRun) -> Callable[[int], None] | None:
        """What a run of paths reports to."""
        told, name, before = self.progress, pilot_name(run.macro.name), self.before
        return None if told is None else lambda done: told(name, before + done)


def _sample(
    runs: Sequence[ScenarioRun],
    frame: _Frame,
    paths: range,
    proposal: Proposal | None,
    size: RunSize | None,
    report: _Report,
) -> tuple[Floats, Floats]:
    """Some of the pilot's paths: coordinates of their shocks, and their loss, float64[path, scenario]."""
    shocks = draw_shocks(frame.entities, paths, frame.last_month, int(runs[0].seed))
    if proposal is not None:
        shocks = moved(shocks, proposal, components(proposal, paths, int(runs[0].seed)))
    losses = np.empty((len(paths), len(runs)))
    for place, run in enumerate(runs):
        drawn = replace(run, proposal=proposal)
        kept = advance(drawn, paths, size or RunSize(), report.of(run)).by_path
        losses[:, place] = kept["ultimate_loss"].sum(axis=1) + kept["ultimate_loss_after_horizon"]
    report.before += len(paths)
    return frame.of(shocks), losses


# --- what they say ---------------------------------------------------------------------------------------


def _along(coordinates: Floats, direction: Floats) -> Floats:
    """Component of each path along a direction: float64[path]."""
    return np.asarray((coordinates * direction).sum(axis=1))


def _direction(frame: _Frame, sample: _Sample) -> Floats:
    """Direction along which the scenarios' losses rise most, of length 1: float64[coordinate]."""
    total = np.zeros(sample.coordinates.shape[1])
    for each in sample.losses.T:
        found, variance = slopes(sample.coordinates, normal_scores(each, sample.weight))
        kept = without_noise(found, variance, frame.groups)
        size = np.sqrt((kept**2).sum())
        total += kept / size if size > 0.0 else 0.0
    size = np.sqrt((total**2).sum())
    # Where nothing tells, the global factor's level will do: a shift along it is short and does no harm.
    return np.asarray(total / size) if size > 0.0 else np.eye(1, total.size, 1)[0]


def _unseen(frame: _Frame, sample: _Sample) -> Floats:
    """Component of each path along the direction that the other half of the paths gives: float64[path].

    A direction fits the paths that it comes from better than it fits others; this one has not seen them.
    """
    z = np.empty(len(sample.weight))
    for half in (slice(0, None, 2), slice(1, None, 2)):
        other = slice(1 - (half.start or 0), None, 2)
        z[half] = _along(sample.coordinates[half], _direction(frame, sample.part(other)))
    return z


def _shift(frame: _Frame, sample: _Sample, tail: Tail, unshifted: float) -> float:
    """Length of the shift (T7), the mean of the scenarios'; 0 for a method that does not shift."""
    if not tail.shifts:
        return 0.0
    z = _unseen(frame, sample)
    scores = (normal_scores(each, sample.weight) for each in sample.losses.T)
    return float(np.mean([best_shift(dependence_of(each, z), tail.level, unshifted) for each in scores]))
