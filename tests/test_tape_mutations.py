"""Spoilt tapes: each is reported by line and column, or refused as a whole, and no cent is lost."""

from __future__ import annotations

import gzip
from collections.abc import Sequence
from pathlib import Path

import pytest

import tape_samples as samples
from scenarios.errors import InputError
from simulator.tape import read_tape

TOTAL_CENTS = 2000010 + 1900020 + 1800030 + 1700040
CELLS = len(samples.HEADER)

# One cell of the second row (line 3): column, its text, words of the reason.
SPOILT_CELLS = [
    ("current_balance", "NaN", ["a number", "cannot be used without it"]),
    ("current_balance", "-500.25", ["-500.25", "an amount of 0"]),
    ("current_balance", "", ["not stated", "required"]),
    ("current_balance", "12,345.67", ["12,345.67", "thousands separators"]),
    ("current_balance", "EUR 1200", ["EUR 1200", "currency"]),
    ("current_balance", "12\u00a0000", ["a number"]),
    ("current_balance", "1_000", ["a number"]),
    ("current_balance", "\uff11\uff12", ["a number"]),
    ("current_balance", "0", ["closed loan", "an open loan"]),
    ("current_balance", "1e300", ["1e300", "1e+12"]),
    ("current_balance", "=1+1", ["a number"]),
    ("rate", "5%", ["5%", "unit: percent"]),
    ("rate", "inf", ["inf", "a number"]),
    ("rate", "9.99", ["0 to 4", "0.055 for 5.5 %"]),
    ("rate", "-0.01", ["0 to 4"]),
    ("rate", "0,0999", ["decimal point"]),
    ("as_of_date", "31.12.2024", ["a date as YYYY-MM-DD", "date_format"]),
    ("as_of_date", "2024-13-01", ["a date"]),
    ("origination_date", "0023-06", ["a year from 1980 to 2100", "Check `date_format`."]),
    ("as_of_date", "2023-02-29", ["a date"]),
    ("as_of_date", "", ["not stated"]),
    ("origination_date", "06/2023", ["YYYY-MM"]),
    ("origination_date", "2025-01", ["2025-01", "a month up to 2024-12"]),
    ("original_term", "0", ["1 to 180"]),
    ("original_term", "60.5", ["a whole number"]),
    ("original_term", "5 years", ["a number"]),
    ("remaining_term", "0", ["with a balance", "at least 1 month"]),
    ("remaining_term", "-3", ["0 to 180"]),
    ("days_past_due", "-1", ["0 to 3650"]),
    ("days_past_due", "current", ["current", "a number"]),
    ("original_balance", "0", ["an amount above 0"]),
    ("vehicle_value", "0", ["an amount above 0"]),
    ("vehicle_value", "", ["required"]),
    ("vehicle", "SUV", ["one of car", "Did you mean suv?"]),
    ("vehicle", "7", ["one of car"]),
    ("vehicle_new", "maybe", ["true, false, 1 or 0"]),
    ("vehicle_new", "", ["required"]),
    ("product", "lease", ["purchase_loan, title_loan"]),
    ("value_source", "blue book", ["invoice, msrp"]),
    ("score", "eight hundred", ["a number"]),
    ("score", "1200", ["0 to 900"]),
    ("payment_to_income", "11", ["0 to 2", "unit: percent"]),
    ("region", "", ["not stated"]),
    ("loan_id", "", ["not stated"]),
    ("loan_id", "12\x073", ["printable"]),
    ("loan_id", "12\n3", ["printable"]),
    ("sector", "x" * 201, ["at most 200 characters"]),
    ("model_year", "1066", ["1980 to 2100"]),
    ("amortisation", "annuity", ["one of level, balloon, interest_only, linear, single_payment"]),
    ("balloon", "-1", ["an amount of 0 to"]),
    ("mileage", "1200000", ["0 to 1e+06"]),
    ("income", "4,000", ["thousands separators"]),
    ("tracker", "GPS", ["true, false, 1 or 0"]),
]


