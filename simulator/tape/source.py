"""Rows of a loan file as text, each with its place: CSV, the SEC's XML, both also gzipped, and Parquet.

Text files go through the standard library's `csv` in strict mode, not through duckdb: duckdb numbers
records, not lines (a line break inside quotes shifts every later number), gives sound rows no number
at all, and, reading serially, drops an unclosed quote with all rows behind it without a word (seen in
2.0.0).  Every line number that the load report prints comes from here.
"""

from __future__ import annotations

import codecs
import contextlib
import csv
import glob
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

from scenarios.errors import Fault, InputError
from simulator.tape.offline import connect_offline
from simulator.tape.opening import file_kind, opened
from simulator.tape.raw_table import RawTable, file_fault
from simulator.tape.report import CellFault, RejectedRow
from simulator.tape.xml_source import read_xml

if TYPE_CHECKING:
    from _csv import Reader

    import duckdb

BATCH: Final = 4096
"""Rows that are held as rows before their cells go to columns."""

CHUNK: Final = 1 << 16
"""Bytes that are decoded at a time."""

UTF16_MARKS: Final = (b"\xff\xfe", b"\xfe\xff")
FIRST_PRINTABLE: Final = 0x20
OTHER_DELIMITERS: Final = {";": ";", "\t": "tab", "|": "|"}
FLOATING: Final = ("DOUBLE", "FLOAT", "REAL")
PLAIN_TYPE: Final = re.compile(
    r"VARCHAR|BOOLEAN|DATE|TIMESTAMP(_\w+)?|UUID|ENUM\(.*\)|U?(TINY|SMALL|BIG|HUGE)INT|U?INTEGER|DECIMAL\(.*\)"
)


def read_raw(path: Path, wanted: Sequence[str], *, encoding: str = "utf-8", delimiter: str = ",") -> RawTable:
    """Read the wanted columns of a file as text.

    Parameters
    ----------
    path : Path
        CSV, XML (both also gzipped) or Parquet, told apart by content, not by name.
    wanted : Sequence of str
        Column names; those that the file lacks are left out, the caller decides what that means.
    encoding, delimiter : str
        Of text files.

    Raises
    ------
    InputError
        Missing, empty, binary or damaged file; a wanted column that occurs twice; an unclosed quote.
    """
    kind = file_kind(path)
    if kind == "parquet":
        return _read_parquet(path, wanted)
    with opened(path) as stream:
        if kind == "xml":
            return read_xml(path, stream, wanted)
        return _read_text(path, stream, wanted, encoding, delimiter)


def read_header(path: Path, *, encoding: str = "utf-8", delimiter: str = ",") -> tuple[str, ...]:
    """Names of the columns of a text table; of other kinds of file none."""
    if file_kind(path) != "text":
        return ()
    with opened(path) as stream:
        return _read_header(path, _reader(path, stream, encoding, delimiter), delimiter)


def settle_encoding(path: Path, encodings: Sequence[str]) -> str:
    """The first encoding in which a whole text file can be read; the last one if none can."""
    *others, last = encodings
    if not others or file_kind(path) != "text":
        return encodings[0]
    for encoding in others:
        decoder = codecs.getincrementaldecoder(encoding)()
        with opened(path) as stream, contextlib.suppress(UnicodeDecodeError):
            while chunk := stream.read(CHUNK):
                decoder.decode(chunk)
            decoder.decode(b"", final=True)
            return encoding
    return last


def _reader(path: Path, stream: Iterable[bytes], encoding: str, delimiter: str) -> Reader:
    return csv.reader(_decoded_lines(path, stream, encoding), delimiter=delimiter, strict=True)


def _read_text(path: Path, stream: Iterable[bytes], wanted: Sequence[str], encoding: str, delimiter: str) -> RawTable:
    reader = _reader(path, stream, encoding, delimiter)
    header = _read_header(path, reader, delimiter)
    positions = _positions(path, header, wanted)
    columns: dict[str, list[str]] = {name: [] for name in positions}
    lines: list[int] = []
    ragged: list[RejectedRow] = []
    batch: list[list[str]] = []
    # Equal texts share one object: most columns hold few distinct ones.
    pool: dict[str, str] = {}
    while True:
        line = reader.line_num + 1
        try:
            row = next(reader, None)
        except csv.Error as error:
            ragged.append(_unsplittable(path, line, reader.line_num, error))
            continue
        if row is None or len(batch) == BATCH:
            _take(batch, positions, columns, pool)
            batch.clear()
        if row is None:
            return RawTable(header, columns, lines, tuple(ragged))
        if len(row) == len(header):
            lines.append(line)
            batch.append(row)
        elif row:  # a blank line is no row
            ragged.append(_ragged((line, reader.line_num), len(row), len(header)))


def _take(
    batch: list[list[str]], positions: Mapping[str, int], columns: Mapping[str, list[str]], pool: dict[str, str]
) -> None:
    """Move the wanted cells of some rows to their columns."""
    if not batch:
        return
    by_position = list(zip(*batch, strict=True))
    for name, position in positions.items():
        columns[name] += [pool.setdefault(cell, cell) for cell in map(str.strip, by_position[position])]


