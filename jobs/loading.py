"""Brings converted rows into their tables: COPY into a staging table, then one update and one insert for a block.

The first rows of a source, if they are many, need none of that: they are copied straight into the table. Everything runs in
the transaction of the connection it is given.
"""

from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any, NamedTuple, TypeAlias, TypeVar

import asyncpg

from db.copy import copy_into
from db.statements import Statement, script, statement
from jobs.bulk import SecondaryRow, make_again, take_away
from jobs.conversion import Record, Tally
from jobs.entities import Entity
from jobs.ids import ascending
from jobs.references import KeyRow

Connection: TypeAlias = "asyncpg.Connection[asyncpg.Record]"
Row = TypeVar("Row", bound=tuple[Any, ...])
Say = Callable[[str], None]


class TextRow(NamedTuple):
    """The text of a statement."""

    text: str


class BytesRow(NamedTuple):
    """The size of a table's rows."""

    bytes: int


class AnyRow(NamedTuple):
    """Whether a source has a row in a table."""

    is_any: bool


PREPARE, LOCK = script("import.session.prepare"), script("import.session.lock")
STAGING, EMPTYING, INSERTING, UPDATING, ANALYZING, SOURCING, DEFAULTS = (
    statement(f"import.write.{name}", TextRow, held=False)
    for name in ("staging", "emptying", "inserting", "updating", "analyzing", "sourcing", "defaults")
)
BYTES = statement("import.write.bytes", BytesRow, held=False)
REFERRED = ("user", "stage", "company", "contact", "deal")
KEYS = {name: statement(f"import.keys.of_{name}", KeyRow, held=False) for name in REFERRED}
ANY = {name: statement(f"import.keys.any_of_{name}", AnyRow, held=False) for name in (*REFERRED, "activity")}
INSERT_CHANGES = script("import.stage_change.insert")

# Fewer rows than this are inserted sooner than the indexes of an empty table are made again.
BULK_ROWS = 20_000
# A row takes about this much of a table; a table that is as large as what comes is worth making its indexes again.
ROW_BYTES = 200
# Triggers see the rows of a COPY at once, in a file where they are many. What they do for each COPY is little beside these.
ROWS_A_COPY = 500_000


async def prepare(connection: Connection, source: str) -> None:
    """Sets up the transaction, and waits until no other import is at work."""
    await connection.execute(PREPARE)
    await connection.execute(LOCK, source)


async def keys(connection: Connection, entity: str, source: str) -> list[KeyRow]:
    """Every row of the source that may be referred to."""
    return await _fetch(connection, KEYS[entity], source)


