"""A loan told from a finished run: its path again, its draws from their addresses, and what is refused."""
# ruff: noqa: E501  # a table has one case a line

from __future__ import annotations

import contextlib
import json
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

import outputs.publish
import outputs.trace
from command_line import Answer, carstress, files_below, study_file
from outputs.measures import path_loss
from outputs.run_commands import find_run
from outputs.store import read_inputs, read_results
from outputs.trace import check_story, format_story, story_document
from reference_market import event_uniform, monthly_uniform
from scenarios import vocabulary
from scenarios.errors import InputError, IntegrityError
from simulator.entities import loan_entities
from simulator.story import Story, tell_story
from simulator.study import StudyInputs, inputs_from_store, simulate_scenario

MONTHS = 12
PATHS = 24
STUDY = f"""\
kind: study
name: told
portfolio:
  synthetic: {{parameters: us_subprime, loans: 300, seed: 1, as_of: 2024-12-31}}
parameters: us_subprime
scenarios: [baseline, severely_adverse]
sensitivity_range: false
paths: {PATHS}
months: {MONTHS}
seed: 7
uncertainty: {{draws: 4}}
strategies: [reference, called.yaml]
"""
"""A book whose loans share a pool, and whose parameters are drawn batch by batch: path 13 has those of the third."""

CALLED = """
kind: collection_strategy
name: called
title: Calls to loans of up to 89 days
source: Assumption, for a test.
pools: {agents: {hours_per_1000_loans: 60}}
ladder:
  - {action: phone, who: {to_days: 89}, pool: agents, hours_per_contact: 0.5, reach_percent: 70, effect: {cure: 1.5}}
  - {action: extension, who: {to_days: 89}}
  - {action: repossession}
"""

