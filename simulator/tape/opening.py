"""Loan files as bytes: what kind they are, by content and not by name, and opened, unzipped where need be."""

from __future__ import annotations

import contextlib
import gzip
import io
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Final, Literal

from simulator.tape.raw_table import file_fault

ByteStream = gzip.GzipFile | io.BufferedReader
FileKind = Literal["text", "xml", "parquet"]

GZIP_MAGIC: Final = b"\x1f\x8b"
PARQUET_MAGIC: Final = b"PAR1"
BYTE_ORDER_MARK: Final = b"\xef\xbb\xbf"
PEEK: Final = 512
"""Bytes that tell the kind of a file: XML may begin with a mark and blank lines."""


def file_kind(path: Path) -> FileKind:
    """What a file holds.

    Raises
    ------
    InputError
        It is missing, empty, a folder, may not be read, or is damaged gzip.
    """
    start = _first_bytes(path)
    if not start:
        raise file_fault(path, "an empty file", "a header and at least one loan")
    if start == PARQUET_MAGIC:
        return "parquet"
    with opened(path) as stream:
        text = stream.read(PEEK).removeprefix(BYTE_ORDER_MARK).lstrip()
    # No header of a table begins with a bracket that opens a tag.
    return "xml" if text.startswith(b"<") else "text"


@contextlib.contextmanager
def opened(path: Path) -> Iterator[ByteStream]:
    """The file's bytes, unzipped as they are read.

    Raises
    ------
    InputError
        While it is read: damaged gzip data.
    """
    try:
        with gzip.open(path) if _first_bytes(path)[:2] == GZIP_MAGIC else path.open("rb") as stream:
            yield stream
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        found = f"damaged gzip data ({error})"
        raise file_fault(path, found, "a complete gzip file", "Copy the file again.") from error


def _first_bytes(path: Path) -> bytes:
    expected = "a CSV, XML, gzipped or Parquet file"
    try:
        if path.exists() and not path.is_file():
            raise file_fault(path, "a folder or a device", expected, "Name the file itself.")
        with path.open("rb") as stream:
            return stream.read(len(PARQUET_MAGIC))
    except OSError as error:
        found = f"the file cannot be opened ({(error.strerror or str(error)).lower()})"
        raise file_fault(path, found, expected, "Check the path.") from None
