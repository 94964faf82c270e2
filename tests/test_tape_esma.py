"""ESMA's template for automobiles (Annex 5) as CSV: codes, no-data codes, dates, what is rejected and what counted."""

from __future__ import annotations

import datetime
import re
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tape_samples as samples
from scenarios.errors import InputError
from simulator.tape import LoanTape, RejectedRow, describe_tape, load_layout, read_tape
from simulator.tape.derived import months_until

_FIRST = {
    "AUTL1": "XYZLEI00000000000001N202401",
    "AUTL2": "000123",
    "AUTL6": "2025-12-31",
    "AUTL10": "DE212",
    "AUTL12": "EMRS",
    "AUTL13": "N",
    "AUTL16": "42000",
    "AUTL17": "GRAN",
    "AUTL19": "VRFD",
    "AUTL23": "HIRP",
    "AUTL24": "2023-06-14",
    "AUTL25": "2028-06-15",
    "AUTL26": "60",
    "AUTL27": "ADLR",
    "AUTL28": "EUR",
    "AUTL29": "25000.00",
    "AUTL30": "14000.50",
    "AUTL32": "FRXX",
    "AUTL34": "MNTH",
    "AUTL37": "471.20",
    "AUTL38": "ND5",
    "AUTL40": "4.99",
    "AUTL41": "ND5",
    "AUTL53": "Skoda",
    "AUTL54": "Octavia",
    "AUTL55": "2023",
    "AUTL56": "NEWX",
    "AUTL60": "31000",
    "AUTL66": "ND5",
    "AUTL68": "0",
    "AUTL69": "0",
    "AUTL70": "PERF",
    "AUTL74": "ND5",
    "AUTL77": "ND5",
}


def _rows(count: int = 3) -> list[dict[str, str]]:
    return [{**_FIRST, "AUTL2": f"{123 + place:06d}"} for place in range(count)]


def _read(folder: Path, change: dict[str, str] | None = None) -> LoanTape:
    table = _rows()
    table[1].update(change or {})
    return read_tape(samples.write(folder, samples.as_text(table, list(_FIRST))), "esma_annex5")


def _only_reject(tape: LoanTape) -> RejectedRow:
    [row] = tape.report.rejected
    assert (row.line, row.loan_id) == (3, "000124")
    return row


def _note(tape: LoanTape, start: str) -> str:
    [found] = [note for note in (*tape.report.notes, *tape.report.guesses) if note.startswith(start)]
    return found


def test_a_sound_exposure_is_read(tmp_path: Path) -> None:
    tape = _read(tmp_path)
    assert (len(tape), tape.as_of, tape.currency) == (3, datetime.date(2025, 12, 31), "EUR")
    expected = {
        "loan_id": "000123", "origination_date": np.datetime64("2023-06"), "original_balance": 25000.0,
        "current_balance": 14000.5, "rate": 0.0499, "original_term": 60, "remaining_term": 30,
        "scheduled_payment": 471.2, "days_past_due": 0, "region": "DE212", "channel": "dealer",
        "product": "purchase_loan", "vehicle": "other", "vehicle_make": "Skoda", "vehicle_model": "Octavia",
        "model_year": 2023.0, "vehicle_new": True, "vehicle_value": 31000.0, "value_source": "msrp",
        "sector": "unknown", "co_borrower": False, "amortisation": "level", "income": 3500.0, "income_verified": True,
        "modified": False, "repossessed": False, "tracker": False,
    }  # fmt: skip
    assert {
        name: tape[name][0].item() if name != "origination_date" else tape[name][0] for name in expected
    } == expected
    assert np.isnan(tape["score"]).all()
    assert describe_tape(tape)["cuts"]["region"]["DE212"]["loans"] == 3


@pytest.mark.parametrize("code", ["ND1", "ND2", "ND3", "ND4-2026-06-30", "ND5"])
def test_no_data_codes_of_optional_fields_are_not_stated_and_counted(tmp_path: Path, code: str) -> None:
    tape = _read(tmp_path, {"AUTL53": code, "AUTL37": code, "AUTL27": code, "AUTL23": code, "AUTL55": code})
    assert tape.report.rejected == ()
    assert (tape["vehicle_make"][1], tape["channel"][1], tape["product"][1]) == ("", "unknown", "purchase_loan")
    assert np.isnan(tape["scheduled_payment"][1])
    meaning = "not yet reported" if code.startswith("ND4") else r".+"
    assert re.fullmatch(rf"vehicle_make \(AUTL53\): {code[:3]} \({meaning}\) on 1 row\.", _note(tape, "vehicle_make ("))


