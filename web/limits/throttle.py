"""How much a client may ask: requests by class and points by cost, asked for before an operation runs.

``RateLimit`` and ``RateLimit-Policy`` are those of draft-ietf-httpapi-ratelimit-headers-10.
"""

import asyncio
import math
import time
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, TypeAlias

import orjson

from cache.limits import SharedLimits
from cache.tally import POINTS, Ask, Rules, Verdict, Window
from core.errors import AppError
from core.rate import rate_of
from core.settings import Settings
from schema.cost import as_extension
from web.http.reply import RawHeaders
from web.limits.client import UNLIMITED

Kind: TypeAlias = Literal["overall", "api", "heavy", "bulk", "statistics", "health"]
KINDS: tuple[Kind, ...] = ("overall", "api", "heavy", "bulk", "statistics", "health")
# Of a client's requests in a window so many are taken in advance, for answers that are served without asking: a 50th.
LEASES = 50
LARGEST_LEASE = 10_000
# More are taken when a fourth is left.
RENEWED_AT = 4
MOST_LEASES = 10_000
# A client whose overall limit is used up is refused for so long without asking Redis again.
BLOCKED_S = 1.0
MOST_BLOCKED = 10_000


class RateLimited(AppError):
    """The client has had what it may have for now. ``standing`` are the headers that say so, ``cost`` what was asked for."""

    code = "RATE_LIMITED"
    status = 429

    def __init__(self, verdict: Verdict, standing: RawHeaders, cost: int | None, status: dict[str, Any]) -> None:
        self.retry_after_s = max(1, math.ceil(verdict.wait_ms / 1000))
        what = "points" if verdict.denied == POINTS else f"requests ({verdict.denied})"
        super().__init__(f"You have used up your {what}. Try again in {self.retry_after_s} s.")
        self.limit = verdict.denied
        self.standing = standing
        self.cost = cost
        self.throttle_status = status

    def body(self) -> bytes:
        """The answer: one error, and what it would have cost."""
        error = {"message": str(self), "extensions": {
            "code": self.code, "limit": self.limit, "retryAfter": self.retry_after_s}}  # fmt: skip
        told: dict[str, Any] = {"errors": [error]}
        if self.cost is not None:
            told["extensions"] = {"cost": as_extension(self.cost, None, self.throttle_status)}
        return orjson.dumps(told)


@dataclass(slots=True)
class _Lease:
    """Requests taken in advance; ``beyond`` are those that were left besides, ``renewal`` what is taking more."""

    left: int
    until: float
    beyond: int
    renewal: "asyncio.Task[None] | None" = None


@dataclass(frozen=True, slots=True)
class Charge:
    """What a request was charged. ``settle`` it when its cost is known."""

    throttle: "Throttle"
    client: str
    cost: int
    verdict: Verdict

    def settle(self, actual: int) -> bytes:
        """Gives back what the estimate was too high; ``extensions.cost.throttleStatus`` after that, as JSON."""
        refund = max(0, self.throttle.taken_for(self.cost) - actual)
        self.throttle.limits.refund(self.client, refund, is_local=self.verdict.is_local)
        return orjson.dumps(self.throttle.status(self.verdict.points + refund))


