"""What happened while a tape was read: rows and money, used and rejected, reconciled to the cent."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Final, Literal, Self

from scenarios.counted import counted
from scenarios.errors import Fault, IntegrityError

Position = Literal["line", "row", "record"]
"""What tells where a row stands: a line of text, a row of Parquet, or a record of XML that shares its line."""

CENTS: Final = 100
"""Cents in one unit of currency."""

SHOWN_REASONS: Final = 20
"""Reasons for rejecting rows that the readable report prints; the data hold all of them."""

SHOWN_LINES: Final = 5
"""Line numbers that a sentence names before it counts the rest."""

OPEN_LOAN: Final = "an open loan"
"""What a row is expected to be; its absence is no fault of the file, which may list closed loans."""


@dataclass(frozen=True, slots=True)
class CellFault:
    """One cell, or one row, that cannot be used.

    Attributes
    ----------
    column : str
        Name of the source's column; empty where the whole row is at fault.
    found, expected, remedy : str
        As in `scenarios.errors.Fault`.
    """

    column: str
    found: str
    expected: str
    remedy: str = ""

    def __str__(self) -> str:
        return f"{self.found}; expected {self.expected}" + (f". {self.remedy}" if self.remedy else "")


@dataclass(frozen=True, slots=True)
class RejectedRow:
    """A row that was not used, and why.

    Attributes
    ----------
    line : int
        Line of the text file where the row begins (the header is line 1); for other files a number from 1, of
        Parquet's row or XML's record (`LoadReport.position`).
    loan_id : str
        The row's id where it could be read, else empty.
    faults : tuple of CellFault
        Everything that is wrong with the row, at least one.
    balance_cents : int or None
        The row's unpaid principal in cents, negative where the file says so; None where it cannot be read.
    """

    line: int
    loan_id: str
    faults: tuple[CellFault, ...]
    balance_cents: int | None

    @property
    def column(self) -> str:
        """Source column of the first fault; empty where the whole row is at fault."""
        return self.faults[0].column

    @property
    def closed(self) -> bool:
        """Whether the row is a loan that owes nothing, by its balance or by what the file says of it."""
        return self.balance_cents == 0 or any(fault.expected == OPEN_LOAN for fault in self.faults)

    @property
    def reason(self) -> str:
        """All faults of the row in one line."""
        return " | ".join(str(fault) for fault in self.faults)

    def place(self, path: str, position: Position = "line") -> str:
        """Where the row stands; a number that no editor shows comes with the loan's id."""
        if position == "line":
            return f"{path}:{self.line}"
        return f"{path}: {position} {self.line}" + (f", loan {self.loan_id}" if self.loan_id else "")

    def as_faults(self, path: str, position: Position = "line") -> list[Fault]:
        """The row's faults as input errors that name file, place and column."""
        where = self.place(path, position)
        return [
            Fault(f"{where}: {fault.column}" if fault.column else where, fault.found, fault.expected, fault.remedy)
            for fault in self.faults
        ]


