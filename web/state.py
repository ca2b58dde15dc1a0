"""What the lifespan opens and every request may use."""

from collections.abc import Callable
from typing import Any, NotRequired, Protocol, TypedDict

from starlette.requests import Request

from cache.redis import RedisCache
from cache.reference import Reference
from cache.responses import ResponseCache
from core.cursor import CursorCodec
from core.settings import Settings
from core.viewer import Viewer
from db.database import PooledDatabase
from schema.operation import Executable
from web.auth.authenticator import Authenticator
from web.caching.recipes import Warming
from web.caching.remembered import Question, Remembered
from web.caching.reuse import Reuse
from web.caching.together import Together
from web.graphql.document import Documents
from web.http.reply import RawHeaders
from web.limits.gate import Gate, Unfinished
from web.limits.throttle import Throttle
from web.traffic import Traffic


class Line(Protocol):
    """What a request came by (``web/wire/protocol.py``): it calls ``on_lost`` when it is cut."""

    on_lost: Callable[[], object] | None


class State(TypedDict):
    """The open dependencies of one server process."""

    settings: Settings
    database: PooledDatabase
    cache: RedisCache
    cursors: CursorCodec
    authenticator: Authenticator
    executable: Executable
    documents: Documents
    version: bytes
    reference: Reference
    responses: ResponseCache
    remembered: Remembered
    reuse: Reuse
    warming: Warming[Any]
    throttle: Throttle
    gate: Gate
    unfinished: Unfinished
    traffic: Traffic
    deciding: NotRequired[Question]  # what decides about the answer, of a request that may be remembered
    started: NotRequired[float]
    peer: NotRequired[str]  # whom a request is counted for that has no viewer
    standing: NotRequired[RawHeaders]  # how the client stands, when the request has been charged
    until: NotRequired[float]  # the request's own deadline by the clock of the loop, if it has one
    viewer: NotRequired[Viewer]  # of each request, put there by its middleware or on the straight way
    line: NotRequired[Line]  # of each request, put there by the protocol
    together: NotRequired[Together]  # of reads that share what they load
    request_id: NotRequired[str]  # of each request, as the viewer


def state_of(request: Request[Any]) -> State:
    """That of a request, with what is its own: the dictionary in Starlette's ``request.state``, which is slow to ask."""
    return request.scope["state"]  # type: ignore[no-any-return]
