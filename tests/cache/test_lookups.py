"""Values of Redis come in the order they were asked for, whatever else happens, and nobody waits for ever."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from redis.asyncio import Redis

from cache.embedded import EmbeddedValkey
from cache.lookups import Lookups

# More than one read of a socket, and more than one buffer of it.
LONG = bytes(range(256)) * 4_000


class Asker:
    """Looks values up, and remembers what failed."""

    def __init__(self, client: "Redis") -> None:
        self.failures: list[Exception] = []
        self._lookups = Lookups(client, self.failures.append)

    async def ask(self, *keys: bytes) -> list[bytes | None]:
        """The values under the keys, asked for in one turn of the loop."""
        found: list[asyncio.Future[bytes | None]] = [asyncio.get_running_loop().create_future() for _ in keys]
        for key, each in zip(keys, found, strict=True):
            self._lookups.ask(key, each.set_result)
        return await asyncio.gather(*found)


@pytest.fixture
async def redis(valkey: EmbeddedValkey) -> AsyncIterator["Redis"]:
    """A client of the session's Valkey, emptied but for three values."""
    client = Redis.from_url(valkey.url, socket_timeout=10)
    await client.flushall()
    await client.mset({"short": b"1", "empty": b"", "long": LONG})
    yield client
    await client.aclose()


@pytest.fixture
def asker(redis: "Redis") -> Asker:
    return Asker(redis)


async def test_each_gets_the_value_under_its_key_however_many_ask(asker: Asker) -> None:
    assert await asker.ask(b"long", b"none", b"short", b"empty", b"long", b"\r\n$5\r\n\xff") == [LONG, None, b"1", b"", LONG, None]
    several = [asker.ask(b"short", b"long"), asker.ask(b"none"), asker.ask(b"long")]
    assert await asyncio.gather(*several) == [[b"1", LONG], [None], [LONG]]
    assert await asker.ask(*[b"short", b"none"] * 500) == [b"1", None] * 500
    assert asker.failures == []


async def test_an_error_of_one_is_not_the_error_of_another(asker: Asker, redis: "Redis") -> None:
    await redis.rpush("list", "x")
    assert await asker.ask(b"short", b"list", b"long") == [b"1", None, LONG]
    (error,) = asker.failures
    assert str(error).startswith("WRONGTYPE")


async def test_a_server_that_is_slow_is_given_up_once_and_asked_again_by_a_new_line(valkey: EmbeddedValkey, redis: "Redis") -> None:
    hasty = Redis.from_url(valkey.url, socket_timeout=0.1)
    asker = Asker(hasty)
    assert await asker.ask(b"short") == [b"1"]
    await redis.client_pause(400)
    answers = await asyncio.gather(asker.ask(b"short", b"long"), asker.ask(b"empty"))
    assert list(answers) == [[None, None], [None]]
    assert [str(each) for each in asker.failures] == ["no answer in 0.1 s"]
    async with asyncio.timeout(10):
        while await asker.ask(b"short", b"long") != [b"1", LONG]:  # of what was answered too late nothing is mistaken for it
            await asyncio.sleep(0.05)
    await hasty.aclose()


async def test_a_line_that_was_cut_is_made_again(asker: Asker, redis: "Redis") -> None:
    assert await asker.ask(b"short") == [b"1"]
    await redis.client_kill_filter(_type="normal", skipme=True)
    async with asyncio.timeout(10):
        while await asker.ask(b"short") != [b"1"]:
            await asyncio.sleep(0)
    assert all(isinstance(each, OSError) for each in asker.failures)


async def test_without_a_server_there_is_nothing(valkey: EmbeddedValkey) -> None:
    nobody = Redis.from_url("unix:///nowhere/valkey.sock", socket_timeout=0.1)
    asker = Asker(nobody)
    assert await asker.ask(b"short", b"long") == [None, None]
    assert len(asker.failures) == 1
    await nobody.aclose()
