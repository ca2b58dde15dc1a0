"""Writing so many rows in one transaction that it is cheaper to make the indexes and foreign keys of a table afterwards.

Measured on 500,000 activities: 16.5 s to insert with four foreign keys, 4.4 s without, and 0.8 s to check them all at the
end; a full text index kept up row by row takes three times as long as one made in one go. Primary keys stay, and so does what
tells the rows of a source that are there already, where there may be any. The table is locked until the transaction ends.
"""

from collections.abc import Callable
from contextlib import suppress
from typing import NamedTuple, TypeAlias

import asyncpg

from db.statements import statement

Connection: TypeAlias = "asyncpg.Connection[asyncpg.Record]"


class SecondaryRow(NamedTuple):
    """The statement that takes an index or a foreign key away, and the one that makes it again."""

    taking: str
    making: str


SECONDARY = statement("bulk.secondary", SecondaryRow, held=False)
# PostgreSQL ends one of two that wait for each other after a second; in a busy database we may be that one more than once.
TRIES = 10


async def take_away(connection: Connection, table: str, *, keys: bool) -> list[SecondaryRow]:
    """Drops the secondary indexes and foreign keys of the table, and its external ids' key if ``keys`` may go as well.

    Returns what ``make_again`` needs.

    Readers lock tables in an order of their own. Where one waits for us and we for it, our locks are let go and we begin
    again. Raises asyncpg.DeadlockDetectedError when that did not help.
    """
    for _ in range(TRIES - 1):
        with suppress(asyncpg.DeadlockDetectedError):
            async with connection.transaction():
                return await _take_away(connection, table, keys)
    return await _take_away(connection, table, keys)


async def _take_away(connection: Connection, table: str, keys: bool) -> list[SecondaryRow]:
    taken = [SecondaryRow(*record) for record in await connection.fetch(SECONDARY.text, table, keys)]
    for each in taken:
        await connection.execute(each.taking)
    return taken


async def make_again(connection: Connection, taken: list[SecondaryRow], say: Callable[[int, int], None]) -> None:
    """Makes what was taken away: indexes first, then foreign keys. ``say`` is told place and number of each."""
    for place, each in enumerate(taken, 1):
        say(place, len(taken))
        await connection.execute(each.making)
