"""List fields below a row, declared: by a plain limit, or as a connection.

What a declaration says is kept in the field's metadata (``Batched``), for the executor that resolves whole levels at once.
"""

from collections.abc import Sequence
from typing import Annotated, Any
from uuid import UUID

import strawberry
from strawberry import argument

from execution import BATCHED, Batched
from resolvers.context import Context, Info
from resolvers.lists import Listed, first_rows, first_rows_of, page_below
from resolvers.page import PageArguments
from schema.arguments import After, Before, First, Last, Limit, LimitFirst
from schema.connection import Connection
from schema.direct import DIRECT


def first_of(listed: Listed, *, type: Any, description: str) -> Any:  # noqa: A002
    """A field with the first rows of the list of its parent, at most ``limit``."""

    def resolve(root: Any, info: Info, limit: Limit = None) -> Any:
        return first_rows(info.context, listed, root.id, limit)

    def load(context: Context, parents: Sequence[UUID], wanted: frozenset[str], limit: int | None = None) -> Any:
        return first_rows_of(context, listed, parents, wanted, limit)

    return strawberry.field(
        resolver=resolve,
        graphql_type=list[type],
        description=description,
        metadata={BATCHED: Batched("id", load, looks_ahead=True), DIRECT: resolve},
    )


def connection_of(listed: Listed, *, type: Any, filter: Any, description: str) -> Any:  # noqa: A002
    """A field with the list of its parent as a connection, in its own order."""
    filter_type = Annotated[filter | None, argument(name="filter", description="Only what meets all of this.")]

    def resolve(
        root: Any,
        info: Info,
        first: First = None,
        after: After = None,
        last: Last = None,
        before: Before = None,
        limit: LimitFirst = None,
        filter_: filter_type = None,
    ) -> Any:
        asked = PageArguments(first, after, last, before, limit)
        return page_below(info.context, listed, root.id, asked, filter_ and filter_.values())

    return strawberry.field(resolver=resolve, graphql_type=Connection[type], description=description)
