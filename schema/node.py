"""The interface of everything that has an id."""

import strawberry


@strawberry.interface(description="Anything that can be fetched again by its id.")
class Node:
    id: strawberry.ID = strawberry.field(description="A UUID, unique among all things here.")
