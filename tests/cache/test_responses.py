"""Answers are found as long as they are fresh, made once however many ask, and leave when there is no room."""

import asyncio
import gc
import random
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import replace

import pytest
from redis.asyncio import Redis
from structlog.testing import capture_logs

from cache.embedded import EmbeddedValkey
from cache.entry import MOST_DOCUMENTS, Made
from cache.freshness import Freshness
from cache.responses import ResponseCache
from cache.shared import LARGEST_BYTES, LEAD_MS, LEADER, MOST_AT_ONCE, SharedResponses
from core.errors import Overloaded
from core.histogram import OTHERS
from tests.cache.test_freshness import hearing

BODY = b'{"data":{"deal":{"name":"Renewal"}}}'


def made(body: bytes = BODY, *, tags: frozenset[str] | None = frozenset({"deal:1"}), xmin: int = 1000) -> Made:
    """An answer that is good for a minute."""
    return Made(body, 200, "Deal", tags, time.time() + 60, xmin)


def a_cache(freshness: Freshness | None = None, **options: object) -> ResponseCache:
    """A cache of a megabyte, on a line that is up."""
    return ResponseCache(freshness or hearing(), **({"most_bytes": 1_000_000} | options))  # type: ignore[arg-type]


class Maker:
    """Makes an answer when it may, and counts how often it was asked."""

    def __init__(self, answer: Made | None = None) -> None:
        self.answer = answer or made()
        self.asked = 0
        self.began, self.may_finish = asyncio.Event(), asyncio.Event()
        self.may_finish.set()

    async def __call__(self) -> Made:
        self.asked += 1
        self.began.set()
        await self.may_finish.wait()
        return self.answer


async def test_an_answer_is_made_once_and_found_until_something_of_it_is_written() -> None:
    cache, make = a_cache(), Maker()
    assert (await cache.find_or_make(b"k", make))[2] == "MISS"
    entry, found, outcome = await cache.find_or_make(b"k", make)
    assert (outcome, found.body, make.asked) == ("HIT", BODY, 1)
    assert entry is cache.find(b"k")
    cache.freshness.hear(1, ["deal:2"])
    assert cache.find(b"k")
    cache.freshness.hear(2, ["deal:1", "deals-of-owner:1"])
    assert cache.find(b"k") is None
    assert (cache.bytes, len(cache)) == (0, 0)


@pytest.mark.parametrize(
    ("read", "written", "is_old"),
    [
        ("deal:1", "deals", True),
        ("deals-of-owner:1", "deals", True),
        ("deals", "deal:1", True),
        ("deals", "deals-of-owner:9", True),
        ("deals", "companies", False),
        ("deals-of-owner:1", "deal:1", False),
    ],
)
async def test_a_plural_stands_for_all_of_its_rows(read: str, written: str, is_old: bool) -> None:
    cache = a_cache()
    await cache.find_or_make(b"k", Maker(made(tags=frozenset({read}))))
    cache.freshness.hear(1, [written])
    assert (cache.find(b"k") is None) is is_old


async def test_what_is_written_while_an_answer_is_made_keeps_it_out() -> None:
    cache, make = a_cache(), Maker()
    make.may_finish.clear()
    asking = asyncio.create_task(cache.find_or_make(b"k", make))
    await make.began.wait()
    cache.freshness.hear(1, ["deal:1"])
    make.may_finish.set()
    assert (await asking)[1].body == BODY
    assert cache.find(b"k") is None


async def test_a_thousand_at_once_are_answered_by_one_execution() -> None:
    cache, make = a_cache(), Maker()
    make.may_finish.clear()
    asking = [asyncio.create_task(cache.find_or_make(b"k", make)) for _ in range(1000)]
    await make.began.wait()
    make.may_finish.set()
    assert {body.body for _, body, _ in await asyncio.gather(*asking)} == {BODY}
    assert make.asked == 1


