"""Connections after the Relay specification: edges with cursors, and where the page lies in its list."""

from typing import Any, Generic, TypeVar

import strawberry
from strawberry import Parent

from resolvers.page import Page
from schema.price import COST, Price

T = TypeVar("T")


def has_next_page(page: Parent[Page]) -> Any:
    """Whether anything comes after the page."""
    return page.has_next_page()


def has_previous_page(page: Parent[Page]) -> Any:
    """Whether anything comes before the page."""
    return page.has_previous_page()


def total_count(page: Parent[Page]) -> Any:
    """How long the whole list is."""
    return page.total_count()


@strawberry.type(description="Where a page lies in its list. Both flags are exact in both directions.")
class PageInfo:
    has_next_page: bool = strawberry.field(
        resolver=has_next_page,
        graphql_type=bool,
        description="Whether the list has anything after the last edge of this page.",
    )
    has_previous_page: bool = strawberry.field(
        resolver=has_previous_page,
        graphql_type=bool,
        description="Whether the list has anything before the first edge of this page.",
    )
    start_cursor: str | None = strawberry.field(description="Cursor of the first edge; null on an empty page.")
    end_cursor: str | None = strawberry.field(description="Cursor of the last edge; null on an empty page.")


@strawberry.type(description="One entry of a page.")
class Edge(Generic[T]):
    node: T = strawberry.field(description="The entry itself.")
    cursor: str = strawberry.field(
        description="Its position in this list, for `after` and `before`; opaque, and refused by any other list."
    )


@strawberry.type(description="One page of a sorted list.")
class Connection(Generic[T]):
    edges: list[Edge[T]] = strawberry.field(
        description="The entries of the page, in the order of the list.", metadata={COST: Price(as_asked=True)}
    )
    page_info: PageInfo = strawberry.field(description="Where the page lies in the list.")
    total_count: int = strawberry.field(
        resolver=total_count,
        graphql_type=int,
        description="How long the whole list is. Counted only when asked for.",
        metadata={COST: Price(weight=1)},
    )
