"""Work beside the requests goes on, whatever happens to it."""

import asyncio

import pytest
from structlog.testing import capture_logs

from ops import background


async def test_what_fails_is_logged_and_begins_again_until_it_is_done(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(background, "PAUSE_S", 0.0)
    began = 0

    async def work() -> None:
        nonlocal began
        began += 1
        if began < 3:
            raise KeyError("nobody thought of this")

    with capture_logs() as logged:
        await asyncio.wait_for(background.go_on(work), 5)
    assert began == 3
    assert [each["log_level"] for each in logged] == ["error", "error"]


async def test_what_is_cancelled_ends() -> None:
    task = asyncio.create_task(background.go_on(asyncio.Event().wait))  # type: ignore[arg-type]
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_work_that_fails_at_once_is_not_begun_again_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(background, "PAUSE_S", 3600.0)
    begun = 0

    async def work() -> None:
        nonlocal begun
        begun += 1
        if begun < 10:
            raise RuntimeError("a bug")

    with capture_logs():
        task = asyncio.create_task(background.go_on(work))
        for _ in range(20):
            await asyncio.sleep(0)
    assert (begun, task.done()) == (1, False)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
