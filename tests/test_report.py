"""The report: complete, self-contained, harmless whatever the tape says, and the same bytes each time."""

from __future__ import annotations

import csv
import io
import re
from collections import Counter
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pandas
import pytest
import xarray as xr
from matplotlib.figure import Figure

from outputs import book_view, measures, report, tables
from outputs.csv_text import cell, harmless, to_csv
from outputs.figures import Picture, draw_pictures
from outputs.limits import LimitResult
from outputs.manifest import run_facts
from outputs.report import ReportInputs, render_report
from outputs.style import plain
from outputs.wording import amount
from sample_results import sample_results
from simulator.provenance import ProvenanceRow
from simulator.tape.report import CellFault, LoadReport, RejectedRow

CSP = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"

LENDER_SECTIONS = ("provision", "money", "workout", "regimes")
LAST_SECTIONS = ("further", "reconciliation", "assumptions", "run", "limitations")

MARKUP = (
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "<svg/onload=alert(1)>",
    '"><script>alert(1)</script>',
    "'><iframe src=javascript:alert(1)>",
    '" onmouseover="alert(1)',
    "' onfocus='alert(1)' autofocus='",
    "<a href=javascript:alert(1)>x</a>",
    "</td></tr></table><script>alert(1)</script>",
    "</style><script>alert(1)</script>",
    "</title><script>alert(1)</script>",
    "</svg><script>alert(1)</script>",
    "<!-- --><script>alert(1)</script>",
    "--><script>alert(1)</script>",
    "<![CDATA[<script>alert(1)</script>]]>",
    "{{ 7 * 7 }}",
    "{% for x in y %}",
    "&lt;script&gt;alert(1)&lt;/script&gt;",
    "<base href=http://example.org/>",
    "<meta http-equiv=refresh content=0;url=http://example.org/>",
    "<link rel=stylesheet href=http://example.org/x.css>",
    "<form action=http://example.org/><input name=x>",
)
FORMULAS = (
    "=1+1",
    "+1",
    "-1+1",
    "@SUM(A1)",
    "\t=1",
    "\r=1",
    "\n=1",
    "\0=1",
    " =1",
    "＝1",
    "－1",
    '=HYPERLINK("http://x")',
)


