"""Rejected rows summed up: why they were rejected, how much of the book they are, and whether that is too much."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from scenarios.counted import counted
from scenarios.errors import Fault, InputError
from simulator.tape.report import OPEN_LOAN, CellFault, LoadReport, RejectedRow, lines_text, money_text

SHOWN_REASONS: Final = 5
"""Reasons that a refusal names; the commonest ones tell what is wrong with a whole file."""


@dataclass(frozen=True, slots=True)
class RejectReason:
    """Rows that were rejected for one and the same reason.

    Attributes
    ----------
    column : str
        Name of the source's column; empty where whole rows are at fault.
    expected, remedy : str
        What would have been right, and what to do.
    example : str
        What was found on the first of the lines.
    rows : int
    balance_cents : int
        Unpaid principal of those rows whose balance can be read.
    lines : tuple of int
        Where they stand.
    """

    column: str
    expected: str
    remedy: str
    example: str
    rows: int
    balance_cents: int
    lines: tuple[int, ...]


def reject_reasons(report: LoadReport) -> tuple[RejectReason, ...]:
    """Reasons for rejecting rows, the commonest first; every rejected row counts once, by its first fault.

    A closed loan counts as one whatever else is wrong with its row.
    """
    groups: dict[tuple[str, str], list[tuple[RejectedRow, CellFault]]] = {}
    for row in report.rejected:
        fault = _telling_fault(row)
        groups.setdefault((fault.column, fault.expected), []).append((row, fault))
    found = [
        RejectReason(
            column=column,
            expected=expected,
            remedy=members[0][1].remedy,
            example=members[0][1].found,
            rows=len(members),
            balance_cents=sum(row.balance_cents or 0 for row, _ in members),
            lines=tuple(row.line for row, _ in members),
        )
        for (column, expected), members in groups.items()
    ]
    return tuple(sorted(found, key=lambda reason: -reason.rows))


def _telling_fault(row: RejectedRow) -> CellFault:
    return next((fault for fault in row.faults if fault.expected == OPEN_LOAN), row.faults[0])


def load_summary(report: LoadReport) -> dict[str, Any]:
    """What became of the rows of a tape, short enough for a manifest: rows, cents, reasons.

    Returns
    -------
    dict
        ``source``, ``layout``; ``rows_`` and ``balance_`` ``read``, ``used`` and ``rejected`` (balances in cents);
        ``rows_closed`` of the rejected; ``rejected_by_reason``: reason by reason, with the first lines only.
    """
    reasons = [
        {**asdict(reason), "lines": lines_text(reason.lines, report.position)}
        for reason in reject_reasons(report)[:SHOWN_REASONS]
    ]
    return {
        "source": report.source,
        "layout": report.layout,
        "rows_read": report.rows_read,
        "rows_used": report.rows_used,
        "rows_rejected": report.rows_rejected,
        "rows_closed": report.rows_closed,
        "balance_read_cents": report.balance_read_cents,
        "balance_used_cents": report.balance_used_cents,
        "balance_rejected_cents": report.balance_rejected_cents,
        "rejected_by_reason": reasons,
    }


def refuse_rejects(report: LoadReport, path: Path, at_most_percent: float, *, where: str, currency: str) -> None:
    """Refuse a tape of which too much was rejected: its results would be those of another book.

    Parameters
    ----------
    report : LoadReport
    path : Path
        The tape, for the faults of its rows.
    at_most_percent : float
        Largest share of rows, and of balance, in percent.  Closed loans count for neither: they owe nothing, and
        servicers leave charged-off ones in later files.
    where : str
        Who set the bound.
    currency : str
        Of the balances.

    Raises
    ------
    InputError
        More was rejected; with the counts, and the commonest reasons.
    """
    by_rows, by_balance = report.rejected_share_of_rows, report.rejected_share_of_balance
    if 100.0 * max(by_rows, by_balance) <= at_most_percent:
        return
    rejected, total = report.rows_rejected - report.rows_closed, report.rows_read - report.rows_closed
    loans = f"{rejected:,} of {counted(total, 'open loan')} ({100.0 * by_rows:.2f} %)"
    found = f"{loans} and {100.0 * by_balance:.2f} % of the balance of {report.source} rejected"
    expected = f"at most {at_most_percent:g} % of either"
    remedy = "Mend the tape or its mapping; or allow more with `rejected_at_most_percent:` beside `file:`."
    raise InputError([Fault(where, found, expected, remedy), *_reason_faults(report, path, currency)])


def _reason_faults(report: LoadReport, path: Path, currency: str) -> Iterator[Fault]:
    reasons = [reason for reason in reject_reasons(report) if reason.expected != OPEN_LOAN]
    for reason in reasons[:SHOWN_REASONS]:
        first = next(row for row in report.rejected if row.line == reason.lines[0])
        where = first.place(str(path), report.position) + (f": {reason.column}" if reason.column else "")
        money = f"{money_text(reason.balance_cents)} {currency}"
        others = f" (the first of {reason.rows:,} rows, {money})" if reason.rows > 1 else ""
        yield Fault(where, f"{reason.example}{others}", reason.expected, reason.remedy)
    if (more := len(reasons) - SHOWN_REASONS) > 0:
        remedy = "`carstress portfolio describe` lists them all."
        yield Fault(str(path), counted(more, "more reason"), "none", remedy)
