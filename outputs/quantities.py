"""Amounts of memory and lengths of time as people write and read them."""

from __future__ import annotations

import re
from typing import Final

UNITS: Final = {
    "kb": 10**3,
    "mb": 10**6,
    "gb": 10**9,
    "tb": 10**12,
    "k": 1 << 10,
    "m": 1 << 20,
    "g": 1 << 30,
    "t": 1 << 40,
    "kib": 1 << 10,
    "mib": 1 << 20,
    "gib": 1 << 30,
    "tib": 1 << 40,
}
"""Bytes of a unit, in lower case: GB are 10^9, GiB and a bare G, as Docker and systemd have it, 2^30."""

AMOUNT: Final = re.compile(r"\s*(\d+(?:\.\d+)?)\s*([a-zA-Z]+)\s*")

EXPECTED: Final = "a number with MB, GB, MiB or GiB, as 4GiB"


def parse_bytes(text: str) -> int:
    """Bytes of an amount such as ``4GiB``, ``500 MB`` or ``2.5g``.

    Raises
    ------
    ValueError
        It is none, or nothing.
    """
    found = AMOUNT.fullmatch(text)
    unit = UNITS.get(found[2].lower()) if found else None
    nbytes = 0 if found is None or unit is None else round(float(found[1]) * unit)
    if nbytes <= 0:
        raise ValueError(f"{text!r} is no amount of memory; expected {EXPECTED}")
    return nbytes


def bytes_text(nbytes: float) -> str:
    """An amount for readers, two or three digits: ``4.2 GiB``, ``310 MiB``, ``26 kiB``."""
    for unit, size in (("TiB", 1 << 40), ("GiB", 1 << 30), ("MiB", 1 << 20)):
        if nbytes >= 0.9995 * size:
            amount = nbytes / size
            return f"{amount:,.0f} {unit}" if amount >= 99.95 else f"{amount:.1f} {unit}"
    return f"{nbytes / 1024:.0f} kiB"


def seconds_text(seconds: float) -> str:
    """A length of time for readers: ``0.4 s``, ``38 s``, ``12 minutes``, ``3.4 hours``."""
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    if seconds < 99.5:
        return f"{seconds:.0f} s"
    minutes = seconds / 60.0
    if minutes < 9.95:
        return f"{minutes:.1f} minutes"
    return f"{minutes:.0f} minutes" if minutes < 99.5 else f"{minutes / 60.0:.1f} hours"
