"""Who asks, and whose rows they may see."""

from dataclasses import dataclass
from uuid import UUID


@dataclass(frozen=True, slots=True)
class Viewer:
    """The one a request is answered for. The edge decides who may be one.

    ``visible_owner`` is the user whose rows may be read, or None for everyone's; every statement
    that reads owned rows takes it as its first parameter. ``user_id`` is the user who asks, where it is one of ours.
    Who ``may_explore`` sees the schema also where only trusted documents run.
    """

    subject: str
    visible_owner: UUID | None = None
    user_id: UUID | None = None
    may_write: bool = True
    may_explore: bool = True


EVERYONE = Viewer("anonymous")
