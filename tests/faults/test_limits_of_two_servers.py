"""Two server processes keep one limit together; without Redis each keeps it for itself, and nobody fails or waits."""

import asyncio
import time
from contextlib import AsyncExitStack
from pathlib import Path

import httpx2

from cache.embedded import EmbeddedValkey
from tests.faults.killing import Server, kept

MOST = 30


async def test_they_let_through_exactly_what_is_allowed_and_each_as_much_without_redis(database_url: str, tmp_path: Path) -> None:
    valkey = EmbeddedValkey(tmp_path / "valkey")
    valkey.start()
    rates = {"LIMITS": "on", "LIMIT_API": f"{MOST}/h", "LIMIT_HEALTH": "10000/h"}
    servers = [Server(tmp_path / name, database_url, valkey.url, **rates) for name in ("one", "two")]
    async with AsyncExitStack() as stack:
        await asyncio.gather(*(stack.enter_async_context(kept(each)) for each in servers))
        clients = [await stack.enter_async_context(httpx2.AsyncClient(base_url=each.url, timeout=20)) for each in servers]

        async def statuses(number: int) -> list[int]:
            """What they answer, each asked so often by one client who always says to be another."""
            asked = [
                client.post(
                    "/graphql",
                    json={"query": f"{{ a{place}_{time.monotonic_ns()}: stages {{ id }} }}"},
                    headers={"x-forwarded-for": f"192.0.2.{place}"},
                )
                for place in range(number)
                for client in clients
            ]
            return [answer.status_code for answer in await asyncio.gather(*asked)]

        found = await statuses(25)
        assert (found.count(200), found.count(429)) == (MOST, 50 - MOST)
        assert await statuses(1) == [429, 429]
        valkey.stop()
        began = time.monotonic()
        found = await statuses(MOST + 10)
        assert (found.count(200), found.count(429)) == (2 * MOST, 20)
        assert time.monotonic() - began < 5
