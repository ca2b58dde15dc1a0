"""Anything that is written by its id alone."""

import strawberry

from schema.node import Node
from schema.price import COST, Price
from schema.refusal import MutationError


@strawberry.type(description="What was written, whatever it is, or why nothing was.")
class NodePayload:
    row: Node | None = strawberry.field(name="node", description="What was written; null if there are errors.")
    errors: list[MutationError] = strawberry.field(
        description="Why nothing was changed; empty if something was.", metadata={COST: Price(size=1)}
    )
    client_mutation_id: str | None = strawberry.field(description="What the client called this mutation.")