class Loading:
    """The rows of one entity on their way into its table. ``open``, then ``stage`` and ``write``, then ``close``."""

    def __init__(self, connection: Connection, entity: Entity, source: str, tally: Tally, say: Say) -> None:
        self._connection = connection
        self._entity = entity
        self._source = source
        self._tally = tally
        self._say = say
        self._taken: list[SecondaryRow] = []
        self._columns: list[str] = []
        self._defaults: dict[int, object] = {}
        self._has_old = self._is_straight = False
        # Stage changes wait for the last block: where one comes from is told by the one before it, which may come later.
        self._waiting = 0
        self._updating = self._inserting = ""

    async def open(self, expected: int) -> None:
        """Makes ready for about so many rows; for very many, indexes and foreign keys are taken away until ``close``."""
        has_keys = self._entity.name in ANY
        if has_keys:
            self._has_old = (await _fetch(self._connection, ANY[self._entity.name], self._source))[0].is_any
        held = (await _fetch(self._connection, BYTES, self._entity.table))[0].bytes
        if expected > BULK_ROWS and expected * ROW_BYTES > held:
            # The rows of a source that has none yet cannot meet any: they need no staging, which is half of the time.
            self._is_straight = has_keys and not self._has_old
            self._taken = await take_away(self._connection, self._entity.table, keys=self._is_straight)
            if self._is_straight:
                await self._connection.execute(await self._text(SOURCING, self._source))

    async def stage(self, fields: Sequence[str]) -> None:
        """Makes ready for records of these fields."""
        self._columns = [self._entity.targets[name].column for name in fields]
        if self._is_straight:
            self._defaults = await self._default_values()
        elif self._entity.name == "stage_change":
            if not self._inserting:
                every = [target.column for target in self._entity.targets.values()]
                await self._connection.execute(await self._text(STAGING, every))
                self._inserting = INSERT_CHANGES
        else:
            await self._connection.execute(await self._text(STAGING, self._columns))
            self._inserting = await self._text(INSERTING, self._columns)
            self._updating = await self._text(UPDATING, self._columns)

    async def write(self, blocks: AsyncIterator[list[Record]]) -> None:
        """Copies blocks of records straight into the table where that will do, or else by way of the staging table."""
        if not self._is_straight:
            async for records in blocks:
                await self._merge(records)
            return
        copied = ROWS_A_COPY
        while copied >= ROWS_A_COPY:  # fewer are the last
            copied = _count(
                await copy_into(
                    self._connection, self._entity.table, records=self._rows(blocks), columns=["id", *self._columns]
                )
            )
            self._tally.inserted += copied

    async def _rows(self, blocks: AsyncIterator[list[Record]]) -> AsyncIterator[Record]:
        """The rows of one COPY, each with an id."""
        left = ROWS_A_COPY
        async for records in blocks:
            for id_, record in zip(ascending(len(records)), self._filled(records), strict=True):
                yield id_, *record
            left -= len(records)
            if left <= 0:
                return

    def _filled(self, records: list[Record]) -> list[Record]:
        """The records, with the table's own default where a blank takes it."""
        if not any(record[place] is None for place in self._defaults for record in records):
            return records
        return [
            tuple(self._defaults.get(place) if value is None else value for place, value in enumerate(record))
            for record in records
        ]

    async def _merge(self, records: list[Record]) -> None:
        staged = f"staged_{self._entity.table}"
        await copy_into(self._connection, staged, records=records, columns=self._columns)
        if self._inserting == INSERT_CHANGES:
            self._waiting += len(records)
            return
        updated = await self._run(self._updating) if self._has_old else 0
        inserted = await self._run(self._inserting)
        await self._connection.execute(await self._text(EMPTYING))
        self._tally.updated += updated
        self._tally.inserted += inserted
        self._tally.unchanged += len(records) - updated - inserted

    async def close(self) -> None:
        """Inserts what waits for the last block, and makes again what ``open`` took away."""
        if self._waiting:
            inserted = await self._run(INSERT_CHANGES)
            self._tally.inserted += inserted
            self._tally.unchanged += self._waiting - inserted
        if self._is_straight:
            await self._connection.execute(await self._text(SOURCING, None))
        plural = self._entity.plural
        await make_again(
            self._connection, self._taken, lambda at, of: self._say(f"{plural}: index or foreign key {at} of {of}")
        )
        if self._taken:
            await self._connection.execute(await self._text(ANALYZING))

    async def _run(self, text: str) -> int:
        """The number of rows that the statement wrote."""
        arguments = () if text == INSERT_CHANGES else (self._source,)
        return _count(await self._connection.execute(text, *arguments))

    async def _default_values(self) -> dict[int, object]:
        """What a blank is worth in the columns that have a default, by their places."""
        made = await _fetch(self._connection, DEFAULTS, self._entity.table, self._columns)
        values = await self._connection.fetchrow(made[0].text) if made else None
        return {int(place): value for place, value in values.items()} if values else {}

    async def _text(self, made_by: Statement[TextRow], *arguments: object) -> str:
        return (await _fetch(self._connection, made_by, self._entity.table, *arguments))[0].text


def _count(status: str) -> int:
    """The number of rows that PostgreSQL says it wrote."""
    return int(status.rpartition(" ")[2])


async def _fetch(connection: Connection, wanted: Statement[Row], *arguments: object) -> list[Row]:
    records = await connection.fetch(wanted.text, *arguments)
    return [wanted.row._make(record) for record in records]  # type: ignore[attr-defined]