async def test_whoever_asks_after_a_write_does_not_join_those_who_began_before_it() -> None:
    cache, make = a_cache(), Maker()
    make.may_finish.clear()
    before = asyncio.create_task(cache.find_or_make(b"k", make))
    await make.began.wait()
    cache.freshness.hear(1, ["deal:1"])
    make.began.clear()
    after = asyncio.create_task(cache.find_or_make(b"k", make))
    await asyncio.wait_for(make.began.wait(), 5)
    make.may_finish.set()
    await asyncio.gather(before, after)


async def test_a_reader_that_goes_away_leaves_the_others_their_answer_and_the_last_one_ends_the_work() -> None:
    cache, make = a_cache(), Maker()
    make.may_finish.clear()
    first, second = (asyncio.create_task(cache.find_or_make(b"k", make)) for _ in range(2))
    await make.began.wait()
    first.cancel()
    await asyncio.wait([first])
    make.may_finish.set()
    assert (await second)[1].body == BODY
    make.may_finish.clear()
    make.began.clear()
    cache.clear()
    third = asyncio.create_task(cache.find_or_make(b"k", make))
    await make.began.wait()
    third.cancel()
    with pytest.raises(asyncio.CancelledError):
        await third
    assert make.asked == 2
    make.may_finish.set()
    assert (await cache.find_or_make(b"k", make))[2] == "MISS"


async def test_whoever_wants_an_answer_that_is_made_now_does_not_join_those_who_wait_for_one() -> None:
    cache, make = a_cache(), Maker()
    make.may_finish.clear()
    first = asyncio.create_task(cache.find_or_make(b"k", make))
    await make.began.wait()
    make.began.clear()
    second = asyncio.create_task(cache.find_or_make(b"k", make, refresh=True))
    await asyncio.wait_for(make.began.wait(), 5)
    make.may_finish.set()
    await asyncio.gather(first, second)
    assert make.asked == 2


async def test_an_error_is_told_to_all_who_wait_and_is_not_kept() -> None:
    cache = a_cache()

    async def fail() -> Made:
        await asyncio.sleep(0.01)
        raise ValueError("broken")

    told = await asyncio.gather(*(cache.find_or_make(b"k", fail) for _ in range(3)), return_exceptions=True)
    assert [str(each) for each in told] == ["broken"] * 3
    assert (await cache.find_or_make(b"k", Maker()))[2] == "MISS"


async def test_what_must_not_be_kept_is_made_each_time() -> None:
    cache, make = a_cache(), Maker(made(tags=None))
    assert [(await cache.find_or_make(b"k", make))[2] for _ in range(2)] == ["BYPASS", "BYPASS"]
    assert make.asked == 2


async def test_without_a_line_nothing_is_found_and_nothing_kept() -> None:
    cache, make = a_cache(), Maker()
    await cache.find_or_make(b"k", make)
    cache.freshness.lost()
    assert cache.find(b"k") is None
    assert (await cache.find_or_make(b"k", make))[2] == "BYPASS"
    cache.freshness.begin(0, "")
    cache.freshness.beat(100.0)
    assert (await cache.find_or_make(b"k", make))[2] == "MISS"


async def test_what_was_fresh_when_the_line_was_cut_is_kept_as_stale_only_if_that_is_wanted() -> None:
    for stale_s, expected in ((0.0, None), (60.0, BODY)):
        cache = a_cache(stale_s=stale_s)
        await cache.find_or_make(b"k", Maker())
        cache.freshness.lost()
        found = cache.find_stale(b"k")
        assert (found and found.made.body) == expected


async def test_a_line_that_is_told_to_be_cut_twice_leaves_what_was_fresh_the_first_time_and_nothing_that_was_written_since() -> None:
    cache = a_cache(stale_s=60.0)
    await cache.find_or_make(b"k", Maker())
    for _ in range(2):
        cache.freshness.lost()
    assert cache.find_stale(b"k")
    cache.freshness.begin(0, "")
    cache.freshness.beat(100.0)
    cache.freshness.hear(5, ["deal:1"])
    cache.freshness.lost()
    assert cache.find_stale(b"k") is None


