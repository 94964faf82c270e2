"""The loan tape: typed columns, one row a loan, in one canonical order.

======== ================== ==========================================================
kind     dtype              a value that the source does not give
======== ================== ==========================================================
text     ``<U``             ``""``
money    ``float64``        ``NaN``
fraction ``float64``        ``NaN``
number   ``float64``        ``NaN`` (a score of 0 means "none" and is read as ``NaN``)
months   ``int64``          ``-1`` (no field of this kind is optional today)
days     ``int64``          ``-1`` (no field of this kind is optional today)
date     ``datetime64[D]``  ``NaT`` (required: never missing)
month    ``datetime64[M]``  ``NaT`` (required: never missing)
flag     ``bool``           filled with its default, there is no third value
======== ================== ==========================================================

A few fields take a documented default instead of staying missing (`FIELD_DEFAULTS`); how often is
counted in the load report.  A missing instalment stays ``NaN`` here: `amortisation` computes it.
"""

from __future__ import annotations

import datetime
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Final, TypeVar

import numpy as np
from numpy.typing import NDArray

from scenarios.tape_fields import TAPE_FIELDS, FieldKind, TapeField
from simulator.tape.report import CENTS, LoadReport

Column = NDArray[Any]
Found = TypeVar("Found")
Coded = tuple[Column, NDArray[np.integer[Any]]]
"""Distinct values, and the place of each loan's among them."""

KIND_DTYPES: Final[dict[FieldKind, str]] = {
    "text": "U",
    "money": "float64",
    "fraction": "float64",
    "number": "float64",
    "months": "int64",
    "days": "int64",
    "date": "datetime64[D]",
    "month": "datetime64[M]",
    "flag": "bool",
}

FIELD_DEFAULTS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "co_borrower": "false",
        "sector": "unknown",
        "channel": "unknown",
        "product": "purchase_loan",
        "vehicle": "other",
        "value_source": "other",
        "amortisation": "level",
        "income_verified": "false",
        "tracker": "false",
        "starter_interrupt": "false",
        "credit_insured": "false",
        "modified": "false",
        "repossessed": "false",
    }
)
"""Text of the value that an empty cell of the field takes; other optional fields stay missing.

A flag is what is known to be so: where nothing is said of a tracker none is counted on, and a loan is neither
modified nor its car repossessed. Loans repay in level instalments, as nearly all auto loans do.
"""

FIELDS: Final[Mapping[str, TapeField]] = MappingProxyType({item.name: item for item in TAPE_FIELDS})

CODED_ROWS: Final = 65_536
"""Rows whose texts are sorted together: sorting those of a whole book would write them all out twice."""

METADATA = "tape_metadata"
"""Name of the array that carries what is not a column: as-of date, currency and load report, as JSON."""


@dataclass(frozen=True, slots=True, eq=False)
class LoanTape:
    """Loans of one book at one date.

    Attributes
    ----------
    columns : Mapping of str to array[loan]
        One read-only array for each of `scenarios.vocabulary.TAPE_FIELDS`, with the dtypes of this
        module's table, sorted by ``loan_id`` (by code point) whatever the order of the source.
    as_of : datetime.date
        Reporting date of every row.
    currency : str
        ISO 4217 code of every amount.
    report : LoadReport
        What was read, used, rejected, guessed and filled.
    """

    columns: Mapping[str, Column]
    as_of: datetime.date
    currency: str
    report: LoadReport
    _made: dict[str, Any] = field(default_factory=dict, init=False, repr=False)

    def __post_init__(self) -> None:
        """Refuse a tape that breaks the promises above."""
        if tuple(self.columns) != tuple(FIELDS):
            raise ValueError(f"columns are {list(self.columns)}; expected {list(FIELDS)}")
        ids = self.columns["loan_id"]
        for name, column in self.columns.items():
            kind = KIND_DTYPES[FIELDS[name].kind]
            if column.shape != ids.shape or not _has_dtype(column, kind):
                raise ValueError(f"column {name} is {column.dtype}{list(column.shape)}; expected {kind}[{ids.size}]")
        if ids.size > 1 and not bool(np.all(ids[1:] > ids[:-1])):
            raise ValueError("loan_id is not sorted and unique; build the tape with make_tape")

    def __len__(self) -> int:
        return int(self.columns["loan_id"].size)

    def __getitem__(self, name: str) -> Column:
        return self.columns[name]

    def once(self, name: str, make: Callable[[LoanTape], Found]) -> Found:
        """What follows from the tape alone: made when it is first asked for by its name, then kept."""
        if name not in self._made:
            self._made[name] = make(self)
        found: Found = self._made[name]
        return found

    def codes(self, name: str) -> Coded:
        """Distinct values of a column in ascending order, and the place of each loan's among them, int32[loan]."""
        return self.once(f"codes of {name}", lambda tape: _codes(tape.columns[name]))

    @property
    def opening_balance(self) -> float:
        """Unpaid principal of all loans, in currency, exact to the cent."""
        return balance_cents(self.columns["current_balance"]) / CENTS

    def same_loans(self, other: LoanTape) -> bool:
        """Whether both tapes hold the same loans, date and currency; their load reports may differ."""
        return (
            self.as_of == other.as_of
            and self.currency == other.currency
            and all(_same(column, other.columns[name]) for name, column in self.columns.items())
        )


