"""Many deals changed at once: a result for each, all or none of them, in a handful of statements."""

import asyncio
from collections import Counter
from datetime import UTC, datetime
from typing import Any, TypeAlias
from uuid import UUID

import asyncpg
import pytest

from db.database import PooledDatabase
from resolvers.bulk import MOST_DEALS, OPERATIONS
from tests.crm import Crm
from tests.schema.conftest import Asker
from tests.viewers import rep

Sql: TypeAlias = "asyncpg.Connection[asyncpg.Record]"
Sales: TypeAlias = dict[str, str]

UNKNOWN = "01890a5d-ac96-774b-bcce-b302099a8057"
BULK = """mutation ($do: BulkOperation!, $ids: [ID!]!, $updates: BulkDealUpdates, $policy: ErrorPolicy! = ALL_OR_NOTHING,
                    $dry: Boolean! = false, $key: String) {
  bulkUpdateDeals(operation: $do, dealIds: $ids, updates: $updates, errorPolicy: $policy, dryRun: $dry, clientMutationId: $key) {
    results { id status version message } updatedCount failedCount dryRun clientMutationId
    errors { __typename message ... on ValidationError { field } } } }"""
# What each operation takes, by the name of a row where that is an id.
UPDATES: dict[str, dict[str, Any]] = {
    "UPDATE_STAGE": {"stageId": "Won"}, "ASSIGN_OWNER": {"ownerId": "bob"}, "UPDATE_VALUE": {"value": 7.25}, "DELETE": {}, "RESTORE": {},
}  # fmt: skip


async def bulk(ask: Asker, operation: str, ids: list[str], updates: dict[str, Any] | None = None, **rest: Any) -> dict[str, Any]:
    """The payload of a bulk change."""
    rest |= {} if updates is None else {"updates": updates}
    payload: dict[str, Any] = (await ask(BULK, do=operation, ids=ids, **rest))["bulkUpdateDeals"]
    return payload


def filled(operation: str, sales: Sales) -> dict[str, Any]:
    """What the operation takes, with ids."""
    return {name: sales.get(str(value), value) for name, value in UPDATES[operation].items()}


def told(payload: dict[str, Any]) -> list[tuple[str, int | None]]:
    """What became of each deal, and its version."""
    return [(each["status"], each["version"]) for each in payload["results"]]


def faults(payload: dict[str, Any]) -> list[tuple[str, str | None]]:
    """Type and field of each error of a change that could not be looked at deal by deal."""
    assert (payload["results"], payload["updatedCount"], payload["failedCount"]) == ([], 0, 0)
    return [(error["__typename"], error.get("field")) for error in payload["errors"]]


async def everything(sql: Sql) -> list[Any]:
    """Whatever a change of deals may write."""
    tables = ("deal", "audit", "stage_change", "idempotency_key", "owner_deals", "company_deals")
    return [await sql.fetchval(f"select jsonb_agg(to_jsonb(t) order by t::text)::text from {each} as t") for each in tables]


async def deals_of(sql: Sql, sales: Sales, number: int) -> list[str]:
    """That many more deals in the stage Lead, in an order of their own."""
    rows = await sql.fetch(
        """insert into deal (name, owner_id, stage_id, company_id, value) select 'Deal ' || n, $1, $2, $3, n
           from generate_series(1, $4::int) as n returning id::text""",
        sales["ada"], sales["Lead"], sales["company"], number,
    )  # fmt: skip
    return [row["id"] for row in sorted(rows, key=lambda row: str(row["id"])[::-1])]


@pytest.fixture
async def sales(crm: Crm) -> Sales:
    """Ids by name: a deal to change, one that is so already whatever is done to it, and one that is deleted."""
    ada, bob, stages = await crm.user("Ada"), await crm.user("Bob"), await crm.stages()
    company = await crm.company(ada)
    made = {
        "ada": ada, "bob": bob, "company": company, **stages, "deal": await crm.deal(ada, stages["Lead"], value=100, company_id=company),
        "same": await crm.deal(bob, stages["Won"], "Same", value=7.25),
        "gone": await crm.deal(ada, stages["Lead"], "Gone", deleted_at=datetime.now(UTC)),
    }  # fmt: skip
    return {name: str(row_id) for name, row_id in made.items()}


