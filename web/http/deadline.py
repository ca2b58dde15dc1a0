"""How long a client gives us: ``X-Request-Timeout`` in seconds, which may shorten the deadline and never prolongs it."""

import asyncio
import math

from core.errors import BadRequest
from web.http.call import Call


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


def keep_time(call: Call) -> None:
    """Lets the request end when its client wishes, if it says so. Raises BadRequest."""
    timeout_s = timeout_of(call.header(b"x-request-timeout"), call.state["settings"].request_deadline_s)
    if timeout_s is not None:
        call.state["until"] = asyncio.get_running_loop().time() + timeout_s
