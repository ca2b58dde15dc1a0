"""Reads that share what they load: they look once how old it is, and none depends on who has asked first."""

import asyncio
from datetime import UTC, datetime
from typing import Any

import pytest

from core.cursor import CursorCodec
from core.errors import Unavailable
from core.viewer import EVERYONE
from db.database import PooledDatabase
from loaders import Loaders
from resolvers.context import Context
from web.caching.together import Together


class Looking:
    """A database that counts how often it is looked at, and is away for the first looks."""

    def __init__(self, inner: PooledDatabase, away: int = 0) -> None:
        self.inner, self.away, self.looks = inner, away, 0

    async def fetch(self, statement: Any, *args: object) -> list[Any]:
        self.looks += 1
        if self.looks <= self.away:
            await asyncio.sleep(0)
            raise Unavailable("away")
        return await self.inner.fetch(statement, *args)


@pytest.fixture
def together(db: PooledDatabase) -> Together:
    now = datetime.now(UTC)
    return Together(Context(EVERYONE, Loaders(db, EVERYONE, now), CursorCodec([bytes(32)]), now, db, None), 0)


async def test_however_many_ask_what_was_open_before_they_read_it_is_looked_at_once(
    together: Together, db: PooledDatabase
) -> None:
    looking = Looking(db)
    found = await asyncio.gather(*(together.xmin(looking) for _ in range(5)))
    assert found == [await together.xmin(looking)] * 5
    assert looking.looks == 1


async def test_where_the_first_who_looked_has_failed_the_next_one_looks(together: Together, db: PooledDatabase) -> None:
    async with asyncio.timeout(5):
        first, *others = await asyncio.gather(*(together.xmin(Looking(db, away=at == 0)) for at in range(3)), return_exceptions=True)
    assert isinstance(first, Unavailable)
    assert others == [await together.xmin(Looking(db, away=1))] * 2


async def test_where_the_first_who_looked_has_gone_away_the_next_one_looks(together: Together, db: PooledDatabase) -> None:
    looking = Looking(db)
    first, other = (asyncio.create_task(together.xmin(looking)) for _ in range(2))
    await asyncio.sleep(0)
    first.cancel()
    async with asyncio.timeout(5):
        assert await other > 0
