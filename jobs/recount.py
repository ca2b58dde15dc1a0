"""Proves the rollups equal to a count of the rows and the words of search to their names, and makes them so."""

from typing import NamedTuple

import asyncpg

from db.statements import script, statement
from db.unhurried import unhurried


class DriftRow(NamedTuple):
    """A key of a rollup whose figures are not what a count of the rows says; ``found`` is how many there are."""

    rollup: str
    key: str
    found: int


DRIFT = statement("rollup.drift", DriftRow, held=False)
RECOUNT = script("rollup.recount")


async def drift(url: str) -> list[DriftRow]:
    """What differs, the first hundred keys; empty where every rollup is right. Writers need not stop for it."""
    connection = await asyncpg.connect(url)
    try:
        async with unhurried(connection):
            return [DriftRow(*record) for record in await connection.fetch(DRIFT.text)]
    finally:
        await connection.close()


async def recount(url: str) -> None:
    """Puts the rollups right. Writers need not stop for it."""
    connection = await asyncpg.connect(url)
    try:
        async with unhurried(connection):
            await connection.execute(RECOUNT)
    finally:
        await connection.close()
