"""Who a draw belongs to: 64-bit addresses of loans and of named others."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import blake2b

import numpy as np
from numpy.typing import NDArray

from scenarios.errors import Fault, InputError

_NAMED = 1 << 63


def _hash(text: str) -> int:
    return int.from_bytes(blake2b(text.encode(), digest_size=8).digest(), "little")


def named_entity(name: str) -> int:
    """Address of a named entity (a factor, an index): BLAKE2b-64 of its name, top bit set."""
    return _hash(name) | _NAMED


def loan_entities(loan_ids: Sequence[str] | NDArray[np.str_]) -> NDArray[np.uint64]:
    """Addresses of loans: BLAKE2b-64 of the id, top bit clear.

    Raises
    ------
    InputError
        Two ids share an address (about once in 10 million books of a million loans).
    """
    entities = np.fromiter((_hash(text) & (_NAMED - 1) for text in loan_ids), np.uint64, len(loan_ids))
    unique, counts = np.unique(entities, return_counts=True)
    if unique.size < entities.size:
        shared = np.flatnonzero(entities == unique[np.argmax(counts)])
        first, second = (str(loan_ids[item]) for item in shared[:2])
        raise InputError(
            Fault(
                f"tape: loan_id {second!r}",
                f"shares its address of random draws with {first!r}",
                "one address a loan",
                "Append a character to one of the two ids.",
            )
        )
    return entities
