"""What fields and arguments say about their cost, each in its own metadata.

Without a word a scalar costs nothing, an object 1, a mutation 10 and a list ``USUAL_SIZE`` times its entry: the weights
of Shopify and of Apollo's router. An argument that says how many makes that the size: of the list, or of the lists
in the object that say they are as long as it was asked (``Price.as_asked``), such as the edges of a connection.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from graphql import GraphQLArgument, GraphQLField

from resolvers.arguments import PAGE_DEFAULT, PAGE_MOST

# The key in the metadata of a field or an argument.
COST = "cost"
# About as many as there are stages.
USUAL_SIZE = 10
MUTATION = 10


@dataclass(frozen=True, slots=True)
class Price:
    """Of a field: what its value costs, or each entry; how many there are if nobody says or can say."""

    weight: int | None = None
    size: int | None = None
    as_asked: bool = False


@dataclass(frozen=True, slots=True)
class PageSize:
    """Of an argument: it says how many. Over ``most`` are refused when the field is resolved, so they cost no more."""

    usual: int = PAGE_DEFAULT
    most: int = PAGE_MOST


@dataclass(frozen=True, slots=True)
class Each:
    """Of an argument that is a list: there is something to do for each of it, and so many together cost 1."""

    for_one: int

    def size(self, value: Any) -> int:
        """How many there are in what was given; one that is not in a list is a list of it."""
        return len(value) if isinstance(value, list) else int(value is not None)

    def cost(self, value: Any) -> int:
        """What they cost together."""
        return -(-self.size(value) // self.for_one)


@dataclass(frozen=True, slots=True)
class Extra:
    """Of an argument: what it adds to the field if it is given, and is not blank."""

    weight: int

    def cost(self, value: Any) -> int:
        """What it adds if this was given."""
        is_blank = value is None or (isinstance(value, str) and not value.strip())
        return 0 if is_blank else self.weight


NOTHING_SAID = Price()
# graphql-core's own types have no metadata of ours: on the average there is so much on a type of this schema, and
# most of what ``ofType`` leads to is null. The usual introspection query has 1,652 objects, and is estimated at 1,819.
INTROSPECTION: Mapping[str, Price] = {
    "types": Price(size=100),
    "fields": Price(size=3),
    "ofType": Price(weight=0),
    "directives": Price(size=5),
} | dict.fromkeys(("args", "inputFields", "interfaces", "enumValues", "possibleTypes"), Price(size=1))


def price_of(field: GraphQLField, name: str) -> Price:
    """What is said of a field, or is so of a field of introspection with that name."""
    declared = (field.extensions or {}).get("strawberry-definition")
    if declared is None:
        return INTROSPECTION.get(name, NOTHING_SAID)
    price = declared.metadata.get(COST, NOTHING_SAID)
    assert isinstance(price, Price)
    return price


def said_of(argument: GraphQLArgument) -> PageSize | Each | Extra | None:
    """What is said of an argument; None for most."""
    declared = (argument.extensions or {}).get("strawberry-definition")
    said: PageSize | Each | Extra | None = None if declared is None else declared.metadata.get(COST)
    return said
