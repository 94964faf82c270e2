"""`carstress compare` on real small runs: what it says, what it writes, how it ends."""

from __future__ import annotations

import json
from pathlib import Path

import pandas
import pytest
import xarray as xr

from cli import study_inputs
from command_line import carstress, files_below
from outputs import strategies
from outputs.manifest import run_facts
from outputs.store import read_results, write_run
from outputs.strategies_view import compared, ranking_lines
from outputs.terminal import further_lines
from outputs.wording import amount, percent
from simulator.engine import RunSize
from simulator.study import inputs_to_store, run_study

CALLS = """\
kind: collection_strategy
name: calls
title: Calls, then seizure
currency: USD
pools:
  phone: {hours_per_month: 5, cost_per_hour: 30, hiring: {step_percent: 10, most_percent: 150, cost_per_hour: 20}}
ladder:
  - {action: sms, cost_per_contact: 0.05}
  - {action: phone, pool: phone, hours_per_contact: 0.5, reach_percent: 40, effect: {cure: 1.6, roll: 0.6}}
  - {action: extension, who: {from_days: 30}}
  - {action: repossession, who: {from_days: 60}, cost_per_contact: 100, incidents: {complaint: 200, claim: 50}}
incidents:
  variance: 0.5
  cost: {complaint: 100, claim: 5000}
  limits: [{kind: complaint, at_most: 500, with_probability_percent: 50}]
source: figures of a test, which stand for nothing
"""
NOTHING = """\
kind: collection_strategy
name: nothing
title: Nobody does anything
source: a test, which needs no figures
"""
STUDY = """\
kind: study
name: {name}
portfolio:
  synthetic: {{parameters: us_near_prime, loans: 200, seed: 1, as_of: 2024-12-31}}
parameters: us_near_prime
scenarios: [{scenarios}]
sensitivity_range: false
strategies: [{strategies}]
paths: 80
months: 6
seed: {seed}
"""
LIKELY = """\
kind: macro_scenario
name: {name}
source: a shipped scenario; its weight is a test's
extends: {extends}
weight: {weight}
"""
SHIPPED = "baseline, severely_adverse"
RUNS = {
    "several": ("reference, calls.yaml, nothing.yaml", SHIPPED, 7),
    "single": ("reference", SHIPPED, 7),
    "other": ("calls.yaml", SHIPPED, 7),
    "seeded": ("calls.yaml", SHIPPED, 8),
    "weighted": ("reference, calls.yaml", "calm.yaml, storm.yaml", 7),
}
TABLES = (
    "incident_limits",
    "rung_outcomes",
    "strategy_costs",
    "strategy_differences",
    "strategy_levels",
    "strategy_ranking",
)
PICTURES = (
    "collections_funnel",
    "incidents",
    "pool_queue",
    "strategy_differences",
    "strategy_frontier",
)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Five runs: several strategies, one without a ladder, one with, the same on other draws, scenarios with weights.

    The first comes from the command with all that it publishes, and what it said lies beside it; the others are stored
    without pictures, which take longer than all else.
    """
    folder = tmp_path_factory.mktemp("home")
    (folder / "calls.yaml").write_text(CALLS, "utf-8")
    (folder / "nothing.yaml").write_text(NOTHING, "utf-8")
    for name, extends, weight in (("calm", "baseline", 0.75), ("storm", "severely_adverse", 0.25)):
        (folder / f"{name}.yaml").write_text(LIKELY.format(name=name, extends=extends, weight=weight), "utf-8")
    for name, (named, scenarios, seed) in RUNS.items():
        text = STUDY.format(name=name, strategies=named, scenarios=scenarios, seed=seed)
        (folder / f"{name}.yaml").write_text(text, "utf-8")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        answer = carstress("run", "several.yaml", "--threads", "1", "--json")
        assert answer.code == 0, answer.err
        (folder / "said.json").write_text(answer.out, "utf-8")
        for name in ("single", "other", "seeded", "weighted"):
            inputs = study_inputs(f"{name}.yaml")
            kept, found = inputs_to_store(inputs), run_study(inputs, size=RunSize(threads=1))
            write_run(folder / "runs" / name, found, kept, run_facts(found, kept))
    return folder


@pytest.fixture
def there(home: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(home)
    return home


def results(home: Path, name: str) -> xr.Dataset:
    return read_results(home / "runs" / name)


# --- one run -----------------------------------------------------------------------------------------------------


def test_a_run_is_compared_and_nothing_is_written(there: Path) -> None:
    before = set(files_below(there))
    answer = carstress("compare", "several")
    assert answer.code == 0, answer.err
    assert answer.out.startswith("3 strategies path by path on common draws; 80 paths; baseline reference;")
    for words in ("Less reference", "calls", "nothing", "Ranking", "Holm", "Costs and benefits over the horizon, USD"):
        assert words in answer.out
    assert "Warning: reference has no ladder and books no cost" in answer.out
    assert set(files_below(there)) == before


def test_json_has_what_the_measures_say(there: Path) -> None:
    document = carstress("compare", "runs/several/results.nc", "--baseline", "nothing", "--json").document
    assert document["schema"] == "carstress-compare/1"
    assert document["baseline"] == "nothing"
    assert document["strategies"] == ["nothing", "reference", "calls"]
    losses = strategies.strategy_loss(results(there, "several")).mean("path").squeeze()
    for row in document["differences"]:
        if row["measure"] == "expected_loss":
            pair = [float(losses.sel(scenario=row["scenario"], strategy=name)) for name in (row["strategy"], "nothing")]
            assert row["value"] == pytest.approx(pair[0] - pair[1], rel=1e-6)
    assert {row["verdict"] for row in document["differences"]} <= {"better", "worse", "not told apart", "not tested"}
    untested = [row for row in document["differences"] if row["verdict"] == "not tested"]
    assert untested
    assert all(row["p_value"] is row["adjusted_p"] is None for row in untested)
    assert document["bootstrap"]["replicates"] == 2_000


def test_the_other_loss_and_one_measure(there: Path) -> None:
    answer = carstress("compare", "several", "--loss", "net_loss", "--measure", "incidents")
    assert answer.code == 0
    assert "gross charge-off less recovery, undiscounted" in answer.out
    shown = answer.out.split("Ranking")[0]
    assert "incidents" in shown
    assert "VaR" not in shown


def test_tables_and_pictures_are_written_whole_and_once(there: Path) -> None:
    answer = carstress("compare", "several", "--out", "comparison", "--json")
    assert answer.code == 0, answer.err
    found = files_below(there / "comparison")
    tables = {f"tables/{name}.csv" for name in TABLES}
    figures = {f"figures/{name}.{end}" for name in PICTURES for end in ("csv", "png", "svg")}
    assert set(found) == tables | figures
    assert sorted(answer.document["files"]) == sorted(str(there / "comparison" / name) for name in found)
    table = pandas.read_csv(there / "comparison" / "tables" / "strategy_differences.csv")
    assert len(table) == len(answer.document["differences"])
    again = carstress("compare", "several", "--out", "comparison")
    assert again.code == 3
    assert "the folder exists already; expected a name that is free. Choose another name with --out, or remove it." in (
        again.err
    )
    limits = pandas.read_csv(there / "comparison" / "tables" / "incident_limits.csv")
    assert limits.to_dict("records") == answer.document["incident_limits"]
    assert files_below(there / "comparison") == found


def test_the_winner_is_run_again_on_fresh_paths(there: Path) -> None:
    answer = carstress("compare", "several", "--retest", "40", "--json")
    assert answer.code == 0, answer.err
    rows = answer.document["retest"]
    assert [row["scenario"] for row in rows] == ["baseline", "severely_adverse"]
    for row in rows:
        assert row["paths"] == 40
        assert row["outcome"] in {"holds", "does not hold", "was open"}
        assert row["fresh_value"] != row["value"]


def test_a_strategy_that_is_not_there_is_refused_with_those_that_are(there: Path) -> None:
    answer = carstress("compare", "several", "--baseline", "call")
    assert answer.code == 3
    assert "no strategy `call`; expected one of reference, calls, nothing." in answer.err
    assert answer.out == ""


def test_one_strategy_is_nothing_to_compare(there: Path) -> None:
    answer = carstress("compare", "single")
    assert answer.code == 3
    assert "one strategy, reference; expected two or more to compare. Name several under `strategies:`" in answer.err


def test_a_run_that_is_not_there_and_words_that_do_not_go_together(there: Path) -> None:
    assert carstress("compare", "severl").code == 3
    usage = carstress("compare", "single", "other", "--retest", "10")
    assert usage.code == 2
    assert "--retest runs strategies of one run again" in usage.err
    assert carstress("compare", "several", "--measure", "luck").code == 2


# --- two runs ----------------------------------------------------------------------------------------------------


def test_two_runs_on_common_draws_are_one_comparison(there: Path) -> None:
    """A strategy has the same losses whatever stands beside it in the study."""
    joined = carstress("compare", "single", "other", "--json").document
    assert joined["strategies"] == ["reference", "calls"]
    assert joined["runs"] == ["runs/single", "runs/other"]
    alone = strategies.strategy_differences(results(there, "several").sel(strategy=["reference", "calls"]))
    assert [row["value"] for row in joined["differences"]] == list(alone["value"])


def test_a_strategy_of_both_is_shown_once(there: Path) -> None:
    answer = carstress("compare", "several", "other")
    assert answer.code == 0, answer.err
    assert answer.out.startswith("3 strategies")
    assert "calls is the same in both runs and is shown once." in answer.out


def test_two_runs_on_other_draws_are_refused(there: Path) -> None:
    answer = carstress("compare", "single", "seeded")
    assert answer.code == 3
    lines = answer.err.splitlines()
    assert "runs/seeded: seed 8; expected 7, as in runs/single. Run it again with --seed of the other." in lines
    assert any(line.startswith("runs/seeded: global factors of the paths differ") for line in lines)
    assert len(lines) == 2


# --- the run itself ----------------------------------------------------------------------------------------------


def report_of(home: Path, name: str) -> str:
    return (home / "runs" / name / "report.html").read_text("utf-8")


def test_a_run_publishes_its_strategies(home: Path) -> None:
    figures = {path.stem for path in (home / "runs" / "several" / "figures").glob("*.png")}
    assert figures >= set(PICTURES)
    tables = {path.stem for path in (home / "runs" / "several" / "tables").glob("*.csv")}
    assert tables >= {*TABLES, "incident_limits"}
    for name in PICTURES:
        assert f'id="picture-{name}"' in report_of(home, "several")


def test_a_run_of_one_strategy_says_nothing_of_several(home: Path) -> None:
    assert compared(results(home, "single")) is None
    assert ranking_lines(None) == []


def test_the_terminal_of_a_run_ranks_its_strategies(home: Path) -> None:
    said = "\n".join(further_lines(several := results(home, "several"), compared(several)))
    assert "3 strategies path by path on common draws" in said
    assert "Ranking by the loss with costs; P(best), %" in said


def test_json_of_a_run_has_what_the_comparison_of_it_has(there: Path) -> None:
    told = json.loads((there / "said.json").read_text("utf-8"))
    found = carstress("compare", "several", "--json").document
    apart = {"schema", "runs", "notes"}
    assert {name: value for name, value in found.items() if name not in apart} == told["strategies"]
    assert told["incident_limits"] == told["strategies"]["incident_limits"]
    assert [row["kind"] for row in told["incident_limits"]] == ["complaint", "complaint"]
    measures = ["expected_loss", "expected_shortfall", "net_cash", "incidents"]
    assert sorted({row["measure"] for row in found["levels"]}) == sorted(measures)
    assert len(found["levels"]) == 2 * 3 * len(measures)
    assert {row["rank"] for row in found["levels"] if row["measure"] == "expected_loss"} == {1, 2, 3}


def test_the_report_of_a_run_has_the_figures_of_the_comparison(there: Path) -> None:
    text = report_of(there, "several")
    section = text[text.index('<section id="strategies">') :].split("</section>")[0]
    document = carstress("compare", "several", "--json").document
    for row in document["differences"]:
        if row["measure"] in ("expected_loss", "net_cash"):
            assert f">{amount(row['value'])}<" in section
            assert f">{percent(row['percent_of_opening'])}<" in section
    for row in document["incident_limits"]:
        assert f">{row['at_most']:g} complaints<" in section
        assert f">{percent(row['found_percent'], 1)} <" in section
    for row in document["costs"]:
        if row["measure"] == "net_benefit":
            assert f">{amount(row['value'])} <" in section


# --- scenarios with weights --------------------------------------------------------------------------------------


def test_scenarios_with_weights_are_compared_together_too(there: Path) -> None:
    """The difference of the mixture is the weighted sum of those of its scenarios; the winner's chance is told too."""
    answer = carstress("compare", "weighted", "--json")
    assert answer.code == 0, answer.err
    means = {row["scenario"]: row for row in answer.document["differences"] if row["measure"] == "expected_loss"}
    assert list(means) == ["calm", "storm", "(weighted)"]
    calm, storm, mixed = (row["value"] for row in means.values())
    assert mixed == pytest.approx(0.75 * calm + 0.25 * storm, rel=1e-9)
    errors = [row["standard_error"] for row in means.values()]
    assert errors[2] <= 0.75 * errors[0] + 0.25 * errors[1]
    assert means["(weighted)"]["verdict"] in {"better", "worse", "not told apart"}
    chances = [row["best_probability"] for row in answer.document["ranking"] if row["scenario"] == "(weighted)"]
    assert sum(chances) == pytest.approx(2.0), "by EL and by ES"
    assert "(weighted)" in carstress("compare", "weighted").out
