"""The declaration of a field that is loaded for many objects at once.

It stands in the metadata of a Strawberry field, beside the ordinary resolver that the same declaration gave it. Resolvers
and types do not know which of the two is used.
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any

# In a field's metadata: its ``Batched``.
BATCHED = "batched"


@dataclass(frozen=True, slots=True)
class Batched:
    """A field that follows an attribute of its object, the key, to what is loaded under it.

    ``load(context, keys, **arguments)`` gets distinct keys, none of them None, and the field's arguments by their Python
    names as GraphQL coerced them. It answers one value per key, in their order, at once where it has them or else
    awaitably; an exception as a value is the error of that key alone. Where the key is None the value is null.
    """

    key: str
    load: Callable[..., Sequence[Any] | Awaitable[Sequence[Any]]]