@pytest.mark.parametrize(("column", "text", "words"), SPOILT_CELLS, ids=[f"{c}={t[:12]!r}" for c, t, _ in SPOILT_CELLS])
def test_spoilt_cell_rejects_its_row_alone(tmp_path: Path, column: str, text: str, words: Sequence[str]) -> None:
    path = samples.write(tmp_path, samples.as_text(samples.with_cell(column, text)))
    tape = read_tape(path)
    [rejected] = tape.report.rejected
    assert rejected.line == 3
    assert rejected.column == column
    assert all(word in rejected.reason for word in words), rejected.reason
    assert tape.columns["loan_id"].tolist() == ["00123", "00125", "00126"]
    assert tape.report.balance_used_cents == TOTAL_CENTS - 1900020
    assert rejected.loan_id == ("" if column == "loan_id" else "00124")
    if column != "current_balance":
        assert rejected.balance_cents == 1900020


@pytest.mark.parametrize(
    ("text", "cents"), [("-500.25", -50025), ("0", 0), ("NaN", None), ("12,345.67", None), ("1e300", None)]
)
def test_balance_of_a_rejected_row_is_counted_where_it_can_be_read(
    tmp_path: Path, text: str, cents: int | None
) -> None:
    report = read_tape(samples.write(tmp_path, samples.as_text(samples.with_cell("current_balance", text)))).report
    assert report.rejected[0].balance_cents == cents
    assert report.rows_without_balance == (cents is None)
    assert report.balance_read_cents == report.balance_used_cents + (cents or 0)
    said = "no readable balance" in "\n".join(report.lines("USD"))
    assert said == (cents is None)


def _lines() -> list[str]:
    return samples.as_text(samples.rows()).splitlines(keepends=True)


