"""Raw loan-months of eight issuers, picked for their data problems: they load, and every oddity is reported."""

from __future__ import annotations

import csv
import datetime
import gzip
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

import pytest

from scenarios.errors import InputError
from simulator.tape import LoanTape, read_tape

Folder = Callable[[str], Path]

FILE = "abs_ald_raw_2017.csv.gz"
MONTHS = ("2016-12-31", "2017-01-31", "2017-02-28", "2017-03-31")
BALANCE = "reportingPeriodActualEndBalanceAmount"


@pytest.fixture(scope="module")
def path() -> Path:
    from conftest import SHARED_DATA

    found = SHARED_DATA / "multi_issuer_2017" / FILE
    if not found.is_file():
        pytest.skip("real data 'multi_issuer_2017' does not lie beside this checkout")
    return found


@pytest.fixture(scope="module")
def tapes(path: Path) -> dict[str, LoanTape]:
    return {month: read_tape(path, "reg_ab", as_of=datetime.date.fromisoformat(month)) for month in MONTHS}


@pytest.fixture(scope="module")
def table(path: Path) -> list[dict[str, str]]:
    with gzip.open(path, "rt", encoding="utf-8") as stream:
        return list(csv.DictReader(stream))


def _of(table: list[dict[str, str]], month: str) -> list[dict[str, str]]:
    return [row for row in table if row["reportingPeriodEndingDate"] == month]


def _note(tape: LoanTape, start: str) -> str:
    [found] = [note for note in (*tape.report.notes, *tape.report.guesses) if note.startswith(start)]
    return found


@pytest.mark.parametrize("month", MONTHS)
def test_each_month_reconciles_with_an_independent_count(
    tapes: dict[str, LoanTape], table: list[dict[str, str]], month: str
) -> None:
    rows, report = _of(table, month), tapes[month].report
    assert report.rows_read == len(rows) == report.rows_used + report.rows_rejected
    assert report.balance_read_cents == sum(round(Decimal(row[BALANCE] or 0) * 100) for row in rows)
    assert report.balance_read_cents == report.balance_used_cents + report.balance_rejected_cents
    others = len(table) - len(rows)
    assert f"{others:,} rows of 4 other reporting dates left out, as asked." in report.notes


@pytest.mark.parametrize("month", MONTHS)
def test_used_loans_are_the_open_and_single_ones(
    tapes: dict[str, LoanTape], table: list[dict[str, str]], month: str
) -> None:
    rows = _of(table, month)
    ids = [row["assetNumber"] for row in rows]
    single = {
        row["assetNumber"]
        for row in rows
        if not row["zeroBalanceCode"] and float(row[BALANCE] or 0) > 0 and ids.count(row["assetNumber"]) == 1
    }
    used = set(tapes[month]["loan_id"].tolist())
    assert used <= single
    # One loan has a balance, no term left and no zero-balance code.
    assert len(single - used) == (1 if month == "2017-02-28" else 0)


def test_remainders_of_prepaid_loans_are_no_open_loans(tapes: dict[str, LoanTape]) -> None:
    tape = tapes["2017-01-31"]
    assert (tape.report.rows_used, tape.report.rows_closed) == (479, 117)
    assert tape.report.balance_rejected_cents == 35893
    assert tape["current_balance"].min() > 10.0
    assert tape.report.rejected_share_of_rows == 0.0


def test_issuers_that_write_percents_are_told_apart(tapes: dict[str, LoanTape]) -> None:
    february, march = tapes["2017-02-28"], tapes["2017-03-31"]
    assert "as a percent: its median, 9.99" in _note(february, "Where originatorName is Mechanics Bank, rate")
    assert "as a percent: its median, 7.41" in _note(february, "Where originatorName is NMAC, payment_to_income")
    # One bank changed from fractions to percents between two months.
    assert not any("Mechanics Bank, payment" in guess for guess in february.report.guesses)
    assert "as a percent: its median, 6.87" in _note(march, "Where originatorName is Mechanics Bank, payment_to_income")
    for tape in tapes.values():
        assert tape["rate"].max() < 0.3