@pytest.mark.parametrize("operation", OPERATIONS)
async def test_each_deal_is_told_in_the_order_given_what_became_of_it(ask: Asker, sql: Sql, sales: Sales, operation: str) -> None:
    ids = [UNKNOWN, sales["same"], sales["gone"], sales["deal"]]
    payload = await bulk(ask, operation, ids, filled(operation, sales), policy="SKIP_FAILED")
    assert [each["id"] for each in payload["results"]] == ids
    assert told(payload) == {
        "DELETE": [("FAILED", None), ("UPDATED", 2), ("FAILED", None), ("UPDATED", 2)],
        "RESTORE": [("FAILED", None), ("UNCHANGED", 1), ("UPDATED", 2), ("UNCHANGED", 1)],
    }.get(operation, [("FAILED", None), ("UNCHANGED", 1), ("FAILED", None), ("UPDATED", 2)])
    assert [each["message"] is not None for each in payload["results"]] == [each["status"] == "FAILED" for each in payload["results"]]
    statuses = Counter(each["status"] for each in payload["results"])
    assert (payload["updatedCount"], payload["failedCount"]) == (statuses["UPDATED"], statuses["FAILED"])
    assert (payload["errors"], payload["dryRun"], payload["clientMutationId"]) == ([], False, None)
    versions = {str(row["id"]): row["version"] for row in await sql.fetch("select id, version from deal where deleted_at is null")}
    if operation != "DELETE":
        assert all(versions.get(each["id"]) == each["version"] for each in payload["results"])
    assert await sql.fetchval("select count(*) from deal where deleted_at is not null") == {"DELETE": 3, "RESTORE": 0}.get(operation, 1)


@pytest.mark.parametrize(
    ("operation", "updates", "shown"),
    [
        ("UPDATE_STAGE", {"stageId": "Offer"}, {"stage": {"name": "Offer"}, "status": "OPEN"}),
        ("UPDATE_STAGE", {"stageId": "Lost"}, {"stage": {"name": "Lost"}, "status": "LOST"}),
        ("ASSIGN_OWNER", {"ownerId": "bob"}, {"owner": {"name": "Bob"}}),
        ("UPDATE_VALUE", {"value": 999999999999.99}, {"value": 999999999999.99}),
        ("UPDATE_VALUE", {"value": 0}, {"value": 0}),
        ("UPDATE_VALUE", {"value": None}, {"value": None}),
    ],
)
async def test_the_deals_of_the_answer_are_as_they_were_written(
    ask: Asker, sales: Sales, operation: str, updates: dict[str, Any], shown: dict[str, Any]
) -> None:
    data = await ask(
        "mutation ($do: BulkOperation!, $id: ID!, $updates: BulkDealUpdates) { bulkUpdateDeals(operation: $do, dealIds: [$id],"
        "  updates: $updates) { results { deal { value status closedAt updatedAt stage { name } owner { name } version"
        "  stageHistory { toStage { name } } company { dealsValue } } } } }",
        do=operation, id=sales["deal"], updates={name: sales.get(str(value), value) for name, value in updates.items()},
    )  # fmt: skip
    (result,) = data["bulkUpdateDeals"]["results"]
    before = {"value": 100, "status": "OPEN", "stage": {"name": "Lead"}, "owner": {"name": "Ada"}}
    deal = result["deal"]
    assert {name: deal[name] for name in before} == {**before, **shown}
    assert deal["closedAt"] == (deal["updatedAt"] if deal["status"] == "LOST" else None)
    assert (deal["version"], deal["company"]["dealsValue"]) == (2, deal["value"] or 0)
    moves = [each["toStage"]["name"] for each in deal["stageHistory"]]
    assert moves == (["Lead", deal["stage"]["name"]] if operation == "UPDATE_STAGE" else ["Lead"])


async def test_what_is_deleted_at_once_comes_back_at_once_for_thirty_days(ask: Asker, sql: Sql, sales: Sales) -> None:
    ids = [sales["deal"], sales["same"]]
    count = "{ deals { totalCount } companies { edges { node { dealCount } } } }"
    before = await ask(count)
    assert told(await bulk(ask, "DELETE", ids)) == [("UPDATED", 2)] * 2
    assert (await ask(count))["deals"]["totalCount"] == 0
    assert told(await bulk(ask, "RESTORE", ids)) == [("UPDATED", 3)] * 2
    assert await ask(count) == before
    await sql.execute("update deal set deleted_at = now() - interval '31 days'")
    assert told(await bulk(ask, "RESTORE", ids, policy="SKIP_FAILED")) == [("FAILED", None)] * 2


