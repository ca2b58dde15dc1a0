"""The roots of the scenarios in plain Strawberry, and the schema."""

import base64
from datetime import UTC, datetime

import strawberry
from strawberry import ID, Info
from strawberry.extensions import ParserCache, ValidationCache

from bench.peers.plain.dashboard import Asked, Dashboard
from bench.peers.plain.loaders import loaders
from bench.peers.plain.nouns import Company, Deal, company, deal


@strawberry.type
class CompanyEdge:
    node: Company

    @strawberry.field
    def cursor(self) -> str:
        return cursor_of(self.node)


@strawberry.type
class PageInfo:
    has_next_page: bool
    end_cursor: str | None


@strawberry.type
class CompanyConnection:
    edges: list[CompanyEdge]
    page_info: PageInfo


@strawberry.type
class Query:
    @strawberry.field
    async def companies(
        self, info: Info, owner_id: ID, include_stats: bool | None = None, limit: int = 20
    ) -> CompanyConnection:
        rows = await loaders(info).database.rows("companies_of_owner", owner_id, limit=limit + 1)
        edges = [CompanyEdge(node=company(row)) for row in rows[:limit]]
        end = cursor_of(edges[-1].node) if edges else None
        return CompanyConnection(edges=edges, page_info=PageInfo(has_next_page=len(rows) > limit, end_cursor=end))

    @strawberry.field
    async def deal(self, info: Info, id: ID) -> Deal | None:  # noqa: A002
        found: Deal | None = await loaders(info).one("deals", deal).load(id)
        return found

    @strawberry.field
    def dashboard(self, owner_id: ID, time_zone: str = "UTC") -> Dashboard:
        return Dashboard(asked=Asked(owner_id, time_zone), generated_at=datetime.now(UTC))


def cursor_of(row: Company) -> str:
    """Where that company is in its list."""
    return base64.urlsafe_b64encode(f"{row.sort_key}\n{row.id}".encode()).decode()


# Both caches, so that a document is parsed and validated once, as the Node servers do it.
schema = strawberry.Schema(
    query=Query, extensions=[lambda: ParserCache(maxsize=100), lambda: ValidationCache(maxsize=100)]
)
