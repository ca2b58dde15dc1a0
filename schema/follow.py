"""Fields that follow a key of their row to a loader: declared, not written as a coroutine each.

The declaration is kept in the field's metadata (``Batched``), where the executor that resolves whole levels at once
finds it; Strawberry gets an ordinary resolver from it.
"""

from collections.abc import Callable, Sequence
from functools import partial
from operator import attrgetter
from typing import Any, TypeAlias

import strawberry

from core.later import Later
from execution import BATCHED, Batched
from resolvers.context import Context, Info
from schema.direct import DIRECT
from schema.price import COST, Price

Read: TypeAlias = Callable[[Any], Any]
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
    along: str | None = None,
) -> Any:
    """A field that is what ``loader`` has under the row's ``key``, or null where that is; with ``pick`` an attribute of it.

    ``names`` are those of ``Loaders`` that may be known by then: enough for who asks for no more than id and name. ``along``
    names it for whoever can read it together with the row; ``loader`` knows it then.

    Declared once for both executors: ``execution/`` loads for all rows of a level at once, graphql-core one by one.
    """
    read_key, read_loader = attrgetter(key), attrgetter(loader)
    read_answer = attrgetter(pick) if pick else None

    def resolve(root: Any, info: Info) -> Any:
        found = read_key(root)
        return None if found is None else read_loader(info.context.loaders).load(found)

    async def resolve_and_pick(root: Any, info: Info) -> Any:
        found = read_key(root)
        return None if found is None else _pick(read_answer, await read_loader(info.context.loaders).load(found))

    declared = resolve if read_answer is None else resolve_and_pick
    if names is not None:
        load = partial(_load_or_know, read_loader, attrgetter(names))
    elif read_answer is not None:
        load = partial(_load_and_pick, read_loader, read_answer)
    else:
        load = partial(_load, read_loader)
    batched = Batched(key, load, looks_ahead=names is not None, along=along)
    return strawberry.field(
        resolver=declared,
        graphql_type=type,
        description=description,
        metadata={BATCHED: batched, DIRECT: declared, COST: price or Price()},
    )


def _load(read_loader: Read, context: Context, keys: Sequence[Any]) -> Any:
    return read_loader(context.loaders).load_all(keys)


def _load_or_know(read_loader: Read, read_names: Read, context: Context, keys: Sequence[Any], wanted: frozenset[str]) -> Any:
    if not wanted <= NAMED:
        return _load(read_loader, context, keys)
    known = read_names(context.loaders)
    try:
        return [known[each] for each in keys]
    except KeyError:  # of one that was not read along
        return _load(read_loader, context, keys)


def _load_and_pick(read_loader: Read, read_answer: Read, context: Context, keys: Sequence[Any]) -> Any:
    found = _load(read_loader, context, keys)
    return found.map(partial(_pick_all, read_answer)) if isinstance(found, Later) else _pick_all(read_answer, found)


def _pick_all(read_answer: Read, found: Sequence[Any]) -> list[Any]:
    try:
        return list(map(read_answer, found))
    except Exception:  # of one key, which will tell
        return [_pick(read_answer, each) for each in found]


def _pick(read_answer: Read | None, found: Any) -> Any:
    assert read_answer is not None
    try:
        return found if isinstance(found, Exception) else read_answer(found)
    except Exception as error:  # of one key, and not of the others
        return error
