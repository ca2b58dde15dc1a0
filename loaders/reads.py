"""What a request has read: by which tags its answer goes out of date, and when it does by itself."""

from collections.abc import Iterable
from datetime import datetime, timedelta

# How long an answer is good at most. Writes make it old at once; these only bound what no write tells of, such as
# the days since the last activity.
REFERENCE = timedelta(hours=1)
DASHBOARD = timedelta(minutes=5)
STATISTICS = timedelta(minutes=3)
LIST = timedelta(minutes=2)


class Reads:
    """Filled by the loaders of a request as they read, if its answer ``is_kept`` by any cache: nobody else asks.

    ``xmin`` is the oldest transaction that was open before the first read, 0 where answers are not shared, None where nobody
    has looked; ``kept_xmin`` the same of what this process had kept, None if nothing of that is in it.
    """

    def __init__(self, now: datetime, *, is_kept: bool = True) -> None:
        self.now = now
        self.is_kept = is_kept
        self.tags: set[str] = set()
        self.until = now + REFERENCE
        self.xmin: int | None = None
        self.kept_xmin: int | None = None

    def add(self, tags: Iterable[str], until: datetime) -> None:
        """Something was read that has these tags and is good until then."""
        self.tags.update(tags)
        self.until = min(self.until, until)
