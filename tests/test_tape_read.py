"""Reading canonical tapes: types, conventions, order, reconciliation."""

from __future__ import annotations

import csv
import datetime
import gzip
import io
import random
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import tape_samples as samples
from scenarios.errors import IntegrityError
from simulator.tape import LoadReport, LoanTape, read_tape, tape_from_arrays, tape_to_arrays
from simulator.tape.describe import FLAGS
from simulator.tape.report import CellFault, RejectedRow, money_text


def _read(folder: Path, table: list[dict[str, str]], **columns: str) -> LoanTape:
    header = [*samples.HEADER, *columns]
    return read_tape(samples.write(folder, samples.as_text([{**row, **columns} for row in table], header)))


def test_types_and_values(tmp_path: Path) -> None:
    tape = _read(tmp_path, samples.rows())
    assert len(tape) == 4
    assert tape.as_of == datetime.date(2024, 12, 31)
    assert tape["loan_id"].tolist() == ["00123", "00124", "00125", "00126"]
    assert tape["as_of_date"].dtype == np.dtype("datetime64[D]")
    assert tape["origination_date"].tolist() == [datetime.date(2023, 6, 1)] * 4
    assert tape["original_term"].dtype == np.int64
    assert tape["vehicle_new"].dtype == np.bool_
    assert tape["channel"][0] == "Dealer, West"
    assert tape["rate"][0] == 0.0999
    assert tape.opening_balance == 74001.0
    assert tape.report.balance_read_cents == tape.report.balance_used_cents == 7400100


def test_columns_cannot_be_changed(tmp_path: Path) -> None:
    tape = _read(tmp_path, samples.rows())
    with pytest.raises(ValueError, match="read-only"):
        tape["rate"][0] = 0.0
    with pytest.raises(TypeError):
        tape.columns["rate"] = tape["rate"]  # type: ignore[index]  # that is the point


def test_what_is_not_stated(tmp_path: Path) -> None:
    table = samples.rows()
    optional = ["scheduled_payment", "score", "score_type", "payment_to_income", "co_borrower", "sector", "channel"]
    optional += ["product", "vehicle_make", "vehicle_model", "model_year", "value_source", "vehicle", "amortisation"]
    optional += ["mileage", "income", *FLAGS]
    table[0].update(dict.fromkeys(optional, ""))
    tape = _read(tmp_path, table)
    assert all(np.isnan(tape[name][0]) for name in ("scheduled_payment", "score", "payment_to_income", "model_year"))
    assert all(np.isnan(tape[name][0]) for name in ("mileage", "income", "balloon"))
    assert [tape[name][0] for name in ("score_type", "vehicle_make", "vehicle_model")] == ["", "", ""]
    filled = {"co_borrower": False, "sector": "unknown", "channel": "unknown", "product": "purchase_loan"}
    filled |= {"vehicle": "other", "value_source": "other", "amortisation": "level", **dict.fromkeys(FLAGS, False)}
    assert {name: tape[name][0] for name in filled} == filled
    assert tape.report.defaults == dict.fromkeys(filled, 1)
    assert set(tape.report.missing) == set(optional) - set(filled)


def test_absent_optional_columns_take_defaults_and_are_named(tmp_path: Path) -> None:
    header = [name for name in samples.HEADER if name not in ("sector", "score")]
    text = samples.as_text(samples.rows(), header).replace("channel", "chanel", 1)
    report = read_tape(samples.write(tmp_path, text)).report
    assert report.defaults == {"sector": 4, "channel": 4}
    assert report.missing == {"score": 4}
    assert "The file has no column channel (column chanel was not read): channel is not stated." in report.notes
    assert "The file has no columns score, sector: they are not stated." in report.notes
    header.append("sector")
    assert (
        "The file has no column score: score is not stated."
        in read_tape(samples.write(tmp_path, samples.as_text(samples.rows(), header))).report.notes
    )


def test_score_0_means_none_and_is_reported(tmp_path: Path) -> None:
    tape = _read(tmp_path, samples.with_cell("score", "0"))
    assert np.isnan(tape["score"]).tolist() == [False, True, False, False]
    assert tape.report.guesses == ("score (score): 1 cell holds 0, which was read as not stated.",)


