"""What a kept answer is: as it was made, as it is kept, and how often it was good for anything."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field, fields
from typing import Any, Literal, Protocol, TypeAlias

from cache.encoding import Encoding
from core.histogram import make_room

Outcome = Literal["HIT", "MISS", "STALE", "BYPASS"]
# What an entry takes besides its bytes: its tags in two indexes, keys, headers.
OVERHEAD_BYTES = 2_000
# Clocks of machines differ by so much.
SKEW_S = 1.0
# Clients name their documents as they like.
MOST_DOCUMENTS = 500


@dataclass(frozen=True, slots=True)
class Made:
    """An answer as it was made. ``tags`` is None if it must not be kept; times are of ``time.time``.

    ``xmin`` is the oldest transaction that was open when it began to read, ``kept_xmin`` when rows were read that the process
    had kept (``cache/reference.py``), None if there are none of them in it; ``brotli`` is empty for a short body. What
    ``is_unavailable`` could not be made for want of a database. ``etag`` tells the body from any other. ``made_at`` is
    when it was made, by whichever process.
    """

    body: bytes
    status: int
    document: str
    tags: frozenset[str] | None = None
    good_until: float = 0.0
    xmin: int = 0
    kept_xmin: int | None = None
    brotli: bytes = b""
    is_unavailable: bool = False
    etag: str = ""
    made_at: float = 0.0


    def is_good(self, now: float) -> bool:
        """Whether it is not too old, and not of a clock that has been set right since."""
        return self.made_at - SKEW_S <= now < self.good_until


def etag_of(body: bytes) -> str:
    """What tells a body from any other: 128 bits of BLAKE2, in hexadecimal."""
    return hashlib.blake2b(body, digest_size=16).hexdigest()


@dataclass(slots=True)
class Entry:
    """An answer that is kept, with its compressed forms as they are asked for."""

    key: bytes
    made: Made
    etag: str
    hits: int = 0
    forms: dict[Encoding, bytes] = field(default_factory=dict)
    # Whatever a server has worked out for answering with it; goes with the entry.
    heads: dict[object, Any] = field(default_factory=dict)

    @property
    def size(self) -> int:
        """Bytes it takes."""
        return len(self.key) + len(self.made.body) + sum(map(len, self.forms.values())) + OVERHEAD_BYTES


@dataclass(slots=True)
class DocumentStats:
    """How often answers of one document were found, and how often not; ``made`` is how often that took an execution."""

    hits: int = 0
    misses: int = 0
    made: int = 0
    stale: int = 0
    bypassed: int = 0

    @property
    def count(self) -> int:
        """How often one was asked for."""
        return self.hits + self.misses + self.stale + self.bypassed

    def take_in(self, other: "DocumentStats") -> None:
        """Counts what another one has counted as well."""
        for each in fields(self):
            setattr(self, each.name, getattr(self, each.name) + getattr(other, each.name))


class Stats(dict[str, DocumentStats]):
    """Those of each document that was asked for; of too many, the rarest are counted together as ``(others)``."""

    def __missing__(self, name: str) -> DocumentStats:
        make_room(self, MOST_DOCUMENTS, DocumentStats)
        return self.setdefault(name, DocumentStats())


class SharedTier(Protocol):
    """Answers that other processes have made; see ``cache/shared.py``."""

    def ask(self, key: bytes, told: Callable[[Made | None], None]) -> None:
        """``told`` is called, later, with what is kept under the key, by whomever; with None also where the server is away."""

    async def get(self, key: bytes) -> Made | None:
        """The same, to be awaited."""

    async def put(self, key: bytes, made: Made) -> None:
        """Keeps it for the others."""

    async def lead(self, key: bytes) -> bool:
        """Whether this process is to make the answer; False, after a little while, if another is at it."""

    async def release(self, key: bytes) -> None:
        """Lets another process make it: this one has an answer that is not kept."""


Found: TypeAlias = tuple[Entry | None, Made, Outcome]