async def test_what_is_stale_is_served_so_long_and_no_longer() -> None:
    clock = [time.time()]
    cache = a_cache(stale_s=30.0, now=lambda: clock[0])
    await cache.find_or_make(b"k", Maker())
    cache.freshness.lost()
    clock[0] += 29
    assert cache.find_stale(b"k")
    clock[0] += 2
    assert cache.find_stale(b"k") is None


async def test_what_is_stale_goes_when_it_is_made_anew() -> None:
    cache = a_cache(stale_s=60.0)
    await cache.find_or_make(b"k", Maker())
    cache.freshness.lost()
    cache.freshness.begin(0, "")
    cache.freshness.beat(100.0)
    await cache.find_or_make(b"k", Maker())
    cache.freshness.hear(5, ["deal:1"])
    assert cache.find_stale(b"k") is None


@pytest.mark.parametrize("written", ["deals", "document:Deal"])
async def test_what_is_stale_goes_when_it_is_cleared_by_hand_or_all_of_a_kind_is_written(written: str) -> None:
    cache = a_cache(stale_s=60.0)
    await cache.find_or_make(b"k", Maker())
    cache.freshness.lost()
    cache.freshness.begin(0, "")
    cache.freshness.beat(100.0)
    assert cache.find_stale(b"k") is not None
    cache.freshness.hear(5, [written])
    assert cache.find_stale(b"k") is None


async def test_an_entry_ends_with_its_time() -> None:
    cache = a_cache()
    await cache.find_or_make(b"k", Maker(Made(BODY, 200, "Deal", frozenset(), time.time() - 1)))
    assert cache.find(b"k") is None


async def test_the_least_recently_used_leave_when_there_is_no_room() -> None:
    cache = a_cache(most_bytes=10_000)
    for key in (b"a", b"b", b"c", b"d"):
        await cache.find_or_make(key, Maker())
        assert cache.find(b"a")
    await cache.find_or_make(b"e", Maker())
    assert (cache.find(b"a") is not None, cache.find(b"b")) == (True, None)
    assert cache.evictions == 1
    assert cache.bytes <= 10_000
    await cache.find_or_make(b"large", Maker(made(b"x" * 5000)))
    assert cache.find(b"large") is None


async def test_an_answer_that_is_made_again_is_counted_once() -> None:
    cache = a_cache(most_bytes=10_000)
    await cache.find_or_make(b"k", Maker())
    before = cache.bytes
    for _ in range(9):
        await cache.find_or_make(b"k", Maker(), refresh=True)
    assert (cache.bytes, cache.evictions, len(cache)) == (before, 0, 1)


async def test_a_compressed_form_is_made_once_and_counted() -> None:
    cache = a_cache()
    entry, _, _ = await cache.find_or_make(b"k", Maker(made(BODY * 100)))
    assert entry is not None
    before = cache.bytes
    form = cache.form(entry, "gzip")
    assert cache.form(entry, "gzip") is form
    assert cache.bytes == before + len(form)
    cache.clear()
    assert cache.bytes == 0


async def test_compressed_forms_find_room_among_the_answers() -> None:
    cache = a_cache(most_bytes=40_000)
    kept = [(await cache.find_or_make(key, Maker(made(random.randbytes(6000)))))[0] for key in (b"a", b"b", b"c", b"d")]
    for entry in kept:
        assert entry is not None
        assert cache.form(entry, "gzip")
        assert cache.bytes <= 40_000
    assert cache.evictions > 0


async def test_a_form_of_what_is_not_kept_is_not_counted() -> None:
    cache = a_cache(most_bytes=10_000)
    entry, _, _ = await cache.find_or_make(b"large", Maker(made(BODY * 100)))
    assert entry is not None
    assert len(cache) == 0
    cache.form(entry, "gzip")
    assert cache.bytes == 0


