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