@pytest.mark.parametrize("field", ["AUTL30", "AUTL40", "AUTL25", "AUTL24", "AUTL60", "AUTL56", "AUTL10", "AUTL26"])
def test_no_data_codes_of_required_fields_reject_the_row_and_are_shown(tmp_path: Path, field: str) -> None:
    row = _only_reject(_read(tmp_path, {field: "ND4-2026-06-30"}))
    assert row.column == field
    assert "is not stated ('ND4-2026-06-30')" in row.reason


@pytest.mark.parametrize("text", ["ND6", "nd5", "ND", "ND55"])
def test_what_is_no_code_is_no_number_either(tmp_path: Path, text: str) -> None:
    assert f"rate = '{text}'; expected a number" in _only_reject(_read(tmp_path, {"AUTL40": text})).reason


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"AUTL25": "15/06/2028"}, "remaining_term = '15/06/2028'; expected a date as YYYY-MM-DD"),
        ({"AUTL25": "2028-06-31"}, "expected a date as YYYY-MM-DD"),
        ({"AUTL25": "2025-11-15"}, "remaining_term = -1 (2025-12-31 to 2025-11-15); expected 0 to 180 months"),
        ({"AUTL25": "2025-12-31"}, "remaining_term = 0 with a balance"),
        ({"AUTL24": "2026-01-01"}, "origination_date = 2026-01; expected a month up to 2025-12"),
        ({"AUTL23": "OPLS"}, "product = 'OPLS'; expected one of the codes PPUR, HIRP, LEAP, FNLS, OTHR"),
        ({"AUTL23": "PHIR"}, "product = 'PHIR'"),
        ({"AUTL56": "NEW"}, "expected one of the codes NEWX, USED, DEMO, OTHR"),
        ({"AUTL30": "14.000,50"}, "expected a number"),
        ({"AUTL69": "9999"}, "days_past_due = '9999'; expected 0 to 3650"),
        ({"AUTL30": "0"}, "current_balance = 0: a closed loan"),
        ({"AUTL70": "RDMD"}, "AUTL70 = RDMD: redeemed or repurchased by the seller while a balance"),
        ({"AUTL70": "REBR"}, "expected an open loan"),
    ],
)
def test_rows_that_cannot_be_used_are_reported(tmp_path: Path, change: dict[str, str], words: str) -> None:
    tape = _read(tmp_path, change)
    assert words in _only_reject(tape).reason
    assert tape.report.balance_read_cents == tape.report.balance_used_cents + tape.report.balance_rejected_cents


@pytest.mark.parametrize(
    ("change", "start", "end"),
    [
        ({"AUTL34": "QUTR"}, "AUTL37: 1 cell where AUTL34 is not MNTH", "read as not stated."),
        ({"AUTL34": "QUTR"}, "AUTL34: principal is not paid monthly", "1 row (line 3)."),
        ({"AUTL32": "DEXX"}, "AUTL32: not level from the first instalment on", "1 row (line 3)."),
        ({"AUTL77": "6500"}, "AUTL77: the car has been sold in foreclosure", "1 row, 6,500.00 in all (line 3)."),
        ({"AUTL41": "EURI"}, "AUTL41: a floating rate", "1 row (line 3)."),
        ({"AUTL70": "DFLT"}, "AUTL70: in default", "1 row (line 3)."),
        ({"AUTL70": "ODD"}, "AUTL70: a status that is not on ESMA's list", "1 row (line 3)."),
        ({"AUTL74": "-120.5"}, "AUTL74: a negative loss", "1 row, -120.50 in all (line 3)."),
        ({"AUTL23": "FNLS"}, "AUTL23: a finance lease", "1 row (line 3)."),
        ({"AUTL13": "Y"}, "AUTL13: credit-impaired", "1 row (line 3)."),
    ],
)
def test_oddities_are_counted(tmp_path: Path, change: dict[str, str], start: str, end: str) -> None:
    tape = _read(tmp_path, change)
    assert tape.report.rejected == ()
    assert _note(tape, start).endswith(end)


@pytest.mark.parametrize(
    ("change", "field", "value"),
    [
        ({"AUTL32": "FIXE"}, "amortisation", "linear"),
        ({"AUTL32": "BLLT"}, "amortisation", "interest_only"),
        ({"AUTL32": "BLLT", "AUTL38": "14000.50"}, "amortisation", "interest_only"),
        ({"AUTL32": "DEXX"}, "amortisation", "level"),
        ({"AUTL32": "ND1"}, "amortisation", "level"),
        ({"AUTL32": "ODD"}, "amortisation", "level"),
        ({"AUTL38": "9000"}, "amortisation", "balloon"),
        ({"AUTL38": "9000"}, "balloon", 9000.0),
        ({"AUTL32": "ND5", "AUTL38": "9000"}, "amortisation", "balloon"),
        ({"AUTL38": "0"}, "amortisation", "level"),
        ({"AUTL16": "30000"}, "income", 2500.0),
        ({"AUTL19": "SCRT"}, "income_verified", False),
        ({"AUTL19": "ODD"}, "income_verified", False),
        ({"AUTL70": "RARR"}, "modified", True),
        ({"AUTL70": "RNAR"}, "modified", True),
        ({"AUTL70": "DFLT"}, "modified", False),
        ({"AUTL66": "2024-03-01"}, "modified", True),
        ({"AUTL66": "ND4-2026-06-30"}, "modified", False),
        ({"AUTL70": "ND1", "AUTL66": "2024-03-01"}, "modified", True),
    ],
)
def test_what_the_tape_has_a_field_for_is_read(
    tmp_path: Path, change: dict[str, str], field: str, value: object
) -> None:
    tape = _read(tmp_path, change)
    assert tape.report.rejected == ()
    assert tape[field][1] == value


