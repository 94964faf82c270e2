"""Rows of an SEC asset-level filing (Form ABS-EE, Exhibit 102): XML, read as a stream.

A filing holds 20,000 to 90,000 loans in 100 to 350 MB, often on one line.  Expat reports elements as it meets
them; no tree is built, and a record's text is let go once its wanted elements are in their columns.  So memory
follows the number of loans, not the size of the file.

Nothing that XML can do beyond elements and text is let in: a document type, and with it every entity of its own,
is refused, and so are single texts, tags and comments without end.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final, NoReturn
from xml.parsers import expat

from scenarios.counted import counted
from simulator.tape.opening import ByteStream
from simulator.tape.raw_table import RawTable, file_fault
from simulator.tape.report import CellFault

AUTO_LOANS: Final = "http://www.sec.gov/edgar/document/absee/autoloan/assetdata"
"""Namespace of auto loans in the SEC's schema; other classes of assets have their own."""

REPEATABLE: Final = frozenset(
    {"subvented", "zeroBalanceCode", "modificationTypeCode", "repurchaseReplacementReasonCode"}
)
"""Elements that the SEC's schema lets a record hold more than once (maxOccurs unbounded)."""

JOINED_WITH: Final = ";"
"""What stands between the values of a repeated element in its one cell."""

CHUNK: Final = 1 << 16
LONGEST_MARKUP: Final = 1 << 20
"""Bytes within which the parser must meet something: a tag or comment that is longer only eats memory."""

LONGEST_VALUE: Final = 10_000
"""Characters of one element; the schema's longest type has 100."""

MOST_ELEMENTS: Final = 1_000
"""Elements of one record, and names of elements in a file; the schema has 72."""

ROOT, RECORD, LEAF = 1, 2, 3


def read_xml(path: Path, stream: ByteStream, wanted: Sequence[str]) -> RawTable:
    """Read the wanted elements of all records as text.

    Parameters
    ----------
    path : Path
        For errors.
    stream : binary file
        The XML's bytes.
    wanted : Sequence of str
        Element names; those that no record has are left out, the caller decides what that means.

    Raises
    ------
    InputError
        Damaged XML, a document type or entity, another root, nested elements, or text, markup or records beyond
        all that a filing holds.
    """
    records = _Records(path, wanted)
    while chunk := stream.read(CHUNK):
        records.feed(chunk)
    records.finish()
    return records.table()


