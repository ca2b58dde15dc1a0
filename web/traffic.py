"""What requests this process has answered, and how fast: the outermost middleware."""

import time
from collections import Counter
from dataclasses import dataclass, field

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from core.histogram import Histogram


@dataclass(slots=True)
class Traffic:
    """Answered requests since the start: until an answer begins, and with which status (``2xx`` and so on)."""

    started_at: float = field(default_factory=time.time)
    answered: Histogram = field(default_factory=Histogram)
    statuses: Counter[int] = field(default_factory=Counter)

    def turn_away(self, status: int) -> None:
        """Counts one that was told to come back before it was looked at: no time says anything about it."""
        self.statuses[status // 100] += 1

    def add(self, seconds: float, status: int) -> None:
        """Counts one."""
        self.answered.add(seconds, failed=status >= 500)
        self.statuses[status // 100] += 1


class CountTraffic:
    """ASGI middleware; ``state`` has ``traffic``, and gets ``started``."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        traffic: Traffic = scope["state"]["traffic"]
        started = scope["state"]["started"] = time.perf_counter()

        async def send_counted(message: Message) -> None:
            if message["type"] == "http.response.start":
                traffic.add(time.perf_counter() - started, message["status"])
            await send(message)

        await self.app(scope, receive, send_counted)
