"""Why a mutation changed nothing: one interface, and a type for each kind of reason."""

import strawberry

from execution import instance_of
from resolvers import refusal
from schema.node import Node


@strawberry.interface(description="Why a mutation changed nothing.")
class MutationError:
    message: str = strawberry.field(description="The reason, for people.")
    code: str = strawberry.field(description="The reason, for programs: VALIDATION, NOT_FOUND, CONFLICT or FORBIDDEN.")


@strawberry.type(description="An invalid value.")
class ValidationError(MutationError):
    field: str = strawberry.field(
        description="The argument or field of the input, `updates.stageId` for one within another; `Idempotency-Key` "
        "for the header."
    )

    is_type_of = instance_of(refusal.ValidationError)


@strawberry.type(description="There is nothing with this id, or nothing that may be seen.")
class NotFound(MutationError):
    id: strawberry.ID = strawberry.field(description="The id that was asked for.")

    is_type_of = instance_of(refusal.NotFound)


@strawberry.type(description="Somebody else changed it first: `expectedVersion` is not its version any more.")
class Conflict(MutationError):
    current: Node = strawberry.field(description="What it is now.")

    is_type_of = instance_of(refusal.Conflict)


@strawberry.type(description="The one who asks may not do this.")
class Forbidden(MutationError):
    is_type_of = instance_of(refusal.Forbidden)
