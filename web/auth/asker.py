"""Who asks: the viewer of a request."""

from typing import NamedTuple

from starlette.requests import Request

from core.viewer import Viewer
from resolvers.context import IdempotencyKey
from web.http.call import Call
from web.state import State, state_of


def viewer_of(request: Request[State]) -> Viewer:
    """Who asks, as ``web/middleware/authenticate.py`` found out; at an address that is open to all it may be nobody."""
    return state_of(request)["viewer"]


class Asker(NamedTuple):
    """Who asks, and the name that they have given to their request, if any: a change of that name is made once."""

    viewer: Viewer
    idempotency_key: IdempotencyKey | None = None


def asker_of(call: Call) -> Asker:
    """Who asks, with their ``Idempotency-Key``."""
    key = call.header(b"idempotency-key")
    return Asker(call.state["viewer"], None if key is None else IdempotencyKey(key))
