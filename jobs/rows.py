"""Rows with a header, from wherever they come, in blocks that know on which line each row begins."""

import re
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches

from jobs.mapping import FileFormat, MappingError

Row = list[str]
# How much alike a name must be to be a misspelling that is refused where it is not needed. Below are pairs that exports have
# side by side: company_name and company_id, updated_at and created_at, leads.csv and deals.csv (0.78).
MISSPELT = 0.8
# And how much each word of one must be like that of the other: close_date is like closed_at (0.84), but date is not like at.
SAME_WORD = 0.7
WORD = re.compile(r"[^\W_]+")


@dataclass(frozen=True, slots=True)
class BadRow:
    """A row that cannot be imported: where it is and why. ``column`` is "" where none is to blame, ``line`` 0 likewise.

    ``unit`` says what ``line`` counts: rows that a mapping writes out are not on lines of their own.
    """

    file: str
    line: int
    column: str
    reason: str
    unit: str = "line"

    def __str__(self) -> str:
        place = f"{self.file}, {self.unit} {self.line}" if self.line else self.file
        return printable(f"{place}, {self.column}: {self.reason}" if self.column else f"{place}: {self.reason}")


Report = Callable[[BadRow], None]


def printable(text: str) -> str:
    """The text as one line that any terminal can show: what it could not, or should not, is escaped."""
    return text if text.isprintable() else "".join(each if each.isprintable() else repr(each)[1:-1] for each in text)


def misspelling(name: str, names: Iterable[str]) -> str | None:
    """Which of the names is the wanted one but for case, or else much like it; None where none is."""
    folded = {each.casefold(): each for each in names}
    near = get_close_matches(name.casefold(), folded, 3, MISSPELT)
    return next((folded[each] for each in near if _has_the_words_of(each, name.casefold())), None)


def _has_the_words_of(name: str, wanted: str) -> bool:
    """False where both have as many words and one of them is another word."""
    words, others = WORD.findall(name), WORD.findall(wanted)
    return len(words) != len(others) or all(map(_is_much_like, words, others))


def _is_much_like(word: str, other: str) -> bool:
    return bool(get_close_matches(word, [other], 1, SAME_WORD))


@dataclass(frozen=True, slots=True)
class Block:
    """Some rows, all as long as their header, and the line on which each begins."""

    rows: list[Row]
    lines: list[int]


@dataclass(frozen=True, slots=True)
class Census:
    """What one quick look through a file tells: about how many lines, and whether all of it can be read as text."""

    lines: int
    is_clean: bool


class RowFile(ABC):
    """Something with a name, a header and rows; ``lines_before`` the first row, the header among them."""

    unit = "line"

    def __init__(self, name: str, header: Sequence[str], format_: FileFormat, lines_before: int = 0) -> None:
        self.name = name
        self.header = tuple(header)
        self.format = format_
        self.lines_before = lines_before
        self._places = {column: place for place, column in enumerate(self.header)}
        self._asked: set[str] = set()  # the columns that somebody wants, there or not
        self._twice = {column for column, times in Counter(self.header).items() if times > 1}

    def has(self, column: str) -> bool:
        """Whether the header names that column."""
        self._asked.add(column)
        return column in self._places

    def place(self, column: str) -> int:
        """Where the column is, from 0. Raises MappingError for a column that is not there, or there twice."""
        self._asked.add(column)
        if column in self._twice:
            instead = f'say header = [...] and skip_lines = {self.lines_before} under [files."{self.name}"]'
            raise MappingError(f"{self.name}: the header names {column!r} twice; {instead}")
        if column in self._places:
            return self._places[column]
        raise MappingError(self._absence(column))

    def _absence(self, column: str) -> str:
        near = get_close_matches(column, self.header, 1, 0.7)
        hint = f"did you mean {near[0]!r}?" if near else f"its columns are {printable(', '.join(self.header))}"
        if len(self.header) == 1 and (signs := [sign for sign in ";\t|," if sign in self.header[0]]):
            hint = f"its header is {self.header[0]!r}: is the delimiter {signs[0]!r}?"
        return f"{self.name} has no column {column!r}; {hint}"

    def unused(self) -> list[str]:
        """The columns that nobody has asked for, in the order of the header."""
        return [column for column in self._places if column and column not in self._asked]

    def misspelt(self) -> list[str]:
        """A line for each column that may be absent but seems to be there under another name, or only has ``values``."""
        absent = [column for column in sorted(self._asked) if column not in self._places]
        near = [(column, misspelling(column, self.unused())) for column in absent]
        lines = [f"{self.name} has no column {column!r}, but {other!r}: did you mean that?" for column, other in near if other]
        unknown = self.format.values.keys() - self._asked - self._places.keys()
        return lines + [f'files."{self.name}".values: {self._absence(column)}' for column in sorted(unknown)]

    @property
    @abstractmethod
    def census(self) -> Census:
        """What a quick look tells."""

    @abstractmethod
    def blocks(self, report: Report) -> Iterator[Block]:
        """The rows after the header, without empty lines. Rows that cannot be read are reported and left out."""


class WrittenRows(RowFile):
    """The rows that a mapping writes out itself; their lines are their numbers."""

    unit = "row"

    def __init__(self, name: str, rows: Sequence[Mapping[str, str]]) -> None:
        super().__init__(name, list(dict.fromkeys(column for row in rows for column in row)), FileFormat())
        self._rows = rows

    @property
    def census(self) -> Census:
        """Their number; a TOML file is text."""
        return Census(len(self._rows), is_clean=True)

    def blocks(self, report: Report) -> Iterator[Block]:
        """All rows at once."""
        cells = [[row.get(column, "") for column in self.header] for row in self._rows]
        yield Block(cells, list(range(1, len(cells) + 1)))
