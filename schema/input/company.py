"""Companies as they are written."""

import strawberry

from schema.company import Company
from schema.given import leave
from schema.price import COST, Price
from schema.refusal import MutationError
from schema.scalars import Money


@strawberry.input(description="A new company.")
class CreateCompanyInput:
    name: str = strawberry.field(description="What it is called: 1 to 300 characters.")
    owner_id: strawberry.ID = strawberry.field(description="The user who looks after it.")
    domain: str | None = leave("Internet domain, for example example.com: up to 253 characters.")
    website: str | None = leave("Address of its web site: up to 2,000 characters.")
    industry: str | None = leave("What it does: up to 300 characters.")
    size: str | None = leave("How many people it has, a number or a range: up to 100 characters.")
    revenue: Money | None = leave("Revenue in a year: 0 to 999,999,999,999.99.")
    location: str | None = leave("Where it is: up to 300 characters.")


@strawberry.input(description="What to change of a company: what is not given stays, null takes a value away.")
class UpdateCompanyInput:
    name: str | None = leave("What it is called: 1 to 300 characters; not null.")
    owner_id: strawberry.ID | None = leave("The user who looks after it; not null.")
    domain: str | None = leave("Internet domain, for example example.com: up to 253 characters.")
    website: str | None = leave("Address of its web site: up to 2,000 characters.")
    industry: str | None = leave("What it does: up to 300 characters.")
    size: str | None = leave("How many people it has, a number or a range: up to 100 characters.")
    revenue: Money | None = leave("Revenue in a year: 0 to 999,999,999,999.99.")
    location: str | None = leave("Where it is: up to 300 characters.")


@strawberry.type(description="The company as it was written, or why nothing was.")
class CompanyPayload:
    row: Company | None = strawberry.field(name="company", description="The company; null if there are errors.")
    errors: list[MutationError] = strawberry.field(
        description="Why nothing was changed; empty if something was.", metadata={COST: Price(size=1)}
    )
    client_mutation_id: str | None = strawberry.field(description="What the client called this mutation.")
