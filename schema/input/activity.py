"""Activities as they are written."""

from datetime import datetime

import strawberry

from schema.activity import Activity, ActivityType
from schema.given import leave
from schema.price import COST, Price
from schema.refusal import MutationError


@strawberry.input(description="A new activity: a call, an e-mail, a meeting, a note, or a task.")
class CreateActivityInput:
    type: ActivityType = strawberry.field(description="What kind of activity it is.")
    subject: str = strawberry.field(description="What it is about: 1 to 300 characters.")
    owner_id: strawberry.ID = strawberry.field(description="The user who did it, or is to do it.")
    body: str | None = leave("The whole text: up to 100,000 characters.")
    occurred_at: datetime | None = leave("When it happened, or will: 1900-01-01 to 2999-12-31; now unless given.")
    due_at: datetime | None = leave("When a task is due: 1900-01-01 to 2999-12-31; only tasks are.")
    company_id: strawberry.ID | None = leave("The company it concerns.")
    deal_id: strawberry.ID | None = leave("The deal it concerns.")
    contact_id: strawberry.ID | None = leave("The person it was with.")


@strawberry.input(description="What to change of an activity: what is not given stays, null takes a value away.")
class UpdateActivityInput:
    subject: str | None = leave("What it is about: 1 to 300 characters; not null.")
    owner_id: strawberry.ID | None = leave("The user who did it, or is to do it; not null.")
    body: str | None = leave("The whole text: up to 100,000 characters.")
    occurred_at: datetime | None = leave("When it happened, or will: 1900-01-01 to 2999-12-31; not null.")
    due_at: datetime | None = leave("When a task is due: 1900-01-01 to 2999-12-31; only tasks are.")
    company_id: strawberry.ID | None = leave("The company it concerns.")
    deal_id: strawberry.ID | None = leave("The deal it concerns.")
    contact_id: strawberry.ID | None = leave("The person it was with.")


@strawberry.type(description="The activity as it was written, or why nothing was.")
class ActivityPayload:
    row: Activity | None = strawberry.field(name="activity", description="The activity; null if there are errors.")
    errors: list[MutationError] = strawberry.field(
        description="Why nothing was changed; empty if something was.", metadata={COST: Price(size=1)}
    )
    client_mutation_id: str | None = strawberry.field(description="What the client called this mutation.")