class Page(HTMLParser):
    """What a browser would find: tags, attributes, texts."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: Counter[str] = Counter()
        self.attributes: list[tuple[str, str, str]] = []
        self.texts: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags[tag] += 1
        self.attributes += [(tag, name, value or "") for name, value in attrs]

    def handle_data(self, data: str) -> None:
        self.texts.append(data)

    @property
    def text(self) -> str:
        return "\n".join(self.texts)

    def values(self, name: str) -> list[str]:
        return [value for _, attribute, value in self.attributes if attribute == name]


@pytest.fixture(scope="module")
def results() -> xr.Dataset:
    return sample_results(n_paths=200)


@pytest.fixture(scope="module")
def pictures(results: xr.Dataset) -> tuple[Picture, ...]:
    return draw_pictures(results, "0123456789ab")


BOOK = {
    "loans": 1,
    "balance": 9_000.0,
    "original_balance": 10_000.0,
    "averages": dict.fromkeys(book_view.AVERAGES),
    "days_past_due": {},
    "loan_to_value": {},
    "cuts": {},
}
"""What a description of a tape holds, as far as the report reads it."""


def rejected(line: int, loan_id: str, cents: int | None = 12_345) -> RejectedRow:
    fault = CellFault("rate", "rate = -5.0", "0 to 4", "Write fractions.")
    return RejectedRow(line, loan_id, (fault,), cents)


def load_report(rows: tuple[RejectedRow, ...]) -> LoadReport:
    cents = sum(row.balance_cents or 0 for row in rows)
    return LoadReport(
        source="tape.csv",
        layout="reg_ab",
        rows_read=1_000 + len(rows),
        rows_used=1_000,
        balance_read_cents=1_823_456_789_01 + cents,
        balance_used_cents=1_823_456_789_01,
        rejected=rows,
        defaults={"value_source": 7},
        missing={"sector": 993},
        guesses=("payment_to_income is read as a fraction: its median is 0.08",),
        notes=("instalments leave 12.34 USD at maturity",),
    )


def provenance_row(field: str, confidence: str, source: str = "S&P Global, auto loan ABS tracker") -> ProvenanceRow:
    return ProvenanceRow(
        "us_near_prime", field, 0.0282, "probability a month", source, confidence, (0.01, 0.05), "note"
    )


@pytest.fixture(scope="module")
def inputs(results: xr.Dataset, pictures: tuple[Picture, ...]) -> ReportInputs:
    return ReportInputs(
        title="Near-prime sample",
        results=results,
        facts=run_facts(results, {}, {"pool/tape.csv": "5" * 64}, ("the horizon outlasts the path",)),
        pictures=pictures,
        load_report=load_report((rejected(7, "00123"), rejected(9, "", None))),
        provenance=[
            provenance_row("transitions[current].30-59", "M"),
            provenance_row("transitions[current].60-89", "M"),
            provenance_row("sale.haircut", "L", "assumption: no figure was found"),
        ],
        assumptions={"baseline": (), "severely_adverse": ("The used-car index is a satellite of unemployment.",)},
        notes=("The age of 12 cars is not stated.",),
        limits=(LimitResult("severely_adverse", "reference", "none", "VaR 99 %", 15.0, 19.6, 0.2, False, True),),
    )


@pytest.fixture(scope="module")
def html(inputs: ReportInputs) -> str:
    return render_report(inputs)


@pytest.fixture(scope="module")
def page(html: str) -> Page:
    return Page(html)


# --- complete ----------------------------------------------------------------------------------------


def test_sections_stand_in_order(page: Page) -> None:
    sections = [value for tag, name, value in page.attributes if (tag, name) == ("section", "id")]
    assert sections == ["summary", "book", "pictures", "cuts", *LENDER_SECTIONS, *LAST_SECTIONS]


def test_summary_is_that_of_the_measures(page: Page, results: xr.Dataset) -> None:
    for row in measures.summary(results).itertuples():
        assert amount(row.value) in page.text
        assert f"{row.percent_of_opening:.3f}" in page.text
    assert page.text.count("unreliable") > 4
    assert "with a probability of 1 % it is more than" in page.text


def test_reconciliation_ties_to_the_cent(page: Page) -> None:
    for cents in ("1,823,456,789.01", "123.45", "1,823,456,912.46"):
        assert cents in page.texts
    text = " ".join(page.text.split())
    assert "7 00123 rate rate = -5.0; expected 0 to 4. Write fractions. 123.45" in text
    assert "unreadable" in text
    assert "1 rejected row has no readable balance; it is in no sum of money." in text
    assert "payment_to_income is read as a fraction: its median is 0.08" in text


def test_assumptions_stand_with_source_and_confidence(page: Page) -> None:
    text = " ".join(page.text.split())
    assert "1 of 3 numbers (33 %) have confidence L" in text
    assert "transitions[current].30-59 = 0.0282 (probability a month, plausible 0.01 to 0.05)" in text
    assert "S&P Global, auto loan ABS tracker note" in text
    assert "The used-car index is a satellite of unemployment." in text
    assert "The age of 12 cars is not stated." in text


def test_the_run_can_be_traced(page: Page, inputs: ReportInputs) -> None:
    facts = inputs.facts
    for fact in (facts.run_id, str(facts.seed), facts.rng_scheme, facts.input_files["pool/tape.csv"], "pool/tape.csv"):
        assert fact in page.text
    assert f"numba {facts.versions['numba']}" in page.text
    assert "run-off: no new loans" in page.text


def test_what_fails_or_is_missing_is_said_at_the_top(html: str) -> None:
    top = html[: html.index('<section id="summary">')]
    assert "A declared limit fails: severely_adverse, VaR 99 % is 19.600 % of the opening balance" in top
    assert "the horizon outlasts the path" in top
    assert "no loan gets another rate, amount or term" in " ".join(html.split())


def test_many_rejected_rows_are_cut_and_the_rest_is_pointed_to(inputs: ReportInputs) -> None:
    rows = tuple(rejected(line, f"loan {line}") for line in range(2, 502))
    text = render_report(replace(inputs, pictures=(), load_report=load_report(rows)))
    assert "the first 200 of 500; all are in tables/rejected_rows.csv" in text
    assert "loan 201" in text
    assert "loan 202" not in text


def test_a_run_without_tape_limits_or_parameters_has_a_report(inputs: ReportInputs) -> None:
    bare = replace(inputs, load_report=None, provenance=(), assumptions=None, notes=(), limits=(), pictures=())
    text = render_report(bare)
    assert "No tape was read for this run." in text
    assert "confidence L" not in text


# --- self-contained ----------------------------------------------------------------------------------


def test_nothing_is_fetched_and_nothing_runs(page: Page, html: str) -> None:
    assert next(value for tag, name, value in page.attributes if (tag, name) == ("meta", "content")) == CSP
    assert html.index("Content-Security-Policy") < html.index("<style>")
    assert not set(page.tags) & {"script", "link", "img", "iframe", "object", "embed", "form", "base", "foreignobject"}
    assert not [name for _, name, _ in page.attributes if name.startswith("on")]
    for name in ("href", "xlink:href", "src", "action", "srcset"):
        assert all(value.startswith("#") for value in page.values(name)), name
    assert "@import" not in html
    assert all(target.startswith("#") for target in re.findall(r"url\(([^)]*)\)", html))


def test_every_name_is_unique_and_every_reference_has_its_target(page: Page, html: str) -> None:
    names = page.values("id")
    assert len(names) == len(set(names))
    wanted = {value[1:] for name in ("href", "xlink:href") for value in page.values(name)}
    wanted |= set(re.findall(r"url\(#([^)]*)\)", html))
    assert wanted <= set(names)


def test_every_picture_has_a_text_alternative_and_a_caption(page: Page, pictures: tuple[Picture, ...]) -> None:
    labels = [value for tag, name, value in page.attributes if (tag, name) == ("svg", "aria-label")]
    assert labels == [picture.alternative for picture in pictures]
    assert page.tags["svg"] == page.tags["figure"] == page.tags["figcaption"] == len(pictures)
    assert "<metadata" not in "".join(page.tags)


def test_same_run_same_bytes(inputs: ReportInputs, html: str, tmp_path: Path) -> None:
    path = report.write_report(tmp_path / "report.html", inputs)
    assert path.read_bytes() == html.encode()


# --- harmless ----------------------------------------------------------------------------------------


def with_text(text: str, inputs: ReportInputs, results: xr.Dataset) -> Page:
    """The report of a run in which every field that a user can write says `text`."""
    fault = CellFault(text, text, text, text)
    read = load_report((RejectedRow(2, text, (fault,), 5),))
    load = replace(read, source=text, layout=text, defaults={text: 1}, guesses=(text,), notes=(text,))
    row = provenance_row(text, "L", text)._replace(parameter_set=text, unit=text, note=text)
    figure = Figure()
    figure.text(0.1, 0.5, plain(text.replace("\t", " ")))
    named = results.assign_coords(scenario=[text, "severely_adverse"], region=[text, "CA", "FL"])
    named = named.assign_attrs(currency=text)
    level = {text: {"loans": 1, "balance": 2.0, "share": 0.5}, f"{text} 2": {"loans": 1, "balance": 2.0, "share": 0.5}}
    book = {**BOOK, "cuts": {text: level}, "score": level}
    hostile = replace(
        inputs,
        title=text,
        results=named,
        facts=replace(inputs.facts, input_files={text: "0" * 64}, warnings=(text,), versions={text: text}),
        pictures=(Picture("words", text, text, text, figure, pandas.DataFrame()),),
        load_report=load,
        provenance=[row],
        assumptions={text: (text,)},
        notes=(text,),
        limits=(LimitResult(text, text, text, text, 1.0, 2.0, 0.1, False, False),),
        limitations=(text,),
        caveats=(text,),
        book=book,
    )
    return Page(render_report(hostile))


@pytest.fixture(scope="module")
def few_paths() -> xr.Dataset:
    return sample_results(n_paths=20, n_months=3)


@pytest.fixture(scope="module")
def benign(inputs: ReportInputs, few_paths: xr.Dataset) -> Page:
    return with_text("benign", inputs, few_paths)


@pytest.mark.parametrize("payload", MARKUP)
def test_text_of_tape_and_study_stays_text(
    payload: str, inputs: ReportInputs, few_paths: xr.Dataset, benign: Page
) -> None:
    """It opens no element, adds no attribute, and stands there as it was written."""
    found = with_text(payload, inputs, few_paths)
    assert set(found.tags) == set(benign.tags)
    assert {**found.tags, "path": 0, "use": 0} == {**benign.tags, "path": 0, "use": 0}, "letters alone may differ"
    assert {pair[:2] for pair in found.attributes} == {pair[:2] for pair in benign.attributes}
    assert found.text.count(payload) == benign.text.count("benign") > 20


@pytest.mark.parametrize("payload", FORMULAS)
def test_no_text_becomes_a_formula(payload: str) -> None:
    text = to_csv(pandas.DataFrame({"loan_id": [payload, "00123"], "balance": [-5.5, 7.0]}))
    rows = list(csv.reader(io.StringIO(text)))
    assert rows[1][0].startswith("'")
    assert rows[1][0][1:] == payload.replace("\0", "")
    assert rows[2][0] == "00123"
    assert [float(row[1]) for row in rows[1:]] == [-5.5, 7.0]


def test_numbers_dates_and_gaps_are_exact() -> None:
    values = [-1, 0.1 + 0.2, True, None, float("nan"), pandas.Timestamp("2024-12-31"), "", "a,b"]
    assert [cell(value) for value in values] == ["-1", "0.30000000000000004", "true", "", "", "2024-12-31", "", "a,b"]
    assert harmless("plain - text") == "plain - text"


def test_tables_hold_what_the_report_shows(inputs: ReportInputs, tmp_path: Path) -> None:
    hostile = load_report((rejected(2, "=cmd|' /C calc'!A0"), rejected(3, "00123")))
    paths = tables.write_tables(tmp_path, replace(inputs, load_report=hostile))
    found = {path.stem: list(csv.DictReader(io.StringIO(path.read_bytes().decode()))) for path in paths}
    assert found["reconciliation"] == [
        {"part": "used", "rows": "1000", "balance": "1823456789.01"},
        {"part": "rejected", "rows": "2", "balance": "246.90"},
        {"part": "in", "rows": "1002", "balance": "1823457035.91"},
    ]
    assert [row["loan_id"] for row in found["rejected_rows"]] == ["'=cmd|' /C calc'!A0", "00123"]
    assert [row["confidence"] for row in found["parameters"]] == ["M", "M", "L"]
    assert found["parameters"][0]["plausible_low"] == "0.01"
    assert len(found["summary"]) == 16
    assert found["limits"][0]["passed"] == "false"
    assert {row["kind"] for row in found["load_remarks"]} == {"default", "missing", "guess", "note"}
