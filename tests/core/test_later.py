"""A value that will be there: whoever wants it has it once, whenever they ask, and an error takes the same way."""

import asyncio
from itertools import permutations

import pytest

from core.later import Later, all_of, outcomes_of


def test_who_asks_before_and_who_asks_after_are_told_the_same() -> None:
    told: list[int] = []
    later: Later[int] = Later()
    later.then(told.append)
    later.give(7)
    later.then(told.append)
    assert told == [7, 7]


def test_it_is_given_once() -> None:
    with pytest.raises(AssertionError, match="twice"):
        Later.given(1).give(2)


def test_what_is_given_later_is_passed_on() -> None:
    told: list[int] = []
    first, second = Later[int](), Later[int]()
    first.then(told.append)
    first.give(second)
    assert told == []
    second.give(3)
    assert told == [3]


def test_a_change_may_take_its_time_as_well() -> None:
    told: list[int] = []
    later, changed = Later[int](), Later[int]()

    def change(_: int) -> int | Later[int]:
        return changed

    later.map(change).map(lambda value: value + 1).then(told.append)
    later.give(0)
    changed.give(4)
    assert told == [5]


def test_an_error_goes_past_every_change_and_one_of_a_change_takes_its_place() -> None:
    told: list[BaseException] = []
    wrong = ValueError("no")
    Later[int].given(wrong).map(lambda value: value + 1).then(told.append)
    Later.given(0).map(lambda value: 1 // value).then(told.append)
    assert told[0] is wrong
    assert isinstance(told[1], ZeroDivisionError)


@pytest.mark.parametrize("order", list(permutations(range(3))))
def test_all_of_them_are_in_their_order_however_they_come(order: tuple[int, ...]) -> None:
    laters = [Later[int]() for _ in order]
    told: list[list[int]] = []
    all_of(laters).then(told.append)
    for at in order:
        assert told == []
        laters[at].give(at)
    assert told == [[0, 1, 2]]


def test_an_error_stands_in_the_place_of_its_value_and_the_first_is_that_of_all() -> None:
    told: list[object] = []
    laters = [Later[int](), Later[int](), Later[int]()]
    outcomes_of(laters).then(told.append)
    all_of(laters).then(told.append)
    first, second = ValueError("first"), ValueError("second")
    laters[2].give(second)
    laters[1].give(first)
    assert told == []
    laters[0].give(0)
    assert told == [[0, first, second], first]


def test_none_are_there_at_once() -> None:
    told: list[list[int]] = []
    all_of(list[Later[int]]()).then(told.append)
    assert told == [[]]


async def test_any_number_may_await_it_and_who_goes_away_takes_it_from_nobody() -> None:
    later: Later[int] = Later()

    async def wait() -> int:
        return await later

    waiting = [asyncio.create_task(wait()) for _ in range(3)]
    await asyncio.sleep(0)
    waiting[0].cancel()
    await asyncio.sleep(0)
    later.give(5)
    assert await asyncio.gather(*waiting[1:]) == [5, 5]
    assert await later == 5
    assert waiting[0].cancelled()


async def test_awaiting_an_error_raises_it() -> None:
    later: Later[int] = Later()
    waiting = asyncio.ensure_future(later)
    await asyncio.sleep(0)
    later.give(ValueError("no"))
    with pytest.raises(ValueError, match="no"):
        await waiting
