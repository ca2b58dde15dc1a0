"""Connections that stay open and hold what they have prepared, handed out first come, first served.

asyncpg's own pool drops prepared statements whenever it takes a connection back, sends four reset statements, and
wakes waiters in no particular order; a statement held here costs 33 microseconds of our CPU against 72 through it.
Each is prepared when a connection is first asked for it (``docs/decisions/023-statements-are-prepared-when-first-used.md``).
No code sets session state on these connections; what needs it (LISTEN, advisory locks) has one of its own.

A connection on which a statement was cut off is handed out again when PostgreSQL has answered, and given up if it does not:
on a line that hangs nothing is ever closed, and whoever gets it would wait in vain.
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager, suppress
from itertools import count
from typing import Any

import asyncpg
from asyncpg.prepared_stmt import PreparedStatement

from core.errors import Overloaded, Unavailable
from db.statements import Statement, script

ARRAYS = script("health.arrays")
SYNCHRONISE = script("health.synchronise")
# PostgreSQL stops a statement within milliseconds, and ends a transaction too.
SETTLE_S = 2.0

# What a connection says when PostgreSQL is away, going down, coming up or full, or when the line was cut.
LOST = (
    OSError,
    EOFError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,  # an idle session that was ended, met between its last words and its closed socket
    asyncpg.PostgresConnectionError,
    asyncpg.AdminShutdownError,
    asyncpg.CrashShutdownError,
    asyncpg.CannotConnectNowError,
    asyncpg.InsufficientResourcesError,  # connections, its disk, its memory
    asyncpg.ReadOnlySQLTransactionError,  # it is a primary no more
)
# Of these, what ends a statement only: its disk or its memory is full, and no new connection might be had.
FULL = (asyncpg.DiskFullError, asyncpg.exceptions.OutOfMemoryError)
# What it says to one whom it lets in no more, or not in time.
REFUSED = (
    asyncpg.InvalidAuthorizationSpecificationError,
    asyncpg.InvalidCatalogNameError,
    asyncpg.InsufficientPrivilegeError,
    asyncpg.ObjectNotInPrerequisiteStateError,  # a database that takes no connections
    asyncpg.QueryCanceledError,
)


class Connection:
    """One open connection and its prepared statements by name."""

    def __init__(self, raw: "asyncpg.Connection[Any]") -> None:
        self.raw = raw
        self.prepared: dict[str, PreparedStatement[Any]] = {}
        self.is_cut_off = False
        self._numbers = count()

    async def run(self, statement: Statement[Any], args: tuple[object, ...]) -> "list[asyncpg.Record]":
        """The rows of a statement, as asyncpg's ``fetch`` gives them, without three coroutines around its own."""
        try:
            prepared = self.prepared.get(statement.name)
            if prepared is None:
                prepared = self.prepared[statement.name] = await self.prepare(statement.name, statement.text)
            rows, _, _ = await self.raw._protocol.bind_execute(prepared._state, args, "", 0, True, None)  # type: ignore[attr-defined]
        except asyncio.CancelledError:
            self.is_cut_off = True
            raise
        return rows  # type: ignore[no-any-return]

    async def prepare(self, name: str, text: str) -> "PreparedStatement[Any]":
        """A statement of that text, which PostgreSQL keeps, with its generic plan, for as long as this connection is open."""
        # Numbered, because PostgreSQL keeps the name of what was cut off here, too.
        prepared = await self.raw.prepare(text, name=f"{next(self._numbers)} {name}")
        # asyncpg ends prepare() with Flush, not Sync: PostgreSQL counts the session as active, and statement_timeout goes on
        # running over it. Any statement synchronises; that which was prepared may never be sent.
        await self.raw.execute(SYNCHRONISE)
        return prepared

    async def settle(self) -> None:
        """Waits until PostgreSQL has stopped what was cut off, and cuts the line if it does not say so in time."""
        self.is_cut_off = False
        try:
            # asyncpg sends nothing before the cancellation is answered.
            await self.raw.execute(SYNCHRONISE, timeout=SETTLE_S)
        except Exception:  # whatever it is: nobody knows what would be answered next
            self.raw.terminate()

    async def close(self) -> None:
        """Closes it within a second, or cuts the line."""
        with suppress(*LOST, asyncpg.PostgresError):
            await self.raw.close(timeout=1)


