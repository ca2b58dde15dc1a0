"""The roots of writing: what can be changed."""

from typing import Annotated, Any

import strawberry
from strawberry import argument

from resolvers import writing
from resolvers.bulk import BulkPayload, change_deals
from resolvers.context import Info
from resolvers.mutation import Call, Payload
from resolvers.writable import ACTIVITY, COMPANY, CONTACT, DEAL, Writable
from schema.arguments import Id
from schema.given import given
from schema.input.activity import ActivityPayload, CreateActivityInput, UpdateActivityInput
from schema.input.company import CompanyPayload, CreateCompanyInput, UpdateCompanyInput
from schema.input.contact import ContactPayload, CreateContactInput, UpdateContactInput
from schema.input.deal import CreateDealInput, DealPayload, UpdateDealInput
from schema.input.deals import BulkDealsPayload, BulkDealUpdates, BulkOperation, ErrorPolicy
from schema.input.node import NodePayload
from schema.price import COST, Each

ExpectedVersion = Annotated[
    int | None,
    argument(description="Only change it while it has this version: what was read before is what is changed."),
]
ClientMutationId = Annotated[
    str | None,
    argument(
        description="What you call this mutation: repeated with the same input it is not made again but answered as "
        "the first time, for a week. The header `Idempotency-Key` does the same for all mutations of a request."
    ),
]
Updates = Annotated[BulkDealUpdates | None, argument(description="The new value, the same for all deals.")]
DealIds = Annotated[
    list[strawberry.ID],
    argument(description="The deals: 10,000 at most, each once.", metadata={COST: Each(for_one=100)}),
]
DryRun = Annotated[bool, argument(description="Tell what would become of the deals, and change nothing.")]


def _call(info: Info, client_mutation_id: str | None, **given_input: Any) -> Call:
    return Call(info.context, info.field_name, str(info.path.key), given_input, client_mutation_id)


def _creating(writable: Writable, input_type: Any, payload: Any) -> Any:
    input_argument = Annotated[input_type, argument(description="The new row.")]

    async def resolve(info: Info, input: input_argument, client_mutation_id: ClientMutationId = None) -> Payload:  # noqa: A002
        values = given(input)
        return await writing.create(_call(info, client_mutation_id, input=values), writable, values)

    return strawberry.mutation(resolver=resolve, graphql_type=payload, description=f"Create a new {writable.noun}.")


def _updating(writable: Writable, input_type: Any, payload: Any) -> Any:
    input_argument = Annotated[input_type, argument(description="What to change.")]

    async def resolve(
        info: Info,
        id: Id,  # noqa: A002
        input: input_argument,  # noqa: A002
        expected_version: ExpectedVersion = None,
        client_mutation_id: ClientMutationId = None,
    ) -> Payload:
        values = given(input)
        call = _call(info, client_mutation_id, id=id, input=values, version=expected_version)
        return await writing.update(call, writable, id, values, expected_version)

    return strawberry.mutation(resolver=resolve, graphql_type=payload, description=f"Change the {writable.noun} with this id.")


def _deleting(writable: Writable, payload: Any) -> Any:
    async def resolve(
        info: Info,
        id: Id,  # noqa: A002
        expected_version: ExpectedVersion = None,
        client_mutation_id: ClientMutationId = None,
    ) -> Payload:
        call = _call(info, client_mutation_id, id=id, version=expected_version)
        return await writing.delete(call, writable, id, expected_version)

    description = f"Delete the {writable.noun} with this id; for 30 days `restore` brings it back."
    if writable is not ACTIVITY:
        description += " What refers to it stays, and shows null in its place."
    return strawberry.mutation(resolver=resolve, graphql_type=payload, description=description)


def _completing(description: str, *, is_done: bool) -> Any:
    async def resolve(
        info: Info,
        id: Id,  # noqa: A002
        expected_version: ExpectedVersion = None,
        client_mutation_id: ClientMutationId = None,
    ) -> Payload:
        call = _call(info, client_mutation_id, id=id, version=expected_version)
        return await writing.complete(call, id, is_done=is_done, expected_version=expected_version)

    return strawberry.mutation(resolver=resolve, graphql_type=ActivityPayload, description=description)