@pytest.mark.parametrize("operation", OPERATIONS)
async def test_if_one_cannot_be_changed_none_is(ask: Asker, sql: Sql, sales: Sales, operation: str) -> None:
    before, ids = await everything(sql), [sales["deal"], UNKNOWN, sales["gone"], sales["same"]]
    payload = await bulk(ask, operation, ids, filled(operation, sales), key="mine")
    changed = {"DELETE": {0, 3}, "RESTORE": {2}}.get(operation, {0})
    failed = {1} if operation == "RESTORE" else {1, 2}
    expected = ["SKIPPED" if place in changed else "FAILED" if place in failed else "UNCHANGED" for place in range(4)]
    assert [each["status"] for each in payload["results"]] == expected
    assert (payload["updatedCount"], payload["failedCount"]) == (0, len(failed))
    assert [(error["__typename"], error["field"]) for error in payload["errors"]] == [("ValidationError", "dealIds")]
    assert await everything(sql) == before


async def test_the_version_of_a_deal_that_was_skipped_is_the_one_it_has(ask: Asker, sql: Sql, sales: Sales) -> None:
    payload = await bulk(ask, "UPDATE_VALUE", [sales["deal"], UNKNOWN], {"value": 1})
    assert await sql.fetchval("select version from deal where id = $1", sales["deal"]) == 1
    assert told(payload) == [("SKIPPED", 1), ("FAILED", None)]


@pytest.mark.parametrize("operation", OPERATIONS)
@pytest.mark.parametrize("policy", ["ALL_OR_NOTHING", "SKIP_FAILED"])
async def test_a_dry_run_changes_nothing_and_tells_what_would_happen(
    ask: Asker, sql: Sql, database_url: str, sales: Sales, operation: str, policy: str
) -> None:
    heard = await listen(database_url)
    before, ids = await everything(sql), [sales["deal"], sales["same"], sales["gone"], UNKNOWN]
    arguments: dict[str, Any] = {"operation": operation, "ids": ids, "updates": filled(operation, sales), "policy": policy}
    dry = await bulk(ask, **arguments, dry=True, key="mine")
    assert await everything(sql) == before
    assert await heard(sql) == []
    assert await bulk(ask, **arguments, key="mine") == {**dry, "dryRun": False}
    assert (await everything(sql) == before) == (policy == "ALL_OR_NOTHING")


async def listen(database_url: str) -> Any:
    """Listens from now on; answers with what tells, through a connection, the tags of each notification so far."""
    listening, heard = await asyncpg.connect(database_url), asyncio.Queue[str]()
    await listening.add_listener("dealgraph", lambda *each: heard.put_nowait(str(each[-1])))

    async def all_so_far(sql: Sql) -> list[set[str]]:
        # Notifications come in the order of their commits: what is not here before this one was never sent.
        await sql.execute("notify dealgraph, 'the end'")
        found = []
        async with asyncio.timeout(10):
            while (each := await heard.get()) != "the end":
                found.append({word for word in each.split() if not word.isdigit()})  # a number is of the transaction
        await listening.close()
        return [tags for tags in found if tags]

    return all_so_far


async def test_three_hundred_deals_are_one_notification(ask: Asker, sql: Sql, database_url: str, sales: Sales) -> None:
    ids = await deals_of(sql, sales, 300)
    heard = await listen(database_url)
    assert told(await bulk(ask, "UPDATE_STAGE", ids, {"stageId": sales["Won"]})) == [("UPDATED", 2)] * 300
    assert await heard(sql) == [{"deals"}]


async def test_a_few_deals_are_told_by_their_tags_and_those_of_their_owners(
    ask: Asker, sql: Sql, database_url: str, sales: Sales
) -> None:
    heard = await listen(database_url)
    await bulk(ask, "ASSIGN_OWNER", [sales["deal"], sales["same"]], {"ownerId": sales["bob"]})
    (tags,) = await heard(sql)
    assert {f"deal:{sales['deal']}", f"deals-of-owner:{sales['ada']}", f"deals-of-owner:{sales['bob']}"} <= tags
    assert f"deal:{sales['same']}" not in tags


