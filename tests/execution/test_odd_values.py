"""What no schema should do and some do: each is answered as graphql-core answers it."""

from collections import namedtuple
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, NewType
from uuid import UUID

import pytest
import strawberry
from graphql import OperationDefinitionNode, parse
from strawberry.permission import BasePermission
from strawberry.schema.config import StrawberryConfig
from strawberry.types.field import StrawberryField

from execution import BATCHED, Batched
from tests.execution.comparing import by_graphql_core, by_plan
from tests.execution.documents import Case


class FalsyError(Exception):
    def __len__(self) -> int:
        return 0


@dataclass
class NoKeyError(Exception):
    """Equal to others of its kind, and so not to be looked up in a dictionary."""

    number: int


def tens(context: Any, keys: Sequence[int]) -> list[int]:
    return [key * 10 for key in keys]


def ten_of(root: Any) -> Any:
    hash(root.key)  # a key that cannot be looked up is no key for a loader either
    return root.key * 10


@dataclass
class Keyed:
    number: Any

    @property
    def key(self) -> Any:
        if self.number is None:
            raise NoKeyError(0)
        return self.number


class Titled(namedtuple("Titled", "name")):
    @property
    def name(self) -> str:
        return f"Dr {self[0]}"


class BadHash:
    def __hash__(self) -> int:
        raise ValueError("no hash")

    def __eq__(self, other: object) -> bool:
        return self is other


class BadText(UUID):
    def __str__(self) -> str:
        raise ValueError("no text")


class Unmeasured(list[int]):
    def __len__(self) -> int:
        raise ValueError("no length")


class Swapped(NamedTuple):
    x: int
    y: int


class Aliased(Swapped):
    y = Swapped.x


class Backwards(Swapped):
    def __iter__(self) -> Iterator[Any]:
        return iter((self[1], self[0]))


class Deny(BasePermission):
    message = "no"

    def has_permission(self, source: Any, info: Any, **kwargs: Any) -> bool:
        return False


def stop_at_three(value: int) -> int:
    return value if value != 3 else next(iter([]))


def none_of(context: Any, keys: Sequence[int]) -> Any:
    raise KeyError("nothing can be loaded")


def unloaded(root: Any) -> Any:
    hash(root.key)
    raise KeyError("nothing can be loaded")


class Loud(StrawberryField):
    def get_result(self, *args: Any, **kwargs: Any) -> Any:
        return f"{super().get_result(*args, **kwargs)}!"


@strawberry.type
class Loaded:
    ten = strawberry.field(resolver=ten_of, graphql_type=int | None, metadata={BATCHED: Batched("key", tens)})
    denied = strawberry.field(
        resolver=ten_of, graphql_type=int | None, metadata={BATCHED: Batched("key", tens)}, permission_classes=[Deny]
    )
    lost = strawberry.field(resolver=unloaded, graphql_type=int | None, metadata={BATCHED: Batched("key", none_of)})


@strawberry.type
class Once:
    """Gives what is good for one who asks."""

    @property
    async def soon(self) -> int:
        return 1

    @property
    def numbers(self) -> Iterator[int]:
        return iter((1, 2))


@strawberry.type
class Gives:
    soon: int
    numbers: list[int]


class Counting:
    """Knows how many there are once they have been asked for."""

    count: int | None = None

    @property
    def pairs(self) -> list[Swapped]:
        self.count = 1
        return [Swapped(1, 2)]


@strawberry.type
class Pair:
    x: int
    y: int


@strawberry.type
class Pairs:
    pairs: list[Pair]
    count: int | None


@strawberry.type
class Person:
    name: str


@strawberry.type
class Speaker:
    said: str = Loud()  # type: ignore[assignment]


def hello() -> str:
    return "hello"


class Five:
    def __await__(self) -> Generator[None, None, int]:
        yield
        return 5


async def awaitable() -> Any:
    return Five()


def keyed() -> Any:
    return [Keyed(1), Keyed([2]), Keyed(None), Keyed(3), Keyed(1)]


def people(names: list[str]) -> Any:
    return list(map(Titled, names))


Stops = NewType("Stops", int)


