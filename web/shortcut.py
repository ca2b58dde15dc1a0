"""Kept answers, and refusals of a server that is full, sent by the protocol itself: without a task between bytes and bytes.

An ASGI application that does nothing but send bytes from memory takes 42 us for a request here, most of it for the cycle and
the task around it. A request that was answered before (``web/cached.py`` says what that is) and whose answer is fresh in
memory needs neither. Nor does one that would be sent away because too many are being answered: it would be read, parsed,
estimated and refused at a third of the price of an answer, and a thousand connections that ask 500 times a second left 71
answers a second. Whatever is not quite so simple becomes a request as usual, as soon as its short body is there.
"""

import time
from collections.abc import Mapping

import orjson
from starlette.types import Scope
from uvicorn.protocols.http.httptools_impl import STATUS_LINE

from cache.encoding import Encoding
from cache.entry import Entry
from core.errors import Overloaded, Unauthenticated
from core.viewer import Viewer
from web.authenticator import Authenticator
from web.cached import (
    LONGEST_BODY,
    Asked,
    RawHeaders,
    etag_of,
    is_plain,
    lasting_headers,
    matches,
    passing_headers,
    question_of,
    ready_encoding,
)
from web.client import client_named, peer_of
from web.credential import CREDENTIALS, credential_of
from web.errors import app_error
from web.gate import BUSY
from web.joined import Joined
from web.middleware.request_id import request_id_of
from web.middleware.security_headers import SECURITY
from web.negotiation import GRAPHQL, JSON, best
from web.one_protocol import OneProtocol
from web.throttle import Throttle

BUSY_BODY = orjson.dumps({"errors": [app_error(Overloaded(BUSY))]})
BUSY_HEADERS: RawHeaders = [
    (b"content-length", b"%d" % len(BUSY_BODY)),
    (b"cache-control", b"no-store"),
    (b"vary", b"Accept"),
    (b"retry-after", b"1"),
]
# What makes a request one that the protocol or the application has to look at.
NOT_SHORT = frozenset({b"expect", b"transfer-encoding", b"content-encoding", b"upgrade", b"connection"})


