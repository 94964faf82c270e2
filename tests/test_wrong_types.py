"""Checks of what fields are to each other step over values of a wrong type, whatever the type and the place."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from calibration.library import PARAMETER_SETS
from command_line import carstress
from scenarios.contact_rules import ContactRules
from scenarios.file_spec import FileSpec
from scenarios.schema import MacroScenario, Study
from scenarios.strategy import CollectionStrategy
from scenarios.yaml_text import parse_yaml
from simulator.parameter_set import ParameterSet
from strategy_texts import RULES, STRATEGY, spoilt
from yaml_samples import SCENARIO

WRONG: tuple[Any, ...] = ([], ["agents"], [[1]], {}, {"a": 1}, 7, -0.5, True, None, "x")

CARE = """\
pools: {agents: {hours_per_month: 20, field: true}}
watch_list: {from_hazard_percent: 3, alerts: {hits_percent: 30, right_percent: 20}}
underwriting: {least_score: 600, tracker: fitted, cost_per_tracker: 3}
ladder:
  - {action: repossession, pool: agents, hours_per_contact: 1, who: {regions: [TX], from_days: 61}}
while_current:
  - {action: reminder, name: b, who: {regions: [TX], tiers: [a]}, averted_percent: {forgetful: 8}}
  - {action: reminder, who: {regions: [CA], tiers: [b]}, pool: agents, averted_percent: {forgetful: 8}}
incidents: {suspension_months: 3}
"""

STUDY = """\
scenarios: [baseline, severely_adverse]
strategies: [reference_us, none]
paths: 20
uncertainty: {draws: 2, parameters: [sale]}
limits: [{measure: expected_loss, at_most_percent: 50}]
"""

FILES: dict[str, tuple[type[FileSpec], str]] = {
    "strategy": (CollectionStrategy, STRATEGY),
    "care": (CollectionStrategy, CARE),
    "rules": (ContactRules, RULES),
    "scenario": (MacroScenario, SCENARIO),
    "study": (Study, STUDY),
    "parameters": (ParameterSet, PARAMETER_SETS.find("us_subprime", None, "parameters").text),
}


def places(value: Any, path: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    """Paths of all values below one, of a list its first three."""
    parts = value.items() if isinstance(value, dict) else enumerate(value[:3]) if isinstance(value, list) else ()
    for key, part in parts:
        yield (*path, key)
        yield from places(part, (*path, key))


@pytest.mark.parametrize("kind", FILES)
def test_a_value_of_a_wrong_type_is_stepped_over(kind: str) -> None:
    spec, text = FILES[kind]
    data = parse_yaml(text, "own.yaml").data
    for path in places(data):
        for wrong in WRONG:
            changed = copy.deepcopy(data)
            inner: Any = changed
            for part in path[:-1]:
                inner = inner[part]
            inner[path[-1]] = wrong
            try:
                list(spec.problems(changed))
            except Exception as error:
                raise AssertionError(f"{path} = {wrong!r}: {error!r}") from error


@pytest.mark.parametrize("pool", ["[agents]", "{a: 1}"])
def test_a_pool_that_is_no_name_has_its_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, pool: str) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "own_rules.yaml").write_text(RULES, "utf-8")
    (tmp_path / "own.yaml").write_text(spoilt(STRATEGY, "pool: agents\n", f"pool: {pool}\n"), "utf-8")
    for words in (("validate",), ("strategy", "show")):
        answer = carstress(*words, "own.yaml")
        assert answer.code == 3
        assert "own.yaml:15:11: ladder[1].pool = " in answer.err
        assert "; expected text." in answer.err
        assert answer.err.count("own.yaml:") == 1, answer.err
