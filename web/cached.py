"""Answers from the cache on the shortest way: a request that is byte for byte one that was answered before needs no reading.

Outermost of all middleware. What decides about an answer (path, query string, body, and the headers that the endpoint
looks at) is remembered with the key of the answer; if that is in the cache and fresh, it is sent, and nothing else runs.
Everything else goes on to the endpoint, untouched.
"""

import random
import time
from collections import OrderedDict
from dataclasses import dataclass
from itertools import count
from typing import Any, TypeAlias

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from cache.encoding import SMALLEST_BYTES, Encoding, best_encoding
from cache.entry import Entry, Outcome
from cache.responses import ResponseCache
from web.graphql_request import PREFLIGHT_HEADERS
from web.middleware.request_id import SAFE
from web.middleware.security_headers import HEADERS

RawHeaders: TypeAlias = list[tuple[bytes, bytes]]
# A longer body is a text that no client repeats for its speed.
LONGEST_BODY = 16_384
REMEMBERED = 4_096
DECIDING = frozenset({b"accept", b"content-type", b"authorization", *(name.encode() for name in PREFLIGHT_HEADERS)})
SECURITY: RawHeaders = [(name.lower().encode(), value.encode()) for name, value in HEADERS.items()]
VARY = (b"vary", b"Accept, Accept-Encoding, Authorization")
SUFFIXES: dict[Encoding, str] = {"identity": "", "br": "-br", "gzip": "-gz"}
_process = f"{random.SystemRandom().getrandbits(64):016x}"
_numbers = count(1)


@dataclass(frozen=True, slots=True)
class Asked:
    """What a remembered request is answered with: the key of the answer, and as which media type."""

    key: bytes
    media_type: bytes


class Remembered:
    """Requests that the endpoint has answered from the cache or into it, by all that decides about the answer."""

    def __init__(self) -> None:
        self._asked: OrderedDict[tuple[object, ...], Asked] = OrderedDict()

    def find(self, request: tuple[object, ...]) -> Asked | None:
        """What that request is answered with, if it was answered before."""
        return self._asked.get(request)

    def clear(self) -> None:
        """Forgets all of them."""
        self._asked.clear()

    def add(self, request: tuple[object, ...], asked: Asked) -> None:
        """Remembers a request; the oldest of too many is forgotten."""
        self._asked[request] = asked
        if len(self._asked) > REMEMBERED:
            self._asked.popitem(last=False)


class ServeCached:
    """ASGI middleware; ``state`` has ``responses`` (the cache) and ``remembered``, and gets ``deciding`` for the endpoint."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        if scope["type"] != "http" or not scope["path"].startswith("/graphql"):
            await self.app(scope, receive, send)
            return
        started = time.perf_counter()
        headers: dict[bytes, bytes] = dict(scope["headers"])
        method, body = scope["method"], b""
        if method == "POST":
            length = headers.get(b"content-length", b"")
            if not length.isdigit() or int(length) > LONGEST_BODY:
                await self.app(scope, receive, send)
                return
            body, receive = await _read(receive)
        deciding = tuple(pair for pair in scope["headers"] if pair[0] in DECIDING)
        request = (method, scope["path"], scope["query_string"], body, deciding)
        state = scope["state"]
        cache: ResponseCache = state["responses"]
        asked = None if b"no-cache" in headers.get(b"cache-control", b"") else state["remembered"].find(request)
        entry = None if asked is None else cache.find(asked.key) or await cache.find_shared(asked.key)
        if asked is None or entry is None:
            state["deciding"], state["started"] = request, started
            await self.app(scope, receive, send)
            return
        encoding = encoding_for(entry.made.body, headers.get(b"accept-encoding", b""))
        offered = headers.get(b"x-request-id", b"").decode("latin-1")
        request_id = offered if SAFE.fullmatch(offered) else f"{_process}{next(_numbers):016x}"
        found = [
            *entry_headers(entry, asked.media_type, encoding, "HIT", started),
            *SECURITY,
            (b"x-request-id", request_id.encode()),
        ]
        if method == "GET" and matches(headers.get(b"if-none-match"), etag_of(entry, encoding)):
            await send({"type": "http.response.start", "status": 304, "headers": found})
            await send({"type": "http.response.body", "body": b""})
            return
        form = cache.form(entry, encoding)
        found.append((b"content-length", str(len(form)).encode()))
        await send({"type": "http.response.start", "status": entry.made.status, "headers": found})
        await send({"type": "http.response.body", "body": form})


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
    entry: Entry, media_type: bytes, encoding: Encoding, outcome: Outcome, started: float
) -> RawHeaders:
    """The headers of an answer from the cache, its length and those of the edge left out."""
    found = [
        (b"content-type", media_type),
        (b"etag", etag_of(entry, encoding).encode()),
        (b"cache-control", b"private, no-cache"),
        VARY,
        (b"x-cache", outcome.encode()),
        (b"x-cache-key", entry.key[:16]),
        (b"age", str(max(0, int(time.time() - entry.made_at))).encode()),
        (b"x-response-time", f"{(time.perf_counter() - started) * 1000:.2f}ms".encode()),
    ]
    if encoding != "identity":
        found.append((b"content-encoding", encoding.encode()))
    return found


async def _read(receive: Receive) -> tuple[bytes, Receive]:
    """The body, and a ``receive`` that gives it once more before it goes on."""
    messages: list[Message] = []
    while True:
        message = await receive()
        messages.append(message)
        if message["type"] != "http.request" or not message.get("more_body"):
            break
    body = messages[0].get("body", b"") if len(messages) == 1 else b"".join(each.get("body", b"") for each in messages)
    given = iter(messages)

    async def again() -> Any:
        message = next(given, None)
        return await receive() if message is None else message

    return body, again
