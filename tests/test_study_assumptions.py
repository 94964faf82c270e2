"""What a run says of its study: levels at its start, its own assumptions, what waiting for a call does."""

from __future__ import annotations

import re
from html import unescape
from pathlib import Path

import pytest

from calibration.library import find_parameter_set
from outputs.caveats import caveats
from outputs.manifest import run_facts
from outputs.report import ReportInputs, render_report
from outputs.sensitivity import top_of_range, why_lower
from outputs.start_levels import FAR_PRIME_RATE, FAR_UNEMPLOYMENT, far_starts
from outputs.study_view import study_document, study_rows
from outputs.terminal import further_lines, measures_document, study_warnings
from sample_results import sample_results
from scenarios.library import find_study
from simulator.study import StudyInputs, load_inputs

STUDY = """
kind: study
name: small
portfolio: {{synthetic: {{loans: 50, seed: 3, as_of: 2024-12-31}}}}
parameters: {parameters}
scenarios: [{scenario}]
paths: 8
months: 14
seed: 5
{more}
"""

OWN = """
kind: macro_scenario
name: own
source: Assumption, for a test.
extends: baseline
jump_off: {{unemployment_percent: {unemployment}, prime_rate_percent: {prime}}}
"""


def loaded(folder: Path, parameters: str, scenario: str = "baseline", more: str = "") -> StudyInputs:
    path = folder / "study.yaml"
    path.write_text(STUDY.format(parameters=parameters, scenario=scenario, more=more), encoding="utf-8")
    return load_inputs(find_study(str(path)), find_parameter_set)


def words(html: str) -> str:
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", html)).split())


# --- levels at the start ---------------------------------------------------------------------------------


def test_a_chinese_set_under_an_american_scenario_is_told(tmp_path: Path) -> None:
    inputs = loaded(tmp_path, "cn_auto_finance", "baseline, severely_adverse")
    (told,) = [text for text in caveats(inputs, ()) if "begins far" in text]
    assert (
        "the prime rate is 7.8 % in month 0 of baseline, severely_adverse and was 3.1 % where cn_auto_finance was "
        "observed. Funding follows the prime rate"
    ) in told
    assert "unemployment is" not in told  # 4.1 and 5.2 %
    assert "No scenario of the book's country was chosen: those shipped are of the United States" in told
    assert "the book is in CNY" in told
    assert "No scenario of the book's country" in " ".join(study_warnings(inputs)).replace("\n", " ")
    document = measures_document(sample_results(n_paths=5), (), inputs)
    assert document["warnings"][-1] == told


@pytest.mark.parametrize(("gap", "far"), [(-0.01, False), (0.01, True)])
def test_thresholds_are_met_from_both_sides(tmp_path: Path, gap: float, far: bool) -> None:
    levels = find_parameter_set("cn_auto_finance").macro_reference
    for sign in (-1, 1):
        prime = levels.prime_rate_percent.value + sign * (FAR_PRIME_RATE + gap)
        unemployment = levels.unemployment_percent.value + sign * (FAR_UNEMPLOYMENT + gap)
        (tmp_path / "own.yaml").write_text(OWN.format(unemployment=unemployment, prime=prime), encoding="utf-8")
        inputs = loaded(tmp_path, "cn_auto_finance", "own.yaml")
        text = " ".join(far_starts(inputs))
        assert ("prime rate is" in text, "unemployment is" in text) == (far, far)
        assert "No scenario of the book's country" not in text  # it may be the book's
        assert study_warnings(inputs) == []


def test_an_american_book_has_the_gap_in_its_report_alone(tmp_path: Path) -> None:
    inputs = loaded(tmp_path, "us_near_prime")
    (told,) = far_starts(inputs)
    assert "was 4.9 % where us_near_prime was observed" in told
    assert "country" not in told
    assert study_warnings(inputs) == []


# --- the study's own assumptions -------------------------------------------------------------------------


def test_the_studys_own_assumptions_stand_in_report_and_json(tmp_path: Path) -> None:
    inputs = load_inputs(find_study("call_centre"), find_parameter_set)
    rows = dict(study_rows(inputs))
    assert "agents: 57 hours a month for each 100 loans past due at the as-of date" in rows["strategy reference_us"]
    assert rows["strategy phone_first"].startswith(inputs.strategies[1].title)
    assert rows["source of phone_first"] == " ".join(inputs.strategies[1].source.split())
    first, second = study_document(inputs)["strategies"]
    assert (first["name"], second["name"]) == ("reference_us", "phone_first")
    assert first["pools"]["agents"]["hours_per_100_in_arrears"] == 57.0
    shared = loaded(tmp_path, "us_near_prime", more="market_share_percent: 12.5")
    assert study_document(shared) == {"market_share_percent": 12.5}
    results = sample_results(n_paths=5, pool=True)
    shown = ReportInputs("own", results, run_facts(results, {}), (), study=(*study_rows(inputs), *study_rows(shared)))
    text = words(render_report(shown))
    assert "The study's own assumptions strategy reference_us" in text
    assert "market share 12.5 % of the used-car market's auctions" in text


def test_cut_offs_stand_among_the_studys_assumptions(tmp_path: Path) -> None:
    rows = dict(study_rows(loaded(tmp_path, "us_subprime", more="strategies: [strict_underwriting]\n")))
    told = rows["underwriting of strict_underwriting"]
    assert told.startswith(
        "most_ltv_percent = 125.0, least_score = 590.0, most_payment_to_income_percent = 15.0. assumpt"
    )


def test_a_study_without_assumptions_of_its_own_has_no_block(tmp_path: Path) -> None:
    inputs = loaded(tmp_path, "us_near_prime")
    assert (study_rows(inputs), study_document(inputs)) == ((), {})
    results = sample_results(n_paths=5)
    assert "own assumptions" not in render_report(ReportInputs("plain", results, run_facts(results, {}), ()))


# --- the top that lowers ---------------------------------------------------------------------------------


@pytest.mark.parametrize(("factor", "lower"), [(0.9, True), (1.1, False)])
def test_a_top_that_lowers_the_loss_is_explained(factor: float, lower: bool) -> None:
    results = sample_results(n_paths=60)
    loss = results["ultimate_loss"].sum("month") + results["ultimate_loss_after_horizon"]
    top = (factor * loss).rename(path="path_top")
    results["loss_at_top_sensitivity"] = top.where(top["scenario"] != "baseline")
    note = why_lower(top_of_range(results))
    assert note.startswith("The top lowers the loss in severely_adverse: ") is lower
    words_below = " ".join("\n".join(further_lines(results)).split())
    html = render_report(ReportInputs("top", results, run_facts(results, {}), ()))
    for text in (words_below, words(html)):
        assert ("a stronger one takes arrears farther down" in text) is lower
