"""What a server does beside its requests."""

import asyncio
from collections.abc import Awaitable, Callable

import structlog

log = structlog.get_logger("ops")
PAUSE_S = 1.0


async def go_on(work: Callable[[], Awaitable[None]]) -> None:
    """Does the work until it is done or cancelled. A failure that nobody thought of is logged, and it begins again."""
    while True:
        try:
            await work()
            return
        except Exception:
            log.exception("work beside the requests failed, and begins again")
        await asyncio.sleep(PAUSE_S)
