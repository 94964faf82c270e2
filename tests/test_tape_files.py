"""Tapes in files: Parquet, ids that floating point damaged, writing, formulas, descriptions."""

from __future__ import annotations

import datetime
import json
from pathlib import Path

import duckdb
import numpy as np
import pytest

import tape_samples as samples
from scenarios.errors import InputError
from simulator.tape import LoanTape, describe_tape, format_description, read_tape, synthetic_tape, write_tape
from simulator.tape.formulas import escaped, unescaped

AS_OF = datetime.date(2024, 12, 31)


def _tape(folder: Path, table: list[dict[str, str]] | None = None) -> LoanTape:
    return read_tape(samples.write(folder, samples.as_text(table or samples.rows())))


def _parquet(folder: Path, select: str, name: str = "tape.parquet") -> Path:
    """The sample as Parquet, through a SELECT over the text columns of table `tape`."""
    source = samples.write(folder, samples.as_text(samples.rows()), "source.csv")
    with duckdb.connect() as connection:
        connection.execute(f"CREATE TABLE tape AS SELECT * FROM read_csv('{source}', all_varchar=true, header=true)")
        connection.execute(f"COPY ({select}) TO '{folder / name}' (FORMAT parquet)")
    return folder / name


def test_typed_parquet_reads_as_the_csv(tmp_path: Path) -> None:
    select = """SELECT * REPLACE (as_of_date::DATE AS as_of_date,
        (origination_date || '-01')::TIMESTAMP AS origination_date,
        current_balance::DOUBLE AS current_balance, rate::FLOAT AS rate, original_term::INTEGER AS original_term,
        original_balance::DECIMAL(18, 2) AS original_balance, vehicle_new::BOOLEAN AS vehicle_new,
        NULLIF(score, '655')::BIGINT AS score) FROM tape"""
    tape = read_tape(_parquet(tmp_path, select))
    expected = _tape(tmp_path, [{**row, "score": ""} for row in samples.rows()])
    assert tape.same_loans(expected)
    assert tape.report.balance_read_cents == 7400100


def test_parquet_rows_are_numbered_from_1(tmp_path: Path) -> None:
    select = "SELECT * REPLACE (CASE loan_id WHEN '00124' THEN 'nan'::DOUBLE ELSE rate::DOUBLE END AS rate) FROM tape"
    [rejected] = read_tape(_parquet(tmp_path, select)).report.rejected
    assert (rejected.line, rejected.column, rejected.loan_id) == (2, "rate", "00124")


def test_parquet_under_a_name_that_looks_like_a_pattern(tmp_path: Path) -> None:
    _parquet(tmp_path, "SELECT * REPLACE ('x' AS rate) FROM tape", "tape1.parquet")
    path = _parquet(tmp_path, "SELECT * FROM tape", "tape[1].parquet")
    assert len(read_tape(path, strict=True)) == 4


@pytest.mark.parametrize(
    ("select", "words"),
    [
        ("SELECT * REPLACE (loan_id::DOUBLE AS loan_id) FROM tape", ["loan_id", "ids stored as floating point"]),
        ("SELECT * REPLACE ([rate] AS rate) FROM tape", ["rate", "VARCHAR[]", "Export it as text"]),
        ("SELECT * REPLACE (rate::BLOB AS rate) FROM tape", ["rate", "BLOB"]),
        ("SELECT * FROM tape WHERE false", ["a header without rows"]),
        ("SELECT * EXCLUDE (rate) FROM tape", [": rate", "no such column"]),
    ],
)
def test_parquet_that_cannot_be_used(tmp_path: Path, select: str, words: list[str]) -> None:
    with pytest.raises(InputError) as caught:
        read_tape(_parquet(tmp_path, select))
    assert all(word in str(caught.value) for word in words), str(caught.value)


def _with_ids(folder: Path, ids: list[str]) -> Path:
    table = [{**row, "loan_id": loan} for row, loan in zip(samples.rows(len(ids)), ids, strict=True)]
    return samples.write(folder, samples.as_text(table))


