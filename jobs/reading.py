"""Reads CSV files in blocks of rows that know their physical lines."""

import codecs
import csv
import re
from collections.abc import Iterable, Iterator
from contextlib import suppress
from functools import cached_property
from itertools import accumulate, islice
from pathlib import Path
from typing import IO, Protocol

from jobs.mapping import FileFormat, MappingError
from jobs.rows import BadRow, Block, Census, Report, Row, RowFile

BLOCK_ROWS = 10_000
LINE_BREAK = re.compile("\r\n|\r|\n")
SURROGATE = re.compile("[\ud800-\udfff]")
# A quote that is never closed would otherwise swallow the rest of the file; the longest text we keep is 100,000.
LONGEST_CELL = 1_000_000
csv.field_size_limit(LONGEST_CELL)
UTF_16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
NO_CSV = {
    b"\x1f\x8b": "is compressed (gzip); unpack it first",
    b"PK\x03\x04": "is a spreadsheet (.xlsx) or another zip file and no CSV; save it as CSV, or unpack it",
    b"\xd0\xcf\x11\xe0": "is a spreadsheet (.xls) and no CSV; save it as CSV",
}


def _writing_of(path: Path) -> tuple[int, int, int] | None:
    """What is another after a file was written; None where there is no file that could be looked at."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_ino, found.st_size, found.st_mtime_ns


class _Reader(Iterable[Row], Protocol):
    @property
    def line_num(self) -> int: ...


class CsvFile(RowFile):
    """One file of an export. Its header is read at once; raises MappingError where that cannot be done.

    So does reading its rows where it has been written anew since then: another header may stand over them.
    """

    def __init__(self, path: Path, format_: FileFormat) -> None:
        self.path = path
        self._written = _writing_of(path)
        header, lines_before = _header(path, format_)
        super().__init__(path.name, header, format_, lines_before)

    @cached_property
    def census(self) -> Census:
        """About how many lines there are, and whether all of the file is text without NUL."""
        decoder = codecs.getincrementaldecoder(self.format.encoding)()
        lines, is_clean = 0, True
        with self.path.open("rb") as file:
            is_ended = False
            while not is_ended:
                data = file.read(1 << 20)
                is_ended = not data
                lines += data.count(b"\n")
                try:
                    is_clean = is_clean and "\0" not in decoder.decode(data, is_ended)
                except UnicodeDecodeError:
                    is_clean = False
        return Census(lines, is_clean)

    def blocks(self, report: Report) -> Iterator[Block]:
        """See ``RowFile.blocks``."""
        with _open(self.path, self.format) as file:
            self._skip_to_rows(file)
            rows = csv.reader(file, delimiter=self.format.delimiter, quotechar=self.format.quote, strict=True)
            yield from self._in_blocks(rows, report)

    def _skip_to_rows(self, file: IO[str]) -> None:
        for _ in range(self.lines_before):
            file.readline()

    def _in_blocks(self, reader: _Reader, report: Report) -> Iterator[Block]:
        before = self.lines_before
        rows: list[Row] = []
        lines: list[int] = []
        is_ended = False
        while not is_ended:
            first, start = before + reader.line_num + 1, len(rows)
            fault = None
            try:
                # The rows before one that cannot be read stay in the list.
                rows.extend(islice(reader, BLOCK_ROWS - start))
                is_ended = len(rows) < BLOCK_ROWS
            except csv.Error as error:
                fault = _fault(error)
            except UnicodeError as error:
                fault, is_ended = f"what follows is not {self.format.encoding}: {error}", True
            after = before + reader.line_num + 1
            if fault is None and after - first == len(rows) - start:
                lines.extend(range(first, after))
            else:
                *begun, line = accumulate((_lines_of(row) for row in rows[start:]), initial=first)
                lines.extend(begun)
                if fault is not None:
                    report(BadRow(self.name, line, "", fault))
            if is_ended or len(rows) == BLOCK_ROWS:
                if _writing_of(self.path) != self._written:
                    raise MappingError(f"{self.name}: was changed while it was read; import again when it is whole")
                yield self._checked(rows, lines, report)
                rows, lines = [], []

    def _checked(self, rows: list[Row], lines: list[int], report: Report) -> Block:
        """The rows that are as long as the header and, in a file that is not clean, hold nothing but text."""
        if self.census.is_clean and set(map(len, rows)) <= {len(self.header)}:
            return Block(rows, lines)
        kept = [(row, line) for row, line in zip(rows, lines, strict=True) if row and self._is_sound(row, line, report)]
        return Block([row for row, _ in kept], [line for _, line in kept])

    def _is_sound(self, row: Row, line: int, report: Report) -> bool:
        if len(row) != len(self.header):
            report(BadRow(self.name, line, "", f"has {len(row)} fields, the header has {len(self.header)}"))
            return False
        for column, cell in zip(self.header, row, strict=True):
            if "\0" in cell:
                report(BadRow(self.name, line, column, "holds a NUL character"))
                return False
            if SURROGATE.search(cell):
                report(BadRow(self.name, line, column, f"holds bytes that are not {self.format.encoding.removesuffix('-sig')}"))
                return False
        return True


def _lines_of(row: Row) -> int:
    """How many lines of a file the row takes."""
    return 1 + sum(len(LINE_BREAK.findall(cell)) for cell in row)


def _fault(error: csv.Error) -> str:
    if "field limit" in str(error):
        return f"has a cell of over {LONGEST_CELL:,} characters, or a quote that is never closed"
    return f"the quotes do not match: {error}"


def _open(path: Path, format_: FileFormat) -> IO[str]:
    try:
        file = path.open(encoding=format_.encoding, errors="surrogateescape", newline="")
    except OSError as error:
        raise MappingError(f"{path}: cannot be read: {error.strerror}") from error
    is_marked = False
    with suppress(UnicodeError):
        # Encodings that name their byte order, such as utf-16-le, leave the mark in the text.
        is_marked = file.read(1) == "\ufeff"
    if not is_marked:
        file.seek(0)
    return file


def _check_kind(path: Path, format_: FileFormat) -> None:
    """Raises MappingError for a file that begins as no CSV does, or none in that encoding."""
    with path.open("rb") as file:
        begins = file.read(4)
    for sign, what in NO_CSV.items():
        if begins.startswith(sign):
            raise MappingError(f"{path.name} {what}")
    # An UTF-32 mark begins like that of UTF-16.
    if begins.startswith(UTF_16) and not codecs.lookup(format_.encoding).name.startswith(("utf-16", "utf-32")):
        raise MappingError(f'{path.name} begins as UTF-16 does; say encoding = "utf-16"')


def _header(path: Path, format_: FileFormat) -> tuple[tuple[str, ...], int]:
    """The names of the columns, and how many lines are above the rows."""
    with _open(path, format_) as file:
        _check_kind(path, format_)
        reader = csv.reader(file, delimiter=format_.delimiter, quotechar=format_.quote)
        try:
            for _ in range(format_.skip_lines):
                file.readline()
            if format_.header:
                return format_.header, format_.skip_lines
            names = next((row for row in reader if row), [])
        except (csv.Error, UnicodeError) as error:
            raise MappingError(f"{path.name}: its header cannot be read: {error}") from error
    if not names:
        raise MappingError(f"{path.name}: is empty; it needs at least a header")
    return tuple(name.strip() for name in names), format_.skip_lines + reader.line_num
