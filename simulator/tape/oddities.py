"""Oddities of columns for which the tape has no field: counted and reported, and some tell that a loan is closed."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from decimal import Decimal
from typing import Final

from scenarios.counted import counted
from simulator.tape.cells import CODE_AS_FLOAT, NUMBER, parse_cents
from simulator.tape.raw_table import RawTable
from simulator.tape.report import OPEN_LOAN, CellFault, lines_text, money_text
from simulator.tape.watch import CellTest, Watch

_BETWEEN: Final = re.compile(r"[\[\];,|]")


def odd_rows(watch: Watch, raw: RawTable, cents: Sequence[int | None], missing: frozenset[str]) -> list[int]:
    """Rows that a watch finds.

    Parameters
    ----------
    watch : Watch
    raw : RawTable
        Holds the watched column.
    cents : Sequence of int or None
        Balance of each row.
    missing : frozenset of str
        Cells that mean "not stated".
    """
    test = cell_test(watch)
    cells = raw.columns[watch.column]
    odd = {cell for cell in set(cells) if cell and cell not in missing and test(cell)}
    return [row for row, cell in enumerate(cells) if cell in odd and _wanted_balance(watch, cents[row])]


def look(
    watches: Sequence[Watch], raw: RawTable, cents: Sequence[int | None], missing: frozenset[str]
) -> Iterator[tuple[str, list[tuple[int, CellFault]]]]:
    """What each watch finds: a sentence for the report, and faults of the rows that it closes."""
    for watch in watches:
        rows = odd_rows(watch, raw, cents, missing) if watch.column in raw.columns else []
        if rows:
            cells = raw.columns[watch.column]
            faults = [
                (row, CellFault(watch.column, f"{watch.column} = {cells[row]}: {watch.says}", OPEN_LOAN))
                for row in rows
                if watch.closes
            ]
            yield _sentence(watch, raw, rows), faults


def _sentence(watch: Watch, raw: RawTable, rows: Sequence[int]) -> str:
    where = lines_text([raw.lines[row] for row in rows], raw.position)
    together = ""
    if watch.money:
        amounts = [parse_cents(raw.columns[watch.column][row], None) for row in rows]
        together = f", {money_text(sum(amount[0] for amount in amounts if amount))} in all"
    return f"{watch.column}: {watch.says}: {counted(len(rows), 'row')}{together} ({where})."


def _wanted_balance(watch: Watch, cents: int | None) -> bool:
    return watch.balance is None or (cents == 0) == (watch.balance == "zero")


def cell_test(watch: CellTest) -> Callable[[str], bool]:
    """A function that tells whether a cell that states something is what the test looks for."""
    if watch.below is not None or watch.above is not None:
        low, high = watch.below, watch.above
        return lambda cell: bool(NUMBER.fullmatch(cell)) and _beyond(Decimal(cell), low, high)
    if watch.among is not None:
        among = frozenset(watch.among)
        return lambda cell: not among.isdisjoint(codes_in(cell))
    if watch.not_among is not None:
        known = frozenset(watch.not_among)
        return lambda cell: not known.issuperset(codes_in(cell))
    return (lambda cell: len(codes_in(cell)) > 1) if watch.several else bool


def _beyond(number: Decimal, low: float | None, high: float | None) -> bool:
    return (low is not None and number < Decimal(low)) or (high is not None and number > Decimal(high))


def codes_in(cell: str) -> frozenset[str]:
    """Codes of a cell: `4.0` is 4; `1;2` and `['1', '2']` are 1 and 2; true and false whatever their case."""
    parts = [part.strip(" '\"") for part in _BETWEEN.split(cell)]
    return frozenset(_plain(part) for part in parts if part)


def _plain(code: str) -> str:
    as_integer = CODE_AS_FLOAT.fullmatch(code)
    if as_integer:
        return as_integer.group(1)
    return code.lower() if code.lower() in ("true", "false") else code
