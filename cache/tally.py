"""What clients have had of what they may have: the rules of the limits, for one process.

``limits.lua`` has the same rules for all processes together; a property test holds the two equal.

A **window** begins with a client's first request and holds so many; when it ends, the next begins with the next request.
The **bucket** is filled with points at a steady rate. What goes over any limit is refused and counts nowhere, and the
client waits: until there is room, and after each further violation twice as long, up to a cap. A violation is forgotten
for each ``heal_ms`` that pass after the wait.
"""

import math
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

POINTS = "points"
# The first wait counts as a second at least, so that its doubling comes to something.
LEAST_WAIT_MS = 1000
MOST_DOUBLINGS = 30
MOST_CLIENTS = 10_000


@dataclass(frozen=True, slots=True)
class Window:
    """So many requests in a period."""

    name: str
    most: int
    period_ms: int


@dataclass(frozen=True, slots=True)
class Rules:
    """What holds for every client: the bucket of points, and how long waits become and violations are remembered."""

    points: int
    points_per_s: float
    wait_most_ms: int
    heal_ms: int


@dataclass(frozen=True, slots=True)
class Ask:
    """May this client have one more of each of the windows, ``cost`` points, and a lease of so many in the first window?

    ``refund`` are points of an earlier request that are given back first. With ``count`` 0 only the lease is asked for.
    A lease is what is left of it, and no violation if that is nothing. A cost beyond the bucket takes all of it.
    """

    client: str
    windows: tuple[Window, ...] = ()
    cost: int = 0
    refund: int = 0
    lease: int = 0
    count: int = 1


@dataclass(frozen=True, slots=True)
class Verdict:
    """The answer to an Ask. ``denied`` names the window, or the points, that there are too few of: then nothing was taken.

    ``left`` has, for each window that was asked for, how many are left and in how many milliseconds it ends. ``is_local``
    says that this process alone has counted.
    """

    denied: str | None
    wait_ms: int
    leased: int
    points: float
    left: tuple[tuple[int, int], ...]
    is_local: bool = False


@dataclass(slots=True)
class _Count:
    """Of a window when it began and how many there were, of points how many there are and when; and the violations."""

    at: int = 0
    number: float = 0
    blocked_until: int = 0
    violations: int = 0
    violated: int = 0


class Tally:
    """The counts of the clients of one process; those of the client that was away longest are forgotten."""

    def __init__(self, rules: Rules, clock_ms: Callable[[], int]) -> None:
        self._rules = rules
        self._clock_ms = clock_ms
        self._clients: OrderedDict[str, dict[str, _Count]] = OrderedDict()

    def ask(self, ask: Ask) -> Verdict:
        """Takes what is asked for if all of it is there."""
        now, rules = self._clock_ms(), self._rules
        counts = self._clients.setdefault(ask.client, {})
        self._clients.move_to_end(ask.client)
        if len(self._clients) > MOST_CLIENTS:
            self._clients.popitem(last=False)
        points = counts.get(POINTS)
        if points is None:
            points = counts[POINTS] = _Count(now, rules.points)
        filled = points.number + (now - points.at) * rules.points_per_s / 1000 + ask.refund
        points.number, points.at = _rounded(min(rules.points, filled)), now
        worst: tuple[int, str, _Count, bool] | None = None
        for window in ask.windows:
            count = counts.setdefault(window.name, _Count(now))
            if now >= count.at + window.period_ms:
                count.at, count.number = now, 0
            wait, is_new = max(0, count.blocked_until - now), False
            if not wait and count.number + ask.count > window.most:
                wait, is_new = count.at + window.period_ms - now, True
            if wait and (worst is None or wait > worst[0]):
                worst = wait, window.name, count, is_new
        need = min(ask.cost, rules.points)
        if need:
            wait, is_new = max(0, points.blocked_until - now), False
            if not wait and points.number < need:
                wait, is_new = max(1, math.ceil((need - points.number) * 1000 / rules.points_per_s)), True
            if wait and (worst is None or wait > worst[0]):
                worst = wait, POINTS, points, is_new
        if worst is not None:
            return self._denied(ask, worst, now, counts)
        for window in ask.windows:
            counts[window.name].number += ask.count
        points.number = _rounded(points.number - need)
        leased = 0
        if ask.lease:
            first = counts[ask.windows[0].name]
            leased = int(max(0, min(ask.lease, ask.windows[0].most - first.number)))
            first.number += leased
        return Verdict(None, 0, leased, points.number, _left(ask, counts, now), is_local=True)

    def _denied(self, ask: Ask, worst: tuple[int, str, _Count, bool], now: int, counts: dict[str, _Count]) -> Verdict:
        wait, name, count, is_new = worst
        if is_new and ask.count:
            healed = max(0, now - count.violated) // self._rules.heal_ms
            count.violations = min(MOST_DOUBLINGS, max(0, count.violations - healed) + 1)
            most = max(wait, self._rules.wait_most_ms)
            if count.violations > 1:
                wait = min(most, max(wait, LEAST_WAIT_MS) * 2 ** (count.violations - 1))
            count.blocked_until = count.violated = now + wait
        return Verdict(name, wait, 0, counts[POINTS].number, _left(ask, counts, now), is_local=True)


def _left(ask: Ask, counts: dict[str, _Count], now: int) -> tuple[tuple[int, int], ...]:
    return tuple(
        (int(max(0, window.most - counts[window.name].number)), counts[window.name].at + window.period_ms - now)
        for window in ask.windows
    )


def _rounded(points: float) -> float:
    return float(f"{points:.3f}")
