"""Arguments that many fields take, described once."""

from enum import Enum
from typing import Annotated, Any

import strawberry
from strawberry import argument

from resolvers.lists import Order
from schema.price import COST, Extra, PageSize

PAGE_SIZE = {COST: PageSize()}
First = Annotated[
    int | None, argument(description="How many from the start: 0 to 100. 20 if nothing is said.", metadata=PAGE_SIZE)
]
After = Annotated[str | None, argument(description="Only what comes after this cursor.")]
Last = Annotated[
    int | None, argument(description="How many from the end: 0 to 100. Not together with `first`.", metadata=PAGE_SIZE)
]
Before = Annotated[str | None, argument(description="Only what comes before this cursor.")]
LimitFirst = Annotated[int | None, argument(description="Another name for `first`.", metadata=PAGE_SIZE)]
Limit = Annotated[int | None, argument(description="How many at most: 0 to 100. 20 if nothing is said.", metadata=PAGE_SIZE)]
# Of a list that has a usual size of its own, which the field's description says.
ShortLimit = Annotated[int | None, argument(description="How many at most: 0 to 100.", metadata=PAGE_SIZE)]
Search = Annotated[
    str | None,
    argument(
        description="Words to look for; spelling mistakes are forgiven, unless thousands have the words as they are. The best "
        "answers come first unless `sort` is given; among many thousands, the best of the latest. Blank is no search.",
        metadata={COST: Extra(10)},
    ),
]
OwnerId = Annotated[strawberry.ID | None, argument(description="Only what this user owns.")]
Id = Annotated[strawberry.ID, argument(description="The id: a UUID.")]


@strawberry.enum(description="Which end of a sorted list comes first.")
class SortDirection(Enum):
    ASC = strawberry.enum_value("ASC", description="Smallest, earliest, or A first.")
    DESC = strawberry.enum_value("DESC", description="Largest, latest, or Z first.")


class Sorted:
    """What the inputs that say the order of a list have in common."""

    by: Any
    direction: SortDirection

    def order(self) -> Order:
        """The order as statements name it."""
        return Order(str(self.by.value), self.direction is SortDirection.DESC)
