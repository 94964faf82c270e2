"""A loan file to a `LoanTape`: every row is used or rejected with a reason, and money reconciles to the cent."""

from __future__ import annotations

import datetime
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final, Literal, get_args

import numpy as np

from scenarios.counted import counted
from scenarios.errors import Fault, InputError
from scenarios.tape_fields import TapeField
from scenarios.vocabulary import AMORTISATIONS
from simulator.tape.amortisation import COMPOUNDING
from simulator.tape.cells import canonical_parser
from simulator.tape.derived import rows_of_date, with_no_data
from simulator.tape.mapping import Layout, load_layout
from simulator.tape.oddities import look
from simulator.tape.opening import file_kind
from simulator.tape.raw_table import RawTable, file_fault
from simulator.tape.report import LoadReport, RejectedRow
from simulator.tape.resolve import settle_layout
from simulator.tape.rows import SCIENTIFIC, refuse_damaged_ids, row_faults
from simulator.tape.source import read_raw
from simulator.tape.tape import FIELD_DEFAULTS, FIELDS, KIND_DTYPES, Column, LoanTape, balance_cents, make_tape
from simulator.tape.typed import TypedTable, type_table

Format = Literal["canonical", "reg_ab", "reg_ab_xml", "esma_annex5", "cn_labels"]
FORMATS: Final[tuple[Format, ...]] = get_args(Format)
"""Layouts that need no mapping file; each but `canonical` is a shipped mapping of that name."""

DEFAULT_CURRENCY: Final = "USD"

SHOWN_FAULTS: Final = 50
"""Faults that an error lists; the first ones tell what is wrong with a whole file."""

_MISSING: Final[dict[str, Any]] = {"text": "", "months": -1, "days": -1}

_OF_AMORTISATION: Final = {"balloon": ("balloon",), "scheduled_payment": COMPOUNDING}
"""Fields that loans of some amortisations have: the others do not lack them."""


def read_tape(
    path: Path | str,
    format: Format = "canonical",  # noqa: A002 - the word that study files use
    mapping: Path | str | Layout | None = None,
    *,
    strict: bool = False,
    as_of: datetime.date | None = None,
) -> LoanTape:
    """Read a loan file.

    A row with a fault is rejected and reported, never repaired.  Rows that share a `loan_id` are all
    rejected: any choice among them would depend on the order of the file.

    Parameters
    ----------
    path : Path or str
        CSV, the SEC's XML, both also gzipped, or Parquet; told apart by content.
    format : {"canonical", "reg_ab", "reg_ab_xml", "esma_annex5", "cn_labels"}
        Shipped mapping to read with where `mapping` is absent.
    mapping : Path, str or Layout, optional
        Mapping file, name of a shipped mapping, or a layout; a file usually extends a shipped one.
    strict : bool
        Whether one rejected row refuses the whole file.
    as_of : datetime.date, optional
        Reporting date whose rows are read, of a file that holds several.

    Raises
    ------
    InputError
        The file cannot be read, lacks a required column, mixes dates or currencies, holds no usable
        row, has ids that lost their digits, or `strict` and a row was rejected.
    """
    path = Path(path)
    layout = mapping if isinstance(mapping, Layout) else load_layout(format if mapping is None else mapping)
    raw, layout, told = _read(path, layout, as_of)
    table = type_table(path, raw, layout)
    refuse_damaged_ids(path, raw, layout, table.columns["loan_id"])
    date = _one_date(path, raw, layout, table)
    currency, notes = _one_currency(path, raw, layout)
    _check_rows(raw, layout, table)
    rejected = _rejected(raw, table)
    used = [row for row in range(len(raw.lines)) if row not in table.faults]
    if date is None or not used or (strict and rejected):
        raise _refusal(path, raw, rejected, len(used))
    columns, defaults, missing = _arrays(table, used, layout)
    report = LoadReport(
        source=path.name,
        layout=layout.name,
        rows_read=len(raw.lines) + len(raw.ragged),
        rows_used=len(used),
        balance_read_cents=sum(cents for cents in table.cents if cents is not None),
        balance_used_cents=balance_cents(columns["current_balance"]),
        rejected=rejected,
        defaults=defaults,
        missing=missing,
        guesses=tuple(table.guesses),
        notes=(*told, *notes, *table.notes, *_book_notes(columns)),
        position=raw.position,
    )
    del raw, table
    return make_tape(columns, as_of=date, currency=currency, report=report, consume=True)


