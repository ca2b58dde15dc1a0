"""What the lifespan opens and every request may use."""

from typing import NotRequired, TypedDict

from cache.redis import RedisCache
from core.cursor import CursorCodec
from core.settings import Settings
from db.database import PooledDatabase
from schema.operation import Executable


class State(TypedDict):
    """The open dependencies of one server process."""

    settings: Settings
    database: PooledDatabase
    cache: RedisCache
    cursors: CursorCodec
    executable: Executable
    request_id: NotRequired[str]  # of each request, put there by its middleware
