"""A folder of CSV files as one export: its files by name or pattern, and the joins between them."""

from collections import Counter
from collections.abc import Mapping as MappingOf
from difflib import get_close_matches
from pathlib import Path

from jobs.cells import Cell, Claim, cell, claim, column
from jobs.mapping import FileFormat, Listed, Lookup, Mapping, MappingError, Merged
from jobs.reading import CsvFile
from jobs.rows import BadRow, Report, RowFile, misspelling
from jobs.values import BadValueError

Answers = MappingOf[str, str]


class Export:
    """The files of one folder as a mapping reads them. Every file and every join is read once and kept.

    ``report`` hears of rows that cannot be read in the files that are joined.
    """

    def __init__(self, folder: Path, mapping: Mapping, report: Report) -> None:
        if not folder.is_dir():
            raise MappingError(f"{folder}: there is no such folder")
        self.folder = folder
        self._mapping = mapping
        self._report = report
        self._files: dict[str, list[CsvFile]] = {}
        self._answers: dict[Lookup, Answers] = {}
        self._listed: dict[Listed, frozenset[str]] = {}
        self._merged: dict[Merged, list[tuple[str, str]]] = {}

    def files(self, name: str, *, may_be_absent: bool = False) -> list[CsvFile]:
        """The file of that name, or all that fit a pattern such as ``deals-*.csv``, in order. Raises MappingError."""
        if name not in self._files:
            self._files[name] = [CsvFile(path, self._format(name, path)) for path in self._paths(name)]
        if not self._files[name] and not may_be_absent:
            there = self._there()
            near = get_close_matches(name, there, 1)
            hint = f"did you mean {near[0]}?" if near else f"there are {len(there)} others"
            raise MappingError(f"{self.folder} has no file {name}; {hint}")
        return self._files[name]

    def answers(self, lookup: Lookup) -> Answers:
        """See ``cells.Joins``."""
        if lookup not in self._answers:
            self._answers[lookup] = self._look_up(lookup)
        return self._answers[lookup]

    def listed(self, listed: Listed) -> frozenset[str]:
        """See ``cells.Joins``."""
        if listed not in self._listed:
            self._listed[listed] = frozenset(gone for gone, _ in self._pairs(listed, listed.column))
        return self._listed[listed]

    def merged_into(self, merged: Merged) -> Answers:
        """For each row that was merged away, the key of the row it went into; what went into itself is still there."""
        return {gone: into for gone, into in self._merges(merged) if gone != into}

    def gone(self, merged: Merged) -> frozenset[str]:
        """The keys of rows that were merged away, also of those of which nobody says what they went into."""
        themselves = {gone for gone, into in self._merges(merged) if gone == into}
        return self.listed(merged.gone) - themselves | self.merged_into(merged).keys()

    def misspelt(self) -> list[str]:
        """A line for each file and column that may be absent and seems to be there under another name.

        To be asked when all files and columns were asked for: what is used is not taken for something else.
        """
        read = {file.name for files in self._files.values() for file in files}
        spare = [name for name in self._there() if name not in read]
        near = [(name, misspelling(name, spare)) for name, files in self._files.items() if not files]
        lines = [f"{self.folder} has no file {name}, but {other}: did you mean that?" for name, other in near if other]
        return lines + [line for files in self._files.values() for file in files for line in file.misspelt()]

    def _format(self, name: str, path: Path) -> FileFormat:
        formats = self._mapping.formats
        return formats.get(path.name) or formats.get(name) or self._mapping.format

    def _there(self) -> list[str]:
        return sorted(path.name for path in self.folder.iterdir() if path.is_file())

    def _paths(self, name: str) -> list[Path]:
        exact = self.folder / name
        try:
            if exact.is_file():
                return [exact]
            return sorted(self.folder.glob(name)) if any(sign in name for sign in "*?[") else []
        except (OSError, ValueError, NotImplementedError) as error:  # the last is pathlib's, of a pattern from the root on
            raise MappingError(f"{name!r} is neither a file's name nor a pattern: {error}") from error

    def _look_up(self, lookup: Lookup) -> Answers:
        found: dict[str, Counter[str]] = {}
        chosen: dict[str, str] = {}
        for file in self.files(lookup.file):
            key, taken = column(lookup.match, file), cell(lookup.take, file, self)
            claims = [claim(each, file, self) for each in lookup.only]
            for match, answer in self._rows(file, key, taken, claims):
                if lookup.pick == "most_common":
                    found.setdefault(match, Counter())[answer] += 1
                elif lookup.pick == "last" or match not in chosen:
                    chosen[match] = answer
        return chosen | {match: _most_common(counts) for match, counts in found.items()}

    def _merges(self, merged: Merged) -> list[tuple[str, str]]:
        if merged not in self._merged:
            self._merged[merged] = self._pairs(merged.gone, merged.into)
        return self._merged[merged]

    def _pairs(self, listed: Listed, other: str) -> list[tuple[str, str]]:
        """Each value of a column with the text of another in its row."""
        pairs = []
        for file in self.files(listed.file):
            claims = [claim(each, file, self) for each in listed.only]
            for values, into in self._rows(file, column(listed.column, file), column(other, file), claims):
                pairs += [(part.strip(), into) for part in _parts(values, listed.split) if part.strip()]
        return pairs

    def _rows(self, file: RowFile, key: Cell, taken: Cell, claims: list[Claim]) -> list[tuple[str, str]]:
        """Key and text of every row that has both."""
        rows: list[tuple[str, str]] = []
        for block in file.blocks(self._report):
            for row, line in zip(block.rows, block.lines, strict=True):
                try:
                    if all(holds(row) for holds in claims) and (found := key(row)) and (text := taken(row).strip()):
                        rows.append((found, text))
                except BadValueError as error:
                    self._report(BadRow(file.name, line, "", str(error), file.unit))
        return rows


def _most_common(counts: Counter[str]) -> str:
    """The text that is there most often; of several, the one that came first."""
    return counts.most_common(1)[0][0]


def _parts(text: str, split: str | None) -> list[str]:
    return text.split(split) if split else [text]
