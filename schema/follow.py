"""Fields that follow a key of their row to a loader: declared, not written as a coroutine each.

The declaration is kept in the field's metadata (``Batched``), where the executor that resolves whole levels at once
finds it; Strawberry gets an ordinary resolver from it.
"""

from collections.abc import Sequence
from operator import attrgetter
from typing import Any

import strawberry

from core.later import Later
from execution import BATCHED, Batched
from resolvers.context import Context, Info
from schema.direct import DIRECT
from schema.price import COST, Price

NAMED = frozenset({"id", "name"})


def follow(
    loader: str,
    key: str,
    *,
    type: Any,  # noqa: A002
    description: str,
    pick: str | None = None,
    names: str | None = None,
    price: Price | None = None,
) -> Any:
    """A field that is what ``loader`` has under the row's ``key``, or null where that is; with ``pick`` an attribute of it.

    ``names`` are those of ``Loaders`` that may be known by then: enough for who asks for no more than id and name.

    Declared once for both executors: ``execution/`` loads for all rows of a level at once, graphql-core one by one.
    """
    read_key, read_loader = attrgetter(key), attrgetter(loader)
    read_answer = attrgetter(pick) if pick else None

    def load(context: Context, keys: Sequence[Any]) -> Any:
        return read_loader(context.loaders).load_all(keys)

    def load_or_know(context: Context, keys: Sequence[Any], wanted: frozenset[str]) -> Any:
        known = getattr(context.loaders, names or "")
        if wanted <= NAMED and known.keys() >= set(keys):
            return [known[each] for each in keys]
        return load(context, keys)

    def pick_of(found: Any) -> Any:
        assert read_answer is not None
        try:
            return found if isinstance(found, Exception) else read_answer(found)
        except Exception as error:  # of one key, and not of the others
            return error

    def load_and_pick(context: Context, keys: Sequence[Any]) -> Any:
        found = load(context, keys)
        return found.map(pick_all) if isinstance(found, Later) else pick_all(found)

    def pick_all(found: Sequence[Any]) -> list[Any]:
        assert read_answer is not None
        try:
            return list(map(read_answer, found))
        except Exception:  # of one key, which will tell
            return list(map(pick_of, found))

    def resolve(root: Any, info: Info) -> Any:
        found = read_key(root)
        return None if found is None else read_loader(info.context.loaders).load(found)

    async def resolve_and_pick(root: Any, info: Info) -> Any:
        found = read_key(root)
        return None if found is None else pick_of(await read_loader(info.context.loaders).load(found))

    declared = resolve if read_answer is None else resolve_and_pick
    if names is not None:
        batched = Batched(key, load_or_know, looks_ahead=True)
    else:
        batched = Batched(key, load if read_answer is None else load_and_pick)
    return strawberry.field(
        resolver=declared,
        graphql_type=type,
        description=description,
        metadata={BATCHED: batched, DIRECT: declared, COST: price or Price()},
    )
