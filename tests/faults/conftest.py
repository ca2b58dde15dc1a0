"""A PostgreSQL that these tests may kill, and a small CRM in a database of it."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from itertools import count

import asyncpg
import pytest

from db.embedded import EmbeddedPostgres
from db.migrate import migrate

_numbers = count(1)


@pytest.fixture(scope="session")
def killable(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedPostgres]:
    """A running PostgreSQL that nobody else uses, and that waits for the disk as it does for users."""
    server = EmbeddedPostgres(tmp_path_factory.mktemp("killable"))
    server.start()
    yield server
    server.stop()


@pytest.fixture
async def killable_url(killable: EmbeddedPostgres) -> str:
    """The URL of an empty database with the schema, in the PostgreSQL that may be killed."""
    name = f"killable_{next(_numbers)}"
    async with connected(killable.url) as connection:
        await connection.execute(f"create database {name}")
    await migrate(killable.database_url(name))
    return killable.database_url(name)


@asynccontextmanager
async def connected(url: str) -> "AsyncIterator[asyncpg.Connection[asyncpg.Record]]":
    """A plain connection for the time of the block. A PostgreSQL that was just killed is waited for while it recovers."""
    async with asyncio.timeout(30):
        while True:
            try:
                connection = await asyncpg.connect(url)
                break
            except asyncpg.CannotConnectNowError:
                await asyncio.sleep(0.05)
    try:
        yield connection
    finally:
        await connection.close()


async def until(connection: "asyncpg.Connection[asyncpg.Record]", query: str, *arguments: object) -> None:
    """Waits until the query answers something other than null, false or 0. Fails when that takes 10 s."""
    end = time.monotonic() + 10
    while not await connection.fetchval(query, *arguments):
        assert time.monotonic() < end, f"in vain: {query} {arguments}"
        await asyncio.sleep(0.01)
