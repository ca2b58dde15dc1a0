"""How a mutation runs: who may, once for each idempotency key, in one transaction, with typed errors for what cannot be.

A key is used up by a change that was made. An answer with errors has changed nothing and leaves its key free, so that
the same form can be sent again once it is right.
"""

import hashlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, TypeAlias, TypeVar

import orjson

from db.database import ConstraintViolated, Database
from db.rows import ClaimRow, KeyRow
from db.statements import statement
from resolvers.context import Context
from resolvers.refusal import Forbidden, MutationError, Refused, ValidationError

Answer = TypeVar("Answer")
# What a mutation does in its transaction, and which field a constraint that fired is about.
Work: TypeAlias = Callable[[Database], Awaitable[Answer]]
Blames: TypeAlias = Callable[[str], ValidationError | None]

CLAIM = statement("idempotency.claim", KeyRow)
CLAIMED = statement("idempotency.claimed", ClaimRow)
LONGEST_KEY = 255
MAY_NOT_WRITE = Forbidden("You may read, but not change anything.")


@dataclass(frozen=True, slots=True)
class Payload:
    """What a mutation answers: the row that was written, or why none was."""

    row: Any = None
    errors: list[MutationError] = field(default_factory=list)
    client_mutation_id: str | None = None


@dataclass(frozen=True, slots=True)
class Call:
    """One mutation as it was called: its name, under which alias, its input as JSON-ready values, the client's name for it."""

    context: Context
    name: str
    alias: str
    input: Any
    client_mutation_id: str | None

    def key(self) -> tuple[str, str] | None:
        """The idempotency key and where it came from; None if the client gave none. Raises Refused.

        The header is of the whole request: each of its mutations has a key of its own from it.
        """
        if self.client_mutation_id is not None:
            return f"client:{_bounded(self.client_mutation_id, 'clientMutationId')}", "clientMutationId"
        key = self.context.idempotency_key
        if key is None:
            return None
        given = _bounded(key.given, "Idempotency-Key")
        named = given if key.item is None else f"{key.item}.{given}"
        # An alias may be long, and the key of an index may not.
        return f"header:{hashlib.sha256(as_json([self.alias, named]).encode()).hexdigest()}", "Idempotency-Key"

    def digest(self) -> bytes:
        """What tells this input from another: SHA-256 of the mutation's name and all its arguments."""
        return hashlib.sha256(as_json([self.name, self.input]).encode()).digest()


@dataclass(frozen=True, slots=True)
class Memory:
    """How an answer is kept with its key, and read again."""

    remember: Callable[[Database, str, Any], Awaitable[Any]]
    recall: Callable[[Database, str, ClaimRow], Awaitable[Any]]


async def run(call: Call, work: Work[Answer], memory: Memory, blames: Blames) -> Answer:
    """What ``work`` answered, now or when its key was first used.

    Raises Refused with the errors for which nothing was changed, and what ``Writer.write`` raises.
    """
    refuse_readers(call)
    viewer, key = call.context.viewer, call.key()

    async def once(db: Database) -> Answer:
        if key is None:
            return await work(db)
        text, place = key
        while not await db.fetch(CLAIM, viewer.subject, text, call.digest()):
            claims = await db.fetch(CLAIMED, viewer.subject, text)
            if claims:  # it may have served its time in between, and is free again
                return await recalled(db, text, place, claims[0])
        answer = await work(db)
        await memory.remember(db, text, answer)
        return answer

    async def recalled(db: Database, text: str, place: str, claim: ClaimRow) -> Answer:
        if claim.digest != call.digest():
            raise Refused(ValidationError(place, "was used before, for another mutation or another input"))
        answer: Answer = await memory.recall(db, text, claim)
        return answer

    try:
        answer = await call.context.writer.write(viewer, once, is_repeatable=key is not None)
    except ConstraintViolated as violated:
        blamed = blames(violated.constraint)
        if blamed is None:
            raise
        raise Refused(blamed) from violated
    # What this request has read is of before.
    call.context.loaders.forget()
    call.context.made.append(call.name)
    return answer


def refuse_readers(call: Call) -> None:
    """Raises Refused for one who may not write, before anything is looked at for them."""
    if not call.context.viewer.may_write:
        raise Refused(MAY_NOT_WRITE)


def _bounded(key: str, place: str) -> str:
    if not 0 < len(key) <= LONGEST_KEY or "\0" in key:
        raise Refused(ValidationError(place, f"must have 1 to {LONGEST_KEY} characters"))
    return key


def as_json(value: Any) -> str:
    """JSON for PostgreSQL; amounts as text, so that they stay exact."""
    return orjson.dumps(value, default=str, option=orjson.OPT_SORT_KEYS).decode()
