"""Load of many connections, in a process of its own: so many requests a second whatever happens, or always one on each.

wrk waits for an answer before it asks again, so a server that stalls is asked less and looks better than it was. Here a
request at a fixed rate has the moment at which it was to be sent, and its time counts from then (Gil Tene's "coordinated
omission"). Reads a ``Crowd`` as JSON, writes a ``Seen``: ``python -m bench.crowd < crowd.json``.
"""

import asyncio
import gc
import json
import sys
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass
from time import perf_counter
from typing import Any, cast

import uvloop

OPENED_AT_ONCE = 50
PATIENCE_S = 5.0
SHED = frozenset({429, 503})
# Who is sent away comes again after this long: at once would be a second load, of refusals alone.
AFTER_SHED_S = 0.1


@dataclass(frozen=True, slots=True)
class Crowd:
    """The requests, whole as they go over the line and asked in turn; without a rate each connection has always one."""

    port: int
    requests: list[str]
    connections: int
    rate: float | None
    warm_up_s: float
    seconds: float


@dataclass(frozen=True, slots=True)
class Seen:
    """What became of the requests after the warm-up; milliseconds of those with an answer, or of those given up.

    ``late`` is how long after its moment a request was sent because of this process (at most a timer's tick), ``starved``
    how many connections got no answer of any kind.
    """

    answered: int
    shed: int
    failed: int
    unanswered: int
    starved: int
    seconds: float
    p50: float
    p95: float
    p99: float
    late: float


class Line(asyncio.Protocol):
    """One connection: sends its requests one after the other and tells ``done`` of each (due, status, whether it is well)."""

    def __init__(self, done: "Callable[[Line, float, int, bool], None]") -> None:
        self._done = done
        self._transport: asyncio.Transport | None = None
        self._waiting: deque[tuple[bytes, float]] = deque()
        self._due: float | None = None
        self._read = b""
        self.answers = 0

    def ask(self, request: bytes, due: float) -> None:
        """Sends it now, or after the answers to those before it."""
        self._waiting.append((request, due))
        self._next()

    def outstanding(self) -> list[float]:
        """The moments of the requests without an answer."""
        return [*([] if self._due is None else [self._due]), *(due for _, due in self._waiting)]

    def close(self) -> None:
        """Ends the connection; nobody is told of what is outstanding."""
        self._done = lambda line, due, status, well: None
        if self._transport is not None:
            self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's is not a subclass
        self._next()

    def data_received(self, data: bytes) -> None:
        self._read += data
        head, end, body = self._read.partition(b"\r\n\r\n")
        if not end or len(body) < _length(head):
            return
        status, self._read = int(head[9:12]), b""
        self._answered(status, status == 200 and b'"errors":' not in body)

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport, self._read = None, b""
        self._answered(0, False)

    def _answered(self, status: int, well: bool) -> None:
        due, self._due = self._due, None
        if due is not None:
            self.answers += status != 0
            self._done(self, due, status, well)
        self._next()

    def _next(self) -> None:
        if self._transport is not None and self._due is None and self._waiting:
            request, self._due = self._waiting.popleft()
            self._transport.write(request)