def test_a_balloon_beside_level_instalments_is_said(tmp_path: Path) -> None:
    tape = _read(tmp_path, {"AUTL38": "9000"})
    assert tape["amortisation"].tolist() == ["level", "balloon", "level"]
    assert _note(tape, "1 loan states a balloon").endswith("amortisation was taken as balloon.")
    assert "balloon" not in tape.report.missing


def test_income_that_is_not_gross_is_not_stated(tmp_path: Path) -> None:
    tape = _read(tmp_path, {"AUTL17": "NITS"})
    assert np.isnan(tape["income"]).tolist() == [False, True, False]
    assert _note(tape, "AUTL16") == "AUTL16: 1 cell where AUTL17 is not GRAN, read as not stated."


def test_a_quarterly_payment_is_no_monthly_instalment(tmp_path: Path) -> None:
    tape = _read(tmp_path, {"AUTL34": "QUTR"})
    assert np.isnan(tape["scheduled_payment"][1])
    assert tape["scheduled_payment"][0] == 471.2


def test_a_book_of_two_currencies_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"AUTL28: 'EUR' on 2 rows, 'GBP' on 1 row; expected one ISO 4217 code"):
        _read(tmp_path, {"AUTL28": "GBP"})


def test_a_file_without_maturity_is_refused(tmp_path: Path) -> None:
    header = [name for name in _FIRST if name != "AUTL25"]
    with pytest.raises(InputError, match="AUTL25: no such column; expected a column for remaining_term"):
        read_tape(samples.write(tmp_path, samples.as_text(_rows(), header)), "esma_annex5")


@pytest.mark.parametrize(
    ("earlier", "later", "months"),
    [
        ("2025-12-31", "2028-06-15", 30),  # 15 January 2026 .. 15 June 2028
        ("2025-12-10", "2025-12-15", 1),
        ("2025-12-15", "2025-12-15", 0),
        ("2026-02-28", "2026-03-31", 1),  # an instalment at each month's end
        ("2026-01-31", "2026-02-28", 1),
        ("2026-01-15", "2026-02-10", 1),
        ("2026-01-15", "2026-01-10", 0),
        ("2026-03-31", "2026-01-31", -2),
    ],
)
def test_months_until_maturity(earlier: str, later: str, months: int) -> None:
    assert months_until(datetime.date.fromisoformat(later), datetime.date.fromisoformat(earlier)) == months


@given(st.dates(datetime.date(1990, 1, 1), datetime.date(2090, 1, 1)), st.integers(1, 28), st.integers(0, 400))
def test_months_until_counts_instalments(earlier: datetime.date, day: int, wanted: int) -> None:
    """The definition: instalments on one day of each month, after the first date and up to the last one."""
    month = earlier.year * 12 + earlier.month - 1 + wanted
    later = datetime.date(month // 12, month % 12 + 1, day)
    assert months_until(later, earlier) == wanted + (day > earlier.day)


def test_every_column_is_a_field_of_the_template(shared_data: Callable[[str], Path]) -> None:
    path = shared_data("formats") / "ESMA_annex5_underlying_exposures-automobile.xlsx"
    with zipfile.ZipFile(path) as workbook:
        texts = workbook.read("xl/sharedStrings.xml").decode()
    fields = set(re.findall(r">(AUTL\d+)<", texts))
    layout = load_layout("esma_annex5")
    assert len(fields) == 84
    assert set(layout.source_columns) <= fields
    codes = set(re.findall(r"\(([A-Z]{4})\)", texts))
    listed = {code for field in layout.fields.values() for code in field.codes or ()}
    tests = [*layout.watch, *(test for field in layout.fields.values() for test in field.true_where)]
    watched = {code for test in tests for code in (*(test.among or ()), *(test.not_among or ()))} - {"Y"}
    conditions = [cells for field in layout.fields.values() for cells in (field.only_where or {}).values()]
    assert listed | watched | {code for cells in conditions for code in cells} <= codes
