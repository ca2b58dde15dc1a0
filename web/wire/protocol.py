"""uvicorn's HTTP protocol with bounds on what comes before any request is one: connections, heads, URLs, and time.

httptools gathers a header however long it is, and uvicorn waits for the rest of a head or body however long that takes:
one client with two thousand slow connections would hold them for ever. A request that arrives as a whole, as nearly all
do, costs no timer here.

A connection has one protocol, of five classes on top of uvicorn's. Each does one thing and leaves the rest to the next::

    BoundedProtocol     here              refuses: what is too much, too slow, or no HTTP/1.1
    StraightProtocol    straight.py       takes short requests for GraphQL to the endpoint, without ASGI
    ShortcutProtocol    shortcut.py       answers from memory, or that the server is full, without a task
    OneProtocol         one_protocol.py   passes over offers of another protocol
    LineProtocol        line.py           goes on with the next request of the connection, and knows since when it is idle
    HttpToolsProtocol   uvicorn           parses, and makes an ASGI request of all that is left

A request on its way: ``data_received`` parses; ``on_headers_complete`` checks the head (bounded) and keeps a request
that may be short from becoming an ASGI request (shortcut); ``on_message_complete`` answers it from memory, or by ``go_on`` from
the endpoint (straight), or else makes the ASGI request now; ``on_response_complete`` begins the next one (line).
"""

import re
from asyncio import Protocol, TimerHandle, Transport
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeAlias, cast

from core.network import is_local_name
from core.settings import Settings
from web.http.errors import error_reply
from web.middleware.request_id import request_id_of
from web.wire.straight import CLOSE, StraightProtocol

MOST_HEADERS = 100
# Requests that wait on one line for those before them: each is an object of 3 KB, whatever its size.
MOST_WAITING = 100
# So long a client has to read why it was refused, while what it still sends is thrown away.
LINGER_S = 1.0
# Status, code and message of what is refused here.
Refusal: TypeAlias = tuple[int, str, str]
NOT_HTTP = 400, "BAD_REQUEST", "This is not HTTP/1.1, or its method is unknown."
NO_HOST = 400, "BAD_REQUEST", "A request of HTTP/1.1 names its Host, once, as a name or an address and perhaps a port."
OTHER_HOST = (
    421,
    "MISDIRECTED_REQUEST",
    "With AUTH=off this server answers to localhost alone: a page from elsewhere can have its name lead here. Set AUTH, or "
    "AUTH_OFF_ANYWHERE=1.",
)
OTHER_CODING = 501, "NOT_IMPLEMENTED", "The only Transfer-Encoding here is chunked."
URL_TOO_LONG = 414, "URL_TOO_LONG", "The URL is too long. Send the query by POST."
HEAD_TOO_LARGE = 431, "HEADERS_TOO_LARGE", "The headers are too large."
TOO_SLOW = 408, "REQUEST_TIMEOUT", "The request did not arrive in time."
QUEUE_FULL = 503, "OVERLOADED", "Too many requests wait on this connection. Wait for their answers first."
TOO_MANY = 503, "OVERLOADED", "Too many connections are open. Try again in a moment."
# After these the client may still be sending.
UNREAD = (HEAD_TOO_LARGE, NOT_HTTP, NO_HOST, OTHER_HOST, OTHER_CODING, QUEUE_FULL, TOO_SLOW, URL_TOO_LONG)
VERSIONS = ("1.1", "1.0")
# RFC 3986, section 3.2.2, and a port (RFC 9112, section 3.2); empty where the address has no authority.
HOST = re.compile(rb"([\w.~!$&'()*+,;=%-]*|\[[0-9a-fA-F:.]+\])(:\d*)?", re.A)
# An address in absolute form, as proxies get it, and its host, which counts instead of ``Host`` (RFC 9112, section 3.2.2).
ABSOLUTE = re.compile(rb"\Ahttps?://([^/?#]*)", re.I)
# One whose path is empty: it means the root.
PATHLESS = re.compile(rb"\A(https?://[^/?#]*)(\?.*)?\Z", re.I | re.S)


@dataclass(frozen=True, slots=True)
class Bounds:
    """The most there may be of each."""

    connections: int
    head_bytes: int
    url_bytes: int
    head_s: float
    body_s: float
    is_local: bool  # whether the host that is asked for must be this machine


class _Refused(Exception):
    """A head that is out of bounds; httptools hands it on as the cause of an error of its own."""