def test_currency_is_read_or_said_to_be_assumed(tmp_path: Path) -> None:
    stated = _read(tmp_path, samples.rows(), currency="CNY")
    assert (stated.currency, stated.report.notes) == ("CNY", ())
    assumed = _read(tmp_path, samples.rows())
    assert assumed.currency == "USD"
    assert assumed.report.notes == ("Neither file nor mapping states the currency: USD was assumed.",)


def test_shuffled_file_gives_the_identical_tape(tmp_path: Path) -> None:
    table = samples.rows(200)
    straight = _read(tmp_path, table)
    for seed in range(3):
        random.Random(seed).shuffle(table)
        shuffled = _read(tmp_path, table)
        assert shuffled.same_loans(straight)
        assert shuffled.report == straight.report
    table[0]["rate"] = "0.0998"
    assert not _read(tmp_path, table).same_loans(straight)


def test_columns_may_stand_in_any_order(tmp_path: Path) -> None:
    turned = samples.as_text(samples.rows(), samples.HEADER[::-1])
    assert read_tape(samples.write(tmp_path, turned)).same_loans(_read(tmp_path, samples.rows()))


@pytest.mark.parametrize(
    "change",
    [
        lambda text: b"\xef\xbb\xbf" + text.encode(),
        lambda text: text.replace("\n", "\r\n").encode(),
        lambda text: text.replace(",", " , ").replace("Dealer , West", "Dealer, West").encode(),
        lambda text: text.replace("\n", "\n\n").encode(),
        lambda text: b"\n" + text.encode(),
        lambda text: gzip.compress(text.encode()),
        lambda text: text.rstrip("\n").encode(),
    ],
    ids=["byte order mark", "CRLF", "spaces", "blank lines", "blank first line", "gzip", "no last line break"],
)  # fmt: skip
def test_forms_that_mean_the_same(tmp_path: Path, change: object) -> None:
    table = [{**row, "channel": "West"} for row in samples.rows()]
    same = read_tape(samples.write(tmp_path, change(samples.as_text(table)), "x.csv"))  # type: ignore[operator]
    assert same.same_loans(_read(tmp_path, table))


def test_quoted_line_breaks_keep_later_lines_right(tmp_path: Path) -> None:
    table = samples.rows()
    table[0]["vehicle_model"] = "RAV4\nHybrid"
    table[2]["rate"] = "x"
    report = _read(tmp_path, table).report
    assert [row.line for row in report.rejected] == [5]


def test_fractions_of_a_cent_are_rounded_and_reported(tmp_path: Path) -> None:
    tape = _read(tmp_path, samples.with_cell("current_balance", "100.005"))
    assert tape["current_balance"][1] == 100.0
    assert "1 balance was rounded to whole cents, half to even." in tape.report.notes


def test_unusual_loans_are_noted(tmp_path: Path) -> None:
    table = samples.rows()
    table[0].update(current_balance="26000", scheduled_payment="1")
    table[1]["remaining_term"] = "80"
    notes = _read(tmp_path, table).report.notes
    assert notes[1:] == (
        "1 loan owes more than was paid out.",
        "1 loan has more months left than at its start.",
        "1 loan states an instalment that does not cover a month's interest.",
    )


def test_what_is_usual_for_other_loans_is_not_noted(tmp_path: Path) -> None:
    table = samples.rows()
    table[0].update(scheduled_payment="1", amortisation="interest_only")
    table[1].update(rate="3", product="title_loan", amortisation="single_payment", scheduled_payment="")
    table[2].update(amortisation="balloon", balloon="50000")
    table[3].update(balloon="500")
    report = _read(tmp_path, table, currency="USD").report
    assert report.notes == (
        "1 loan states a balloon, and level instalments or none: amortisation was taken as balloon.",
        "1 loan states a balloon above its balance.",
    )
    assert report.missing == {}


def test_zeros_that_mean_nothing(tmp_path: Path) -> None:
    tape = _read(tmp_path, [{**row, "mileage": "0", "income": "0", "balloon": "0"} for row in samples.rows()])
    assert np.isnan(tape["mileage"]).all()
    assert np.isnan(tape["income"]).all()
    assert set(tape["amortisation"]) == {"level"}
    assert tape.report.guesses == (
        "mileage (mileage): 4 cells hold 0, which was read as not stated.",
        "income (income): 4 cells hold 0, which was read as not stated.",
    )


