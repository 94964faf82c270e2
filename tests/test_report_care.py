"""What a reader sees of rungs for loans without arrears: report, terminal, JSON, pictures, two runs joined."""

from __future__ import annotations

import re
from html import unescape
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from calibration.library import find_parameter_set
from outputs import figure_strategies
from outputs.care import WHILE_CURRENT, care_table
from outputs.manifest import run_facts
from outputs.report import ReportInputs, render_report
from outputs.strategies_join import StoredRun, join_runs
from outputs.strategies_report import action_costs
from outputs.strategies_view import compare_strategies, compared, comparison_document, format_comparison
from outputs.wording import amount, percent
from scenarios.library import find_study
from simulator.engine import RunSize
from simulator.study import inputs_to_store, load_inputs, run_study

STUDY = """\
kind: study
name: {name}
portfolio:
  synthetic: {{parameters: us_subprime, loans: 200, seed: 1, as_of: 2024-12-31}}
parameters: us_subprime
scenarios: [baseline, severely_adverse]
sensitivity_range: false
strategies: [{strategies}]
paths: 20
months: 6
seed: 7
"""


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, StoredRun]:
    """A run of both strategies, and one of each alone, as if they had been stored."""
    folder = tmp_path_factory.mktemp("care")
    found = {}
    for name, strategies in (
        ("both", "reference_us, early_warning"),
        ("one", "reference_us"),
        ("two", "early_warning"),
    ):
        file = folder / f"{name}.yaml"
        file.write_text(STUDY.format(name=name, strategies=strategies), "utf-8")
        inputs = load_inputs(find_study(str(file)), find_parameter_set)
        kept, results = inputs_to_store(inputs), run_study(inputs, size=RunSize(threads=1))
        facts = {"seed": 7, "rng_scheme": results.attrs["rng_scheme"], "run_id": name, "versions": {"carstress": "1"}}
        found[name] = StoredRun(name, f"runs/{name}", Path(name), results, facts, kept)
    return found


@pytest.fixture(scope="module")
def results(runs: dict[str, StoredRun]) -> xr.Dataset:
    return runs["both"].results


def test_the_report_and_the_terminal_have_the_table(results: xr.Dataset) -> None:
    table = care_table(results)
    assert set(table["strategy"]) == {"early_warning"}
    assert float(table["averted"].sum()) > 0.0
    text = render_report(ReportInputs("care", results, run_facts(results, {}), (), comparison=compared(results)))
    part = text[text.index('<section id="strategies">') :].split("</section>")[0]
    words = " ".join(unescape(re.sub(r"<[^>]+>", " ", part)).split())
    found = compare_strategies(results)
    told = format_comparison(found)
    for row in table.to_dict("records"):
        counts = [amount(row[name]) for name in ("asked", "served", "followed")]
        shares = [percent(row[name], 2) for name in ("hit_percent", "found_percent")]
        assert " ".join([row["rung"], *counts, *shares, amount(row["averted"])]) in words
        assert re.search(r"\s+".join(map(re.escape, [row["rung"], *counts, *shares, amount(row["averted"])])), told)
    assert len(comparison_document(found)["care"]) == len(table)


def test_the_funnel_is_of_loans_in_arrears(results: xr.Dataset) -> None:
    before = {str(name) for name in results["rung"].values[results[WHILE_CURRENT].values]}
    assert before
    data = figure_strategies.rung_totals(results)
    assert not data.empty
    assert not before & set(data["rung"])


def test_costs_of_an_engines_run_by_what_they_are_paid_for_sum_to_all_costs(results: xr.Dataset) -> None:
    for block in action_costs(results):
        cells = np.array([[cell[0] for cell in row] for _, row in block.rows])
        np.testing.assert_allclose(cells[:-1].sum(axis=0), cells[-1], rtol=1e-9)
        assert (cells[-1] > 0.0).all()


def test_two_runs_joined_know_which_rungs_are_for_whom(runs: dict[str, StoredRun], results: xr.Dataset) -> None:
    joined, _ = join_runs(runs["one"], runs["two"])
    told = dict(zip(map(str, joined["rung"].values), joined[WHILE_CURRENT].values.tolist(), strict=True))
    assert told == dict(zip(map(str, results["rung"].values), results[WHILE_CURRENT].values.tolist(), strict=True))
    one, other = (care_table(each).drop(columns="strategy") for each in (joined, results))
    np.testing.assert_allclose(one["asked"], other["asked"])


def test_weighted_scenarios_have_no_table_of_their_own(results: xr.Dataset) -> None:
    weighted = results.assign_coords(scenario_weight=("scenario", np.array([0.5, 0.5])))
    assert care_table(weighted).equals(care_table(results))
    assert "(weighted)" in format_comparison(compare_strategies(weighted))
