"""What is in the book, laid out for the report and its tables; the figures are `simulator.tape.describe_tape`'s."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import pandas

from outputs.wording import percent
from simulator.tape.describe import MOST_LEVELS

AVERAGES: Final = {
    "rate": ("Contract rate, a year", "percent"),
    "original_term": ("Term at origination", "months"),
    "remaining_term": ("Months to maturity", "months"),
    "age": ("Age of the loan", "months"),
    "loan_to_value": ("LTV at origination", "percent"),
    "score": ("Credit score at origination", "points"),
    "payment_to_income": ("Payment to income", "percent"),
    "new_share": ("Share with a new car", "percent"),
    "co_borrower_share": ("Share with a co-borrower", "percent"),
}
"""What each average of the description is called, and its unit."""

BANDS: Final = {
    "days_past_due": "days past due",
    "loan_to_value": "LTV at origination",
    "score": "credit score at origination",
}


@dataclass(frozen=True, slots=True)
class BookLevel:
    """Loans of one level: number, balance (currency), share of the balance (percent)."""

    name: str
    loans: int
    balance: float
    percent: float


@dataclass(frozen=True, slots=True)
class BookView:
    """A book for readers.

    Attributes
    ----------
    loans : int
    balance, original_balance : float
        Currency.
    averages : list of (label, text)
        Weighted by balance.
    bands, cuts : dict of str to list of BookLevel
        Bands in their order; levels of a cut by falling balance, the smallest together.
    """

    loans: int
    balance: float
    original_balance: float
    averages: list[tuple[str, str]]
    bands: dict[str, list[BookLevel]]
    cuts: dict[str, list[BookLevel]]


def book_view(description: Mapping[str, Any]) -> BookView:
    """Lay out what `describe_tape` returns; a cut that does not divide the book is left out."""
    cuts = description["cuts"]
    return BookView(
        loans=int(description["loans"]),
        balance=float(description["balance"]),
        original_balance=float(description["original_balance"]),
        averages=[(label, _average(description["averages"][name], unit)) for name, (label, unit) in AVERAGES.items()],
        bands={title: _levels(description[name]) for name, title in BANDS.items()},
        cuts={cut: _shortened(_levels(levels)) for cut, levels in cuts.items() if len(levels) > 1},
    )


def _average(value: float | None, unit: str) -> str:
    if value is None:
        return "not stated"
    if unit == "percent":
        return f"{percent(100.0 * value, 2)} %"
    return f"{value:.1f} months" if unit == "months" else f"{value:.0f}"


def _levels(levels: Mapping[str, Mapping[str, float]]) -> list[BookLevel]:
    return [
        BookLevel(name, int(level["loans"]), float(level["balance"]), 100.0 * float(level["share"]))
        for name, level in levels.items()
    ]


def _shortened(levels: list[BookLevel]) -> list[BookLevel]:
    """At most as many levels as the terminal shows of a book; the rest in one row."""
    if len(levels) <= MOST_LEVELS:
        return levels
    shown, rest = levels[: MOST_LEVELS - 1], levels[MOST_LEVELS - 1 :]
    sums = [
        sum(values) for values in zip(*((level.loans, level.balance, level.percent) for level in rest), strict=True)
    ]
    return [*shown, BookLevel(f"{len(rest)} more", int(sums[0]), sums[1], sums[2])]


def book_table(description: Mapping[str, Any]) -> pandas.DataFrame:
    """All levels: division, level, loans, balance (currency), percent_of_balance."""
    divisions = {**description["cuts"], **{f"{name}_band": description[name] for name in BANDS}}
    rows = [
        (division, level.name, level.loans, level.balance, level.percent)
        for division, levels in divisions.items()
        for level in _levels(levels)
    ]
    return pandas.DataFrame(rows, columns=["division", "level", "loans", "balance", "percent_of_balance"])


def averages_table(description: Mapping[str, Any]) -> pandas.DataFrame:
    """Averages weighted by balance: average (name), value (fraction, months or points; missing where not stated)."""
    return pandas.DataFrame(description["averages"].items(), columns=["average", "value"])
