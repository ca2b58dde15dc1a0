"""What every resolver of one request shares."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple

import strawberry

from core.cursor import CursorCodec
from core.viewer import Viewer
from db.database import Writer
from loaders import Loaders


class IdempotencyKey(NamedTuple):
    """The name that a client gave to a request; of several that were sent together ``item`` says which it is."""

    given: str
    item: str | int | None = None


def of_item(key: IdempotencyKey | None, item: str | int) -> IdempotencyKey | None:
    """The name of one of several requests that were sent together: the one that the client gave makes one for each."""
    return None if key is None else key._replace(item=item)


@dataclass(frozen=True, slots=True)
class Context:
    """Who asks, when, and what to read and write through.

    ``now`` is one moment for the whole request, with a time zone. ``made`` names the mutations of the operation whose change
    was committed.
    """

    viewer: Viewer
    loaders: Loaders
    cursors: CursorCodec
    now: datetime
    writer: Writer
    idempotency_key: IdempotencyKey | None = None
    made: list[str] = field(default_factory=list)


Info = strawberry.Info[Context, None]
