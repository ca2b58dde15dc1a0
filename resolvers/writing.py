"""Creating, changing, deleting and restoring one row."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from core.retention import RESTORABLE
from db.database import Database
from db.rows import ClaimRow, ReferenceRow
from db.statements import statement
from resolvers.mutation import Call, Memory, Payload, Work, as_json, refuse_readers, run
from resolvers.refusal import Conflict, Forbidden, NotFound, Refused, ValidationError
from resolvers.rules import checked, identifier
from resolvers.writable import ACTIVITY, COMPANY, CONTACT, DEAL, NAMELESS, NOT_A_TASK, WRITABLES, Writable, missing

FOUND = statement("reference.found", ReferenceRow)
NOT_YOURS = "You may write only what you own yourself."
UNSEEN = Forbidden("What was answered to this key may not be seen any more.")


async def create(call: Call, writable: Writable, given: Mapping[str, Any]) -> Payload:
    """A new row; what is not given has a sensible default, or is null."""
    usual = await _defaults(call, writable)
    patch, errors = checked(usual | dict(given), writable.fields, is_new=True)
    if writable is CONTACT and not any(given.get(name) for name in ("first_name", "last_name", "email")):
        errors.append(NAMELESS)
    if writable is ACTIVITY and patch.get("due_at") and patch.get("type") != "TASK":
        errors.append(NOT_A_TASK)

    async def work(db: Database) -> Any:
        _refuse_invalid(call, patch, errors)
        await _check_references(call, db, writable, patch, None)
        return (await db.fetch(writable.create, _writable(call), as_json(patch)))[0]

    return await _written(call, writable, work)


async def update(
    call: Call, writable: Writable, row_id: str, given: Mapping[str, Any], expected_version: int | None
) -> Payload:
    """The row with the fields that are given changed; null takes a value away, and what is not given stays."""
    patch, errors = checked(given, writable.fields, is_new=False)

    async def work(db: Database) -> Any:
        wanted = _identified(row_id)
        _refuse_invalid(call, patch, errors)
        is_paired = writable is DEAL and not patch.keys().isdisjoint(("company_id", "contact_id"))
        await _check_references(call, db, writable, patch, await _current(call, db, writable, wanted) if is_paired else None)
        return await _updated(call, db, writable, wanted, patch, expected_version)

    return await _written(call, writable, work)


async def delete(call: Call, writable: Writable, row_id: str, expected_version: int | None) -> Payload:
    """The row as it was deleted: out of every list and count, but kept, so that it can be restored."""

    async def work(db: Database) -> Any:
        wanted = _identified(row_id)
        # Locked first: when the delete finds no row, that it is missing must be told apart from a version that has changed.
        current = await _current(call, db, writable, wanted)
        rows = await db.fetch(writable.delete, _writable(call), wanted, expected_version)
        if not rows:
            raise Refused(_conflict(current))
        return rows[0]

    return await _written(call, writable, work)


async def restore(call: Call, row_id: str) -> Payload:
    """Whatever was deleted in the last 30 days, as it was; what is not deleted stays as it is."""

    async def work(db: Database, writable: Writable, wanted: UUID) -> Any:
        arguments = (_writable(call), wanted)
        for _ in range(2):  # it may be deleted between the two
            rows = await db.fetch(writable.restore, *arguments, RESTORABLE) or await db.fetch(writable.locked, *arguments)
            if rows:
                return rows[0]
        raise Refused(_not_found(wanted))

    return await _of_any_noun(call, row_id, work)


async def reassign(call: Call, row_id: str, owner_id: str, expected_version: int | None) -> Payload:
    """A company, contact, deal or activity with another owner."""
    patch, errors = checked({"owner_id": owner_id}, {"owner_id": COMPANY.fields["owner_id"]}, is_new=False)

    async def work(db: Database, writable: Writable, wanted: UUID) -> Any:
        # First of all: what is wrong with the owner would tell that the row is there.
        await _current(call, db, writable, wanted)
        _refuse_invalid(call, patch, errors)
        await _check_references(call, db, writable, patch, None)
        return await _updated(call, db, writable, wanted, patch, expected_version)

    return await _of_any_noun(call, row_id, work)


async def complete(call: Call, row_id: str, *, is_done: bool, expected_version: int | None) -> Payload:
    """A task that is done, or is open again; one that is so already stays as it is."""

    async def work(db: Database) -> Any:
        wanted = _identified(row_id)
        current = await _current(call, db, ACTIVITY, wanted)
        if current.type != "TASK":
            raise Refused(ValidationError("id", f"is a {current.type}, and only a TASK can be completed or reopened"))
        done_at = current.completed_at or call.context.now
        return await _updated(call, db, ACTIVITY, wanted, {"completed_at": done_at if is_done else None}, expected_version)

    return await _written(call, ACTIVITY, work)


async def _written(call: Call, writable: Writable, work: Work[Any]) -> Payload:
    async def remember(db: Database, key: str, row: Any) -> None:
        await db.fetch(writable.remember, _writable(call), call.context.viewer.subject, key, row.id)

    async def recall(db: Database, key: str, claim: ClaimRow) -> Any:
        rows = await db.fetch(writable.remembered, _writable(call), call.context.viewer.subject, key)
        if not rows:
            raise Refused(UNSEEN)
        return rows[0]

    try:
        row = await run(call, work, Memory(remember, recall), writable.blames)
    except Refused as refused:
        return Payload(errors=refused.errors, client_mutation_id=call.client_mutation_id)
    return Payload(row, client_mutation_id=call.client_mutation_id)


async def _of_any_noun(call: Call, row_id: str, work: Any) -> Payload:
    """Runs ``work`` with the noun that the id is of, whoever may see the row.

    An unknown id goes the way of a deal, which is then not found there: an id of nothing and an id of somebody else's row must
    be refused at the same point, so that neither can be told from the other.
    """
    try:
        refuse_readers(call)
        wanted = _identified(row_id)
        writable = WRITABLES.get(await call.context.loaders.kind_by_id.one(wanted) or "", DEAL)
    except Refused as refused:
        return Payload(errors=refused.errors, client_mutation_id=call.client_mutation_id)
    return await _written(call, writable, lambda db: work(db, writable, wanted))


async def _defaults(call: Call, writable: Writable) -> dict[str, Any]:
    """What a new row has unless it is given: a deal stands in the first open stage, an activity happened now."""
    if writable is DEAL:
        stages = await call.context.loaders.stages.one("all")
        return {"stage_id": next((str(each.id) for each in stages if not each.is_won and not each.is_lost), None)}
    return {"occurred_at": call.context.now} if writable is ACTIVITY else {}


async def _check_references(call: Call, db: Database, writable: Writable, patch: Mapping[str, Any], current: Any) -> None:
    """Raises Refused for every reference to what is not there, and for a deal's contact who works elsewhere.

    A company that is deleted, or that the viewer may not see, is none, as it is shown.
    """
    fields = writable.fields.items()
    named = [(name, field.refers_to, patch[name]) for name, field in fields if field.refers_to and patch.get(name)]
    if writable is DEAL and current is not None:
        pair = (("contact_id", "contact", current.contact_id), ("company_id", "company", current.company_id))
        named += [each for each in pair if each[0] not in patch and each[2]]
    if not named:
        return
    names, kinds, ids = zip(*named, strict=True)
    found = {row.place: row for row in await db.fetch(FOUND, call.context.viewer.visible_owner, ids, kinds)}
    there = {name: found.get(place) for place, name in enumerate(names, 1)}
    errors = [missing(name, kind) for name, kind, _ in named if there[name] is None and name in patch]
    contact = there.get("contact_id") if writable is DEAL else None
    company = next((row_id for name, _, row_id in named if name == "company_id" and there[name]), None)
    if contact and company and contact.company_id not in (None, company):
        errors.append(ValidationError("contactId", "is a contact of another company than the deal's"))
    if errors:
        raise Refused(*errors)


def _refuse_invalid(call: Call, patch: Mapping[str, Any], errors: list[ValidationError]) -> None:
    """Raises Refused for the errors of fields, or for a viewer who may write only their own rows and names another owner."""
    if errors:
        raise Refused(*errors)
    if _writable(call) is not None and patch.get("owner_id", _writable(call)) != _writable(call):
        raise Refused(Forbidden(NOT_YOURS))


async def _current(call: Call, db: Database, writable: Writable, wanted: UUID) -> Any:
    """The row, which nobody else can change until the transaction ends. Raises Refused."""
    # Once more where there is none: a deal that we waited for may have moved to a stage that is newer than what we see.
    arguments = (_writable(call), wanted)
    rows = await db.fetch(writable.locked, *arguments) or await db.fetch(writable.locked, *arguments)
    if not rows:
        raise Refused(_not_found(wanted))
    return rows[0]


async def _updated(
    call: Call, db: Database, writable: Writable, wanted: UUID, patch: Mapping[str, Any], expected_version: int | None
) -> Any:
    """The row with the patch; as it was where the patch says nothing new. Raises Refused."""
    arguments = (_writable(call), wanted, as_json(patch), expected_version)
    rows = await db.fetch(writable.update, *arguments)
    if rows:
        return rows[0]
    current = await _current(call, db, writable, wanted)
    # It is held now, but may have been restored or changed since the update passed it by.
    rows = await db.fetch(writable.update, *arguments)
    if rows:
        return rows[0]
    if expected_version in (None, current.version):
        return current
    raise Refused(_conflict(current))


def _conflict(current: Any) -> Conflict:
    return Conflict(current, f"Somebody else changed it first: it has version {current.version} now.")


def _not_found(wanted: UUID) -> NotFound:
    return NotFound(wanted, "There is nothing with this id that can be changed, or nothing that may be seen.")


def _identified(row_id: str) -> UUID:
    try:
        return identifier(row_id)
    except ValueError as error:
        raise Refused(ValidationError("id", str(error))) from None


def _writable(call: Call) -> UUID | None:
    return call.context.viewer.writable_owner
