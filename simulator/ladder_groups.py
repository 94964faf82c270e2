"""Groups of loans that the same rungs are for on average, whatever happens to them (methodology (P13))."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from scenarios.rungs import AnyRung
from simulator.kernels.bundles import Loans, Records
from simulator.parameters import Parameters
from simulator.tape.amortisation import principal_owed
from simulator.workouts import car_depreciation

Floats = NDArray[np.float64]


class Groups(NamedTuple):
    """Loans by the rungs that are for them on average."""

    rungs: tuple[tuple[int, ...], ...]
    """[group] places of the rungs."""
    of_loan: NDArray[np.int32]
    """[loan] group."""


def asks_of_the_spell(rung: AnyRung) -> bool:
    """Whether a rung's conditions depend on what was done or learnt since the loan fell into arrears."""
    who = rung.who
    return bool(rung.once or who.revealed is not None or who.after or who.unless or who.broken_promises)


def group_loans(
    ladder: Sequence[AnyRung], fits: NDArray[np.uint32], rung: Records, loans: Loans, parameters: Parameters
) -> Groups:
    """Group loans by those of a ladder's rungs that do not ask of the spell and whose other conditions they meet.

    Balance and loan-to-value count as they are at the as-of date.

    Parameters
    ----------
    fits : uint32[loan]
        Rungs whose fixed conditions a loan meets, a bit each.
    rung : RUNG[rung]
    """
    principal, ltv = _amounts(loans, parameters)
    met = np.zeros(loans.bucket.size, np.uint32)
    for place, item in enumerate(ladder):
        if asks_of_the_spell(item):
            continue
        row = rung[place]
        within = (principal >= row.from_balance) & (principal <= row.to_balance)
        within &= (ltv >= row.from_ltv) & (ltv <= row.to_ltv)
        met |= within * (fits & np.uint32(1 << place))
    masks, group = np.unique(met, return_inverse=True)
    rungs = tuple(tuple(place for place in range(len(ladder)) if mask >> place & 1) for mask in masks.tolist())
    return Groups(rungs, group.astype(np.int32))


def _amounts(loans: Loans, parameters: Parameters) -> tuple[Floats, Floats]:
    """``float64[loan]`` principal and loan-to-value at the as-of date; infinite where the car is worth nothing."""
    principal, fact = principal_owed(loans), loans.fact
    value = fact.value_as_new * car_depreciation(loans, parameters, 1)[0, fact.car]
    ltv = np.divide(principal, value, out=np.full_like(value, np.inf), where=value > 0.0)
    return principal, ltv
