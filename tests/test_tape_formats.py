"""Formats by name: the same list at every door, and the commands that take it."""

from __future__ import annotations

import datetime
from pathlib import Path
from typing import get_args

import pytest

import filing_samples as filings
import tape_samples as samples
from cli import portfolio
from command_line import carstress
from scenarios.errors import InputError
from scenarios.schema import FilePortfolio
from simulator.tape import load_layout, mapping_names, read_tape
from simulator.tape.read import FORMATS


def test_every_door_knows_the_same_formats() -> None:
    assert get_args(FilePortfolio.model_fields["format"].annotation) == FORMATS
    for name in ("import", "describe"):
        [option] = [item for item in portfolio.commands[name].params if item.name == "form"]
        assert tuple(option.type.choices) == FORMATS  # type: ignore[attr-defined]
    assert set(mapping_names()) == set(FORMATS)


def test_help_lists_the_formats() -> None:
    text = carstress("portfolio", "import", "--help").out
    assert all(name in text for name in FORMATS)


def test_a_filing_is_imported_and_described(tmp_path: Path) -> None:
    filing = samples.write(tmp_path, filings.as_xml(filings.changed({"zeroBalanceCode": "4"})), "ex102.xml")
    out = tmp_path / "book.csv"
    result = carstress("portfolio", "import", filing, "--format", "reg_ab_xml", "--out", out)
    assert result.code == 0, result.err
    assert "3 read = 2 used + 1 rejected" in result.out
    assert "zeroBalanceCode: a closed loan that states a balance, or none at all: 1 row (line 4)." in result.out
    assert len(read_tape(out)) == 2
    described = carstress("portfolio", "describe", filing, "--format", "reg_ab_xml", "--json")
    assert described.document["loans"] == 2


def test_a_date_is_chosen_from_a_file_of_several(tmp_path: Path) -> None:
    table = samples.rows(4)
    table[0]["as_of_date"] = table[1]["as_of_date"] = "2024-11-30"
    path = samples.write(tmp_path, samples.as_text(table))
    assert carstress("portfolio", "describe", path).code == 3
    result = carstress("portfolio", "describe", path, "--as-of", "2024-11-30")
    assert result.code == 0, result.err
    assert "2 loans as of 2024-11-30" in result.out
    assert "2 rows of 1 other reporting date left out, as asked." in result.out


def test_rows_whose_date_cannot_be_read_are_reported_whatever_is_chosen(tmp_path: Path) -> None:
    table = samples.rows(3)
    table[1]["as_of_date"] = "31.12.2024"
    path = samples.write(tmp_path, samples.as_text(table))
    report = read_tape(path, as_of=datetime.date(2024, 12, 31)).report
    assert [(row.line, row.column) for row in report.rejected] == [(3, "as_of_date")]
    with pytest.raises(InputError, match="rows of 2024-12-31; expected rows of 2024-10-31"):
        read_tape(path, as_of=datetime.date(2024, 10, 31))


REFUSED = [
    ("watch: [{column: x, says: y}]", "no test given; expected one of below, above"),
    ("watch: [{column: x, says: y, below: 0, stated: true}]", "below and stated given; expected one of"),
    ("header_units: {万元: wan}", "wan"),
    ("encoding: [utf-8, ebcdic]", "ebcdic"),
    ("encoding: []", "encoding"),
    ("fields: {rate: {column: rate, unit: percent, guess_by: x}}", "guess_by goes with unit: guess"),
    ("fields: {rate: {constant: 0.1, aliases: [r]}}", "aliases and months_from go with column"),
    ("fields: {rate: {column: rate, months_from: x}}", "months_from is for fields in months"),
    ("later_fields: {modified: {colum: x}}", "unknown key"),
]


@pytest.mark.parametrize(("body", "words"), REFUSED)
def test_faulty_keys_are_refused(tmp_path: Path, body: str, words: str) -> None:
    text = f"kind: tape_mapping\nname: ours\nextends: canonical\n{body}\n"
    with pytest.raises(InputError) as caught:
        load_layout(samples.write(tmp_path, text, "ours.yaml"))
    assert words in str(caught.value)
    assert "ours.yaml:4:" in str(caught.value)


def test_a_later_field_is_read_once_the_tape_has_it(tmp_path: Path) -> None:
    body = "later_fields: {sector: {column: job}, from_a_later_version: {column: job}}"
    text = f"kind: tape_mapping\nname: ours\nextends: canonical\n{body}\n"
    layout = load_layout(samples.write(tmp_path, text, "ours.yaml"))
    assert layout.fields["sector"].column == "job"
    assert "from_a_later_version" not in layout.fields
