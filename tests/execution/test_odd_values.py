"""What no schema should do and some do: each is answered as graphql-core answers it."""

import asyncio
from collections import namedtuple
from collections.abc import AsyncIterator, Generator, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple, NewType
from uuid import UUID

import pytest
import strawberry
from graphql import OperationDefinitionNode, Undefined, parse
from strawberry.permission import BasePermission
from strawberry.relay import GlobalID
from strawberry.scalars import JSON
from strawberry.schema.config import StrawberryConfig
from strawberry.types.field import StrawberryField

from execution import BATCHED, Batched, Plan
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


class Constant(Swapped):
    y = property(lambda self: 1)


class Hidden(Swapped):
    def __getattribute__(self, name: str) -> Any:
        return 0 if name == "x" else super().__getattribute__(name)


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


@dataclass
class Weighed:
    grams: int


@strawberry.type
class Light:
    """Whether an object is one depends on more than its class."""

    grams: int
    litres: int | None

    @classmethod
    def is_type_of(cls, obj: Any, info: Any) -> Any:
        if obj.grams < 0:
            raise ValueError("no weight")
        return obj.grams < 1000 or (obj.grams == 1000 and "")


@strawberry.type
class Told:
    """Whether an object is one has to be waited for."""

    grams: int

    @classmethod
    async def is_type_of(cls, obj: Any, info: Any) -> bool:
        return Light.is_type_of(obj, info) is True


@strawberry.type
class Inside:
    soft: int | None
    hard: int


@strawberry.type
class Whole:
    inside: Inside | None


class Empty:
    inside = 0  # which has none of its attributes


def empty(context: Any, keys: Sequence[int]) -> list[Empty]:
    return [Empty() for _ in keys]


@strawberry.type
class Sharing:
    whole = strawberry.field(
        resolver=lambda root: Empty(), graphql_type=Whole | None, metadata={BATCHED: Batched("number", empty)}
    )


KINDS: dict[int, Any] = {1: "Heavy", 2: None, 3: 5, 4: "Nobody", 5: "Int", 6: "Light", 7: "Later", 8: "Last"}


@strawberry.interface
class Named:
    """Says of each object by itself which type it is, and not always well."""

    grams: int

    @classmethod
    def resolve_type(cls, obj: Any, info: Any, kind: Any) -> Any:
        if obj.grams < 0:
            raise ValueError("no kind")
        return KINDS[obj.grams]


@strawberry.interface
class Awaited:
    """Says so later."""

    grams: int

    @classmethod
    async def resolve_type(cls, obj: Any, info: Any, kind: Any) -> Any:
        return Named.resolve_type(obj, info, kind)


@strawberry.type
class Heavy(Named, Awaited):
    litres: int | None

    @classmethod
    def is_type_of(cls, obj: Any, info: Any) -> bool:
        return True


@strawberry.type
class Later(Named):
    @classmethod
    async def is_type_of(cls, obj: Any, info: Any) -> bool:
        return True


@strawberry.type
class Last(Named):
    @classmethod
    async def is_type_of(cls, obj: Any, info: Any) -> bool:
        await asyncio.sleep(0)
        return True


@strawberry.type
class Pairs:
    pairs: list[Pair]
    count: int | None


@strawberry.type
class Lacking:
    x: int
    z: int | None


class Wordless:
    @property
    def words(self) -> Any:
        raise ValueError("no words")


@strawberry.type
class Words:
    words: JSON | None


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


async def broken_off() -> AsyncIterator[int]:
    yield 1
    raise ValueError("no more")


async def awaitable() -> Any:
    return Five()


def keyed() -> Any:
    return [Keyed(1), Keyed([2]), Keyed(None), Keyed(3), Keyed(1)]


def wordless(count: int = 2) -> Any:
    return [Wordless() for _ in range(count)]


def weighed(grams: list[int]) -> Any:
    return list(map(Weighed, grams))


def maybe(number: strawberry.Maybe[int | None] = None) -> str:
    return str(number)


