"""How much of a tape may be rejected: shares, reasons, the bound of a study."""

from __future__ import annotations

from pathlib import Path

import pytest

import tape_samples as samples
from scenarios.errors import InputError
from simulator.tape import LoadReport, load_summary, read_tape, reject_reasons
from simulator.tape.rejects import refuse_rejects

TOTAL_CENTS = 2000010 + 1900020 + 1800030 + 1700040


def spoilt(folder: Path, **cells: str) -> LoadReport:
    """Load report of four sound rows and, for each column named, one with that cell."""
    table = samples.rows(4 + len(cells))
    for row, (column, cell) in zip(table[4:], cells.items(), strict=True):
        row[column] = cell
    return read_tape(samples.write(folder, samples.as_text(table))).report


def refusal(report: LoadReport, at_most_percent: float) -> list[str]:
    with pytest.raises(InputError) as caught:
        refuse_rejects(report, Path("tape.csv"), at_most_percent, where="study.yaml:4:3", currency="USD")
    return [str(fault) for fault in caught.value.faults]


def accept(report: LoadReport, at_most_percent: float) -> None:
    refuse_rejects(report, Path("tape.csv"), at_most_percent, where="study.yaml:4:3", currency="USD")


def test_shares_are_of_rows_and_of_balance(tmp_path: Path) -> None:
    report = spoilt(tmp_path, rate="NaN")
    assert report.rejected_share_of_rows == 1 / 5
    assert report.rejected_share_of_balance == 1600050 / (TOTAL_CENTS + 1600050)
    assert spoilt(tmp_path).rejected_share_of_rows == spoilt(tmp_path).rejected_share_of_balance == 0.0


def test_a_negative_balance_offsets_nothing(tmp_path: Path) -> None:
    report = spoilt(tmp_path, rate="NaN", current_balance="-16000.50")
    assert report.balance_rejected_cents == 0
    assert report.rejected_share_of_balance == 2 * 1600050 / (TOTAL_CENTS + 2 * 1600050)


def test_closed_loans_are_no_fault_of_the_file(tmp_path: Path) -> None:
    table = samples.rows(8)
    for row in table[4:]:
        row.update(current_balance="0", remaining_term="")
    report = read_tape(samples.write(tmp_path, samples.as_text(table))).report
    assert (report.rows_rejected, report.rows_closed) == (4, 4)
    assert (report.rejected_share_of_rows, report.rejected_share_of_balance) == (0.0, 0.0)
    accept(report, 0.0)
    (reason,) = reject_reasons(report)
    assert (reason.expected, reason.rows) == ("an open loan", 4)


def test_every_rejected_row_counts_for_one_reason_the_commonest_first(tmp_path: Path) -> None:
    table = samples.rows(9)
    table[2]["region"] = ""
    for place, rate in enumerate(("NaN", "x", "5%"), start=4):
        table[place]["rate"] = rate
    table[6]["current_balance"] = "-5"  # a second fault of a row is in the data, not in the counts
    report = read_tape(samples.write(tmp_path, samples.as_text(table))).report
    reasons = reject_reasons(report)
    assert {reason.column: reason.rows for reason in reasons} == {"rate": 2, "region": 1, "current_balance": 1}
    assert sum(reason.rows for reason in reasons) == report.rows_rejected == 4
    assert sum(reason.balance_cents for reason in reasons) == report.balance_rejected_cents
    assert reasons[0].column == "rate"
    assert (reasons[0].example, reasons[0].lines) == ("rate = 'NaN'", (6, 7))


def test_the_bound_is_a_share_of_rows_and_of_balance(tmp_path: Path) -> None:
    by_rows = spoilt(tmp_path, rate="NaN")
    accept(by_rows, 20.0)  # 1 of 5 rows; its balance, 16,000.50 of 90,001.50, is less
    assert len(refusal(by_rows, 19.99)) == 2
    table = samples.rows(5)
    table[4].update(rate="NaN", current_balance="900000.00")
    by_balance = read_tape(samples.write(tmp_path, samples.as_text(table))).report
    assert "1 of 5 open loans (20.00 %) and 92.40 % of the balance" in refusal(by_balance, 20.0)[0]
    accept(by_balance, 92.5)