def _read(path: Path, layout: Layout, as_of: datetime.date | None) -> tuple[RawTable, Layout, tuple[str, ...]]:
    """The file's rows, the layout as it fits them, and what the report should say of both."""
    layout, settled = settle_layout(path, layout)
    raw = read_raw(path, layout.source_columns, encoding=layout.encodings[0], delimiter=layout.delimiter)
    if raw.columns.keys().isdisjoint(layout.source_columns) and file_kind(path) == "xml":
        remedy = "Read it with format reg_ab_xml (--format reg_ab_xml), or with a mapping that extends it."
        raise file_fault(path, "an XML filing of the SEC", f"a table with the columns of {layout.name}", remedy)
    chosen: tuple[str, ...] = ()
    if as_of is not None:
        raw, chosen = rows_of_date(path, raw, layout, as_of)
    layout, no_data = with_no_data(raw, layout)
    return raw, layout, (*settled, *raw.notes, *chosen, *no_data)


def _check_rows(raw: RawTable, layout: Layout, table: TypedTable) -> None:
    """Add what no single cell shows: faults of whole rows, and oddities of columns beside the tape's own."""
    for row, fault in row_faults(table, layout, raw):
        table.faults.setdefault(row, []).append(fault)
    for sentence, closed in look(layout.watch, raw, table.cents, layout.missing_values):
        table.notes.append(sentence)
        for row, fault in closed:
            table.faults.setdefault(row, []).append(fault)


def _one_date(path: Path, raw: RawTable, layout: Layout, table: TypedTable) -> datetime.date | None:
    """The reporting date that all rows share; None where no row states one."""
    first_line: dict[datetime.date, int] = {}
    dates: Sequence[datetime.date | None] = table.columns["as_of_date"]
    for line, date in zip(raw.lines, dates, strict=True):
        if date is not None:
            first_line.setdefault(date, line)
    if len(first_line) > 1:
        label = layout.fields["as_of_date"].label
        counts = Counter(date for date in dates if date is not None)
        expected = f"one reporting date; {len(counts)} stand in the file"
        remedy = "Give each month's tape its own file, or choose one with `carstress portfolio import --as-of`."
        raise InputError(
            Fault(f"{path}:{line}: {label}", f"as_of_date = {date} ({counted(counts[date], 'row')})", expected, remedy)
            for date, line in list(first_line.items())[:SHOWN_FAULTS]
        )
    return next(iter(first_line), None)


def _one_currency(path: Path, raw: RawTable, layout: Layout) -> tuple[str, tuple[str, ...]]:
    """The book's currency, and a note where nothing states it."""
    column = layout.currency_column
    if column is not None and column in raw.columns:
        found = Counter(raw.columns[column])
        if len(found) != 1 or not all(len(code) == 3 and code.isascii() and code.isupper() for code in found):
            shown = ", ".join(f"'{code}' on {counted(count, 'row')}" for code, count in found.most_common(SHOWN_FAULTS))
            remedy = "Give each currency its own file; amounts of one book are in one currency."
            raise InputError(Fault(f"{path}: {column}", shown or "nothing", "one ISO 4217 code, as USD", remedy))
        return next(iter(found)), ()
    if layout.currency is not None:
        return layout.currency, ()
    note = f"Neither file nor mapping states the currency: {DEFAULT_CURRENCY} was assumed."
    return DEFAULT_CURRENCY, (note,)