def of_id(id: GlobalID | None = None) -> str:  # noqa: A002
    return repr(id)


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
    light = strawberry.field(resolver=weighed, graphql_type=list[Light | None])
    told = strawberry.field(resolver=weighed, graphql_type=list[Told | None])
    named = strawberry.field(resolver=weighed, graphql_type=list[Named | None])
    awaited = strawberry.field(resolver=weighed, graphql_type=list[Awaited | None])
    maybe = strawberry.field(resolver=maybe)
    floats = strawberry.field(resolver=lambda: [1.5, float("nan")], graphql_type=list[float | None])
    mixed = strawberry.field(resolver=lambda: [UUID(int=2), 1.5], graphql_type=list[strawberry.ID | None])
    undefined = strawberry.field(resolver=lambda: [1, Undefined], graphql_type=list[int | None])
    wordless = strawberry.field(resolver=wordless, graphql_type=list[Words])
    lacking = strawberry.field(resolver=lambda: [Swapped(1, 2)] * 2, graphql_type=list[Lacking])
    constant = strawberry.field(resolver=lambda: [Constant(1, 2)] * 2, graphql_type=list[Pair])
    hidden = strawberry.field(resolver=lambda: [Hidden(1, 2)] * 2, graphql_type=list[Pair])
    sharing = strawberry.field(resolver=lambda: [Keyed(1), Keyed(1)], graphql_type=list[Sharing])
    of_id = strawberry.field(resolver=of_id)
    broken_off = strawberry.field(resolver=broken_off, graphql_type=list[int] | None)

    @strawberry.field
    async def falsy(self) -> int | None:
        raise FalsyError("falsy")

    @strawberry.field
    def speaker(self) -> Speaker:
        return Speaker(said="well")


SCHEMA = strawberry.Schema(
    Query,
    types=[Heavy, Later, Last],
    config=StrawberryConfig(scalar_map={Stops: strawberry.scalar(name="Stops", serialize=stop_at_three)})
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
        ("{ light(grams: [1, 2]) { grams } }", b'{"light":[{"grams":1},{"grams":2}]}'),
        ("{ light(grams: [1, -1, 2]) { grams } }", b'{"light":[{"grams":1},null,{"grams":2}]}'),
        ("{ light(grams: [1000, 1001, 5]) { grams litres } }", b'{"light":[null,null,{"grams":5,"litres":null}]}'),
        ("{ light(grams: [1001]) { grams } }", b'{"light":[null]}'),
        ("{ told(grams: [1, 2]) { grams } }", b'{"told":[{"grams":1},{"grams":2}]}'),
        ("{ told(grams: [1001, -1, 2]) { grams } }", b'{"told":[null,null,{"grams":2}]}'),
        (
            "{ named(grams: [2, 1, 3, 4, 5, 6, -1, 1]) { __typename grams } }",
            b'{"named":[null,{"__typename":"Heavy","grams":1},null,null,null,null,null,{"__typename":"Heavy","grams":1}]}',
        ),
        ("{ named(grams: [8, 1, 7]) { grams } }", b'{"named":[{"grams":8},{"grams":1},{"grams":7}]}'),
        ("{ named(grams: [7, 8, 1]) { grams } }", b'{"named":[{"grams":7},{"grams":8},{"grams":1}]}'),
        ("{ named(grams: [7, 1]) { ... on Heavy { litres } } }", b'{"named":[{},{"litres":null}]}'),
        (
            "{ sharing { whole { inside { soft hard } } } }",
            b'{"sharing":[{"whole":{"inside":null}},{"whole":{"inside":null}}]}',
        ),
        ("{ awaited(grams: [2, 1, -1]) { __typename grams } }", b'{"awaited":[null,{"__typename":"Heavy","grams":1},null]}'),
        (
            "{ maybe null: maybe(number: null) some: maybe(number: 1) }",
            b'{"maybe":"None","null":"Some(None)","some":"Some(1)"}',
        ),
        ('{ ofId(id: "VXNlcjox") }', b'{"ofId":"GlobalID(type_name=\'User\', node_id=\'1\')"}'),
        ("{ floats }", b'{"floats":[1.5,null]}'),
        ("{ mixed }", b'{"mixed":["00000000-0000-0000-0000-000000000002",null]}'),
        ("{ undefined }", b'{"undefined":[1,null]}'),
        ("{ wordless { words } }", b'{"wordless":[{"words":null},{"words":null}]}'),
        ("{ wordless(count: 1) { words } }", b'{"wordless":[{"words":null}]}'),
        ("{ lacking { x z } }", b'{"lacking":[{"x":1,"z":null},{"x":1,"z":null}]}'),
        ("{ constant { x y } }", b'{"constant":[{"x":1,"y":1},{"x":1,"y":1}]}'),
        ("{ hidden { x y } }", b'{"hidden":[{"x":0,"y":2},{"x":0,"y":2}]}'),
        ("{ brokenOff }", b'{"brokenOff":null}'),
        ("{ loud speaker { said } }", b'{"loud":"hello!","speaker":{"said":"well!"}}'),
    ],
)
async def test_it_is_answered_as_by_graphql_core(text: str, data: bytes) -> None:
    case = case_of(text)
    for _ in range(2):  # what was learned about types makes no difference
        found = await by_plan(SCHEMA, case, None)
        assert found.data == data
        assert found == await by_graphql_core(SCHEMA, case, None)


