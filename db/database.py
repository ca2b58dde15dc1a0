"""The one place that runs statements: counted, timed, retried where that is safe."""

import asyncio
import random
import time
from collections import defaultdict
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from itertools import repeat
from typing import Any, Protocol, TypeVar

import asyncpg
import structlog

from core.errors import BadInput, DeadlineExceeded, OutcomeUnknown, Overloaded, Unavailable
from core.histogram import ms
from core.viewer import Viewer
from db.pool import FULL, LOST, SETTLE_S, Connection, Pool
from db.rows import ActingRow, ToldRow
from db.statements import Statement, statement

Row = TypeVar("Row", bound=tuple[Any, ...])
T = TypeVar("T")
log = structlog.get_logger("db")

# Three tries, 0.05 to 0.15 s apart, outlast a connection that a restart cut; a longer outage is the client's to know.
TRIES = 3
PAUSE_S = 0.05
# A transaction that met another one head on is run again from its start: PostgreSQL ended one of the two.
CONTENDED = (asyncpg.DeadlockDetectedError, asyncpg.SerializationError)
TRIES_TO_WRITE = 6
CONTENTION = "Others kept changing the same rows. Try again shortly."
ACT_FOR = statement("transaction.act_for", ActingRow)
TELL = statement("transaction.tell", ToldRow)


class ConstraintViolated(Exception):
    """A named rule of the database refused a row. Whoever wrote the row knows which field that is."""

    def __init__(self, constraint: str) -> None:
        super().__init__(constraint)
        self.constraint = constraint


class _ContendedError(Exception):
    """PostgreSQL ended the transaction in favour of another one."""


class Database(Protocol):
    """Runs statements of ``sql/``. Tests of loaders and resolvers have one that answers by statement name."""

    async def fetch(self, statement: Statement[Row], *args: object) -> list[Row]:
        """Every row of the statement, in its order.

        Raises Unavailable, Overloaded, DeadlineExceeded, and BadInput for a value that PostgreSQL cannot hold.
        """
        ...


class Writer(Protocol):
    """Makes changes, each in a transaction."""

    async def write(self, viewer: Viewer, work: "Callable[[Database], Awaitable[T]]", *, is_repeatable: bool) -> T:
        """What ``work`` answers, once the transaction in which it ran is committed.

        ``work`` gets a database whose statements are of that transaction, and is run again from its start when another
        transaction was in the way. Lost before the commit, a transaction is tried again too; lost in the middle of it,
        only if it ``is_repeatable``: if making the change a second time makes no difference. Whatever ``work`` raises
        rolls back and comes out as it is, ConstraintViolated among it. Raises what ``Database.fetch`` does, Overloaded
        when others were in the way every time, and OutcomeUnknown.
        """
        ...


class Echoes(Protocol):
    """Whoever keeps what was read, and has to hear of a write before it is answered; see ``cache/freshness.py``."""

    def expect(self, xid: int) -> None:
        """A transaction is about to commit."""

    def forget(self, xid: int) -> None:
        """It was not committed after all."""

    async def echo(self, xid: int) -> None:
        """Waits until the committed transaction has been heard of."""


@dataclass(slots=True)
class StatementStats:
    """What one statement has cost so far, in this process."""

    calls: int = 0
    rows: int = 0
    seconds: float = 0.0
    longest_s: float = 0.0
    slow: int = 0
    failed: int = 0

    def told(self) -> dict[str, float | int]:
        """What an operator reads, as of all that is timed (``core/histogram.py``)."""
        mean_s = self.seconds / self.calls if self.calls else 0.0
        counted = {"count": self.calls, "failed": self.failed, "rows": self.rows, "slow": self.slow}
        return {**counted, "meanMs": ms(mean_s), "maxMs": ms(self.longest_s)}


