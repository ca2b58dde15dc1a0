"""What can be written: for each noun its fields with their rules, its statements, and what its constraints mean."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from db.rows import ActivityRow, CompanyRow, ContactRow, DealRow, KeyRow
from db.statements import Statement, statement
from resolvers.refusal import ValidationError
from resolvers.rules import (
    Field,
    day,
    likelihood,
    long_text,
    moment,
    money,
    one_of,
    optional,
    reference,
    required,
    shown,
    text,
)


@dataclass(frozen=True, slots=True)
class Writable:
    """A noun whose rows are written. ``fields`` are by column, ``rules`` the messages of its other constraints by name."""

    noun: str
    fields: Mapping[str, Field]
    rules: Mapping[str, ValidationError]
    locked: Statement[Any]
    create: Statement[Any]
    update: Statement[Any]
    delete: Statement[Any]
    restore: Statement[Any]
    remember: Statement[KeyRow]
    remembered: Statement[Any]

    def blames(self, constraint: str) -> ValidationError | None:
        """What a constraint that fired tells a client; None if it is none of this noun's."""
        if constraint in self.rules:
            return self.rules[constraint]
        for name, field in self.fields.items():
            stem = f"{self.noun}_{name}_"
            if field.refers_to and constraint == f"{self.noun}_{name.removesuffix('_id')}_exists":
                return missing(name, field.refers_to)
            if constraint.startswith(stem):
                return ValidationError(shown(name), "is not a value that can be kept")
        return None


def missing(name: str, kind: str) -> ValidationError:
    """The error of a reference to what is not there."""
    return ValidationError(shown(name), f"there is no {kind} with this id, or none that may be seen")


def _writable(noun: str, row: type[Any], fields: Mapping[str, Field], rules: Mapping[str, ValidationError]) -> Writable:
    def of_row(name: str) -> Statement[Any]:
        return statement(f"{noun}.{name}", row)

    return Writable(
        noun,
        fields,
        rules,
        locked=of_row("locked"),
        create=of_row("create"),
        update=of_row("update"),
        delete=of_row("delete"),
        restore=of_row("restore"),
        remember=statement(f"{noun}.remember", KeyRow),
        remembered=of_row("remembered"),
    )


COMPANY = _writable(
    "company",
    CompanyRow,
    {
        "name": required(text(300)),
        "domain": optional(text(253)),
        "website": optional(text(2000)),
        "industry": optional(text(300)),
        "size": optional(text(100)),
        "revenue": optional(money),
        "location": optional(text(300)),
        "owner_id": reference("user", is_required=True),
    },
    {},
)
NAMELESS = ValidationError("lastName", "give at least one of firstName, lastName and email")
CONTACT = _writable(
    "contact",
    ContactRow,
    {
        "first_name": optional(text(100)),
        "last_name": optional(text(100)),
        "email": optional(text(250)),
        "phone": optional(text(100)),
        "title": optional(text(300)),
        "role": optional(text(300)),
        "company_id": reference("company"),
        "owner_id": reference("user", is_required=True),
    },
    {"contact_has_name": NAMELESS},
)
DEAL = _writable(
    "deal",
    DealRow,
    {
        "name": required(text(300)),
        "value": optional(money),
        "stage_id": reference("stage", is_required=True),
        "probability": optional(likelihood),
        "expected_close_date": optional(day),
        "company_id": reference("company", is_required=True),
        "contact_id": reference("contact"),
        "owner_id": reference("user", is_required=True),
    },
    {},
)
NOT_A_TASK = ValidationError("dueAt", "only a task has a due date")
ACTIVITY = _writable(
    "activity",
    ActivityRow,
    {
        "type": required(one_of("CALL", "EMAIL", "MEETING", "NOTE", "TASK")),
        "subject": required(text(300)),
        "body": optional(long_text(100_000)),
        "occurred_at": required(moment),
        "due_at": optional(moment),
        "company_id": reference("company"),
        "deal_id": reference("deal"),
        "contact_id": reference("contact"),
        "owner_id": reference("user", is_required=True),
    },
    {"activity_due_is_of_task": NOT_A_TASK},
)
WRITABLES = {each.noun: each for each in (COMPANY, CONTACT, DEAL, ACTIVITY)}
