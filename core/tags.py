"""Tags: names of what can be written, by which an answer knows that it is out of date.

``deal:ID`` is a row; ``deals-of-owner:ID`` and the like are lists that rows come into and go from; ``deals`` is all of them.
The triggers of ``sql/migrations`` announce the tags of what was written, the loaders report those of what was read. A
writer of too much at once announces ``deals`` alone, which then stands for every tag of deals. Besides, each answer has
the tag of its document, so that it can be cleared as if it had been written.
"""

import hashlib
from collections.abc import Iterable
from typing import Literal
from uuid import UUID

Noun = Literal["company", "contact", "deal", "activity"]
PLURALS: dict[str, str] = {
    "company": "companies",
    "contact": "contacts",
    "deal": "deals",
    "activity": "activities",
    "app_user": "users",
    "stage": "stages",
    "document": "documents",
}
STAGES, USERS = "stages", "users"
# A set of more says the plurals instead: as many as a long page with everything below it has.
MOST = 400


def rows(noun: Noun, ids: Iterable[UUID]) -> list[str]:
    """The tags of rows."""
    return [f"{noun}:{each}" for each in ids]


def document(name: str) -> str:
    """The tag of all answers of one document, which nothing writes: they are cleared by it."""
    return f"document:{name}"


def listed(noun: str, scope: str, parent: UUID | None) -> str:
    """The tag of a list: of its parent, or of all rows where there is none. Users are one list."""
    return lists(noun, scope, [parent])[0]


def lists(noun: str, scope: str, parents: Iterable[UUID | None]) -> list[str]:
    """The tags of the lists of several parents."""
    plural = PLURALS[noun]
    if plural == USERS:
        return [USERS]
    return [plural if each is None else f"{plural}-of-{scope}:{each}" for each in parents]


def with_deals(owner_id: UUID) -> str:
    """The tag of which companies of an owner have deals, whosever."""
    return f"deals-with-owner:{owner_id}"


def api_key(key_id: UUID) -> str:
    """The tag of an API key."""
    return f"api_key:{key_id}"


def revoked(what: Literal["token", "subject"], value: str) -> str:
    """The tag of tokens that are revoked by their ``jti`` or by their subject, which may have blanks in it."""
    return f"{what}:{hashlib.sha256(value.encode()).hexdigest()}"


def everything_of(tag: str) -> str:
    """The tag that stands for all tags of the same rows."""
    head = tag.partition(":")[0].partition("-")[0]
    return PLURALS.get(head, head)


def bounded(tags: Iterable[str]) -> frozenset[str]:
    """The tags, or where they are too many, those that stand for them."""
    found = frozenset(tags)
    return found if len(found) <= MOST else frozenset(map(everything_of, found))
