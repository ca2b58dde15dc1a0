"""Rows as the statements in ``sql/`` return them, one class per shape, columns in order.

A row is the object that GraphQL reads its fields from: there is no mapping layer. A named tuple is frozen, read by
attribute at C speed, and turns into columns with ``zip(*rows)``. ``sort_key`` and ``place``, where a class has them,
are filled by the statements that page: the row's position in its list as text, and which window it belongs to.
"""

from datetime import date, datetime
from typing import Any, NamedTuple
from uuid import UUID

from asyncpg.pgproto import pgproto

# The class of the ids in rows, which are hashed and written in C.
Identifier = pgproto.UUID


class UserRow(NamedTuple):
    id: UUID
    name: str
    email: str | None
    external_id: str | None
    created_at: datetime
    updated_at: datetime
    sort_key: str = ""
    place: int = 0


class CompanyRow(NamedTuple):
    id: UUID
    name: str
    domain: str | None
    website: str | None
    industry: str | None
    size: str | None
    revenue: float | None
    location: str | None
    owner_id: UUID
    external_id: str | None
    created_at: datetime
    updated_at: datetime
    version: int
    sort_key: str = ""
    place: int = 0


class CountedCompanyRow(NamedTuple):
    """The columns of ``CompanyRow``, and those of its ``CompanyTotalsRow`` under the same names, to be taken for one."""

    id: UUID
    name: str
    domain: str | None
    website: str | None
    industry: str | None
    size: str | None
    revenue: float | None
    location: str | None
    owner_id: UUID
    external_id: str | None
    created_at: datetime
    updated_at: datetime
    version: int
    sort_key: str
    place: int
    contacts: int
    deals: int
    deals_value: float
    unpriced: int


class ContactRow(NamedTuple):
    id: UUID
    first_name: str | None
    last_name: str | None
    full_name: str
    email: str | None
    phone: str | None
    title: str | None
    role: str | None
    company_id: UUID | None
    owner_id: UUID
    external_id: str | None
    created_at: datetime
    updated_at: datetime
    version: int
    sort_key: str = ""
    place: int = 0


class ContactLine(NamedTuple):
    """What lists below a company show of a contact."""

    id: UUID
    first_name: str | None
    last_name: str | None
    full_name: str
    email: str | None
    phone: str | None
    title: str | None
    role: str | None
    place: int = 0


class StageRow(NamedTuple):
    id: UUID
    name: str
    color: str
    position: int
    probability: float
    is_won: bool
    is_lost: bool
    external_id: str | None


class DealRow(NamedTuple):
    id: UUID
    name: str
    value: float | None
    stage_id: UUID
    status: str
    probability: float
    expected_close_date: date | None
    closed_at: datetime | None
    company_id: UUID | None
    contact_id: UUID | None
    owner_id: UUID
    external_id: str | None
    created_at: datetime
    updated_at: datetime
    version: int
    sort_key: str = ""
    place: int = 0


class DealLine(NamedTuple):
    """What lists below a company show of a deal."""

    id: UUID
    name: str
    value: float | None
    stage_id: UUID
    status: str
    probability: float
    place: int = 0


class WholeDealRow(NamedTuple):
    """A deal, the company and the contact that it is with: the columns of their rows, None where none may be seen."""

    deal: tuple[Any, ...]
    company: tuple[Any, ...] | None
    contact: tuple[Any, ...] | None


class StageChangeRow(NamedTuple):
    id: UUID
    deal_id: UUID
    from_stage_id: UUID | None
    to_stage_id: UUID
    changed_by: UUID | None
    changed_at: datetime


class ActivityRow(NamedTuple):
    id: UUID
    type: str
    subject: str
    body: str | None
    status: str
    occurred_at: datetime
    due_at: datetime | None
    completed_at: datetime | None
    company_id: UUID | None
    deal_id: UUID | None
    contact_id: UUID | None
    owner_id: UUID
    external_id: str | None
    created_at: datetime
    updated_at: datetime
    version: int
    sort_key: str = ""
    place: int = 0
    company_name: str | None = None
    deal_name: str | None = None


class ActivityLine(NamedTuple):
    """What the short lists of a dashboard show of an activity."""

    id: UUID
    type: str
    subject: str
    status: str
    occurred_at: datetime
    due_at: datetime | None
    company_id: UUID | None
    deal_id: UUID | None
    place: int = 0
    company_name: str | None = None
    deal_name: str | None = None


class CompanyName(NamedTuple):
    """What a list shows of a company that one of its rows has to do with."""

    id: UUID
    name: str


class DealName(NamedTuple):
    """What a list shows of a deal that one of its rows has to do with."""

    id: UUID
    name: str


class NodeKindRow(NamedTuple):
    id: UUID
    kind: str


class CountRow(NamedTuple):
    place: int
    total: int


class CompanyTotalsRow(NamedTuple):
    """Contacts and deals of one company; ``deals_value`` sums the known values, ``unpriced`` counts the unknown ones."""

    company_id: UUID
    contacts: int
    deals: int
    deals_value: float
    unpriced: int


class StageTotalsRow(NamedTuple):
    """Deals of one stage within one list; ``value`` sums the known values, ``unpriced`` counts the unknown ones."""

    place: int
    stage_id: UUID
    deals: int
    value: float
    weighted_value: float
    unpriced: int


class OverviewRow(NamedTuple):
    activities_today: int
    activities_this_week: int
    companies: int
    companies_with_deals: int


class OverviewWithDealsRow(NamedTuple):
    """The columns of ``OverviewRow``, and those of ``StageTotalsRow``, which are None where there are no deals at all."""

    activities_today: int
    activities_this_week: int
    companies: int
    companies_with_deals: int
    place: int | None
    stage_id: UUID | None
    deals: int | None
    value: float | None
    weighted_value: float | None
    unpriced: int | None


class ContactStatsRow(NamedTuple):
    total: int
    with_company: int
    with_email: int
    with_phone: int
    companies: int
    new_last_30_days: int
    changes_at: datetime | None


class CompanyAnalyticsRow(NamedTuple):
    id: UUID
    engagement_score: float
    names: list[str]
    weights: list[float]
    found: list[float | None]
    points: list[float]
    active_deals: int
    won_deals: int
    lost_deals: int
    total_value: float
    unpriced_count: int
    activity_count_30d: int
    last_activity_at: datetime | None
    changes_at: datetime | None


class SizeRow(NamedTuple):
    """One table, how many rows PostgreSQL thinks it has, and the bytes it takes."""

    table_name: str
    row_estimate: int
    bytes: int


class ActingRow(NamedTuple):
    """Whom a transaction is made for."""

    subject: str
    user_id: str
    planned: str


class ToldRow(NamedTuple):
    """The number of the transaction that was told of."""

    told: str
    xid: int


class ReferenceRow(NamedTuple):
    """A reference that is there, by its place; ``company_id`` is that of a contact."""

    place: int
    company_id: UUID | None


class VersionRow(NamedTuple):
    """A row that was changed, and the version and the owner that it has now."""

    id: UUID
    version: int
    owner_id: UUID


class KeyRow(NamedTuple):
    """An idempotency key."""

    key: str


class ClaimRow(NamedTuple):
    """What an idempotency key was used for: the digest of the input, and the answer as JSON."""

    digest: bytes
    answer: str | None


class FoldedRow(NamedTuple):
    """How many deltas were added to the rollups."""

    folded: int
