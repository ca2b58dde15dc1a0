"""What the lifespan opens and every request may use."""

from typing import Any, NotRequired, TypedDict

from cache.redis import RedisCache
from cache.responses import ResponseCache
from core.cursor import CursorCodec
from core.settings import Settings
from core.viewer import Viewer
from db.database import PooledDatabase
from schema.operation import Executable
from web.authenticator import Authenticator
from web.cached import Remembered
from web.document import Documents
from web.recipes import Warming


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
    responses: ResponseCache
    remembered: Remembered
    warming: Warming[Any]
    deciding: NotRequired[tuple[object, ...]]  # what decides about the answer, of a request that may be remembered
    started: NotRequired[float]
    viewer: NotRequired[Viewer]  # of each request, put there by its middleware
    request_id: NotRequired[str]  # of each request, put there by its middleware