@pytest.mark.parametrize(
    ("ids", "count"),
    [(["deal"], MOST_DEALS + 1), (["deal", "same", "deal"], 1), (["same", "DEAL", "deal"], 1), (["deal", ""], 1), (["deal", "1"], 1),
     (["\0"], 1), (["deal", UNKNOWN.replace("-", "")], 1), (["deal", f"{UNKNOWN} "], 1)],
    ids=["10,001", "twice", "twice in other letters", "empty", "a number", "NUL", "without dashes", "with a blank"],
)  # fmt: skip
@pytest.mark.parametrize("operation", ["UPDATE_VALUE", "DELETE"])
async def test_ids_that_cannot_be_are_told_and_change_nothing(
    ask: Asker, sql: Sql, sales: Sales, operation: str, ids: list[str], count: int
) -> None:
    before = await everything(sql)
    given = [sales["deal"].upper() if each == "DEAL" else sales.get(each, each) for each in ids] * count
    for rest in ({}, {"policy": "SKIP_FAILED"}, {"dry": True}):
        payload = await bulk(ask, operation, given, filled(operation, sales), **rest)
        assert faults(payload) == [("ValidationError", "dealIds")]
    assert await everything(sql) == before


async def test_one_deal_more_than_ten_thousand_is_too_many(ask: Asker) -> None:
    ids = [str(UUID(int=number)) for number in range(MOST_DEALS + 1)]
    payload = await bulk(ask, "DELETE", ids, policy="SKIP_FAILED")
    assert faults(payload) == [("ValidationError", "dealIds")]


async def test_a_call_that_is_refused_is_told_by_its_name_and_which_of_its_deals_it_is_about(ask: Asker, sales: Sales) -> None:
    for dry in (True, False):
        for wrong in ("x", sales["deal"]):
            payload = await bulk(ask, "DELETE", [sales["same"], sales["deal"], wrong], key="mine", dry=dry)
            assert faults(payload) == [("ValidationError", "dealIds")]
            assert (payload["clientMutationId"], payload["dryRun"]) == ("mine", dry)
            assert payload["errors"][0]["message"].startswith("number 3: ")


async def test_what_a_try_that_was_rolled_back_met_does_not_keep_the_answer_from_who_owns_the_deals(
    ask: Asker, sql: Sql, sales: Sales
) -> None:
    # In the first try the deal is Bob's, and the commit meets another transaction; in the second it is Ada's.
    await sql.execute(
        f"""create sequence tries;
            create function be_bobs() returns trigger language plpgsql as $$
            begin
                if nextval('tries') = 1 then new.owner_id = '{sales["bob"]}'; end if;
                return new;
            end $$;
            create trigger b_bobs before update on deal for each row execute function be_bobs();
            create function collide() returns trigger language plpgsql as $$
            begin
                if (select last_value from tries) = 1 then raise serialization_failure; end if;
                return null;
            end $$;
            create constraint trigger collides after update on deal deferrable initially deferred
                for each row execute function collide();"""
    )
    asked: dict[str, Any] = {"updates": {"value": 1}, "viewer": rep(sales["ada"]), "key": "mine"}
    first = await bulk(ask, "UPDATE_VALUE", [sales["deal"]], **asked)
    assert (told(first), await sql.fetchval("select last_value from tries")) == ([("UPDATED", 2)], 2)
    assert await bulk(ask, "UPDATE_VALUE", [sales["deal"]], **asked) == first


async def test_no_deals_are_no_change(ask: Asker, sql: Sql, sales: Sales) -> None:
    before = await everything(sql)
    for operation in OPERATIONS:
        payload = await bulk(ask, operation, [], filled(operation, sales))
        assert (payload["results"], payload["errors"], payload["updatedCount"]) == ([], [], 0)
    assert await everything(sql) == before


