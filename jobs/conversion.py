"""Turns blocks of rows into records for COPY: all at once where nothing is wrong, row by row where something is."""

from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import compress, islice, repeat, starmap

from jobs.cells import Cell, Claim, Joins, cell, claim
from jobs.mapping import FieldMapping, Section, Source
from jobs.references import Known, naming, reference
from jobs.rows import BadRow, Block, Report, Row, RowFile
from jobs.values import BadValueError, Convert, SkipRowError, converter, shown

Record = tuple[object, ...]


@dataclass(slots=True)
class Tally:
    """What became of the rows of one entity: ``skipped`` as the mapping wants it, ``bad`` as nobody wants it.

    ``left_out`` has what the bad rows are known by, as far as that could be read.
    """

    read: int = 0
    skipped: int = 0
    bad: int = 0
    inserted: int = 0
    updated: int = 0
    unchanged: int = 0
    left_out: set[tuple[str, str]] = field(default_factory=set)


@dataclass(frozen=True, slots=True)
class Filled:
    """One field of a section, compiled for one file. ``label`` is what a report calls its column."""

    name: str
    label: str
    cell: Cell
    convert: Convert


class Conversion:
    """The rows of one file as records of one section. ``names`` are the fields they hold, in order.

    ``alike`` counts rows that are alike through all files of the section; see ``cells.cell``.
    """

    def __init__(
        self,
        section: Section,
        file: RowFile,
        joins: Joins,
        known: Mapping[str, Known],
        gone: frozenset[str],
        alike: Counter[bytes],
    ) -> None:
        self._section = section
        self._file = file
        self._gone = gone
        self._alike = alike
        self._claims = filters(section, file, joins)
        self._filled = [
            self._fill(name, field, joins, known)
            for name, field in section.fields.items()
            if not is_absent(section, name, file)
        ]
        self._has_key = "key" in section.fields
        self.names = tuple(each.name for each in self._filled)

    def records(self, block: Block, seen: set[str], tally: Tally, report: Report) -> list[Record]:
        """The records of a block. What is wrong is reported; keys that were taken are added to ``seen``."""
        tally.read += len(block.rows)
        block = self._wanted(block, tally)
        keys = self._keys(block)
        try:
            whole = keys is None or self._are_new(keys, seen)
            made = self._all_at_once(block.rows, keys) if whole else None
        except (BadValueError, SkipRowError):
            made = None
        if made is None:
            return self._one_by_one(block, keys, seen, tally, report)
        if keys is not None:
            seen.update(keys)
        return made

    def _wanted(self, block: Block, tally: Tally) -> Block:
        if not self._claims:
            return block
        wanted = [all(holds(row) for holds in self._claims) for row in block.rows]
        tally.skipped += len(wanted) - sum(wanted)
        return Block(list(compress(block.rows, wanted)), list(compress(block.lines, wanted)))

    def _keys(self, block: Block) -> list[str] | None:
        """The trimmed keys; made once, since a key of a row's hash counts rows that are alike. None without keys."""
        if not self._has_key:
            return None
        make = self._filled[0].cell
        with suppress(BadValueError):
            return list(map(str.strip, map(make, block.rows)))
        keys = []
        for row in block.rows:
            try:
                keys.append(make(row).strip())
            except BadValueError:
                keys.append("")
        return keys

    def _are_new(self, keys: list[str], seen: set[str]) -> bool:
        fresh = set(keys)
        return len(fresh) == len(keys) and fresh.isdisjoint(seen) and fresh.isdisjoint(self._gone)

    def _all_at_once(self, rows: list[Row], keys: list[str] | None) -> list[Record]:
        columns = [list(map(each.convert, map(each.cell, rows))) for each in self._filled[self._has_key :]]
        if keys is not None:
            columns.insert(0, list(map(self._filled[0].convert, keys)))
        records = list(zip(*columns, strict=True))
        for check in self._section.entity.checks:
            looked_at = [columns[self.names.index(name)] if name in self.names else repeat(None) for name in check.fields]
            # A field that is not filled is None in every row: its column has no end of its own.
            if not all(starmap(check.holds, islice(zip(*looked_at, strict=False), len(records)))):
                raise BadValueError(check.reason)
        return records

    def _one_by_one(
        self, block: Block, keys: list[str] | None, seen: set[str], tally: Tally, report: Report
    ) -> list[Record]:
        records = []
        for place, (row, line) in enumerate(zip(block.rows, block.lines, strict=True)):
            key = None if keys is None else keys[place]
            if key is not None and (key in self._gone or (key in seen and self._section.repeats == "first")):
                tally.skipped += 1
                continue
            try:
                faults, values = self._record(row, key, seen)
            except SkipRowError:
                tally.skipped += 1
                continue
            if key:
                seen.add(key)
            if faults:
                tally.bad += 1
                tally.left_out |= _known_by(key, values)
                for label, reason in faults:
                    report(BadRow(self._file.name, line, label, f"{self._subject(key)}{reason}", self._file.unit))
            else:
                records.append(tuple(values.values()))
        return records

    def _record(self, row: Row, key: str | None, seen: set[str]) -> tuple[list[tuple[str, str]], dict[str, object]]:
        faults: list[tuple[str, str]] = []
        values: dict[str, object] = {}
        for each in self._filled:
            try:
                text = key if each.name == "key" and key else each.cell(row)
                values[each.name] = each.convert(text)
            except BadValueError as error:
                faults.append((each.label, str(error)))
        if key is not None and key in seen:
            faults.append((self._filled[0].label, "is there twice in this export"))
        if not faults:
            checks = self._section.entity.checks
            broken = [check for check in checks if not check.holds(*map(values.get, check.fields))]
            faults = [(self._label(check.column), check.reason) for check in broken]
        return faults, values

    def _subject(self, key: str | None) -> str:
        return f"{self._section.entity.name} {shown(key)}: " if key else ""

    def _label(self, name: str) -> str:
        return next((each.label for each in self._filled if each.name == name), "")

    def _fill(self, name: str, field: FieldMapping, joins: Joins, known: Mapping[str, Known]) -> Filled:
        target = self._section.entity.targets[name]
        blanks = self._file.format.blanks | field.blanks
        if target.refers_to is not None:
            convert = reference(target, field, blanks, known[target.refers_to])
        else:
            convert = converter(target, field, blanks)
        alike = self._alike if name == "key" else None
        return Filled(name, label(name, field.source), cell_of(self._section, name, self._file, joins, alike), convert)


