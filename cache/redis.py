"""Redis or Valkey: a client that gives up at once, because a cache that is slow is worse than none."""

import asyncio
import re
import time
from collections.abc import Callable
from types import TracebackType
from urllib.parse import urlsplit

import structlog
from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

# redis-py's own default retries ten times: a GET took 3.9 s to fail with the server down, and 0.7 ms so.
TIMEOUT_S = 0.1
# After a failure Redis is left alone for a moment, so that not every request waits for it to fail.
AWAY_S = 0.5

log = structlog.get_logger("cache")
DATABASE = re.compile(r"/?[0-9]*")


class Breaker:
    """Open for a moment after each failure; ``told`` is what the log says then. As a block (``with``) it ends with the failure.

    Each use of Redis has its own: that a large answer comes too late must not leave every process to its own limits.
    """

    def __init__(self, told: str, now: Callable[[], float] = time.monotonic) -> None:
        self._told = told
        self._now = now
        self._until = float("-inf")

    @property
    def is_open(self) -> bool:
        """Whether Redis is to be left alone."""
        return self._now() < self._until

    def __enter__(self) -> None:
        """Redis is asked in the block."""

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> bool:
        """Takes note of a failure of Redis, of which nobody else hears; of nothing else. Ends who was cancelled meanwhile."""
        if isinstance(error, (RedisError, OSError)):
            self.failed(error)
        elif error is not None:
            return False
        # ``wait_for``, by which redis-py writes, passes over a cancellation before Python 3.12: 63 of 240 were lost.
        task = asyncio.current_task()
        if task is not None and task.cancelling():
            raise asyncio.CancelledError
        return error is not None

    def failed(self, error: Exception) -> None:
        """Redis did not answer, or not as it should."""
        self._until = self._now() + AWAY_S
        log.warning(f"{self._told}: Redis did not answer", error=str(error))


class RedisCache:
    """The cache server, and the client through which the rest of ``cache/`` reaches it. No method raises when it is away."""

    def __init__(self, url: str, timeout_s: float = TIMEOUT_S) -> None:
        """Connects when it is first used. Raises ValueError for a URL that is none, which it does not quote: see ``_check``."""
        try:
            self.client = Redis.from_url(
                url, socket_timeout=timeout_s, socket_connect_timeout=timeout_s, retry=Retry(NoBackoff(), 0)
            )
        except ValueError:  # which quotes from it, and a password is in it
            raise ValueError("this is not a URL that redis-py can read") from None
        self._check(url)

    def _check(self, url: str) -> None:
        """What redis-py would find out later, or pass over in silence. Raises ValueError."""
        pool, path = self.client.connection_pool, urlsplit(url).path
        if not url.startswith("unix://") and not DATABASE.fullmatch(path):  # it would use database 0
            raise ValueError("what follows the host must be the number of a database, as in redis://host:6379/0")
        try:
            pool.make_connection()  # type: ignore[no-untyped-call]  # which does not connect yet
        except (TypeError, AttributeError, ValueError, RedisError):
            raise ValueError("redis-py takes no such parameter as there is behind the question mark") from None
        if pool.connection_kwargs.get("decode_responses"):
            raise ValueError("decode_responses must not be set: what is kept there is bytes")

    async def answers(self) -> bool:
        """Whether the server is there."""
        try:
            return bool(await self.client.ping())
        except (RedisError, OSError):
            return False

    async def close(self) -> None:
        """Closes the connections."""
        await self.client.aclose()
