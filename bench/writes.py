"""What the triggers cost a single write and a bulk write, in milliseconds of PostgreSQL, and a bulk change in the server."""

import asyncio
import time
from collections import defaultdict
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import Any

import asyncpg
import orjson
from rich.table import Table

from bench.target import TargetError
from core.cursor import KEY_BYTES, CursorCodec
from core.viewer import EVERYONE
from db.database import PooledDatabase
from db.pool import Pool
from db.statements import parse
from jobs.upkeep import fold
from loaders import Loaders
from resolvers.context import Context
from schema.build import build_schema
from schema.operation import Executable

TEXTS = {name: text for name, (_, text) in parse("writes", (Path(__file__).parent / "writes.sql").read_text("utf-8")).items()}
VARIANTS = {"all triggers": "none", "without rollups": "rollups", "no triggers": "any"}
SINGLES = 500
BULK = """mutation ($operation: BulkOperation!, $deals: [ID!]!, $updates: BulkDealUpdates) {
  bulkUpdateDeals(operation: $operation, dealIds: $deals, updates: $updates) {
    updatedCount errors { message } results { id status }
  }
}"""


def measured(url: str, rounds: int, step: Callable[[], None]) -> Table:
    """Medians over so many interleaved rounds. Raises TargetError if the server's bulk change fails."""
    return asyncio.run(_measured(url, rounds, step))


async def _measured(url: str, rounds: int, step: Callable[[], None]) -> Table:
    found: dict[str, list[float]] = defaultdict(list)
    connection = await asyncpg.connect(url)
    pool = Pool(url, size=1, wait_s=30, queue=10, statement_timeout_s=30)
    try:
        await connection.execute(TEXTS["writes.keep"])
        some, stages = await connection.fetchrow(TEXTS["writes.some"]), await connection.fetchval(TEXTS["writes.stages"])
        assert some is not None
        for number in range(rounds):
            stage = stages[number % 4]
            for name, without in VARIANTS.items():
                one = (stage, some["company_id"], some["owner_id"])
                found[f"create one deal: {name}"].append(await _alone(connection, without, "create_one", one, SINGLES))
                found[f"move 5,000 deals: {name}"].append(
                    await _alone(connection, without, "move_all", (stage, some["deals"]), 1)
                )
                step()
            updates: dict[str, dict[str, Any] | None] = {
                "UPDATE_STAGE": {"stageId": str(stage)},
                "ASSIGN_OWNER": {"ownerId": str(some["owners"][number % len(some["owners"])])},
                "UPDATE_VALUE": {"value": 1_000_000 + number},
                "DELETE": None,
                "RESTORE": None,
            }
            for operation, given in updates.items():
                taken = await _timed(_bulk, PooledDatabase(pool, slow_s=30), operation, some["deals"], given)
                found[f"bulkUpdateDeals of 5,000: {operation}"].append(taken)
                await fold(connection)
            await connection.execute(TEXTS["writes.put_back"])
            await fold(connection)
            step()
    finally:
        await connection.close()
        await pool.close()
    table = Table("what", "ms, median", "lowest", "highest", title="Writes")
    for name, times in sorted(found.items()):
        table.add_row(name, *(f"{each * 1000:,.2f}" for each in (median(times), min(times), max(times))))
    return table


async def _alone(
    connection: "asyncpg.Connection[Any]", without: str, name: str, arguments: tuple[Any, ...], times: int
) -> float:
    """Seconds for one of so many runs of a statement, rolled back."""
    transaction = connection.transaction()
    await transaction.start()
    try:
        await connection.execute(TEXTS[f"writes.without_{without}"])
        prepared = await connection.prepare(TEXTS[f"writes.{name}"])
        started = time.perf_counter()
        for _ in range(times):
            await prepared.fetch(*arguments)
        return (time.perf_counter() - started) / times
    finally:
        await transaction.rollback()


async def _timed(work: Callable[..., Awaitable[None]], *arguments: Any) -> float:
    started = time.perf_counter()
    await work(*arguments)
    return time.perf_counter() - started


async def _bulk(database: PooledDatabase, operation: str, deals: list[Any], updates: dict[str, Any] | None) -> None:
    now = datetime.now(UTC)
    context = Context(EVERYONE, Loaders(database, EVERYONE, now), CursorCodec([bytes(KEY_BYTES)]), now, database)
    asked = EXECUTABLE.document(BULK)
    only = asked.operation(None)
    assert only is not None
    variables = {"operation": operation, "deals": [str(each) for each in deals], "updates": updates}
    result = await EXECUTABLE.execute(asked, only, variables, context)
    errors = result.errors or (result.data or {})["bulkUpdateDeals"]["errors"]
    if errors:
        raise TargetError(f"the bulk change {operation} answers {errors[0]}")
    orjson.dumps(result.data)


EXECUTABLE = Executable(build_schema())