def test_the_refusal_names_counts_reasons_and_remedy(tmp_path: Path) -> None:
    table = samples.rows(6)
    for row in table[3:5]:
        row["rate"] = "NaN"
    report = read_tape(samples.write(tmp_path, samples.as_text(table))).report
    assert refusal(report, 5.0) == [
        "study.yaml:4:3: 2 of 6 open loans (33.33 %) and 31.43 % of the balance of tape.csv rejected; expected at most"
        " 5 % of either. Mend the tape or its mapping; or allow more with `rejected_at_most_percent:` beside `file:`.",
        "tape.csv:5: rate: rate = 'NaN' (the first of 2 rows, 33,000.90 USD); expected a number. A loan cannot be used"
        " without it: state it, or leave the row out.",
    ]


def test_a_refusal_names_five_reasons(tmp_path: Path) -> None:
    cells = {
        "rate": "x",
        "region": "",
        "vehicle": "x",
        "vehicle_new": "x",
        "score": "x",
        "product": "x",
        "sector": "\a",
    }
    faults = refusal(spoilt(tmp_path, **cells), 5.0)
    assert len(faults) == 1 + 5 + 1
    assert faults[-1] == "tape.csv: 2 more reasons; expected none. `carstress portfolio describe` lists them all."


def test_the_summary_is_plain_and_reconciles(tmp_path: Path) -> None:
    summary = load_summary(spoilt(tmp_path, rate="NaN", current_balance="0"))
    assert (summary["rows_read"], summary["rows_used"], summary["rows_rejected"], summary["rows_closed"]) == (
        6,
        4,
        2,
        1,
    )
    assert summary["balance_used_cents"] == TOTAL_CENTS
    assert summary["balance_read_cents"] == TOTAL_CENTS + summary["balance_rejected_cents"] == TOTAL_CENTS + 1600050
    assert {reason["column"]: reason["rows"] for reason in summary["rejected_by_reason"]} == {
        "rate": 1,
        "current_balance": 1,
    }


@pytest.mark.parametrize(
    ("rate", "months", "used"),
    [("0.36", "180", True), ("4", "48", True), ("4", "60", False), ("1", "172", True), ("1", "173", False)],
)
def test_a_loan_that_double_precision_cannot_follow_is_rejected(
    tmp_path: Path, rate: str, months: str, used: bool
) -> None:
    table = samples.rows()
    table[1].update(rate=rate, remaining_term=months, original_term="180", scheduled_payment="")
    report = read_tape(samples.write(tmp_path, samples.as_text(table))).report
    assert report.rows_used == 3 + used
    if not used:
        (row,) = report.rejected
        assert (row.line, row.column) == (3, "rate")
        assert f"rate = {rate} a year and {months} months to go; expected principal that, unpaid," in row.reason
        assert "at most 1,000,000-fold until maturity" in row.reason
        assert "Check the units" in row.reason


@pytest.mark.parametrize(("way", "used"), [("interest_only", 4), ("linear", 4), ("single_payment", 4), ("balloon", 3)])
def test_principal_that_no_interest_joins_cannot_grow(tmp_path: Path, way: str, used: int) -> None:
    table = samples.rows()
    table[1].update(rate="4", remaining_term="60", scheduled_payment="", amortisation=way)
    assert read_tape(samples.write(tmp_path, samples.as_text(table))).report.rows_used == used


def test_a_single_payment_loan_may_wait_for_its_renewal(tmp_path: Path) -> None:
    table = samples.rows()
    table[1].update(remaining_term="0", amortisation="single_payment")
    table[2].update(remaining_term="0", amortisation="interest_only")
    report = read_tape(samples.write(tmp_path, samples.as_text(table))).report
    assert [row.loan_id for row in report.rejected] == ["00125"]
