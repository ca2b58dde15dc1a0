"""So many at once, some in a queue in their order, and the rest is told to come back."""

import asyncio

import pytest

from core.errors import Overloaded
from web.limits.gate import Gate


async def enter(gate: Gate, name: int, order: list[int], leave: asyncio.Event) -> None:
    async with gate:
        order.append(name)
        await leave.wait()


async def test_who_waits_comes_in_order_and_who_finds_the_queue_full_goes_at_once() -> None:
    gate, order, leave = Gate(2, 3, 10), list[int](), asyncio.Event()
    tasks = [asyncio.create_task(enter(gate, name, order, leave)) for name in range(5)]
    await asyncio.sleep(0)
    assert order == [0, 1]
    with pytest.raises(Overloaded):
        await enter(gate, 9, order, leave)
    leave.set()
    await asyncio.gather(*tasks)
    assert order == [0, 1, 2, 3, 4]


async def test_who_gives_up_or_has_waited_long_enough_leaves_no_gap() -> None:
    gate, order, leave = Gate(1, 9, 0.05), list[int](), asyncio.Event()
    inside = asyncio.create_task(enter(gate, 0, order, leave))
    await asyncio.sleep(0)
    gone, late = (asyncio.create_task(enter(gate, name, order, leave)) for name in (1, 2))
    await asyncio.sleep(0)
    gone.cancel()
    with pytest.raises(Overloaded):
        await late
    last = asyncio.create_task(enter(gate, 3, order, leave))
    cancelled = asyncio.create_task(enter(gate, 4, order, leave))
    await asyncio.sleep(0)
    leave.set()
    await inside
    cancelled.cancel()  # in the moment when its turn may have come
    await last
    await asyncio.gather(gone, cancelled, return_exceptions=True)
    async with asyncio.timeout(1):
        for _ in range(3):
            await enter(gate, 5, order, leave)
    assert order == [0, 3, 5, 5, 5]
