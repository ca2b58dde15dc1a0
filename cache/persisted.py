"""Documents that are known by an id: those registered for good, and those that clients registered themselves.

Bytes in, bytes out: what a document means, and whether it may be run, is decided elsewhere.
"""

import hashlib
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping

from redis.asyncio import Redis
from redis.exceptions import RedisError

from cache.redis import Breaker
from core.errors import Unavailable

# Followed by an id; by none it is the set of all ids. What is in braces puts all of them into one slot of a cluster.
REGISTERED = "dealgraph:{document}:"
AUTOMATIC = "dealgraph:apq:"  # followed by a hash
MOST_AT_ONCE = 100
# What an entry takes in memory besides its text: its key, its place, two objects.
OVERHEAD_BYTES = 300
# A text that is asked for again and again is written to Redis so often in its time to live.
RENEWALS = 24


class RegisteredDocuments:
    """The texts that ``python -m ops persist`` keeps in Redis, without expiry, by id. An id never changes its text."""

    def __init__(self, client: Redis) -> None:
        self._client = client
        self._breaker = Breaker("registered documents are not looked up for a moment")

    async def get(self, names: Iterable[str]) -> bytes | None:
        """The text of the first of the ids that has one; None also where Redis is away."""
        keys = [REGISTERED + name for name in names]
        if not keys or self._breaker.is_open:
            return None
        with self._breaker:
            return next((as_bytes(text) for text in await self._client.mget(keys) if text is not None), None)
        return None

    async def all(self) -> dict[str, bytes]:
        """Every text by its id. Raises Unavailable."""
        try:
            names = sorted(as_bytes(name).decode("utf-8", "replace") for name in await self._client.smembers(REGISTERED))
            found: dict[str, bytes] = {}
            for start in range(0, len(names), MOST_AT_ONCE):
                some = names[start : start + MOST_AT_ONCE]
                texts = await self._client.mget([REGISTERED + name for name in some])
                found |= {name: as_bytes(text) for name, text in zip(some, texts, strict=True) if text is not None}
            return found
        except (RedisError, OSError) as error:
            raise Unavailable(f"Redis did not answer: {error}") from error

    async def add(self, texts: Mapping[str, bytes]) -> None:
        """Keeps the texts, all or none of them. Raises Unavailable."""
        if texts:
            await self._change(lambda pipeline: (pipeline.mset(_keyed(texts)), pipeline.sadd(REGISTERED, *texts)))

    async def remove(self, names: Iterable[str]) -> None:
        """Forgets the texts of these ids. Raises Unavailable."""
        gone = list(names)
        if gone:
            keys = [REGISTERED + name for name in gone]
            await self._change(lambda pipeline: (pipeline.delete(*keys), pipeline.srem(REGISTERED, *gone)))

    async def _change(self, queue: Callable[..., object]) -> None:
        try:
            async with self._client.pipeline(transaction=True) as pipeline:
                queue(pipeline)
                await pipeline.execute()
        except (RedisError, OSError) as error:
            raise Unavailable(f"Redis did not answer: {error}") from error


class AutomaticDocuments:
    """The texts that clients registered by their hash: in memory, bounded by bytes, and in Redis for as long as in use.

    Without Redis it works from memory, and nothing raises.
    """

    def __init__(
        self, client: Redis, *, ttl_s: int, most_bytes: int, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.bytes = 0
        self._client = client
        self._ttl_s = ttl_s
        self._most_bytes = most_bytes
        self._clock = clock
        self._breaker = Breaker("the documents of clients are not shared for a moment")
        self._kept: OrderedDict[str, tuple[bytes, float]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._kept)

    async def get(self, digest: str) -> bytes | None:
        """The text with this hash, good for another time to live; None if no client has registered it."""
        kept = self._kept.get(digest)
        if kept is None:
            return await self._fetch(digest)
        text, written_at = kept
        self._kept.move_to_end(digest)
        if self._clock() - written_at > self._ttl_s / RENEWALS:
            await self.put(digest, text)
        return text

    async def put(self, digest: str, text: bytes) -> None:
        """Keeps the text, whose hash the caller has checked."""
        self._keep(digest, text)
        if not self._breaker.is_open:
            with self._breaker:
                await self._client.set(AUTOMATIC + digest, text, ex=self._ttl_s)

    async def _fetch(self, digest: str) -> bytes | None:
        found = None
        if not self._breaker.is_open:
            with self._breaker:
                found = await self._client.getex(AUTOMATIC + digest, ex=self._ttl_s)
        text = None if found is None else as_bytes(found)
        if text is None or hashlib.sha256(text).hexdigest() != digest:  # whoever else writes there cannot change what runs
            return None
        self._keep(digest, text)
        return text

    def _keep(self, digest: str, text: bytes) -> None:
        self._drop(digest)
        self._kept[digest] = (text, self._clock())
        self.bytes += len(text) + OVERHEAD_BYTES
        while self.bytes > self._most_bytes and self._kept:
            self._drop(next(iter(self._kept)))

    def _drop(self, digest: str) -> None:
        if digest in self._kept:
            self.bytes -= len(self._kept.pop(digest)[0]) + OVERHEAD_BYTES


def as_bytes(answer: bytes | str) -> bytes:
    """An answer of our client, which never decodes, as the type that redis-py cannot promise."""
    return answer if isinstance(answer, bytes) else answer.encode()


def _keyed(texts: Mapping[str, bytes]) -> dict[str, bytes]:
    return {REGISTERED + name: text for name, text in texts.items()}
