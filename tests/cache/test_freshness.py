"""Nothing counts as fresh that may have been written since; laws over random histories, and the line that is cut."""

import asyncio

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from cache.freshness import ECHO_S, LEASE_S, Freshness
from core.tags import everything_of

ROWS = [f"deal:{n}" for n in range(3)] + ["deals-of-owner:a", "deals-of-owner:b", "company:1", "companies-of-owner:a"]
TAGS = [*ROWS, "deals", "companies", "users"]


class Clock:
    """A time that stands still until it is told."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def hearing(clock: Clock | None = None, since: int = 0) -> Freshness:
    """A line that is up, for as long as the clock stands still."""
    clock = clock or Clock()
    found = Freshness(clock)
    found.begin(since, "")
    found.beat(clock())
    return found


def touches(written: str, read: str) -> bool:
    """Whether a write announced as one tag can have changed what was read under another, said as simply as possible."""
    if everything_of(written) != everything_of(read):
        return False
    return written == read or ":" not in written or ":" not in read


@given(st.lists(st.sets(st.sampled_from(TAGS), min_size=1)), st.sets(st.sampled_from(TAGS)), st.data())
def test_what_was_made_here_is_old_as_soon_as_one_of_its_tags_is_written(
    history: list[set[str]], tags: set[str], data: st.DataObject
) -> None:
    freshness = hearing()
    start = data.draw(st.integers(0, len(history)))
    numbers = [freshness.number]
    for xid, written in enumerate(history, 1):
        freshness.hear(xid, written)
        numbers.append(freshness.number)
    expected = any(touches(each, tag) for written in history[start:] for each in written for tag in tags)
    assert freshness.written_since(tags, numbers[start]) is expected


def test_what_has_older_rows_of_stages_and_users_in_it_is_as_old_for_their_tags_alone() -> None:
    freshness = hearing(since=4)
    freshness.hear(8, ["stages", "deal:1"])
    assert freshness.vouches({"stages", "deal:1"}, 10)
    assert freshness.vouches({"stages"}, 10, 9)
    assert not freshness.vouches({"stages"}, 10, 8)
    assert freshness.vouches({"deal:1", "users"}, 10, 5)
    assert not freshness.vouches({"users"}, 10, 3), "of what was written in between it has not heard"


@example([(2, {"deal:1"}), (1, {"deals"})], {"deal:0"}, 2, 0)  # a row that was written later is not all of them
@given(
    st.lists(st.tuples(st.integers(1, 30), st.sets(st.sampled_from(TAGS), min_size=1))),
    st.sets(st.sampled_from(TAGS)),
    st.integers(1, 31),
    st.integers(0, 31),
)
def test_what_another_process_made_is_vouched_for_only_if_it_saw_every_write_and_none_can_have_been_missed(
    history: list[tuple[int, set[str]]], tags: set[str], xmin: int, since: int
) -> None:
    freshness = hearing(since=since)
    for xid, written in history:
        freshness.hear(xid, written)
    missed = any(xid >= xmin and touches(each, tag) for xid, written in history for each in written for tag in tags)
    if freshness.vouches(tags, xmin):
        assert xmin >= since
        assert not missed
    elif xmin >= since:
        assert missed


def test_a_transaction_that_commits_late_is_not_hidden_by_a_later_one() -> None:
    freshness = hearing()
    freshness.hear(20, ["deal:1"])
    freshness.hear(10, ["deal:1"])
    assert not freshness.vouches(["deal:1"], 15)
    assert freshness.vouches(["deal:1"], 21)


def test_without_a_heartbeat_nothing_is_vouched_for() -> None:
    clock = Clock()
    freshness = hearing(clock)
    assert freshness.is_hearing
    clock.now += LEASE_S
    assert not freshness.is_hearing
    assert not freshness.vouches([], 10)
    freshness.beat(clock())
    assert freshness.is_hearing


def test_what_was_made_before_the_line_was_cut_is_not_fresh_after_it_is_back() -> None:
    freshness, lost = hearing(), []
    freshness.on_lost = lambda: lost.append(True)
    freshness.hear(1, ["deal:1", "deals"])
    began = freshness.number
    freshness.lost()
    assert lost
    assert not freshness.is_hearing
    freshness.begin(0, "")
    assert all(freshness.written_since([tag], began) for tag in ("deal:1", "deal:2"))


def test_what_is_forgotten_counts_as_written_just_now(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cache.freshness.MOST_TAGS", 4)
    freshness = hearing()
    began = freshness.number
    freshness.hear(8, ["deal:1"])
    for number in range(10):
        freshness.hear(6, [f"company:{number}"])
    assert freshness.written_since(["deal:1"], began)
    assert not freshness.vouches(["deal:1"], 8)
    assert freshness.vouches(["deal:1"], 9)


async def test_a_writer_waits_until_its_own_write_is_heard() -> None:
    freshness = hearing()
    freshness.expect(7)
    waiting = asyncio.create_task(freshness.echo(7))
    await asyncio.sleep(0.01)
    assert not waiting.done()
    freshness.ended(7)
    await waiting


async def test_a_writer_whose_time_is_up_while_he_waits_to_hear_it_is_answered_and_leaves_the_line_alone() -> None:
    freshness = hearing()
    freshness.expect(7)

    async def write() -> str:
        async with asyncio.timeout(0):
            await freshness.echo(7)
            return "made"

    waiting = asyncio.create_task(write())
    await asyncio.sleep(0.01)
    waiting.cancel()
    await asyncio.sleep(0)
    assert not waiting.done()
    freshness.ended(7)
    assert await waiting == "made"
    assert freshness.is_hearing


async def test_an_echo_that_comes_before_anybody_waits_is_not_missed() -> None:
    freshness = hearing()
    freshness.expect(7)
    freshness.ended(7)
    await asyncio.wait_for(freshness.echo(7), ECHO_S / 2)
    assert freshness.is_hearing


async def test_a_writer_that_hears_nothing_takes_the_line_for_dead() -> None:
    freshness = Freshness()
    freshness.begin(0, "")
    freshness.beat(1e12)
    freshness.expect(7)
    await freshness.echo(7)
    assert not freshness.is_hearing


async def test_a_writer_who_waits_to_hear_it_is_answered_at_once_when_the_line_is_cut() -> None:
    freshness = hearing()
    freshness.expect(7)
    waiting = asyncio.create_task(freshness.echo(7))
    await asyncio.sleep(0)
    freshness.lost()
    done, _ = await asyncio.wait([waiting], timeout=ECHO_S / 2)
    assert done


@pytest.mark.parametrize("line", ["up", "cut", "never up"])
async def test_nothing_is_left_of_a_write_that_was_heard_or_rolled_back_or_that_nobody_hears(line: str) -> None:
    freshness = Freshness() if line == "never up" else hearing()
    for xid in range(3):
        freshness.expect(xid)
    if line == "cut":
        freshness.lost()
    freshness.ended(0)
    await freshness.echo(0)
    freshness.ended(1)
    await freshness.echo(1)
    freshness.forget(2)
    assert freshness._echoes == {}
