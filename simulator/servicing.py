"""Who works arrears, and how much of the auction market the book is: from a study's words to the engine's figures."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from scenarios.checks import dotted
from scenarios.counted import counted
from scenarios.errors import Fault, InputError
from scenarios.explain import nearest
from scenarios.macro import PERCENT
from scenarios.treatment import ByType, Effects, Phone, Treatment
from scenarios.vocabulary import CAUSE_CLASSES, TYPES
from simulator.parameters import Parameters

Floats = NDArray[np.float64]

HOURS_BASE = 1000.0
"""Opening loans to which `hours_per_1000_loans` refers."""


@dataclass(frozen=True, eq=False)
class PhonePool:
    """A pool of finite capacity that calls loans in arrears (methodology (P1)).

    Attributes
    ----------
    hours : float
        Capacity of a month, hours; it does not carry over.
    hours_per_contact : float
        Hours that a contact takes, above 0.
    first_bucket, last_bucket : int
        Instalments past due of the loans that ask for a contact at the close of a month.
    reach : float
        Probability that a served borrower is reached.
    weights : tuple of float
        Of instalments past due, months waited, and principal over the book's mean opening principal.
    effect : float64[treated, type, class]
        Multipliers of intensities in arrears in the next month: not served or not reached, then served and reached;
        types as in `vocabulary.TYPES`, classes as in `vocabulary.CAUSE_CLASSES`. Entry and payoff stay 1.
    """

    hours: float
    hours_per_contact: float
    first_bucket: int
    last_bucket: int
    reach: float
    weights: tuple[float, float, float]
    effect: Floats


@dataclass(frozen=True, eq=False)
class Servicing:
    """What couples the loans of a path: a pool, and prices that answer to the book's own sales.

    Attributes
    ----------
    pool : PhonePool or None
        None: every loan in arrears is worked as the loans were that the parameters come from.
    market_share : float
        Share of the auction market that the book's sales are, fraction; 0: no fire sale (methodology (7)).
    """

    pool: PhonePool | None = None
    market_share: float = 0.0

    def effect(self) -> Floats:
        """What treatment does to intensities in arrears (3h): float64[treatment, type, class].

        Treatments are those of the kernels: not served or not reached, served, not called.
        """
        neutral = np.ones((1, len(TYPES), len(CAUSE_CLASSES)))
        if self.pool is None:
            return np.repeat(neutral, 3, axis=0)
        return np.concatenate([self.pool.effect, neutral])


def build_servicing(
    treatment: Treatment | None,
    parameters: Parameters,
    loans: int,
    market_share: float,
    where: Callable[..., str] = lambda *path: dotted(path),
) -> Servicing:
    """Figures of a study's treatment.

    Parameters
    ----------
    treatment : Treatment or None
        As the study states it.
    parameters : Parameters
        Labels of the buckets.
    loans : int
        Loans of the opening book, to which `hours_per_1000_loans` refers.
    market_share : float
        Fraction, 0 to 1.
    where : callable, optional
        Place of a field in the study's file from its path, for errors.

    Raises
    ------
    InputError
        A bucket that the parameters do not have, a range of buckets that ends before it begins, or hours that are
        less than one contact takes.
    """
    if treatment is None:
        return Servicing(market_share=market_share)
    phone = treatment.phone
    first, last = _buckets(phone, parameters.bucket_labels, where)
    stated = phone.hours_per_month
    hours = (phone.hours_per_1000_loans or 0.0) * loans / HOURS_BASE if stated is None else stated
    if hours < phone.hours_per_contact:
        place = "hours_per_1000_loans" if stated is None else "hours_per_month"
        found = f"{hours:g} hours a month for a book of {counted(loans, 'loan')}, less than one contact takes"
        remedy = "Write more hours, or take `treatment` out where nobody calls."
        expected = f"at least {phone.hours_per_contact:g} hours a month, treatment.phone.hours_per_contact"
        raise InputError(Fault(where("treatment", "phone", place), found, expected, remedy))
    pool = PhonePool(
        hours=hours,
        hours_per_contact=phone.hours_per_contact,
        first_bucket=first,
        last_bucket=last,
        reach=PERCENT * phone.reach_percent,
        weights=(phone.priority.bucket, phone.priority.waiting, phone.priority.balance),
        effect=np.stack([_multipliers(phone.effect.unserved), _multipliers(phone.effect.served)]),
    )
    return Servicing(pool, market_share)


def _buckets(phone: Phone, labels: tuple[str, ...], where: Callable[..., str]) -> tuple[int, int]:
    """First and last bucket that is called, in instalments past due."""
    called = labels[1:]
    wished = {"from_bucket": phone.from_bucket or called[0], "to_bucket": phone.to_bucket or called[-1]}
    faults = []
    for field, label in wished.items():
        if label not in called:
            place, expected = where("treatment", "phone", field), f"one of {', '.join(called)}"
            remedy = (
                nearest(label, called) or "Use the labels of the parameter set's `buckets`; current loans are in none."
            )
            faults.append(
                Fault(place, f"treatment.phone.{field} = {label}, which is no bucket of arrears", expected, remedy)
            )
    if faults:
        raise InputError(faults)
    first, last = (labels.index(label) for label in wished.values())
    if last < first:
        found = f"treatment.phone.to_bucket = {labels[last]}, which comes before from_bucket = {labels[first]}"
        raise InputError(
            Fault(where("treatment", "phone", "to_bucket"), found, f"one of {', '.join(labels[first:])}", "Swap them.")
        )
    return first, last


def _multipliers(effects: Effects) -> Floats:
    """Factors by type and class: float64[type, class]."""
    table = np.ones((len(TYPES), len(CAUSE_CLASSES)))
    for name in type(effects).model_fields:
        factor = getattr(effects, name)
        by_type = [getattr(factor, kind) for kind in TYPES] if isinstance(factor, ByType) else factor
        table[:, CAUSE_CLASSES.index(name)] = by_type
    return table
