"""How long things took: a histogram of fixed size whose buckets grow by a fifth, so that a percentile is right to 9 %."""

import math
from bisect import bisect_left
from collections.abc import Callable
from typing import Any, Protocol, TypeVar

# From 10 microseconds to 100 seconds; the last bucket takes what is above.
BOUNDS_S = tuple(1e-5 * 2 ** (step / 4) for step in range(94))
OTHERS = "(others)"


class Counted(Protocol):
    """What is counted under a name."""

    @property
    def count(self) -> int:
        """How many there were."""
        ...

    def take_in(self, other: Any) -> None:
        """Counts what another one has counted as well."""
        ...


AnyCounted = TypeVar("AnyCounted", bound=Counted)


class Histogram:
    """Durations in seconds, counted."""

    __slots__ = ("_buckets", "count", "failed", "longest_s", "total_s")

    def __init__(self) -> None:
        self._buckets = [0] * (len(BOUNDS_S) + 1)
        self.count = 0
        self.failed = 0
        self.total_s = 0.0
        self.longest_s = 0.0

    def add(self, seconds: float, *, failed: bool = False) -> None:
        """Counts one, and whether it ``failed``."""
        self._buckets[bisect_left(BOUNDS_S, seconds)] += 1
        self.count += 1
        self.failed += failed
        self.total_s += seconds
        self.longest_s = max(self.longest_s, seconds)

    def take_in(self, other: "Histogram") -> None:
        """Counts what another one has counted as well."""
        self._buckets = [mine + theirs for mine, theirs in zip(self._buckets, other._buckets, strict=True)]
        self.count += other.count
        self.failed += other.failed
        self.total_s += other.total_s
        self.longest_s = max(self.longest_s, other.longest_s)

    def percentile(self, percent: float) -> float:
        """The seconds that so many of a hundred did not exceed, within 9 %; 0 while nothing was counted."""
        wanted, seen = max(1, math.ceil(self.count * percent / 100)), 0
        for place, number in enumerate(self._buckets):
            seen += number
            if seen >= wanted:
                middle = BOUNDS_S[min(place, len(BOUNDS_S) - 1)] / 2 ** (1 / 8)
                return min(middle, self.longest_s)
        return 0.0

    def told(self) -> dict[str, float | int]:
        """What an operator reads, in milliseconds."""
        return {
            "count": self.count,
            "failed": self.failed,
            "meanMs": ms(self.total_s / self.count if self.count else 0.0),
            "p50Ms": ms(self.percentile(50)),
            "p90Ms": ms(self.percentile(90)),
            "p99Ms": ms(self.percentile(99)),
            "maxMs": ms(self.longest_s),
        }


class Histograms:
    """One histogram for each name; of more than ``most`` names those with the fewest are ``(others)``."""

    def __init__(self, most: int = 500) -> None:
        self._most = most
        self._by_name: dict[str, Histogram] = {}

    def of(self, name: str) -> Histogram:
        """The histogram that counts for a name."""
        found = self._by_name.get(name)
        if found is None:
            make_room(self._by_name, self._most, Histogram)
            found = self._by_name[name] = Histogram()
        return found

    def items(self) -> list[tuple[str, Histogram]]:
        """All of them, in the order of their names."""
        return sorted(self._by_name.items())


def make_room(by_name: dict[str, AnyCounted], most: int, new: Callable[[], AnyCounted]) -> None:
    """Counts the rarest name among the others if there are as many as there may be."""
    names = by_name.keys() - {OTHERS}
    if len(names) >= most:
        gone = by_name.pop(min(names, key=lambda name: by_name[name].count))
        by_name.setdefault(OTHERS, new()).take_in(gone)


def ms(seconds: float) -> float:
    """Seconds as milliseconds, to the microsecond."""
    return round(seconds * 1000, 3)
