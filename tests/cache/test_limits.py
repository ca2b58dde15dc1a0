"""What clients may have is counted once, whoever asks: in Redis for all processes, by the same rules in this one without it."""

import asyncio
import os
import signal
import time
from collections.abc import AsyncIterator
from itertools import count
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from structlog.testing import capture_logs

from cache.embedded import EmbeddedValkey
from cache.limits import PREFIX, SharedLimits
from cache.redis import RedisCache
from cache.tally import Ask, Rules, Tally, Verdict, Window

RULES = Rules(points=100, points_per_s=10, wait_most_ms=60_000, heal_ms=30_000)
OVERALL, API = Window("overall", 5, 10_000), Window("api", 3, 4_000)
_clients = count(1)


class Clock:
    """A time that a test sets."""

    def __init__(self) -> None:
        self.now = 1_700_000_000_000

    def __call__(self) -> int:
        return self.now


@pytest.fixture
async def cache(valkey: EmbeddedValkey) -> AsyncIterator[RedisCache]:
    """The session's Valkey, patiently: a process that takes it for gone counts by itself, and that is another test's business."""
    found = RedisCache(valkey.url, timeout_s=10)
    yield found
    await found.close()


def client() -> str:
    """A client that nobody has counted."""
    return f"client {next(_clients)}"


def told(verdict: Verdict) -> tuple[object, ...]:
    """A verdict without who gave it."""
    return verdict.denied, verdict.wait_ms, verdict.leased, verdict.points, verdict.left


STEPS = st.tuples(
    st.sampled_from([0, 1, 37, 400, 999, 3_000, 4_000, 9_000, 31_000, 200_000]),
    st.builds(
        Ask,
        st.just(""),
        st.sampled_from([(OVERALL,), (OVERALL, API), (API,), ()]),
        cost=st.sampled_from([0, 0, 1, 7, 60, 100, 1_000]),
        refund=st.sampled_from([0, 0, 3, 90]),
        count=st.sampled_from([1, 1, 1, 0]),
    ),
    st.sampled_from([0, 0, 2, 9]),
)


@given(st.lists(STEPS, max_size=40))
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
async def test_redis_and_this_process_judge_alike(cache: RedisCache, steps: list[tuple[int, Ask, int]]) -> None:
    clock, who = Clock(), client()
    shared, local = SharedLimits(cache.client, RULES, clock), Tally(RULES, clock)
    for later, step, lease in steps:
        clock.now += later
        ask = Ask(who, step.windows, step.cost, step.refund, lease if step.windows else 0, step.count)
        verdict = await shared.ask(ask)
        assert not verdict.is_local
        assert told(verdict) == told(local.ask(ask))


async def test_who_goes_over_again_waits_longer_each_time_up_to_the_cap_and_it_heals() -> None:
    clock = Clock()
    tally, who, one = Tally(RULES, clock), client(), Window("api", 1, 1_000)
    waits = []
    for _ in range(9):
        assert tally.ask(Ask(who, (one,))).denied is None
        over = tally.ask(Ask(who, (one,)))
        assert over.denied == "api"
        waits.append(over.wait_ms)
        clock.now += over.wait_ms - 1
        assert tally.ask(Ask(who, (one,))).denied == "api"  # asking too early makes it no longer
        clock.now += 1
    assert waits == [1_000, 2_000, 4_000, 8_000, 16_000, 32_000, 60_000, 60_000, 60_000]
    clock.now += 9 * RULES.heal_ms
    assert tally.ask(Ask(who, (one,))).denied is None
    assert tally.ask(Ask(who, (one,))).wait_ms == 1_000


def test_a_wait_is_as_long_as_the_window_though_that_is_longer_than_the_cap() -> None:
    clock = Clock()
    tally, who, one = Tally(RULES, clock), client(), Window("api", 1, 10 * RULES.wait_most_ms)
    for _ in range(2):
        assert tally.ask(Ask(who, (one,))).denied is None
        over = tally.ask(Ask(who, (one,)))
        assert over.wait_ms == one.period_ms
        clock.now += over.wait_ms


def test_of_too_many_clients_the_one_that_was_away_longest_is_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cache.tally.MOST_CLIENTS", 3)
    tally, once = Tally(RULES, Clock()), (Window("api", 1, 60_000),)
    assert [tally.ask(Ask(who, once)).denied for who in ("a", "b", "c", "a", "d")] == [None, None, None, "api", None]
    assert tally.ask(Ask("a", once)).denied == "api", "who asked just now is remembered"
    assert tally.ask(Ask("b", once)).denied is None


async def test_a_clock_of_redis_that_was_wrong_and_is_set_right_keeps_nobody_out(cache: RedisCache) -> None:
    clock, who = Clock(), client()
    limits = SharedLimits(cache.client, RULES, clock)
    clock.now += 3_600_000
    for _ in range(8):
        verdict = await limits.ask(Ask(who, (OVERALL,), cost=20))
    assert verdict.denied
    clock.now -= 3_600_000
    assert (await limits.ask(Ask(who, (OVERALL,)))).denied is None
    clock.now += 10_000
    assert (await limits.ask(Ask(who, (OVERALL,), cost=RULES.points))).denied is None, "points have come again"


