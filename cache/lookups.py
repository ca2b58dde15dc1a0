"""Values of Redis, looked up without a task: all that are wanted in one turn of the loop by one write, as a loader does it.

A ``GET`` of redis-py takes two tasks' time and 120 us of a processor where it travels alone. So the connection is made by
redis-py, which knows how to log in, and then spoken to by this protocol.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Any, TypeAlias

import hiredis
from redis.asyncio import Redis
from redis.exceptions import RedisError

from cache.redis import TIMEOUT_S

Told: TypeAlias = Callable[[bytes | None], None]


class Lookups(asyncio.Protocol):
    """``ask`` for values. ``failed`` is told why there is no answer, once for all who wait; they are told None."""

    def __init__(self, client: "Redis", failed: Callable[[Exception], None]) -> None:
        self._pool = client.connection_pool
        self._timeout_s: float = self._pool.connection_kwargs.get("socket_timeout", TIMEOUT_S)
        self._failed = failed
        self._wanted: list[tuple[bytes, Told]] = []
        self._sent: deque[tuple[float, Told]] = deque()
        self._is_sending = False
        self._connection: Any = None
        self._transport: asyncio.Transport | None = None
        self._streams: asyncio.BaseProtocol | None = None
        self._reader = hiredis.Reader()
        self._timer: asyncio.TimerHandle | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    def ask(self, key: bytes, told: Told) -> None:
        """``told`` is called with the value under the key; with None if there is none, or no answer in time."""
        self._wanted.append((key, told))
        if not self._is_sending:
            self._is_sending = True
            asyncio.get_running_loop().call_soon(self._send)

    def data_received(self, data: bytes) -> None:
        """Hands on the values that are whole, in the order in which they were asked for."""
        self._reader.feed(data)
        try:
            while (value := self._reader.gets()) is not False:
                if isinstance(value, hiredis.PushNotification):
                    continue
                _, told = self._sent.popleft()
                if isinstance(value, hiredis.HiredisError):
                    self._failed(RedisError(str(value)))
                told(value if isinstance(value, bytes) else None)
        except (hiredis.ProtocolError, IndexError) as error:
            self._give_up(RedisError(f"an answer that cannot be: {error}"))

    def connection_lost(self, exc: Exception | None) -> None:
        """Whoever waits is told; the next who asks makes a new connection."""
        if self._streams is not None:
            self._streams.connection_lost(exc)
        self._give_up(exc or ConnectionError("Redis closed the connection"))

    def _send(self) -> None:
        transport = self._transport
        if transport is None:
            self._begin(self._connect())
            return
        self._is_sending = False
        wanted, self._wanted = self._wanted, []
        loop = asyncio.get_running_loop()
        until = loop.time() + self._timeout_s
        self._sent.extend([(until, told) for _, told in wanted])
        transport.write(b"".join([b"*2\r\n$3\r\nGET\r\n$%d\r\n%b\r\n" % (len(key), key) for key, _ in wanted]))
        if self._timer is None:
            self._timer = loop.call_at(until, self._check)

    async def _connect(self) -> None:
        try:
            self._connection = await self._pool.get_connection()  # type: ignore[no-untyped-call]
            self._transport = self._connection._writer.transport
        except (RedisError, OSError) as error:
            self._give_up(error)
            return
        self._reader = hiredis.Reader()
        self._streams = self._transport.get_protocol()
        self._transport.set_protocol(self)
        self._send()

    def _check(self) -> None:
        """Gives up if the oldest has waited too long; looks again as long as anybody waits."""
        self._timer = None
        if not self._sent:
            return
        loop, until = asyncio.get_running_loop(), self._sent[0][0]
        if until <= loop.time():
            self._give_up(TimeoutError(f"no answer in {self._timeout_s:g} s"))
        else:
            self._timer = loop.call_at(until, self._check)

    def _give_up(self, error: Exception) -> None:
        told = [each for _, each in self._sent] + [each for _, each in self._wanted]
        self._sent.clear()
        self._wanted.clear()
        self._is_sending = False
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        connection, transport = self._connection, self._transport
        self._connection = self._transport = None
        if transport is not None:
            transport.abort()
        if connection is not None:
            self._begin(self._release(connection))
        if told:
            self._failed(error)
        for each in told:
            each(None)

    async def _release(self, connection: Any) -> None:
        await connection.disconnect(nowait=True)
        await self._pool.release(connection)

    def _begin(self, work: Any) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
