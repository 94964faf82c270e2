"""What the report says of the book, its caveats, its arrears and where the loss comes from."""

from __future__ import annotations

import re
from collections.abc import Callable
from html import unescape
from pathlib import Path

import pandas
import pytest
import xarray as xr

from outputs import contributions, rates
from outputs.caveats import caveats
from outputs.figures import draw_pictures
from outputs.manifest import run_facts
from outputs.publish import report_inputs
from outputs.report import ReportInputs, render_report
from outputs.report_views import cut_tables, rate_matrix
from outputs.tables import report_tables
from outputs.wording import percent
from sample_results import sample_results
from scenarios.library import find_study
from simulator.provenance import provenance
from simulator.study import StudyInputs, load_inputs, run_study

STUDY = """
kind: study
name: small
portfolio: {synthetic: {loans: 300, seed: 3, as_of: 2020-07-31}}
parameters: us_near_prime
scenarios: [fed_2025_baseline, fed_2025_severely_adverse]
shift_calendar: true
paths: 8
months: 14
seed: 5
"""


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> StudyInputs:
    from calibration.library import find_parameter_set

    path = tmp_path_factory.mktemp("study") / "study.yaml"
    path.write_text(STUDY, encoding="utf-8")
    return load_inputs(find_study(str(path)), find_parameter_set)


@pytest.fixture(scope="module")
def inputs(study: StudyInputs) -> ReportInputs:
    results = run_study(study)
    return report_inputs(study, results, run_facts(results, {}), ())


def words(html: str) -> str:
    """What a reader reads, pictures and style left out."""
    for element in ("svg", "style"):
        html = re.sub(rf"<{element}.*?</{element}>", "", html, flags=re.DOTALL)
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", html)).split())


@pytest.fixture(scope="module")
def html(inputs: ReportInputs) -> str:
    return render_report(inputs)


def section(html: str, name: str) -> str:
    return words(html[html.index(f'<section id="{name}">') :].split("</section>")[0])


def test_largest_assumptions_stand_in_a_box_at_the_top(html: str, study: StudyInputs) -> None:
    box = words(html[html.index("<aside") : html.index("</aside>")])
    assert html.index("</aside>") < html.index('<section id="summary">')
    assert "The calendar is shifted: fed_2025_baseline, fed_2025_severely_adverse were written" in box
    assert "for months from 2025-01 on and are run on a tape of 2020-07" in box
    assert "they stay flat in fed_2025_baseline; they follow unemployment in fed_2025_severely_adverse" in box
    rows = provenance(study.parameters())
    acting = [row for row in rows if row.acts]
    low = sum(row.confidence == "L" for row in acting)
    assert f"{low} of {len(acting)} numbers ({100 * low / len(acting):.0f} %) of the parameters rest" in box
    idle = {row.field for row in rows if not row.acts}
    assert "buckets.charge_off_days" in idle
    assert all(name == "buckets.charge_off_days" or name.startswith("published.") for name in idle)
    assert "buckets.charge_off_days = 120 (days past due; descriptive, no result depends on it)" in html


def test_each_kind_of_caveat_is_one_sentence(study: StudyInputs) -> None:
    assert len(caveats(study, ())) == 4
    (idle,) = [text for text in caveats(study, ()) if "act on no borrower" in text]
    assert idle == (
        "Disposable income growth and prime rate move in the scenarios and act on no borrower: the parameter sets have "
        "no sensitivity to them. Of a scenario only unemployment (on entry into arrears) and used-car prices change "
        "the loss; the prime rate moves the cost of funding, and with it income."
    )
    (share,) = [text for text in caveats(study, provenance(study.parameters())) if "confidence L" in text]
    assert "errors below are those of the simulation only" in share


def test_the_book_is_described_as_the_tape_is(html: str, inputs: ReportInputs) -> None:
    assert inputs.book is not None
    text = section(html, "book")
    assert "300 loans as of 2020-07-31; averages weighted by balance" in text
    assert f"LTV at origination {100 * inputs.book['averages']['loan_to_value']:.2f} %" in text
    for title in ("days past due", "credit score at origination", "region", "vehicle", "vintage"):
        assert f"By {title}" in text
    table = report_tables(inputs)["book"]
    assert set(table["division"]) >= {"region", "vintage", "score_band"}
    regions = table[table["division"] == "region"]
    assert regions["balance"].sum() == pytest.approx(inputs.book["balance"])


def test_arrears_stand_by_month_beside_the_settled_state(html: str, inputs: ReportInputs) -> None:
    text = section(html, "book")
    assert "arrears tape month 1 month 12 month 14, the horizon parameter set, settled" in text
    table = report_tables(inputs)["arrears"]
    row = table[(table["scenario"] == "fed_2025_baseline") & (table["bucket"] == "30-59")]["percent_of_loans"]
    shown = " ".join(percent(value, 2) for value in (*row, 100 * inputs.settled[0]))
    assert f"30 or more days past due {shown}" in text