def _rejected(raw: RawTable, table: TypedTable) -> tuple[RejectedRow, ...]:
    """Rows that are not used, by line."""
    ids = table.columns["loan_id"]
    faulty = [
        RejectedRow(raw.lines[row], ids[row] or "", tuple(faults), table.cents[row])
        for row, faults in table.faults.items()
    ]
    return tuple(sorted((*raw.ragged, *faulty), key=lambda rejected: rejected.line))


def _refusal(path: Path, raw: RawTable, rejected: Sequence[RejectedRow], used: int) -> InputError:
    """The error of a file that cannot be used, with its rows' faults."""
    if not rejected:
        return InputError(Fault(str(path), "a header without rows", "at least one loan"))
    faults = [fault for row in rejected for fault in row.as_faults(str(path), raw.position)]
    expected = "none rejected (strict)" if used else "at least one usable row"
    summary = Fault(str(path), f"{len(rejected):,} of {counted(len(rejected) + used, 'row')} rejected", expected)
    more = len(faults) - SHOWN_FAULTS
    rest = [Fault(str(path), counted(more, "more fault"), "none")] if more > 0 else []
    return InputError([summary, *faults[:SHOWN_FAULTS], *rest])


def _arrays(
    table: TypedTable, used: Sequence[int], layout: Layout
) -> tuple[dict[str, Column], dict[str, int], dict[str, int]]:
    """Columns of the used rows; how often each field took its default; how often it stays missing."""
    columns: dict[str, Column] = {}
    defaults: dict[str, int] = {}
    missing: dict[str, int] = {}
    ways = [table.columns["amortisation"][row] or FIELD_DEFAULTS["amortisation"] for row in used]
    for name, field in FIELDS.items():
        column = table.columns[name]
        values = [column[row] for row in used]
        empty = values.count(None)
        mapping = layout.fields.get(name)
        default = (mapping.default if mapping else None) or FIELD_DEFAULTS.get(name)
        if empty and default is not None:
            defaults[name] = empty
            fill = canonical_parser(field)(default)
        else:
            fill = _MISSING.get(field.kind, np.nan)
            having = _OF_AMORTISATION.get(name, AMORTISATIONS)
            silent = (way for value, way in zip(values, ways, strict=True) if value is None) if empty else ()
            if lacking := sum(way in having for way in silent):
                missing[name] = lacking
        columns[name] = _array(field, [fill if value is None else value for value in values] if empty else values)
    return columns, defaults, missing


def _array(field: TapeField, values: list[Any]) -> Column:
    if field.kind == "month":
        return np.array(values, dtype="datetime64[D]").astype("datetime64[M]")
    return np.array(values, dtype=KIND_DTYPES[field.kind])


def _book_notes(columns: dict[str, Column]) -> list[str]:
    """What is unusual about the used loans, though not wrong."""
    monthly = columns["current_balance"] * columns["rate"] / 12.0
    short = (columns["scheduled_payment"] <= monthly) & np.isin(columns["amortisation"], COMPOUNDING)
    dear = (columns["rate"] > 1.0) & (columns["product"] != "title_loan")
    scientific = [bool(SCIENTIFIC.fullmatch(loan_id)) for loan_id in columns["loan_id"].tolist()]
    unusual = (
        (scientific, "has", "have", "an id in scientific notation, which may have lost digits"),
        (columns["current_balance"] > columns["original_balance"], "owes", "owe", "more than was paid out"),
        (columns["remaining_term"] > columns["original_term"], "has", "have", "more months left than at its start"),
        (dear, "bears", "bear", "more than 100 % interest a year: is the rate in percent?"),
        (columns["balloon"] > columns["current_balance"], "states", "state", "a balloon above its balance"),
        (short, "states", "state", "an instalment that does not cover a month's interest"),
    )
    return [
        f"{counted(int(np.sum(found)), f'loan {one}', f'loans {many}')} {what}" + ("" if what.endswith("?") else ".")
        for found, one, many, what in unusual
        if np.any(found)
    ]
