"""Hazards of asset-level filings, as found in twelve real ones of 2026: each is handled or reported, none is silent."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import filing_samples as filings
from scenarios.errors import InputError
from simulator.tape import LoanTape

RATE, INCOME, BALANCE = (
    "reportingPeriodInterestRatePercentage",
    "paymentToIncomePercentage",
    "reportingPeriodActualEndBalanceAmount",
)


def _note(tape: LoanTape, start: str) -> str:
    [found] = [sentence for sentence in (*tape.report.notes, *tape.report.guesses) if sentence.startswith(start)]
    return found


def _reason(folder: Path, change: dict[str, str | None]) -> str:
    [row] = filings.read(folder, filings.changed(change)).report.rejected
    assert row.loan_id == f"{2:021d}"
    return f"{row.column}: {row.reason}"


# --- how numbers are spelled -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("element", "text", "field", "value"),
    [
        (BALANCE, "1.23456e4", "current_balance", 12345.6),
        (BALANCE, " +19000.50 ", "current_balance", 19000.5),
        (BALANCE, "19000.", "current_balance", 19000.0),
        ("vehicleValueAmount", "27500.00000000", "vehicle_value", 27500.0),
        ("originalLoanTerm", "72.0", "original_term", 72),
        ("vehicleTypeCode", "2.0", "vehicle", "truck"),
        ("vehicleTypeCode", "99", "vehicle", "other"),
        ("vehicleNewUsedCode", "2.0", "vehicle_new", False),
        ("coObligorIndicator", "TRUE", "co_borrower", True),
        ("coObligorIndicator", "1.0", "co_borrower", True),
        ("vehicleModelYear", "2023.0", "model_year", 2023.0),
    ],
)
def test_spellings_that_are_read(tmp_path: Path, element: str, text: str, field: str, value: object) -> None:
    assert filings.read(tmp_path, filings.changed({element: text}), strict=True)[field][1] == value


@pytest.mark.parametrize(
    ("element", "text", "words"),
    [
        (BALANCE, "19,000.50", "without thousands separators"),
        (BALANCE, "$19000", "currency and unit belong into the mapping"),
        (BALANCE, "1.9e4x", "expected a number"),
        (BALANCE, "１９０００", "expected a number"),
        (BALANCE, "-250.00", "expected an amount of 0 to"),
        (BALANCE, "(250.00)", "expected a number"),
        (RATE, "9.99%", "map the column with unit: percent"),
        (RATE, "-0.01", "expected 0 to 4"),
        ("originalLoanTerm", "seventy", "expected a number"),
        ("remainingTermToMaturityNumber", "-1", "remaining_term = '-1'; expected 0 to 180"),
        ("currentDelinquencyStatus", "-5", "days_past_due = '-5'; expected 0 to 3650"),
        ("vehicleValueAmount", "0", "expected an amount above 0"),
        ("vehicleTypeCode", "SUV", "expected one of the codes 1, 2, 3, 4, 98, 99"),
    ],
)
def test_spellings_that_are_rejected_with_a_remedy(tmp_path: Path, element: str, text: str, words: str) -> None:
    reason = _reason(tmp_path, {element: text})
    assert reason.startswith(f"{element}: ")
    assert words in reason


# --- percent or fraction ---------------------------------------------------------------------------------------


def test_a_filer_of_percents_is_told_by_the_median_not_by_a_single_cell(tmp_path: Path) -> None:
    percent = [
        filings.record(**{"assetNumber": f"{n}", RATE: "9.99", INCOME: income})
        for n, income in enumerate(["11", "8.5", "0.9", "12"])
    ]
    tape = filings.read(tmp_path, percent, strict=True)
    np.testing.assert_allclose(tape["payment_to_income"], [0.11, 0.085, 0.009, 0.12], rtol=1e-15)
    np.testing.assert_allclose(tape["rate"], 0.0999, rtol=1e-15)
    assert "was read as a percent: its median, 9.75, is above 1." in _note(tape, "payment_to_income")
    fraction = filings.changed({INCOME: "1.6"}, 5)
    tape = filings.read(tmp_path, fraction, strict=True)
    assert tape["payment_to_income"].tolist() == [0.11, 1.6, 0.11, 0.11, 0.11]
    assert "was read as a fraction: its median, 0.11, is not above 1." in _note(tape, "payment_to_income")


def test_issuers_in_one_file_are_told_apart(tmp_path: Path) -> None:
    loans = filings.records(6)
    for n, rate in enumerate(["8.27", "0", "14.03"]):
        change = {"assetNumber": f"b{n}", "originatorName": "Percent Bank", RATE: rate}
        loans.append(filings.record(**change))
    tape = filings.read(tmp_path, loans, strict=True)
    assert sorted(set(tape["rate"].tolist())) == pytest.approx([0.0, 0.0827, 0.0999, 0.1403], rel=1e-12)
    assert _note(tape, "Where originatorName is Percent Bank, rate (") .endswith(
        "was read as a percent: its median, 11.15, is above 1."
    )  # fmt: skip


def test_a_rate_above_a_hundred_percent_is_asked_about(tmp_path: Path) -> None:
    tape = filings.read(tmp_path, filings.changed({RATE: "2.9"}))
    assert "1 loan bears more than 100 % interest a year: is the rate in percent?" in tape.report.notes


@pytest.mark.parametrize(("text", "sentence"), [("999.99", "1 cell holds 999.99"), ("0", "1 cell holds 0")])
def test_payment_to_income_that_means_nothing(tmp_path: Path, text: str, sentence: str) -> None:
    tape = filings.read(tmp_path, filings.changed({INCOME: text}), strict=True)
    assert np.isnan(tape["payment_to_income"][1])
    assert any(sentence in guess for guess in tape.report.guesses)
    assert "was read as a fraction" in _note(tape, "payment_to_income (paymentToIncomePercentage) was")


# --- scores ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("score", "sentence"),
    [("0", "1 cell holds 0"), ("None", "1 cell is not a number"), ("N/A", ""), ("", ""), (None, "")],
)
def test_a_score_that_is_none(tmp_path: Path, score: str | None, sentence: str) -> None:
    loans = filings.changed({"obligorCreditScore": score, "obligorCreditScoreType": "None"})
    tape = filings.read(tmp_path, loans, strict=True)
    assert np.isnan(tape["score"][1])
    assert tape["score_type"][1] == ""
    assert tape.report.missing["score"] == 1
    assert sentence in "\n".join(tape.report.guesses)


def test_each_scale_of_scores_keeps_its_name(tmp_path: Path) -> None:
    loans = filings.changed({"obligorCreditScore": "880", "obligorCreditScoreType": "Commercial Bureau"})
    tape = filings.read(tmp_path, loans, strict=True)
    assert tape["score_type"].tolist() == ["FICO Auto 8", "Commercial Bureau", "FICO Auto 8"]
    assert tape["score"].tolist() == [655.0, 880.0, 655.0]


def test_a_score_out_of_range_is_counted_as_unreadable(tmp_path: Path) -> None:
    tape = filings.read(tmp_path, filings.changed({"obligorCreditScore": "9999"}), strict=True)
    assert np.isnan(tape["score"][1])
    assert "1 cell is not a number" in _note(tape, "score (obligorCreditScore)")


def test_an_empty_record_is_a_rejected_row(tmp_path: Path) -> None:
    loans = [*filings.records(2), []]
    [row] = filings.read(tmp_path, loans).report.rejected
    assert (row.loan_id, row.balance_cents) == ("", None)
    assert "loan_id is not stated" in row.reason


# --- closed loans, delinquency ---------------------------------------------------------------------------------


@pytest.mark.parametrize("days", [None, "", "0", "97"])
def test_a_closed_loan_is_left_out_whatever_its_delinquency_says(tmp_path: Path, days: str | None) -> None:
    change = {BALANCE: "0", "zeroBalanceCode": "4", "currentDelinquencyStatus": days}
    report = filings.read(tmp_path, filings.changed(change)).report
    assert (report.rows_used, report.rows_closed, report.rejected_share_of_rows) == (2, 1, 0.0)


@pytest.mark.parametrize("code", ["1", "2", "3", "4", "5", "99", "4.0"])
@pytest.mark.parametrize("balance", ["5259.91", "0.09", None])
def test_a_zero_balance_code_closes_a_loan_whose_balance_was_left(
    tmp_path: Path, code: str, balance: str | None
) -> None:
    loans = filings.changed({"zeroBalanceCode": code, BALANCE: balance, "currentDelinquencyStatus": "0"})
    tape = filings.read(tmp_path, loans)
    [row] = tape.report.rejected
    assert (
        f"zeroBalanceCode = {code}: a closed loan that states a balance, or none at all; expected an open loan"
        in row.reason
    )
    assert (row.closed, tape.report.rejected_share_of_rows, tape.report.rejected_share_of_balance) == (True, 0.0, 0.0)
    assert _note(tape, "zeroBalanceCode: a closed loan").endswith("1 row (line 4).")
    assert tape.report.balance_read_cents == tape.report.balance_used_cents + tape.report.balance_rejected_cents


def test_an_open_loan_without_delinquency_is_rejected(tmp_path: Path) -> None:
    assert "days_past_due is not stated ('')" in _reason(tmp_path, {"currentDelinquencyStatus": None})


def test_days_that_kept_counting_are_read_and_reported(tmp_path: Path) -> None:
    tape = filings.read(tmp_path, filings.changed({"currentDelinquencyStatus": "147"}), strict=True)
    assert tape["days_past_due"][1] == 147
    assert "more than 120 days past due" in _note(tape, "currentDelinquencyStatus")


# --- elements that repeat, oddities the tape has no field for ---------------------------------------------------


def test_repeated_elements_keep_all_their_values(tmp_path: Path) -> None:
    loans = filings.changed({"zeroBalanceCode": ""})
    loans[1] += [("subvented", "1"), ("subvented", "2"), ("modificationTypeCode", "1"), ("modificationTypeCode", "3")]
    tape = filings.read(tmp_path, loans, strict=True)
    assert _note(tape, "subvented: several kinds of subvention at once").endswith("1 row (line 4).")
    assert _note(tape, "modificationTypeCode: several kinds of modification").endswith("1 row (line 4).")


def test_an_element_that_may_not_repeat_rejects_its_record(tmp_path: Path) -> None:
    loans = filings.changed({})
    loans[1].append((BALANCE, "1.00"))
    [row] = filings.read(tmp_path, loans).report.rejected
    assert row.reason.startswith("2 elements: '20000.10', '1.00'; expected one")


@pytest.mark.parametrize(
    ("change", "start", "end"),
    [
        ({"repossessedProceedsAmount": "-300"}, "repossessedProceedsAmount: neg", "1 row, -300.00 in all (line 4)."),
        ({"chargedoffPrincipalAmount": "-75.5"}, "chargedoffPrincipalAmount: a neg", "1 row, -75.50 in all (line 4)."),
        ({"recoveredAmount": "-20000"}, "recoveredAmount: a negative", "1 row, -20,000.00 in all (line 4)."),
        ({"paymentTypeCode": "3"}, "paymentTypeCode: not monthly instalments", "1 row (line 4)."),
        ({"interestCalculationTypeCode": "98"}, "interestCalculationTypeCode: not simple interest", "1 row (line 4)."),
        ({"originalInterestOnlyTermNumber": "12"}, "originalInterestOnlyTermNumber: interest only", "1 row (line 4)."),
        ({"obligorIncomeVerificationLevelCode": "0"}, "obligorIncomeVerificationLevelCode", "1 row (line 4)."),
        ({"originalInterestRateTypeCode": "2"}, "originalInterestRateTypeCode: not a fixed", "1 row (line 4)."),
        ({"obligorEmploymentVerificationCode": "0"}, "obligorEmploymentVerificationCode", "1 row (line 4)."),
    ],
)  # fmt: skip
def test_oddities_are_counted_with_their_place(
    tmp_path: Path, change: dict[str, str | None], start: str, end: str
) -> None:
    tape = filings.read(tmp_path, filings.changed(change), strict=True)
    assert _note(tape, start).endswith(end)


@pytest.mark.parametrize(
    ("change", "field", "value"),
    [
        ({"repossessedIndicator": "true"}, "repossessed", True),
        ({"repossessedIndicator": "1.0"}, "repossessed", True),
        ({"repossessedIndicator": ""}, "repossessed", False),
        ({"reportingPeriodModificationIndicator": "true"}, "modified", True),
        ({"reportingPeriodModificationIndicator": None, "modificationTypeCode": "4"}, "modified", True),
        ({"modificationTypeCode": "98"}, "modified", True),
        ({"modificationTypeCode": "-"}, "modified", False),
        ({"paymentExtendedNumber": "00000002"}, "modified", True),
        ({"paymentExtendedNumber": "0"}, "modified", False),
        ({"paymentTypeCode": "4"}, "amortisation", "balloon"),
        ({"paymentTypeCode": "4.0"}, "amortisation", "balloon"),
        ({"paymentTypeCode": "1"}, "amortisation", "level"),
        ({"paymentTypeCode": "77"}, "amortisation", "level"),
        ({"paymentTypeCode": None}, "amortisation", "level"),
        ({"obligorIncomeVerificationLevelCode": "2"}, "income_verified", False),
        ({"obligorIncomeVerificationLevelCode": "5"}, "income_verified", True),
    ],
)
def test_what_the_tape_has_a_field_for_is_read(
    tmp_path: Path, change: dict[str, str | None], field: str, value: object
) -> None:
    tape = filings.read(tmp_path, filings.changed(change), strict=True)
    assert tape[field][1] == value


def test_what_a_field_now_holds_is_no_oddity_any_more(tmp_path: Path) -> None:
    change = {"repossessedIndicator": "true", "reportingPeriodModificationIndicator": "true", "paymentTypeCode": "4"}
    report = filings.read(tmp_path, filings.changed(change), strict=True).report
    assert report.notes == ()
    assert report.missing["balloon"] == 1


def test_a_sound_filing_has_no_oddities(tmp_path: Path) -> None:
    assert filings.read(tmp_path, filings.records(4), strict=True).report.notes == ()


# --- dates, ids ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "month"),
    [("06/2023", "2023-06"), ("6/2023", "2023-06"), ("2023-06-01", "2023-06"), ("06-15-2023", "2023-06")],
)
def test_dates_that_are_read(tmp_path: Path, text: str, month: str) -> None:
    tape = filings.read(tmp_path, filings.changed({"originationDate": text}), strict=True)
    assert tape["origination_date"][1] == np.datetime64(month)


@pytest.mark.parametrize("text", ["2023/06", "13/2023", "06/23", "June 2023", "00/2023", "01/2025", "06/0023"])
def test_dates_that_are_rejected(tmp_path: Path, text: str) -> None:
    reason = _reason(tmp_path, {"originationDate": text})
    assert reason.startswith("originationDate: origination_date = ")
    assert "expected a" in reason


def test_a_maturity_that_drifted_is_not_used(tmp_path: Path) -> None:
    tape = filings.read(tmp_path, filings.changed({"loanMaturityDate": "12/2031"}), strict=True)
    assert tape["remaining_term"].tolist() == [54, 54, 54]


def test_months_of_two_reporting_dates_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="one reporting date; 2 stand in the file"):
        filings.read(tmp_path, filings.changed({"reportingPeriodEndingDate": "11-30-2024"}))


def test_asset_numbers_that_repeat_reject_all_their_records(tmp_path: Path) -> None:
    loans = [*filings.records(3), filings.record(assetNumber=f"{2:021d}", **{BALANCE: "7.00"})]
    report = filings.read(tmp_path, loans).report
    assert [row.line for row in report.rejected] == [4, 6]
    assert all(f"loan_id = '{2:021d}' on lines 4, 6; expected an id that occurs once" in row.reason
               for row in report.rejected)  # fmt: skip
    assert report.balance_rejected_cents == 2000010 + 700


def test_asset_numbers_that_went_through_a_spreadsheet_are_refused(tmp_path: Path) -> None:
    loans = [filings.record(assetNumber="2.10281729929454E+17") for _ in range(3)]
    with pytest.raises(InputError, match="3 rows share 1 id that lost their last digits in floating point"):
        filings.read(tmp_path, loans)
    lone = filings.changed({"assetNumber": "2.10281729929454E+17"})
    tape = filings.read(tmp_path, lone, strict=True)
    assert "1 loan has an id in scientific notation, which may have lost digits." in tape.report.notes


def test_ids_stay_text(tmp_path: Path) -> None:
    loans = filings.changed({"assetNumber": "0001694010 - 000014"})
    tape = filings.read(tmp_path, loans, strict=True)
    assert "0001694010 - 000014" in tape["loan_id"].tolist()
