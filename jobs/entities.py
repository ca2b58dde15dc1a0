"""What can be imported: each entity, its table, and the fields that a mapping may fill.

Fields mirror the columns and constraints of ``sql/migrations``, so that a value which PostgreSQL would refuse is found
while file, line and column are still known.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

Kind = Literal["text", "amount", "fraction", "integer", "time", "date", "flag", "color", "choice", "reference"]
EntityName = Literal["user", "stage", "company", "contact", "deal", "activity", "stage_change"]
ACTIVITY_TYPES = ("CALL", "EMAIL", "MEETING", "NOTE", "TASK")
# external_id is indexed, and PostgreSQL indexes at most 2,704 bytes; 500 characters are at most 2,000.
LONGEST_KEY = 500


@dataclass(frozen=True, slots=True)
class Target:
    """One field: what a mapping calls it, the column it fills, and what that column takes."""

    name: str
    kind: Kind
    column: str
    limit: int = 0
    required: bool = False
    refers_to: EntityName | None = None


@dataclass(frozen=True, slots=True)
class Check:
    """A rule over several fields of one row, told of their values. ``column`` is where a breach is reported."""

    column: str
    fields: tuple[str, ...]
    holds: Callable[..., bool]
    reason: str


@dataclass(frozen=True, slots=True)
class Entity:
    """One kind of row, with its fields by name."""

    name: EntityName
    plural: str
    table: str
    targets: Mapping[str, Target]
    checks: tuple[Check, ...] = ()


def _text(name: str, limit: int, *, required: bool = False) -> Target:
    return Target(name, "text", name, limit, required)


def _of(name: str, kind: Kind, *, required: bool = False) -> Target:
    return Target(name, kind, name, required=required)


def _to(entity: EntityName, name: str | None = None, *, required: bool = False) -> Target:
    called = name or entity
    column = called if name == "changed_by" else f"{called}_id"
    return Target(called, "reference", column, required=required, refers_to=entity)


def _entity(name: EntityName, plural: str, *targets: Target, table: str = "", checks: tuple[Check, ...] = ()) -> Entity:
    key = () if name == "stage_change" else (Target("key", "text", "external_id", LONGEST_KEY, required=True),)
    return Entity(name, plural, table or name, {target.name: target for target in (*key, *targets)}, checks)


CREATED_AT = _of("created_at", "time")
OWNER = _to("user", "owner", required=True)

STAGE_ENDS = Check(
    "is_lost",
    ("is_won", "is_lost"),
    lambda is_won, is_lost: not (is_won and is_lost),
    "a stage cannot be both won and lost",
)
CONTACT_IS_SOMEBODY = Check(
    "key",
    ("first_name", "last_name", "email"),
    lambda *names: any(names),
    "a contact needs a first name, a last name or an e-mail address",
)
ONLY_TASKS_ARE_DUE = Check(
    "due_at",
    ("type", "due_at", "completed_at"),
    lambda kind, due_at, completed_at: kind == "TASK" or not (due_at or completed_at),
    "only a TASK can be due or completed",
)

# In the order in which they are loaded: what a row refers to comes before it.
ENTITIES: Mapping[str, Entity] = {
    entity.name: entity
    for entity in (
        _entity("user", "users", _text("name", 300, required=True), _text("email", 320), CREATED_AT, table="app_user"),
        _entity(
            "stage", "stages", _text("name", 100, required=True), _of("color", "color"),
            _of("position", "integer", required=True), _of("probability", "fraction", required=True),
            _of("is_won", "flag"), _of("is_lost", "flag"), CREATED_AT,
            checks=(STAGE_ENDS,),
        ),
        _entity(
            "company", "companies", _text("name", 300, required=True), _text("domain", 253), _text("website", 2000),
            _text("industry", 300), _text("size", 100), _of("revenue", "amount"), _text("location", 300), OWNER,
            CREATED_AT,
        ),
        _entity(
            "contact", "contacts", _text("first_name", 100), _text("last_name", 100), _text("email", 250),
            _text("phone", 100), _text("title", 300), _text("role", 300), _to("company"), OWNER, CREATED_AT,
            checks=(CONTACT_IS_SOMEBODY,),
        ),
        _entity(
            "deal", "deals", _text("name", 300, required=True), _of("value", "amount"), _to("stage", required=True),
            _of("probability", "fraction"), _of("expected_close_date", "date"), _of("closed_at", "time"),
            _to("company"), _to("contact"), OWNER, CREATED_AT,
        ),
        _entity(
            "activity", "activities", _of("type", "choice", required=True), _text("subject", 300, required=True),
            _text("body", 100_000), _of("occurred_at", "time"), _of("due_at", "time"), _of("completed_at", "time"),
            _to("company"), _to("deal"), _to("contact"), OWNER, CREATED_AT,
            checks=(ONLY_TASKS_ARE_DUE,),
        ),
        _entity(
            "stage_change", "stage changes", _to("deal", required=True), _to("stage", "from_stage"),
            _to("stage", "to_stage", required=True), _to("user", "changed_by"),
            Target("changed_at", "time", "changed_at", required=True),
        ),
    )
}  # fmt: skip