def test_oddities_are_counted_as_an_independent_count_finds_them(
    tapes: dict[str, LoanTape], table: list[dict[str, str]]
) -> None:
    for month, tape in tapes.items():
        rows = _of(table, month)
        notes = "\n".join(tape.report.notes)
        for start, count in (
            ("subvented: several kinds", sum(row["subvented"].startswith("[") for row in rows)),
            ("chargedoffPrincipalAmount: a negative", sum(float(row["chargedoffPrincipalAmount"]) < 0 for row in rows)),
            ("repossessedProceedsAmount: neg", sum(float(row["repossessedProceedsAmount"]) < 0 for row in rows)),
            ("recoveredAmount: a negative", sum(float(row["recoveredAmount"]) < 0 for row in rows)),
            ("obligorEmploymentVerificationCode", sum(row["obligorEmploymentVerificationCode"] == "0" for row in rows)),
        ):  # fmt: skip
            found = [line for line in notes.splitlines() if line.startswith(start)]
            assert len(found) == (count > 0), (month, start)
            assert all(f": {count} row" in line for line in found), (month, start, count, found)


def test_flags_are_an_independent_count_s(tapes: dict[str, LoanTape], table: list[dict[str, str]]) -> None:
    for month, tape in tapes.items():
        used = set(tape["loan_id"].tolist())
        rows = [row for row in _of(table, month) if row["assetNumber"] in used]
        modified = [
            row["reportingPeriodModificationIndicator"] == "1.0"
            or row["modificationTypeCode"] != ""
            or float(row["paymentExtendedNumber"] or 0) > 0
            for row in rows
        ]
        verified = [row["obligorIncomeVerificationLevelCode"] in ("3", "4", "5") for row in rows]
        repossessed = [row["repossessedIndicator"] == "1.0" for row in rows]
        for name, expected in (("modified", modified), ("income_verified", verified), ("repossessed", repossessed)):
            assert int(tape[name].sum()) == sum(expected), (month, name)
    assert any(tape["modified"].any() and tape["repossessed"].any() for tape in tapes.values())


def test_a_month_of_closed_loans_only_is_refused_with_its_reasons(path: Path) -> None:
    with pytest.raises(InputError) as caught:
        read_tape(path, "reg_ab", as_of=datetime.date(2017, 4, 30))
    assert "266 of 266 rows rejected; expected at least one usable row" in str(caught.value)
    assert "zeroBalanceCode = 4.0: a closed loan that states a balance, or none at all" in str(caught.value)


def test_a_date_that_no_row_has_is_refused(path: Path) -> None:
    with pytest.raises(InputError, match=r"rows of 2016-12-31, 2017-01-31, .*; expected rows of 2018-01-31"):
        read_tape(path, "reg_ab", as_of=datetime.date(2018, 1, 31))


@pytest.mark.parametrize("name", ["chargeoff_months_raw_2017.csv.gz", "chargeoff_months_clean_2017.csv.gz"])
def test_a_table_of_charge_offs_is_no_tape_and_says_what_it_lacks(shared_data: Folder, name: str) -> None:
    with pytest.raises(InputError) as caught:
        read_tape(shared_data("multi_issuer_2017") / name, "reg_ab")
    missing = {fault.where.rsplit(": ", 1)[-1] for fault in caught.value.faults}
    assert {"reportingPeriodEndingDate", "originalLoanAmount", "currentDelinquencyStatus"} <= missing
    assert "assetNumber" not in missing


def test_the_cleaned_rows_load_too(shared_data: Folder) -> None:
    path = shared_data("multi_issuer_2017") / "abs_ald_clean_enhanced_2017.csv.gz"
    tape = read_tape(path, "reg_ab", as_of=datetime.date(2017, 1, 31))
    assert (tape.report.rows_read, tape.report.rows_used) == (596, 479)
