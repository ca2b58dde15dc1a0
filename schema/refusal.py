"""Why a mutation changed nothing: one interface, and a type for each kind of reason."""

from typing import Any

import strawberry

from resolvers import refusal
from schema.node import Node


@strawberry.interface(description="Why a mutation changed nothing.")
class MutationError:
    message: str = strawberry.field(description="The reason, for people.")
    code: str = strawberry.field(description="The reason, for programs: VALIDATION, NOT_FOUND, CONFLICT or FORBIDDEN.")


@strawberry.type(description="A value that cannot be.")
class ValidationError(MutationError):
    field: str = strawberry.field(
        description="The argument or field of the input, `updates.stageId` for one within another; `Idempotency-Key` "
        "for the header."
    )

    @classmethod
    def is_type_of(cls, obj: Any, info: Any) -> bool:
        return isinstance(obj, refusal.ValidationError)


@strawberry.type(description="There is nothing with this id, or nothing that may be seen.")
class NotFound(MutationError):
    id: strawberry.ID = strawberry.field(description="The id that was asked for.")

    @classmethod
    def is_type_of(cls, obj: Any, info: Any) -> bool:
        return isinstance(obj, refusal.NotFound)


@strawberry.type(description="Somebody else changed it first: `expectedVersion` is not its version any more.")
class Conflict(MutationError):
    current: Node = strawberry.field(description="What it is now.")

    @classmethod
    def is_type_of(cls, obj: Any, info: Any) -> bool:
        return isinstance(obj, refusal.Conflict)


@strawberry.type(description="The one who asks may not do this.")
class Forbidden(MutationError):
    @classmethod
    def is_type_of(cls, obj: Any, info: Any) -> bool:
        return isinstance(obj, refusal.Forbidden)
