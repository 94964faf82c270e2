"""What is in a book: counts, balances, averages, cuts, arrears, as data and as text."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from scenarios.counted import counted
from scenarios.vocabulary import CUTS
from simulator.tape.report import CENTS
from simulator.tape.tape import Coded, LoanTape, balance_cents, loan_age, loan_to_value, vintages

Floats = NDArray[np.float64]

DAYS_EDGES: Final = (0, 1, 30, 60, 90, 120)
"""Days past due at which a band of the description begins."""

LTV_EDGES: Final = (0.0, 0.8, 0.9, 1.0, 1.1, 1.2, 1.3, 1.4)
SCORE_EDGES: Final = (0.0, 580.0, 620.0, 660.0, 720.0, 780.0)
"""Bands of the CFPB Consumer Credit Panel, super-prime split at 780."""

FLAGS: Final = ("income_verified", "tracker", "starter_interrupt", "credit_insured", "modified", "repossessed")
"""Flags of which most books have none: the text shows them where some loan has them."""

RARE: Final = ("mileage", "income")
"""Averages that the text leaves out where no loan states the field."""

MOST_LEVELS: Final = 12
"""Levels of a cut that the text shows; the data hold all of them."""


def describe_tape(tape: LoanTape) -> dict[str, Any]:
    """Describe a book in plain data, ready for JSON.

    Returns
    -------
    dict
        ``loans``, ``balance``, ``original_balance`` and ``balloons`` (currency), ``as_of``, ``currency``;
        ``averages`` weighted by current balance (fractions, months, points, kilometres, currency a month; None
        where no loan states the field); ``cuts``: cut -> level -> loans, balance, share of balance, by falling
        balance; ``amortisation`` the same; ``days_past_due``, ``loan_to_value`` and ``score`` the same by band;
        ``flags``: the same of the loans that have one, by its name; ``load_report``.
    """
    columns = tape.columns
    balance: Floats = columns["current_balance"]
    return {
        "as_of": tape.as_of.isoformat(),
        "currency": tape.currency,
        "loans": len(tape),
        "balance": balance_cents(balance) / CENTS,
        "original_balance": balance_cents(columns["original_balance"]) / CENTS,
        "balloons": balance_cents(np.nan_to_num(columns["balloon"], nan=0.0)) / CENTS,
        "averages": _averages(tape, balance),
        "cuts": {cut: _levels(*labels, balance, by_size=True) for cut, labels in _cut_labels(tape).items()},
        "amortisation": _levels(*tape.codes("amortisation"), balance, by_size=True),
        "flags": _flags(tape, balance),
        "days_past_due": _levels(*_bands(columns["days_past_due"], DAYS_EDGES, "{:.0f}", whole=True), balance),
        "loan_to_value": _levels(*_bands(loan_to_value(tape), LTV_EDGES, "{:.0%}"), balance),
        "score": _levels(*_bands(columns["score"], SCORE_EDGES, "{:.0f}", whole=True), balance),
        "load_report": tape.report.to_dict(),
    }


def _averages(tape: LoanTape, balance: Floats) -> dict[str, float | None]:
    columns = tape.columns
    stated = {
        "rate": columns["rate"],
        "original_term": columns["original_term"],
        "remaining_term": columns["remaining_term"],
        "age": loan_age(tape),
        "loan_to_value": loan_to_value(tape),
        "score": columns["score"],
        "payment_to_income": columns["payment_to_income"],
        "new_share": columns["vehicle_new"],
        "co_borrower_share": columns["co_borrower"],
        "mileage": columns["mileage"],
        "income": columns["income"],
    }
    return {name: _weighted(values.astype(np.float64), balance) for name, values in stated.items()}


def _flags(tape: LoanTape, balance: Floats) -> dict[str, dict[str, float]]:
    """Loans that have a flag, flag by flag; none is left out, so that a reader of the data finds all."""
    total = max(balance_cents(balance), 1)
    found = {}
    for name in FLAGS:
        having = tape.columns[name]
        cents = balance_cents(balance[having])
        found[name] = {"loans": int(having.sum()), "balance": cents / CENTS, "share": cents / total}
    return found


def _weighted(values: Floats, weights: Floats) -> float | None:
    known = np.isfinite(values)
    return float(np.average(values[known], weights=weights[known])) if known.any() else None


def _cut_labels(tape: LoanTape) -> dict[str, Coded]:
    """Levels of the cuts that a tape alone knows; tiers belong to a parameter set."""
    return {cut: tape.codes(cut) for cut in CUTS if cut in tape.columns} | {"vintage": vintages(tape)}


def _bands(values: NDArray[Any], edges: Sequence[float], form: str, *, whole: bool = False) -> Coded:
    """Bands by name, and the place of each value's among them."""
    step = 1 if whole else 0
    texts = [form.format(edge) for edge in edges]
    upper = [form.format(edge - step) for edge in edges[1:]]
    names = [low if low == high else f"{low}-{high}" for low, high in zip(texts, upper, strict=False)]
    names = [*names, f"{texts[-1]} and more", "not stated"]
    index = np.searchsorted(edges, values, side="right") - 1
    index[~np.isfinite(values.astype(np.float64))] = len(names) - 1
    return np.array(names), index


