"""Cut-offs at underwriting at the command line: what runs, comparisons and traces say of them, what is refused."""

from __future__ import annotations

import contextlib
from pathlib import Path

import pandas
import pytest

import outputs.publish
from command_line import Answer, carstress
from outputs.store import read_inputs, read_results
from scenarios.underwriting import CRITERIA
from simulator.study import inputs_from_store
from strategy_texts import spoilt
from underwriting_cases import LTV, TEXT

STUDY = """\
kind: study
name: lent
portfolio: {synthetic: {parameters: us_subprime, loans: 200, seed: 3, as_of: 2024-12-31}}
parameters: us_subprime
scenarios: [baseline, severely_adverse]
sensitivity_range: false
strategies: [reference, asking.yaml]
paths: 40
months: 6
seed: 7
"""


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder with the study, a strategy with cut-offs and the run of both; pictures are left out."""
    folder = tmp_path_factory.mktemp("home")
    (folder / "study.yaml").write_text(STUDY, "utf-8")
    (folder / "asking.yaml").write_text(spoilt(TEXT, LTV, f"{LTV}\n  least_score: 590"), "utf-8")
    with pytest.MonkeyPatch.context() as patch, contextlib.chdir(folder):
        patch.setattr(outputs.publish, "draw_pictures", lambda *_, **__: ())
        answer = carstress("run", "study.yaml")
    assert answer.code == 0
    (folder / "said.txt").write_text(answer.out, "utf-8")
    return folder


def declined_of(folder: Path) -> dict[str, int]:
    """Loans that the stored run says were declined, by criterion."""
    counts = read_results(folder / "runs" / "lent")["declined_by_criterion"].sel(strategy="asking")
    return {name: int(counts.sel(criterion=name)) for name in CRITERIA}


def test_a_run_says_what_was_declined(home: Path) -> None:
    found = declined_of(home)
    said = (home / "said.txt").read_text("utf-8")
    assert found["most_ltv_percent"] > 0
    assert found["least_score"] > 0
    assert f"asking declines for: loan-to-value {found['most_ltv_percent']}, score {found['least_score']}." in said
    report = (home / "runs" / "lent" / "report.html").read_text("utf-8")
    assert '<h3 id="business">Business declined before the loan</h3>' in report
    assert f"asking declines for: loan-to-value {found['most_ltv_percent']}, score {found['least_score']}." in report
    table = pandas.read_csv(home / "runs" / "lent" / "tables" / "strategy_business.csv")
    assert table.groupby("strategy")["declined"].max().to_dict() == {"asking": sum(found.values()), "reference": 0}


def test_the_top_of_the_report_says_that_the_best_declines_business(home: Path) -> None:
    report = (home / "runs" / "lent" / "report.html").read_text("utf-8")
    table = pandas.read_csv(home / "runs" / "lent" / "tables" / "strategy_business.csv")
    for scenario in ("baseline", "severely_adverse"):
        rows = table[table["scenario"] == scenario].set_index("strategy")
        (line,) = [
            each for each in report.splitlines() if f"asking has the least expected loss in {scenario}: " in each
        ]
        declined, least = rows.loc["asking", "declined_percent"], rows["loss_percent"].idxmin()
        who = "its expected loss is the least too" if least == "asking" else f"that of {least} is the least"
        loss = rows["loss_percent"].min()
        assert (
            f"It declines {declined:.1f} % of the book before the loan; of what each lends, {who}: {loss:.2f} %."
            in line
        )
        assert report.index(line) < report.index(f"<strong>{scenario} / reference</strong>")


def test_a_comparison_tells_declined_business(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(home)
    told = carstress("compare", "lent")
    assert told.code == 0
    assert "Business declined before the loan, USD" in told.out
    rows = carstress("compare", "lent", "--json").document["business"]
    assert [(row["scenario"], row["strategy"], row["declined"]) for row in rows] == [
        (scenario, name, count)
        for scenario in ("baseline", "severely_adverse")
        for name, count in (("reference", 0), ("asking", sum(declined_of(home).values())))
    ]
    with_cash = carstress("compare", "lent", "--json", "--measure", "net_cash").document["differences"]
    for scenario in ("baseline", "severely_adverse"):
        (cash,) = [row for row in with_cash if (row["scenario"], row["measure"]) == (scenario, "net_cash")]
        # Declined loans would have repaid a part within these months; without their principal this would be below 0.
        assert 0.0 < cash["value"] < rows[1]["declined_balance"]


def test_a_declined_loan_is_traced_where_it_is_lent(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(home)
    run = home / "runs" / "lent"
    inputs = inputs_from_store(read_inputs(run), run / "results.nc")
    kept = inputs.tape_of("asking")["loan_id"]
    gone = next(str(name) for name in inputs.tape["loan_id"] if name not in kept)
    refused = carstress("trace", "lent", gone, "--path", 3, "--strategy", "asking")
    assert (refused.code, refused.out) == (3, "")
    assert f"loan `{gone}` was declined by strategy asking: it does not meet " in refused.err
    assert "Trace it under a strategy that lends it, by --strategy." in refused.err
    assert carstress("trace", "lent", gone, "--path", 3, "--strategy", "reference").code == 0
    assert carstress("trace", "lent", str(kept[-1]), "--path", 3, "--strategy", "asking").code == 0


REFUSED = [
    # what stands in the place of the loan-to-value, what is said
    (
        "credit_insured: true",
        "asking.yaml:7:3: underwriting of strategy asking declines all 200 loans of the book (credit_insured 200); "
        "expected cut-offs that some loans meet",
    ),
    ("least_score: 720", "asking.yaml:7:16: underwriting.least_score = 720, and the tape's scores go from 580 to 619"),
]


@pytest.mark.parametrize(("block", "said"), REFUSED)
def test_a_strategy_that_lends_nobody_is_exit_code_3(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, block: str, said: str
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("study.yaml").write_text(STUDY, "utf-8")
    Path("asking.yaml").write_text(spoilt(TEXT, LTV, block), "utf-8")
    assert carstress("validate", "asking.yaml").code == 0
    answer = carstress("run", "study.yaml", "-q")
    assert (answer.code, answer.out) == (3, "")
    assert said in " ".join(answer.err.split())
    assert not Path("runs").exists()


def test_the_schema_knows_the_block() -> None:
    answer: Answer = carstress("schema")
    fields = answer.document["$defs"]["Underwriting"]["properties"]
    assert set(CRITERIA) < set(fields)
    assert all(field["description"] for field in fields.values())
