"""Answers from the cache on the shortest way: a request that is byte for byte one that was answered before needs no reading.

Outside of everything else. What decides about the answer (path, query string, body, and the headers that the endpoint
looks at) is remembered with the key of the answer; if that is in the cache and fresh, it is sent, and nothing else runs.
Everything else goes on to the application, untouched: also what other middleware has a say in, as a request from another
site, or through a proxy that tells how it came.
"""

import time
from collections import OrderedDict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from cache.encoding import LARGE_BYTES, SMALLEST_BYTES, Encoding, best_encoding
from cache.entry import Entry, Outcome
from core.viewer import Viewer
from web.client import client_of
from web.graphql_request import PREFLIGHT_HEADERS
from web.middleware.request_id import request_id_of
from web.middleware.security_headers import SECURITY
from web.reuse import Reuse, age_s

RawHeaders: TypeAlias = list[tuple[bytes, bytes]]
# All that decides about the answer to a request; the one who asks is at this place.
Question: TypeAlias = tuple[Any, ...]
VIEWER = 3
# A longer body is a text that no client repeats for its speed.
LONGEST_BODY = 16_384
REMEMBERED = 4_096
# Who asks is decided before, and is part of the question.
DECIDING = frozenset({b"accept", b"content-type", *(name.encode() for name in PREFLIGHT_HEADERS)})
ELSEWHERE = frozenset({b"origin", b"x-forwarded-proto", b"x-request-timeout"})
VARY = (b"vary", b"Accept, Accept-Encoding, Authorization, X-API-Key, Origin")
SUFFIXES: dict[Encoding, str] = {"identity": "", "br": "-br", "gzip": "-gz"}


@dataclass(frozen=True, slots=True)
class Asked:
    """What a remembered request is answered with: the key of the answer, and as which media type."""

    key: bytes
    media_type: bytes


class Remembered:
    """Requests that the endpoint has answered from the cache or into it, by all that decides about the answer."""

    def __init__(self) -> None:
        self._asked: OrderedDict[Question, Asked] = OrderedDict()
        self.find = self._asked.get  # what a request is answered with, if it was answered before

    def clear(self) -> None:
        """Forgets all of them."""
        self._asked.clear()

    def add(self, request: Question, asked: Asked) -> None:
        """Remembers a request; the oldest of too many is forgotten."""
        self._asked[request] = asked
        if len(self._asked) > REMEMBERED:
            self._asked.popitem(last=False)


def question_of(
    method: str, url: bytes, body: bytes, headers: Iterable[tuple[bytes, bytes]], viewer: Viewer
) -> Question:
    """All that decides about the answer to a request."""
    return (method, url, body, viewer, *[pair for pair in headers if pair[0] in DECIDING])


def is_plain(headers: Mapping[bytes, bytes]) -> bool:
    """Whether a request asks for nothing but its answer: what any other part of the server has a say in goes there."""
    return ELSEWHERE.isdisjoint(headers) and b"no-cache" not in headers.get(b"cache-control", b"").lower()


