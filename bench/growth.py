"""What PostgreSQL does for one full Dashboard in databases of other sizes: the plans that connections hold, run and counted."""

import asyncio
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path
from statistics import median
from typing import Any
from urllib.parse import urlsplit, urlunsplit
from uuid import UUID

import asyncpg
import orjson
from rich.table import Table

from bench.scenarios import SCENARIOS
from bench.statements import execute
from bench.target import TargetError
from cache.freshness import Freshness
from cache.reference import Reference
from db.database import PooledDatabase
from db.migrate import migrate
from db.pool import Pool
from db.statements import Statement, parse
from jobs.bulk import make_again, take_away
from schema.build import build_schema
from schema.operation import Executable

TEXTS = {name: text for name, (_, text) in parse("growth", (Path(__file__).parent / "growth.sql").read_text("utf-8")).items()}
# Owners and deals.
SIZES = ((20, 100_000), (2_000, 100_000), (2_000, 5_000_000), (20, 5_000_000))
TABLES = ("company", "deal", "activity")
ASKED = 5
[FULL] = [each for each in SCENARIOS if each.name == "full"]


class Explaining(PooledDatabase):
    """Explains each statement with its arguments, under a generic plan, before it is run."""

    def __init__(self, pool: Pool, connection: "asyncpg.Connection[Any]") -> None:
        super().__init__(pool, slow_s=30)
        self.found: defaultdict[str, list[tuple[float, int]]] = defaultdict(list)
        self._connection = connection
        self._prepared: set[str] = set()
        self._turn = asyncio.Lock()

    async def fetch(self, statement: Statement[Any], *args: object) -> list[Any]:
        """The rows; milliseconds and buffers are in ``found``."""
        async with self._turn:
            name = statement.name.replace(".", "_")
            if name not in self._prepared:
                self._prepared.add(name)
                await self._connection.execute(f"prepare {name} as {statement.text}")
            given = f"({', '.join(map(_literal, args))})" if args else ""
            said = await self._connection.fetchval(f"explain (analyze, buffers, timing off, format json) execute {name}{given}")
        [told] = orjson.loads(said)
        buffers = told["Plan"]["Shared Hit Blocks"] + told["Plan"]["Shared Read Blocks"]
        self.found[statement.name].append((told["Execution Time"], buffers))
        return await super().fetch(statement, *args)


def measured(url: str, step: Callable[[str], None]) -> Table:
    """Medians over seven owners, by statement; makes databases of 7 GB beside that of the URL, and removes them."""
    return asyncio.run(_measured(url, step))


async def _measured(url: str, step: Callable[[str], None]) -> Table:
    columns: list[dict[str, tuple[float, float]]] = []
    for owners, deals in SIZES:
        step(f"{owners:,} owners, {deals:,} deals")
        admin = await asyncpg.connect(url)
        await admin.execute("drop database if exists growth")
        await admin.execute("create database growth")
        grown = urlunsplit(urlsplit(url)._replace(path="/growth"))
        try:
            await _fill(grown, owners, deals)
            columns.append(await _explained(grown))
        finally:
            await admin.execute("drop database growth with (force)")
            await admin.close()
    sizes = [f"{owners:,} owners,\n{deals:,} deals" for owners, deals in SIZES]
    table = Table("statement", *sizes, title="One full Dashboard in PostgreSQL: ms, buffers")
    for name in columns[0]:
        table.add_row(name, *(f"{ms:.2f}, {buffers:,.0f}" for ms, buffers in (column[name] for column in columns)))
    sums = [tuple(map(sum, zip(*column.values(), strict=True))) for column in columns]
    table.add_row("together", *(f"{ms:.2f}, {buffers:,.0f}" for ms, buffers in sums))
    return table


async def _fill(url: str, owners: int, deals: int) -> None:
    await migrate(url)
    companies = deals // 10
    sizes = {"company": (owners, companies), "deal": (owners, companies, deals), "activity": (owners, companies, deals)}
    connection = await asyncpg.connect(url)
    await connection.execute(TEXTS["growth.begin"])
    await connection.execute(TEXTS["growth.people"] % owners)
    for table in TABLES:
        await connection.execute(f"alter table {table} disable trigger user")
        taken = await take_away(connection, table, keys=False)
        await connection.execute(TEXTS[f"growth.{table}"] % sizes[table])
        # A Dashboard neither searches nor checks, and the indexes of words alone would take minutes.
        read = [each for each in taken if " gin " not in each.making and "FOREIGN KEY" not in each.making]
        await make_again(connection, read, lambda at, of: None)
        await connection.execute(f"alter table {table} enable trigger user")
    await connection.execute(TEXTS["growth.end"])
    await connection.execute("vacuum (analyze)")
    await connection.close()


async def _explained(url: str) -> dict[str, tuple[float, float]]:
    pool = Pool(url, size=4, wait_s=30, queue=100, statement_timeout_s=30)
    connection = await asyncpg.connect(url, server_settings={"plan_cache_mode": "force_generic_plan", "jit": "off"})
    database, executable = Explaining(pool, connection), Executable(build_schema())
    freshness = Freshness(now=time.monotonic)
    freshness.begin(0, "")
    reference = Reference(freshness)
    owners = await connection.fetchval(TEXTS["growth.owners"])
    try:
        for number in range(1 + ASKED):
            for owner in owners:
                freshness.beat(time.monotonic())
                result = await execute(executable, database, FULL, owner, reference)
                if result.errors:
                    raise TargetError(f"the schema answers {FULL.name} with {result.errors[0].message}")
            if number == 0:  # read what has to be read, and let the plans be made
                database.found.clear()
    finally:
        await connection.close()
        await pool.close()
    return {name: tuple(map(median, zip(*each, strict=True))) for name, each in sorted(database.found.items())}


def _literal(value: object) -> str:
    if value is None:
        return "null"
    if isinstance(value, Sequence) and not isinstance(value, str):
        return "'{" + ",".join("null" if each is None else f'"{each}"' for each in value) + "}'"
    return f"'{value}'" if isinstance(value, (str, UUID, datetime)) else str(value)