@pytest.fixture
async def redis(valkey: EmbeddedValkey) -> AsyncIterator["Redis"]:
    """A client of the session's Valkey, emptied."""
    client = Redis.from_url(valkey.url, socket_timeout=10)
    await client.flushall()
    yield client
    await client.aclose()


async def test_what_one_process_has_made_another_finds_if_it_can_vouch_for_it(redis: "Redis") -> None:
    one, other = (a_cache(shared=SharedResponses(redis, hearing())) for _ in range(2))
    await one.find_or_make(b"k", Maker())
    make = Maker()
    assert (await other.find_or_make(b"k", make))[2] == "HIT"
    assert make.asked == 0
    other.clear()
    other.freshness.hear(1000, ["deal:1"])
    assert (await other.find_or_make(b"k", make))[2] == "MISS"


async def test_a_process_that_began_to_listen_later_does_not_trust_what_was_made_before(redis: "Redis") -> None:
    await a_cache(shared=SharedResponses(redis, hearing())).find_or_make(b"k", Maker(made(xmin=1000)))
    late = a_cache(hearing(since=1001), shared=SharedResponses(redis, hearing()))
    assert (await late.find_or_make(b"k", Maker()))[2] == "MISS"


async def test_what_was_made_under_another_incarnation_of_postgres_is_not_found(redis: "Redis") -> None:
    freshness = hearing()
    cache, make = a_cache(freshness, shared=SharedResponses(redis, freshness)), Maker()
    for incarnation, outcome in (("", "MISS"), ("after a crash", "MISS"), ("", "HIT")):
        freshness.begin(0, incarnation)
        freshness.beat(100.0)
        cache.clear()
        assert (await cache.find_or_make(b"k", make))[2] == outcome


async def test_two_processes_make_a_cold_answer_once(redis: "Redis") -> None:
    one, other = (a_cache(shared=SharedResponses(redis, hearing())) for _ in range(2))
    make = Maker()
    make.may_finish.clear()
    asking = [asyncio.create_task(cache.find_or_make(b"k", make)) for cache in (one, other) for _ in range(100)]
    await asyncio.sleep(0.1)
    make.may_finish.set()
    assert {found.body for _, found, _ in await asyncio.gather(*asking)} == {BODY}
    assert make.asked == 1


async def test_an_answer_is_as_old_as_it_was_made_whoever_made_it(redis: "Redis") -> None:
    began, now = time.time(), [time.time()]
    one, other = (a_cache(shared=SharedResponses(redis, hearing()), stale_s=20, now=lambda: now[0]) for _ in range(2))
    await one.find_or_make(b"k", Maker())
    now[0] = began + 30
    entry, _, outcome = await other.find_or_make(b"k", Maker())
    assert outcome == "HIT" and entry is not None
    assert abs(entry.made.made_at - began) < 1
    other.freshness.lost()
    assert other.find_stale(b"k") is None, "what is 30 seconds old may not be served where 20 are the most"


async def test_what_was_made_by_a_clock_that_was_wrong_goes_when_it_is_set_right(redis: "Redis") -> None:
    right, now = time.time(), [time.time() + 3600]
    one, other = (a_cache(shared=SharedResponses(redis, hearing()), stale_s=60, now=lambda: now[0]) for _ in range(2))
    await one.find_or_make(b"k", Maker(replace(made(), good_until=now[0] + 60)))
    one.freshness.lost()
    now[0] = right
    assert one.find_stale(b"k") is None
    make = Maker()
    assert (await other.find_or_make(b"k", make))[2] == "MISS"
    assert make.asked == 1
    assert other.find(b"k") is not None
    now[0] = right - 3600
    assert other.find(b"k") is None