class Pool:
    """At most ``size`` connections, opened when first needed, replaced when they die."""

    def __init__(
        self,
        url: str,
        *,
        size: int,
        wait_s: float,
        queue: int,
        statement_timeout_s: float,
    ) -> None:
        self._url = url
        self._wait_s = wait_s
        self._queue = queue
        self._server_settings = {
            "application_name": "dealgraph",
            "jit": "off",  # compiling takes longer than any of our statements runs
            # PostgreSQL takes a limit that it does not know for a tenth of the table, and then plans once more for each
            # call: 0.93 against 0.28 ms for what is recent. The plans of all lists are proved (tests/db/test_plans.py).
            "plan_cache_mode": "force_generic_plan",
            "statement_timeout": str(int(statement_timeout_s * 1000)),
        }
        self.size = size
        self.opened = 0
        self._idle: deque[Connection] = deque()
        # A waiter gets a connection, or None: leave to open one. Deadlines, by the clock of the loop, are in the order of the
        # queue, so one timer serves all; a timeout for each waiter would cost 5 us.
        self._waiters: deque[tuple[float, asyncio.Future[Connection | None]]] = deque()
        self._timer: asyncio.TimerHandle | None = None
        self._tasks: set[asyncio.Task[None]] = set()  # of connections that settle or are closed

    @property
    def waiting(self) -> int:
        """How many wait for a connection now."""
        return len(self._waiters)

    @property
    def idle(self) -> int:
        """How many connections nobody uses now."""
        return len(self._idle)

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[Connection]:
        """A connection for the time of the block, longest waiter first.

        Raises Overloaded when none is free in time or too many wait, and Unavailable when none can be opened.
        """
        held = await self.take()
        try:
            yield held
        finally:
            self.give_back(held)

    def discard(self, broken: Connection) -> None:
        """Marks a connection that must not be used again; whoever has it gives it back as usual."""
        broken.raw.terminate()

    async def warm(self) -> None:
        """Opens every connection now, so that the first requests do not wait for it. Raises Unavailable."""
        held = await asyncio.gather(*(self.take() for _ in range(self.size)), return_exceptions=True)
        for each in held:
            if isinstance(each, Connection):
                self.give_back(each)
        for each in held:
            if isinstance(each, BaseException):
                raise each

    async def close(self) -> None:
        """Closes what is idle; connections in use are closed as they come back."""
        self.size = 0
        while self._idle:  # each in a task: on a line that hangs it takes a second
            self.give_back(self._idle.popleft())
        while self._tasks:  # what has settled is closed then
            await asyncio.wait(self._tasks)

    def take_idle(self) -> Connection | None:
        """A connection that nobody uses now, if there is one; give it back."""
        while self._idle:
            held = self._idle.popleft()
            if not held.raw.is_closed():
                return held
            self.opened -= 1
        return None

    async def take(self) -> Connection:
        """A connection, longest waiter first; give it back. Raises as ``connection`` does."""
        if self.size == 0:
            raise Unavailable("The server is going down.")
        held = self.take_idle()
        if held is not None:
            return held
        if self.opened < self.size:
            self.opened += 1
        else:
            given = await self._wait()
            if given is not None:
                return given
        return await self._open()

    async def _wait(self) -> Connection | None:
        if len(self._waiters) >= self._queue:
            raise Overloaded("The server is busy: too many requests wait for the database. Try again shortly.")
        loop = asyncio.get_running_loop()
        waiter: asyncio.Future[Connection | None] = loop.create_future()
        until = loop.time() + self._wait_s
        self._waiters.append((until, waiter))
        if self._timer is None:
            self._timer = loop.call_at(until, self._expire)
        try:
            return await waiter
        except asyncio.CancelledError:
            self._withdraw((until, waiter))
            raise

    def _expire(self) -> None:
        """Sends away who has waited too long."""
        self._timer = None
        loop = asyncio.get_running_loop()
        while self._waiters:
            until, waiter = self._waiters[0]
            if until > loop.time():
                self._timer = loop.call_at(until, self._expire)
                return
            self._waiters.popleft()
            if not waiter.done():
                waiter.set_exception(
                    Overloaded("The server is busy: no database connection came free in time. Try again shortly.")
                )

    def _withdraw(self, place: "tuple[float, asyncio.Future[Connection | None]]") -> None:
        """Leaves the queue; what was handed over in the very moment of going away goes to the next in line."""
        waiter = place[1]
        if place in self._waiters:
            self._waiters.remove(place)
        elif not waiter.cancelled() and waiter.exception() is None:
            given = waiter.result()
            if given is None:
                self._free_place()
            else:
                self.give_back(given)

    async def _open(self) -> Connection:
        """Opens a connection in a place already counted; gives the place up if that fails."""
        raw: asyncpg.Connection[Any] | None = None
        try:
            async with asyncio.timeout(max(self._wait_s, 5)):
                raw = await asyncpg.connect(self._url, server_settings=self._server_settings)
                opened = Connection(raw)
                # asyncpg asks PostgreSQL about arrays where it first meets one. No request has to wait for that.
                await opened.prepare("health.arrays", ARRAYS)
                return opened
        except BaseException as error:
            if raw is not None:
                raw.terminate()
            self._free_place()
            if isinstance(error, (*LOST, *REFUSED)):
                raise Unavailable("The database cannot be reached. Try again shortly.") from error
            raise

    def give_back(self, held: Connection) -> None:
        """Takes back a connection, also a broken one, and hands it to who waits for it."""
        if self.size == 0:
            self.opened -= 1
            self._begin(held.close())
        elif held.raw.is_closed():
            self._free_place()
        elif held.is_cut_off:
            self._begin(self._settle(held))
        else:
            waiter = self._next_waiter()
            if waiter is None:
                self._idle.append(held)
            else:
                waiter.set_result(held)

    async def _settle(self, held: Connection) -> None:
        await held.settle()
        self.give_back(held)

    def _begin(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _free_place(self) -> None:
        waiter = self._next_waiter()
        if waiter is None:
            self.opened -= 1
        else:
            waiter.set_result(None)

    def _next_waiter(self) -> "asyncio.Future[Connection | None] | None":
        while self._waiters:
            _, waiter = self._waiters.popleft()
            if not waiter.done():
                return waiter
        return None
