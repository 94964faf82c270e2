"""How a lender's file maps to the canonical tape: columns, units, dates, codes, in a YAML file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Final, Literal, Self

from pydantic import (
    BeforeValidator,
    Field,
    ValidationInfo,
    create_model,
    field_validator,
    model_validator,
)

from scenarios.errors import Fault, InputError
from scenarios.file_spec import FileSpec
from scenarios.load import spec_from_text
from scenarios.shelf import Shelf
from scenarios.spec import Spec
from scenarios.tape_fields import TAPE_FIELDS, FieldKind, TapeField
from simulator.tape.dates import form_pattern
from simulator.tape.tape import FIELDS
from simulator.tape.watch import CellTest, Watch
from simulator.tape.yaml_values import Codes, Conditions, Text, Texts

CANONICAL: Final = "canonical"
MAPPINGS: Final = Shelf("tape mapping", "simulator.tape", "mappings", also=(CANONICAL,))

Unit = Literal[
    "fraction", "percent", "guess", "units", "cents", "thousands", "ten_thousands", "millions", "months", "years",
    "per_year", "kilometres", "miles",
]  # fmt: skip

UNITS_OF_KIND: Final[dict[FieldKind, tuple[str, ...]]] = {
    "fraction": ("fraction", "percent", "guess"),
    "money": ("units", "cents", "thousands", "ten_thousands", "millions"),
    "months": ("months", "years"),
}
"""Units that a field may be given in; the first is what an absent `unit` means. Other kinds have none."""

UNITS_OF_FIELD: Final[dict[str, tuple[str, ...]]] = {
    "income": (*UNITS_OF_KIND["money"], "per_year"),
    "mileage": ("kilometres", "ten_thousands", "miles"),
}
"""Units of fields that have more than their kind, or others."""


def units_of(field: TapeField) -> tuple[str, ...]:
    """Units that a field may be given in; none where it has no unit."""
    return UNITS_OF_FIELD.get(field.name) or UNITS_OF_KIND.get(field.kind, ())


Encoding = Literal["utf-8", "gb18030", "latin-1"]
Delimiter = Literal[",", ";", "|", "\t"]


def _as_encodings(value: object) -> object:
    """One encoding or a list of them as a tuple."""
    return tuple(value) if isinstance(value, list | tuple) else (value,)


Encodings = Annotated[tuple[Encoding, ...], BeforeValidator(_as_encodings), Field(min_length=1)]


class FieldMapping(Spec):
    """Where one canonical field comes from, and how it is written there."""

    column: str | None = None
    """Name of the source column, as its header has it."""
    aliases: Texts = ()
    """Other names of the column; the first name that the file has is read."""
    columns: tuple[str, ...] | None = None
    """Several source columns joined with `separator`, for an id that one column does not hold. Text only."""
    separator: str = "-"
    """What stands between the joined columns."""
    constant: Text | None = None
    """One value for all rows, in canonical units and codes (dates as 2024-12-31)."""
    unit: Unit | None = None
    """fraction, percent or guess (by the column's median, reported); units, cents, thousands,
    ten_thousands or millions of currency; months or years. Of an income also per_year; of a mileage
    kilometres, ten_thousands of them, or miles. Absent: fraction, units, months, kilometres."""
    guess_by: str | None = None
    """A column, as the originator's name, whose values are guessed apart where `unit` is guess: issuers differ."""
    months_from: str | None = None
    """A column with an earlier date, for a field in months whose own column holds a later one: the field is the
    number of monthly dates after the one up to the other."""
    only_where: Conditions | None = None
    """Column -> cells beside which this field's cell counts; elsewhere it is not stated, which the load report
    counts. A column that the file lacks sets no condition."""
    true_where: tuple[CellTest, ...] = ()
    """For flags: tests of other columns, each of which makes the flag true whatever its own column says. The flag
    may have no column of its own; it is then false where one of these is stated and no test is met."""
    date_format: Texts | None = None
    """How dates are written: YYYY, MM (or M), DD (or D) and separators, as MM/YYYY. Several may be listed.
    Absent: YYYY-MM-DD, for months also YYYY-MM."""
    codes: Codes | None = None
    """Source code -> canonical value. A code that is not listed rejects its row."""
    missing_values: Texts = ()
    """Further cells of this column that mean "not stated"; numbers are compared as numbers."""
    unreadable: Literal["reject", "missing"] = "reject"
    """What a cell that cannot be read does: reject its row, or count as not stated (optional fields only)."""
    default: Text | None = None
    """Canonical value of cells that are not stated; absent: the field's own default, if it has one."""

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        given = [name for name in ("column", "columns", "constant") if getattr(self, name) is not None]
        if len(given) != 1 and not (self.true_where and not given):
            raise ValueError(f"{' and '.join(given) or 'no source'} given; expected one of column, columns, constant")
        if self.true_where and self.constant is not None:
            raise ValueError("true_where goes with column or alone; a constant needs no test")
        if self.guess_by is not None and self.unit != "guess":
            raise ValueError("guess_by goes with unit: guess")
        if self.column is None and (self.aliases or self.months_from):
            raise ValueError("aliases and months_from go with column")
        return self

    @property
    def source_columns(self) -> tuple[str, ...]:
        """Columns that the field cannot do without; none for a constant."""
        if self.column is not None:
            return (self.column,) if self.months_from is None else (self.column, self.months_from)
        return self.columns or ()

    @property
    def beside(self) -> tuple[str, ...]:
        """Columns that tell how the field's own is to be read, where the file has them."""
        tested = (test.column for test in self.true_where)
        return (*(self.only_where or ()), *((self.guess_by,) if self.guess_by else ()), *tested)

    @property
    def label(self) -> str:
        """The source as errors name it."""
        tested = "+".join(dict.fromkeys(test.column for test in self.true_where))
        return self.column or "+".join(self.source_columns) or tested or "constant"


class _FieldMappingsBase(Spec):
    """Checks that hold for the mapping of any field."""

    @field_validator("*", mode="after")
    @classmethod
    def _fits_the_field(cls, value: FieldMapping | None, info: ValidationInfo) -> FieldMapping | None:
        if value is None or info.field_name is None:
            return value
        field = FIELDS[info.field_name]
        allowed = units_of(field)
        if value.unit is not None and value.unit not in allowed:
            raise ValueError(f"unit {value.unit} does not fit; expected {' or '.join(allowed) or 'no unit'}")
        if value.columns is not None and field.kind != "text":
            raise ValueError("columns joins texts; expected column, since this field is not text")
        if value.true_where and field.kind != "flag":
            raise ValueError("true_where is for flags; this field is none")
        if value.months_from is not None and (field.kind != "months" or value.unit is not None):
            raise ValueError("months_from is for fields in months, without unit")
        if value.date_format is not None and field.kind not in ("date", "month") and value.months_from is None:
            raise ValueError("date_format is for dates; this field is none")
        if value.unreadable == "missing" and field.required:
            raise ValueError("unreadable: missing is for optional fields; this one is required")
        for form in value.date_format or ():
            form_pattern(form)
        return value


def _field_mappings() -> type[_FieldMappingsBase]:
    """A spec with one optional key a canonical field, so that a misspelt field is an unknown key."""
    keys: dict[str, Any] = {
        field.name: (FieldMapping | None, Field(default=None, description=field.long_name)) for field in TAPE_FIELDS
    }
    return create_model("FieldMappings", __base__=_FieldMappingsBase, **keys)


FieldMappings = _field_mappings()


class TapeMapping(FileSpec):
    """A mapping file: `kind: tape_mapping`."""

    kind: Literal["tape_mapping"]
    """What this file is."""
    name: str
    """Name in reports."""
    title: str = ""
    """One line for people."""
    source: str = ""
    """Where the layout is documented."""
    extends: str | None = None
    """A shipped mapping (canonical, reg_ab) or a path relative to this file. Keys given here replace the
    base's; under `fields` a field given here replaces the base's field as a whole."""
    currency: Annotated[str, Field(pattern=r"^[A-Z]{3}$")] | None = None
    """ISO 4217 code of all amounts. Absent: USD, which the load report says."""
    currency_column: str | None = None
    """A column that states the currency on every row; rows must agree."""
    encoding: Encodings | None = None
    """Characters of a text file; of several, the first in which the whole file can be read. Absent: utf-8."""
    delimiter: Delimiter | None = None
    """What separates cells of a text file. Absent: a comma."""
    missing_values: Texts | None = None
    """Cells that mean "not stated" in every column, beside the empty cell."""
    no_data: Codes | None = None
    """Cells that say why nothing is stated: text -> reason; one that ends in a hyphen stands for all that begin with
    it. The load report counts them by field and code."""
    header_units: dict[str, Unit] | None = None
    """Unit in brackets behind a column's name -> unit: with `{万元: ten_thousands}` a column 贷款金额(万元) is 贷款金额
    in ten thousands. Full-width brackets count as plain ones."""
    watch: tuple[Watch, ...] | None = None
    """Oddities in columns for which the tape has no field; the load report counts them. Replaces the base's."""
    fields: FieldMappings = Field(default_factory=FieldMappings)  # type: ignore[valid-type]  # made by create_model
    """Canonical field -> its source."""
    later_fields: dict[str, FieldMapping] = Field(default_factory=dict)
    """Sources of fields that a version's tape may lack: read where it has the field, as if under `fields`."""
    vehicle_by_make: Codes | None = None
    """Make -> vehicle segment, for makes that build one kind only; wins over the vehicle's code."""


@dataclass(frozen=True, slots=True)
class Layout:
    """A mapping with all bases applied: what the reader works with."""

    name: str
    fields: Mapping[str, FieldMapping]
    currency: str | None = None
    currency_column: str | None = None
    encodings: tuple[str, ...] = ("utf-8",)
    delimiter: str = ","
    missing_values: frozenset[str] = frozenset()
    no_data: Mapping[str, str] | None = None
    header_units: Mapping[str, str] | None = None
    watch: tuple[Watch, ...] = ()
    vehicle_by_make: Mapping[str, str] | None = None
    unescape: bool = False
    """Undo `write_tape`'s guard against formulas in text cells."""
    files: tuple[Path, ...] = ()
    """Files that it was read from: its own, and those that it extends; shipped ones are none."""

    @property
    def source_columns(self) -> tuple[str, ...]:
        """All columns that the layout reads, once each."""
        names = [column for field in self.fields.values() for column in field.source_columns]
        names += [column for field in self.fields.values() for column in field.beside]
        names += [watch.column for watch in self.watch]
        return tuple(dict.fromkeys([*names, *([self.currency_column] if self.currency_column else [])]))


def mapping_names() -> tuple[str, ...]:
    """Names of the mappings that need no path."""
    return MAPPINGS.names


@cache
def canonical_layout() -> Layout:
    """The identity: columns named as the canonical fields, canonical units, ISO dates."""
    fields = {field.name: FieldMapping(column=field.name) for field in TAPE_FIELDS}
    return Layout(CANONICAL, fields, currency_column="currency", unescape=True)


def load_layout(source: str | Path, where: str = "mapping") -> Layout:
    """Layout of a shipped mapping, or of a mapping file with all that it extends.

    Parameters
    ----------
    source : str or Path
        `canonical`, the name of a shipped mapping, or a path of a YAML file.
    where : str, optional
        Who refers to it, for errors.

    Raises
    ------
    InputError
        The file or one of its bases is missing, faulty, or extends itself.
    """
    return _load(source, None, (), where)


def _load(source: str | Path, folder: Path | None, chain: tuple[str, ...], where: str) -> Layout:
    if source == CANONICAL:
        return canonical_layout()
    found = MAPPINGS.find(source, folder, where)
    if found.identity in chain:
        circle = " -> ".join(Path(item).name for item in (*chain, found.identity))
        raise InputError(Fault(where, f"extends itself ({circle})", "a chain that ends", "Remove one `extends`."))
    spec = spec_from_text(found.text, found.name, TapeMapping, found.folder)
    base = Layout("", {})
    if spec.extends is not None:
        base = _load(spec.extends, found.folder, (*chain, found.identity), spec.where("extends"))
    return replace(layout_of(spec, base), files=(*found.files, *base.files))


def layout_of(spec: TapeMapping, base: Layout) -> Layout:
    """Apply a mapping's keys on top of its base (an empty layout where it has none)."""
    given = {field.name: getattr(spec.fields, field.name) for field in TAPE_FIELDS}
    known = {name: field for name, field in spec.later_fields.items() if name in FIELDS}
    fields = {**base.fields, **known, **{name: field for name, field in given.items() if field is not None}}
    unmapped = [field.name for field in TAPE_FIELDS if field.required and field.name not in fields]
    if unmapped:
        raise InputError(
            Fault(
                spec.where("fields"),
                f"no source for {', '.join(unmapped)}",
                "every required field mapped",
                "Add `FIELD: {column: NAME}` or `FIELD: {constant: VALUE}`, or extend a mapping that has them.",
            )
        )
    own_missing = None if spec.missing_values is None else frozenset(spec.missing_values)
    return Layout(
        name=f"{spec.name} on {base.name}" if base.name else spec.name,
        fields={name: fields[name] for name in FIELDS if name in fields},
        currency=spec.currency or base.currency,
        currency_column=spec.currency_column or (None if spec.currency else base.currency_column),
        encodings=spec.encoding or base.encodings,
        delimiter=spec.delimiter or base.delimiter,
        missing_values=base.missing_values if own_missing is None else own_missing,
        no_data=base.no_data if spec.no_data is None else spec.no_data,
        header_units=base.header_units if spec.header_units is None else spec.header_units,
        watch=base.watch if spec.watch is None else spec.watch,
        vehicle_by_make=base.vehicle_by_make if spec.vehicle_by_make is None else spec.vehicle_by_make,
        unescape=base.unescape,
    )
