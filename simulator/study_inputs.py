"""What a study names, read and checked: its book, scenarios, parameter sets and collection strategies."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TypeVar

from scenarios.digest import file_digest
from scenarios.errors import Fault, InputError
from scenarios.file_spec import FileSpec
from scenarios.library import find_strategy, study_scenarios, study_strategies
from scenarios.macro import PERCENT, MonthlyMacro, monthly_macro
from scenarios.schema import FilePortfolio, MacroScenario, Study, SyntheticPortfolio
from scenarios.strategy import CollectionStrategy
from scenarios.vocabulary import REFERENCE_STRATEGY
from simulator.effects import run_name, top_runs
from simulator.horizon import months_needed
from simulator.ladder_faults import check_hours, check_ladder
from simulator.offsets import with_reach
from simulator.parameter_set import ParameterSet
from simulator.parameters import Parameters, build_parameters
from simulator.servicing import Servicing, study_servicing
from simulator.study_book import Book, draw_book, read_book
from simulator.study_book import draw_tape as draw_tape
from simulator.tail_study import pilot_runs
from simulator.tape import LoanTape
from simulator.uncertainty import check_uncertainty, longest_lags
from simulator.underwriting import lent_tape
from simulator.weights import scenario_weights

Found = TypeVar("Found")

FindParameterSet = Callable[[str, Path, str], ParameterSet]
"""Finds a parameter set by name or path from a folder; the third text says who asks (for errors)."""


@dataclass(frozen=True, slots=True)
class StudyInputs:
    """All that a study needs, read and checked: a run is a function of this alone.

    Attributes
    ----------
    study : Study
        Paths, horizon, seed, limits.
    tape : LoanTape
        The book.
    scenarios : tuple of MacroScenario
        In the study's order, what they extend worked out.
    sets : tuple of ParameterSet
        One a tier.
    files : mapping of str to str
        SHA-256, taken as it was read, of every file that was, those that others extend included, by its path from the
        study's folder.
    strategies : tuple of (CollectionStrategy or None)
        In the study's order; None is `reference`.
    observed : tuple of (CollectionStrategy or None)
        One a tier: the strategy under which its parameter set was observed; empty where no strategy needs it.
    """

    study: Study
    tape: LoanTape
    scenarios: tuple[MacroScenario, ...]
    sets: tuple[ParameterSet, ...]
    files: dict[str, str]
    strategies: tuple[CollectionStrategy | None, ...] = (None,)
    observed: tuple[CollectionStrategy | None, ...] = ()

    def parameters(self) -> Parameters:
        """The sets as the engine's dense bundle."""
        return build_parameters(self.sets)

    def servicings(self) -> tuple[Servicing, ...]:
        """One for each strategy: who works arrears, and the book's share of the auction market."""
        return study_servicing(self.strategies, self.observed, PERCENT * self.study.market_share_percent)

    def servicing(self, strategy: str | None = None) -> Servicing:
        """That of one strategy by name; of the first if left out."""
        each = self.servicings()
        named = {servicing.name: servicing for servicing in each}
        if strategy is not None and strategy not in named:
            raise ValueError(f"the study has no strategy {strategy!r}, only {', '.join(named)}")
        return each[0] if strategy is None else named[strategy]

    def tape_of(self, strategy: str | None = None) -> LoanTape:
        """The loans that one strategy, by name, lends; those of the first if left out."""
        return lent_tape(self.tape, self.servicing(strategy).strategy, self.study.seed)

    def run_names(self) -> dict[tuple[str, int], str]:
        """Names of the study's runs as progress is told of them, by scenario and place of the strategy."""
        each = self.servicings()
        return {
            (scenario.name, place): run_name(scenario.name, servicing, each)
            for scenario in self.scenarios
            for place, servicing in enumerate(each)
        }

    def macro_paths(self) -> tuple[MonthlyMacro, ...]:
        """Monthly paths of every scenario, long enough for every draw of the parameters; all faults at once."""
        study, spec = self.study, self.study.uncertainty
        longest = self.parameters() if spec is None else longest_lags(self.sets, spec)
        needed = months_needed(longest, study.months)
        as_of = (self.tape.as_of.year, self.tape.as_of.month)
        paths: list[MonthlyMacro] = []
        faults: list[Fault] = []
        for scenario in self.scenarios:
            try:
                shift = study.shift_calendar
                macro = monthly_macro(scenario, as_of, study.months, needed, shift_calendar=shift)
                paths.append(with_reach(macro, scenario, self.tape))
            except InputError as error:
                faults.extend(error.faults)
        if faults:
            raise InputError(faults)
        return tuple(paths)

    def weights(self) -> tuple[float, ...] | None:
        """Probability of each scenario, sum 1; None where they carry none."""
        return scenario_weights(self.study, self.scenarios)

    def runs(self) -> dict[str, int]:
        """Names of the runs of `run_study` as progress is told of them, in order, and the paths of each."""
        again = top_runs(self.study, self.scenarios, self.sets, self.servicings())
        return {**pilot_runs(self), **dict.fromkeys(self.run_names().values(), self.study.paths), **again}

    def with_run(self, *, paths: int | None = None, seed: int | None = None) -> StudyInputs:
        """The same study with another number of paths or another seed.

        Raises
        ------
        InputError
            The other number of paths does not go with the rest of the study.
        """
        changes = {name: value for name, value in (("paths", paths), ("seed", seed)) if value is not None}
        if not changes:
            return self
        study = self.study.model_copy(update=changes)
        problems = Study.problems(study.model_dump(mode="json", exclude_none=True))
        faults = [Fault(study.where(*each.path), each.found, each.expected, each.remedy) for each in problems]
        if faults:
            raise InputError(faults)
        return replace(self, study=study)


