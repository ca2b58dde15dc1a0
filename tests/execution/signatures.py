"""Resolvers of many signatures, that answer with what they were given, and mutations whose order can be seen."""

import asyncio
import functools
from collections.abc import Callable
from datetime import date, datetime
from decimal import Decimal
from typing import Annotated, Any
from uuid import UUID

import strawberry
from strawberry import UNSET, Parent, argument
from strawberry.extensions import FieldExtension
from strawberry.permission import BasePermission

from schema.scalars import Money
from tests.execution.world import Broken, Color

ColorEnum = strawberry.enum(Color)


@strawberry.input
class Point:
    x: int = 0
    y: float
    label: str | None = UNSET
    color: ColorEnum = Color.GREEN  # type: ignore[valid-type]
    near: list[int] = strawberry.field(default_factory=lambda: [1, 2])


@strawberry.input
class Shape:
    points: list[Point]
    grid: list[list[Point | None] | None] | None = None
    centre: Point | None = None
    id: strawberry.ID = strawberry.ID("none")
    called: str | None = strawberry.field(name="renamedInside", default=None)


@strawberry.input(one_of=True)
class Which:
    number: int | None = UNSET
    point: Point | None = UNSET


def shown(**given: Any) -> str:
    """What a resolver was given, as text."""
    return ", ".join(f"{name}={value!r}" for name, value in given.items())


def plain(first: int = 3, second: float | None = None, text: str | None = UNSET, flag: bool = False) -> str:
    return shown(first=first, second=second, text=text, flag=flag)


def lists(
    ids: list[strawberry.ID] | None = None, table: list[list[int] | None] | None = None, colors: list[ColorEnum] | None = UNSET  # type: ignore[valid-type]
) -> str | None:
    return shown(ids=ids, table=table, colors=colors)


def required(number: int, color: ColorEnum, words: list[str]) -> str:  # type: ignore[valid-type]
    return shown(number=number, color=color, words=words)


def shaped(shape: Shape, point: Point | None = None, others: list[Point | None] | None = UNSET) -> str:
    return shown(shape=shape, point=point, others=others)


def chosen(which: Which) -> str | None:
    return shown(which=which)


def scalars(
    at: datetime | None = None, on: date | None = None, price: Money | None = None, which: UUID | None = None, amount: Decimal | None = None
) -> str:
    return shown(at=at, on=on, price=price, which=which, amount=amount)


def refusing(number: int = 0) -> int:
    """Raises for some of what it is given."""
    if number % 2:
        raise Broken(f"{number} is odd")
    return number


def renamed(from_: Annotated[int, argument(name="from")] = 1, snake_case_name: str = "s") -> str:
    return shown(from_=from_, snake_case_name=snake_case_name)


def informed(info: strawberry.Info, number: int = 1) -> str:
    nodes, variables = len(info.selected_fields), sorted(info.variable_values)
    return shown(field=info.field_name, python=info.python_name, nodes=nodes, variables=variables, number=number)


def of_root(root: Any, info: strawberry.Info) -> str:
    return shown(root=root, operation=info.operation.operation.value)


def of_parent(row: Parent[Any], suffix: str = "!") -> str:
    return f"{row!r}{suffix}"[:40]


class Allowed(BasePermission):
    """Lets one in for some rows only."""

    message = "not for you"

    def has_permission(self, source: Any, info: strawberry.Info, **kwargs: Any) -> bool:
        return bool(info.context.world.dice(f"allowed/{source!r}"[:40]).below(3))


class Bracketed(FieldExtension):
    """Puts brackets around what the field gives."""

    def resolve(self, next_: Callable[..., Any], source: Any, info: strawberry.Info, **kwargs: Any) -> Any:
        return f"[{next_(source, info, **kwargs)}]"


def counted(number: int = 1) -> int:
    return number


EVERYWHERE = {
    each.__name__: each for each in (plain, lists, required, shaped, chosen, scalars, refusing, renamed, informed, of_root, of_parent)
}


def delayed(function: Callable[..., Any], turns: int = 1) -> Callable[..., Any]:
    """The same resolver as a coroutine that waits first."""

    @functools.wraps(function)
    async def resolve(*args: Any, **kwargs: Any) -> Any:
        for _ in range(turns):
            await asyncio.sleep(0)
        return function(*args, **kwargs)

    return resolve


def signature_fields(*, waits: bool) -> dict[str, Any]:
    """The fields of this file, for any type: of those that wait, every other is async."""
    fields = {
        name: strawberry.field(resolver=delayed(function) if waits and at % 2 else function)
        for at, (name, function) in enumerate(EVERYWHERE.items())
    }
    fields["of_root"] = strawberry.field(resolver=of_root, name="calledOtherwise")
    fields["guarded"] = strawberry.field(resolver=lambda: "in", graphql_type=str | None, permission_classes=[Allowed])
    fields["guarded_must"] = strawberry.field(resolver=lambda: "in", graphql_type=str, permission_classes=[Allowed])
    fields["bracketed"] = strawberry.field(resolver=counted, graphql_type=str, extensions=[Bracketed()])
    return fields


def mutation_fields(alpha: Any, *, waits: bool) -> dict[str, Any]:
    """Mutations that take down their turn, and answer with it; some fail."""

    def add(info: strawberry.Info, text: str = "a") -> int:
        info.context.log.append(text)
        return len(info.context.log)

    def add_or_fail(info: strawberry.Info, text: str = "b") -> int:
        turn = add(info, text)
        if info.context.world.dice(f"mutation {turn}").below(4) == 0:
            raise Broken(f"turn {turn}")
        return turn

    def add_alpha(info: strawberry.Info) -> Any:
        return info.context.world.row("Alpha", add(info, "alpha") % 5)

    optional: Any = alpha | None
    made = {"add": (add, int), "add_must": (add_or_fail, int), "add_maybe": (add_or_fail, int | None), "add_alpha": (add_alpha, optional)}
    return {
        name: strawberry.field(resolver=delayed(function, 4 - at) if waits else function, graphql_type=kind)
        for at, (name, (function, kind)) in enumerate(made.items())
    }
