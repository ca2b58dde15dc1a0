"""Taking indexes and foreign keys away in a database that others use."""

import asyncio
from typing import TypeAlias

import asyncpg

from jobs.bulk import make_again, take_away

Connection: TypeAlias = "asyncpg.Connection[asyncpg.Record]"
WAITING = "select exists (select from pg_locks where relation = $1::regclass and not granted)"


async def test_a_reader_that_we_wait_for_and_that_waits_for_us_goes_first(database_url: str, sql: "Connection") -> None:
    reader, looker = [await asyncpg.connect(database_url) for _ in range(2)]
    try:
        # Who has waited for a second looks for a deadlock and gives way: that is to be us.
        await reader.execute("set deadlock_timeout = '1min'")
        async with asyncio.timeout(20):
            reading = reader.transaction()
            await reading.start()
            await reader.fetch("select from contact")
            loading = asyncio.create_task(taken_and_made_again(sql))
            while not await looker.fetchval(WAITING, "contact"):
                await asyncio.sleep(0.01)
            await reader.fetch("select from deal")
            assert not loading.done()
            await reading.commit()
            assert await loading > 5
    finally:
        await reader.close()
        await looker.close()


async def taken_and_made_again(connection: "Connection") -> int:
    """How many indexes and foreign keys of deals went and came back."""
    async with connection.transaction():
        taken = await take_away(connection, "deal", keys=True)
        await make_again(connection, taken, lambda at, of: None)
    return len(taken)
