"""Many deals as they are changed at once."""

from enum import Enum

import strawberry

from schema.deal import Deal
from schema.follow import follow
from schema.given import leave
from schema.price import COST, Price
from schema.refusal import MutationError
from schema.scalars import Money


@strawberry.enum(description="What to do with each deal.")
class BulkOperation(Enum):
    UPDATE_STAGE = strawberry.enum_value("UPDATE_STAGE", description="Move it to `updates.stageId`.")
    ASSIGN_OWNER = strawberry.enum_value("ASSIGN_OWNER", description="Give it to `updates.ownerId`.")
    UPDATE_VALUE = strawberry.enum_value("UPDATE_VALUE", description="Set its value to `updates.value`; null for unknown.")
    DELETE = strawberry.enum_value("DELETE", description="Delete it, as `deleteDeal` does.")
    RESTORE = strawberry.enum_value("RESTORE", description="Restore it, if it was deleted in the last 30 days.")


@strawberry.enum(description="What to do if some of the deals cannot be changed.")
class ErrorPolicy(Enum):
    ALL_OR_NOTHING = strawberry.enum_value("ALL_OR_NOTHING", description="Change none.")
    SKIP_FAILED = strawberry.enum_value("SKIP_FAILED", description="Change the others.")


@strawberry.enum(description="What became of one deal.")
class BulkStatus(Enum):
    UPDATED = strawberry.enum_value("UPDATED", description="It was changed; in a dry run, it would be.")
    UNCHANGED = strawberry.enum_value("UNCHANGED", description="It was so already.")
    FAILED = strawberry.enum_value("FAILED", description="It cannot be changed; `message` says why.")
    SKIPPED = strawberry.enum_value("SKIPPED", description="It could have been changed, but another could not.")


@strawberry.input(description="The new value, the same for all deals: the one field that the operation takes.")
class BulkDealUpdates:
    stage_id: strawberry.ID | None = leave("The stage to move to, for UPDATE_STAGE.")
    owner_id: strawberry.ID | None = leave("The new owner, for ASSIGN_OWNER.")
    value: Money | None = leave("The new value, for UPDATE_VALUE: 0 to 999,999,999,999.99; null for unknown.")


@strawberry.type(description="What became of one deal of a bulk change.")
class BulkDealResult:
    id: strawberry.ID = strawberry.field(description="The deal's id.")
    status: BulkStatus = strawberry.field(description="What became of it.")
    version: int | None = strawberry.field(
        description="Its version now; in a dry run, what it would be; null if there is no such deal."
    )
    message: str | None = strawberry.field(description="Why it failed; null if it did not.")
    deal = follow(
        "deal_by_id", "id", type=Deal | None, description="The deal as it is now; null if there is none, or none any more."
    )


@strawberry.type(description="What became of the deals of a bulk change.")
class BulkDealsPayload:
    results: list[BulkDealResult] = strawberry.field(
        description="A result for each id, in the order they were given; empty if the input is invalid.",
        metadata={COST: Price(weight=0, as_asked=True)},
    )
    updated_count: int = strawberry.field(description="How many were changed; in a dry run, would be.")
    failed_count: int = strawberry.field(description="How many cannot be changed.")
    is_dry_run: bool = strawberry.field(name="dryRun", description="Whether this only tells what would become of them.")
    errors: list[MutationError] = strawberry.field(
        description="Why nothing was changed; empty if something could be.", metadata={COST: Price(size=1)}
    )
    client_mutation_id: str | None = strawberry.field(description="What the client called this mutation.")
