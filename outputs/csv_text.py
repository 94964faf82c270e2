"""Tables as CSV that a spreadsheet cannot run and that has the same bytes each time."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from typing import Final

import numpy as np
import pandas

DANGEROUS: Final = ("=", "+", "-", "@", "\t", "\r", "\n", "\0", "\uff1d", "\uff0b", "\uff0d", "\uff20")
"""First characters that spreadsheets take for a formula (OWASP ASVS 1.2.10), their full-width twins included."""


def harmless(text: str) -> str:
    """Text that no spreadsheet takes for a formula: a leading quote where the first character is dangerous."""
    if text.startswith(DANGEROUS) or text.lstrip(" ").startswith(DANGEROUS):
        return "'" + text.replace("\0", "")
    return text.replace("\0", "")


def cell(value: object) -> str:
    """One value as text: numbers in full precision and never quoted, text made harmless, missing as nothing."""
    if value is None or value is pandas.NaT:
        return ""
    if isinstance(value, bool | np.bool_):
        return "true" if value else "false"
    if isinstance(value, int | np.integer):
        return str(int(value))
    if isinstance(value, Decimal):
        return f"{value:f}"
    if isinstance(value, float | np.floating):
        return "" if np.isnan(value) else repr(float(value))
    if isinstance(value, datetime | date):
        return value.isoformat()[:10]
    if isinstance(value, np.datetime64):
        return str(np.datetime_as_string(value, unit="D"))
    return harmless(str(value))


def to_csv(table: pandas.DataFrame) -> str:
    """A table as CSV (RFC 4180 but for line feeds): UTF-8, a head; text cells made harmless, numbers untouched."""
    columns = [table[name].tolist() for name in table.columns]
    rows = [[harmless(str(name)) for name in table.columns]]
    rows += [[cell(value) for value in row] for row in zip(*columns, strict=True)]
    return "".join(",".join(quoted(text) for text in row) + "\n" for row in rows)


def quoted(text: str) -> str:
    """A cell in quotes where it must be. The csv module leaves a lone carriage return bare before Python 3.13."""
    return '"' + text.replace('"', '""') + '"' if any(sign in text for sign in ',"\r\n') else text