def make_tape(
    columns: Mapping[str, Column], *, as_of: datetime.date, currency: str, report: LoadReport, consume: bool = False
) -> LoanTape:
    """Put columns into canonical order and dtype, and freeze them.

    Parameters
    ----------
    columns : Mapping of str to array[loan]
        One array a tape field, in any row order, with unique ids.
    as_of, currency, report
        See `LoanTape`.
    consume : bool
        The arrays are given up: `columns`, then a dict, is emptied, and what needs no change goes to the tape as it is,
        so that a large book does not lie in memory twice.
    """
    ids = columns["loan_id"]
    order = None if consume and bool(np.all(ids[1:] > ids[:-1])) else np.argsort(ids, kind="stable")
    frozen: dict[str, Column] = {}
    for name, tape_field in FIELDS.items():
        column = np.asarray(columns.pop(name) if consume and isinstance(columns, dict) else columns[name])
        ordered = column if order is None else column[order]
        column = np.ascontiguousarray(ordered.astype(KIND_DTYPES[tape_field.kind], copy=False))
        column.flags.writeable = False
        frozen[name] = column
    return LoanTape(MappingProxyType(frozen), as_of, currency, report)


def _codes(column: Column) -> Coded:
    starts = range(0, column.size, CODED_ROWS)
    parts = [np.unique(column[first : first + CODED_ROWS], return_inverse=True) for first in starts]
    found = np.unique(np.concatenate([column[:0], *(names for names, _ in parts)]))
    code = np.empty(column.size, np.int32)
    for first, (names, places) in zip(starts, parts, strict=True):
        code[first : first + places.size] = np.searchsorted(found, names)[places]
    for array in (found, code):
        array.flags.writeable = False
    return found, code


def vintages(tape: LoanTape) -> Coded:
    """Years of origination as text, and the place of each loan's among them."""

    def by_year(some: LoanTape) -> Coded:
        months, code = some.codes("origination_date")
        years, place = np.unique(months.astype("datetime64[Y]"), return_inverse=True)
        return years.astype(str), place.astype(np.int32)[code]

    return tape.once("vintages", by_year)


def part_of(tape: LoanTape, count: int) -> LoanTape:
    """So many of a tape's loans, spread evenly over it; the tape itself where it has no more."""
    if count >= len(tape):
        return tape
    places = np.linspace(0, len(tape), count, endpoint=False).astype(np.int64)
    columns = {name: column[places] for name, column in tape.columns.items()}
    for column in columns.values():
        column.flags.writeable = False  # as a tape's are: kernels are compiled for arrays that may be written, or not
    return LoanTape(MappingProxyType(columns), tape.as_of, tape.currency, tape.report)


def balance_cents(balances: NDArray[np.float64]) -> int:
    """Sum of amounts in whole cents, as a Python int: no rounding error however many there are."""
    cents = np.rint(balances * CENTS).astype(np.int64)
    largest = int(np.abs(cents).max(initial=0))
    return int(cents.sum()) if largest * cents.size < 1 << 63 else sum(cents.tolist())


def loan_age(tape: LoanTape) -> NDArray[np.int64]:
    """Months from the month of origination to the as-of month."""
    as_of = np.datetime64(tape.as_of, "M")
    age: NDArray[np.int64] = (as_of - tape.columns["origination_date"]).astype(np.int64)
    return age


def loan_to_value(tape: LoanTape) -> NDArray[np.float64]:
    """Amount financed over the car's value at origination, a fraction; not finite where no value is known."""
    # A file's value of 0 is refused at its door; a tape made in Python may carry one, and readers look for finite ones.
    with np.errstate(divide="ignore", over="ignore", invalid="ignore"):
        ratio: NDArray[np.float64] = tape.columns["original_balance"] / tape.columns["vehicle_value"]
    return ratio


def tape_to_arrays(tape: LoanTape) -> dict[str, Column]:
    """Plain arrays that any file format holds, from which `tape_from_arrays` rebuilds the tape exactly.

    Returns
    -------
    dict of str to array
        One array[loan] a field: floats, integers, text; dates as ISO text, flags as int8.  One
        more, without dimension, is named by `METADATA`.
    """
    arrays: dict[str, Column] = {}
    for name, column in tape.columns.items():
        if column.dtype.kind == "M":
            found, code = tape.codes(name)  # each date once: numpy makes texts of 28 characters of all of them
            arrays[name] = np.array(np.datetime_as_string(found).tolist(), dtype=str)[code]
        else:
            arrays[name] = column.astype(np.int8) if column.dtype.kind == "b" else column
    metadata = {"as_of": tape.as_of.isoformat(), "currency": tape.currency, "report": tape.report.to_dict()}
    arrays[METADATA] = np.array(json.dumps(metadata, ensure_ascii=False))
    return arrays


def tape_from_arrays(arrays: Mapping[str, Column]) -> LoanTape:
    """Rebuild a tape from the arrays of `tape_to_arrays`."""
    metadata = json.loads(str(np.asarray(arrays[METADATA]).item()))
    columns = {name: np.asarray(arrays[name]) for name in FIELDS}
    return make_tape(
        columns,
        as_of=datetime.date.fromisoformat(metadata["as_of"]),
        currency=metadata["currency"],
        report=LoadReport.from_dict(metadata["report"]),
    )


def _has_dtype(column: Column, expected: str) -> bool:
    return column.dtype.kind == "U" if expected == "U" else column.dtype == np.dtype(expected)


def _same(left: Column, right: Column) -> bool:
    return bool(np.array_equal(left, right, equal_nan=left.dtype.kind in "fM"))
