"""The shipped scenarios and studies, and whatever else a name or a path may mean."""

from __future__ import annotations

from importlib import resources
from pathlib import Path
from typing import Final, Literal

from scenarios.contact_rules import RULES, ContactRules
from scenarios.errors import Fault, InputError
from scenarios.explain import nearest
from scenarios.load import spec_from_text
from scenarios.rule_checks import rule_problems
from scenarios.schema import SCENARIOS, STUDIES, MacroScenario, Study
from scenarios.strategy import STRATEGIES, CollectionStrategy
from scenarios.vocabulary import REFERENCE_STRATEGY

_SHELVES: Final = {"macro": SCENARIOS, "studies": STUDIES, "strategies": STRATEGIES, "rules": RULES}


def library_names(folder: Literal["macro", "studies", "strategies", "rules"]) -> tuple[str, ...]:
    """Names of the shipped files of a folder, sorted."""
    return tuple(_SHELVES[folder].files())


def init_files() -> dict[str, str]:
    """Texts by file name of the commented example that `carstress init` writes."""
    root = resources.files("scenarios") / "library" / "init"
    entries = sorted(root.iterdir(), key=lambda entry: entry.name)
    return {entry.name: entry.read_text(encoding="utf-8") for entry in entries if entry.name.endswith(".yaml")}


def find_scenario(reference: str | Path, folder: Path | None = None, where: str = "scenario") -> MacroScenario:
    """A macro scenario by library name or by path, everything that it extends worked out.

    Parameters
    ----------
    reference : str or Path
        Library name, or path from `folder`.
    folder : Path, optional
        Where relative paths start; the working directory if left out.
    where : str, optional
        Who refers to it, for errors.

    Raises
    ------
    InputError
        There is no such scenario, or its file has faults.
    """
    found = SCENARIOS.find(reference, folder, where)
    return spec_from_text(found.text, found.name, MacroScenario, found.folder)


def find_rules(reference: str | Path, folder: Path | None = None, where: str = "rules") -> ContactRules:
    """Rules of contact by library name or by path; raises InputError as `find_scenario` does."""
    found = RULES.find(reference, folder, where)
    return spec_from_text(found.text, found.name, ContactRules, found.folder)


def find_strategy(reference: str | Path, folder: Path | None = None, where: str = "strategy") -> CollectionStrategy:
    """A collection strategy by library name or by path, held against the rules of contact that it names.

    Parameters
    ----------
    reference : str or Path
        Library name, or path from `folder`; not `reference`, which is no ladder.
    folder : Path, optional
        Where relative paths start; the working directory if left out.
    where : str, optional
        Who refers to it, for errors.

    Raises
    ------
    InputError
        There is no such strategy, its file or that of its rules has faults, or it breaks the rules.
    """
    if reference == REFERENCE_STRATEGY:
        found = f"strategy {REFERENCE_STRATEGY} is no ladder: loans are worked as the parameters' were"
        remedy = "reference_us and reference_cn write down what that was."
        raise InputError(Fault(where, found, f"one of {', '.join(STRATEGIES.files())}, or a path", remedy))
    text = STRATEGIES.find(reference, folder, where)
    strategy = spec_from_text(text.text, text.name, CollectionStrategy, text.folder)
    check_strategy(strategy)
    return strategy


def check_strategy(strategy: CollectionStrategy) -> None:
    """Hold a strategy against the rules of contact that it names; raises InputError with every breach."""
    if strategy.rules is None:
        return
    rules = find_rules(strategy.rules, strategy.folder, strategy.where("rules"))
    data = strategy.model_dump(mode="json", exclude_none=True)
    problems = rule_problems(data, rules)
    faults = [Fault(strategy.where(*each.path), each.found, each.expected, each.remedy) for each in problems]
    if faults:
        raise InputError(faults)


def find_study(reference: str | Path) -> Study:
    """A study by library name or by path; raises InputError as `find_scenario` does."""
    found = STUDIES.find(reference, None, "study")
    return spec_from_text(found.text, found.name, Study, found.folder)


def study_scenarios(study: Study) -> tuple[MacroScenario, ...]:
    """The macro scenarios that a study names, in its order.

    Raises
    ------
    InputError
        With the faults of all of them, of two that bear one name, and of limits on a scenario that is not there.
    """
    found: list[MacroScenario] = []
    faults: list[Fault] = []
    for place, reference in enumerate(study.scenarios):
        where = study.where("scenarios", place)
        try:
            scenario = find_scenario(reference, study.folder, where)
        except InputError as error:
            faults.extend(error.faults)
            continue
        if any(scenario.name == other.name for other in found):
            remedy = "Change `name:` in one of the files."
            faults.append(Fault(where, f"two scenarios named {scenario.name}", "different names", remedy))
        found.append(scenario)
    names = [scenario.name for scenario in found]
    for place, limit in enumerate(study.limits if not faults else ()):
        if limit.scenario not in names:
            where = study.where("limits", place, "scenario")
            expected = f"one of {', '.join(names)}"
            faults.append(Fault(where, f"scenario = {limit.scenario}", expected, nearest(limit.scenario, names)))
    if faults:
        raise InputError(faults)
    return tuple(found)


def study_strategies(study: Study) -> tuple[CollectionStrategy | None, ...]:
    """The collection strategies that a study names, in its order; None for `reference`.

    Raises
    ------
    InputError
        With the faults of all of them, and of two that bear one name.
    """
    found: list[CollectionStrategy | None] = []
    names: list[str] = []
    faults: list[Fault] = []
    for place, reference in enumerate(study.strategies):
        where = study.where("strategies", place)
        try:
            strategy = None if reference == REFERENCE_STRATEGY else find_strategy(reference, study.folder, where)
        except InputError as error:
            faults.extend(error.faults)
            continue
        name = REFERENCE_STRATEGY if strategy is None else strategy.name
        if name in names:
            remedy = "Change `name:` in one of the files."
            faults.append(Fault(where, f"two strategies named {name}", "different names", remedy))
        found.append(strategy)
        names.append(name)
    if faults:
        raise InputError(faults)
    return tuple(found)


def study_path(study: Study, reference: str) -> Path:
    """A path written in a study, from the folder of its file."""
    return study.folder / reference
