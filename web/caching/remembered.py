"""Answers from the cache on the shortest way: a request that is byte for byte one that was answered before needs no reading.

What decides about the answer (path, query string, body, and the headers that the endpoint looks at) is remembered with the
key of the answer; if that is in the cache and fresh, the protocol sends it (``web/wire/shortcut.py``), and nothing else runs.
"""

from collections import OrderedDict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from core.viewer import Viewer
from web.middleware.cors import PREFLIGHT_HEADERS

# All that decides about the answer to a request; the one who asks is at this place.
Question: TypeAlias = tuple[Any, ...]
VIEWER = 3
# A longer body is a text that no client repeats for its speed.
LONGEST_BODY = 16_384
REMEMBERED = 4_096
REMEMBERED_BYTES = 16_000_000
# Who asks is decided before, and is part of the question.
DECIDING = frozenset({b"accept", b"content-type", *PREFLIGHT_HEADERS})


@dataclass(frozen=True, slots=True)
class Answered:
    """What a remembered request was answered with: the key of the answer, and as which media type."""

    key: bytes
    media_type: bytes


class Remembered:
    """Requests that the endpoint has answered from the cache or into it, by all that decides about the answer."""

    def __init__(self) -> None:
        self._answered: OrderedDict[Question, Answered] = OrderedDict()
        self._bytes = 0
        self.find = self._answered.get  # what a request is answered with, if it was answered before

    def clear(self) -> None:
        """Forgets all of them."""
        self._answered.clear()
        self._bytes = 0

    def add(self, request: Question, answered: Answered) -> None:
        """Remembers a request; the oldest of too many is forgotten."""
        if request not in self._answered:
            self._bytes += _size(request)
        self._answered[request] = answered
        while len(self._answered) > REMEMBERED or self._bytes > REMEMBERED_BYTES:
            self._bytes -= _size(self._answered.popitem(last=False)[0])


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
