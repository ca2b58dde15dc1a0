"""Answers that processes share through Redis: what one has made, the others need not make.

Redis away is a miss and nothing else.
"""

import asyncio
import time
from collections.abc import Callable

import orjson
import structlog
from redis.asyncio import Redis

from cache.encoding import SMALLEST_BYTES, encoded_aside
from cache.entry import Made, etag_of
from cache.freshness import Freshness
from cache.lookups import Lookups
from cache.redis import Breaker

log = structlog.get_logger("cache")
PREFIX = b"dealgraph:response:4:"
LEADER = b"dealgraph:leader:"
# A process that dies while it makes an answer keeps the others waiting so long at most.
LEAD_MS = 1000
# A larger answer stays with the process that made it: Redis keeps limits and documents as well, and drops those for it.
LARGEST_BYTES = 1_000_000
LOOK_AGAIN_S = 0.01
# Each is a connection, and redis-py says that Redis is away when a hundred are taken: 600 questions at once took more.
MOST_AT_ONCE = 16


class SharedResponses:
    """The answers kept in Redis; keys are Redis-Cluster safe, since no two are used together.

    Each incarnation of PostgreSQL has its own: eight changes that were tried and a crash were enough for an answer that was
    read before it to be taken for newer than all that was written behind it.
    """

    def __init__(self, client: "Redis", freshness: Freshness) -> None:
        self._client = client
        self._freshness = freshness
        self._breaker = Breaker("answers are not shared for a moment")
        self._turns = asyncio.Semaphore(MOST_AT_ONCE)
        self._lookups = Lookups(client, self._breaker.failed)

    def ask(self, key: bytes, told: Callable[[Made | None], None]) -> None:
        """``told`` is called, later, with what is kept under the key; with None if nothing is, or Redis is away."""
        if self._breaker.is_open:
            asyncio.get_running_loop().call_soon(told, None)
        else:
            self._lookups.ask(self._name(key), lambda kept: told(self._read(kept)))

    async def get(self, key: bytes) -> Made | None:
        """What is kept under the key; None if nothing is, or Redis is away."""
        found: asyncio.Future[Made | None] = asyncio.get_running_loop().create_future()
        self.ask(key, lambda made: None if found.done() else found.set_result(made))
        return await found

    async def put(self, key: bytes, made: Made) -> None:
        """Keeps the answer until it is too old, with its brotli form, and lets the others know. Not one that is very large."""
        ttl_ms = int((made.good_until - time.time()) * 1000)
        if ttl_ms <= 0 or self._breaker.is_open:
            return
        if len(made.body) > LARGEST_BYTES:
            await self.release(key)
            return
        name, written = self._name(key), await _written(made)
        async with self._turns:
            if not self._breaker.is_open:
                with self._breaker:
                    async with self._client.pipeline(transaction=False) as pipeline:
                        pipeline.set(name, written, px=ttl_ms)
                        pipeline.delete(LEADER + key)
                        await pipeline.execute()

    async def lead(self, key: bytes) -> bool:
        """Whether this process is to make the answer; False, after a moment, if another is at it."""
        is_taken = False
        async with self._turns:
            if not self._breaker.is_open:
                with self._breaker:
                    is_taken = not await self._client.set(LEADER + key, b"1", nx=True, px=LEAD_MS)
        if is_taken:
            await asyncio.sleep(LOOK_AGAIN_S)
        return not is_taken

    async def release(self, key: bytes) -> None:
        """Lets another process make the answer."""
        async with self._turns:
            if not self._breaker.is_open:
                with self._breaker:
                    await self._client.delete(LEADER + key)

    def _name(self, key: bytes) -> bytes:
        return b"%b%b:%b" % (PREFIX, self._freshness.incarnation.encode(), key)

    def _read(self, kept: bytes | None) -> Made | None:
        try:
            return None if kept is None else _made(kept)
        except (ValueError, TypeError) as error:
            log.warning("an answer in Redis cannot be read", error=str(error))
            return None


async def _written(made: Made) -> bytes:
    """A line of JSON that says what it is, then the body, then its brotli form."""
    brotli = made.brotli or (await encoded_aside(made.body, "br") if len(made.body) >= SMALLEST_BYTES else b"")
    etag = made.etag or etag_of(made.body)
    times = made.good_until, made.xmin, made.kept_xmin, made.made_at
    head = [made.status, made.document, sorted(made.tags or ()), *times, len(made.body), etag]
    return orjson.dumps(head) + b"\n" + made.body + brotli


def _made(kept: bytes) -> Made:
    head, _, rest = kept.partition(b"\n")
    status, document, tags, good_until, xmin, kept_xmin, made_at, length, etag = orjson.loads(head)
    ages = float(good_until), int(xmin), None if kept_xmin is None else int(kept_xmin)
    return Made(rest[:length], int(status), document, frozenset(tags), *ages, rest[length:], etag=etag, made_at=float(made_at))
