"""One cell at a time: text to a typed value, or to a fault that says what was found and expected."""

from __future__ import annotations

import datetime
import difflib
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Decimal
from statistics import median
from typing import Any, Final

from scenarios.tape_fields import TapeField
from simulator.tape.dates import DATE_FORM, FIRST_YEAR, LAST_YEAR, MONTH_FORM, parse_date
from simulator.tape.mapping import FieldMapping
from simulator.tape.report import CENTS, CellFault
from simulator.tape.tape import FIELD_DEFAULTS

NUMBER: Final = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d{1,3})?", re.ASCII)
CODE_AS_FLOAT: Final = re.compile(r"(\d+)\.0+", re.ASCII)

ZERO_MEANS_NONE: Final = frozenset(
    {"score", "payment_to_income", "scheduled_payment", "model_year", "mileage", "income"}
)
"""Fields in which files write 0 for "not stated"; counted and reported as a guess."""

ABOVE_ZERO: Final = frozenset({"original_balance", "vehicle_value"})
"""Amounts that must be more than 0: a loan was paid out, and loan-to-value divides by the car's value."""

LARGEST_AMOUNT: Final = 1e12
"""No single loan is larger in any currency; cents below it are exact in 64-bit integers and floats."""

LONGEST_TEXT: Final = 200
"""Longest text of a cell: Schedule AL allows 100, and a joined id may be longer."""

GUESS_BORDER: Final = 1.0
"""A column whose median is above 1 is in percent: yearly rates and payment-to-income ratios are mostly below 1
as fractions and above 1 in percent. The median, since single cells err (filings' data, 2026)."""

FRACTION_REMEDY: Final = "Write a fraction (0.055 for 5.5 %) or map the column with unit: percent."

_SCALES: Final = {
    "percent": Decimal("0.01"),
    "cents": Decimal("0.01"),
    "thousands": Decimal(1000),
    "ten_thousands": Decimal(10000),
    "millions": Decimal(1000000),
    "years": Decimal(12),
    "per_year": Decimal(1) / 12,
    "miles": Decimal("1.609344"),
}
_FLAGS: Final = {"true": True, "false": False, "1": True, "0": False}
_WHITE: Final = frozenset("\t\n\r")


class UnreadableCellError(Exception):
    """A cell that cannot be a value of its field."""

    def __init__(self, expected: str, remedy: str = "") -> None:
        self.expected, self.remedy = expected, remedy
        super().__init__(expected)


@dataclass(slots=True)
class ParsedColumn:
    """A source column after typing.

    Attributes
    ----------
    values : list
        One value a row; None where the cell states nothing or is at fault.
    faults : dict of int to CellFault
        Row -> what is wrong with its cell.
    zeros, unreadable, coded : int
        Cells taken as "not stated" because they are 0, cannot be read, or hold one of the mapping's codes for it.
    """

    values: list[Any]
    faults: dict[int, CellFault]
    zeros: int = 0
    unreadable: int = 0
    coded: int = 0


def parse_column(
    field: TapeField, mapping: FieldMapping, cells: Sequence[str], missing: frozenset[str]
) -> ParsedColumn:
    """Type a column of text cells.

    Parameters
    ----------
    field : TapeField
        What the column becomes.
    mapping : FieldMapping
        How it is written, with `unit` settled (not `guess`).
    cells : Sequence of str
        One text a row, spaces around it already gone.
    missing : frozenset of str
        Texts that mean "not stated" in every column.
    """
    parser = cell_parser(field, mapping)
    is_missing = _missing_test(field, mapping, missing)
    # Each distinct text is parsed once; most columns hold few of them.
    known = {cell: _parse(cell, parser, is_missing, field, mapping) for cell in dict.fromkeys(cells)}
    special = {cell: value for cell, value in known.items() if isinstance(value, CellFault | _Nothing)}
    known.update(dict.fromkeys(special))
    column = ParsedColumn([known[cell] for cell in cells], {})
    for row, cell in enumerate(cells) if special else ():
        value = special.get(cell)
        if isinstance(value, _Nothing):
            column.zeros += value.zero
            column.coded += value.coded
        elif value is not None and mapping.unreadable == "missing":
            column.unreadable += 1
        elif value is not None:
            column.faults[row] = value
    return column