def _levels(
    names: NDArray[np.str_], code: NDArray[np.integer[Any]], balance: Floats, *, by_size: bool = False
) -> dict[str, dict[str, float]]:
    """Loans, balance and share of each level that some loan has, in the order of the names or by falling balance."""
    loans = np.bincount(code, minlength=names.size)
    cents = [balance_cents(balance[code == level]) for level in range(names.size)]
    order = sorted(range(names.size), key=lambda level: -cents[level]) if by_size else range(names.size)
    total = max(sum(cents), 1)
    return {
        str(names[level]): {
            "loans": int(loans[level]),
            "balance": cents[level] / CENTS,
            "share": cents[level] / total,
        }
        for level in order
        if loans[level]
    }


def format_description(description: dict[str, Any]) -> str:
    """A description as a readable table."""
    currency = description["currency"]
    lines = [
        f"{counted(description['loans'], 'loan')} as of {description['as_of']}, {currency}",
        f"balance          {description['balance']:>18,.2f}",
        f"amount financed  {description['original_balance']:>18,.2f}",
        *([f"balloons         {description['balloons']:>18,.2f}"] if description["balloons"] else []),
        "",
        "averages, weighted by balance",
        *(
            f"  {name.replace('_', ' '):<20}{_average_text(name, value):>12}"
            for name, value in description["averages"].items()
            if value is not None or name not in RARE
        ),
    ]
    for cut, levels in description["cuts"].items():
        lines += ["", *_table(cut, levels)]
    if set(description["amortisation"]) != {"level"}:
        lines += ["", *_table("amortisation", description["amortisation"])]
    flags = {name.replace("_", " "): found for name, found in description["flags"].items() if found["loans"]}
    if flags:
        lines += ["", *_table("flags", flags)]
    for band in ("days_past_due", "loan_to_value", "score"):
        lines += ["", *_table(band.replace("_", " "), description[band])]
    return "\n".join(lines) + "\n"


def _average_text(name: str, value: float | None) -> str:
    if value is None:
        return "not stated"
    if name.endswith("term") or name == "age":
        return f"{value:.1f} months"
    if name == "mileage":
        return f"{value:,.0f} km"
    return f"{value:,.0f}" if name in ("score", "income") else f"{value:.2%}"


def _table(title: str, levels: dict[str, dict[str, float]]) -> list[str]:
    """Levels with loans, balance and share; the smallest of a long cut are summed up."""
    shown, rest = list(levels.items())[:MOST_LEVELS], list(levels.values())[MOST_LEVELS:]
    if rest:
        total = {key: sum(level[key] for level in rest) for key in ("loans", "balance", "share")}
        shown.append((f"{len(rest)} more", total))
    head = f"{title:<24}{'loans':>10}{'balance':>20}{'share':>9}"
    return [head] + [
        f"  {name[:22]:<22}{level['loans']:>10,}{level['balance']:>20,.2f}{level['share']:>9.2%}"
        for name, level in shown
    ]