def _decoded_lines(path: Path, stream: Iterable[bytes], encoding: str) -> Iterator[str]:
    """Lines as text, refusing at the first one that is not."""
    for number, raw in enumerate(stream, start=1):
        if number == 1 and raw.startswith(UTF16_MARKS):
            raise file_fault(path, "text in UTF-16", f"text in {encoding}", "Save the file as CSV UTF-8.", line=1)
        if b"\0" in raw:
            raise file_fault(
                path, "a NUL byte: binary data", "a text, gzip or Parquet file", "Export as CSV.", line=number
            )
        try:
            text = raw.decode(encoding)
        except UnicodeDecodeError as error:
            found = f"byte 0x{raw[error.start]:02x} that is not {encoding}"
            remedy = "Save the file as UTF-8, or state `encoding` in the mapping."
            raise file_fault(path, found, f"text in {encoding}", remedy, line=number) from error
        yield text.removeprefix("\ufeff") if number == 1 else text


def _read_header(path: Path, reader: Iterator[list[str]], delimiter: str) -> tuple[str, ...]:
    try:
        row = next((row for row in reader if any(cell.strip() for cell in row)), None)
    except csv.Error as error:
        raise file_fault(
            path, f"a header that cannot be split ({error})", "one line of column names", line=1
        ) from error
    if row is None:
        raise file_fault(path, "nothing but blank lines", "a header and at least one loan")
    if any(ord(character) < FIRST_PRINTABLE and character != "\t" for cell in row for character in cell):
        raise file_fault(path, "control characters: binary data", "one line of column names", "Export as CSV.", line=1)
    if len(row) == 1:
        for mark, name in OTHER_DELIMITERS.items():
            if mark in row[0] and mark != delimiter:
                remedy = f"State `delimiter` in a mapping: the cells seem to be separated by {name}."
                raise file_fault(path, "one single column", "columns separated by a comma", remedy, line=1)
    return tuple(cell.strip() for cell in row)


def _positions(path: Path, header: tuple[str, ...], wanted: Sequence[str]) -> dict[str, int]:
    """Where each wanted column stands."""
    counts = Counter(header)
    twice = [name for name in wanted if counts[name] > 1]
    if twice:
        raise InputError(
            Fault(f"{path}:1: {name}", f"{counts[name]} columns of this name", "one", "Rename or remove the others.")
            for name in twice
        )
    return {name: header.index(name) for name in wanted if name in counts}


def _ragged(lines: tuple[int, int], found: int, expected: int) -> RejectedRow:
    """A row with too many or too few cells: which value belongs to which column is unknown."""
    first, last = lines
    where = f"a row of {found} cells" + (f" that runs on to line {last}" if last > first else "")
    remedy = "A cell that holds the separator needs quotes." if found > expected else "Cells are missing."
    return RejectedRow(first, "", (CellFault("", where, f"{expected} cells, as the header has", remedy),), None)


def _unsplittable(path: Path, line: int, last_line: int, error: csv.Error) -> RejectedRow:
    """A row with a stray quote; an unclosed quote swallows all rows behind it, so that one is fatal."""
    if last_line > line or "end of data" in str(error) or "limit" in str(error):
        raise file_fault(
            path, "a quote that is not closed", "a closing quote", "Close it, or double a quote inside text.", line=line
        ) from error
    fault = CellFault("", f"a row that cannot be split ({error})", "quotes around whole cells only")
    return RejectedRow(line, "", (fault,), None)


def _read_parquet(path: Path, wanted: Sequence[str]) -> RawTable:
    import duckdb  # 0.2 s, and only Parquet needs it

    # duckdb takes a path as a pattern.
    pattern = glob.escape(str(path))
    try:
        with connect_offline() as connection:
            described = connection.execute("DESCRIBE SELECT * FROM read_parquet(?)", [pattern]).fetchall()
            types = {str(name): str(kind) for name, kind, *_ in described}
            found = [name for name in wanted if name in types]
            _refuse_types(path, {name: types[name] for name in found})
            cells = [_parquet_column(connection, pattern, name, types[name]) for name in found]
    except duckdb.Error as error:
        raise file_fault(
            path, f"damaged Parquet ({error})", "a readable Parquet file", "Export the file again."
        ) from error
    count = len(cells[0]) if cells else 0
    floating = frozenset(name for name in found if types[name] in FLOATING)
    return RawTable(
        tuple(types),
        dict(zip(found, cells, strict=True)),
        range(1, count + 1),
        floating=floating,
        is_text=False,
        position="row",
    )


def _refuse_types(path: Path, types: Mapping[str, str]) -> None:
    faults = [
        Fault(f"{path}: {name}", f"type {kind}", "text, a number, a date or true/false", "Export it as text.")
        for name, kind in types.items()
        if kind not in FLOATING and not PLAIN_TYPE.fullmatch(kind)
    ]
    if faults:
        raise InputError(faults)


def _parquet_column(connection: duckdb.DuckDBPyConnection, pattern: str, name: str, kind: str) -> list[str]:
    """A column as text; duckdb writes floating point in the shortest form that reads back equal."""
    quoted = '"' + name.replace('"', '""') + '"'
    # A time of day, always midnight in exports, would spoil the date's text.
    value = f"CAST({quoted} AS DATE)" if kind.startswith("TIMESTAMP") else quoted
    query = f"SELECT COALESCE(CAST({value} AS VARCHAR), '') AS cell FROM read_parquet(?)"  # noqa: S608 - name is quoted
    column = connection.execute(query, [pattern]).fetchnumpy()["cell"]
    pool: dict[str, str] = {}
    return [pool.setdefault(cell, cell) for cell in map(str.strip, column.tolist())]
