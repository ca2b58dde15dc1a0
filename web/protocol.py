"""uvicorn's HTTP protocol with bounds on what comes before any request is one: connections, heads, URLs, and time.

httptools gathers a header however long it is, and uvicorn waits for the rest of a head or body however long that takes:
one client with two thousand slow connections would hold them for ever. A request that arrives as a whole, as nearly all
do, costs no timer here.
"""

from asyncio import Protocol, TimerHandle, Transport
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, cast

from core.settings import Settings
from web.errors import error_reply
from web.middleware.request_id import request_id_of
from web.straight import CLOSE, StraightProtocol, Turn

MOST_HEADERS = 100
# Requests that wait on one line for those before them: each is an object of 3 KB, whatever its size.
MOST_WAITING = 100
# So long a client has to read why it was refused, while what it still sends is thrown away.
LINGER_S = 1.0
# Status, code and message of what is refused here.
NOT_HTTP = 400, "BAD_REQUEST", "This is not HTTP/1.1, or its method is unknown."
NO_HOST = 400, "BAD_REQUEST", "A request of HTTP/1.1 names its Host, once."
URL_TOO_LONG = 414, "URL_TOO_LONG", "The URL is too long. Send the query by POST."
HEAD_TOO_LARGE = 431, "HEADERS_TOO_LARGE", "The headers are too large."
TOO_SLOW = 408, "REQUEST_TIMEOUT", "The request did not arrive in time."
QUEUE_FULL = 503, "OVERLOADED", "Too many requests wait on this connection. Wait for their answers first."
TOO_MANY = 503, "OVERLOADED", "Too many connections are open. Try again in a moment."


@dataclass(frozen=True, slots=True)
class Bounds:
    """The most there may be of each."""

    connections: int
    head_bytes: int
    url_bytes: int
    head_s: float
    body_s: float


class _Refused(Exception):
    """A head that is out of bounds; httptools hands it on as the cause of an error of its own."""


class BoundedProtocol(StraightProtocol):
    """One connection."""

    def __init__(self, *args: Any, bounds: Bounds, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._bounds = bounds
        self._refusal = NOT_HTTP
        self._is_refused = False
        self._waits_for = "head"
        self._message = 0
        self._head_bytes = 0
        self._timer: TimerHandle | None = None
        self._timed: tuple[str, int] | None = None
        self.on_lost: Callable[[], object] | None = None

    def connection_made(self, transport: Transport) -> None:  # type: ignore[override]
        """Takes the connection, unless there are too many. Its first head is to come in time."""
        super().connection_made(transport)
        if len(self.connections) > self._bounds.connections:
            self._refuse(TOO_MANY)
        else:
            self._watch()

    def connection_lost(self, exc: Exception | None) -> None:
        """The connection has gone, and whoever works for it is told."""
        self._stop()
        self._tell_lost()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Takes what has come; starts or stops the clock for what is still missing."""
        if self._is_refused or self.transport.is_closing():
            return
        is_in_head, before = self._waits_for == "head", self._message
        super().data_received(data)
        if self._is_refused or self.transport.is_closing():
            return
        is_idle = self.cycle is None or self.cycle.response_complete
        if not self._waits_for and is_idle and self.idle_since is None:
            self._waits_for = "head"  # empty lines before it, which end uvicorn's patience with an idle connection
        if self._waits_for == "head":
            # Of a head that is whole the exact size is known; this is for one that does not end.
            self._head_bytes = self._head_bytes + len(data) if is_in_head and before == self._message else 0
            if self._head_bytes > self._bounds.head_bytes + self._bounds.url_bytes:
                self._refuse(HEAD_TOO_LARGE)
                return
        self._watch()

    def on_message_begin(self) -> None:
        """A head begins."""
        super().on_message_begin()
        self.scope["state"]["line"] = self
        self._waits_for = "head"
        self._message += 1

    def on_headers_complete(self) -> None:
        """A head is whole: it becomes a request if it is within bounds."""
        if self.offers_another():
            return
        self._waits_for = "body"
        size, hosts = 0, 0
        for name, value in self.headers:
            size += len(name) + len(value) + 4
            hosts += name == b"host"
        if hosts != 1 and self.parser.get_http_version() == "1.1":  # RFC 9112, section 3.2
            self._refusal = NO_HOST
        elif len(self.pipeline) >= MOST_WAITING:
            self._refusal = QUEUE_FULL
        elif len(self.url) > self._bounds.url_bytes:
            self._refusal = URL_TOO_LONG
        elif size > self._bounds.head_bytes or len(self.headers) > MOST_HEADERS:
            self._refusal = HEAD_TOO_LARGE
        else:
            super().on_headers_complete()
            return
        raise _Refused

    def on_message_complete(self) -> None:
        """A request is whole."""
        if self.offers_another():
            return
        self._waits_for = ""
        super().on_message_complete()

    def send_400_response(self, msg: str) -> None:
        """Refuses what the parser stumbled over; ``msg`` is uvicorn's, and not for clients."""
        self._refuse(self._refusal)

    def _watch(self) -> None:
        """Sees to it that the clock runs for what is being waited for, and for nothing else."""
        waiting = (self._waits_for, self._message) if self._waits_for else None
        if waiting == self._timed:
            return
        self._stop()
        if waiting is not None:
            seconds = self._bounds.head_s if self._waits_for == "head" else self._bounds.body_s
            self._timer, self._timed = self.loop.call_later(seconds, self._late), waiting

    def _stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._timed = None

    def _late(self) -> None:
        self._timer = self._timed = None
        is_in_body = self._waits_for == "body" and self._held is None
        is_answered = is_in_body and self.cycle is not None and self.cycle.response_complete
        if not self._message or is_answered:
            self.transport.close()
        elif not self.transport.is_closing():
            self._refuse(TOO_SLOW)

    def _refuse(self, refusal: tuple[int, str, str]) -> None:
        """Answers, unless another answer is on its way, and closes."""
        self._stop()
        self._is_refused = True
        if self.cycle is not None and not self.cycle.response_complete:
            if self.cycle.response_started:
                self.transport.close()
                return
            self.cycle.disconnected = True
            self.cycle.message_event.set()
            self._tell_lost()
        status, code, message = refusal
        more = [(b"retry-after", b"1")] if status == 503 else []
        reply = error_reply(status, {"message": message, "extensions": {"code": code}}, more=more)
        self.transport.write(self.written(reply, [(b"x-request-id", request_id_of({})), CLOSE]))
        if refusal in (HEAD_TOO_LARGE, NOT_HTTP, NO_HOST, QUEUE_FULL, URL_TOO_LONG) and self.transport.can_write_eof():
            # To close on what has not been read would reset the connection, and take the answer along.
            self.transport.write_eof()
            self._timer = self.loop.call_later(LINGER_S, self.transport.close)
        else:
            self.transport.close()

    def has_lost(self, turn: Turn) -> bool:
        """Whether the client has gone, or was refused meanwhile: that was the last word."""
        return self._is_refused or super().has_lost(turn)

    def _tell_lost(self) -> None:
        if self.on_lost is not None:
            self.on_lost()


def bounded_protocol(settings: Settings) -> type[Protocol]:
    """What uvicorn makes of each connection: called as a class would be. It can be pickled, for worker processes."""
    bounds = Bounds(
        connections=settings.max_connections,
        head_bytes=settings.max_header_bytes,
        url_bytes=settings.max_url_bytes,
        head_s=settings.head_timeout_s,
        body_s=settings.body_timeout_s,
    )
    return cast(type[Protocol], partial(BoundedProtocol, bounds=bounds))
