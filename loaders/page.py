"""Loads pages of sorted lists, and how long the lists are."""

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from operator import attrgetter
from typing import Any, Literal, NamedTuple
from uuid import UUID

from core import tags
from core.cursor import Position
from db.database import Database
from db.rows import (
    ActivityRow,
    CompanyRow,
    ContactLine,
    ContactRow,
    CountedCompanyRow,
    CountRow,
    DealLine,
    DealRow,
    UserRow,
)
from db.statements import Statement, family, variants
from loaders.base import Loader, many_per_key

Noun = Literal["company", "contact", "deal", "activity", "app_user"]
ROWS: dict[Noun, type[Any]] = {
    "company": CompanyRow,
    "contact": ContactRow,
    "deal": DealRow,
    "activity": ActivityRow,
    "app_user": UserRow,
}
PAGES: dict[str, Statement[Any]] = {
    name: each
    for noun, row in ROWS.items()
    for kind in ("page_", "search_")
    for name, each in family(f"{noun}.{kind}", row).items()
}
PAGES |= family("company.counted_page_", CountedCompanyRow)
# The first rows below a company, and of them only what lists show: what such a row has, and the statement for each size.
LINES: dict[Noun, type[Any]] = {"deal": DealLine, "contact": ContactLine}
FIRST: dict[Noun, dict[int, Statement[Any]]] = {
    noun: {int(size): each for size, each in variants(f"{noun}.first_of_company_", line).items()}
    for noun, line in LINES.items()
}
SIZES = {noun: sorted(of_size) for noun, of_size in FIRST.items()}
COUNTS: dict[str, Statement[CountRow]] = {
    name: each for noun in ROWS for name, each in family(f"{noun}.count_", CountRow).items()
}


class Listing(NamedTuple):
    """What a list is made of, apart from whose it is: everything that chooses the statement and its filter.

    ``lookup`` is what of the filter its rows are looked up by. ``whose`` is the owner among whose rows is searched: which are
    answers is found out once for all windows of a statement.
    """

    noun: Noun
    scope: str
    sort: str
    filter: tuple[Any, ...]
    lookup: str | None = None
    search: str | None = None
    whose: UUID | None = None
    with_totals: bool = False

    def page_statement(self, way: str) -> Statement[Any]:
        """The statement that reads pages ``up`` or ``down`` the sort key."""
        if self.search is not None:
            return PAGES[f"{self.noun}.search_by_{self.sort}_{way}"]
        page = "counted_page" if self.with_totals else "page"
        return PAGES[f"{self.noun}.{page}_{self._which}_by_{self.sort}_{way}"]

    def count_statement(self) -> Statement[CountRow]:
        """The statement that counts the list."""
        return COUNTS[f"{self.noun}.count_{self._which if self.search is None else 'of_search'}"]

    @property
    def _which(self) -> str:
        return f"of_{self.scope}" if self.lookup is None else f"with_{self.lookup}"

    @property
    def asked(self) -> tuple[str, ...]:
        """The search as the last parameter, where there is one."""
        return () if self.search is None else (self.search,)

    def tags(self, parents: Iterable[UUID | None]) -> Iterable[str]:
        """The tags of the lists of these parents; deals have their status from their stage."""
        lists = tags.lists(self.noun, self.scope, parents)
        return [tags.STAGES, *lists] if self.noun == "deal" else lists


class Window(NamedTuple):
    """A stretch of one list: whose list, the positions it lies strictly between, and how many rows at most."""

    parent: UUID | None
    lower: Position | None
    upper: Position | None
    size: int


class PageByWindow(Loader[Window, list[Any]]):
    """Window to its rows, in the order of the way they are read."""

    def __init__(self, db: Database, visible_owner: UUID | None, listing: Listing, way: str) -> None:
        super().__init__(db, visible_owner)
        self._listing = listing
        self._statement = listing.page_statement(way)

    async def load_keys(self, keys: list[Window]) -> Sequence[list[Any]]:
        rows = await self._db.fetch(
            self._statement,
            self._visible_owner,
            [key.parent for key in keys],
            [key.lower and key.lower.key for key in keys],
            [key.lower and key.lower.id for key in keys],
            [key.upper and key.upper.key for key in keys],
            [key.upper and key.upper.id for key in keys],
            [key.size for key in keys],
            *self._listing.filter,
            *self._listing.asked,
        )
        return many_per_key(rows, range(1, len(keys) + 1), key=attrgetter("place"))

    def tags(self, keys: Sequence[Window]) -> Iterable[str]:
        return self._listing.tags(key.parent for key in keys)


class FirstByCompany(Loader[UUID, list[Any]]):
    """Company id to the first rows of its list of a noun in the list's usual order, as lines: not whole rows."""

    def __init__(self, db: Database, visible_owner: UUID | None, listing: Listing, size: int) -> None:
        super().__init__(db, visible_owner)
        self._listing = listing
        self._size = size
        sizes = SIZES[listing.noun]
        self._statement = FIRST[listing.noun][sizes[bisect_left(sizes, size)]]

    async def load_keys(self, keys: list[UUID]) -> Sequence[list[Any]]:
        rows = await self._db.fetch(self._statement, self._visible_owner, keys)
        lists = many_per_key(rows, range(1, len(keys) + 1), key=attrgetter("place"))
        return [each[: self._size] for each in lists]

    def tags(self, keys: Sequence[UUID]) -> Iterable[str]:
        return self._listing.tags(keys)


def has_lines(listing: Listing, wanted: frozenset[str]) -> bool:
    """Whether lines are enough for who reads only these attributes of the rows."""
    line = LINES.get(listing.noun)
    return line is not None and listing.scope == "company" and wanted.issubset(line._fields)


class CountByParent(Loader[UUID | None, int]):
    """Whose list, or None for everyone's, to how many rows it has."""

    def __init__(self, db: Database, visible_owner: UUID | None, listing: Listing) -> None:
        super().__init__(db, visible_owner)
        self._listing = listing

    async def load_keys(self, keys: list[UUID | None]) -> Sequence[int]:
        nothing = [None] * len(keys)  # a count takes the parameters of a page, and its windows have no ends
        windows = (keys, nothing, nothing, nothing, nothing, nothing)
        rows = await self._db.fetch(
            self._listing.count_statement(), self._visible_owner, *windows, *self._listing.filter, *self._listing.asked
        )
        return [row.total for row in rows]

    def tags(self, keys: Sequence[UUID | None]) -> Iterable[str]:
        return self._listing.tags(keys)
