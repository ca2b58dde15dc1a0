"""How long a client, or a cache on the way to it, may use an answer again without asking (RFC 9111, section 5.2.2)."""

import time
from dataclasses import dataclass

from cache.entry import Entry
from core.settings import Settings


@dataclass(frozen=True, slots=True)
class Reuse:
    """``scope`` is private where an answer depends on who asks; ``most_s`` seconds are the longest, 0 is not at all."""

    scope: bytes
    most_s: float

    @classmethod
    def of(cls, settings: Settings) -> "Reuse":
        """As the server is set up."""
        return cls(b"public" if settings.auth == "off" else b"private", settings.reuse_s)

    def cache_control(self, entry: Entry, age: int) -> bytes:
        """The header's value. What was read for the answer says how long it is usually good: not longer than that, from now on.

        ``max-age`` counts from when the answer was made, as ``Age`` does.
        """
        good_s = int(min(self.most_s, entry.made.good_until - time.time()))
        if good_s <= 0:
            return self.scope + b", no-cache"
        return b"%b, max-age=%d" % (self.scope, age + good_s)


def age_s(entry: Entry) -> int:
    """Whole seconds since the answer was made."""
    return max(0, int(time.time() - entry.made.made_at))