@dataclass(frozen=True, slots=True)
class LoadReport:
    """Rows and balances of a load: in = used + rejected, exactly.

    Attributes
    ----------
    source : str
        File name, or what drew the tape.
    layout : str
        Name of the mapping that was read with, base mappings included.
    rows_read, rows_used : int
        Rows found (blank lines are none) and rows that became loans.
    balance_read_cents, balance_used_cents : int
        Unpaid principal of the rows whose balance can be read, and of the loans.
    rejected : tuple of RejectedRow
        Every row that was not used, by line.
    defaults : Mapping of str to int
        Field -> loans whose empty cell took the documented default.
    missing : Mapping of str to int
        Field -> loans that do not state it and for which it stays missing.
    guesses : tuple of str
        Every guess about a unit or a code for "none", one sentence each.
    notes : tuple of str
        What else a reader should know.
    position : str
        What the rejected rows' `line` counts.
    """

    source: str
    layout: str
    rows_read: int
    rows_used: int
    balance_read_cents: int
    balance_used_cents: int
    rejected: tuple[RejectedRow, ...] = ()
    defaults: Mapping[str, int] = field(default_factory=dict)
    missing: Mapping[str, int] = field(default_factory=dict)
    guesses: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    position: Position = "line"

    def __post_init__(self) -> None:
        """Refuse a report that does not reconcile.

        Raises
        ------
        IntegrityError
            Rows or cents read differ from used + rejected.
        """
        checks = (
            ("rows", self.rows_read, self.rows_used, self.rows_rejected),
            ("cents", self.balance_read_cents, self.balance_used_cents, self.balance_rejected_cents),
        )
        for unit, read, used, rejected in checks:
            if read != used + rejected:
                raise IntegrityError(f"{self.source}: {read} {unit} read; expected {used} used + {rejected} rejected")

    @property
    def rows_rejected(self) -> int:
        """Rows that were not used."""
        return len(self.rejected)

    @property
    def balance_rejected_cents(self) -> int:
        """Balance of the rejected rows whose balance can be read, in cents."""
        return sum(row.balance_cents for row in self.rejected if row.balance_cents is not None)

    @property
    def rows_without_balance(self) -> int:
        """Rejected rows whose balance cannot be read: they are in no sum of money."""
        return sum(row.balance_cents is None for row in self.rejected)

    @property
    def rows_closed(self) -> int:
        """Rejected rows of closed loans, which a book does not miss."""
        return sum(row.closed for row in self.rejected)

    @property
    def rejected_share_of_rows(self) -> float:
        """Rejected rows over rows read, closed loans in neither; a fraction."""
        return (self.rows_rejected - self.rows_closed) / max(self.rows_read - self.rows_closed, 1)

    @property
    def rejected_share_of_balance(self) -> float:
        """Rejected over all balance that can be read, without sign, so that no error offsets another; a fraction."""
        balances = [row.balance_cents for row in self.rejected if not row.closed]
        rejected = sum(abs(cents) for cents in balances if cents is not None)
        return rejected / max(self.balance_used_cents + rejected, 1)

    def to_dict(self) -> dict[str, Any]:
        """Everything as plain data for JSON; `from_dict` reads it back."""
        data = asdict(self)
        data["rows_rejected"] = self.rows_rejected
        data["balance_rejected_cents"] = self.balance_rejected_cents
        data["rows_without_balance"] = self.rows_without_balance
        for plain, row in zip(data["rejected"], self.rejected, strict=True):
            plain["column"], plain["reason"] = row.column, row.reason
        return data

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """Rebuild a report from the data of `to_dict`, reconciliation checked again."""
        rows = tuple(
            RejectedRow(
                line=row["line"],
                loan_id=row["loan_id"],
                faults=tuple(CellFault(**fault) for fault in row["faults"]),
                balance_cents=row["balance_cents"],
            )
            for row in data["rejected"]
        )
        return cls(
            source=data["source"],
            layout=data["layout"],
            rows_read=data["rows_read"],
            rows_used=data["rows_used"],
            balance_read_cents=data["balance_read_cents"],
            balance_used_cents=data["balance_used_cents"],
            rejected=rows,
            defaults=dict(data["defaults"]),
            missing=dict(data["missing"]),
            guesses=tuple(data["guesses"]),
            notes=tuple(data["notes"]),
            position=data.get("position", "line"),
        )

    def lines(self, currency: str) -> list[str]:
        """The report in readable lines: reconciliation first, then rejects, guesses, defaults, notes."""
        text = [
            f"{self.source} (read as {self.layout})",
            f"rows     {self.rows_read:>18,} read = {self.rows_used:,} used + {self.rows_rejected:,} rejected",
            f"balance  {money_text(self.balance_read_cents):>18} {currency} read = "
            f"{money_text(self.balance_used_cents)} used + {money_text(self.balance_rejected_cents)} rejected",
        ]
        if self.rows_without_balance:
            rows = counted(self.rows_without_balance, "rejected row has", "rejected rows have")
            text.append(f"{rows} no readable balance and no part in the sums.")
        text += self._reject_lines()
        text += [f"guess: {sentence}" for sentence in self.guesses]
        text += [f"default: {name} was empty for {counted(count, 'loan')}." for name, count in self.defaults.items()]
        text += [f"missing: {name} is not known for {counted(count, 'loan')}." for name, count in self.missing.items()]
        return text + [f"note: {sentence}" for sentence in self.notes]

    def _reject_lines(self) -> list[str]:
        """Rejected rows, those with the same reason together."""
        groups: dict[str, list[int]] = {}
        for row in self.rejected:
            groups.setdefault(f"{row.column or 'row'}: {row.reason}", []).append(row.line)
        text = [
            f"{lines_text(lines, self.position)}: {reason}" for reason, lines in list(groups.items())[:SHOWN_REASONS]
        ]
        more = len(groups) - SHOWN_REASONS
        return [*text, f"... and {counted(more, 'more reason')} for rejecting rows."] if more > 0 else text


def lines_text(lines: Sequence[int], position: Position = "line") -> str:
    """Places as a reader wants them: the first few, and how many more."""
    shown = ", ".join(str(line) for line in lines[:SHOWN_LINES])
    more = f" and {len(lines) - SHOWN_LINES:,} more" if len(lines) > SHOWN_LINES else ""
    return f"{position}{'s' if len(lines) > 1 else ''} {shown}{more}"


def money_text(cents: int) -> str:
    """Cents as an amount with two decimals and thousands separators, without floating point."""
    sign = "-" if cents < 0 else ""
    whole, part = divmod(abs(cents), CENTS)
    return f"{sign}{whole:,}.{part:02d}"