class _Records:
    """Expat's handlers, and what they have gathered."""

    def __init__(self, path: Path, wanted: Sequence[str]) -> None:
        self.path = path
        self.columns: dict[str, list[str]] = {name: [] for name in wanted}
        self.seen: dict[str, None] = {}
        self.lines: list[int] = []
        self.faults: dict[int, list[CellFault]] = {}
        # Equal texts share one object: most elements hold few distinct ones.
        self.pool: dict[str, str] = {}
        self.depth = 0
        self.record: dict[str, list[str]] = {}
        self.elements = 0
        self.leaf = ""
        self.parts: list[str] | None = None
        self.length = 0
        # Bytes since the parser last met something.
        self.silent = 0
        self.parser = self._parser()

    def _parser(self) -> expat.XMLParserType:
        parser = expat.ParserCreate(namespace_separator=" ")
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        parser.CharacterDataHandler = self._text
        parser.StartDoctypeDeclHandler = self._doctype
        parser.EntityDeclHandler = self._doctype
        parser.DefaultHandler = self._other
        return parser

    def feed(self, chunk: bytes) -> None:
        """Parse the next bytes."""
        self.silent += len(chunk)
        self._parse(chunk, final=False)
        if self.silent > LONGEST_MARKUP:
            self._refuse(f"a tag or comment of more than {LONGEST_MARKUP:,} bytes", "tags and short texts")

    def finish(self) -> None:
        """Tell the parser that nothing follows."""
        self._parse(b"", final=True)
        if not self.lines:
            raise file_fault(self.path, "an XML filing without loans", "at least one <assets>")

    def _parse(self, chunk: bytes, *, final: bool) -> None:
        remedy = "Download the filing again."
        try:
            self.parser.Parse(chunk, final)
        except expat.ExpatError as error:
            found = f"damaged XML ({expat.ErrorString(error.code)}, column {error.offset + 1})"
            raise file_fault(self.path, found, "well-formed XML", remedy, line=error.lineno) from error
        except (LookupError, ValueError) as error:
            raise file_fault(self.path, f"XML in an encoding that cannot be read ({error})", "UTF-8", remedy) from error

    def _start(self, name: str, _attributes: dict[str, str]) -> None:
        namespace, _, local = name.rpartition(" ")
        self.silent = 0
        self.depth += 1
        if self.depth == LEAF:
            self._start_leaf(local)
        elif self.depth == RECORD:
            if local != "assets":
                self._refuse(f"<{local}> beside the loans", "one <assets> a loan")
            self.lines.append(self.parser.CurrentLineNumber)
            self.elements = 0
        elif self.depth == ROOT:
            if local != "assetData" or namespace not in ("", AUTO_LOANS):
                found = f"<{local}>" + (f" of {namespace}" if namespace else "")
                remedy = "The exhibit is the largest .xml of the filing whose name lacks 103."
                self._refuse(found, f"<assetData> of {AUTO_LOANS}", remedy)
        else:
            self._refuse(f"<{local}> inside <{self.leaf}>", "elements that hold text only")

    def _start_leaf(self, name: str) -> None:
        self.elements += 1
        if self.elements > MOST_ELEMENTS:
            self._refuse(f"a loan of more than {counted(MOST_ELEMENTS, 'element')}", "the schema's 72")
        if name not in self.seen:
            if len(self.seen) == MOST_ELEMENTS:
                self._refuse(f"more than {MOST_ELEMENTS:,} names of elements", "the schema's 72")
            self.seen[name] = None
        self.leaf, self.length = name, 0
        self.parts = [] if name in self.columns else None

    def _text(self, text: str) -> None:
        self.silent = 0
        if self.depth != LEAF:
            if not text.isspace():
                self._refuse("text between elements", "text within the elements of a loan only")
            return
        self.length += len(text)
        if self.length > LONGEST_VALUE:
            self._refuse(f"<{self.leaf}> with more than {LONGEST_VALUE:,} characters", "at most 100 characters")
        if self.parts is not None:
            self.parts.append(text)

    def _other(self, _markup: str) -> None:
        self.silent = 0

    def _end(self, _name: str) -> None:
        self.silent = 0
        if self.depth == LEAF and self.parts is not None:
            value = "".join(self.parts).strip()
            self.record.setdefault(self.leaf, []).append(self.pool.setdefault(value, value))
        elif self.depth == RECORD:
            self._end_record()
        self.depth -= 1

    def _end_record(self) -> None:
        row = len(self.lines) - 1
        for name, column in self.columns.items():
            values = self.record.get(name, [])
            distinct = [value for value in dict.fromkeys(values) if value]
            column.append(distinct[0] if len(distinct) == 1 else JOINED_WITH.join(distinct))
            if len(values) > 1 and name not in REPEATABLE:
                found = f"{len(values)} elements: {', '.join(repr(value[:40]) for value in values[:3])}"
                self.faults.setdefault(row, []).append(CellFault(name, found, "one"))
        self.record.clear()

    def _doctype(self, name: str, *_: object) -> None:
        remedy = "A filing has none, and what they pull in is not read. Download the filing again."
        self._refuse(f"a document type or entity ({name})", "XML without <!DOCTYPE and <!ENTITY", remedy)

    def _refuse(self, found: str, expected: str, remedy: str = "Is it an EX-102 of auto loans?") -> NoReturn:
        raise file_fault(self.path, found, expected, remedy, line=self.parser.CurrentLineNumber)

    def table(self) -> RawTable:
        """All records, by line, or by number where they share lines."""
        shared = len(self.lines) > len(set(self.lines))
        note = "Records share lines in this XML: they are named by number, the first <assets> being record 1."
        return RawTable(
            header=tuple(self.seen),
            columns={name: column for name, column in self.columns.items() if name in self.seen},
            lines=range(1, len(self.lines) + 1) if shared else self.lines,
            faults=self.faults,
            is_text=False,
            position="record" if shared else "line",
            notes=(note,) if shared else (),
        )