def filters(section: Section, file: RowFile, joins: Joins) -> list[Claim]:
    """What a row must fulfil to be taken: all of ``only`` and none of ``skip``. Raises MappingError."""
    return [
        *(claim(each, file, joins) for each in section.only),
        *(_opposite(claim(each, file, joins)) for each in section.skip),
    ]


def cell_of(section: Section, name: str, file: RowFile, joins: Joins, alike: Counter[bytes] | None = None) -> Cell:
    """The text of one field of a section. Raises MappingError for a column that is not there and has to be."""
    field, target = section.fields[name], section.entity.targets[name]
    claims = [claim(each, file, joins) for each in field.only_if]
    if field.source is None:
        return lambda row: "true" if all(holds(row) for holds in claims) else "false"
    is_optional = section.has_optional_columns and not (target.required and field.default is None)
    text = cell(field.source, file, joins, absent_is_blank=is_optional, alike=alike)
    return text if not claims else lambda row: text(row) if all(holds(row) for holds in claims) else ""


def is_absent(section: Section, name: str, file: RowFile) -> bool:
    """Whether the field is left alone: its columns may be absent, and this file has none of them."""
    field, target = section.fields[name], section.entity.targets[name]
    columns = field.source.columns if field.source else ()
    may_be = section.has_optional_columns and not target.required and not field.required and field.default is None
    return may_be and bool(columns) and not any(file.has(each) for each in columns)


def label(name: str, source: Source | None) -> str:
    """What a report calls the column of a field: as the file does, or as the mapping does where it is made of several."""
    return source.columns[0] if source and len(source.columns) == 1 else name


def _known_by(key: str | None, values: Mapping[str, object]) -> set[tuple[str, str]]:
    """In what ways others may refer to the row; a contact's name is made of two, as in the database."""
    names = [values.get(each) for each in ("name", "first_name", "last_name")]
    texts = {"id": key, "email": values.get("email"), "name": " ".join(str(each) for each in names if each)}
    return {naming(way, str(text)) for way, text in texts.items() if text}


def _opposite(holds: Claim) -> Callable[[Row], bool]:
    return lambda row: not holds(row)