class BoundedProtocol(StraightProtocol):
    """One connection."""

    def __init__(self, *args: Any, bounds: Bounds, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._bounds = bounds
        self._refusal = NOT_HTTP
        # Once something is refused nothing more is read; it is told when what came before it has been answered.
        self._is_refused = self._is_unread = False
        self._waits_for = "head"
        # Of what is being read: whether its head is whole and within bounds, and its body comes in chunks.
        self._is_request = self._is_chunked = False
        self._message = self._loose_bytes = 0
        self._host = b""
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
        phase, message, pieces = self._waits_for, self._message, self.pieces
        super().data_received(data)
        if self._is_refused or self.transport.is_closing():
            return
        is_idle = self.cycle is None or self.cycle.response_complete
        if not self._waits_for and is_idle and self.idle_since is None:
            self._waits_for = "head"  # empty lines before it, which end uvicorn's patience with an idle connection
        if self._waits_for:
            # The size of a complete head is checked exactly elsewhere. This is for a head that does not end, and for trailers,
            # which httptools gathers without a bound: four clients took 0.5 GB and all of the processor with them.
            is_more = self._waits_for == phase and self._message == message and self.pieces == pieces
            self._loose_bytes = self._loose_bytes + len(data) if is_more else 0
            if self._loose_bytes > self._bounds.head_bytes + self._bounds.url_bytes:
                self._refuse(HEAD_TOO_LARGE)
                return
        self._watch()

    def on_message_begin(self) -> None:
        """A head begins."""
        super().on_message_begin()
        self.scope["state"]["line"] = self
        self._waits_for = "head"
        self._is_request = False
        self._message += 1

    def on_headers_complete(self) -> None:
        """A head is whole: it becomes a request if it is within bounds."""
        if self.offers_another():
            return
        self._waits_for, self.version = "body", self.parser.get_http_version()
        refusal = self._fault()
        if refusal is not None:
            self._refusal = refusal
            raise _Refused
        if not self.url.startswith(b"/"):
            self.url = PATHLESS.sub(rb"\1/\2", self.url)
        if self.version == "1.0":
            self.expect_100_continue = False  # it knows of none (RFC 9110, section 10.1.1)
        super().on_headers_complete()
        self._is_request = True
        if self._is_chunked:
            # Where fields behind the body go. They say nothing here: who asks is known before (RFC 9110, section 6.5.1).
            self.headers = []

    def _fault(self) -> Refusal | None:
        """What is wrong with the head that is there."""
        size, hosts, codings = 0, [], []
        for name, value in self.headers:
            size += len(name) + len(value) + 4
            if name == b"host":
                hosts.append(value)
            elif name == b"transfer-encoding":
                codings.append(value.lower())
        self._is_chunked = codings == [b"chunked"]
        if self.version not in VERSIONS:
            return NOT_HTTP
        if (hosts != [self._host] or not self.url.startswith(b"/")) and (wrong := self._host_fault(hosts)) is not None:
            return wrong
        if codings and not self._is_chunked:
            return OTHER_CODING
        if len(self.pipeline) >= MOST_WAITING:
            return QUEUE_FULL
        if len(self.url) > self._bounds.url_bytes:
            return URL_TOO_LONG
        return HEAD_TOO_LARGE if size > self._bounds.head_bytes or len(self.headers) > MOST_HEADERS else None

    def on_message_complete(self) -> None:
        """A request is whole."""
        if self.offers_another():
            return
        self._waits_for, self._is_request = "", False
        super().on_message_complete()
        if self._is_chunked and not self.parser.should_keep_alive():  # said behind the body: the parser takes nothing more
            self.cycle.keep_alive = False

    def timeout_keep_alive_handler(self) -> None:
        """Closes a line that is idle: not one on which something is on its way, which has a clock of its own."""
        if self._timed is None:
            super().timeout_keep_alive_handler()
        else:
            self.timeout_keep_alive_task = None

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
        if self.flow.read_paused:  # it is not the client who keeps us waiting
            self._watch()
        elif not self._message:
            self.transport.close()
        elif not self.transport.is_closing():
            self._refuse(TOO_SLOW)

    def _refuse(self, refusal: Refusal) -> None:
        """Answers what is being read, after all that came before it (RFC 9112, section 9.3.2), and closes.

        What came before goes on: it may be a change that is made already. What is being read is not whole, so that nothing of
        it has been executed; it may have been begun, or answered, and then there is no more to say.
        """
        self._stop()
        self._is_request, was_request, self._is_refused = False, self._is_request, True
        self._is_unread = refusal in UNREAD
        is_busy = self.cycle is not None and not self.cycle.response_complete
        if was_request and self.pipeline:
            self.pipeline.popleft()
        elif was_request and is_busy:
            if self.cycle.response_started:
                self.transport.close()
                return
            self.cycle.disconnected = True
            self.cycle.message_event.set()
            self._tell_lost()
            is_busy = False
        elif was_request and self._held is None:  # it has had its answer
            self._end(b"")
            return
        status, code, message = refusal
        more = [(b"retry-after", b"1")] if status == 503 else []
        reply = error_reply(status, {"message": message, "extensions": {"code": code}}, more=more)
        told = [*self.server_state.default_headers, (b"x-request-id", request_id_of({})), CLOSE]
        written = self.written(reply, told)
        if self._waits_for == "body" and self.parser.get_method() == b"HEAD":
            written = written.removesuffix(reply.body)
        if is_busy:
            self.at_last = partial(self._end, written)
        else:
            self._end(written)

    def _end(self, written: bytes) -> None:
        """Writes the last answer, and closes."""
        self.transport.write(written)
        if self._is_unread and self.transport.can_write_eof():
            # To close on what has not been read would reset the connection, and take the answer along.
            self.transport.write_eof()
            self._timer = self.loop.call_later(LINGER_S, self.transport.close)
        else:
            self.transport.close()

    def _host_fault(self, hosts: list[bytes]) -> Refusal | None:
        """What is wrong with how a request says to which host it goes; the next one on the line will say the same."""
        absolute = ABSOLUTE.match(self.url)
        asked = [absolute[1]] if absolute else hosts
        if not all(map(HOST.fullmatch, {*hosts, *asked})) or (len(hosts) != 1 and (hosts or self.version != "1.0")):
            return NO_HOST
        if self._bounds.is_local and any(host and not is_local_name(host.decode("ascii")) for host in asked):
            return OTHER_HOST
        self._host = b"" if absolute or not hosts else hosts[0]
        return None

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
        is_local=settings.auth == "off" and not settings.auth_off_anywhere,
    )
    return cast(type[Protocol], partial(BoundedProtocol, bounds=bounds))
