"""What every resolver of one request shares."""

from dataclasses import dataclass
from datetime import datetime

import strawberry

from core.cursor import CursorCodec
from core.viewer import Viewer
from loaders import Loaders


@dataclass(frozen=True, slots=True)
class Context:
    """Who asks, when, and what to read through. ``now`` is one moment for the whole request, with a time zone."""

    viewer: Viewer
    loaders: Loaders
    cursors: CursorCodec
    now: datetime


Info = strawberry.Info[Context, None]
