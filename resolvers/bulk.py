"""One change to many deals: a handful of statements whatever their number, and a result for each."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import astuple, dataclass, field, replace
from typing import Any
from uuid import UUID

import orjson

from core.retention import RESTORABLE
from db.database import Database
from db.rows import ClaimRow, KeyRow, VersionRow
from db.statements import Statement, statement
from resolvers.mutation import Call, Memory, as_json, run
from resolvers.refusal import Forbidden, MutationError, Refused, ValidationError
from resolvers.rules import Field, checked, identifier, shown
from resolvers.writable import DEAL, missing
from resolvers.writing import FOUND, NOT_YOURS, UNSEEN

MOST_DEALS = 10_000
VERSIONS = statement("deal.versions", VersionRow)
REMEMBER = statement("idempotency.remember", KeyRow)


@dataclass(frozen=True, slots=True)
class Operation:
    """One kind of bulk change: its statement, and the field of ``updates`` that it takes, if any."""

    change: Statement[VersionRow]
    takes: str | None = None
    usual: Any = None  # what the statement takes where ``updates`` has nothing for it


OPERATIONS = {
    "UPDATE_STAGE": Operation(statement("deal.move_many", VersionRow), "stage_id"),
    "ASSIGN_OWNER": Operation(statement("deal.assign_many", VersionRow), "owner_id"),
    "UPDATE_VALUE": Operation(statement("deal.price_many", VersionRow), "value"),
    "DELETE": Operation(statement("deal.delete_many", VersionRow)),
    "RESTORE": Operation(statement("deal.restore_many", VersionRow), usual=RESTORABLE),
}


@dataclass(frozen=True, slots=True)
class Result:
    """What became of one deal; ``version`` is the one it has, or in a dry run would have; None if there is no such deal."""

    id: UUID
    status: str
    version: int | None = None
    message: str | None = None


@dataclass(frozen=True, slots=True)
class BulkPayload:
    """What became of all of them, in the order they were given."""

    is_dry_run: bool
    results: list[Result] = field(default_factory=list)
    errors: list[MutationError] = field(default_factory=list)
    client_mutation_id: str | None = None

    @property
    def updated_count(self) -> int:
        """How many were changed."""
        return sum(each.status == "UPDATED" for each in self.results)

    @property
    def failed_count(self) -> int:
        """How many cannot be changed."""
        return sum(each.status == "FAILED" for each in self.results)


class _NotThisTimeError(Exception):
    """Rolls a bulk change back, and brings what it would have done."""

    def __init__(self, results: list[Result], *errors: MutationError) -> None:
        super().__init__()
        self.results = results
        self.errors = list(errors)


async def change_deals(
    call: Call, operation: str, deal_ids: Sequence[str], updates: Mapping[str, Any], *, skip_failed: bool, dry_run: bool
) -> BulkPayload:
    """Changes the deals that can be changed; if one cannot, none is, unless the failed are to be skipped."""
    chosen = OPERATIONS[operation]
    owners: set[UUID] = set()

    async def work(db: Database) -> list[Result]:
        owners.clear()  # of a try before this one
        ids = _identified(deal_ids)
        value = await _value(call, db, chosen, operation, updates)
        writable = call.context.viewer.writable_owner
        # Changing locks as well: no other statement first, and what it left alone is looked at afterwards.
        changed = {row.id: row for row in await db.fetch(chosen.change, writable, ids, value)}
        left = [row_id for row_id in ids if row_id not in changed] if len(changed) < len(ids) else []
        there = {row.id: row for row in await db.fetch(VERSIONS, writable, left)} if left else {}
        if there:
            # They are held now, but some may have come back, or have been changed, after the first look passed them by.
            changed |= {row.id: row for row in await db.fetch(chosen.change, writable, list(there), value)}
            there = {row_id: row for row_id, row in there.items() if row_id not in changed}
            left = [row_id for row_id in left if row_id not in changed]
        owners.update(row.owner_id for rows in (changed, there) for row in rows.values())
        results = [_result(row_id, changed, there) for row_id in ids]
        failed = len(left) - len(there)
        if failed and not skip_failed:
            message = f"{failed} of {len(ids)} deals cannot be changed, and so none was: see `results`"
            raise _NotThisTimeError(_skipped(results), ValidationError("dealIds", message))
        if dry_run:
            raise _NotThisTimeError(results)
        return results

    try:
        results = await run(call, work, _memory(call, owners), _blames)
    except _NotThisTimeError as undone:
        return BulkPayload(dry_run, undone.results, undone.errors, call.client_mutation_id)
    except Refused as refused:
        return BulkPayload(dry_run, [], refused.errors, call.client_mutation_id)
    return BulkPayload(dry_run, results, [], call.client_mutation_id)


def _blames(constraint: str) -> ValidationError | None:
    blamed = DEAL.blames(constraint)
    return blamed and ValidationError(f"updates.{blamed.field}", blamed.message)


def _result(row_id: UUID, changed: Mapping[UUID, VersionRow], there: Mapping[UUID, VersionRow]) -> Result:
    if row_id in changed:
        return Result(row_id, "UPDATED", changed[row_id].version)
    if row_id in there:
        return Result(row_id, "UNCHANGED", there[row_id].version)
    return Result(row_id, "FAILED", None, "There is no deal with this id, or none that may be seen.")


def _skipped(results: list[Result]) -> list[Result]:
    """The results of a change that is rolled back: what was changed has the version of before again."""
    return [
        replace(each, status="SKIPPED", version=each.version - 1) if each.status == "UPDATED" and each.version else each
        for each in results
    ]


def _identified(deal_ids: Sequence[str]) -> list[UUID]:
    """The ids, each once. Raises Refused."""
    if len(deal_ids) > MOST_DEALS:
        raise Refused(ValidationError("dealIds", f"may be {MOST_DEALS:,} at most, not {len(deal_ids):,}"))
    ids: dict[UUID, None] = {}
    for place, deal_id in enumerate(deal_ids, 1):
        try:
            row_id = identifier(deal_id)
        except ValueError as error:
            raise Refused(ValidationError("dealIds", f"number {place}: {error}")) from None
        if row_id in ids:
            raise Refused(ValidationError("dealIds", f"number {place}: {row_id} is given twice"))
        ids[row_id] = None
    return list(ids)


async def _value(call: Call, db: Database, chosen: Operation, operation: str, updates: Mapping[str, Any]) -> Any:
    """The new value of the field that the operation takes. Raises Refused for what is missing, wrong or too much."""
    errors = [
        ValidationError(f"updates.{shown(name)}", f"is not used by {operation}") for name in updates if name != chosen.takes
    ]
    if chosen.takes is None:
        if errors:
            raise Refused(*errors)
        return chosen.usual
    kind: Field = DEAL.fields[chosen.takes]
    patch, wrong = checked(updates, {chosen.takes: kind}, is_new=False)
    errors += [ValidationError(f"updates.{each.field}", each.message) for each in wrong]
    if chosen.takes not in updates:
        errors.append(ValidationError(f"updates.{shown(chosen.takes)}", f"must be given for {operation}"))
    if errors:
        raise Refused(*errors)
    value, viewer = patch[chosen.takes], call.context.viewer
    if chosen.takes == "owner_id" and viewer.writable_owner not in (None, value):
        raise Refused(Forbidden(NOT_YOURS))
    if kind.refers_to and not await db.fetch(FOUND, viewer.visible_owner, [value], [kind.refers_to]):
        lacking = missing(chosen.takes, kind.refers_to)
        raise Refused(ValidationError(f"updates.{lacking.field}", lacking.message))
    return value


def _memory(call: Call, owners: Collection[UUID]) -> Memory:
    """The results, kept with those who own the deals: whoever may not see all of them any more is not told."""

    async def remember(db: Database, key: str, results: list[Result]) -> None:
        kept = {"owners": list(owners), "results": [astuple(each) for each in results]}
        await db.fetch(REMEMBER, call.context.viewer.subject, key, as_json(kept))

    async def recall(db: Database, key: str, claim: ClaimRow) -> list[Result]:
        kept, writable = orjson.loads(claim.answer or "[]"), call.context.viewer.writable_owner
        if isinstance(kept, list):  # from before owners were kept: for a week whoever does not see everything is not told
            kept = {"owners": ["anybody"], "results": kept}
        if writable is not None and any(owner != str(writable) for owner in kept["owners"]):
            raise Refused(UNSEEN)
        return [Result(UUID(row_id), *rest) for row_id, *rest in kept["results"]]

    return Memory(remember, recall)