async def test_many_at_once_over_two_processes_get_exactly_what_there_is(cache: RedisCache, valkey: EmbeddedValkey) -> None:
    other = RedisCache(valkey.url, timeout_s=10)
    processes = [SharedLimits(cache.client, RULES), SharedLimits(other.client, RULES)]
    who, many = client(), Window("overall", 70, 60_000)
    verdicts = await asyncio.gather(*(process.ask(Ask(who, (many,), cost=1)) for _ in range(60) for process in processes))
    assert [verdict.denied for verdict in verdicts].count(None) == 70
    assert {verdict.denied for verdict in verdicts} == {None, "overall"}
    assert min(left for verdict in verdicts for left, _ in verdict.left) == 0
    await other.close()


async def test_what_was_too_much_is_given_back_though_the_client_asks_no_more_here(cache: RedisCache, valkey: EmbeddedValkey) -> None:
    other = RedisCache(valkey.url, timeout_s=10)
    here, there, who = SharedLimits(cache.client, RULES), SharedLimits(other.client, RULES), client()
    assert (await here.ask(Ask(who, (OVERALL,), cost=90))).points == 10
    assert (await here.ask(Ask(who, (OVERALL,), cost=50))).denied == "points"
    who = client()
    await here.ask(Ask(who, (OVERALL,), cost=90))
    here.refund(who, 85, is_local=False)
    async with asyncio.timeout(5):
        while (await there.ask(Ask(who))).points < 90:
            await asyncio.sleep(0.01)
    await other.close()


async def test_who_goes_away_while_he_is_counted_keeps_nobody_from_being_answered(cache: RedisCache) -> None:
    limits, who = SharedLimits(cache.client, RULES), client()
    gone, *others = (asyncio.create_task(limits.ask(Ask(who, (API,)))) for _ in range(3))
    await asyncio.sleep(0)  # all of them have asked
    gone.cancel()
    assert [verdict.denied for verdict in await asyncio.gather(*others)] == [None, None]


async def test_a_client_is_one_key_which_goes_when_nothing_is_left_to_know(cache: RedisCache) -> None:
    limits, who = SharedLimits(cache.client, RULES), client()
    before = {key async for key in cache.client.scan_iter(f"{PREFIX}*")}
    await limits.ask(Ask(who, (OVERALL, API), cost=5))
    (key,) = {key async for key in cache.client.scan_iter(f"{PREFIX}*")} - before
    assert who.encode() not in key
    assert key.count(b"{") == key.count(b"}") == 1
    assert 10_000 < await cache.client.pttl(key) <= 12_000


async def test_a_script_that_redis_has_forgotten_is_sent_again(cache: RedisCache) -> None:
    await cache.client.script_flush()
    verdicts = await asyncio.gather(*(SharedLimits(cache.client, RULES).ask(Ask(client(), (OVERALL,))) for _ in range(3)))
    assert [verdict.is_local for verdict in verdicts] == [False] * 3


@pytest.mark.parametrize("broken", ["cache.limits._verdict", "cache.limits._digest"])
async def test_a_mistake_of_ours_is_told_to_all_who_wait_and_later_ones_are_judged(
    cache: RedisCache, monkeypatch: pytest.MonkeyPatch, broken: str
) -> None:
    limits, who = SharedLimits(cache.client, RULES), client()
    nothing: dict[str, object] = {}
    with monkeypatch.context() as patch:
        patch.setattr("cache.limits.MOST_AT_ONCE", 2)
        patch.setattr(broken, lambda _: nothing["nobody thought of this"])
        async with asyncio.timeout(5):
            told = await asyncio.gather(*(limits.ask(Ask(who, (OVERALL,))) for _ in range(5)), return_exceptions=True)
    assert [type(each) for each in told] == [KeyError] * 5
    assert not (await limits.ask(Ask(client(), (OVERALL,)))).is_local


async def test_who_waits_behind_many_while_redis_hangs_waits_for_one_answer_and_no_more(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cache.limits.MOST_AT_ONCE", 10)
    server = EmbeddedValkey(tmp_path)
    server.start()
    cache = RedisCache(server.url, timeout_s=0.2)
    limits = SharedLimits(cache.client, RULES)
    assert not (await limits.ask(Ask(client(), (OVERALL,)))).is_local
    assert server.pid is not None
    os.kill(server.pid, signal.SIGSTOP)
    with capture_logs() as logged:
        verdicts = await asyncio.gather(*(limits.ask(Ask(client(), (OVERALL,))) for _ in range(100)))
    os.kill(server.pid, signal.SIGCONT)
    assert all(verdict.is_local for verdict in verdicts)
    assert len(logged) == 1
    await cache.close()
    server.stop()


async def test_without_redis_this_process_counts_and_nobody_waits(tmp_path: Path) -> None:
    server = EmbeddedValkey(tmp_path)
    server.start()
    cache = RedisCache(server.url)
    limits, who = SharedLimits(cache.client, RULES), client()
    assert not (await limits.ask(Ask(who, (OVERALL,)))).is_local
    server.stop()
    began = time.monotonic()
    with capture_logs() as logged:
        verdicts = [await limits.ask(Ask(who, (OVERALL,))) for _ in range(8)]
    assert time.monotonic() - began < 0.3
    assert [verdict.denied for verdict in verdicts] == [None] * 5 + ["overall"] * 3
    assert all(verdict.is_local for verdict in verdicts)
    assert len(logged) == 1
    server.start()
    async with asyncio.timeout(5):
        while (await limits.ask(Ask(client(), (OVERALL,)))).is_local:
            await asyncio.sleep(0.05)
    await cache.close()
    server.stop()
