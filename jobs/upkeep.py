"""What a server does behind its writers: folds the rollups, and removes what has served its time.

On a connection of its own, since it sweeps tables and must not keep a request waiting. Every process runs it; locks and
limits see to it that several do no more than one.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import NamedTuple

import asyncpg
import structlog

from core.retention import KEYS_KEPT, RESTORABLE
from db.pool import LOST
from db.rows import ActingRow, FoldedRow
from db.statements import Statement, script, statement
from db.unhurried import unhurried

log = structlog.get_logger("jobs")

# After a write of ours there is a fold so soon, and without one so often, for what others wrote. Readers add up what is
# not folded yet: a tenth of a second of a thousand writes is read in 0.1 ms.
AFTER_WRITE_S = 0.1
AT_LEAST_EVERY_S = 2.0
SWEEP_AFTER = 2_000
PURGE_EVERY_S = 3600.0
PURGE_AT_ONCE = 1_000
RECONNECT_S = 2.0
# On a line that hangs nothing is answered, and nothing closed. A fold takes milliseconds, or seconds after very many writes:
# the connection goes before its statement is cancelled, so that PostgreSQL brings one that takes longer to its end.
COMMAND_TIMEOUT_S = 30.0


class PurgedRow(NamedTuple):
    """How many rows were removed."""

    purged: int


FOLD = statement("rollup.fold", FoldedRow, held=False)
SWEEP = script("rollup.sweep")
ACT_FOR = statement("transaction.act_for", ActingRow)
# Children first: what belongs to a company that goes may go as well. What refers to them is freed before they are removed.
PURGES = [
    ([statement(f"upkeep.{step}", PurgedRow, held=False) for step in steps], age)
    for steps, age in (
        (["purge_activities"], RESTORABLE),
        (["free_activities_of_deals", "purge_deals"], RESTORABLE),
        (["free_activities_of_contacts", "free_deals_of_contacts", "purge_contacts"], RESTORABLE),
        (
            ["free_activities_of_companies", "free_deals_of_companies", "free_contacts_of_companies", "purge_companies"],
            RESTORABLE,
        ),
        (["purge_keys"], KEYS_KEPT),
    )
]


async def keep_up(url: str, written: asyncio.Event) -> None:
    """Runs until it is cancelled, whatever happens to the database; ``written`` says that there is something to fold."""
    while True:
        try:
            connection = await asyncpg.connect(url, timeout=5, command_timeout=COMMAND_TIMEOUT_S)
            try:
                await _keep_up(connection, written)
            finally:
                connection.terminate()
        except (*LOST, asyncpg.PostgresError) as error:
            log.warning("upkeep was interrupted and goes on", error=str(error) or type(error).__name__)
            await asyncio.sleep(RECONNECT_S)


async def _keep_up(connection: "asyncpg.Connection[asyncpg.Record]", written: asyncio.Event) -> None:
    unswept, purged_at = 0, float("-inf")

    async def fold_and_sweep() -> None:
        nonlocal unswept
        unswept += await fold(connection)
        if unswept >= SWEEP_AFTER:
            await connection.execute(SWEEP)
            unswept = 0

    while True:
        await fold_and_sweep()
        if time.monotonic() - purged_at > PURGE_EVERY_S:
            await purge(connection, fold_and_sweep)  # dashboards add up what is not folded, and a purge may take minutes
            purged_at = time.monotonic()
        try:
            async with asyncio.timeout(AT_LEAST_EVERY_S):
                await written.wait()
            await asyncio.sleep(AFTER_WRITE_S)
            written.clear()
        except TimeoutError:
            pass


async def fold(connection: "asyncpg.Connection[asyncpg.Record]") -> int:
    """Adds the deltas to the rollups; how many there were."""
    async with unhurried(connection):
        folded: int = await connection.fetchval(FOLD.text)
    return folded


async def purge(
    connection: "asyncpg.Connection[asyncpg.Record]", between: Callable[[], Awaitable[None]] | None = None
) -> int:
    """Removes what was deleted over 30 days ago and keys used over a week ago, a thousand rows at a time; how many.

    ``between`` is called after each thousand.
    """
    removed = 0
    for steps, age in PURGES:
        while any(done := [await _portion(connection, each, age) for each in steps]):
            removed += done[-1]
            if between is not None:
                await between()
    if removed:
        log.info("removed what had served its time", rows=removed)
    return removed


async def _portion(connection: "asyncpg.Connection[asyncpg.Record]", step: Statement[PurgedRow], age: timedelta) -> int:
    async with connection.transaction():
        await connection.execute(ACT_FOR.text, "upkeep", None)
        done: int = await connection.fetchval(step.text, age, PURGE_AT_ONCE)
    return done