# Whole rows: the spoilt text, the rejected lines, words of the first reason.
SPOILT_ROWS = [
    ("cell too many", [*_lines()[:2], _lines()[2][:-1] + ",x\n", *_lines()[3:]], [3], f"a row of {CELLS + 1} cells"),
    ("cell too few", [*_lines()[:2], "00124,2024-12-31\n", *_lines()[3:]], [3], "a row of 2 cells"),
    ("last row cut off", [*_lines()[:4], "00126,2024-12-3"], [5], f"{CELLS} cells, as the header has"),
    ("stray quote", [*_lines()[:2], '"001"24' + _lines()[2][5:], *_lines()[3:]], [3], "cannot be split"),
    ("duplicate id", [*_lines(), _lines()[1]], [2, 6], "'00123' on lines 2, 6"),
    ("triple id", [*_lines(), _lines()[1], _lines()[1]], [2, 6, 7], "an id that occurs once"),
    ("duplicate of a spoilt row", [*_lines(), _lines()[1].replace("0.0999", "x")], [2, 6], "an id that occurs once"),
    ("separators only", [*_lines(), "," * (CELLS - 1) + "\n"], [6], "not stated"),
    ("sum line", [*_lines(), "Total,,,,7400.10" + "," * (CELLS - 5) + "\n"], [6], "as_of_date is not stated"),
    ("ragged after a quoted break", [_lines()[0], _lines()[1].replace("RAV4", '"RA\nV4"'), "x\n", *_lines()[2:]], [4],
     "a row of 1 cells"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("lines", "rejected", "words"), [case[1:] for case in SPOILT_ROWS], ids=[case[0] for case in SPOILT_ROWS]
)
def test_spoilt_row_is_rejected_by_line(tmp_path: Path, lines: list[str], rejected: list[int], words: str) -> None:
    report = read_tape(samples.write(tmp_path, "".join(lines))).report
    assert [row.line for row in report.rejected] == rejected
    assert words in report.rejected[0].reason
    assert report.rows_read == report.rows_used + report.rows_rejected
    assert report.balance_read_cents == report.balance_used_cents + report.balance_rejected_cents


TEXT = samples.as_text(samples.rows())
NO_RATE = [name for name in samples.HEADER if name != "rate"]

# Whole files: content, words of the error.
REFUSED = [
    ("empty", b"", ["an empty file", "at least one loan"]),
    ("blank lines", b"\n\n  \n", ["blank lines"]),
    ("header only", TEXT.splitlines()[0].encode(), ["a header without rows"]),
    ("NUL", TEXT.replace("RAV4", "RA\0V4", 1).encode(), [":2:", "NUL byte"]),
    ("binary", bytes(range(1, 256)) * 40, ["control characters: binary data"]),
    ("zip archive", b"PK\x03\x04\x14\x00" + bytes(40), ["binary data"]),
    ("latin-1", TEXT.replace("TX", "Québec").encode("latin-1"), [":2:", "0xe9", "`encoding`"]),
    ("utf-16", TEXT.encode("utf-16"), ["UTF-16", "CSV UTF-8"]),
    ("cut gzip", gzip.compress(TEXT.encode())[:-20], ["damaged gzip", "Copy the file again"]),
    ("damaged parquet", b"PAR1" + bytes(50), ["damaged Parquet"]),
    ("missing column", samples.as_text(samples.rows(), NO_RATE).encode(), [":1: rate", "no such column"]),
    ("misspelt column", TEXT.replace("current_balance", "curent_balance", 1).encode(), ["nearest is 'curent_balance'"]),
    ("two misspelt", TEXT.replace("rate,", "APR,", 1).replace("region,", "state,", 1).encode(), [": rate", ": region"]),
    ("column twice", TEXT.replace("vehicle_make", "rate", 1).encode(), [":1: rate", "2 columns of this name"]),
    ("semicolons", TEXT.replace(",", ";").encode(), ["one single column", "`delimiter`", ";"]),
    ("tabs", TEXT.replace(",", "\t").encode(), ["separated by tab"]),
    ("two dates", samples.as_text(samples.with_cell("as_of_date", "2024-11-30")).encode(),
     [":3: as_of_date", "as_of_date = 2024-11-30 (1 row)", "one reporting date", "its own file"]),
    ("two currencies", samples.as_text([{**row, "currency": code} for row, code in
     zip(samples.rows(), ["EUR", "CNY", "EUR", "EUR"], strict=True)], [*samples.HEADER, "currency"]).encode(),
     ["'EUR' on 3 rows, 'CNY' on 1 row;", "one ISO 4217 code"]),
    ("unclosed quote", TEXT.replace("RAV4", '"RAV4', 1).encode(), [":2:", "a quote that is not closed"]),
    ("no usable row", samples.as_text([{**row, "rate": "NaN"} for row in samples.rows()]).encode(),
     ["4 of 4 rows rejected", ":5: rate"]),
    ("all ids equal", samples.as_text([{**row, "loan_id": "7"} for row in samples.rows()]).encode(), ["4 of 4 rows"]),
]  # fmt: skip


@pytest.mark.parametrize(("content", "words"), [case[1:] for case in REFUSED], ids=[case[0] for case in REFUSED])
def test_spoilt_file_is_refused(tmp_path: Path, content: bytes, words: Sequence[str]) -> None:
    path = samples.write(tmp_path, content)
    with pytest.raises(InputError) as caught:
        read_tape(path)
    message = str(caught.value)
    assert str(path) in message
    assert all(word in message for word in words), message


def test_missing_file_and_folder_are_refused(tmp_path: Path) -> None:
    for path, words in ((tmp_path / "none.csv", "no such file"), (tmp_path, "a folder or a device")):
        with pytest.raises(InputError, match=words):
            read_tape(path)


def test_strict_refuses_one_rejected_row(tmp_path: Path) -> None:
    path = samples.write(tmp_path, samples.as_text(samples.with_cell("rate", "5%")))
    with pytest.raises(InputError, match=r"1 of 4 rows rejected; expected none rejected \(strict\)") as caught:
        read_tape(path, strict=True)
    assert f"{path}:3: rate: rate = '5%'; expected a number." in str(caught.value)


def test_every_fault_of_a_row_is_reported(tmp_path: Path) -> None:
    table = samples.with_cell("rate", "5%")
    table[1].update(score="high", vehicle="boat")
    [rejected] = read_tape(samples.write(tmp_path, samples.as_text(table))).report.rejected
    assert [fault.column for fault in rejected.faults] == ["rate", "score", "vehicle"]


def test_there_are_enough_mutations() -> None:
    assert len(SPOILT_CELLS) + len(SPOILT_ROWS) + len(REFUSED) >= 50
