"""Who asks, whose rows they may see and change, and what else they may do."""

from dataclasses import dataclass, field
from uuid import UUID

READ, READ_ALL = "crm:read", "crm:read:all"
WRITE, WRITE_ALL = "crm:write", "crm:write:all"
EXPLORE, ADMIN = "crm:explore", "crm:admin"
# Read and write (which includes reading) one's own rows, or everyone's; see the schema and run documents of one's own; operate.
SCOPES = frozenset((READ, READ_ALL, WRITE, WRITE_ALL, EXPLORE, ADMIN))

# No row is owned by these: `everyone()` of sql/migrations/0002_writes.sql, and whoever may see nothing (RFC 9562, 5.9, 5.10).
NIL = UUID(int=0)
NOBODY_ID = UUID(int=2**128 - 1)


@dataclass(frozen=True, slots=True)
class Viewer:
    """The one a request is answered for. The edge decides who may be one; without scopes nothing is seen or changed.

    ``visible_owner`` is the user whose rows may be read, or None for everyone's, and every statement that reads owned
    rows takes it as its first parameter; ``writable_owner`` is the same for what may be changed. ``owner`` is the user who
    asks, where it is one of ours. Who ``may_explore`` sees the schema, and runs documents of their own also where only
    trusted ones run. All of them follow from ``owner`` and ``scopes``, once.
    """

    subject: str
    owner: UUID | None = None
    scopes: frozenset[str] = frozenset()
    visible_owner: UUID | None = field(init=False, compare=False)
    writable_owner: UUID | None = field(init=False, compare=False)
    may_write: bool = field(init=False, compare=False)
    may_explore: bool = field(init=False, compare=False)
    is_admin: bool = field(init=False, compare=False)

    def __post_init__(self) -> None:
        if self.owner in (NIL, NOBODY_ID):
            raise ValueError("this id stands for everyone or nobody, and is no user's")
        own = self.owner or NOBODY_ID  # a scope for one's own rows, of one who is no user, is of no rows
        writes, reads = WRITE in self.scopes, READ in self.scopes
        writable = None if WRITE_ALL in self.scopes else own if writes else NOBODY_ID
        derived = {
            "writable_owner": writable,
            "visible_owner": None if writable is None or READ_ALL in self.scopes else own if reads or writes else NOBODY_ID,
            "may_write": writable != NOBODY_ID,
            "may_explore": EXPLORE in self.scopes,
            "is_admin": ADMIN in self.scopes,
        }
        for name, value in derived.items():
            object.__setattr__(self, name, value)


EVERYONE = Viewer("anonymous", None, SCOPES)
NOBODY = Viewer("nobody")
# Subjects that name nobody in particular: no credential may have one.
UNNAMED = frozenset((EVERYONE.subject, NOBODY.subject))
