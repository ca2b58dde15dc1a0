"""Answers that processes share through Redis: what one has made, the others need not make.

Look-ups of one turn of the loop travel in one pipeline, as the keys of a loader do: a call for each request reached 0.27
of a server that answers from memory, and ran out of connections at 256 clients. Redis away is a miss and nothing else.
"""

import asyncio
import time
from typing import Any

import orjson
import structlog
from redis.asyncio import Redis
from redis.exceptions import RedisError

from cache.encoding import SMALLEST_BYTES, encoded_aside
from cache.entry import Made, etag_of

log = structlog.get_logger("cache")
PREFIX = b"dealgraph:response:2:"
LEADER = b"dealgraph:leader:"
# A process that dies while it makes an answer keeps the others waiting so long at most.
LEAD_MS = 1000
LOOK_AGAIN_S = 0.01
# After a failure the server is left alone for a moment, so that not every request waits for it to fail.
AWAY_S = 0.5
MOST_AT_ONCE = 200


class SharedResponses:
    """The answers kept in Redis; keys are Redis-Cluster safe, since no two are used together."""

    def __init__(self, client: "Redis") -> None:
        self._client = client
        self._wanted: dict[bytes, asyncio.Future[Made | None]] = {}
        self._line: Any = None
        self._asking: asyncio.Task[None] | None = None
        self._away_until = float("-inf")
        self.failures = 0

    async def get(self, key: bytes) -> Made | None:
        """What is kept under the key; None if nothing is, or Redis is away."""
        if self._is_away():
            return None
        future = self._wanted.get(key)
        if future is None:
            future = self._wanted[key] = asyncio.get_running_loop().create_future()
        if self._asking is None or self._asking.done():
            self._asking = asyncio.create_task(self._ask())
        return await asyncio.shield(future)

    async def put(self, key: bytes, made: Made) -> None:
        """Keeps the answer until it is too old, with its brotli form, and lets the others know."""
        ttl_ms = int((made.good_until - time.time()) * 1000)
        if ttl_ms <= 0 or self._is_away():
            return
        try:
            async with self._client.pipeline(transaction=False) as pipeline:
                pipeline.set(PREFIX + key, await _written(made), px=ttl_ms)
                pipeline.delete(LEADER + key)
                await pipeline.execute()
        except (RedisError, OSError) as error:
            self._failed(error)

    async def lead(self, key: bytes) -> bool:
        """Whether this process is to make the answer; False, after a moment, if another is at it."""
        if self._is_away():
            return True
        try:
            if await self._client.set(LEADER + key, b"1", nx=True, px=LEAD_MS):
                return True
        except (RedisError, OSError) as error:
            self._failed(error)
            return True
        await asyncio.sleep(LOOK_AGAIN_S)
        return False

    async def release(self, key: bytes) -> None:
        """Lets another process make the answer."""
        if not self._is_away():
            try:
                await self._client.delete(LEADER + key)
            except (RedisError, OSError) as error:
                self._failed(error)

    async def _ask(self) -> None:
        while self._wanted:
            keys = list(self._wanted)[:MOST_AT_ONCE]
            futures = [self._wanted.pop(key) for key in keys]
            found: list[Made | None] = [None] * len(keys)
            try:
                found = [_read(each) for each in await self._kept(keys)]
            except (RedisError, OSError, ValueError) as error:
                self._failed(error)
            for future, each in zip(futures, found, strict=True):
                if not future.done():
                    future.set_result(each)

    async def _kept(self, keys: list[bytes]) -> list[bytes | None]:
        """What Redis has under the keys, by a connection that is kept for this: a pipeline of redis-py takes 90 us more."""
        pool = self._client.connection_pool
        line = self._line or await pool.get_connection()  # type: ignore[no-untyped-call]
        self._line = None
        try:
            await line.send_packed_command(line.pack_commands([("GET", PREFIX + key) for key in keys]))
            found = [await line.read_response(disable_decoding=True) for _ in keys]
        except BaseException:
            await line.disconnect(nowait=True)  # in the middle of something: the next answer would be another's
            await pool.release(line)
            raise
        self._line = line
        return found

    def _is_away(self) -> bool:
        return time.monotonic() < self._away_until

    def _failed(self, error: Exception) -> None:
        self.failures += 1
        self._away_until = time.monotonic() + AWAY_S
        log.warning("answers are not shared for a moment: Redis did not answer", error=str(error))


async def _written(made: Made) -> bytes:
    """A line of JSON that says what it is, then the body, then its brotli form."""
    brotli = made.brotli or (await encoded_aside(made.body, "br") if len(made.body) >= SMALLEST_BYTES else b"")
    etag = made.etag or etag_of(made.body)
    head = [made.status, made.document, sorted(made.tags or ()), made.good_until, made.xmin, len(made.body), etag]
    return orjson.dumps(head) + b"\n" + made.body + brotli


def _read(kept: bytes | None) -> Made | None:
    if kept is None:
        return None
    head, _, rest = kept.partition(b"\n")
    status, document, tags, good_until, xmin, length, etag = orjson.loads(head)
    return Made(rest[:length], status, document, frozenset(tags), good_until, xmin, rest[length:], etag=etag)