async def test_what_was_seen_of_a_class_says_nothing_where_a_type_looks_at_the_object() -> None:
    case, plans = case_of("query ($grams: [Int!]!) { light(grams: $grams) { grams } }"), dict[Any, Plan]()
    for grams in ([1, 2], [1, 1001], [3]):
        asked = replace(case, variables={"grams": grams})
        assert await by_plan(SCHEMA, asked, None, plans) == await by_graphql_core(SCHEMA, asked, None)


@strawberry.type
class Ended:
    @strawberry.field
    async def end(self) -> int | None:
        raise asyncio.CancelledError


async def test_a_resolver_that_is_cancelled_ends_the_operation() -> None:
    schema, case = strawberry.Schema(Ended), case_of("{ end }")
    for execute in (by_plan, by_graphql_core):
        with pytest.raises(asyncio.CancelledError):
            await execute(schema, case, None)


def even(info: strawberry.Info, number: int) -> Any:
    info.context.append(number)
    if number % 2:
        raise ValueError("odd")
    return number


@strawberry.type
class Even:
    """Refuses odd numbers, whatever that leaves of the answer."""

    may = strawberry.field(resolver=even, graphql_type=int | None)
    must = strawberry.field(resolver=even, graphql_type=int)


@pytest.mark.parametrize(
    ("text", "done"),
    [
        ("mutation { may(number: 1) must(number: 2) last: may(number: 4) }", [1, 2, 4]),
        ("mutation { may(number: 1) must(number: 3) last: may(number: 4) }", [1, 3]),
        ("mutation { must(number: 5) last: may(number: 4) }", [5]),
    ],
)
async def test_what_leaves_nothing_of_the_answer_ends_a_mutation(text: str, done: list[int]) -> None:
    schema, case = strawberry.Schema(Ended, Even), case_of(text)
    by_core, by_us = list[int](), list[int]()
    assert await by_plan(schema, case, by_us) == await by_graphql_core(schema, case, by_core)
    assert by_us == by_core == done


async def test_a_schema_may_read_its_objects_in_a_way_of_its_own() -> None:
    config = StrawberryConfig(default_resolver=lambda each, name: f"{name}!")
    schema = strawberry.Schema(Things, types=[Left, Right], config=config)
    case = case_of("{ thing { ... on Right { name } } }")
    found = await by_plan(schema, case, None)
    assert found == await by_graphql_core(schema, case, None)
    assert found.data == b'{"thing":{"name":"name!"}}'


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
    name: str = "right"


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
