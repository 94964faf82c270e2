"""The SEC's form ABS-EE as filed: XML read as a stream, what it may not hold, and the hazards found in real filings."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import filing_samples as filings
import tape_samples as samples
from scenarios.errors import InputError
from simulator.tape import read_tape
from simulator.tape.xml_source import LONGEST_MARKUP, LONGEST_VALUE

Folder = Callable[[str], Path]


# --- a filing is the same book as its flat file ----------------------------------------------------------------


def _flat(loans: list[list[filings.Element]]) -> str:
    table = [dict(loan) for loan in loans]
    return samples.as_text(table, list(table[0]))


@pytest.mark.parametrize("line", ["\n", ""])
def test_a_filing_reads_as_its_flat_file(tmp_path: Path, line: str) -> None:
    loans = filings.records(5)
    tape = filings.read(tmp_path, loans, line=line, strict=True)
    flat = read_tape(samples.write(tmp_path, _flat(loans)), "reg_ab")
    assert tape.same_loans(flat)
    assert tape.report.guesses == flat.report.guesses
    assert (tape.report.balance_used_cents, tape.as_of.isoformat(), tape.currency) == (10000050, "2024-12-31", "USD")
    assert tape["loan_id"][0] == f"{1:021d}"
    assert (tape["vehicle"][0], tape["origination_date"][0]) == ("suv", np.datetime64("2023-06"))


def test_content_tells_the_kind_and_gzip_is_undone(tmp_path: Path) -> None:
    text = filings.as_xml(filings.records(3))
    plain = filings.read(tmp_path, filings.records(3))
    prefixed = text.replace("xmlns=", "xmlns:a=").replace("<assets>", "<a:assets>").replace("</assets>", "</a:assets>")
    prefixed = prefixed.replace("<assetData ", "<a:assetData ").replace("</assetData>", "</a:assetData>")
    for name, content in (
        ("filing.csv", text.encode()),
        ("filing.dat", gzip.compress(text.encode())),
        ("marked.xml", b"\xef\xbb\xbf\n" + text.partition("?>")[2].encode()),
        ("prefixed.xml", prefixed.encode()),
    ):
        assert read_tape(samples.write(tmp_path, content, name), "reg_ab").same_loans(plain)


def test_entities_of_xml_itself_and_cdata_are_text(tmp_path: Path) -> None:
    loans = filings.changed({"vehicleModelName": "A &amp; B &#x4e2d;", "vehicleManufacturerName": "<![CDATA[ T<T ]]>"})
    tape = filings.read(tmp_path, loans, strict=True)
    assert (tape["vehicle_model"][1], tape["vehicle_make"][1]) == ("A & B 中", "T<T")


# --- what is wrong is named by asset number and place ----------------------------------------------------------


def test_a_rejected_record_is_named_by_its_line(tmp_path: Path) -> None:
    report = filings.read(tmp_path, filings.changed({"originalLoanTerm": "72.5"})).report
    [row] = report.rejected
    assert (row.line, row.loan_id, row.column) == (4, f"{2:021d}", "originalLoanTerm")
    assert "line 4: originalLoanTerm: original_term = '72.5'; expected a whole number" in report.lines("USD")


def test_records_on_one_line_are_named_by_number_and_loan(tmp_path: Path) -> None:
    loans = filings.changed({"originalLoanTerm": "72.5"})
    report = filings.read(tmp_path, loans, line="").report
    assert [(row.line, row.loan_id) for row in report.rejected] == [(2, f"{2:021d}")]
    assert "record 2: originalLoanTerm: original_term = '72.5'; expected a whole number" in report.lines("USD")
    assert any(note.startswith("Records share lines in this XML") for note in report.notes)
    with pytest.raises(InputError, match=r"ex102\.xml: record 2, loan 0+2: originalLoanTerm: original_term = '72\.5'"):
        filings.read(tmp_path, loans, line="", strict=True)


def test_rows_and_cents_reconcile_with_a_fault_of_each_kind(tmp_path: Path) -> None:
    spoiled = [
        {"originalLoanAmount": "NaN"}, {"reportingPeriodActualEndBalanceAmount": "-1.00"}, {"assetNumber": None},
        {"originationDate": "13/2023"}, {"vehicleNewUsedCode": "3"}, {"reportingPeriodActualEndBalanceAmount": None},
    ]  # fmt: skip
    loans = [*filings.records(3), *(filings.record(**{"assetNumber": f"9{n}", **one}) for n, one in enumerate(spoiled))]
    report = filings.read(tmp_path, loans).report
    assert (report.rows_read, report.rows_used, report.rows_rejected, report.rows_without_balance) == (9, 3, 6, 1)
    assert report.balance_read_cents == report.balance_used_cents + report.balance_rejected_cents
    assert report.balance_used_cents == 3 * 2000010


def test_shuffled_records_give_the_same_tape(tmp_path: Path) -> None:
    loans = filings.records(20)
    tape = filings.read(tmp_path, loans)
    assert filings.read(tmp_path, loans[::-1]).same_loans(tape)


# --- what XML may not hold -------------------------------------------------------------------------------------

_LOANS = filings.as_xml(filings.records(1))
_BOMB = (
    '<?xml version="1.0"?><!DOCTYPE assetData [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]>'
    f'<assetData xmlns="{filings.NAMESPACE}"><assets><assetNumber>&b;</assetNumber></assets></assetData>'
)
REFUSED = {
    "entities": (_BOMB, ["ex102.xml:1: a document type or entity (assetData)", "<!DOCTYPE"]),
    "external": ('<!DOCTYPE x SYSTEM "file:///etc/passwd">' + _LOANS.partition("?>")[2], ["a document type or entity"]),
    "undefined entity": (_LOANS.replace("Toyota", "&car;"), [":3: damaged XML (undefined entity", "well-formed XML"]),
    "cut off": (_LOANS[:-20], ["damaged XML (", "Download the filing again."]),
    "two roots": (_LOANS + "<x/>", ["damaged XML (junk after document element"]),
    "other assets": (_LOANS.replace("autoloan", "autolease"), ["<assetData> of http", "absee/autolease", "autoloan"]),
    "html": ("<html><body>Not found</body></html>", ["<html>; expected <assetData>", "lacks 103"]),
    "nested": (_LOANS.replace("72<", "<x>1</x><"), ["<x> inside <originalLoanTerm>", "elements that hold text only"]),
    "beside": (_LOANS.replace("</assetData>", "<note/></assetData>"), [":4: <note> beside the loans"]),
    "text": (_LOANS.replace("</assets>", "stray</assets>"), ["text between elements"]),
    "long text": (_LOANS.replace("RAV4", "x" * (LONGEST_VALUE + 1)), ["<vehicleModelName> with more than 10,000 char"]),
    "long comment": (_LOANS.replace("<assets>", f"<!--{'x' * (LONGEST_MARKUP + (1 << 17))}--><assets>"),
                     ["a tag or comment of more than 1,048,576 bytes"]),
    "long record": (_LOANS.replace("</assets>", "<subvented>1</subvented>" * 1000 + "</assets>"),
                    ["a loan of more than 1,000 elements", "the schema's 72"]),
    "encoding": (_LOANS.replace("UTF-8", "utf-77"), ["XML", "encoding"]),
    "no loans": (f'<assetData xmlns="{filings.NAMESPACE}"/>',
                 ["an XML filing without loans; expected at least one <assets>"]),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
def test_what_a_filing_may_not_hold_is_refused(tmp_path: Path, case: str) -> None:
    text, words = REFUSED[case]
    with pytest.raises(InputError) as caught:
        read_tape(samples.write(tmp_path, text, "ex102.xml"), "reg_ab_xml")
    assert all(word in str(caught.value) for word in words), str(caught.value)


def test_many_names_of_elements_are_refused(tmp_path: Path) -> None:
    loans = [[(f"e{place}_{number}", "1") for number in range(600)] for place in range(2)]
    with pytest.raises(InputError, match=r"more than 1,000 names of elements"):
        filings.read(tmp_path, loans)


def test_a_damaged_gzip_is_refused(tmp_path: Path) -> None:
    path = samples.write(tmp_path, gzip.compress(filings.as_xml(filings.records(500)).encode())[:-200], "cut.xml.gz")
    with pytest.raises(InputError, match="damaged gzip data"):
        read_tape(path, "reg_ab_xml")


def test_a_filing_without_its_format_is_told_the_way(tmp_path: Path) -> None:
    path = samples.write(tmp_path, _LOANS, "ex102.xml")
    with pytest.raises(InputError, match=r"an XML filing of the SEC; expected a table .*--format reg_ab_xml"):
        read_tape(path)


# --- bounded memory --------------------------------------------------------------------------------------------


def test_memory_follows_loans_and_not_bytes(tmp_path: Path) -> None:
    filings.check_bounded(tmp_path, loans=400, bulk=30_000)


# --- a real record ---------------------------------------------------------------------------------------------


def test_a_real_record_is_read_and_is_a_closed_loan(shared_data: Folder) -> None:
    path = shared_data("formats") / "ex102_one_record_exeter_2026-06.xml"
    with pytest.raises(InputError) as caught:
        read_tape(path, "reg_ab_xml")
    message = str(caught.value)
    assert "1 of 1 row rejected; expected at least one usable row" in message
    assert "current_balance = 0: a closed loan; expected an open loan" in message


def test_a_real_record_reopened_is_used(shared_data: Folder, tmp_path: Path) -> None:
    text = (shared_data("formats") / "ex102_one_record_exeter_2026-06.xml").read_text("utf-8")
    for name, value in {
        "reportingPeriodActualEndBalanceAmount": "5000.25", "remainingTermToMaturityNumber": "7", "zeroBalanceCode": "",
    }.items():  # fmt: skip
        before, _, rest = text.partition(f"<{name}>")
        text = f"{before}<{name}>{value}</{name}>{rest.partition(f'</{name}>')[2]}"
    tape = read_tape(samples.write(tmp_path, text, "one.xml"), "reg_ab_xml")
    assert (len(tape), tape["score"][0], tape["rate"][0]) == (1, 580.0, 0.2296)
    assert (tape["loan_id"][0], tape["vehicle_make"][0]) == ("210281729929454301", "Kia")