def load_inputs(study: Study, find_set: FindParameterSet) -> StudyInputs:
    """Read what a study names.

    Raises
    ------
    InputError
        With the faults of every scenario and parameter set, and of the tape.
    """
    faults: list[Fault] = []
    portfolio = study.portfolio
    book = _kept(faults, partial(read_book, study, portfolio)) if isinstance(portfolio, FilePortfolio) else None
    sets = [_kept(faults, partial(find_set, *reference)) for reference in _set_references(study)]
    if isinstance(portfolio, SyntheticPortfolio):
        described = sets[0] if portfolio.synthetic.parameters is None else sets.pop()
        book = _kept(faults, partial(draw_book, study, portfolio.synthetic, described)) if described else None
    scenarios = _kept(faults, partial(study_scenarios, study))
    strategies = _kept(faults, partial(study_strategies, study))
    found = tuple(item for item in sets if item is not None)
    observed = () if strategies is None else _kept(faults, partial(_observed, strategies, found))
    if faults or scenarios is None or book is None or strategies is None or observed is None:
        raise InputError(faults)
    specs = (*found, *scenarios, *(item for item in (*strategies, *observed) if item is not None))
    inputs = StudyInputs(study, book.tape, scenarios, found, _files(study, specs, book), strategies, observed)
    _check_currency(inputs)
    for check in (
        inputs.weights,
        partial(check_ladders, inputs),
        partial(_check_uncertainty, inputs),
        inputs.macro_paths,
    ):
        _kept(faults, check)
    if faults:
        raise InputError(faults)
    return inputs


def _observed(
    strategies: tuple[CollectionStrategy | None, ...], sets: tuple[ParameterSet, ...]
) -> tuple[CollectionStrategy | None, ...]:
    """Strategies under which the sets were observed; none where every run is `reference`."""
    if all(strategy is None for strategy in strategies):
        return ()
    return tuple(
        None
        if item.observed_under == REFERENCE_STRATEGY
        else find_strategy(item.observed_under, item.folder, item.where("observed_under"))
        for item in sets
    )


def check_ladders(inputs: StudyInputs) -> None:
    """Refuse strategies that do not go with the book or its parameters, or that lend nothing of it."""
    parameters = inputs.parameters()
    _check_rung_names(inputs.strategies)
    for servicing in inputs.servicings():
        book = inputs.tape_of(servicing.name)
        check_ladder(servicing, book, parameters)
        if servicing.strategy is not None:
            check_hours(servicing.strategy, book)


def _check_rung_names(strategies: tuple[CollectionStrategy | None, ...]) -> None:
    """Refuse a name that is a rung of one strategy's ladder and of another's `while_current`: results tell of both."""
    named = [item for item in strategies if item is not None]
    ladders = {rung.label: item.name for item in named for rung in item.ladder}
    faults = []
    for item in named:
        for place, rung in enumerate(item.while_current):
            if rung.label in ladders:
                found = (
                    f"rung {rung.label} is for loans without arrears, and in {ladders[rung.label]} for those in arrears"
                )
                remedy = "Give one of them a `name:` of its own."
                where = item.where("while_current", place)
                faults.append(Fault(where, found, "a name of its own in the study's strategies", remedy))
    if faults:
        raise InputError(faults)


def _check_uncertainty(inputs: StudyInputs) -> None:
    study = inputs.study
    if study.uncertainty is not None:
        check_uncertainty(inputs.sets, study.uncertainty, study.where)


def _kept(faults: list[Fault], read: Callable[[], Found]) -> Found | None:
    """What a reader returns; its faults join the others', so that all are reported at once."""
    try:
        return read()
    except InputError as error:
        faults.extend(error.faults)
        return None


def _set_references(study: Study) -> list[tuple[str, Path, str]]:
    """Name, folder and place of each parameter set: one a tier, last the one that describes a book to draw."""
    single = isinstance(study.parameters, str)
    places: list[tuple[str | int, ...]] = [
        ("parameters",) if single else ("parameters", place) for place in range(len(study.parameter_sets))
    ]
    names = list(study.parameter_sets)
    if isinstance(study.portfolio, SyntheticPortfolio) and study.portfolio.synthetic.parameters is not None:
        names.append(study.portfolio.synthetic.parameters)
        places.append(("portfolio", "synthetic", "parameters"))
    return [(name, study.folder, study.where(*place)) for name, place in zip(names, places, strict=True)]


def _files(study: Study, specs: Iterable[FileSpec], book: Book) -> dict[str, str]:
    """Digest of every file that was read, by its path from the study's folder; what is shipped has the version's."""
    read = [*study.files, *book.files, *(path for spec in specs for path in spec.files)]
    return {Path(os.path.relpath(path, study.folder)).as_posix(): file_digest(path) for path in read}


def _check_currency(inputs: StudyInputs) -> None:
    wrong = [item for item in inputs.sets if item.currency != inputs.tape.currency]
    if wrong:
        raise InputError(
            Fault(
                inputs.study.where("parameters"),
                f"parameter set {item.name} is in {item.currency} but the tape is in {inputs.tape.currency}",
                f"parameter sets in {inputs.tape.currency}",
                "Sale costs are amounts: use a set of the tape's currency, or convert the tape.",
            )
            for item in wrong
        )