@strawberry.type(
    description="What can be changed. Every change answers with what was written, or with `errors` that say why nothing was."
)
class Mutation:
    create_company = _creating(COMPANY, CreateCompanyInput, CompanyPayload)
    update_company = _updating(COMPANY, UpdateCompanyInput, CompanyPayload)
    delete_company = _deleting(COMPANY, CompanyPayload)
    create_contact = _creating(CONTACT, CreateContactInput, ContactPayload)
    update_contact = _updating(CONTACT, UpdateContactInput, ContactPayload)
    delete_contact = _deleting(CONTACT, ContactPayload)
    create_deal = _creating(DEAL, CreateDealInput, DealPayload)
    update_deal = _updating(DEAL, UpdateDealInput, DealPayload)
    delete_deal = _deleting(DEAL, DealPayload)
    create_activity = _creating(ACTIVITY, CreateActivityInput, ActivityPayload)
    update_activity = _updating(ACTIVITY, UpdateActivityInput, ActivityPayload)
    delete_activity = _deleting(ACTIVITY, ActivityPayload)
    complete_task = _completing("Mark a task as done.", is_done=True)
    reopen_task = _completing("Mark a task as open again.", is_done=False)

    @strawberry.mutation(graphql_type=DealPayload, description="Move a deal to a stage; won or lost, it is closed now.")
    async def move_deal(
        self,
        info: Info,
        id: Id,  # noqa: A002
        stage_id: Annotated[strawberry.ID, argument(description="The stage to move to.")],
        expected_version: ExpectedVersion = None,
        client_mutation_id: ClientMutationId = None,
    ) -> Payload:
        call = _call(info, client_mutation_id, id=id, stage=stage_id, version=expected_version)
        return await writing.update(call, DEAL, id, {"stage_id": stage_id}, expected_version)

    @strawberry.mutation(
        graphql_type=NodePayload, description="Give a company, contact, deal or activity to another owner."
    )
    async def reassign(
        self,
        info: Info,
        id: Id,  # noqa: A002
        owner_id: Annotated[strawberry.ID, argument(description="The new owner.")],
        expected_version: ExpectedVersion = None,
        client_mutation_id: ClientMutationId = None,
    ) -> Payload:
        call = _call(info, client_mutation_id, id=id, owner=owner_id, version=expected_version)
        return await writing.reassign(call, id, owner_id, expected_version)

    @strawberry.mutation(
        graphql_type=NodePayload,
        description="Bring back a company, contact, deal or activity that was deleted in the last 30 days.",
    )
    async def restore(self, info: Info, id: Id, client_mutation_id: ClientMutationId = None) -> Payload:  # noqa: A002
        return await writing.restore(_call(info, client_mutation_id, id=id), id)

    @strawberry.mutation(
        graphql_type=BulkDealsPayload, description="Change many deals in the same way, in one transaction."
    )
    async def bulk_update_deals(
        self,
        info: Info,
        operation: Annotated[BulkOperation, argument(description="What to do with each deal.")],
        deal_ids: DealIds,
        updates: Updates = None,
        error_policy: Annotated[
            ErrorPolicy, argument(description="What to do if some of the deals cannot be changed.")
        ] = ErrorPolicy.ALL_OR_NOTHING,
        dry_run: DryRun = False,
        client_mutation_id: ClientMutationId = None,
    ) -> BulkPayload:
        kind, values, skip = str(operation.value), given(updates), error_policy is ErrorPolicy.SKIP_FAILED
        call = _call(info, client_mutation_id, do=kind, ids=deal_ids, updates=values, skip=skip, dry=dry_run)
        return await change_deals(call, kind, deal_ids, values, skip_failed=skip, dry_run=dry_run)
