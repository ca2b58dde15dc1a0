"""Fields that follow a key of their row to a loader: declared, not written as a coroutine each.

The declaration is kept in the field's metadata (``Follow``), where an executor that resolves whole levels at once
finds loader and key; Strawberry gets an ordinary resolver from it.
"""

from dataclasses import dataclass
from operator import attrgetter
from typing import Any

import strawberry

from resolvers.context import Info
from schema.direct import DIRECT
from schema.price import COST, Price


@dataclass(frozen=True, slots=True)
class Follow:
    """Which loader of ``Loaders`` answers, the attribute of the row that is its key, what of the answer is meant."""

    loader: str
    key: str
    pick: str | None = None


def follow(
    loader: str,
    key: str,
    *,
    type: Any,  # noqa: A002
    description: str,
    pick: str | None = None,
    price: Price | None = None,
) -> Any:
    """A field that is ``loader.load(row.key)``, or null where the key is; with ``pick`` an attribute of the answer."""
    read_key = attrgetter(key)
    read_loader = attrgetter(loader)
    read_answer = attrgetter(pick) if pick else None

    def resolve(root: Any, info: Info) -> Any:
        found = read_key(root)
        return None if found is None else read_loader(info.context.loaders).load(found)

    async def resolve_and_pick(root: Any, info: Info) -> Any:
        assert read_answer is not None
        return read_answer(await read_loader(info.context.loaders).load(read_key(root)))

    declared = resolve if read_answer is None else resolve_and_pick
    return strawberry.field(
        resolver=declared,
        graphql_type=type,
        description=description,
        metadata={"follow": Follow(loader, key, pick), DIRECT: declared, COST: price or Price()},
    )
