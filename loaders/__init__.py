"""The loaders of one request, each made at its first use."""

from collections.abc import Callable
from datetime import datetime
from functools import cached_property
from typing import Any, Literal, TypeVar
from uuid import UUID

from cache.reference import Reference
from core.viewer import Viewer
from db.database import Database
from db.rows import CompanyName, DealName
from loaders.activity import ActivityById, Recent
from loaders.base import Loader
from loaders.company import AnalyticsByCompany, CompanyById, TotalsByCompany
from loaders.contact import ContactById, ContactStats
from loaders.deal import DealById, StageChangesByDeal, WholeDealById
from loaders.page import CountByParent, FirstByCompany, Listing, PageByWindow
from loaders.reads import Reads
from loaders.report import KindById, Overview, StageTotals, Whose
from loaders.stage import StageById, Stages
from loaders.user import UserById

AnyLoader = TypeVar("AnyLoader", bound=Loader[Any, Any])


class Loaders:
    """What a request reads through. ``stop`` it when the request ends, so that nothing runs on for nobody.

    ``reference`` is what the process has kept of rows that hardly ever change.
    """

    def __init__(self, db: Database, viewer: Viewer, now: datetime, reference: Reference | None = None) -> None:
        self.db = db
        self.visible_owner = viewer.visible_owner
        self.now = now
        self.reads = Reads(now)
        self.reference = reference
        # What has been read of companies and deals along with something else: None for one that may not be seen.
        self.company_names: dict[UUID, CompanyName | None] = {}
        self.deal_names: dict[UUID, DealName | None] = {}
        self._made: dict[object, Loader[Any, Any]] = {}

    def _get(self, key: object, make: Callable[[], AnyLoader]) -> AnyLoader:
        found = self._made.get(key)
        if found is None:
            found = self._made[key] = make()
            found.reads, found.reference = self.reads, self.reference
        return found  # type: ignore[return-value]

    def _simple(self, kind: type[AnyLoader]) -> AnyLoader:
        return self._get(kind, lambda: kind(self.db, self.visible_owner))

    @cached_property
    def company_by_id(self) -> CompanyById:
        return self._simple(CompanyById)

    @cached_property
    def contact_by_id(self) -> ContactById:
        return self._simple(ContactById)

    @cached_property
    def deal_by_id(self) -> DealById:
        return self._simple(DealById)

    @cached_property
    def whole_deal_by_id(self) -> WholeDealById:
        return self._get(
            WholeDealById,
            lambda: WholeDealById(self.db, self.visible_owner, self.company_by_id, self.contact_by_id),
        )

    @cached_property
    def activity_by_id(self) -> ActivityById:
        return self._simple(ActivityById)

    @cached_property
    def user_by_id(self) -> UserById:
        return self._simple(UserById)

    @cached_property
    def stages(self) -> Stages:
        return self._simple(Stages)

    @cached_property
    def stage_by_id(self) -> StageById:
        return self._get(StageById, lambda: StageById(self.stages))

    @cached_property
    def kind_by_id(self) -> KindById:
        return self._simple(KindById)

    @cached_property
    def totals_by_company(self) -> TotalsByCompany:
        return self._simple(TotalsByCompany)

    @cached_property
    def analytics_by_company(self) -> AnalyticsByCompany:
        return self._get(AnalyticsByCompany, lambda: AnalyticsByCompany(self.db, self.visible_owner, self.now))

    @cached_property
    def stage_changes_by_deal(self) -> StageChangesByDeal:
        return self._simple(StageChangesByDeal)

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
        return self._get((PageByWindow, listing, way), lambda: PageByWindow(self.db, self.visible_owner, listing, way))

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
        kept = {name: vars(self)[name] for name in ("db", "visible_owner", "now", "reads", "reference")}
        vars(self).clear()
        vars(self).update(kept, _made={}, company_names={}, deal_names={})

    def stop(self) -> None:
        """Cancels whatever is still being loaded."""
        for each in self._made.values():
            each.stop()
