"""Lists below a row and lists of everything: which rows, whose, in which order."""

from collections.abc import Awaitable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol
from uuid import UUID

from core.later import Later
from loaders.base import Loading
from loaders.page import Listing, Noun, Window, has_lines
from resolvers.arguments import limit_argument, optional_uuid, search_argument
from resolvers.context import Context
from resolvers.page import ListOf, Page, PageArguments, read_page


@dataclass(frozen=True, slots=True)
class Listed:
    """A list below a row: its noun, what the row is to it, its order, and the filter of nothing."""

    noun: Noun
    scope: str
    sort: str
    descending: bool
    no_filter: tuple[Any, ...]

    @property
    def listing(self) -> Listing:
        """The whole list, without a filter."""
        return Listing(self.noun, self.scope, self.sort, self.no_filter)

    @property
    def way(self) -> str:
        """How its statements call its direction."""
        return "down" if self.descending else "up"


class Order(NamedTuple):
    """The order of a list: the name of its sort in the statements of its noun, and its direction."""

    sort: str
    descending: bool


class Usual(NamedTuple):
    """A list of everything where nothing else is said: the filter of nothing, and its order."""

    no_filter: tuple[Any, ...]
    order: Order


class HasValues(Protocol):
    """A filter as clients give it."""

    def values(self) -> tuple[Any, ...]:
        """The parameters of statements, in their order."""

    def lookup(self) -> str | None:
        """What of it rows are looked up by, as statements name it: what leaves the fewest. None where order serves better."""


class HasOrder(Protocol):
    """A sort as clients give it."""

    def order(self) -> Order:
        """As statements name it."""


def first_rows(context: Context, listed: Listed, parent: UUID, limit: int | None) -> Awaitable[list[Any]]:
    """The first rows of the list of ``parent``, loaded together with those of other parents."""
    return context.loaders.page(listed.listing, listed.way).load(Window(parent, None, None, limit_argument(limit)))


def first_rows_of(
    context: Context, listed: Listed, parents: Sequence[UUID], wanted: frozenset[str], limit: int | None
) -> Loading[list[Any]]:
    """As ``first_rows``, for many parents at once, and for one who reads only the ``wanted`` attributes of the rows."""
    listing, size = listed.listing, limit_argument(limit)
    if has_lines(listing, wanted):
        return context.loaders.first_of_company(listing, size).load_all(parents)
    return context.loaders.page(listing, listed.way).load_all([Window(parent, None, None, size) for parent in parents])


def page_below(
    context: Context, listed: Listed, parent: UUID, asked: PageArguments, filter_values: tuple[Any, ...] | None
) -> Later[Page]:
    """A page of the list of ``parent``."""
    listing = listed.listing._replace(filter=filter_values or listed.no_filter)
    return read_page(context, ListOf(listing, parent, listed.descending), asked)


def page_of_all(
    context: Context,
    noun: Noun,
    asked: PageArguments,
    filter_: HasValues | None,
    sort: HasOrder | None,
    usual: Usual,
    search: str | None,
    owner_id: str | None = None,
    *,
    with_totals: bool = False,
) -> Later[Page]:
    """A page of all rows of a noun that the viewer may see: without a sort ranked by the search, or in its usual order.

    ``with_totals`` of companies that are listed, not searched: they are known to their loader by then.
    """
    words = search_argument(search)
    owner = optional_uuid(owner_id, "ownerId")
    if noun != "app_user":  # users are owned by nobody
        owner = owner or context.viewer.visible_owner
    best = usual.order if words is None else Order("relevance", descending=True)
    order = best if sort is None else sort.order()
    scope = "owner" if owner else "all"
    values = usual.no_filter if filter_ is None else filter_.values()
    if words is None:
        lookup = None if filter_ is None else filter_.lookup()
        listing = Listing(noun, scope, order.sort, values, lookup, with_totals=with_totals)
    else:
        listing = Listing(noun, scope, order.sort, values, search=words, whose=owner)
    return read_page(context, ListOf(listing, owner, order.descending), asked)
