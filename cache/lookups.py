"""Values of Redis, looked up without a task: all that are wanted in one turn of the loop by one write, as a loader does it.

A ``GET`` of redis-py takes two tasks' time and 60 us of a processor where it travels alone. So the connection is made by
redis-py, which knows how to log in, and then spoken to by a protocol of our own.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Coroutine
from typing import Any, TypeAlias

import hiredis
from redis.asyncio import Redis
from redis.exceptions import RedisError

from cache.redis import TIMEOUT_S

Told: TypeAlias = Callable[[bytes | None], None]
Failed: TypeAlias = Callable[[Exception], None]


class Lookups:
    """``ask`` for values. ``failed`` is told why there is no answer, once for all who wait; they are told None."""

    def __init__(self, client: "Redis", failed: Failed) -> None:
        self._pool = client.connection_pool
        self._timeout_s: float = self._pool.connection_kwargs.get("socket_timeout", TIMEOUT_S)
        self._failed = failed
        self._wanted: list[tuple[bytes, Told]] = []
        self._is_sending = False
        self._line: _Line | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    def ask(self, key: bytes, told: Told) -> None:
        """``told`` is called with the value under the key; with None if there is none, or no answer in time."""
        self._wanted.append((key, told))
        if not self._is_sending:
            self._is_sending = True
            asyncio.get_running_loop().call_soon(self._send)

    def _send(self) -> None:
        if self._line is None or self._line.is_over:
            self._begin(self._connect())
            return
        wanted, self._wanted = self._wanted, []
        self._is_sending = False
        self._line.send(wanted)

    async def _connect(self) -> None:
        """Makes a new line, and sends what was wanted meanwhile."""
        try:
            connection = await self._pool.get_connection()  # type: ignore[no-untyped-call]
        except Exception as error:  # whatever it is: who waits has to hear, and the next one tries again
            wanted, self._wanted = self._wanted, []
            self._is_sending = False
            self._failed(error)
            for _, told in wanted:
                told(None)
            return
        self._line = _Line(connection, self._timeout_s, self._failed, lambda: self._begin(self._release(connection)))
        self._send()

    async def _release(self, connection: Any) -> None:
        await connection.disconnect(nowait=True)
        await self._pool.release(connection)

    def _begin(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


class _Line(asyncio.Protocol):
    """One connection, taken over from redis-py until it ``is_over``; its streams are told when that is."""

    def __init__(self, connection: Any, timeout_s: float, failed: Failed, ended: Callable[[], None]) -> None:
        self.is_over = False
        self._timeout_s = timeout_s
        self._failed = failed
        self._ended = ended
        self._sent: deque[tuple[float, Told]] = deque()
        self._reader = hiredis.Reader()
        self._timer: asyncio.TimerHandle | None = None
        self._transport: asyncio.Transport = connection._writer.transport
        self._streams = self._transport.get_protocol()
        self._transport.set_protocol(self)

    def send(self, wanted: list[tuple[bytes, Told]]) -> None:
        """Asks for values; they come in the order in which they are asked for."""
        loop = asyncio.get_running_loop()
        until = loop.time() + self._timeout_s
        self._sent.extend([(until, told) for _, told in wanted])
        self._transport.write(b"".join([b"*2\r\n$3\r\nGET\r\n$%d\r\n%b\r\n" % (len(key), key) for key, _ in wanted]))
        if self._timer is None:
            self._timer = loop.call_at(until, self._check)

    def data_received(self, data: bytes) -> None:
        """Hands on the values that are whole."""
        self._reader.feed(data)
        values = []
        try:
            while (value := self._reader.gets()) is not False:
                values.append(value)
        except hiredis.ProtocolError as error:
            self._end(RedisError(f"an answer that cannot be: {error}"))
            return
        for value in values:
            if self._sent and not isinstance(value, hiredis.PushNotification):
                _, told = self._sent.popleft()
                if isinstance(value, hiredis.HiredisError):
                    self._failed(RedisError(str(value)))
                told(value if isinstance(value, bytes) else None)

    def connection_lost(self, exc: Exception | None) -> None:
        """The line has been cut, by whomever."""
        self._streams.connection_lost(exc)
        self._end(exc or ConnectionError("Redis closed the connection"))

    def _check(self) -> None:
        """Ends the line if the oldest has waited too long; looks again as long as anybody waits."""
        self._timer = None
        if self._sent:
            loop, until = asyncio.get_running_loop(), self._sent[0][0]
            if until <= loop.time():
                self._end(TimeoutError(f"no answer in {self._timeout_s:g} s"))
            else:
                self._timer = loop.call_at(until, self._check)

    def _end(self, error: Exception) -> None:
        if self.is_over:
            return
        self.is_over = True
        if self._timer is not None:
            self._timer.cancel()
        self._transport.abort()
        self._ended()
        if self._sent:
            self._failed(error)
        while self._sent:
            self._sent.popleft()[1](None)
