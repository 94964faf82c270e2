"""Numbers with the noun that they count."""

from __future__ import annotations


def counted(number: int, one: str, many: str = "") -> str:
    """``1 loan``, ``7,572 loans``.

    Parameters
    ----------
    number : int
    one : str
        What follows a 1; it may hold a verb, as ``loan has``.
    many : str, optional
        What follows any other number; `one` with an s if left out.
    """
    return f"{number:,} {one if number == 1 else many or f'{one}s'}"
