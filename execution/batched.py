"""What a schema declares for whoever executes it breadth first.

A field that is loaded for many objects at once has that in its metadata, beside the ordinary resolver that the same
declaration gave it. Resolvers and types do not know which of the two is used.
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias, TypeVar

from graphql import GraphQLResolveInfo
from strawberry import Info

# Among attributes that will be read: nobody knows which. None has this name.
ANYTHING = "*"
# In a field's metadata: its ``Batched``.
BATCHED = "batched"
# An attribute of an ``is_type_of`` that looks at nothing but the type of the object: then one look at a type is enough.
BY_TYPE = "by_type"
# An attribute of a scalar's ``serialize``: what does a whole column of values of some types, or answers None.
BY_COLUMN = "by_column"
Serialize = TypeVar("Serialize", bound=Callable[[Any], Any])
ByColumn: TypeAlias = Callable[[Sequence[Any], set[type[Any]]], Sequence[Any] | None]


@dataclass(frozen=True, slots=True)
class Batched:
    """A field that follows an attribute of its object, the key, to what is loaded under it.

    ``load(context, keys, **arguments)`` gets distinct keys, none of them None, and the field's arguments by their Python
    names, as its resolver would get them. Loading begins when it is called, and not when it is awaited: that is how several
    fields load at the same time. It answers one value per key, in their order, at once where it has them or else awaitably;
    an exception as a value is the error of that key alone. Where the key is None the value is null. One that
    ``looks_ahead`` is given as ``wanted`` the attributes that will be read of the objects it loads, and may leave out others:
    unless ``ANYTHING`` is among them, which no object has, for a resolver that gets the objects and may read what it likes.
    ``along`` names what can be read in one go with the objects that have the key: see ``read_along``.
    """

    key: str
    load: Callable[..., Sequence[Any] | Awaitable[Sequence[Any]]]
    looks_ahead: bool = False
    along: str | None = None


class PlannedInfo(GraphQLResolveInfo[Any]):
    """What a resolver is told by a plan: also what could be read along with its objects."""

    along: frozenset[str] = frozenset()


def read_along(info: Info[Any, Any]) -> frozenset[str]:
    """What will be asked of the objects that this resolver gives and could be read ``along`` with them, as far as is known.

    It is found below attributes and lists, not below what is loaded or resolved. Nothing, by graphql-core.
    """
    raw = info._raw_info
    return raw.along if isinstance(raw, PlannedInfo) else frozenset()


def by_column(whole: ByColumn) -> Callable[[Serialize], Serialize]:
    """Says of a scalar's ``serialize`` that ``whole`` gives the same for whole columns, of those that it can do."""

    def declared(serialize: Serialize) -> Serialize:
        setattr(serialize, BY_COLUMN, whole)
        return serialize

    return declared


def instance_of(*rows: type[Any]) -> Any:
    """An ``is_type_of`` for a schema type whose objects are the instances of these classes."""

    def is_type_of(obj: Any, info: Any) -> bool:
        return isinstance(obj, rows)

    setattr(is_type_of, BY_TYPE, True)
    return staticmethod(is_type_of)
