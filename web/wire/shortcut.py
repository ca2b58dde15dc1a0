"""Kept answers, and refusals of a server that is full, sent by the protocol itself: without a task between bytes and bytes.

An ASGI application that does nothing but send bytes from memory takes 42 us for a request here, most of it for the cycle and
the task around it. A request that was answered before (``web/caching/remembered.py``) and whose answer is fresh in memory
needs neither. Nor does one that would be sent away because too many are being answered: it would be read, parsed, estimated
and refused at a third of the price of an answer, and a thousand connections that ask 500 times a second left 71
answers a second. Whatever is not quite so simple becomes a request as usual, as soon as its short body is there.
"""

import time
from typing import Any

from uvicorn.protocols.http.httptools_impl import STATUS_LINE

from cache.encoding import Encoding
from cache.entry import Entry
from core.errors import Overloaded, Unauthenticated
from core.viewer import Viewer
from web.auth.authenticator import Authenticator
from web.auth.credential import CREDENTIALS, credential_of
from web.caching.headers import etag_of, lasting_headers, passing_headers, ready_encoding
from web.caching.remembered import LONGEST_BODY, Answered, is_plain, question_of
from web.http.call import Call, headers_of
from web.http.errors import app_error, error_reply
from web.http.negotiation import GRAPHQL, JSON, best
from web.http.reply import RawHeaders, Reply
from web.http.validator import matches
from web.limits.client import client_named, peer_of
from web.limits.gate import BUSY
from web.middleware.request_id import request_id_of
from web.middleware.security_headers import SECURITY, hsts_of
from web.wire.joined import Joined
from web.wire.one_protocol import OneProtocol

BUSY_ERROR = app_error(Overloaded(BUSY))
BUSY_HEADERS: RawHeaders = [(b"vary", b"Accept"), (b"retry-after", b"1")]
# What makes a request one that the protocol or the application has to look at.
NOT_SHORT = frozenset({b"expect", b"transfer-encoding", b"content-encoding", b"upgrade"})