@dataclass(frozen=True, slots=True)
class _Nothing:
    """A cell that states nothing, and how it says so."""

    zero: bool = False
    coded: bool = False


def _parse(
    cell: str,
    parser: Callable[[str], Any],
    is_missing: Callable[[str], _Nothing | None],
    field: TapeField,
    mapping: FieldMapping,
) -> Any:
    nothing = is_missing(cell)
    if nothing is not None and not field.required:
        return nothing
    if nothing is not None:
        default = mapping.default or FIELD_DEFAULTS.get(field.name)
        if default is not None:
            return nothing
        return CellFault(mapping.label, f"{field.name} is not stated ({_shown(cell)})", _kind_text(field))
    try:
        return parser(cell)
    except UnreadableCellError as error:
        return CellFault(mapping.label, f"{field.name} = {_shown(cell)}", error.expected, error.remedy)


def _missing_test(field: TapeField, mapping: FieldMapping, missing: frozenset[str]) -> Callable[[str], _Nothing | None]:
    """A function that tells whether a cell states nothing."""
    numbers = {float(text) for text in mapping.missing_values if NUMBER.fullmatch(text)}
    zero_means_none = field.name in ZERO_MEANS_NONE

    def test(cell: str) -> _Nothing | None:
        if cell == "" or cell in missing:
            return _Nothing()
        if cell in mapping.missing_values:
            return _Nothing(coded=True)
        if (numbers or zero_means_none) and NUMBER.fullmatch(cell):
            if zero_means_none and float(cell) == 0.0:
                return _Nothing(zero=True)
            if float(cell) in numbers:
                return _Nothing(coded=True)
        return None

    return test


def cell_parser(field: TapeField, mapping: FieldMapping) -> Callable[[str], Any]:
    """A function from a cell that states something to the field's value; it raises `UnreadableCellError`."""
    plain = canonical_parser(field, unit=mapping.unit, forms=mapping.date_format)
    codes = mapping.codes
    if codes is None:
        return plain

    def coded(cell: str) -> Any:
        as_integer = CODE_AS_FLOAT.fullmatch(cell)
        value = codes.get(cell, codes.get(as_integer.group(1)) if as_integer else None)
        if value is None:
            raise UnreadableCellError(
                f"one of the codes {', '.join(codes)}", "Add the code to the field's `codes` in the mapping."
            )
        return plain(value)

    return coded


def canonical_parser(
    field: TapeField, *, unit: str | None = None, forms: tuple[str, ...] | None = None
) -> Callable[[str], Any]:
    """The parser of a field's kind."""
    scale = _SCALES.get(unit or "")
    if field.kind == "text":
        return lambda cell: parse_text(cell, field)
    if field.kind == "flag":
        return parse_flag
    if field.kind in ("months", "days"):
        return lambda cell: _whole(_in_range(parse_number(cell, scale, required=field.required), field))
    if field.kind in ("date", "month"):
        given = forms or ((DATE_FORM,) if field.kind == "date" else (MONTH_FORM, DATE_FORM))
        return lambda cell: _date(cell, given)
    return lambda cell: _in_range(parse_number(cell, scale, required=field.required), field)


def parse_number(cell: str, scale: Decimal | None = None, *, required: bool = False) -> float:
    """A plain decimal number, scaled exactly."""
    if not NUMBER.fullmatch(cell):
        raise UnreadableCellError("a number", _number_remedy(cell, required=required))
    return float(cell) if scale is None else float(Decimal(cell) * scale)


def parse_cents(cell: str, unit: str | None) -> tuple[int, bool] | None:
    """An amount in whole cents, exactly, and whether it had to be rounded (half to even); None where unreadable."""
    if not NUMBER.fullmatch(cell):
        return None
    amount = Decimal(cell) * _SCALES.get(unit or "", Decimal(1))
    if abs(amount) > Decimal(LARGEST_AMOUNT):
        return None
    cents = (amount * CENTS).to_integral_value(ROUND_HALF_EVEN)
    return int(cents), cents != amount * CENTS


