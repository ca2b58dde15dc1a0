"""Requests that a process takes of a client's in advance: none is lost to who has it, and none is there twice."""

import asyncio
from itertools import count

import pytest

from cache.embedded import EmbeddedValkey
from cache.redis import RedisCache
from tests.web.conftest import settings_for
from web.limits.throttle import RateLimited, Throttle, open_throttle

_addresses = count(1)


async def all_but_two(throttle: Throttle, who: str) -> None:
    """Asks until a client has two requests left: it holds one, and the other is being taken in advance."""
    others = asyncio.all_tasks()
    await throttle.admit(who, ("overall",), leases=True)
    while throttle.admit_cached(who) != [(b"x-ratelimit-remaining", b"2")]:
        await asyncio.gather(*(asyncio.all_tasks() - others))  # more are taken before they are needed


async def test_who_asks_while_the_last_requests_are_taken_in_advance_has_them(valkey: EmbeddedValkey) -> None:
    cache, who = RedisCache(valkey.url, timeout_s=10), f"last {next(_addresses)}"
    throttle = open_throttle(settings_for("postgresql://", valkey, limits="on", limit_overall="214/h"), cache.client)
    await all_but_two(throttle, who)
    await asyncio.sleep(0)
    for left in (b"1", b"0"):
        admitted = await throttle.admit(who, ("overall", "api"))
        assert admitted is not None
        assert (b"x-ratelimit-remaining", left) in admitted[1]
    with pytest.raises(RateLimited):
        await throttle.admit(who, ("overall", "api"))
    await cache.close()


async def test_the_last_requests_are_there_for_an_answer_from_the_cache_that_finds_none_held(valkey: EmbeddedValkey) -> None:
    cache, who = RedisCache(valkey.url, timeout_s=10), f"last cached {next(_addresses)}"
    throttle = open_throttle(settings_for("postgresql://", valkey, limits="on", limit_overall="214/h"), cache.client)
    await all_but_two(throttle, who)
    assert throttle.admit_cached(who) == [(b"x-ratelimit-remaining", b"1")]
    assert throttle.admit_cached(who) is None
    admitted = await throttle.admit(who, ("overall",), leases=True)
    assert admitted is not None
    assert (b"x-ratelimit-remaining", b"0") in admitted[1]
    with pytest.raises(RateLimited):
        await throttle.admit(who, ("overall",), leases=True)
    await cache.close()
