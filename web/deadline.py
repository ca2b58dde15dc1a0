"""How long a client gives us: ``X-Request-Timeout`` in seconds, which may shorten the deadline and never prolongs it."""

import math

from core.errors import BadRequest


def timeout_of(header: str | None, most_s: float) -> float | None:
    """The seconds that a client gives; None if it says nothing. Raises BadRequest for what is no positive number."""
    if header is None:
        return None
    try:
        seconds = float(header)
    except ValueError:
        seconds = math.nan
    if not 0 < seconds < math.inf:
        raise BadRequest("X-Request-Timeout must be a positive number of seconds.")
    return min(seconds, most_s)