PATH = 13
SCENARIO = "severely_adverse"
STRATEGY = "called"
RUN_WORDS = ("--path", PATH, "--scenario", SCENARIO, "--strategy", STRATEGY)
"""The run of which stories are told, as the command asks for it."""
EVENTS = {
    "type": vocabulary.PURPOSE_TYPE,
    "history": vocabulary.PURPOSE_HISTORY,
    "car's condition": vocabulary.PURPOSE_CONDITION,
    "hardship ends": vocabulary.PURPOSE_SPELL,
    "charge-off": vocabulary.PURPOSE_CHARGE_OFF,
    "payoff": vocabulary.PURPOSE_PREPAY,
    "total loss": vocabulary.PURPOSE_TOTAL_LOSS,
    "extension": vocabulary.PURPOSE_MODIFY,
    "insurance pays": vocabulary.PURPOSE_INSURED,
    "car found": vocabulary.PURPOSE_SOLD,
    "seizure": vocabulary.PURPOSE_SEIZE,
    "phone reaches": vocabulary.PURPOSE_ACTION + vocabulary.ACTIONS.index("phone"),
}
CAUSES = {"to current", "to 30-59", "to 60-89", "to 90-119", "charge-off", "payoff", "total loss"}


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder with the study and its run, below runs/; pictures are left out."""
    folder = tmp_path_factory.mktemp("home")
    study_file(folder, STUDY)
    (folder / "called.yaml").write_text(CALLED, "utf-8")
    with pytest.MonkeyPatch.context() as patch, contextlib.chdir(folder):
        patch.setattr(outputs.publish, "draw_pictures", lambda *_, **__: ())
        answer = carstress("run", "study.yaml", "-q")
    assert answer == Answer(0, "", "")
    return folder


@pytest.fixture(scope="module")
def run(home: Path) -> Path:
    return home / "runs" / "told"


@pytest.fixture(scope="module")
def inputs(run: Path) -> StudyInputs:
    return inputs_from_store(read_inputs(run), run / "results.nc")


@pytest.fixture(scope="module")
def ids(inputs: StudyInputs) -> list[str]:
    return [str(name) for name in inputs.tape["loan_id"]]


@pytest.fixture(scope="module")
def traced(inputs: StudyInputs, ids: list[str]) -> xr.Dataset:
    """Traces of all loans on all paths of one scenario, in one go."""
    macro = next(item for item in inputs.macro_paths() if item.name == SCENARIO)
    return simulate_scenario(inputs, macro, paths=PATHS, strategy=STRATEGY, trace=ids).squeeze(
        ["scenario", "strategy", "programme"]
    )


@pytest.fixture(scope="module")
def stories(inputs: StudyInputs, ids: list[str], traced: xr.Dataset) -> list[Story]:
    """Stories of loans that end in every way, and of some that do not end."""
    states = traced["trace_state"].sel(path=PATH).to_numpy()
    chosen: list[int] = []
    for state in (vocabulary.CHARGED_OFF, vocabulary.PREPAID, vocabulary.TOTAL_LOSS, vocabulary.MATURED, 0, 1, 2):
        chosen += np.flatnonzero(states[:, -1] == state)[:4].tolist()
    return [tell_story(inputs, ids[place], PATH, SCENARIO, STRATEGY) for place in chosen]


# --- what is told ------------------------------------------------------------------------------------------


def test_a_story_is_the_loans_part_in_the_run_of_all_paths(
    stories: list[Story], traced: xr.Dataset, ids: list[str], run: Path
) -> None:
    assert len({story.months[-1].state for story in stories}) >= 5
    loss = float(path_loss(read_results(run)).sel(scenario=SCENARIO, strategy=STRATEGY, path=PATH).squeeze())
    for story in stories:
        own = traced.isel(traced_loan=ids.index(story.loan)).sel(path=PATH)
        last = len(story.months) - 1
        for name, told in (
            ("trace_balance", [month.principal for month in story.months]),
            ("trace_value", [month.car_value for month in story.months]),
            ("trace_cash", [month.cash for month in story.months]),
            ("trace_loss", [month.loss for month in story.months]),
        ):
            assert own[name].to_numpy()[: last + 1].tolist() == told, (story.loan, name)
        assert story.path_loss == loss
        assert (story.path, story.scenario, story.tier, story.currency) == (PATH, SCENARIO, "us_subprime", "USD")
        assert (story.strategy, story.run) == (STRATEGY, f"{SCENARIO} / {STRATEGY}")
        ended = story.months[-1].state in vocabulary.EXIT_LABELS.values()
        assert last == MONTHS or ended
        assert [month.month for month in story.months] == list(range(last + 1))
        assert (story.months[0].date, story.months[1].date) == ("2024-12-31", "2025-01-31")


def test_every_draw_is_the_one_at_its_address(stories: list[Story]) -> None:
    seen = set()
    for story in stories:
        entity = int(loan_entities([story.loan])[0])
        assert story.entity == entity
        for month in story.months:
            for draw in month.draws:
                seen.add(draw.name)
                if draw.name == "month":
                    assert draw.value == monthly_uniform(entity, PATH, month.month, 7)
                    continue
                bucket = {"to current": 0, "to 30-59": 1, "to 60-89": 2, "to 90-119": 3}.get(draw.name)
                purpose = EVENTS[draw.name] if bucket is None else vocabulary.PURPOSE_BUCKET + bucket
                assert draw.value == event_uniform(entity, PATH, month.month, purpose, 7), (story.loan, draw)
    assert {"month", "type", "history", "car's condition", "hardship ends", "seizure", "phone reaches"} | CAUSES <= seen


def test_what_happened_is_marked_and_nothing_else(stories: list[Story]) -> None:
    reached = {"charged_off": "charge-off", "prepaid": "payoff", "total_loss": "total loss", "matured": "to current"}
    for story in stories:
        for before, month in zip(story.months, story.months[1:], strict=False):
            marked = {draw.name for draw in month.draws if draw.happened}
            names = {draw.name for draw in month.draws}
            if before.state == "current":
                assert "month" in names
                assert not names & CAUSES
                assert ("month" in marked) == (month.state not in ("current", "matured"))
                assert ("type" in names) == (month.state in ("30-59", "charged_off"))
                continue
            assert "month" not in names
            cause = reached.get(month.state, f"to {month.state}")
            assert marked & CAUSES == (set() if month.state == before.state else {cause}), (story.loan, month)
            seized = "car seized" in month.flags and "car seized" not in before.flags
            assert ("seizure" in marked) == seized
            if "phone reaches" in names:
                assert month.state in ("30-59", "60-89"), "the pool calls these"
            assert ("phone reaches" in marked) <= ("reached" in month.flags)


def test_without_a_strategy_nobody_is_called_reached(stories: list[Story], inputs: StudyInputs) -> None:
    late = next(story for story in stories if any(month.kind for month in story.months))
    assert any("reached" in month.flags for story in stories for month in story.months)
    alone = tell_story(inputs, late.loan, 2, strategy="reference")
    assert alone.run == alone.scenario
    assert not any("reached" in month.flags for month in alone.months)
    assert not any(draw.name == "phone reaches" for month in alone.months for draw in month.draws)


# --- the command -------------------------------------------------------------------------------------------


@pytest.fixture
def here(home: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working folder, with runs/told."""
    monkeypatch.chdir(home)
    return home


def test_a_run_is_found_by_name_by_folder_and_by_file(here: Path) -> None:
    assert find_run("told") == Path("runs/told")
    assert find_run("runs/told") == Path("runs/told")
    assert find_run("runs/told/results.nc") == Path("runs/told/results.nc")