class PooledDatabase:
    """Statements through the pool: reads, which may be tried again on another connection, and transactions.

    ``written`` is set after each commit, for whoever tidies up behind writers. ``echoes`` is who must have heard of a
    write before it is answered.
    """

    def __init__(
        self,
        pool: Pool,
        *,
        slow_s: float,
        echoes: "Echoes | None" = None,
    ) -> None:
        self.pool = pool
        self._echoes = echoes
        self.stats: defaultdict[str, StatementStats] = defaultdict(StatementStats)
        self.written = asyncio.Event()
        self._slow_s = slow_s

    async def fetch(self, statement: Statement[Row], *args: object) -> list[Row]:
        """Every row, in the statement's order; see ``Database.fetch``."""
        for attempt in range(TRIES):
            try:
                held = self.pool.take_idle() or await self.pool.take()
                try:
                    return await self._run(held, statement, args)
                finally:
                    self.pool.give_back(held)
            except Unavailable:
                if attempt == TRIES - 1:
                    raise
            except _ContendedError as error:  # with whoever changes the tables themselves, as a first import does
                if attempt == TRIES - 1:
                    raise Overloaded(CONTENTION) from error
            await asyncio.sleep(_pause_s(attempt))
        raise AssertionError("the last try returns or raises")

    async def write(self, viewer: Viewer, work: Callable[[Database], Awaitable[T]], *, is_repeatable: bool) -> T:
        """What ``work`` answers, committed; see ``Writer.write``."""
        unknown: OutcomeUnknown | None = None
        try:
            for attempt in range(TRIES_TO_WRITE):
                is_last = attempt == TRIES_TO_WRITE - 1
                try:
                    answer = await self._transaction(viewer, work)
                    self.written.set()
                    return answer
                except OutcomeUnknown as error:
                    if is_last or not is_repeatable or isinstance(error.__cause__, asyncio.CancelledError):
                        raise
                    unknown = error
                except Unavailable:
                    if attempt >= TRIES - 1:
                        raise
                except _ContendedError as error:
                    if is_last:
                        raise Overloaded(CONTENTION) from error
                await asyncio.sleep(_pause_s(attempt))
        except (Unavailable, Overloaded, DeadlineExceeded, asyncio.CancelledError) as error:
            if unknown is None or isinstance(error, OutcomeUnknown):
                raise
            raise unknown from error  # a try before this one may have been committed
        raise AssertionError("the last try returns or raises")

    async def _transaction(self, viewer: Viewer, work: Callable[[Database], Awaitable[T]]) -> T:
        async with self.pool.connection() as held:
            transaction = held.raw.transaction()
            try:
                await transaction.start()
            except BaseException as error:
                # Cancelled, asyncpg takes the transaction for begun, and PostgreSQL may begin it: what came after would be
                # a savepoint of a transaction that never ends.
                self.pool.discard(held)
                if isinstance(error, LOST):
                    raise _translated(error, held, self.pool) from error
                raise
            try:
                inside = _Inside(self, held)
                await inside.fetch(ACT_FOR, viewer.subject, viewer.owner)
                answer = await work(inside)
                (told,) = await inside.fetch(TELL)
            except BaseException:
                await self._roll_back(held, transaction)
                raise
            await self._commit(held, transaction, told.xid)
        if self._echoes is not None:
            await self._echoes.echo(told.xid)
        return answer

    async def _roll_back(self, held: Connection, transaction: asyncpg.transaction.Transaction) -> None:
        try:
            async with asyncio.timeout(SETTLE_S):  # not for ever, on a line that hangs
                await transaction.rollback()
        except BaseException as error:
            self.pool.discard(held)  # whatever it is in the middle of: PostgreSQL rolls back what it loses
            if not isinstance(error, Exception):
                raise

    async def _commit(self, held: Connection, transaction: asyncpg.transaction.Transaction, xid: int) -> None:
        if self._echoes is not None:
            self._echoes.expect(xid)
        try:
            await transaction.commit()
        except BaseException as error:
            if self._echoes is not None:
                self._echoes.forget(xid)
            if isinstance(error, CONTENDED):
                raise _ContendedError from error
            self.pool.discard(held)
            # A deadline that ends in the middle of a commit does not undo it: PostgreSQL is at it already.
            if isinstance(error, (*LOST, asyncpg.QueryCanceledError, asyncio.CancelledError)):
                raise OutcomeUnknown(
                    "The database was lost while it committed: the change was made as a whole, or not at all. Look "
                    "before you repeat it; with an Idempotency-Key it can be repeated without looking."
                ) from error
            raise

    async def _run(self, held: Connection, statement: Statement[Row], args: tuple[object, ...]) -> list[Row]:
        stats = self.stats[statement.name]
        started = time.perf_counter()
        try:
            records = await held.run(statement, args)
        except Exception as error:
            stats.failed += 1
            if len(args) != statement.parameters:  # a mistake of ours, told by asyncpg in the way of a line that is lost
                raise
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


@dataclass(frozen=True, slots=True)
class _Inside:
    """The database as a transaction sees it: no statement is tried again by itself."""

    database: PooledDatabase
    held: Connection

    async def fetch(self, statement: Statement[Row], *args: object) -> list[Row]:
        """Every row, in the statement's order; see ``Database.fetch``."""
        return await self.database._run(self.held, statement, args)


def rows_of(kind: type[Row], records: Sequence[Any]) -> list[Row]:
    """Records as rows of a class; columns that a statement does not select have the class's defaults."""
    row: Any = kind
    if not records:
        return []
    missing = row._fields[len(records[0]) :]
    if missing:
        rest = tuple(row._field_defaults[name] for name in missing)
        records = [(*record, *rest) for record in records]
    # As ``_make``, which is Python and counts each row's columns once more: 0.1 against 0.3 us a row.
    return list(map(tuple.__new__, repeat(row), records))


def _pause_s(attempt: int) -> float:
    """How long to wait before the next try: longer each time, and not as long as everybody else."""
    return PAUSE_S * (1 + attempt) * (1 + random.random())  # noqa: S311


def _translated(error: Exception, held: Connection, pool: Pool) -> Exception:
    """The error a caller sees; a connection that cannot be trusted any more is discarded."""
    if isinstance(error, asyncpg.IntegrityConstraintViolationError):
        error.detail = None  # it quotes the whole row, and the log would have it
        if error.constraint_name:
            return ConstraintViolated(error.constraint_name)
    if isinstance(error, CONTENDED):
        return _ContendedError()
    if _sqlstate(error).startswith("22"):
        return BadInput("A value in the request is not one that the database can compare with.")
    if isinstance(error, asyncpg.QueryCanceledError):
        return DeadlineExceeded("The database stopped the statement at its time limit. Ask for less at once.")
    # A held statement whose columns are others now: the schema moved on while we were connected.
    if isinstance(error, (*LOST, asyncpg.InvalidCachedStatementError)):
        if not isinstance(error, FULL):
            pool.discard(held)
        return Unavailable("The database did not answer. Try again shortly.")
    return error


def _sqlstate(error: Exception) -> str:
    return str(getattr(error, "sqlstate", None) or "")
