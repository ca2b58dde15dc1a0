"""Demo data in the database: put in, removed, or replaced, in one transaction.

What the rows say is made up in ``demo_pipeline``; here they are copied in, twenty companies in the making and some
thousands on their way, so that memory stays the same for a hundred companies and for a million.
"""

from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime, time
from typing import NamedTuple, TypeAlias

import asyncpg

from core.errors import Unavailable
from db.copy import copy_into
from db.pool import LOST
from db.statements import script, statement
from db.unhurried import unhurried
from jobs.bulk import make_again, take_away
from jobs.demo_pipeline import ACTIVITIES, CONTACTS, DEALS, Rows, blocks
from jobs.demo_rows import COLUMNS, stages, users
from jobs.upkeep import fold

# Below this many companies the indexes are kept up row by row, and nobody who reads has to wait for the load.
MANY = 2000
# One COPY of each table for this many activities: 12 MB of ours at a time.
ACTIVITIES_A_COPY = 10_000
# While a commit, ours or that of the vacuum beside it, is not on disk, no page it wrote counts as all-visible: the
# vacuum that follows the load would mark nothing, and sums that read an index alone would read the table again.
ON_DISK = {"synchronous_commit": "on"}

Connection: TypeAlias = "asyncpg.Connection[asyncpg.Record]"
Progress = Callable[[int, int], None]


class DemoError(Exception):
    """The demo data cannot be put in or taken out; the message says what is in the way and what to do."""


class DemoReport(NamedTuple):
    """How many rows the demo data has, stage changes not counted."""

    users: int
    companies: int
    contacts: int
    deals: int
    activities: int

    @property
    def rows(self) -> int:
        """All of them together."""
        return sum(self)


class HasCompanies(NamedTuple):
    """Whether there is any company."""

    has_companies: bool


class RowsInTheWay(NamedTuple):
    """How many rows that are not demo data belong to demo companies, contacts or deals."""

    contacts: int
    deals: int
    activities: int


HAS_COMPANIES = statement("demo.has_companies", HasCompanies, held=False)
COUNT_ROWS = statement("demo.count_rows", DemoReport, held=False)
ROWS_IN_THE_WAY = statement("demo.rows_in_the_way", RowsInTheWay, held=False)


async def is_empty(url: str) -> bool:
    """Whether the database has no company yet, of whatever source."""
    connection = await asyncpg.connect(url)
    try:
        return not await connection.fetchval(HAS_COMPANIES.text)
    finally:
        await connection.close()


async def load_demo(
    url: str,
    *,
    companies: int,
    seed: int = 1,
    replace: bool = False,
    today: datetime | None = None,
    progress: Progress = lambda done, total: None,
) -> DemoReport:
    """Puts in a pipeline of that many companies. The same number, seed and day make the same rows.

    ``today`` is the midnight that all times are told from, by default this day's in UTC. ``replace`` removes demo
    rows that are there. ``progress`` is told rows done and rows in all; after the last the indexes are built. Raises
    DemoError, without having changed anything, where other companies are in the database, and Unavailable.
    """
    day = today or datetime.combine(datetime.now(UTC).date(), time(), UTC)
    connection = await asyncpg.connect(url, server_settings=ON_DISK)
    try:
        async with unhurried(connection):
            await connection.execute(script("demo.lock"))
            if replace:
                await _remove(connection)
            elif await connection.fetchval(HAS_COMPANIES.text):
                raise DemoError("the database has companies already; --replace removes demo data first, and only that")
            await _fill(connection, companies, seed, day, progress)
        await _settle(connection)
        async with unhurried(connection):
            return await _counted(connection)
    except LOST as error:
        raise Unavailable("the database was lost while demo data was loaded: all of it is there, or nothing") from error
    finally:
        await connection.close()


async def remove_demo(url: str) -> DemoReport:
    """Removes the demo rows and says how many there were. Raises DemoError where other rows belong to them."""
    connection = await asyncpg.connect(url, server_settings=ON_DISK)
    try:
        async with unhurried(connection):
            await connection.execute(script("demo.lock"))
            before = await _counted(connection)
            await _remove(connection)
        await _settle(connection)
        return before
    finally:
        await connection.close()


async def _settle(connection: Connection) -> None:
    await fold(connection)
    # It cannot be in a transaction, and so the limit of a role may end it. Autovacuum comes later and does the same.
    with suppress(asyncpg.QueryCanceledError):
        await connection.execute(script("demo.settle"))


async def _remove(connection: Connection) -> None:
    found = await connection.fetchrow(ROWS_IN_THE_WAY.text)
    assert found is not None
    named = [f"{number} {name}" for name, number in found.items() if number]
    if named:
        raise DemoError(f"{', '.join(named)} that are not demo data belong to demo rows: move or remove those first")
    await connection.execute(script("demo.remove"))


async def _counted(connection: Connection) -> DemoReport:
    found = await connection.fetchrow(COUNT_ROWS.text)
    assert found is not None
    return DemoReport(*found)


async def _fill(connection: Connection, companies: int, seed: int, today: datetime, progress: Progress) -> None:
    await connection.executemany(script("demo.put_user"), users(companies, today))
    await connection.executemany(script("demo.put_stage"), stages(today))
    if companies < MANY:
        await _copy(connection, companies, seed, today, progress)
        return
    taken = [each for table in COLUMNS for each in await take_away(connection, table, keys=True)]
    await _copy(connection, companies, seed, today, progress)
    await make_again(connection, taken, lambda at, of: None)


async def _copy(connection: Connection, companies: int, seed: int, today: datetime, progress: Progress) -> None:
    done, total = 0, companies * (1 + CONTACTS + DEALS + ACTIVITIES)
    waiting: Rows = {table: [] for table in COLUMNS}
    for block in blocks(companies, seed, today):
        for table, rows in block.items():
            waiting[table] += rows
            done += len(rows) if table != "stage_change" else 0
        if len(waiting["activity"]) >= ACTIVITIES_A_COPY or done == total:
            for table, rows in waiting.items():
                await copy_into(connection, table, records=rows, columns=COLUMNS[table].split())
                rows.clear()
            progress(done, total)