def test_ids_rounded_by_floating_point_are_refused_with_a_proposal(tmp_path: Path) -> None:
    ids = [str(int(float(998989999995846700 + 7 * place))) for place in range(40)]
    path = _with_ids(tmp_path, ids)
    text = path.read_text()
    for place in range(40):  # amounts that tell the loans apart
        text = text.replace(",25000,", f",{25001 + place},", 1)
    path.write_text(text)
    with pytest.raises(InputError) as caught:
        read_tape(path)
    message = str(caught.value)
    assert "40 rows share 3 ids that lost their last digits in floating point" in message
    assert "multiples of 128" in message
    assert "`extends: canonical`" in message
    assert "`loan_id: {columns: [loan_id, original_balance]}`, which tells all 40 rows apart" in message


def test_ids_in_scientific_notation_are_refused_where_they_repeat(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="lost their last digits in floating point"):
        read_tape(_with_ids(tmp_path, ["9.98989999995847E+17"] * 3 + ["7"]))


def test_long_ids_with_all_their_digits_are_used_and_true_duplicates_rejected(tmp_path: Path) -> None:
    ids = [str(998989999995846701 + place) for place in range(40)]
    assert len(read_tape(_with_ids(tmp_path, ids), strict=True)) == 40
    report = read_tape(_with_ids(tmp_path, [*ids, ids[0]])).report
    assert [row.line for row in report.rejected] == [2, 42]


@pytest.mark.parametrize("name", ["tape.csv", "tape.parquet"])
def test_written_tape_reads_back_equal(tmp_path: Path, name: str) -> None:
    table = samples.rows()
    table[0].update(score="", payment_to_income="", vehicle_model='5" "wide", long', channel="直营店\nNord")
    table[2].update(amortisation="balloon", balloon="8000.25", mileage="", tracker="true", modified="true")
    table[3].update(amortisation="single_payment", remaining_term="0", scheduled_payment="", income="", repossessed="1")
    table[1].update(sector="=cmd()", channel="'=cmd()", region="-TX", vehicle_make="@SUM(A1)", vehicle_model="'x")
    tape = read_tape(samples.write(tmp_path, samples.as_text([{**row, "currency": "CNY"} for row in table],
                                                             [*samples.HEADER, "currency"]), "in.csv"))  # fmt: skip
    assert tape["amortisation"].tolist() == ["level", "level", "balloon", "single_payment"]
    write_tape(tape, tmp_path / name)
    again = read_tape(tmp_path / name, strict=True)
    assert again.same_loans(tape)
    assert again.currency == "CNY"
    first = (tmp_path / name).read_bytes()
    write_tape(tape, tmp_path / name, force=True)
    assert (tmp_path / name).read_bytes() == first


PAYLOADS = ["=1+1", "+1", "-1+1", "@SUM(A1)", "\t=1", "\r=1", "=HYPERLINK(1)", "'=1", "''=1", "==", "-", "@"]


@pytest.mark.parametrize("text", [*PAYLOADS, "plain", "'quoted'", "", "'"])
def test_text_that_looks_like_a_formula_is_escaped_and_back(text: str) -> None:
    assert unescaped(escaped(text)) == text
    assert not escaped(text).startswith(("=", "+", "-", "@", "\t", "\r"))
    assert (escaped(text) != text) == (text in PAYLOADS)


def test_numbers_are_not_escaped(tmp_path: Path) -> None:
    write_tape(_tape(tmp_path, samples.with_cell("sector", "=1+1")), tmp_path / "out.csv")
    lines = (tmp_path / "out.csv").read_text().splitlines()
    assert "'=1+1" in lines[2]
    assert lines[1].startswith("00123,2024-12-31,2023-06,25000,20000.1,0.0999,72,54,463.15,0,655,")


def test_writing_refuses_what_it_should(tmp_path: Path) -> None:
    tape = _tape(tmp_path)
    with pytest.raises(InputError, match=r"\.csv or \.parquet"):
        write_tape(tape, tmp_path / "tape.xlsx")
    with pytest.raises(InputError, match="no such folder"):
        write_tape(tape, tmp_path / "none" / "tape.csv")
    with pytest.raises(InputError, match=r"an existing file; .* replace it with --force\."):
        write_tape(tape, tmp_path / "tape.csv")