class Run:
    """One crowd against one server."""

    def __init__(self, crowd: Crowd) -> None:
        self._crowd = crowd
        self._requests = [each.encode() for each in crowd.requests]
        self._sent = self._outstanding = 0
        self._quiet = asyncio.Event()
        self._reopening: set[asyncio.Task[None]] = set()
        self._start = self._end = 0.0
        self._times: list[float] = []
        self._late: list[float] = [0.0]
        self._shed = self._failed = 0
        self._wrong: list[dict[str, Any]] = []
        self._lines = [Line(self._done) for _ in range(crowd.connections)]

    async def seen(self) -> Seen:
        """Runs it. Raises OSError if nobody listens, and what went wrong with an answer."""
        asyncio.get_running_loop().set_exception_handler(lambda loop, told: self._wrong.append(told))
        for place in range(0, len(self._lines), OPENED_AT_ONCE):
            await asyncio.gather(*map(self._open, self._lines[place : place + OPENED_AT_ONCE]))
        begun = perf_counter()
        self._start = begun + self._crowd.warm_up_s
        self._end = self._start + self._crowd.seconds
        asyncio.get_running_loop().call_later(self._crowd.warm_up_s, self._forget)
        if self._crowd.rate is None:
            for line in self._lines:
                self._ask(line, perf_counter())
            await asyncio.sleep(self._end - perf_counter())
        else:
            await self._at_rate(begun, self._crowd.rate)
            await self._drained()
        if self._wrong:
            raise RuntimeError(self._wrong[0]["message"]) from self._wrong[0].get("exception")
        return self._summary()

    async def _at_rate(self, begun: float, rate: float) -> None:
        for number in range(int((self._crowd.warm_up_s + self._crowd.seconds) * rate)):
            due = begun + number / rate
            if (ahead := due - perf_counter()) > 0:
                await asyncio.sleep(ahead)
            if due >= self._start:
                self._late.append(max(0.0, perf_counter() - due))
            self._ask(self._lines[number % len(self._lines)], due)

    async def _drained(self) -> None:
        if self._outstanding:
            self._quiet.clear()
            with suppress(TimeoutError):
                await asyncio.wait_for(self._quiet.wait(), PATIENCE_S)

    def _ask(self, line: Line, due: float) -> None:
        request = self._requests[self._sent % len(self._requests)]
        self._sent += 1
        self._outstanding += 1
        line.ask(request, due)

    def _done(self, line: Line, due: float, status: int, well: bool) -> None:
        now = perf_counter()
        self._outstanding -= 1
        if not self._outstanding:
            self._quiet.set()
        if due >= self._start if self._crowd.rate else self._start <= now < self._end:
            if well:
                self._times.append(now - due)
            elif status in SHED:
                self._shed += 1
            else:
                self._failed += 1
        if status == 0:
            self._reopening.add(asyncio.get_running_loop().create_task(self._reopen(line)))
        if self._crowd.rate is None and now < self._end:
            if status in SHED:
                asyncio.get_running_loop().call_later(AFTER_SHED_S, lambda: self._ask(line, perf_counter()))
            else:
                self._ask(line, perf_counter())

    def _forget(self) -> None:
        for line in self._lines:
            line.answers = 0

    async def _reopen(self, line: Line) -> None:
        while True:
            try:
                return await self._open(line)
            except OSError:
                await asyncio.sleep(AFTER_SHED_S)

    async def _open(self, line: Line) -> None:
        await asyncio.get_running_loop().create_connection(lambda: line, "127.0.0.1", self._crowd.port)

    def _summary(self) -> Seen:
        now = perf_counter()
        starved = [line for line in self._lines if line.answers == 0]
        # At a rate whatever is outstanding was given up; else every connection waits, and the starved have all the time.
        waiting = self._lines if self._crowd.rate else starved
        given_up = [now - due for line in waiting for due in line.outstanding() if due >= self._start or not self._crowd.rate]
        for line in self._lines:
            line.close()
        p50, p95, p99 = (_percentile([*self._times, *given_up], part) * 1000 for part in (0.5, 0.95, 0.99))
        return Seen(
            answered=len(self._times),
            shed=self._shed,
            failed=self._failed,
            unanswered=len(given_up),
            starved=len(starved),
            seconds=self._crowd.seconds,
            p50=p50,
            p95=p95,
            p99=p99,
            late=_percentile(self._late, 0.95) * 1000,
        )


def _length(head: bytes) -> int:
    for line in head.split(b"\r\n")[1:]:
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            return int(value)
    raise ValueError("an answer without a Content-Length")


def _percentile(times: list[float], part: float) -> float:
    """The least time that so large a part does not exceed; not a number where there is none."""
    ordered = sorted(times)
    return ordered[min(len(ordered) - 1, int(part * len(ordered)))] if ordered else float("nan")


def main() -> None:
    """The crowd of standard input."""
    crowd = Crowd(**json.load(sys.stdin))
    gc.freeze()
    gc.disable()
    print(json.dumps(asdict(uvloop.run(Run(crowd).seen()))))


if __name__ == "__main__":
    main()
