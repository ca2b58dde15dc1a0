"""What every resolver of one request shares."""

from dataclasses import dataclass
from datetime import datetime

import strawberry

from core.cursor import CursorCodec
from core.viewer import Viewer
from db.database import Writer
from loaders import Loaders


@dataclass(frozen=True, slots=True)
class Context:
    """Who asks, when, and what to read and write through.

    ``now`` is one moment for the whole request, with a time zone. ``idempotency_key`` is the client's name for it, if it
    gave one.
    """

    viewer: Viewer
    loaders: Loaders
    cursors: CursorCodec
    now: datetime
    writer: Writer
    idempotency_key: str | None = None


Info = strawberry.Info[Context, None]
