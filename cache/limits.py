"""Limits that all processes keep together: counted in Redis by one script, and in this process while Redis is away.

What is asked in one turn of the loop travels in one pipeline. A request asks once; what it is refunded goes along with
the client's next question, or by itself a moment later. Without Redis each process counts for itself, from nothing: N
processes let through N times as much then, and no request waits or fails for want of it.
"""

import asyncio
import hashlib
import time
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

from redis.asyncio import Redis
from redis.exceptions import NoScriptError

from cache.redis import Breaker
from cache.tally import Ask, Rules, Tally, Verdict

SCRIPT = (Path(__file__).parent / "limits.lua").read_text("utf-8")
SHA = hashlib.sha1(SCRIPT.encode(), usedforsecurity=False).hexdigest()  # EVALSHA knows no other digest
PREFIX = "dealgraph:limit:"
MOST_AT_ONCE = 200
REFUND_S = 0.05


class SharedLimits:
    """The counts of all clients. Keys are Redis-Cluster safe: a client is one key."""

    def __init__(self, client: "Redis", rules: Rules, clock_ms: Callable[[], int] | None = None) -> None:
        """``clock_ms`` is for tests: otherwise Redis's own clock counts there, and this machine's here."""
        self._client = client
        self._rules = rules
        self._clock_ms = clock_ms or (lambda: 0)
        self._tally = Tally(rules, clock_ms or (lambda: time.monotonic_ns() // 1_000_000))
        self._asked: list[tuple[Ask, asyncio.Future[Verdict]]] = []
        self._asking: asyncio.Task[None] | None = None
        self._refunds: defaultdict[str, int] = defaultdict(int)
        self._breaker = Breaker("limits are counted in this process for a moment")

    async def ask(self, ask: Ask) -> Verdict:
        """Takes what is asked for if all of it is there. Never raises for want of Redis."""
        if self._breaker.is_open:
            return self.ask_here(ask)
        future: asyncio.Future[Verdict] = asyncio.get_running_loop().create_future()
        self._asked.append((ask, future))
        if self._asking is None or self._asking.done():
            self._asking = asyncio.create_task(self._ask_all())
        return await future

    def ask_here(self, ask: Ask) -> Verdict:
        """The same of this process alone."""
        return self._tally.ask(ask)

    def refund(self, client: str, points: int, *, is_local: bool) -> None:
        """Gives points back to where they were taken."""
        if points <= 0:
            return
        if is_local:
            self.ask_here(Ask(client, refund=points))
            return
        if not self._refunds:
            asyncio.get_running_loop().call_later(REFUND_S, self._send_refunds)
        self._refunds[client] += points

    def _send_refunds(self) -> None:
        for client in list(self._refunds):
            self._asked.append((Ask(client), asyncio.get_running_loop().create_future()))
        if self._asked and (self._asking is None or self._asking.done()):
            self._asking = asyncio.create_task(self._ask_all())

    async def _ask_all(self) -> None:
        while self._asked:
            some, self._asked = self._asked[:MOST_AT_ONCE], self._asked[MOST_AT_ONCE:]
            try:
                answers = await self._answers([self._arguments(ask) for ask, _ in some])
                for (ask, future), answer in zip(some, answers, strict=True):
                    if not future.done():
                        future.set_result(self.ask_here(ask) if answer is None else _verdict(answer))
            except Exception as error:  # whatever it is: who waits here has nobody else to wait for, and no deadline
                for _, future in some:
                    if not future.done():
                        future.set_exception(error)

    async def _answers(self, asked: list[list[Any]]) -> list[list[Any] | None]:
        """What the script answers to each; None where it did not."""
        found: list[Any] = [None] * len(asked)
        if self._breaker.is_open:  # since those before were asked
            return found
        with self._breaker:
            async with self._client.pipeline(transaction=False) as pipeline:
                for each in asked:
                    pipeline.evalsha(SHA, 1, *each)
                found = await pipeline.execute(raise_on_error=False)
            for place, each in enumerate(found):
                if isinstance(each, NoScriptError):
                    found[place] = await self._client.eval(SCRIPT, 1, *asked[place])
                elif isinstance(each, Exception):
                    raise each
        return [each if isinstance(each, list) else None for each in found]

    def _arguments(self, ask: Ask) -> list[Any]:
        rules, refund = self._rules, ask.refund + self._refunds.pop(ask.client, 0)
        windows = [part for each in ask.windows for part in (each.name, each.most, each.period_ms)]
        return [
            f"{PREFIX}{{{_digest(ask.client)}}}", self._clock_ms(), rules.wait_most_ms, rules.heal_ms, rules.points,
            rules.points_per_s, ask.cost, refund, ask.lease, ask.count, *windows,
        ]  # fmt: skip


def _digest(client: str) -> str:
    """A client's name as it may stand in a key, and in a dump of Redis that others read."""
    return hashlib.blake2b(client.encode(), digest_size=12).hexdigest()


def _verdict(answer: list[Any]) -> Verdict:
    denied, wait, leased, points, *left = answer
    pairs = tuple((int(left[place]), int(left[place + 1])) for place in range(0, len(left), 2))
    return Verdict(denied.decode() or None, int(wait), int(leased), float(points), pairs)
