"""The loaders of one request, each made at its first use."""

import asyncio
from collections.abc import Callable
from datetime import datetime
from typing import Any, Generic, Literal, TypeVar
from uuid import UUID

from cache.reference import Reference
from core.viewer import Viewer
from db.database import Database
from db.rows import CompanyName, DealName
from loaders.activity import ActivityById, Recent
from loaders.base import Loader
from loaders.company import AnalyticsByCompany, CompanyById, CountedPage, TotalsByCompany
from loaders.contact import ContactById, ContactStats
from loaders.deal import DealById, StageChangesByDeal, WholeDealById
from loaders.node import KindById
from loaders.page import CountByParent, FirstByCompany, Listing, PageByWindow
from loaders.reads import Reads
from loaders.report import Overview, StageTotals, Whose
from loaders.stage import StageById, Stages
from loaders.user import UserById

AnyLoader = TypeVar("AnyLoader", bound=Loader[Any, Any])


class Once(Generic[AnyLoader]):
    """A loader of ``Loaders``, made at its first use; ``functools.cached_property`` takes four times as long, for its lock."""

    def __init__(self, make: "Callable[[Loaders], AnyLoader]") -> None:
        self._make = make

    def __set_name__(self, owner: type[Any], name: str) -> None:
        self._name = name

    def __get__(self, loaders: "Loaders", owner: type[Any]) -> AnyLoader:
        made = vars(loaders)[self._name] = loaders.begin(self._make(loaders))
        return made


def simple(kind: type[AnyLoader]) -> Once[AnyLoader]:
    """One that needs nothing but the database and whose rows may be seen."""
    return Once(lambda loaders: kind(loaders.db, loaders.visible_owner))


class Loaders:
    """What a request reads through. ``stop`` it when the request ends, so that nothing runs on for nobody.

    ``reference`` is what the process has kept of rows that hardly ever change. ``reads`` stay empty unless the answer
    ``is_kept`` somewhere.
    """

    db: Database
    visible_owner: UUID | None
    now: datetime

    company_by_id = simple(CompanyById)
    contact_by_id = simple(ContactById)
    deal_by_id = simple(DealById)
    whole_deal_by_id = Once(
        lambda loaders: WholeDealById(loaders.db, loaders.visible_owner, loaders.company_by_id, loaders.contact_by_id)
    )
    activity_by_id = simple(ActivityById)
    user_by_id = simple(UserById)
    stages = simple(Stages)
    stage_by_id = Once(lambda loaders: StageById(loaders.stages))
    kind_by_id = simple(KindById)
    totals_by_company = simple(TotalsByCompany)
    analytics_by_company = Once(lambda loaders: AnalyticsByCompany(loaders.db, loaders.visible_owner, loaders.now))
    stage_changes_by_deal = simple(StageChangesByDeal)

    def __init__(
        self, db: Database, viewer: Viewer, now: datetime, reference: Reference | None = None, *, is_kept: bool = True
    ) -> None:
        self.db = db
        self.visible_owner = viewer.visible_owner
        self.now = now
        self.reads = Reads(now, is_kept=is_kept)
        self.reference = reference
        # What has been read of companies and deals along with something else: None for one that may not be seen.
        self.company_names: dict[UUID, CompanyName | None] = {}
        self.deal_names: dict[UUID, DealName | None] = {}
        self.batches: set[asyncio.Task[None]] = set()
        self._made: dict[object, Loader[Any, Any]] = {}

    def begin(self, made: AnyLoader) -> AnyLoader:
        """Takes in a loader that was made: it tells of what it reads, and is stopped with the others."""
        made.reads, made.reference, made.batches = self.reads, self.reference, self.batches
        return made

    def _get(self, key: object, make: Callable[[], AnyLoader]) -> AnyLoader:
        found = self._made.get(key)
        if found is None:
            found = self._made[key] = self.begin(make())
        return found  # type: ignore[return-value]

    def stage_totals(self, whose: Whose) -> StageTotals:
        """Deals by stage of owners, of companies, or of everyone."""
        return self._get((StageTotals, whose), lambda: StageTotals(self.db, self.visible_owner, whose))

    def contact_stats(self, whose: Literal["all", "owner"]) -> ContactStats:
        """Contacts counted, of owners or of everyone."""
        return self._get(
            (ContactStats, whose), lambda: ContactStats(self.db, self.visible_owner, whose, self.now)
        )

    def overview(self, owner_id: UUID | None) -> Overview:
        """The figures of the dashboard of one owner, or of everyone."""
        return self._get((Overview, owner_id), lambda: Overview(self.db, self.visible_owner, owner_id))

    def recent(self, owner_id: UUID | None) -> Recent:
        """The short lists of the dashboard of one owner, or of everyone."""
        return self._get(
            (Recent, owner_id),
            lambda: Recent(self.db, self.visible_owner, owner_id, self.company_names, self.deal_names),
        )

    def page(self, listing: Listing, way: str) -> PageByWindow:
        """Pages of one kind of list, read one way."""
        if listing.with_totals:
            totals = self.totals_by_company
            return self._get((listing, way), lambda: CountedPage(self.db, self.visible_owner, listing, way, totals))
        return self._get((listing, way), lambda: PageByWindow(self.db, self.visible_owner, listing, way))

    def first_of_company(self, listing: Listing, size: int) -> FirstByCompany:
        """The first lines of one kind of list, so many."""
        return self._get(
            (FirstByCompany, listing, size), lambda: FirstByCompany(self.db, self.visible_owner, listing, size)
        )

    def count(self, listing: Listing) -> CountByParent:
        """Lengths of one kind of list."""
        return self._get((CountByParent, listing), lambda: CountByParent(self.db, self.visible_owner, listing))

    def forget(self) -> None:
        """Drops what has been read: the request has written something, and reads again."""
        self.stop()
        for name in [name for name, each in vars(self).items() if isinstance(each, Loader)]:
            delattr(self, name)
        self._made, self.company_names, self.deal_names = {}, {}, {}

    def stop(self) -> None:
        """Cancels the batches under way, and with them their statements: nobody waits for them any more."""
        for task in self.batches:
            task.cancel()