class ServeCached:
    """Around the application; ``state`` has ``responses`` and ``remembered``, and gets ``deciding`` for the endpoint."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        if scope["type"] != "http" or not scope["path"].startswith("/graphql") or scope["scheme"] != "http":
            await self.app(scope, receive, send)
            return
        started = time.perf_counter()
        state = scope["state"]
        state["started"] = started
        question = state.get("deciding")  # which the protocol knows already, of a request that is short
        if question is None:
            question, receive = await _question(scope, receive)
        if question is None:
            await self.app(scope, receive, send)
            return
        asked: Asked | None = state["remembered"].find(question)
        headers: dict[bytes, bytes] = dict(scope["headers"])
        if asked is not None and is_plain(headers):
            entry = await state["responses"].find_shared(asked.key)
            encoding = None if entry is None else ready_encoding(entry, headers.get(b"accept-encoding", b""))
            if entry is not None and encoding is not None:
                standing = standing_of(scope, question[VIEWER])
                if standing is not None:
                    await _send(scope, send, entry, asked, encoding, headers, standing, started)
                    return
        state["deciding"] = question
        await self.app(scope, receive, send)


async def _question(scope: Scope, receive: Receive) -> tuple[Question | None, Receive]:
    """What decides about the answer, None if that takes a closer look; and a ``receive`` that gives the whole body again."""
    viewer: Viewer | None = scope["state"]["authenticator"].known_of(scope["headers"])
    if viewer is None:
        return None, receive
    body = b""
    if scope["method"] == "POST":
        length = dict(scope["headers"]).get(b"content-length", b"")
        if not (length.isdigit() and int(length) <= LONGEST_BODY):
            return None, receive
        message = await receive()
        if message.get("more_body") or message["type"] != "http.request":
            body, receive = await _read(message, receive)
        else:
            body, receive = message["body"], _again(message, receive)
    query = scope["query_string"]
    url = b"%s?%s" % (scope["raw_path"], query) if query else scope["raw_path"]
    return question_of(scope["method"], url, body, scope["headers"], viewer), receive


def standing_of(scope: Scope, viewer: Viewer) -> RawHeaders | None:
    """Counts a request that is about to be answered; None if the throttle has to be asked properly."""
    state = scope["state"]
    if not state["throttle"].is_on:
        return []
    state["viewer"] = viewer
    found: RawHeaders | None = state["throttle"].admit_cached(client_of(scope))
    return found


async def _send(
    scope: Scope,
    send: Send,
    entry: Entry,
    asked: Asked,
    encoding: Encoding,
    headers: dict[bytes, bytes],
    standing: RawHeaders,
    started: float,
) -> None:
    state = scope["state"]
    line = state.get("line")
    if line is not None and line.send_kept(scope, entry, asked, encoding, standing, started):
        return
    known = entry.heads.get((asked.media_type, encoding))
    if known is None:
        known = [*lasting_headers(entry, asked.media_type, encoding, "HIT"), *SECURITY]
        entry.heads[asked.media_type, encoding] = known
    found = [*known, *standing, *passing_headers(entry, state["reuse"], started), (b"x-request-id", request_id_of(headers))]
    if scope["method"] == "GET" and matches(headers.get(b"if-none-match"), etag_of(entry, encoding)):
        await send({"type": "http.response.start", "status": 304, "headers": found})
        await send({"type": "http.response.body", "body": b""})
        return
    form = state["responses"].form(entry, encoding)
    found.append((b"content-length", b"%d" % len(form)))
    await send({"type": "http.response.start", "status": entry.made.status, "headers": found})
    await send({"type": "http.response.body", "body": form})


def ready_encoding(entry: Entry, accepted: bytes) -> Encoding | None:
    """The coding to answer in; None if the body is large and has to be compressed first, which is not done here."""
    encoding = encoding_for(entry.made.body, accepted)
    is_there = encoding == "identity" or encoding in entry.forms or len(entry.made.body) < LARGE_BYTES
    return encoding if is_there else None


def encoding_for(body: bytes, accepted: bytes) -> Encoding:
    """The coding that a body is sent in to a client that accepts these."""
    return best_encoding(accepted) if len(body) >= SMALLEST_BYTES else "identity"


def etag_of(entry: Entry, encoding: Encoding) -> str:
    """The strong validator of an answer in one coding (RFC 9110, section 8.8.3)."""
    return f'"{entry.etag}{SUFFIXES[encoding]}"'


def matches(if_none_match: bytes | None, etag: str) -> bool:
    """Whether the client has that representation already (RFC 9110, section 13.1.2)."""
    if if_none_match is None:
        return False
    given = [each.strip().removeprefix("W/") for each in if_none_match.decode("latin-1").split(",")]
    return etag in given or given == ["*"]


def entry_headers(
    entry: Entry, media_type: bytes, encoding: Encoding, outcome: Outcome, reuse: Reuse, started: float
) -> RawHeaders:
    """The headers of an answer from the cache, its length and those of the edge left out."""
    return [*lasting_headers(entry, media_type, encoding, outcome), *passing_headers(entry, reuse, started)]


def lasting_headers(entry: Entry, media_type: bytes, encoding: Encoding, outcome: Outcome) -> RawHeaders:
    """Those that are the same each time."""
    found = [
        (b"content-type", media_type),
        (b"etag", etag_of(entry, encoding).encode()),
        VARY,
        (b"x-cache", outcome.encode()),
        (b"x-cache-key", entry.key[:16]),
    ]
    if encoding != "identity":
        found.append((b"content-encoding", encoding.encode()))
    return found


def passing_headers(entry: Entry, reuse: Reuse, started: float) -> RawHeaders:
    """Those that tell the time."""
    return [
        (b"age", b"%d" % age_s(entry)),
        (b"cache-control", reuse.cache_control(entry)),
        (b"x-response-time", b"%.2fms" % ((time.perf_counter() - started) * 1000)),
    ]


def _again(message: Message, receive: Receive) -> Receive:
    """A ``receive`` that gives the message once more before it goes on."""
    left: list[Message] = [message]

    async def again() -> Any:
        return left.pop() if left else await receive()

    return again


async def _read(message: Message, receive: Receive) -> tuple[bytes, Receive]:
    """The body that begins with that message, and a ``receive`` that gives all of it once more before it goes on."""
    messages = [message]
    while messages[-1]["type"] == "http.request" and messages[-1].get("more_body"):
        messages.append(await receive())
    given = iter(messages)

    async def again() -> Any:
        left = next(given, None)
        return await receive() if left is None else left

    return b"".join(each.get("body", b"") for each in messages), again