class Throttle:
    """The limits of a server. Where they are off, everybody is UNLIMITED."""

    def __init__(self, settings: Settings, limits: SharedLimits) -> None:
        self.limits = limits
        self.is_on = settings.limits_are_on
        self.heavy_cost = settings.limit_heavy_cost
        self._most, self._per_s = settings.limit_points, settings.limit_points_per_s
        self._windows = {kind: _window(kind, getattr(settings, f"limit_{kind}")) for kind in KINDS}
        self._lease = max(1, min(LARGEST_LEASE, self._windows["overall"].most // LEASES))
        self._leases: OrderedDict[str, _Lease] = OrderedDict()
        self._leasing: set[str] = set()
        self._blocked: OrderedDict[str, tuple[float, Verdict]] = OrderedDict()

    def hold_off(self, client: str) -> None:
        """Raises RateLimited for who was told a moment ago that there is nothing more: before its request costs anything.

        Not once the wait is over, nor for who holds requests that were taken in advance.
        """
        blocked = self._blocked.get(client)
        if blocked is None or self._held(client):
            return
        told_at, verdict = blocked
        age_s = time.monotonic() - told_at
        wait_ms = verdict.wait_ms - round(age_s * 1000)
        if age_s < BLOCKED_S and wait_ms > 0:
            verdict = replace(verdict, wait_ms=wait_ms)
            standing = self._standing((self._windows["overall"],), verdict, 0, with_points=False)
            raise RateLimited(verdict, standing, None, self.status(verdict.points))

    async def admit(
        self, client: str, kinds: Sequence[Kind], cost: int | None = None, *, leases: bool = False
    ) -> tuple[Charge, RawHeaders] | None:
        """Charges a request of those kinds and that cost; None for who has no limits. Raises RateLimited.

        The headers tell how the client stands. With ``leases`` the first kind is taken in advance for ``admit_cached``.
        """
        if client == UNLIMITED or not self.is_on:
            return None
        windows = tuple(self._windows[kind] for kind in kinds)
        lease = self._leases.get(client)
        if lease is not None and lease.renewal is not None and not lease.renewal.done():
            await asyncio.wait({lease.renewal})  # it may be taking the very last ones, which are this client's
        held = self._held(client)
        if held and kinds[0] == "overall" and self._leases[client].beyond <= 0:
            return await self._spend(client, windows, cost)
        # One lease at a time: what each of a burst took would be lost to all but the last.
        takes_lease = leases and not held and client not in self._leasing
        if takes_lease:
            self._leasing.add(client)
        try:
            verdict = await self.limits.ask(Ask(client, windows, cost or 0, lease=self._lease if takes_lease else 0))
        finally:
            if takes_lease:
                self._leasing.discard(client)
        standing = self._standing(windows, verdict, held + verdict.leased, with_points=cost is not None)
        if verdict.denied is not None:
            if verdict.denied == "overall":
                self._blocked[client] = time.monotonic(), replace(verdict, left=verdict.left[:1])
                self._blocked.move_to_end(client)
                if len(self._blocked) > MOST_BLOCKED:
                    self._blocked.popitem(last=False)
            raise RateLimited(verdict, standing, cost, self.status(verdict.points))
        if verdict.leased and not verdict.is_local:
            left, ends_ms = verdict.left[0]
            self._leases[client] = _Lease(self._held(client) + verdict.leased, time.monotonic() + ends_ms / 1000, left)
            self._leases.move_to_end(client)
            if len(self._leases) > MOST_LEASES:
                self._leases.popitem(last=False)
        elif client in self._leases and kinds[0] == "overall":
            self._leases[client].beyond = verdict.left[0][0]
        return Charge(self, client, cost or 0, verdict), standing

    async def _spend(self, client: str, windows: tuple[Window, ...], cost: int | None) -> tuple[Charge, RawHeaders]:
        """As ``admit``, where the last requests of the overall limit are those that were taken in advance."""
        lease = self._leases[client]
        lease.left -= 1
        verdict = await self.limits.ask(Ask(client, windows[1:], cost or 0))
        if verdict.denied is not None:
            lease.left += 1
        ends_ms = max(0, round((lease.until - time.monotonic()) * 1000))
        verdict = replace(verdict, left=((0, ends_ms), *verdict.left))
        standing = self._standing(windows, verdict, lease.left, with_points=cost is not None)
        if verdict.denied is not None:
            raise RateLimited(verdict, standing, cost, self.status(verdict.points))
        return Charge(self, client, cost or 0, verdict), standing

    def admit_cached(self, client: str) -> RawHeaders | None:
        """The headers of an answer from the cache that may be sent at once, counted already. None: ask properly."""
        if client == UNLIMITED or not self.is_on:
            return []
        if not self._held(client):
            return None
        lease = self._leases[client]
        lease.left -= 1
        if lease.left == self._lease // RENEWED_AT > 0:
            lease.renewal = asyncio.create_task(self._renew(client))
        return [(b"x-ratelimit-remaining", str(lease.left + lease.beyond).encode())]

    async def _renew(self, client: str) -> None:
        """Takes more before the lease ends: else all requests that come in that moment would have to ask."""
        verdict = await self.limits.ask(Ask(client, (self._windows["overall"],), lease=self._lease, count=0))
        lease = self._leases.get(client)
        if verdict.leased and not verdict.is_local and lease is not None:
            lease.left = self._held(client) + verdict.leased
            lease.beyond, lease.until = verdict.left[0][0], time.monotonic() + verdict.left[0][1] / 1000

    def status(self, points: float) -> dict[str, Any]:
        """``throttleStatus`` of a client with so many points."""
        return {
            "maximumAvailable": self._most,
            "currentlyAvailable": int(max(0, min(self._most, points))),
            "restoreRate": self._per_s,
        }

    def taken_for(self, cost: int) -> int:
        """What was taken for a cost: no more than there is room for in the bucket."""
        return min(cost, self._most)

    def _held(self, client: str) -> int:
        """What is left of the client's lease: nothing when its window has ended."""
        lease = self._leases.get(client)
        return 0 if lease is None or time.monotonic() >= lease.until else lease.left

    def _standing(self, windows: Sequence[Window], verdict: Verdict, held: int, *, with_points: bool) -> RawHeaders:
        policies, limits, lefts = list[str](), list[str](), list[int]()
        for window, (left, ends_ms) in zip(windows, verdict.left, strict=True):
            wait_ms = verdict.wait_ms if verdict.denied == window.name else ends_ms
            # What is held in advance is the client's own.
            remaining = 0 if verdict.denied == window.name else left + held if window.name == "overall" else left
            lefts.append(remaining)
            policies.append(f'"{window.name}";q={window.most};w={window.period_ms // 1000}')
            limits.append(f'"{window.name}";r={remaining};t={math.ceil(max(0, wait_ms) / 1000)}')
        if with_points:
            filled_s = math.ceil(self._most / self._per_s)
            missing_s = math.ceil((self._most - verdict.points) / self._per_s)
            policies.append(f'"{POINTS}";q={self._most};w={filled_s};qu="points"')
            limits.append(f'"{POINTS}";r={max(0, int(verdict.points))};t={max(0, missing_s)}')
        remaining = 0 if verdict.denied else min(lefts, default=0)
        return [
            (b"ratelimit-policy", ", ".join(policies).encode()),
            (b"ratelimit", ", ".join(limits).encode()),
            (b"x-ratelimit-remaining", str(remaining).encode()),
        ]


def _window(kind: Kind, rate: str) -> Window:
    most, period_s = rate_of(rate)
    return Window(kind, most, period_s * 1000)


def open_throttle(settings: Settings, client: Any) -> Throttle:
    """The limits of a server that starts, counted in that Redis."""
    rules = Rules(
        points=settings.limit_points,
        points_per_s=settings.limit_points_per_s,
        wait_most_ms=settings.limit_wait_most_s * 1000,
        heal_ms=settings.limit_heal_s * 1000,
    )
    return Throttle(settings, SharedLimits(client, rules))
