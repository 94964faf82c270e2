"""Real asset-level data of the SEC's form ABS-EE, where they lie beside the checkout."""

from __future__ import annotations

import csv
import gzip
import io
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

import numpy as np
import pytest

import tape_samples as samples
from scenarios.errors import InputError
from simulator.tape import read_tape, write_tape

Folder = Callable[[str], Path]

JOINED = """\
kind: tape_mapping
name: world_omni_2020
extends: reg_ab
fields:
  loan_id: {columns: [assetNumber, originalLoanAmount, obligorCreditScore]}
"""


@pytest.fixture
def pool(shared_data: Folder) -> Path:
    return shared_data("world_omni_2020") / "WORLD_OMNI_FINANCIAL_CORP.csv.gz"


def test_pool_is_used_whole_and_reconciles_to_the_cent(pool: Path, tmp_path: Path) -> None:
    tape = read_tape(pool, "reg_ab", samples.write(tmp_path, JOINED, "joined.yaml"), strict=True)
    with gzip.open(pool, "rt") as stream:
        independent = sum(Decimal(row["reportingPeriodActualEndBalanceAmount"]) for row in csv.DictReader(stream))
    assert tape.report.rows_read == tape.report.rows_used == len(tape) == 7572
    assert tape.report.balance_used_cents == int(independent * 100) == 18450636768
    assert tape.opening_balance == 184506367.68
    assert tape.as_of.isoformat() == "2020-07-31"
    assert int(tape["vehicle_new"].sum()) == 5502
    assert (tape["score"].min(), tape["score"].max()) == (507.0, 880.0)
    assert np.unique(tape["vehicle"], return_counts=True)[1].tolist() == [4716, 8, 2097, 751]
    assert tape["origination_date"].min() == np.datetime64("2014-01")
    unknown = ("sector", "channel", "tracker", "starter_interrupt", "credit_insured")
    assert tape.report.defaults == {**dict.fromkeys(unknown, 7572), "modified": 1}
    assert tape.report.missing == {"scheduled_payment": 5, "payment_to_income": 14, "mileage": 7572, "income": 7572}
    assert set(tape["amortisation"]) == {"level"}
    assert (int(tape["modified"].sum()), int(tape["repossessed"].sum()), int(tape["income_verified"].sum())) == (
        47,
        0,
        0,
    )
    guesses = "\n".join(tape.report.guesses)
    assert "rate (reportingPeriodInterestRatePercentage) was read as a fraction" in guesses
    assert "payment_to_income (paymentToIncomePercentage) was read as a fraction: its median, 0.1097" in guesses


def test_pool_with_its_damaged_ids_is_refused_with_a_remedy_that_works(pool: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError) as caught:
        read_tape(pool, "reg_ab")
    message = str(caught.value)
    assert "7,572 rows share 2,159 ids that lost their last digits in floating point" in message
    assert "all are multiples of 128" in message
    line = "loan_id: {columns: [assetNumber, originalLoanAmount, obligorCreditScore]}"
    assert f"`{line}`, which tells all 7,572 rows apart" in message
    mapping = f"kind: tape_mapping\nname: proposed\nextends: reg_ab\nfields:\n  {line}\n"
    assert len(read_tape(pool, "reg_ab", samples.write(tmp_path, mapping, "proposed.yaml"))) == 7572


def test_percent_filer_reads_as_the_fraction_filer(pool: Path, tmp_path: Path) -> None:
    with gzip.open(pool, "rt") as stream:
        table = list(csv.DictReader(stream))[:500]
    for row in table:
        for name in ("reportingPeriodInterestRatePercentage", "paymentToIncomePercentage"):
            row[name] = str(Decimal(row[name]) * 100)
    mapping = samples.write(tmp_path, JOINED, "joined.yaml")
    tape = read_tape(samples.write(tmp_path, samples.as_text(table, list(table[0]))), "reg_ab", mapping)
    whole = read_tape(pool, "reg_ab", mapping)
    same = np.isin(whole["loan_id"], tape["loan_id"])
    np.testing.assert_array_equal(tape["rate"], whole["rate"][same])
    np.testing.assert_array_equal(tape["payment_to_income"], whole["payment_to_income"][same])
    assert sum("was read as a percent" in guess for guess in tape.report.guesses) == 2


@pytest.mark.parametrize("name", ["pool.csv", "pool.parquet"])
def test_pool_written_and_read_back_is_equal(pool: Path, tmp_path: Path, name: str) -> None:
    tape = read_tape(pool, "reg_ab", samples.write(tmp_path, JOINED, "joined.yaml"))
    write_tape(tape, tmp_path / name)
    again = read_tape(tmp_path / name, strict=True)
    assert again.same_loans(tape)
    assert again.report.balance_read_cents == tape.report.balance_read_cents


def _month(path: Path, ending: str) -> str:
    """Rows of one reporting period as text."""
    with gzip.open(path, "rt") as stream:
        reader = csv.DictReader(stream)
        rows = [row for row in reader if row["reportingPeriodEndingDate"] == ending]
    return samples.as_text(rows, list(rows[0]))


def test_ids_that_repeat_without_damage_are_rejected_rows(shared_data: Folder, tmp_path: Path) -> None:
    path = shared_data("americredit_sample") / "amcar_72_loans_monthly.csv.gz"
    text = _month(path, "01-31-2020")
    report = read_tape(samples.write(tmp_path, text), "reg_ab").report
    repeated = sum(row["assetNumber"] == "0" for row in csv.DictReader(io.StringIO(text)))
    assert report.rows_rejected == repeated > 1
    joined = JOINED.replace("[assetNumber, originalLoanAmount, obligorCreditScore]", "[deal, loan_id]")
    tape = read_tape(tmp_path / "tape.csv", "reg_ab", samples.write(tmp_path, joined, "joined.yaml"))
    assert len(tape) > report.rows_used
