"""PostgreSQL for plain Strawberry: asyncpg's pool, each statement prepared once on each of its connections."""

from pathlib import Path
from typing import Any

import asyncpg

from bench.floor import create_pool
from db.statements import parse

SOURCE = (Path(__file__).parent.parent / "statements.sql").read_text("utf-8")
# The sizes are put in first, for they are blanks as the reader knows them.
LIMIT = "{limit}"


class Database:
    """Rows by the name of a statement; ``sent`` counts the statements."""

    def __init__(self, pool: "asyncpg.Pool[asyncpg.Record]") -> None:
        self._pool = pool
        self._texts: dict[tuple[str, int], str] = {}
        self.sent = 0

    @classmethod
    async def connect(cls, url: str) -> "Database":
        """With every connection open."""
        return cls(await create_pool(url, init=_ids_are_text))

    async def rows(self, name: str, *values: object, limit: int = 0) -> "list[asyncpg.Record]":
        """What the named statement answers; ``limit`` is for those that have one."""
        self.sent += 1
        return await self._pool.fetch(self._text(name, limit), *values)

    async def close(self) -> None:
        """Closes every connection."""
        await self._pool.close()

    def _text(self, name: str, limit: int) -> str:
        found = self._texts.get((name, limit))
        if found is None:
            if not 0 <= limit <= 101:
                raise ValueError("limit is too large")
            found = self._texts[name, limit] = parse("peers", SOURCE.replace(LIMIT, str(limit)))[f"peers.{name}"][1]
        return found


async def _ids_are_text(connection: Any) -> None:
    # GraphQL's ID is text, and so are the keys of the loaders.
    await connection.set_type_codec("uuid", encoder=str, decoder=str, schema="pg_catalog", format="text")