class ShortcutProtocol(OneProtocol):
    """uvicorn's protocol, which answers what it can by itself."""

    # The body so far of a request that may be answered here; None for any other.
    _held: list[bytes] | None = None
    # Of the request before: what it said of who asks, the name of that, and whom it was counted for if it had no viewer.
    _said: RawHeaders | None = None
    _name: bytes | None = None
    _peer: str | None = None

    def on_headers_complete(self) -> None:
        """The head is whole: a request that may be answered here waits for its body."""
        if self._may_be_short():
            self._held = []
        else:
            self._begin()

    def on_body(self, body: bytes) -> None:
        """More of the body."""
        if self._held is None:
            super().on_body(body)
        else:
            self._held.append(body)

    def on_message_complete(self) -> None:
        """The request is whole: it is answered now, or becomes one like any other."""
        if self._held is None:
            super().on_message_complete()
            return
        body, self._held = b"".join(self._held), None
        if not self._answer(body) and not self._send_away():
            self._begin()
            if body:
                super().on_body(body)
            super().on_message_complete()

    def send_kept(
        self, scope: Scope, entry: Entry, asked: Asked, encoding: Encoding, standing: RawHeaders, started: float
    ) -> bool:
        """Answers a request that the application has in hand, if it is the one whose turn it is.

        uvicorn looks at each header with two regular expressions: of 168 us for an answer from Redis 20 go this way.
        """
        cycle = self.cycle
        if cycle is None or cycle.scope is not scope or not cycle.keep_alive or cycle.disconnected or scope["method"] == "HEAD":
            return False
        cycle.response_started = cycle.response_complete = True
        cycle.message_event.set()
        if isinstance(cycle.transport, Joined):
            cycle.transport.flush()  # a "100 Continue", which is no answer after the answer
        passing = [*standing, *passing_headers(entry, self.app_state["reuse"], started)]
        self._write(entry, asked, encoding, dict(scope["headers"]), passing, scope["method"])
        return True

    def _begin(self) -> None:
        """Makes a request of what has come, whose response is written in one piece."""
        self._unset_keepalive_if_required()
        super().on_headers_complete()
        if self.cycle is not None and self.cycle.transport is self.transport:
            self.cycle.transport = Joined(self.transport)  # type: ignore[assignment]

    def _may_be_short(self) -> bool:
        method = self.parser.get_method()
        if not self.url.startswith(b"/graphql") or method not in (b"GET", b"POST") or self.scheme != "http":
            return False
        length = b"0"
        for name, value in self.headers:
            if name in NOT_SHORT and (name, value.lower()) != (b"connection", b"keep-alive"):
                return False
            if name == b"content-length":
                length = value
        is_idle = self.cycle is None or self.cycle.response_complete
        return is_idle and length.isdigit() and int(length) <= LONGEST_BODY and self.parser.get_http_version() == "1.1"

    def _answer(self, body: bytes) -> bool:
        """Whether the request has been answered."""
        started, state = time.perf_counter(), self.app_state
        viewer = self._viewer(state["authenticator"])
        if viewer is None or self.flow.write_paused or self.transport.is_closing():
            return False
        method = self.parser.get_method().decode("ascii")
        question = question_of(method, self.url, body, self.headers, viewer)
        asked: Asked | None = state["remembered"].find(question)
        headers = dict(self.headers)
        self.scope["state"]["deciding"] = question
        if asked is None or not is_plain(headers):
            return False
        entry: Entry | None = state["responses"].find(asked.key)
        if entry is None:
            state["responses"].foresee(asked.key)
            return False
        encoding = ready_encoding(entry, headers.get(b"accept-encoding", b""))
        standing = None if encoding is None else self._standing(viewer, headers)
        if encoding is None or standing is None:
            return False
        self._write(entry, asked, encoding, headers, [*standing, *passing_headers(entry, state["reuse"], started)], method)
        return True

    def _send_away(self) -> bool:
        """Whether the server is too busy, and the client has been told so. A page of another site needs CORS to read that."""
        state, headers = self.app_state, dict(self.headers)
        if not state["gate"].is_full or self._is_for_page() or b"origin" in headers:
            return False
        media_type = best(headers.get(b"accept", b"").decode("latin-1"), (JSON, GRAPHQL)) or JSON
        lasting = [(b"content-type", f"{media_type}; charset=utf-8".encode()), *BUSY_HEADERS, *SECURITY]
        state["traffic"].add(0.0, 503)
        self._respond(STATUS_LINE[503] + _lines(lasting), [], BUSY_BODY, headers)
        return True

    def _is_for_page(self) -> bool:
        return self.url == b"/graphql" and self.parser.get_method() == b"GET"

    def _viewer(self, authenticator: Authenticator) -> Viewer | None:
        """Who asks: nearly always with what was in the headers of the request before, which has been read."""
        if authenticator.is_off:
            return authenticator.known(None)
        said = [pair for pair in self.headers if pair[0] in CREDENTIALS]
        if said != self._said:
            try:
                credential = credential_of(said)
            except Unauthenticated:
                return None
            self._said, self._name = said, None if credential is None else authenticator.name_of(credential)
        return None if self._name is None else authenticator.known_by(self._name)

    def _standing(self, viewer: Viewer, headers: Mapping[bytes, bytes]) -> RawHeaders | None:
        """Counts the request; None if the throttle has to be asked properly."""
        throttle: Throttle = self.app_state["throttle"]
        if not throttle.is_on:
            return []
        if self._peer is None or b"x-forwarded-for" in headers:
            self._peer = peer_of(self.scope, self.app_state["settings"])  # type: ignore[arg-type]
        found = throttle.admit_cached(client_named(viewer, self._peer))
        if b"x-forwarded-for" in headers:
            self._peer = None
        return found

    def _write(
        self, entry: Entry, asked: Asked, encoding: Encoding, headers: Mapping[bytes, bytes], passing: RawHeaders, method: str
    ) -> None:
        is_known = method == "GET" and matches(headers.get(b"if-none-match"), etag_of(entry, encoding))
        form = b"" if is_known else self.app_state["responses"].form(entry, encoding)
        head = entry.heads.get((asked.media_type, encoding, is_known))
        if head is None:
            lasting = [*lasting_headers(entry, asked.media_type, encoding, "HIT"), *SECURITY]
            if not is_known:
                lasting.append((b"content-length", b"%d" % len(form)))
            head = entry.heads[asked.media_type, encoding, is_known] = STATUS_LINE[304 if is_known else 200] + _lines(lasting)
        self._respond(head, passing, form, headers)

    def _respond(self, head: bytes, passing: RawHeaders, body: bytes, headers: Mapping[bytes, bytes]) -> None:
        """Writes an answer whose head lacks the headers that are of this request only, and waits for the next one."""
        told = [*self.server_state.default_headers, *passing, (b"x-request-id", request_id_of(headers))]
        self.transport.write(b"".join((head, _lines(told), b"\r\n", body)))
        self.on_response_complete()


def _lines(headers: RawHeaders) -> bytes:
    return b"".join([b"%s: %s\r\n" % pair for pair in headers])