def test_the_command_prints_the_story_and_leaves_no_trace(here: Path, stories: list[Story]) -> None:
    kept = files_below(here)
    story = next(story for story in stories if story.months[-1].state == "charged_off")
    answer = carstress("trace", "told", story.loan, *RUN_WORDS)
    assert answer.code == 0
    assert answer.out.rstrip("\n") == format_story(story)
    for words in (
        f"Loan {story.loan} (us_subprime) on path {PATH} of {SCENARIO} / {STRATEGY}; amounts in USD",
        f"seed 7, entity {story.entity}, path {PATH}",
        "charged_off",
        "charge-off 0.",
        "principal",
        "as in the run",
    ):
        assert words in answer.out
    table = [line for line in answer.out.splitlines() if line[:1].isdigit()]
    assert len(table) == len(story.months)
    assert files_below(here) == kept


def test_json_has_the_whole_story(here: Path, stories: list[Story]) -> None:
    story = stories[0]
    answer = carstress("trace", "runs/told/results.nc", story.loan, *RUN_WORDS, "--json")
    assert (answer.code, answer.err) == (0, "")
    assert answer.document == json.loads(json.dumps(story_document(story)))
    assert answer.document["schema"] == "carstress-trace/1"
    assert answer.document["entity"] == str(story.entity)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("told", "us_subprime-00000003", "--path", "0"), "trace: no loan `us_subprime-00000003` among those that were used; expected an id of the run's tape. The nearest: us_subprime-"),
        (("told", "zzz", "--path", "0"), "trace: no loan `zzz` among those that were used; expected an id of the run's tape. Its first is us_subprime-000000000."),
        (("told", "us_subprime-000000003", "--path", "24"), "trace: path = 24; expected 0 to 23."),
        (("told", "us_subprime-000000003", "--path", "1", "--scenario", "severly_adverse"), "trace: unknown scenario `severly_adverse`; expected one of baseline, severely_adverse. Did you mean `severely_adverse`?"),
        (("told", "us_subprime-000000003", "--path", "1", "--strategy", "caled"), "trace: unknown strategy `caled`; expected one of reference, called. Did you mean `called`?"),
        (("tolt", "us_subprime-000000003", "--path", "1"), "run: no finished run `tolt`; expected a run's folder, its results.nc, or its name below runs/. Did you mean `told`?"),
        (("quite_other", "us_subprime-000000003", "--path", "1"), "Below runs/: told."),
        (("study.yaml", "us_subprime-000000003", "--path", "1"), "study.yaml: not readable"),
    ],
)  # fmt: skip
def test_what_is_not_there_is_refused_with_what_is_near(here: Path, words: tuple[str, ...], said: str) -> None:
    answer = carstress("trace", *words)
    assert (answer.code, answer.out) == (3, "")
    assert said in answer.err
    assert "Traceback" not in answer.err


def test_all_faults_are_told_at_once(here: Path) -> None:
    answer = carstress("trace", "told", "zzz", "--path", 99, "--scenario", "nowhere", "--strategy", "nobody")
    assert answer.code == 3
    assert len(answer.err.splitlines()) == 4, "and no word of compiling before"


def test_no_run_at_all_is_answered_with_the_command_that_makes_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match="`carstress run` makes one"):
        find_run("told")


def test_a_run_that_is_no_longer_what_this_program_makes_is_exit_code_5(
    here: Path, ids: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    sound = read_results

    def changed(path: Path) -> xr.Dataset:
        results = sound(path)
        results["ultimate_loss"] = results["ultimate_loss"].copy()
        results["ultimate_loss"][0, 0, 0, PATH, 3] += 1.0
        return results

    monkeypatch.setattr(outputs.trace, "read_results", changed)
    answer = carstress("trace", "told", ids[0], "--path", PATH)
    assert (answer.code, answer.out) == (5, "")
    assert f"integrity check failed: path {PATH} of baseline loses " in answer.err
    assert "when it is simulated again, but " in answer.err
    assert "run the study again." in answer.err
    # Another path of the same file is as it was; the first scenario is told where none is named.
    other = carstress("trace", "told", ids[0], "--path", PATH - 1, "--json").document
    assert (other["scenario"], other["strategy"]) == ("baseline", "reference")


def test_a_study_that_was_stored_otherwise_than_run_is_refused(run: Path, inputs: StudyInputs, ids: list[str]) -> None:
    story = tell_story(inputs.with_run(seed=8), ids[0], 3)
    with pytest.raises(IntegrityError, match="path 3 of baseline loses"):
        check_story(story, run)
