"""Checks of whole rows and of ids: closed loans, terms, dates, duplicates, ids that lost their digits."""

from __future__ import annotations

import datetime
import math
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Final

from scenarios.counted import counted
from scenarios.errors import Fault, InputError
from simulator.tape.amortisation import COMPOUNDING
from simulator.tape.mapping import Layout
from simulator.tape.raw_table import RawTable
from simulator.tape.report import OPEN_LOAN, CellFault, lines_text
from simulator.tape.schedule import GREATEST_GROWTH, growth_to_maturity
from simulator.tape.typed import TypedTable

EXACT_INTEGERS: Final = 2**53
"""Above it a 64-bit float does not hold every integer."""

SCIENTIFIC: Final = re.compile(r"\d(\.\d+)?[eE]\+?\d+", re.ASCII)
LASTING_FIELDS: Final = (
    "original_balance",
    "score",
    "origination_date",
    "vehicle_model",
    "vehicle_value",
    "original_term",
)
"""Fields that stay the same over a loan's life, in the order in which they are tried to tell loans apart."""

SLOW_GROWTH: Final = f"principal that, unpaid, grows at most {GREATEST_GROWTH:,.0f}-fold until maturity"
MISREAD_RATE: Final = "Check the units: rounding errors grow as fast and would swamp the last balances."


def row_faults(table: TypedTable, layout: Layout, raw: RawTable) -> Iterator[tuple[int, CellFault]]:
    """Faults that no single cell shows, as (row, fault)."""
    yield from _closed_or_overdue(table, layout)
    yield from _beyond_arithmetic(table, layout)
    yield from _born_later(table, layout)
    yield from _duplicates(table.columns["loan_id"], layout, raw)


def _closed_or_overdue(table: TypedTable, layout: Layout) -> Iterator[tuple[int, CellFault]]:
    balance_label = layout.fields["current_balance"].label
    term_label = layout.fields["remaining_term"].label
    terms, ways = table.columns["remaining_term"], table.columns["amortisation"]
    for row, balance in enumerate(table.columns["current_balance"]):
        if balance == 0.0:
            yield row, CellFault(balance_label, "current_balance = 0: a closed loan", OPEN_LOAN)
        # A single-payment loan past its due date waits for payment or renewal.
        elif balance is not None and terms[row] == 0 and ways[row] != "single_payment":
            remedy = "State the months that the balance is to be repaid in, at least 1."
            yield row, CellFault(term_label, "remaining_term = 0 with a balance", "at least 1 month", remedy)


def _beyond_arithmetic(table: TypedTable, layout: Layout) -> Iterator[tuple[int, CellFault]]:
    """Loans whose balances double precision cannot follow to maturity."""
    label = layout.fields["rate"].label
    terms, ways = table.columns["remaining_term"], table.columns["amortisation"]
    for row, rate in enumerate(table.columns["rate"]):
        months = terms[row]
        if ways[row] not in (None, *COMPOUNDING):
            continue
        if rate is not None and months is not None and growth_to_maturity(rate, months) > GREATEST_GROWTH:
            found = f"rate = {rate:g} a year and {months} months to go"
            yield row, CellFault(label, found, SLOW_GROWTH, MISREAD_RATE)


def _born_later(table: TypedTable, layout: Layout) -> Iterator[tuple[int, CellFault]]:
    label = layout.fields["origination_date"].label
    as_of_dates: Sequence[datetime.date | None] = table.columns["as_of_date"]
    for row, origination in enumerate(table.columns["origination_date"]):
        as_of = as_of_dates[row]
        if origination is not None and as_of is not None and origination > as_of:
            yield row, CellFault(label, f"origination_date = {origination:%Y-%m}", f"a month up to {as_of:%Y-%m}")


def _duplicates(ids: Sequence[str | None], layout: Layout, raw: RawTable) -> Iterator[tuple[int, CellFault]]:
    label = layout.fields["loan_id"].label
    where: dict[str, list[int]] = {}
    for row, loan_id in enumerate(ids):
        if loan_id is not None:
            where.setdefault(loan_id, []).append(row)
    for loan_id, rows in where.items():
        if len(rows) > 1:
            fault = CellFault(
                label,
                f"loan_id = '{loan_id}' on {lines_text([raw.lines[row] for row in rows], raw.position)}",
                "an id that occurs once",
                "Remove what is double, or map loan_id to several `columns`; no row of the id is used.",
            )
            for row in rows:
                yield row, fault


def refuse_damaged_ids(path: Path, raw: RawTable, layout: Layout, ids: Sequence[str | None]) -> None:
    """Refuse a file whose ids went through floating point.

    Raises
    ------
    InputError
        The ids are stored as floating point, or they repeat and all of them look rounded: above 2^53
        and exactly a 64-bit float, or in scientific notation.  Rejecting the repeated ones would keep a
        remnant of the book under ids that are wrong too.
    """
    mapping = layout.fields["loan_id"]
    if mapping.column is not None and mapping.column in raw.floating:
        fault = Fault(f"{path}: {mapping.column}", "ids stored as floating point", "ids stored as text", _RE_EXPORT)
        raise InputError(fault)
    counts = Counter(loan_id for loan_id in ids if loan_id is not None)
    repeated = [loan_id for loan_id, count in counts.items() if count > 1]
    if not repeated or not (all(map(_is_float, counts)) or all(map(SCIENTIFIC.fullmatch, repeated))):
        return
    example = counts.most_common(1)[0][0]
    raise InputError(
        Fault(
            f"{path}: {mapping.label}",
            f"{counts.total():,} rows share {counted(len(counts), 'id')} that lost their last digits in floating point"
            f" ('{example}' stands on {counts[example]:,} rows{_step_text(counts)})",
            "an id that occurs once, digit by digit",
            f"{_RE_EXPORT} {_proposal(raw, layout)}",
        )
    )


_RE_EXPORT: Final = "Export the ids again as text."


def _is_float(text: str) -> bool:
    """Whether a whole number above 2^53 is exactly a 64-bit float; of 18 random digits one in 64 or 128 is."""
    if not (text.isascii() and text.isdigit()):
        return False
    number = int(text)
    return number > EXACT_INTEGERS and int(float(number)) == number


def _step_text(ids: Iterable[str]) -> str:
    step = math.gcd(*(int(text) if text.isdigit() else 1 for text in ids))
    return f"; all are multiples of {step}" if step > 1 else ""


def _proposal(raw: RawTable, layout: Layout) -> str:
    """Columns that, with the id's own, make every row unique, as the mapping would say it."""
    chosen = list(layout.fields["loan_id"].source_columns)
    rows = list(zip(*(raw.columns[name] for name in chosen), strict=True))
    distinct = len(set(rows))
    for name in LASTING_FIELDS:
        column = layout.fields[name].column if name in layout.fields else None
        if column is None or column not in raw.columns or column in chosen:
            continue
        joined = [(*row, cell) for row, cell in zip(rows, raw.columns[column], strict=True)]
        if len(set(joined)) > distinct:
            chosen.append(column)
            rows, distinct = joined, len(set(joined))
    if distinct < len(rows):
        return ""
    return (
        f"Or use a mapping file with `extends: {layout.name}` and, under `fields`, "
        f"`loan_id: {{columns: [{', '.join(chosen)}]}}`, which tells all {distinct:,} rows apart."
    )