def parse_text(cell: str, field: TapeField) -> str:
    """Text as it stands, checked for length, control characters and the field's list of codes."""
    if len(cell) > LONGEST_TEXT:
        raise UnreadableCellError(f"at most {LONGEST_TEXT} characters, not {len(cell)}")
    printable = cell.isprintable() or (field.name != "loan_id" and all(c.isprintable() or c in _WHITE for c in cell))
    if not printable:
        raise UnreadableCellError("printable characters", "Take out control characters and line breaks.")
    if field.codes and cell not in field.codes:
        near = difflib.get_close_matches(cell.lower(), field.codes, n=1)
        raise UnreadableCellError(f"one of {', '.join(field.codes)}", f"Did you mean {near[0]}?" if near else "")
    return cell


def parse_flag(cell: str) -> bool:
    """A yes or no."""
    as_integer = CODE_AS_FLOAT.fullmatch(cell)
    value = _FLAGS.get((as_integer.group(1) if as_integer else cell).lower())
    if value is None:
        raise UnreadableCellError("true, false, 1 or 0", "Map other texts with `codes`.")
    return value


def guess_unit(field: TapeField, column: str, cells: Iterable[str]) -> tuple[str, str | None]:
    """Whether a column of ratios is in percent, by its median, and the sentence that says so.

    Returns
    -------
    unit : {"fraction", "percent"}
    sentence : str or None
        None where the column states no number other than 0.
    """
    numbers = [abs(float(cell)) for cell in cells if NUMBER.fullmatch(cell)]
    stated = [number for number in numbers if number > 0.0]
    if not stated:
        return "fraction", None
    middle = median(stated)
    unit = "percent" if middle > GUESS_BORDER else "fraction"
    side = "above" if unit == "percent" else "not above"
    return unit, f"{field.name} ({column}) was read as a {unit}: its median, {middle:.6g}, is {side} {GUESS_BORDER:g}."


def _in_range(value: float, field: TapeField) -> float:
    low, high = field.low, field.high
    if field.kind == "money":
        high = LARGEST_AMOUNT
    too_low = low is not None and (value <= low if field.name in ABOVE_ZERO else value < low)
    if too_low or (high is not None and value > high):
        raise UnreadableCellError(_range_text(field), FRACTION_REMEDY if field.kind == "fraction" else "")
    return value


def _range_text(field: TapeField) -> str:
    if field.name in ABOVE_ZERO:
        return "an amount above 0"
    if field.kind == "money":
        return f"an amount of {field.low:g} to {LARGEST_AMOUNT:g}"
    return f"{field.low:g} to {field.high:g}"


def _whole(value: float) -> int:
    if value != int(value):
        raise UnreadableCellError("a whole number")
    return int(value)


def _date(cell: str, forms: tuple[str, ...]) -> datetime.date:
    date = parse_date(cell, forms)
    if date is None:
        raise UnreadableCellError(f"a date as {' or '.join(forms)}", "State other forms with `date_format`.")
    if not FIRST_YEAR <= date.year <= LAST_YEAR:
        raise UnreadableCellError(f"a year from {FIRST_YEAR} to {LAST_YEAR}", "Check `date_format`.")
    return date


def _number_remedy(cell: str, *, required: bool) -> str:
    text = cell.lower()
    if text.lstrip("+-") in ("nan", "inf", "infinity", "null", "none", "na", "n/a"):
        if required:
            return "A loan cannot be used without it: state it, or leave the row out."
        return "Leave the cell empty where the value is not known, or list the text under missing_values."
    if text.endswith("%"):
        return "Write the number without the sign and map the column with unit: percent."
    if "," in text:
        return "Write numbers with a decimal point and without thousands separators."
    if any(not (c.isascii() and (c.isdigit() or c in "+-.")) for c in text) and any(c.isdigit() for c in text):
        return "Write the number alone; currency and unit belong into the mapping."
    return ""


def _kind_text(field: TapeField) -> str:
    words = {"text": "text", "date": "a date", "month": "a month", "flag": "true or false"}
    return words.get(field.kind, "a number") + " (the field is required)"


def _shown(cell: str, longest: int = 40) -> str:
    return repr(cell if len(cell) <= longest else cell[:longest] + "...")