async def test_updates_are_what_the_operation_takes_and_nothing_else(ask: Asker, sql: Sql, sales: Sales) -> None:
    before = await everything(sql)
    every = {"stageId": sales["Won"], "ownerId": sales["bob"], "value": 1}
    for operation in OPERATIONS:
        takes = list(UPDATES[operation])
        missing = [("ValidationError", f"updates.{name}") for name in takes]
        if takes:
            assert faults(await bulk(ask, operation, [sales["deal"]])) == missing, operation
            assert faults(await bulk(ask, operation, [sales["deal"]], {})) == missing, operation
        superfluous = [("ValidationError", f"updates.{name}") for name in every if name not in takes]
        assert faults(await bulk(ask, operation, [sales["deal"]], every)) == superfluous, operation
        others = {name: None for name in every if name not in takes}
        assert faults(await bulk(ask, operation, [sales["deal"]], others)) == superfluous + missing, operation
    for operation, field, values in (
        ("UPDATE_STAGE", "stageId", [None, "", "x", UNKNOWN, sales["company"], sales["ada"]]),
        ("ASSIGN_OWNER", "ownerId", [None, "", "x", UNKNOWN, sales["company"], sales["Won"]]),
        ("UPDATE_VALUE", "value", [-0.01, 0.001, "1000000000000"]),
    ):  # fmt: skip
        for value in values:
            payload = await bulk(ask, operation, [sales["deal"]], {field: value})
            assert faults(payload) == [("ValidationError", f"updates.{field}")], (operation, value)
    assert await everything(sql) == before


@pytest.mark.parametrize("operation", OPERATIONS)
async def test_the_statements_do_not_depend_on_the_number_of_deals(
    ask: Asker, db: PooledDatabase, sql: Sql, sales: Sales, operation: str
) -> None:
    ran = []
    for number in (1, 10, 300):
        ids = await deals_of(sql, sales, number)
        if operation == "RESTORE":
            await sql.execute("update deal set deleted_at = now() where id = any($1::text[]::uuid[])", ids)
        before = {name: stats.calls for name, stats in db.stats.items()}
        payload = await bulk(ask, operation, [*ids, UNKNOWN], filled(operation, sales), policy="SKIP_FAILED", key=f"for {number}")
        assert (payload["updatedCount"], payload["failedCount"]) == (number, 1)
        calls = {name: stats.calls - before.get(name, 0) for name, stats in db.stats.items()}
        ran.append({name: count for name, count in calls.items() if count})
    assert ran[0] == ran[1] == ran[2]
    assert set(ran[0].values()) == {1}
    assert len(ran[0]) <= 7, ran[0]


async def test_changes_of_the_same_deals_in_opposite_orders_all_end(ask: Asker, sql: Sql, sales: Sales) -> None:
    ids = await deals_of(sql, sales, 200)
    async with asyncio.timeout(60):
        for value in range(10):
            payloads = await asyncio.gather(
                bulk(ask, "UPDATE_VALUE", ids, {"value": 1000 + value}),
                bulk(ask, "ASSIGN_OWNER", ids[::-1], {"ownerId": sales["bob" if value % 2 else "ada"]}),
            )
            assert [payload["errors"] for payload in payloads] == [[], []]
    state = await sql.fetch("select value, owner_id, count(*) from deal where id = any($1::text[]::uuid[]) group by 1, 2", ids)
    assert [tuple(each) for each in state] == [(1009, UUID(sales["bob"]), 200)]


async def test_ten_thousand_deals_are_changed_at_once(ask: Asker, sql: Sql, sales: Sales) -> None:
    ids = await deals_of(sql, sales, MOST_DEALS)
    changes = await sql.fetchval("select count(*) from audit")
    for version, operation in enumerate(OPERATIONS, 2):
        for _ in range(2):  # the second time it is answered as the first time
            payload = await bulk(ask, operation, ids, filled(operation, sales), key=operation)
            assert [each["id"] for each in payload["results"]] == ids
            assert set(told(payload)) <= {("UPDATED", version), ("UNCHANGED", version - 1)}
        changes += payload["updatedCount"]
        assert await sql.fetchval("select count(*) from audit") == changes
    assert await sql.fetchval("select count(*) from deal where version = 6 and owner_id = $1 and value = 7.25", UUID(sales["bob"])) == MOST_DEALS


async def test_ten_thousand_deals_are_changed_at_once_by_a_connection_that_has_changed_one(
    ask: Asker, sql: Sql, sales: Sales
) -> None:
    ids = await deals_of(sql, sales, MOST_DEALS)
    # What PL/pgSQL plans for the first rows it sees stays with the connection; the pool has two.
    await asyncio.gather(*(bulk(ask, "UPDATE_STAGE", [each], {"stageId": sales["Won"]}) for each in ids[:2]))
    payload = await bulk(ask, "UPDATE_STAGE", ids, {"stageId": sales["Offer"]})
    assert (payload["updatedCount"], payload["errors"]) == (MOST_DEALS, [])
