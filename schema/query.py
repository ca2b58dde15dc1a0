"""The roots: where a query starts."""

from typing import Annotated

import strawberry
from strawberry import argument

from core.later import Later
from core.viewer import Viewer as WhoAsks
from db.rows import ActivityRow, CompanyRow, ContactRow, ContactStatsRow, DealRow, StageRow, UserRow
from execution import read_along
from resolvers.arguments import optional_uuid, uuid_argument, zone_argument
from resolvers.context import Info
from resolvers.dashboard import Dashboard as DashboardOf
from resolvers.lists import Usual, page_of_all
from resolvers.node import node_by_id
from resolvers.page import Page, PageArguments
from resolvers.stats import DealStats, contact_stats, deal_stats
from schema.activity import Activity, ActivityFilter, ActivitySort
from schema.arguments import After, Before, First, Id, Last, LimitFirst, OwnerId, Search
from schema.company import TOTALS, Company, CompanyFilter, CompanySort
from schema.connection import Connection
from schema.contact import Contact, ContactFilter, ContactSort
from schema.dashboard import ContactStats, Dashboard, PipelineStats
from schema.deal import Deal, DealFilter, DealSort
from schema.node import Node
from schema.stage import Stage
from schema.user import User, UserFilter, UserSort, Viewer

Filter = argument(name="filter", description="Only what meets all of this.")
Sort = argument(name="sort", description="The order of the list.")
IncludeStats = Annotated[
    bool | None, argument(description="Changes nothing: a figure costs only when its field is asked for.")
]
TimeZone = Annotated[str, argument(description="Where today and this week are: an IANA name such as Europe/Berlin.")]
# Lists of everything where neither a filter nor an order is given.
COMPANIES = Usual(CompanyFilter().values(), CompanySort().order())
CONTACTS = Usual(ContactFilter().values(), ContactSort().order())
DEALS = Usual(DealFilter().values(), DealSort().order())
ACTIVITIES = Usual(ActivityFilter().values(), ActivitySort().order())
USERS = Usual(UserFilter().values(), UserSort().order())