async def test_of_many_answers_that_are_made_at_once_none_takes_redis_for_away(redis: "Redis") -> None:
    cache, before = a_cache(shared=SharedResponses(redis, hearing())), len(await redis.client_list())
    with capture_logs() as told:
        await asyncio.gather(*[cache.find_or_make(b"%d" % number, Maker()) for number in range(300)])
    assert told == []
    assert await redis.exists(*[b"dealgraph:response:4::%d" % number for number in range(300)]) == 300
    assert len(await redis.client_list()) <= before + MOST_AT_ONCE + 1  # one more looks up


async def test_a_leader_that_died_costs_the_others_its_lock_at_most(redis: "Redis") -> None:
    dead, alive = (SharedResponses(redis, hearing()) for _ in range(2))
    assert await dead.lead(b"k")
    started = time.monotonic()
    assert (await a_cache(shared=alive).find_or_make(b"k", Maker()))[2] == "MISS"
    assert time.monotonic() - started < 2
    assert await alive.lead(b"other")
    assert 0 < await redis.pttl(LEADER + b"other") <= LEAD_MS


@pytest.mark.parametrize("broken", [b"", b"{", b"null\n", b"[]\n", b'[200,"Deal",[7],"soon",0,0,0,""]\n', b"\xff\n"])
async def test_an_answer_in_redis_that_cannot_be_read_is_made_again(redis: "Redis", broken: bytes) -> None:
    await a_cache(shared=SharedResponses(redis, hearing())).find_or_make(b"k", Maker())
    (name,) = await redis.keys("dealgraph:response:*")
    await redis.set(name, broken)
    async with asyncio.timeout(5):
        assert (await a_cache(shared=SharedResponses(redis, hearing())).find_or_make(b"k", Maker()))[2] == "MISS"


async def test_an_answer_that_is_not_kept_lets_the_next_one_lead(redis: "Redis") -> None:
    cache = a_cache(shared=SharedResponses(redis, hearing()))
    await cache.find_or_make(b"k", Maker(made(tags=None)))
    assert await SharedResponses(redis, hearing()).lead(b"k")


async def test_an_answer_that_could_not_be_made_lets_the_next_one_lead(redis: "Redis") -> None:
    async def fail() -> Made:
        raise ValueError("broken")

    with pytest.raises(ValueError, match="broken"):
        await a_cache(shared=SharedResponses(redis, hearing())).find_or_make(b"k", fail)
    assert await SharedResponses(redis, hearing()).lead(b"k")


class Others:
    """What other processes have made, look by look, and whether this one leads."""

    def __init__(self, *looks: Made | None) -> None:
        self.looks = list(looks)
        self.is_led = False

    def ask(self, key: bytes, told: Callable[[Made | None], None]) -> None:
        asyncio.get_running_loop().call_soon(told, self.looks.pop(0))

    async def get(self, key: bytes) -> Made | None:
        return self.looks.pop(0)

    async def put(self, key: bytes, made: Made) -> None:
        self.is_led = False

    async def lead(self, key: bytes) -> bool:
        self.is_led = True
        return True

    async def release(self, key: bytes) -> None:
        self.is_led = False


async def test_whoever_comes_to_lead_and_finds_it_made_leads_no_more() -> None:
    others = Others(None, made())
    assert (await a_cache(shared=others).find_or_make(b"k", Maker()))[2] == "HIT"
    assert others.looks == []
    assert not others.is_led


async def test_whoever_comes_to_lead_and_is_not_wanted_any_more_leads_no_more() -> None:
    looks_again = asyncio.Event()

    class Slow(Others):
        async def get(self, key: bytes) -> Made | None:
            if self.is_led:
                looks_again.set()
                await asyncio.Event().wait()
            return None

    others = Slow()
    asking = asyncio.create_task(a_cache(shared=others).find_or_make(b"k", Maker()))
    await looks_again.wait()
    asking.cancel()
    async with asyncio.timeout(5):
        while others.is_led:
            await asyncio.sleep(0)