def test_failed_write_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tape = _tape(tmp_path)

    def fail(*_: object) -> None:
        raise OSError("disk full")

    monkeypatch.setattr("simulator.tape.write._texts", fail)
    with pytest.raises(OSError, match="disk full"):
        write_tape(tape, tmp_path / "out.csv")
    assert [path.name for path in tmp_path.iterdir()] == ["tape.csv"]


def test_description_adds_up(tmp_path: Path) -> None:
    tape = synthetic_tape("us_near_prime", 2000, seed=5, as_of=AS_OF, bucket_shares=[0.9, 0.07, 0.02, 0.01])
    description = describe_tape(tape)
    bands = ("days_past_due", "loan_to_value", "score")
    groups = [*description["cuts"].values(), *(description[band] for band in bands)]
    assert set(description["cuts"]) == {"region", "sector", "vehicle", "channel", "product", "vintage"}
    for levels in groups:
        assert sum(level["loans"] for level in levels.values()) == 2000
        assert round(sum(level["balance"] for level in levels.values()), 2) == tape.opening_balance
        assert sum(level["share"] for level in levels.values()) == pytest.approx(1.0)
    balance = tape["current_balance"]
    assert description["averages"]["rate"] == pytest.approx(np.sum(balance * tape["rate"]) / np.sum(balance))
    assert list(description["days_past_due"]) == ["0", "30-59", "60-89", "90-119"]
    assert json.loads(json.dumps(description))["loans"] == 2000


def test_a_description_shows_new_fields_where_a_loan_has_them(tmp_path: Path) -> None:
    table = [{**row, "income": "", "mileage": "", "income_verified": "false"} for row in samples.rows()]
    plain = describe_tape(_tape(tmp_path, table))
    text = format_description(plain)
    assert not any(word in text for word in ("amortisation", "flags", "mileage", "  income", "balloons", "tracker"))
    assert (plain["averages"]["mileage"], plain["balloons"]) == (None, 0.0)
    table[0].update(amortisation="balloon", balloon="7000.50", mileage="81000", income="4000", tracker="true")
    table[1].update(repossessed="true")
    description = describe_tape(_tape(tmp_path, table))
    text = format_description(description)
    for line in (
        "balloons                   7,000.50",
        "  mileage                81,000 km",
        "  income                     4,000",
        "  balloon                        1           20,000.10   27.03%",
        "  tracker                        1           20,000.10   27.03%",
        "  repossessed                    1           19,000.20   25.68%",
    ):
        assert line in text, line
    assert "starter interrupt" not in text
    assert description["flags"]["starter_interrupt"] == {"loans": 0, "balance": 0.0, "share": 0.0}
    assert sum(level["loans"] for level in description["amortisation"].values()) == 4
    assert json.loads(json.dumps(description))["balloons"] == 7000.5


def test_description_as_text(tmp_path: Path) -> None:
    table = samples.rows()
    table[0].update(score="", days_past_due="31", vehicle_value="10000")
    text = format_description(describe_tape(_tape(tmp_path, table)))
    assert "4 loans as of 2024-12-31, USD" in text
    assert "balance                   74,001.00" in text
    for line in ("30-59                          1           20,000.10   27.03%", "not stated"):
        assert line in text
    assert "140% and more" in text
    assert "loan to value" in text


def test_long_cuts_are_summed_up_in_text_only(tmp_path: Path) -> None:
    table = [{**row, "region": f"R{place:02d}"} for place, row in enumerate(samples.rows(20))]
    description = describe_tape(_tape(tmp_path, table))
    assert len(description["cuts"]["region"]) == 20
    assert "  8 more " in format_description(description)


def test_a_file_that_may_not_be_read_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = samples.write(tmp_path, samples.as_text(samples.rows()))

    def refuse(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(InputError, match=r"tape.csv: the file cannot be opened \(permission denied\); expected a CSV"):
        read_tape(path)
