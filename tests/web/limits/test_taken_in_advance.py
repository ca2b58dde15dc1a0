"""Requests that a process takes of a client's in advance: none is lost to who has it, and none is there twice."""

import asyncio
import re
from itertools import count
from pathlib import Path

import orjson
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


async def test_the_last_requests_are_charged_as_all_others_though_they_were_taken_in_advance(valkey: EmbeddedValkey) -> None:
    cache, who = RedisCache(valkey.url, timeout_s=10), f"last charged {next(_addresses)}"
    limits = {"limits": "on", "limit_overall": "214/h", "limit_api": "1/h", "limit_points": 500, "limit_points_per_s": 0.001}
    throttle = open_throttle(settings_for("postgresql://", valkey, **limits), cache.client)
    await all_but_two(throttle, who)
    admitted = await throttle.admit(who, ("overall", "api"), 100)
    assert admitted is not None
    charge, standing = admitted
    assert re.fullmatch(rb'"overall";r=1;t=3\d{3}, "api";r=0;t=3600, "points";r=400;t=\d+', dict(standing)[b"ratelimit"])
    assert orjson.loads(charge.settle(40))["currentlyAvailable"] == 460
    with pytest.raises(RateLimited, match=r"\(api\)"):
        await throttle.admit(who, ("overall", "api"), 100)
    assert throttle.admit_cached(who) == [(b"x-ratelimit-remaining", b"0")], "what is refused uses up nothing"
    await cache.close()


async def test_of_two_who_ask_at_once_for_the_last_request_one_has_it(valkey: EmbeddedValkey) -> None:
    cache, who = RedisCache(valkey.url, timeout_s=10), f"last of two {next(_addresses)}"
    throttle = open_throttle(settings_for("postgresql://", valkey, limits="on", limit_overall="214/h"), cache.client)
    await all_but_two(throttle, who)
    assert throttle.admit_cached(who) == [(b"x-ratelimit-remaining", b"1")]
    asked = await asyncio.gather(*(throttle.admit(who, ("overall", "api")) for _ in range(2)), return_exceptions=True)
    assert [isinstance(each, RateLimited) for each in asked] == [False, True]
    await cache.close()


async def test_health_checks_take_nothing_from_who_holds_the_last_requests(valkey: EmbeddedValkey) -> None:
    cache, who = RedisCache(valkey.url, timeout_s=10), f"last healthy {next(_addresses)}"
    limits = {"limits": "on", "limit_overall": "214/h", "limit_health": "2/h"}
    throttle = open_throttle(settings_for("postgresql://", valkey, **limits), cache.client)
    await all_but_two(throttle, who)
    await throttle.admit(who, ("health",))
    assert throttle.admit_cached(who) == [(b"x-ratelimit-remaining", b"1")]
    await throttle.admit(who, ("health",))
    with pytest.raises(RateLimited, match=r"\(health\)"):
        await throttle.admit(who, ("health",))
    assert throttle.admit_cached(who) == [(b"x-ratelimit-remaining", b"0")]
    await cache.close()


async def test_what_is_taken_in_advance_counts_as_left(valkey: EmbeddedValkey) -> None:
    cache, who = RedisCache(valkey.url, timeout_s=10), f"holder {next(_addresses)}"
    throttle = open_throttle(settings_for("postgresql://", valkey, limits="on", limit_overall="100/h"), cache.client)
    for left, leases in ((b"99", True), (b"98", False)):
        admitted = await throttle.admit(who, ("overall",), leases=leases)
        assert admitted is not None
        assert (b"x-ratelimit-remaining", left) in admitted[1]
    assert throttle.admit_cached(who) == [(b"x-ratelimit-remaining", b"97")]
    await cache.close()


async def test_who_has_used_what_was_taken_in_advance_takes_more_also_after_going_away_while_it_was_taken(
    valkey: EmbeddedValkey,
) -> None:
    cache, who = RedisCache(valkey.url, timeout_s=10), f"again {next(_addresses)}"
    throttle = open_throttle(settings_for("postgresql://", valkey, limits="on", limit_overall="100/h"), cache.client)
    for _ in range(2):
        await throttle.admit(who, ("overall",), leases=True)
        assert [throttle.admit_cached(who) is None for _ in range(3)] == [False, False, True]
    gone = asyncio.create_task(throttle.admit(who, ("overall",), leases=True))
    await asyncio.sleep(0)
    gone.cancel()
    await asyncio.wait([gone])
    await throttle.admit(who, ("overall",), leases=True)
    assert throttle.admit_cached(who) is not None
    await cache.close()


async def test_of_many_requests_no_more_are_taken_in_advance_than_may_be_lost(valkey: EmbeddedValkey) -> None:
    cache, who = RedisCache(valkey.url, timeout_s=10), f"rich {next(_addresses)}"
    settings = settings_for("postgresql://", valkey, limits="on", limit_overall="1000000/h")
    one, two = (open_throttle(settings, cache.client) for _ in range(2))
    await one.admit(who, ("overall",), leases=True)
    admitted = await two.admit(who, ("overall",))
    assert admitted is not None
    assert (b"x-ratelimit-remaining", b"989998") in admitted[1]
    await cache.close()


async def test_without_redis_nothing_is_taken_in_advance(valkey: EmbeddedValkey, tmp_path: Path) -> None:
    away = RedisCache(f"unix://{tmp_path}/nobody.sock")
    throttle = open_throttle(settings_for("postgresql://", valkey, limits="on", limit_overall="100/h"), away.client)
    admitted = await throttle.admit("lonely", ("overall",), leases=True)
    assert admitted is not None
    assert throttle.admit_cached("lonely") is None
    await away.close()


async def test_what_was_taken_in_advance_is_all_there_is_once_redis_is_away(valkey: EmbeddedValkey, tmp_path: Path) -> None:
    cache, away = RedisCache(valkey.url, timeout_s=10), RedisCache(f"unix://{tmp_path}/nobody.sock")
    settings, who = settings_for("postgresql://", valkey, limits="on", limit_overall="1000/h"), f"left alone {next(_addresses)}"
    throttle, others = open_throttle(settings, cache.client), asyncio.all_tasks()
    await throttle.admit(who, ("overall",), leases=True)
    throttle.limits = open_throttle(settings, away.client).limits
    served = 0
    while throttle.admit_cached(who) is not None:
        served += 1
        await asyncio.gather(*(asyncio.all_tasks() - others))  # more would be taken when a fourth is left
    assert served == 20
    for each in (cache, away):
        await each.close()