async def test_what_another_process_made_ends_with_its_time() -> None:
    old = Made(BODY, 200, "Deal", frozenset({"deal:1"}), time.time() - 1, 1000)
    assert (await a_cache(shared=Others(old)).find_or_make(b"k", Maker()))[2] == "MISS"
    assert await a_cache(shared=Others(old)).find_shared(b"k") is None


async def test_an_answer_that_would_push_out_whatever_else_is_in_redis_is_not_shared(redis: "Redis") -> None:
    cache = a_cache(shared=SharedResponses(redis, hearing()))
    for key, length in ((b"large", LARGEST_BYTES), (b"larger", LARGEST_BYTES + 1)):
        await cache.find_or_make(key, Maker(made(b"x" * length)))
        assert (await SharedResponses(redis, hearing()).get(key) is not None) == (key == b"large")
        assert await SharedResponses(redis, hearing()).lead(key)


async def test_without_redis_each_process_keeps_its_own() -> None:
    gone = Redis.from_url("unix:///nowhere/valkey.sock")
    cache, make = a_cache(shared=SharedResponses(gone, hearing())), Maker()
    assert [(await cache.find_or_make(b"k", make))[2] for _ in range(2)] == ["MISS", "HIT"]
    await gone.aclose()


async def test_what_was_read_before_a_write_is_not_kept_after_it_and_nobody_joins_who_asks_later() -> None:
    cache, make = a_cache(), Maker()
    began = cache.freshness.number
    cache.freshness.hear(1, ["deal:1"])
    make.may_finish.clear()
    together = asyncio.create_task(cache.find_or_make(b"k", make, began=began))
    await asyncio.sleep(0)
    alone = asyncio.create_task(cache.find_or_make(b"k", make))
    await asyncio.sleep(0)
    make.may_finish.set()
    assert (await together)[0] is None
    assert (await alone)[0] is cache.find(b"k")
    assert make.asked == 2


async def test_of_too_many_documents_the_rarest_are_counted_together() -> None:
    cache = a_cache()
    for number in range(MOST_DOCUMENTS + 5):
        cache.stats[f"Document{number}"].misses += 1
        cache.stats["Dashboard"].hits += 1
    assert len(cache.stats) == MOST_DOCUMENTS + 1
    assert cache.stats[OTHERS].misses == 6
    assert cache.stats["Dashboard"].hits == MOST_DOCUMENTS + 5


async def test_nothing_is_made_for_those_who_have_gone_and_nobody_is_kept_from_making_it(redis: "Redis") -> None:
    """In whatever moment they go: a cancellation that comes while Redis is written to is easily passed over."""
    cache, other, for_nobody, kept = a_cache(shared=SharedResponses(redis, hearing())), SharedResponses(redis, hearing()), 0, 0
    for number in range(80):
        gone, late = list[bool](), list[bool]()

        async def make(gone: list[bool] = gone, late: list[bool] = late) -> Made:
            await asyncio.sleep(0.01)
            late += gone
            return made()

        key = f"gone {number}".encode()
        waiting = asyncio.create_task(cache.find_or_make(key, make))
        await asyncio.sleep(0.00003 * (number % 40))
        gone.append(True)
        waiting.cancel()
        await asyncio.wait({waiting})
        await asyncio.sleep(0.04)
        for_nobody += len(late)
        kept += not await other.lead(key)
    assert (for_nobody, kept) == (0, 0)


async def test_what_fails_for_nobody_leaves_nothing_in_the_log(redis: "Redis", caplog: pytest.LogCaptureFixture) -> None:
    cache = a_cache(shared=SharedResponses(redis, hearing()))

    async def fail() -> Made:
        raise Overloaded("busy")

    for number in range(60):
        waiting = asyncio.create_task(cache.find_or_make(f"failed {number}".encode(), fail, refresh=True))
        for _ in range(number % 30):
            await asyncio.sleep(0)
        waiting.cancel()
        await asyncio.wait({waiting})
        await asyncio.sleep(0.005)
        del waiting
    gc.collect()
    assert "never retrieved" not in caplog.text
