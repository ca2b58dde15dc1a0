"""Answers from the cache on the shortest way: a request that is byte for byte one that was answered before needs no reading.

What decides about the answer (path, query string, body, and the headers that the endpoint looks at) is remembered with the
key of the answer; if that is in the cache and fresh, the protocol sends it (``web/shortcut.py``), and nothing else runs.
"""

import time
from collections import OrderedDict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from cache.encoding import LARGE_BYTES, SMALLEST_BYTES, Encoding
from cache.entry import Entry, Outcome
from core.viewer import Viewer
from web.middleware.cors import PREFLIGHT_HEADERS
from web.negotiation import best_encoding
from web.reply import RawHeaders
from web.reuse import Reuse, age_s

# All that decides about the answer to a request; the one who asks is at this place.
Question: TypeAlias = tuple[Any, ...]
VIEWER = 3
# A longer body is a text that no client repeats for its speed.
LONGEST_BODY = 16_384
REMEMBERED = 4_096
REMEMBERED_BYTES = 16_000_000
# Who asks is decided before, and is part of the question.
DECIDING = frozenset({b"accept", b"content-type", *PREFLIGHT_HEADERS})
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
        self._bytes = 0
        self.find = self._asked.get  # what a request is answered with, if it was answered before

    def clear(self) -> None:
        """Forgets all of them."""
        self._asked.clear()
        self._bytes = 0

    def add(self, request: Question, asked: Asked) -> None:
        """Remembers a request; the oldest of too many is forgotten."""
        if request not in self._asked:
            self._bytes += _size(request)
        self._asked[request] = asked
        while len(self._asked) > REMEMBERED or self._bytes > REMEMBERED_BYTES:
            self._bytes -= _size(self._asked.popitem(last=False)[0])


def _size(request: Question) -> int:
    _, url, body, _, *headers = request
    return len(url) + len(body) + sum(len(name) + len(value) for name, value in headers)


def question_of(
    method: str, url: bytes, body: bytes, headers: Iterable[tuple[bytes, bytes]], viewer: Viewer
) -> Question:
    """All that decides about the answer to a request."""
    return (method, url, body, viewer, *[pair for pair in headers if pair[0] in DECIDING])


def is_plain(headers: Mapping[bytes, bytes]) -> bool:
    """Whether an answer that was made before is good enough for a request."""
    return b"x-request-timeout" not in headers and b"no-cache" not in headers.get(b"cache-control", b"").lower()


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
    age = age_s(entry)
    return [
        (b"age", b"%d" % age),
        (b"cache-control", reuse.cache_control(entry, age)),
        (b"x-response-time", b"%.2fms" % ((time.perf_counter() - started) * 1000)),
    ]
