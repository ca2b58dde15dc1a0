"""How often something may be: a number of times in a period, as ``100/min``."""

import re
from typing import NamedTuple

SECONDS = {"s": 1, "min": 60, "h": 3600, "d": 86_400}
WRITTEN = re.compile(r"(\d{1,9})/(\d{0,6})(s|min|h|d)")


class Rate(NamedTuple):
    """At most ``most`` times within ``period_s`` seconds."""

    most: int
    period_s: int


def rate_of(text: str) -> Rate:
    """The rate that is written as ``20/min`` or ``1000/15min``, the units s, min, h and d. Raises ValueError."""
    found = WRITTEN.fullmatch(text.replace(" ", ""))
    if found is None:
        raise ValueError("must be like 100/min or 1000/15min; the units are s, min, h and d")
    most, period_s = int(found[1]), int(found[2] or 1) * SECONDS[found[3]]
    if not most or not 0 < period_s <= 31_536_000:
        raise ValueError("must be at least once, in a year at most")
    return Rate(most, period_s)
