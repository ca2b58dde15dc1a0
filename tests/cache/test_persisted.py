"""Texts known by an id: shared through Redis, bounded in memory, and there without Redis as far as that goes."""

import asyncio
import hashlib
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from cache.embedded import EmbeddedValkey
from cache.persisted import AUTOMATIC, OVERHEAD_BYTES, REGISTERED, RENEWALS, AutomaticDocuments, RegisteredDocuments, as_bytes
from cache.redis import RedisCache
from core.errors import Unavailable

TEXT = b"{ stages { id } }"
HASH = hashlib.sha256(TEXT).hexdigest()
TTL_S = 1_000


class Clock:
    """Time that passes when it is told to."""

    def __init__(self) -> None:
        self.now = 5_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
async def cache(valkey: EmbeddedValkey) -> AsyncIterator[RedisCache]:
    """The session's Valkey, emptied before and after."""
    cache = RedisCache(valkey.url, timeout_s=10)
    await cache.client.flushall()
    yield cache
    await cache.client.flushall()
    await cache.close()


@pytest.fixture
async def away(tmp_path: Path) -> AsyncIterator[RedisCache]:
    """A Redis where nobody answers."""
    cache = RedisCache(f"unix://{tmp_path}/nobody.sock")
    yield cache
    await cache.close()


@pytest.fixture
async def hanging() -> AsyncIterator[tuple[RedisCache, list[int]]]:
    """A Redis that takes connections, and never answers; how many commands it was sent."""
    sent: list[int] = []

    async def swallow(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while await reader.read(65536):
            sent.append(1)
        writer.close()

    async with await asyncio.start_server(swallow, "127.0.0.1", 0) as server:
        cache = RedisCache(f"redis://127.0.0.1:{server.sockets[0].getsockname()[1]}", timeout_s=0.1)
        yield cache, sent
        await cache.close()


def process(cache: RedisCache, most_bytes: int = 10_000, clock: Clock | None = None) -> AutomaticDocuments:
    """What one server process has."""
    return AutomaticDocuments(cache.client, ttl_s=TTL_S, most_bytes=most_bytes, clock=clock or Clock())


async def test_what_one_process_registers_another_finds(cache: RedisCache) -> None:
    await process(cache).put(HASH, TEXT)
    other = process(cache)
    assert await other.get(HASH) == TEXT
    assert await other.get("0" * 64) is None
    assert await cache.client.keys() == [(AUTOMATIC + HASH).encode()]


async def test_a_text_lives_as_long_as_it_is_in_use(cache: RedisCache) -> None:
    clock = Clock()
    first = process(cache, clock=clock)
    await first.put(HASH, TEXT)
    assert 0 < await cache.client.ttl(AUTOMATIC + HASH) <= TTL_S
    for use in (process(cache), first):  # from Redis, and from memory after a part of its life
        await cache.client.expire(AUTOMATIC + HASH, 5)
        clock.now += TTL_S / RENEWALS + 1
        assert await use.get(HASH) == TEXT
        assert await cache.client.ttl(AUTOMATIC + HASH) > 5


async def test_a_text_in_memory_is_not_asked_of_redis_each_time(cache: RedisCache) -> None:
    first = process(cache)
    await first.put(HASH, TEXT)
    before = (await cache.client.info("stats"))["total_commands_processed"]
    for _ in range(100):
        assert await first.get(HASH) == TEXT
    assert (await cache.client.info("stats"))["total_commands_processed"] == before + 1  # the info itself


async def test_what_redis_lost_is_put_back_by_a_process_that_uses_it(cache: RedisCache) -> None:
    clock = Clock()
    first = process(cache, clock=clock)
    await first.put(HASH, TEXT)
    await cache.client.flushall()
    assert await process(cache).get(HASH) is None
    clock.now += TTL_S / RENEWALS + 1
    assert await first.get(HASH) == TEXT
    assert await process(cache).get(HASH) == TEXT


async def test_memory_is_bounded_by_bytes_and_the_least_recently_used_leaves_first(away: RedisCache) -> None:
    texts = [b"%d" % number + b"x" * 699 for number in range(6)]
    hashes = [hashlib.sha256(text).hexdigest() for text in texts]
    kept = process(away, most_bytes=5 * (700 + OVERHEAD_BYTES))
    for number in range(5):
        await kept.put(hashes[number], texts[number])
    assert await kept.get(hashes[0]) == texts[0]
    await kept.put(hashes[5], texts[5])
    assert [await kept.get(each) is not None for each in hashes] == [True, False, True, True, True, True]
    await kept.put(HASH, b"y" * 10_000)  # larger than all there is room for
    assert (len(kept), kept.bytes) == (0, 0)


async def test_the_same_text_again_takes_no_more_room(away: RedisCache) -> None:
    kept = process(away)
    for _ in range(3):
        await kept.put(HASH, TEXT)
    assert (len(kept), kept.bytes) == (1, len(TEXT) + OVERHEAD_BYTES)


async def test_without_redis_it_works_from_memory_and_nothing_raises(away: RedisCache) -> None:
    kept = process(away)
    assert await kept.get(HASH) is None
    await kept.put(HASH, TEXT)
    assert await kept.get(HASH) == TEXT
    assert await RegisteredDocuments(away.client).get([HASH]) is None


async def test_a_text_that_someone_else_changed_in_redis_is_not_run(cache: RedisCache) -> None:
    await process(cache).put(HASH, TEXT)
    await cache.client.set(AUTOMATIC + HASH, b"mutation { deleteDeal }")
    assert await process(cache).get(HASH) is None


async def test_registered_texts_are_kept_for_good_until_they_are_removed(cache: RedisCache) -> None:
    registered = RegisteredDocuments(cache.client)
    assert await registered.all() == {}
    texts = {f"id-{number}": b"text %d" % number for number in range(250)}
    await registered.add(texts)
    await registered.add({})
    assert await registered.all() == texts
    assert await registered.get(["nothing", "id-7"]) == b"text 7"
    assert await registered.get(["nothing"]) is None
    assert await registered.get([]) is None
    keys = await cache.client.keys()
    assert {as_bytes(key).decode() for key in keys} == {REGISTERED, *(REGISTERED + name for name in texts)}
    assert {await cache.client.ttl(key) for key in keys} == {-1}
    await registered.remove(f"id-{number}" for number in range(249))
    assert await registered.all() == {"id-249": b"text 249"}
    await registered.remove(["id-249"])
    assert await cache.client.keys() == []


async def test_whoever_changes_what_is_registered_hears_that_redis_is_away(away: RedisCache) -> None:
    registered = RegisteredDocuments(away.client)
    with pytest.raises(Unavailable):
        await registered.all()
    with pytest.raises(Unavailable):
        await registered.add({"id": b"text"})
    with pytest.raises(Unavailable):
        await registered.remove(["id"])


async def test_a_redis_that_hangs_is_left_alone_for_a_moment(hanging: tuple[RedisCache, list[int]]) -> None:
    cache, sent = hanging
    automatic, registered = process(cache), RegisteredDocuments(cache.client)
    assert (await automatic.get(HASH), await registered.get([HASH])) == (None, None)
    before = len(sent)
    for _ in range(100):
        await automatic.put(HASH, TEXT)
        assert await automatic.get("0" * 64) is None
        assert await registered.get([HASH]) is None
    assert len(sent) == before
    assert await automatic.get(HASH) == TEXT
