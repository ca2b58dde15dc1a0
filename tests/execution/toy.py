"""A Strawberry schema of nasty cases, twice: with fields that wait and fields that are batched, and without any that waits.

Four kinds of rows have fields of every leaf, object, interface and union type, in every wrapping. Each kind takes those
that chance gives it, so that together they have all, resolved in every way there is.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from functools import cache
from typing import Annotated, Any, NewType, Optional, Union
from uuid import UUID
from zlib import crc32

import strawberry
from strawberry.schema.config import StrawberryConfig

from execution import BATCHED, Batched
from resolvers.arguments import limit_argument
from resolvers.lists import Listed
from schema.follow import follow
from schema.lists import first_of
from schema.scalars import SCALARS, Money
from tests.execution.loading import Loaders, loaded, rows_of
from tests.execution.signatures import ColorEnum, Point, mutation_fields, shown, signature_fields
from tests.execution.world import World, later, raising, returned

Brittle = NewType("Brittle", int)
ATTRIBUTE, SYNC, ASYNC, AWAITABLE, BATCH, PICK = range(6)
LEAVES: dict[str, Any] = {
    "int": int, "float": float, "string": str, "boolean": bool, "id": strawberry.ID, "color": ColorEnum, "moment": datetime, "date": date,
    "decimal": Decimal, "uuid": UUID, "money": Money, "brittle": Brittle, "json": strawberry.scalars.JSON,
}  # fmt: skip
# Every kind has these, so that interfaces can.
COMMON = ("string_must", "int_maybe", "color_maybe", "thing_maybe", "sized_all")
LISTED = Listed("deal", "company", "created_at", descending=True, no_filter=())


def break_some(value: Any) -> Any:
    """The value of a Brittle as JSON; raises for 3, and has nothing for 4."""
    if value == 3:
        raise ValueError("Brittle cannot be 3")
    return None if value == 4 else value


@dataclass
class Toy:
    """The schema, and which attributes the rows of each kind have: the names of fields by those of attributes."""

    schema: strawberry.Schema
    attributes: dict[str, dict[str, str]]
    waits: bool

    def context(self, seed: int) -> "Context":
        """A fresh context in the world of that seed."""
        world = World(self.schema._schema, seed, self.attributes, waits=self.waits)
        return Context(world, Loaders(world))


@dataclass
class Context:
    """What resolvers share; ``log`` is what mutations have done."""

    world: World
    loaders: Loaders
    log: list[str] = field(default_factory=list)


@cache
def toy(*, waits: bool) -> Toy:
    """The schema of fields that wait and are batched, or the one in which nothing waits."""

    @strawberry.interface
    class Thing:
        id: strawberry.ID

    @strawberry.interface
    class Sized:
        id: strawberry.ID

    bases = {"Alpha": (Thing,), "Beta": (Thing, Sized), "Gamma": (Sized,), "Delta": ()}
    kinds = {name: strawberry.type(_kind(name, above)) for name, above in bases.items()}
    members: Any = tuple(kinds[name] for name in ("Alpha", "Gamma", "Delta"))
    either: Any = Annotated[Union[members], strawberry.union("Either")]  # noqa: UP007
    composites = {"thing": Thing, "sized": Sized, "either": either} | {name.lower(): kind for name, kind in kinds.items()}
    types = wrapped(LEAVES | composites)
    attributes: dict[str, dict[str, str]] = {}
    for interface in (Thing, Sized):
        _add(interface, {name: strawberry.field(graphql_type=types[name]) for name in COMMON})
    for name, kind in kinds.items():
        ways = {each: _way(name, each) for each in types if each in COMMON or _luck(name, each) % 2}
        attributes[name] = {each: _served(each) for each, way in ways.items() if way == ATTRIBUTE}
        _add(kind, {each: _field(name, each, types[each], way, waits=waits) for each, way in ways.items()})
        _add(kind, signature_fields(waits=waits) | _batched_fields(kinds["Gamma"], waits=waits))
    query = strawberry.type(type("Query", (), {"__annotations__": {}, "here": strawberry.field(resolver=lambda: True, graphql_type=bool)}))
    roots = {each: SYNC if _luck("Query", each) % 2 else ASYNC for each in types if each.split("_")[0] in composites}
    _add(query, {each: _field("Query", each, types[each], way, waits=waits) for each, way in roots.items()})
    _add(query, signature_fields(waits=waits))
    mutation = strawberry.type(type("Mutation", (), {"__annotations__": {}, "here": strawberry.field(resolver=lambda: True, graphql_type=bool)}))
    _add(mutation, mutation_fields(kinds["Alpha"], waits=waits))
    scalars: dict[Any, Any] = {**SCALARS, Brittle: strawberry.scalar(name="Brittle", serialize=break_some)}
    schema = strawberry.Schema(query, mutation, types=list(kinds.values()), config=StrawberryConfig(scalar_map=scalars))
    return Toy(schema, attributes, waits)


def wrapped(types: dict[str, Any]) -> dict[str, Any]:
    """Each type in every wrapping, by names such as ``int_must`` and ``alpha_all``."""
    maybe: Any = Optional
    many: Any = list
    return {
        f"{name}_{how}": made
        for name, kind in types.items()
        for how, made in {
            "maybe": maybe[kind],
            "must": kind,
            "list": maybe[many[maybe[kind]]],
            "all": many[kind],
            "some": many[maybe[kind]],
            "table": maybe[many[maybe[many[kind]]]],
            "cube": many[many[many[maybe[kind]]]],
        }.items()
    }


def _kind(name: str, bases: tuple[type, ...]) -> type:
    def is_type_of(cls: type, row: Any, info: Any) -> bool:
        return getattr(row, "kind", None) == name

    return type(name, bases, {"__annotations__": {"id": strawberry.ID}, "is_type_of": classmethod(is_type_of)})


def _add(kind: Any, fields: dict[str, Any]) -> None:
    for name, each in fields.items():
        each.python_name = name
        each.origin = kind
        kind.__strawberry_definition__.fields.append(each)


def _luck(*names: str) -> int:
    return crc32("/".join(names).encode()) >> 8


def _way(kind: str, name: str) -> int:
    return _luck("way", kind, name) % 6


def _served(name: str) -> str:
    head, *rest = name.split("_")
    return head + "".join(map(str.title, rest))


def _field(kind: str, name: str, made: Any, way: int, *, waits: bool) -> Any:
    """A field of the world, resolved in one of the ways."""
    key = f"key_{_luck(kind, name) % 3}"
    is_keyed = way in {BATCH, PICK}

    def resolve(root: Any, info: strawberry.Info) -> Any:
        if not is_keyed:
            return raising(info.context.world.field(kind, getattr(root, "number", 0), _served(name)))
        found = getattr(root, key)
        return None if found is None else loaded(info.context.world, kind, _served(name), found)

    async def wait(root: Any, info: strawberry.Info) -> Any:
        found = info.context.world.field(kind, getattr(root, "number", 0), _served(name))
        return await later(found)

    def promise(root: Any, info: strawberry.Info) -> Any:
        found = info.context.world.field(kind, root.number, _served(name))
        return later(found) if root.number % 2 else raising(found)

    if way == ATTRIBUTE:
        return strawberry.field(graphql_type=made)
    if waits and is_keyed:
        loader, pick = f"{kind}__{_served(name)}", way == PICK
        return follow(f"pick__{loader}" if pick else loader, key, type=made, description="", pick="value" if pick else None)
    return strawberry.field(resolver={ASYNC: wait, AWAITABLE: promise}.get(way, resolve) if waits else resolve, graphql_type=made)


def _batched_fields(row: Any, *, waits: bool) -> dict[str, Any]:
    """Fields that are batched and take arguments; the loads of one that does not wait answer at once."""

    def answer(key: int, **arguments: Any) -> str | None:
        given = {name: value for name, value in arguments.items() if value is not None}
        return None if key == 2 else shown(key=key, **given)

    def load(context: Context, keys: Sequence[int], **arguments: Any) -> Any:
        async def slowly() -> list[Any]:
            return [await later(answer(key, **arguments)) for key in keys]

        return slowly() if waits else [answer(key, **arguments) for key in keys]

    def resolve(root: Any, info: strawberry.Info, factor: int = 2, color: ColorEnum | None = None, point: Point | None = None) -> Any:  # type: ignore[valid-type]
        return None if root.key_1 is None else answer(root.key_1, factor=factor, color=color, point=point)

    def at_once(root: Any, info: strawberry.Info, limit: int | None = None) -> Any:
        return returned(rows_of(info.context.world, root.id, limit_argument(limit)))

    maybe: Any = Optional
    fields = {"asked": strawberry.field(resolver=resolve, graphql_type=maybe[str], metadata={BATCHED: Batched("key_1", load)})}
    if waits:
        return fields | {"rows": first_of(LISTED, type=row, description="")}
    return fields | {"rows": strawberry.field(resolver=at_once, graphql_type=list[row])}