def test_arrays_and_back(tmp_path: Path) -> None:
    tape = _read(tmp_path, samples.with_cell("score", ""), currency="CNY")
    arrays = tape_to_arrays(tape)
    assert {array.dtype.kind for array in arrays.values()} <= set("Ufi")
    again = tape_from_arrays(arrays)
    assert again.same_loans(tape)
    assert again.report == tape.report


def test_a_tape_that_breaks_its_promises_cannot_be_made(tmp_path: Path) -> None:
    tape = _read(tmp_path, samples.rows())
    columns = dict(tape.columns)
    spoilt = {
        "sorted and unique": {**columns, "loan_id": columns["loan_id"][::-1]},
        "expected float64": {**columns, "rate": columns["rate"].astype(np.float32)},
        "column score is": {**columns, "score": columns["score"][:2]},
        "expected \\['loan_id'": {name: column for name, column in columns.items() if name != "rate"},
    }
    for words, changed in spoilt.items():
        with pytest.raises(ValueError, match=words):
            LoanTape(changed, tape.as_of, tape.currency, tape.report)


def test_rejected_rows_survive_the_arrays(tmp_path: Path) -> None:
    tape = _read(tmp_path, samples.with_cell("rate", "5%"))
    assert tape_from_arrays(tape_to_arrays(tape)).report.rejected == tape.report.rejected


def test_report_that_does_not_reconcile_is_an_integrity_error() -> None:
    row = RejectedRow(3, "7", (CellFault("rate", "x", "a number"),), 500)
    LoadReport("t.csv", "canonical", 2, 1, 1500, 1000, (row,))
    with pytest.raises(IntegrityError, match="2 rows read; expected 2 used"):
        LoadReport("t.csv", "canonical", 2, 2, 1500, 1000, (row,))
    with pytest.raises(IntegrityError, match="1501 cents read"):
        LoadReport("t.csv", "canonical", 2, 1, 1501, 1000, (row,))


def test_money_text_has_no_rounding() -> None:
    assert money_text(18450636768) == "184,506,367.68"
    assert money_text(-5) == "-0.05"
    assert money_text(10**20 + 1) == "1,000,000,000,000,000,000.01"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("tapes")


BALANCES = st.one_of(
    st.decimals(min_value=-1000, max_value=100000, places=2).map(str),
    st.sampled_from(["NaN", "", "0", "1,000.00", "12.345", "1e3", "5%", "-0.01"]),
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    cells=st.lists(st.tuples(BALANCES, st.sampled_from("abcdefgh"), st.integers(-1, 1)), min_size=1, max_size=12),
    order=st.randoms(use_true_random=False),
)
def test_rows_and_cents_reconcile_whatever_the_rows(
    folder: Path, cells: list[tuple[str, str, int]], order: random.Random
) -> None:
    sound = {**samples.rows()[0], "loan_id": "sound"}
    table = [{**sound, "loan_id": loan, "current_balance": balance} for balance, loan, _ in cells]
    lines = samples.as_text([*table, sound]).splitlines(keepends=True)
    for place, (_, _, ragged) in enumerate(cells, start=1):
        changed = {1: lines[place].replace("\n", ",\n"), -1: lines[place].rsplit(",", 1)[0] + "\n", 0: lines[place]}
        lines[place] = changed[ragged]
    body = lines[1:]
    order.shuffle(body)
    tape = read_tape(samples.write(folder, lines[0] + "".join(body)))
    report = tape.report
    assert report.rows_read == len(cells) + 1 == report.rows_used + report.rows_rejected
    independent = sum(_cents(row) for row in csv.reader(io.StringIO("".join(body))) if len(row) == len(samples.HEADER))
    assert report.balance_read_cents == independent
    assert report.balance_read_cents == report.balance_used_cents + report.balance_rejected_cents
    assert round(tape["current_balance"].sum() * 100) == report.balance_used_cents
    assert sorted(row.line for row in report.rejected) == [row.line for row in report.rejected]


def _cents(row: list[str]) -> int:
    """Another opinion on a balance in cents: by floats, which are exact enough for one amount."""
    try:
        value = float(row[samples.HEADER.index("current_balance")])
    except ValueError:
        return 0
    return 0 if value != value else round(value * 100)
