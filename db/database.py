"""The one place that runs statements: counted, timed, retried where that is safe."""

import asyncio
import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

import asyncpg
import structlog

from core.errors import BadInput, DeadlineExceeded, Unavailable
from db.pool import LOST, Connection, Pool
from db.statements import Statement

Row = TypeVar("Row", bound=tuple[Any, ...])
log = structlog.get_logger("db")

# A held statement whose result changed its columns under it: the schema moved on while we were connected.
OUTDATED = (asyncpg.InvalidCachedStatementError, asyncpg.OutdatedSchemaCacheError)
# Three tries, 0.05 to 0.15 s apart, outlast a connection that a restart cut; a longer outage is the client's to know.
TRIES = 3
PAUSE_S = 0.05


class Database(Protocol):
    """Runs statements of ``sql/``. Tests of loaders and resolvers have one that answers by statement name."""

    async def fetch(self, statement: Statement[Row], *args: object) -> list[Row]:
        """Every row of the statement, in its order.

        Raises Unavailable, Overloaded, DeadlineExceeded, and BadInput for a value that PostgreSQL cannot hold.
        """
        ...


@dataclass(slots=True)
class StatementStats:
    """What one statement has cost so far, in this process."""

    calls: int = 0
    rows: int = 0
    seconds: float = 0.0
    longest_s: float = 0.0
    slow: int = 0
    failed: int = 0


class PooledDatabase:
    """Statements through the pool. Reads only: each may be tried again on another connection."""

    def __init__(self, pool: Pool, *, slow_s: float, jitter: Callable[[], float] = random.random) -> None:
        self.pool = pool
        self.stats: dict[str, StatementStats] = {}
        self._slow_s = slow_s
        self._jitter = jitter

    async def fetch(self, statement: Statement[Row], *args: object) -> list[Row]:
        """Every row, in the statement's order; see ``Database.fetch``."""
        for attempt in range(TRIES):
            try:
                async with self.pool.connection() as held:
                    return await self._run(held, statement, args)
            except Unavailable:
                if attempt == TRIES - 1:
                    raise
            await asyncio.sleep(PAUSE_S * (1 + attempt) * (1 + self._jitter()))
        raise AssertionError("the last try returns or raises")

    async def _run(self, held: Connection, statement: Statement[Row], args: tuple[object, ...]) -> list[Row]:
        stats = self.stats.setdefault(statement.name, StatementStats())
        started = time.perf_counter()
        try:
            records = await held.prepared[statement.name].fetch(*args)
        except Exception as error:
            stats.failed += 1
            raise _translated(error, held, self.pool) from error
        taken = time.perf_counter() - started
        stats.calls += 1
        stats.rows += len(records)
        stats.seconds += taken
        stats.longest_s = max(stats.longest_s, taken)
        if taken > self._slow_s:
            stats.slow += 1
            log.warning("slow statement", statement=statement.name, seconds=round(taken, 3), rows=len(records))
        return rows_of(statement.row, records)


def rows_of(kind: type[Row], records: Sequence[Any]) -> list[Row]:
    """Records as rows of a class; columns that a statement does not select have the class's defaults."""
    row: Any = kind
    if not records or len(records[0]) == len(row._fields):
        return list(map(row._make, records))
    rest = tuple(row._field_defaults[name] for name in row._fields[len(records[0]) :])
    return [row._make((*record, *rest)) for record in records]


def _translated(error: Exception, held: Connection, pool: Pool) -> Exception:
    """The error a caller sees; a connection that cannot be trusted any more is discarded."""
    if isinstance(error, asyncpg.DataError) or _sqlstate(error).startswith("22"):
        return BadInput("A value in the request is not one that the database can compare with.")
    if isinstance(error, asyncpg.QueryCanceledError):
        return DeadlineExceeded("The database stopped the statement at its time limit. Ask for less at once.")
    if isinstance(error, (*LOST, *OUTDATED)):
        pool.discard(held)
        return Unavailable("The database did not answer. Try again shortly.")
    return error


def _sqlstate(error: Exception) -> str:
    return str(getattr(error, "sqlstate", None) or "")
