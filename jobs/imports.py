"""Imports an export of another system: all of it in one transaction, or nothing and a list of what is wrong."""

import asyncio
import time
from collections import Counter, defaultdict
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import aclosing, suppress
from dataclasses import dataclass, field
from pathlib import Path

import asyncpg

from db.pool import LOST
from db.unhurried import unhurried
from jobs.conversion import Conversion, Record, Tally, cell_of, filters
from jobs.entities import ENTITIES, Entity
from jobs.export import Export
from jobs.loading import Connection, Loading, keys, prepare
from jobs.mapping import Mapping, MappingError, Merged, Section
from jobs.references import Known
from jobs.rows import BadRow, Report, RowFile, WrittenRows
from jobs.upkeep import fold
from jobs.values import shown

# What is being done, how many rows of it are done, and about how many there are (None where nobody knows).
Progress = Callable[[str, int, int | None], None]

# What may be the rows' fault, or that of somebody else at work in the database, or of its disk; all else is a bug of ours.
REFUSALS = (
    asyncpg.IntegrityConstraintViolationError,
    asyncpg.DataError,
    asyncpg.TransactionRollbackError,
    asyncpg.InsufficientResourcesError,
    asyncpg.InsufficientPrivilegeError,
    asyncpg.QueryCanceledError,
)

# The last of what is done: from here on all may be imported.
COMMITTING = "committing"
UNKNOWN = "nobody knows whether all or nothing was imported; import again to be sure"


class ImportFailedError(Exception):
    """PostgreSQL refused what we thought it would take, or was lost. The message says what happened, and what it left."""


@dataclass(slots=True)
class ImportReport:
    """What an import did. ``bad`` holds the first of the faults; ``faults`` counts them all.

    ``unused`` has the columns that nothing uses, by file, where columns may be absent: one may be meant for another.
    """

    tallies: dict[str, Tally] = field(default_factory=dict)
    unused: dict[str, list[str]] = field(default_factory=dict)
    bad: list[BadRow] = field(default_factory=list)
    faults: int = 0
    seconds: float = 0.0
    is_imported: bool = False


def silent(what: str, done: int, expected: int | None) -> None:
    """Progress that nobody looks at."""


async def run_import(
    url: str,
    mapping: Mapping,
    folder: Path,
    *,
    skip_bad_rows: bool = False,
    max_errors: int = 100,
    progress: Progress = silent,
) -> ImportReport:
    """Imports the CSV files of a folder as the mapping says and tells what became of them.

    With bad rows nothing is imported, unless they are to be skipped. Importing again updates what was imported before.
    Raises MappingError where mapping and files do not fit, ImportFailedError where PostgreSQL refuses or is lost.
    """
    run = _Run(mapping, folder, max_errors, progress)
    started = time.perf_counter()
    await asyncio.to_thread(run.check)
    connection = await asyncpg.connect(url)
    try:
        async with unhurried(connection):
            await run.load(connection)
            if run.report.faults and not skip_bad_rows:
                raise _BadRowsError
            progress(COMMITTING, 0, None)
            run.report.is_imported = True
        # The rows are in. Readers add up what is not folded, and a server folds what we could not.
        with suppress(*REFUSALS, *LOST):
            await fold(connection)
    except _BadRowsError:
        run.report.is_imported = False
    except REFUSALS as error:
        raise ImportFailedError(_refusal(error)) from error
    except LOST as error:
        raise ImportFailedError(_loss(error, run.report.is_imported)) from error
    finally:
        await connection.close()
    run.report.bad.sort(key=lambda bad: (bad.file, bad.line))
    run.report.seconds = time.perf_counter() - started
    return run.report


class _BadRowsError(Exception):
    """Rolls the transaction back: there are bad rows, and they are not to be skipped."""


