"""What no schema should do and some do: each is answered as graphql-core answers it."""

from collections import namedtuple
from collections.abc import Generator, Sequence
from dataclasses import dataclass
from typing import Any

import pytest
import strawberry
from graphql import OperationDefinitionNode, parse
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
    return {root.key: root.key * 10}[root.key]  # a key that cannot be looked up is no key for a loader either


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


class Loud(StrawberryField):
    def get_result(self, *args: Any, **kwargs: Any) -> Any:
        return f"{super().get_result(*args, **kwargs)}!"


@strawberry.type
class Loaded:
    ten = strawberry.field(resolver=ten_of, graphql_type=int | None, metadata={BATCHED: Batched("key", tens)})


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


@strawberry.type
class Query:
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


SCHEMA = strawberry.Schema(Query)


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
        ("{ loud speaker { said } }", b'{"loud":"hello!","speaker":{"said":"well!"}}'),
    ],
)
async def test_it_is_answered_as_by_graphql_core(text: str, data: bytes) -> None:
    case = case_of(text)
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
