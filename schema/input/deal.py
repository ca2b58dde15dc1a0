"""Deals as they are written."""

from datetime import date

import strawberry

from schema.deal import Deal
from schema.given import leave
from schema.price import COST, Price
from schema.refusal import MutationError
from schema.scalars import Money


@strawberry.input(description="A new deal.")
class CreateDealInput:
    name: str = strawberry.field(description="What it is called: 1 to 300 characters.")
    company_id: strawberry.ID = strawberry.field(description="Whom it is with.")
    owner_id: strawberry.ID = strawberry.field(description="The user who works on it.")
    value: Money | None = leave("What it is worth, 0 to 999,999,999,999.99; unknown unless given.")
    stage_id: strawberry.ID | None = leave("Where it stands; the first open stage of the pipeline unless given.")
    probability: float | None = leave("How likely it is won, from 0 to 1; its stage's unless given.")
    expected_close_date: date | None = leave("When it is expected to close: 1900-01-01 to 2999-12-31.")
    contact_id: strawberry.ID | None = leave("The person it is with: not one of another company.")


@strawberry.input(description="What to change of a deal: what is not given stays, null takes a value away.")
class UpdateDealInput:
    name: str | None = leave("What it is called: 1 to 300 characters; not null.")
    company_id: strawberry.ID | None = leave("Whom it is with; not null.")
    owner_id: strawberry.ID | None = leave("The user who works on it; not null.")
    value: Money | None = leave("What it is worth, 0 to 999,999,999,999.99; null for unknown.")
    stage_id: strawberry.ID | None = leave("Where it stands; not null.")
    probability: float | None = leave("How likely it is won, from 0 to 1; null for its stage's.")
    expected_close_date: date | None = leave("When it is expected to close: 1900-01-01 to 2999-12-31.")
    contact_id: strawberry.ID | None = leave("The person it is with: not one of another company.")


@strawberry.type(description="The deal as it was written, or why nothing was.")
class DealPayload:
    row: Deal | None = strawberry.field(name="deal", description="The deal; null if there are errors.")
    errors: list[MutationError] = strawberry.field(
        description="Why nothing was changed; empty if something was.", metadata={COST: Price(size=1)}
    )
    client_mutation_id: str | None = strawberry.field(description="What the client called this mutation.")