class _Run:
    """One import on its way: what was found so far, and what rows may refer to."""

    def __init__(self, mapping: Mapping, folder: Path, max_errors: int, progress: Progress) -> None:
        self.report = ImportReport()
        self._mapping = mapping
        self._max_errors = max_errors
        self._progress = progress
        self._export = Export(folder, mapping, self._note)
        self._noted: set[int] = set()
        self._known: dict[str, Known] = {}

    def check(self) -> None:
        """Reads all headers and joins. Raises MappingError with a line for each column or file that is not there."""
        wrong: dict[str, str] = {}
        for section in self._mapping.sections:
            try:
                for file in self._files(section):
                    filters(section, file, self._export)
                    for name in section.fields:
                        cell_of(section, name, file, self._export)
                for merged in section.merged:
                    self._export.gone(merged)
            except MappingError as error:
                wrong.setdefault(str(error), section.place)
        if wrong:
            raise MappingError("\n".join(f"{place}: {error}" for error, place in wrong.items()))
        if misspelt := self._export.misspelt():
            raise MappingError("\n".join(misspelt))
        if not any(self._files(section) for section in self._mapping.sections):
            raise MappingError(f"{self._export.folder} has none of the files that {self._mapping.path.name} reads")
        loose = [file for section in self._mapping.sections if section.has_optional_columns for file in self._files(section)]
        self.report.unused = {file.name: unused for file in loose if (unused := file.unused())}

    async def load(self, connection: Connection) -> None:
        """Loads entity after entity: first what others refer to."""
        self._progress("waiting for other imports to end", 0, None)
        await prepare(connection, self._mapping.source)
        self._progress("loading", 0, None)
        referred = {target.refers_to for each in self._mapping.sections for target in each.entity.targets.values()}
        for entity in ENTITIES.values():
            left_out: set[tuple[str, str]] = set()
            sections = [section for section in self._mapping.sections if section.entity is entity]
            if sections:
                await self._load(connection, entity, sections)
                left_out = self.report.tallies[entity.plural].left_out
            merged = self._merged([each for section in sections for each in section.merged])
            if entity.name in referred:
                rows = await keys(connection, entity.name, self._mapping.source)
                self._known[entity.name] = Known(entity.name, rows, merged, self._ways_to(entity), left_out)

    async def _load(self, connection: Connection, entity: Entity, sections: list[Section]) -> None:
        tally = self.report.tallies[entity.plural] = Tally()
        files = [(section, file) for section in sections for file in self._files(section)]
        expected = sum(file.census.lines for _, file in files)
        loading = Loading(connection, entity, self._mapping.source, tally, lambda what: self._progress(what, 0, None))
        await loading.open(expected)
        seen: set[str] = set()
        alike: dict[str, Counter[bytes]] = defaultdict(Counter)
        for section, file in files:
            gone = frozenset(key for each in section.merged for key in self._export.gone(each))
            conversion = Conversion(section, file, self._export, self._known, gone, alike[section.place])
            await loading.stage(conversion.names)
            note = self._noting(tally)
            blocks = (conversion.records(block, seen, tally, self._note) for block in file.blocks(note))
            async with aclosing(_ahead(blocks, lambda: self._progress(entity.plural, tally.read, expected))) as records:
                await loading.write(records)
        await loading.close()

    def _merged(self, merges: list[Merged]) -> dict[str, str]:
        """For each row that was merged away, the one that is left of it in the end. Raises MappingError for a circle."""
        into = {gone: kept for each in merges for gone, kept in self._export.merged_into(each).items()}
        ends: dict[str, str] = {}
        for gone in into:
            passed: dict[str, None] = {}
            end = gone
            while end in into and end not in passed:
                passed[end] = None
                end = ends.get(end, into[end])
            if end in passed:
                files = ", ".join({each.gone.file: None for each in merges})
                circle = " into ".join(map(shown, (*passed, end)))
                raise MappingError(f"{files}: rows were merged in a circle, {circle}")
            ends |= dict.fromkeys(passed, end)
        return ends

    def _ways_to(self, entity: Entity) -> set[str]:
        """By what the references of the mapping look for rows of that entity."""
        return {
            way
            for section in self._mapping.sections
            for name, field in section.fields.items()
            if section.entity.targets[name].refers_to == entity.name
            for way in field.by
        }

    def _files(self, section: Section) -> list[RowFile]:
        if section.file is None:
            return [WrittenRows(f"{self._mapping.path.name}, {section.place}", section.rows)]
        return list(self._export.files(section.file, may_be_absent=section.is_optional))

    def _noting(self, tally: Tally) -> Report:
        """Notes rows that could not even be read, which are rows of the entity all the same."""

        def note(bad: BadRow) -> None:
            tally.read += 1
            tally.bad += 1
            self._note(bad)

        return note

    def _note(self, bad: BadRow) -> None:
        """Counts a fault; a row that is read for several entities is at fault once."""
        fingerprint = hash(bad)  # a million faults are to be counted, not kept
        if fingerprint in self._noted:
            return
        self._noted.add(fingerprint)
        self.report.faults += 1
        if len(self.report.bad) < self._max_errors:
            self.report.bad.append(bad)


async def _ahead(blocks: Iterator[list[Record]], done: Callable[[], None]) -> AsyncGenerator[list[Record], None]:
    """The blocks, each made in a thread while PostgreSQL is busy with the one before; ``done`` is told of each."""
    coming = asyncio.ensure_future(asyncio.to_thread(next, blocks, None))
    try:
        while (records := await coming) is not None:
            coming = asyncio.ensure_future(asyncio.to_thread(next, blocks, None))
            yield records
            done()
    finally:
        await asyncio.wait({coming})


def _loss(error: BaseException, was_committing: bool) -> str:
    """One line on what is known when the connection was lost; the answer to a commit may be lost with it."""
    known = UNKNOWN if was_committing else "nothing was imported"
    return f"{known}: {str(error) or type(error).__name__}"


def _refusal(error: asyncpg.PostgresError) -> str:
    """One line on what PostgreSQL refused."""
    named = getattr(error, "constraint_name", None)
    detail = getattr(error, "detail", None)
    rule = f" (constraint {named})" if named else ""
    return f"nothing was imported, PostgreSQL said: {error.args[0]}{rule}{f'; {detail}' if detail else ''}"