@strawberry.type
class Query:
    stops = strawberry.field(resolver=lambda: [1, 2, 3, 4], graphql_type=list[Stops | None])
    stop = strawberry.field(resolver=lambda: 3, graphql_type=Stops | None)
    ids = strawberry.field(resolver=lambda: [BadText(int=1), UUID(int=2)], graphql_type=list[strawberry.ID | None])
    unmeasured = strawberry.field(resolver=lambda: Unmeasured([1, 2]), graphql_type=list[int])
    once = strawberry.field(resolver=lambda: [Once(), Once()], graphql_type=list[Gives])
    aliased = strawberry.field(resolver=lambda: [Aliased(1, 2)] * 2, graphql_type=list[Pair])
    backwards = strawberry.field(resolver=lambda: [Backwards(1, 2)] * 2, graphql_type=list[Pair])
    counting = strawberry.field(resolver=lambda: [Counting(), Counting()], graphql_type=list[Pairs])
    unlisted = strawberry.field(resolver=lambda: [Keyed([1])], graphql_type=list[Loaded])
    unhashed = strawberry.field(resolver=lambda: [Keyed(1), Keyed(BadHash()), Keyed(2)], graphql_type=list[Loaded])
    loud: str = Loud()(hello)  # type: ignore[assignment]
    twice_awaitable = strawberry.field(resolver=awaitable, graphql_type=int | None)
    keyed = strawberry.field(resolver=keyed, graphql_type=list[Loaded])
    people = strawberry.field(resolver=people, graphql_type=list[Person])

    @strawberry.field
    async def falsy(self) -> int | None:
        raise FalsyError("falsy")

    @strawberry.field
    def speaker(self) -> Speaker:
        return Speaker(said="well")


SCHEMA = strawberry.Schema(
    Query, config=StrawberryConfig(scalar_map={Stops: strawberry.scalar(name="Stops", serialize=stop_at_three)})
)


def case_of(text: str) -> Case:
    document = parse(text)
    (operation,) = document.definitions
    assert isinstance(operation, OperationDefinitionNode)
    return Case(document, operation, {})


@pytest.mark.parametrize(
    ("text", "data"),
    [
        ("{ falsy }", b'{"falsy":null}'),
        ("{ twiceAwaitable }", b'{"twiceAwaitable":null}'),
        ("{ keyed { ten } }", b'{"keyed":[{"ten":10},{"ten":null},{"ten":null},{"ten":30},{"ten":10}]}'),
        ('{ people(names: ["A"]) { name } }', b'{"people":[{"name":"Dr A"}]}'),
        ('{ people(names: ["A", "B"]) { name } }', b'{"people":[{"name":"Dr A"},{"name":"Dr B"}]}'),
        ("{ keyed { denied } }", b'{"keyed":[{"denied":null},{"denied":null},{"denied":null},{"denied":null},{"denied":null}]}'),
        ("{ keyed { lost } }", b'{"keyed":[{"lost":null},{"lost":null},{"lost":null},{"lost":null},{"lost":null}]}'),
        ("{ unlisted { ten } }", b'{"unlisted":[{"ten":null}]}'),
        ("{ unhashed { ten } }", b'{"unhashed":[{"ten":10},{"ten":null},{"ten":20}]}'),
        ("{ stops stop }", b'{"stops":[1,2,null,4],"stop":null}'),
        ("{ ids }", b'{"ids":[null,"00000000-0000-0000-0000-000000000002"]}'),
        ("{ unmeasured }", b'{"unmeasured":[1,2]}'),
        ("{ once { a: soon b: soon } }", b'{"once":[{"a":1,"b":1},{"a":1,"b":1}]}'),
        ("{ once { a: numbers b: numbers } }", b'{"once":[{"a":[1,2],"b":[1,2]},{"a":[1,2],"b":[1,2]}]}'),
        ("{ aliased { x y } }", b'{"aliased":[{"x":1,"y":1},{"x":1,"y":1}]}'),
        ("{ backwards { x y } }", b'{"backwards":[{"x":1,"y":2},{"x":1,"y":2}]}'),
        ("{ counting { pairs { x } count } }", b'{"counting":[{"pairs":[{"x":1}],"count":1},{"pairs":[{"x":1}],"count":1}]}'),
        ("{ loud speaker { said } }", b'{"loud":"hello!","speaker":{"said":"well!"}}'),
    ],
)
async def test_it_is_answered_as_by_graphql_core(text: str, data: bytes) -> None:
    case = case_of(text)
    for _ in range(2):  # what was learned about types makes no difference
        found = await by_plan(SCHEMA, case, None)
        assert found.data == data
        assert found == await by_graphql_core(SCHEMA, case, None)


@strawberry.interface
class Thing:
    @strawberry.field
    def next(self) -> "Thing":
        return Left()


@strawberry.type
class Left(Thing):
    pass


@strawberry.type
class Right(Thing):
    pass


@strawberry.type
class Things:
    @strawberry.field
    def thing(self) -> Thing:
        return Right()


async def test_types_that_lead_to_each_other_are_compiled_as_they_are_met() -> None:
    """Compiled at once for both types at each of 40 levels this would not end."""
    case = case_of("{ thing " + "{ next " * 40 + "{ __typename }" + " }" * 41)
    schema = strawberry.Schema(Things, types=[Left, Right])
    assert await by_plan(schema, case, None) == await by_graphql_core(schema, case, None)