class ShortcutProtocol(OneProtocol):
    """uvicorn's protocol, which answers what it can by itself."""

    # Of the request that is being read: its version; and of all of them, how many pieces of bodies have come.
    version = "1.1"
    pieces = 0
    # A request that may be answered here, and its body so far; None for any other.
    _held: tuple[Call, list[bytes]] | None = None
    # Of the request before: what it said of who asks, and the name of that; and whom all of them are counted for.
    _said: RawHeaders | None = None
    _name: bytes | None = None
    _peer: str | None = None

    def on_headers_complete(self) -> None:
        """The head is whole: a request that may be answered here waits for its body."""
        call = Call(self.scope["state"], self.parser.get_method().decode("ascii"), headers_of(self.headers))  # type: ignore[arg-type]
        if self._may_be_short(call):
            self._held = call, []
        else:
            self._begin()

    def on_body(self, body: bytes) -> None:
        """More of the body."""
        self.pieces += 1
        if self._held is None:
            super().on_body(body)
        else:
            self._held[1].append(body)

    def on_message_complete(self) -> None:
        """The request is whole: it is answered now, or becomes one like any other."""
        if self._held is None:
            super().on_message_complete()
            return
        (call, pieces), self._held = self._held, None
        body = b"".join(pieces)
        call.state["started"] = time.perf_counter()
        if not self._answer(call, body) and not self._send_away(call):
            self.go_on(call, body)

    def shutdown(self) -> None:
        """The server goes down: a request that waits for its short body becomes one like any other, for which uvicorn waits."""
        if self._held is not None:
            (_, pieces), self._held = self._held, None
            self._begin()
            for each in pieces:
                super().on_body(each)
        super().shutdown()

    def go_on(self, call: Call, body: bytes) -> None:
        """Makes a request for the application of what has come, and was not answered here."""
        self._begin()
        if body:
            super().on_body(body)
        super().on_message_complete()

    def _begin(self) -> None:
        """Makes a request of what has come, whose response is written in one piece."""
        self._unset_keepalive_if_required()
        super().on_headers_complete()
        # Nothing is written behind the head of an answer to HEAD: it would be kept while the next one is written.
        if self.cycle is not None and self.cycle.transport is self.transport and self.scope["method"] != "HEAD":
            self.cycle.transport = Joined(self.transport)  # type: ignore[assignment]

    def _may_be_short(self, call: Call) -> bool:
        headers = call.headers
        length, connection = call.length, headers.get(b"connection", b"keep-alive")
        is_idle = self.cycle is None or self.cycle.response_complete
        return (
            is_idle
            and self.url.startswith(b"/graphql")
            and call.method in ("GET", "POST")
            and length is not None
            and length <= LONGEST_BODY
            and connection.lower() == b"keep-alive"
            and NOT_SHORT.isdisjoint(headers)
            and self.scheme == "http"
            and self.version == "1.1"
            and self.parser.should_keep_alive()  # Proxy-Connection has a say in it
        )

    def _answer(self, call: Call, body: bytes) -> bool:
        """Whether the request has been answered. If not, what decides about it is in its state, if that is known."""
        state, headers = call.state, call.headers
        viewer = self._viewer(state["authenticator"])
        if viewer is None or self.flow.write_paused or self.transport.is_closing():
            return False
        question = state["deciding"] = question_of(call.method, self.url, body, self.headers, viewer)
        answered = state["remembered"].find(question)
        if answered is None or not is_plain(headers) or is_for_cors(call):
            return False
        entry = state["responses"].find(answered.key)
        if entry is None:
            state["responses"].foresee(answered.key)
            return False
        encoding = ready_encoding(entry, headers.get(b"accept-encoding", b""))
        standing = self._standing(viewer, call) if encoding is not None and state["throttle"].is_on else []
        if encoding is None or standing is None:
            return False
        told = [*standing, *self.told(call, self.scope, request_id_of(headers))]
        self.respond(self.kept(entry, answered, encoding, call, told))
        return True

    def _send_away(self, call: Call) -> bool:
        """Whether the server is too busy, and the client has been told so. A page of another site needs CORS to read that."""
        state, headers, is_for_page = call.state, call.headers, self.url == b"/graphql" and call.method == "GET"
        if not state["gate"].is_full or is_for_page or is_for_cors(call):
            return False
        media_type = best(headers.get(b"accept", b"").decode("latin-1"), (JSON, GRAPHQL)) or JSON
        reply = error_reply(Overloaded.status, BUSY_ERROR, media_type, BUSY_HEADERS)
        state["traffic"].turn_away(reply.status)
        self.respond(self.written(reply, self.told(call, self.scope, request_id_of(headers))))
        return True

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

    def _standing(self, viewer: Viewer, call: Call) -> RawHeaders | None:
        """Counts the request; None if the throttle has to be asked properly."""
        found: RawHeaders | None = call.state["throttle"].admit_cached(client_named(viewer, self.peer(call, self.scope)))
        return found

    def peer(self, call: Call, scope: Any) -> str:
        """Whom a request without a viewer is counted for: the same for all of a connection, unless a proxy says otherwise."""
        if b"x-forwarded-for" in call.headers:
            return peer_of(scope, call.state["settings"])
        if self._peer is None:
            self._peer = peer_of(scope, call.state["settings"])
        return self._peer

    def told(self, call: Call, scope: Any, request_id: bytes) -> RawHeaders:
        """What uvicorn and middleware add to an answer to this request, but for ``SECURITY``."""
        by_tls = hsts_of(scope) if b"x-forwarded-proto" in call.headers else []  # a proxy's: here is none
        return [*self.server_state.default_headers, *by_tls, (b"x-request-id", request_id)]

    def kept(self, entry: Entry, answered: Answered, encoding: Encoding, call: Call, told: RawHeaders) -> bytes:
        """The answer that is kept, or that the client has it already, as it is written; ``told`` is of this request only."""
        state = call.state
        is_known = call.method == "GET" and matches(call.headers.get(b"if-none-match"), etag_of(entry, encoding))
        form = b"" if is_known else state["responses"].form(entry, encoding)
        head = entry.heads.get((answered.media_type, encoding, is_known))
        if head is None:
            reply = Reply(304 if is_known else 200, lasting_headers(entry, answered.media_type, encoding, "HIT"), form)
            head = entry.heads[answered.media_type, encoding, is_known] = _head(reply)
        passing = passing_headers(entry, state["reuse"], state["started"])
        return b"".join((head, _joined([*passing, *told]), b"\r\n", form))

    def written(self, reply: Reply, told: RawHeaders) -> bytes:
        """An answer as it is written."""
        return b"".join((_head(reply), _joined(told), b"\r\n", reply.body))

    def respond(self, written: bytes, *, is_last: bool = False) -> None:
        """Writes an answer, and goes on with the next request, unless it ``is_last``: then nothing that waits is begun."""
        self.transport.write(written)
        if is_last:
            self.transport.close()
        self.on_response_complete()


def is_for_cors(call: Call) -> bool:
    """Whether CORS has a say in the answer: where no other site is allowed, ``Origin`` makes no difference."""
    return b"origin" in call.headers and bool(call.state["settings"].cors_origins)


def _head(reply: Reply) -> bytes:
    """The beginning of a head, which may be kept."""
    return STATUS_LINE[reply.status] + _joined([*reply.lines, *SECURITY])


def _joined(headers: RawHeaders) -> bytes:
    return b"".join([b"%s: %s\r\n" % pair for pair in headers])
