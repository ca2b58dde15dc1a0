"""Redis or Valkey: a client that gives up at once, because a cache that is slow is worse than none."""

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

# redis-py's own default retries ten times: a GET took 3.9 s to fail with the server down, and 0.7 ms so.
TIMEOUT_S = 0.1


class RedisCache:
    """The cache server, and the client through which the rest of ``cache/`` reaches it. No method raises when it is away."""

    def __init__(self, url: str, timeout_s: float = TIMEOUT_S) -> None:
        self.client = Redis.from_url(
            url, socket_timeout=timeout_s, socket_connect_timeout=timeout_s, retry=Retry(NoBackoff(), 0)
        )

    async def answers(self) -> bool:
        """Whether the server is there."""
        try:
            return bool(await self.client.ping())
        except (RedisError, OSError):
            return False

    async def close(self) -> None:
        """Closes the connections."""
        await self.client.aclose()
