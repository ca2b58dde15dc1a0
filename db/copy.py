"""COPY, which ends when its connection does."""

import asyncio
from typing import Any, TypeAlias

import asyncpg

from core.later import pass_over
from db.pool import SETTLE_S

Connection: TypeAlias = "asyncpg.Connection[asyncpg.Record]"


async def copy_into(connection: Connection, table: str, **how: Any) -> str:
    """What ``copy_records_to_table`` answers. Raises ConnectionDoesNotExistError if the connection is lost meanwhile.

    asyncpg 0.32 does not notice a lost connection while it waits for PostgreSQL to accept more rows: it would wait for ever.
    """
    gone: asyncio.Future[Any] = asyncio.get_running_loop().create_future()

    def tell(_: object) -> None:
        if not gone.done():
            gone.set_result(None)

    connection.add_termination_listener(tell)
    copying: asyncio.Future[Any] = asyncio.ensure_future(connection.copy_records_to_table(table, **how))
    copying.add_done_callback(pass_over)
    try:
        await asyncio.wait({copying, gone}, return_when=asyncio.FIRST_COMPLETED)
        if not copying.done():
            raise asyncpg.ConnectionDoesNotExistError("the connection was lost while rows were copied")
        return str(copying.result())
    finally:
        connection.remove_termination_listener(tell)
        copying.cancel()
        await asyncio.wait({copying}, timeout=SETTLE_S)