@strawberry.type(description="What can be asked.")
class Query:
    @strawberry.field(description="Anything by its id; null if there is nothing, or nothing that may be seen.")
    async def node(self, info: Info, id: Id) -> Node | None:  # noqa: A002
        row: Node | None = await node_by_id(info.context.loaders, uuid_argument(id, "id"))
        return row

    @strawberry.field(graphql_type=Company | None, description="A company by its id; null if none may be seen.")
    def company(self, info: Info, id: Id) -> Later[CompanyRow | None]:  # noqa: A002
        return info.context.loaders.company_by_id.one(uuid_argument(id, "id"))

    @strawberry.field(graphql_type=Contact | None, description="A contact by its id; null if none may be seen.")
    def contact(self, info: Info, id: Id) -> Later[ContactRow | None]:  # noqa: A002
        return info.context.loaders.contact_by_id.one(uuid_argument(id, "id"))

    @strawberry.field(graphql_type=Deal | None, description="A deal by its id; null if none may be seen.")
    def deal(self, info: Info, id: Id) -> Later[DealRow | None]:  # noqa: A002
        return info.context.loaders.whole_deal_by_id.one(uuid_argument(id, "id"))

    @strawberry.field(graphql_type=Activity | None, description="An activity by its id; null if none may be seen.")
    def activity(self, info: Info, id: Id) -> Later[ActivityRow | None]:  # noqa: A002
        return info.context.loaders.activity_by_id.one(uuid_argument(id, "id"))

    @strawberry.field(graphql_type=Stage | None, description="A stage by its id; null if there is none.")
    def stage(self, info: Info, id: Id) -> Later[StageRow | None]:  # noqa: A002
        return info.context.loaders.stage_by_id.one(uuid_argument(id, "id"))

    @strawberry.field(graphql_type=User | None, description="A user by their id; null if none may be seen.")
    def user(self, info: Info, id: Id) -> Later[UserRow | None]:  # noqa: A002
        return info.context.loaders.user_by_id.one(uuid_argument(id, "id"))

    @strawberry.field(graphql_type=Connection[Company], description="Companies, page by page; by name unless sorted.")
    def companies(
        self,
        info: Info,
        owner_id: OwnerId = None,
        first: First = None,
        after: After = None,
        last: Last = None,
        before: Before = None,
        limit: LimitFirst = None,
        filter_: Annotated[CompanyFilter | None, Filter] = None,
        sort: Annotated[CompanySort | None, Sort] = None,
        search: Search = None,
        include_stats: IncludeStats = None,
    ) -> Later[Page]:
        asked = PageArguments(first, after, last, before, limit)
        return page_of_all(
            info.context, "company", asked, filter_, sort, COMPANIES, search, owner_id,
            with_totals=TOTALS in read_along(info),
        )  # fmt: skip

    @strawberry.field(graphql_type=Connection[Contact], description="Contacts, page by page; by name unless sorted.")
    def contacts(
        self,
        info: Info,
        owner_id: OwnerId = None,
        first: First = None,
        after: After = None,
        last: Last = None,
        before: Before = None,
        limit: LimitFirst = None,
        filter_: Annotated[ContactFilter | None, Filter] = None,
        sort: Annotated[ContactSort | None, Sort] = None,
        search: Search = None,
    ) -> Later[Page]:
        asked = PageArguments(first, after, last, before, limit)
        return page_of_all(info.context, "contact", asked, filter_, sort, CONTACTS, search, owner_id)

    @strawberry.field(graphql_type=Connection[Deal], description="Deals, page by page; newest first unless sorted.")
    def deals(
        self,
        info: Info,
        owner_id: OwnerId = None,
        first: First = None,
        after: After = None,
        last: Last = None,
        before: Before = None,
        limit: LimitFirst = None,
        filter_: Annotated[DealFilter | None, Filter] = None,
        sort: Annotated[DealSort | None, Sort] = None,
        search: Search = None,
    ) -> Later[Page]:
        asked = PageArguments(first, after, last, before, limit)
        return page_of_all(info.context, "deal", asked, filter_, sort, DEALS, search, owner_id)

    @strawberry.field(
        graphql_type=Connection[Activity], description="Activities, page by page; latest first unless sorted."
    )
    def activities(
        self,
        info: Info,
        owner_id: OwnerId = None,
        first: First = None,
        after: After = None,
        last: Last = None,
        before: Before = None,
        limit: LimitFirst = None,
        filter_: Annotated[ActivityFilter | None, Filter] = None,
        sort: Annotated[ActivitySort | None, Sort] = None,
        search: Search = None,
    ) -> Later[Page]:
        asked = PageArguments(first, after, last, before, limit)
        return page_of_all(info.context, "activity", asked, filter_, sort, ACTIVITIES, search, owner_id)

    @strawberry.field(graphql_type=Connection[User], description="Users, page by page; by name unless sorted.")
    def users(
        self,
        info: Info,
        first: First = None,
        after: After = None,
        last: Last = None,
        before: Before = None,
        limit: LimitFirst = None,
        filter_: Annotated[UserFilter | None, Filter] = None,
        sort: Annotated[UserSort | None, Sort] = None,
        search: Search = None,
    ) -> Later[Page]:
        asked = PageArguments(first, after, last, before, limit)
        return page_of_all(info.context, "app_user", asked, filter_, sort, USERS, search)

    @strawberry.field(graphql_type=list[Stage], description="Every stage, in the order of the pipeline.")
    def stages(self, info: Info) -> Later[list[StageRow]]:
        return info.context.loaders.stages.one("all")

    @strawberry.field(graphql_type=Dashboard, description="The dashboard of one owner, or of all that may be seen.")
    def dashboard(self, info: Info, owner_id: OwnerId = None, time_zone: TimeZone = "UTC") -> DashboardOf:
        owner = optional_uuid(owner_id, "ownerId") or info.context.viewer.visible_owner
        return DashboardOf(info.context, owner, zone_argument(time_zone))

    @strawberry.field(graphql_type=PipelineStats, description="Deals counted and summed, in all and by stage.")
    def pipeline_stats(self, info: Info, owner_id: OwnerId = None) -> Later[DealStats]:
        owner = optional_uuid(owner_id, "ownerId") or info.context.viewer.visible_owner
        return deal_stats(info.context, "owner", owner)

    @strawberry.field(graphql_type=ContactStats, description="Contacts counted.")
    def contact_stats(self, info: Info, owner_id: OwnerId = None) -> Later[ContactStatsRow]:
        owner = optional_uuid(owner_id, "ownerId") or info.context.viewer.visible_owner
        return contact_stats(info.context, owner)

    @strawberry.field(graphql_type=Viewer, description="Who asks.")
    def viewer(self, info: Info) -> WhoAsks:
        return info.context.viewer
