"""Work that no client waits for: migrations, loads, and what is counted anew."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncpg

from db.statements import script

UNHURRIED = script("transaction.unhurried")


@asynccontextmanager
async def unhurried(connection: "asyncpg.Connection[asyncpg.Record]") -> AsyncIterator[None]:
    """A transaction that is not cut off for how long it takes, whatever the role or the database says of that.

    Those limits are for what clients wait for, and behind PgBouncer the role has to bring them (README).
    """
    async with connection.transaction():
        await connection.execute(UNHURRIED)
        yield
