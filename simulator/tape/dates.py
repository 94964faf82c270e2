"""Dates as loan files write them: a form such as MM-DD-YYYY, matched digit by digit."""

from __future__ import annotations

import datetime
import re
from functools import cache

DATE_FORM = "YYYY-MM-DD"
MONTH_FORM = "YYYY-MM"

_TOKENS = {
    "YYYY": r"(?P<year>\d{4})",
    "MM": r"(?P<month>\d{2})",
    "DD": r"(?P<day>\d{2})",
    "M": r"(?P<month>\d{1,2})",
    "D": r"(?P<day>\d{1,2})",
}
_TOKEN = re.compile("YYYY|MM|DD|M|D")
_LETTER = re.compile("[A-Za-z]")


@cache
def form_pattern(form: str) -> re.Pattern[str]:
    """Regular expression of a date form.

    Parameters
    ----------
    form : str
        YYYY, MM or M, DD or D, once each, with separators between; the day may be left out.

    Raises
    ------
    ValueError
        The form lacks year or month, repeats one, or holds other letters (YY would be ambiguous).
    """
    tokens = _TOKEN.findall(form)
    rest = _TOKEN.sub("", form)
    kinds = [token[0] for token in tokens]
    if sorted(kinds) not in (["M", "Y"], ["D", "M", "Y"]) or _LETTER.search(rest):
        raise ValueError(f"date_format {form}; expected YYYY, MM or M, and DD or D, once each, as MM/YYYY")
    parts = [re.escape(text) for text in _TOKEN.split(form)]
    pattern = parts[0] + "".join(_TOKENS[token] + part for token, part in zip(tokens, parts[1:], strict=True))
    return re.compile(pattern, re.ASCII)


FIRST_YEAR = 1980
LAST_YEAR = 2100
"""Years of a loan are those that the vocabulary gives its car's model; 0024 is a misread 24."""


def parse_date(text: str, forms: tuple[str, ...]) -> datetime.date | None:
    """The date that `text` writes in the first form that fits; the first of the month where it has no day.

    Returns
    -------
    datetime.date or None
        None where no form fits or the calendar has no such day.
    """
    for form in forms:
        match = form_pattern(form).fullmatch(text)
        if match is None:
            continue
        found = match.groupdict()
        try:
            return datetime.date(int(found["year"]), int(found["month"]), int(found.get("day", 1)))
        except ValueError:
            continue
    return None
