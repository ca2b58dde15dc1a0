"""Contacts as they are written."""

import strawberry

from schema.contact import Contact
from schema.given import leave
from schema.price import COST, Price
from schema.refusal import MutationError


@strawberry.input(description="A new contact: at least one of first name, last name and e-mail address is given.")
class CreateContactInput:
    owner_id: strawberry.ID = strawberry.field(description="The user who looks after the contact.")
    first_name: str | None = leave("Given name: up to 100 characters.")
    last_name: str | None = leave("Family name: up to 100 characters.")
    email: str | None = leave("E-mail address: up to 250 characters.")
    phone: str | None = leave("Telephone number: up to 100 characters.")
    title: str | None = leave("Job title: up to 300 characters.")
    role: str | None = leave("Part played in buying, for example Decision maker: up to 300 characters.")
    company_id: strawberry.ID | None = leave("Where the person works.")


@strawberry.input(description="What to change of a contact: what is not given stays, null takes a value away.")
class UpdateContactInput:
    owner_id: strawberry.ID | None = leave("The user who looks after the contact; not null.")
    first_name: str | None = leave("Given name: up to 100 characters.")
    last_name: str | None = leave("Family name: up to 100 characters.")
    email: str | None = leave("E-mail address: up to 250 characters.")
    phone: str | None = leave("Telephone number: up to 100 characters.")
    title: str | None = leave("Job title: up to 300 characters.")
    role: str | None = leave("Part played in buying, for example Decision maker: up to 300 characters.")
    company_id: strawberry.ID | None = leave("Where the person works.")


@strawberry.type(description="The contact as it was written, or why nothing was.")
class ContactPayload:
    row: Contact | None = strawberry.field(name="contact", description="The contact; null if there are errors.")
    errors: list[MutationError] = strawberry.field(
        description="Why nothing was changed; empty if something was.", metadata={COST: Price(size=1)}
    )
    client_mutation_id: str | None = strawberry.field(description="What the client called this mutation.")