def test_numbers_of_parameters_are_folded_the_weakest_first(html: str) -> None:
    places = [html.index(f"<summary>{letter}: ") for letter in "LMH"]
    assert places == sorted(places)
    assert "<details open" not in html


def test_scenarios_differ_by_pairs(html: str) -> None:
    text = section(html, "summary")
    assert "What the scenario adds: differences path by path on common draws" in text
    assert "fed_2025_severely_adverse less fed_2025_baseline EL" in text


def test_panels_of_idle_variables_say_so(inputs: ReportInputs) -> None:
    drawn = draw_pictures(inputs.results, inputs.facts.run_id)  # those of a report are rendered and put away
    picture = next(picture for picture in drawn if picture.name == "macro_paths")
    titles = [axes.get_title("left") or axes.get_title() for axes in picture.figure.axes]
    idle = [title.partition("\n")[0] for title in titles if title.endswith("no effect on loss")]
    assert len(titles) == len(idle) + 2, titles
    assert not any("Unemployment" in title or "Used-car" in title for title in idle)


def test_first_months_of_net_loss_are_said_to_be_gross(html: str) -> None:
    text = section(html, "pictures")
    assert "The first months are gross: sales of cars of loans charged off before the as-of date are not" in text


def test_rates_stand_side_by_side_with_their_definitions(html: str, inputs: ReportInputs) -> None:
    matrix = rate_matrix(inputs.results)
    assert matrix.runs == ("fed_2025_baseline", "fed_2025_severely_adverse")
    table = rates.rates(inputs.results)
    assert len(matrix.rows) * 2 == len(table)
    text = section(html, "summary")
    for label, definition, cells in matrix.rows:
        assert f"{label} {definition} {percent(cells[0][0])}" in text


def test_cut_tables_show_the_first_run_and_the_worst(inputs: ReportInputs, html: str) -> None:
    results = sample_results(n_paths=60, n_months=6)
    three = xr.concat(
        [results, results.isel(scenario=[0]).assign_coords(scenario=["mild"])],
        "scenario",
        data_vars="minimal",
        coords="minimal",
        compat="override",
        join="override",
    )
    shown = cut_tables(three)
    assert shown.runs == ("baseline", "severely_adverse")
    assert shown.left_out == ("mild",)
    assert shown.undivided == ("sector", "tier", "channel", "product")
    last = shown.cuts["vehicle"][-1]
    assert (last.label, last.opening_percent) == ("the book", 100.0)
    for column in (1, 2, 3):
        parts = sum(row.cells[column][0] for row in shown.cuts["vehicle"][:-1])
        assert parts == pytest.approx(last.cells[column][0])
    assert "Loss by vintage, %" in section(html, "cuts")


def test_tables_beside_the_report_have_every_level(inputs: ReportInputs) -> None:
    found = report_tables(inputs)
    assert {"arrears", "differences", "loss_by_cut", "rates", "book", "book_averages"} <= set(found)
    pandas.testing.assert_frame_equal(found["loss_by_cut"], contributions.loss_by_cut(inputs.results))


def test_a_single_loan_is_no_loans(tmp_path: Path, inputs: ReportInputs) -> None:
    results = sample_results(n_paths=1, n_months=1).assign_attrs(opening_count=1)
    text = words(render_report(ReportInputs("one", results, run_facts(results, {}), ())))
    assert "1 loan, opening balance" in text
    assert "1 path over 1 month and run-off" in text
    assert not re.search(r"\b1 (loans|paths|months|rows|numbers)\b", text.replace("in 1 paths", ""))


def test_the_real_pool_is_warned_of(shared_data: Callable[[str], Path], study: StudyInputs) -> None:
    """Of World Omni's pool 0.6 % were 30 days late in July 2020; the sets of its score bands lead elsewhere."""
    from dataclasses import replace

    from calibration.library import find_parameter_set
    from outputs.wording import arrears_warnings
    from simulator.tape import read_tape

    folder = shared_data("world_omni_2020")
    mapping = Path(__file__).resolve().parents[1] / "docs" / "examples" / "world_omni" / "mapping.yaml"
    names = ("us_super_prime", "us_prime", "us_near_prime", "us_subprime", "us_deep_subprime")
    sets = tuple(find_parameter_set(name) for name in names)
    tape = read_tape(folder / "WORLD_OMNI_FINANCIAL_CORP.csv.gz", "reg_ab", mapping)
    real = replace(study, tape=tape, sets=sets, study=study.study.model_copy(update={"months": 3, "paths": 4}))
    (warning,) = arrears_warnings(run_study(real))
    assert "On the tape 0.6 % of loans are 30 or more days past due" in warning
