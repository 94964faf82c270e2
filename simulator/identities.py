"""Conservation, checked in every run (methodology (9)).

Closing stocks are sums over surviving loans, never opening minus flows, so these checks can fail.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from scenarios.errors import IntegrityError
from scenarios.vocabulary import BOOK_VARIABLES
from simulator.kernels.bundles import Result

TOLERANCE = 1e-9
"""Largest residual, as a share of the opening balance (or of the opening count)."""

Floats = NDArray[np.float64]
_PAID = ("principal_paid", "prepaid", "total_loss_paid")
_INTEREST_LEAVES = ("interest_paid", "charge_off_interest", "capitalised")
_EXITS = ("charge_off_count", "prepaid_count", "matured_count", "total_loss_count")
_ROW = {variable.name: item for item, variable in enumerate(BOOK_VARIABLES)}


def check_identities(result: Result, first_path: int, months: int) -> None:
    """Check balance, interest and count, month by month and for the run-off.

    Raises
    ------
    IntegrityError
        Naming the identity, the path, the month and the residual.
    """
    book = result.book
    scale = book[:, _ROW["balance"], 0]
    count = book[:, _ROW["live_count"], 0]
    for name, residual, unit in (
        ("principal", _principal_residual(book, months), scale),
        ("interest", _interest_residual(book, months), scale),
        ("cash", _cash_residual(book), scale),
        ("count", _count_residual(book, months), count),
    ):
        _refuse(name, residual, unit, first_path, "month")
    for name, residual, in_loans in _run_off_residuals(result, months):
        _refuse(name, residual[:, None], count if in_loans else scale, first_path, "after the horizon, month")


def _flow(book: Floats, name: str, months: int) -> Floats:
    return book[:, _ROW[name], 1 : months + 1]


def _change(book: Floats, name: str, months: int) -> Floats:
    """Opening less closing stock of each month."""
    stock = book[:, _ROW[name], : months + 1]
    return stock[:, :-1] - stock[:, 1:]


def _principal_residual(book: Floats, months: int) -> Floats:
    charged_off = _flow(book, "charge_off", months) - _flow(book, "charge_off_interest", months)
    paid = sum(_flow(book, name, months) for name in _PAID)
    return np.asarray(_change(book, "balance", months) + _flow(book, "capitalised", months) - paid - charged_off)


def _interest_residual(book: Floats, months: int) -> Floats:
    left = sum(_flow(book, name, months) for name in _INTEREST_LEAVES)
    return np.asarray(_change(book, "accrued_interest", months) + _flow(book, "interest_accrued", months) - left)


def _cash_residual(book: Floats) -> Floats:
    """Cash less what it is made of, in every month, those after the horizon included."""
    last = book.shape[2] - 1
    parts = (
        "principal_paid",
        "interest_paid",
        "prepaid",
        "total_loss_paid",
        "fees",
        "sale_proceeds",
        "deficiency_cash",
        "judgment_cash",
        "debt_sale_cash",
    )
    made_of = sum(_flow(book, name, last) for name in parts) - _flow(book, "workout_cost", last)
    return np.asarray(_flow(book, "cash", last) - made_of)


def _count_residual(book: Floats, months: int) -> Floats:
    left = sum(_flow(book, name, months) for name in _EXITS)
    return np.asarray(_change(book, "live_count", months) - left)


def _run_off_residuals(result: Result, months: int) -> list[tuple[str, Floats, bool]]:
    """What enters the run-off leaves it: paid, prepaid, charged off or cured; True where the unit is loans."""
    late = result.book[:, :, months + 1 :].sum(axis=2)

    def total(*names: str) -> Floats:
        return np.asarray(sum(late[:, _ROW[name]] for name in names))

    principal, interest, count, resumed, cured = result.run_off.T
    charged_off = total("charge_off") - total("charge_off_interest")
    return [
        ("principal", principal + total("capitalised") - total(*_PAID) - charged_off - resumed, False),
        ("interest", interest + total("interest_accrued") - total(*_INTEREST_LEAVES), False),
        ("count", count - total(*_EXITS) - cured, True),
    ]


def _refuse(name: str, residual: Floats, unit: Floats, first_path: int, when: str) -> None:
    share = np.abs(residual) / np.maximum(unit, 1.0)[:, None]
    # `not <=` also catches a residual that is not a number.
    if not np.all(share <= TOLERANCE):
        path, month = np.unravel_index(int(np.nanargmax(np.where(np.isnan(share), np.inf, share))), share.shape)
        raise IntegrityError(
            f"conservation of {name} fails on path {first_path + int(path)}, {when} {int(month) + 1}: "
            f"residual {residual[path, month]:.6g} is {share[path, month]:.3g} of opening, more than {TOLERANCE:g}. "
            "This is a fault of carstress, not of the input: no result was written."
        )
