"""Two server processes, one database, one Valkey: no answer that claims to be fresh shows what is not so any more.

What is true is asked beside the cache (``Cache-Control: no-cache``), which every process answers from the database.
"""

import asyncio
import os
import shutil
import signal
from collections.abc import Callable, Coroutine
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any, TypeVar

import asyncpg
import httpx2
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule, run_state_machine_as_test

from cache.embedded import EmbeddedValkey
from db.embedded import EmbeddedPostgres
from db.listener import INCARNATION
from db.migrate import migrate
from tests.crm import NOON, Crm
from tests.faults.conftest import connected
from tests.faults.creating import Pipeline
from tests.faults.killing import Server, kept

T = TypeVar("T")
EXAMPLES = 8 * int(os.environ.get("FUZZ", "1"))
SERVERS = st.integers(0, 1)
NUMBERS = st.integers(0, 2)
VALUES = st.one_of(st.none(), st.integers(0, 99))
DOCUMENTS = [
    ("DashboardScreen", "query($o: ID!) { dashboard(ownerId: $o) { overview { deals { total pipelineValue unpricedCount } companies { total withDeals } } pipeline { count value stage { name } } recent { activities { subject } } } }"),
    ("Everyone", "{ pipelineStats { total weightedValue } dashboard { overview { companies { total withDeals } } } contactStats { total } }"),
    ("Companies", "query($o: ID!) { companies(ownerId: $o) { totalCount edges { node { name dealCount dealsValue deals(limit: 2) { name value stage { name } } } } } }"),
    ("Deals", "query($o: ID!) { deals(ownerId: $o, sort: {by: VALUE}) { edges { node { id name value version company { name } } } pageInfo { hasNextPage } } stages { name } }"),
    ("Company", "query($c: ID!) { company(id: $c) { name owner { name } analytics { activeDeals totalValue } dealsConnection { totalCount } } }"),
]  # fmt: skip
LISTENING = """pg_stat_activity where query ilike '%health.synchronise%' and datname = current_database()
    and pid <> pg_backend_pid() and application_name = ''"""
CREATE = "mutation($i: CreateDealInput!) { createDeal(input: $i) { deal { id } errors { message } } }"
MOVE = "mutation($d: [ID!]!, $s: ID!) { bulkUpdateDeals(operation: UPDATE_STAGE, dealIds: $d, updates: {stageId: $s}) { updatedCount errors { message } } }"
DELETE = "mutation($d: ID!) { deleteDeal(id: $d) { errors { message } } }"
RENAME = "mutation($c: ID!, $n: String!) { updateCompany(id: $c, input: {name: $n}) { errors { message } } }"


class Two:
    """Both servers, and a way around them."""

    def __init__(self, clients: list[httpx2.AsyncClient], pipeline: Pipeline, sql: "asyncpg.Connection[Any]") -> None:
        self.clients, self.pipeline, self.sql = clients, pipeline, sql

    async def ask(self, server: int, text: str, *, beside: bool = False, **variables: object) -> tuple[str, Any]:
        """What the cache had to do with the answer, and its data."""
        headers = {"cache-control": "no-cache"} if beside else {}
        answer = await self.clients[server].post("/graphql", json={"query": text, "variables": variables}, headers=headers)
        body = answer.json()
        assert "errors" not in body, body
        return answer.headers.get("x-cache", ""), body["data"]

    async def all_are_fresh(self, server: int, owner: int, company: int) -> None:
        """Every document through that server says what is so."""
        variables: dict[str, Any] = {"o": str(self.pipeline.owners[owner]), "c": str(self.pipeline.companies[company])}
        for _, text in DOCUMENTS:
            wanted = {name: value for name, value in variables.items() if f"${name}:" in text}
            told, shown = await self.ask(server, text, **wanted)
            assert shown == (await self.ask(server, text, beside=True, **wanted))[1], (told, text)

    async def heard(self, server: int, owner: int, company: int) -> None:
        """Waits until that server has heard of all that was written before: of one last write to what it keeps, that is."""
        text, asked, name = "query($c: ID!) { company(id: $c) { name } }", str(self.pipeline.companies[company]), os.urandom(4).hex()
        async with asyncio.timeout(10):
            while (await self.ask(server, text, c=asked))[0] != "HIT":
                await asyncio.sleep(0.005)
            await self.sql.execute("update company set name = $1 where id = $2", name, self.pipeline.companies[company])
            while (await self.ask(server, text, c=asked))[1] != {"company": {"name": name}}:
                await asyncio.sleep(0.005)

    async def cut_lines(self) -> None:
        """Ends what both servers listen by, when both do: one that is not there yet would hear what is written next."""
        async with asyncio.timeout(10):
            while await self.sql.fetchval(f"select count(*) from {LISTENING}") != len(self.clients):
                await asyncio.sleep(0.01)
        ended = await self.sql.fetchval(f"select count(*) filter (where pg_terminate_backend(pid, 5000)) from {LISTENING}")
        assert ended == len(self.clients)


class Linearity(RuleBasedStateMachine):
    """Reads and writes through both, and by SQL, in any order."""

    two: Two
    run: Callable[[Coroutine[Any, Any, T]], T]

    @initialize()
    def begin(self) -> None:
        self.deals: list[str] = []

    @rule(server=SERVERS, owner=NUMBERS, company=NUMBERS, stage=st.integers(0, 3), value=VALUES)
    def create(self, server: int, owner: int, company: int, stage: int, value: int | None) -> None:
        given = {
            "name": "New", "value": value, "ownerId": str(self.two.pipeline.owners[owner]),
            "companyId": str(self.two.pipeline.companies[company]), "stageId": str(self.two.pipeline.stages[stage]),
        }  # fmt: skip
        _, data = self.run(self.two.ask(server, CREATE, i=given))
        self.deals.append(data["createDeal"]["deal"]["id"])
        self.run(self.two.all_are_fresh(server, owner, company))

    @rule(server=SERVERS, owner=NUMBERS, company=NUMBERS, stage=st.integers(0, 3))
    def move_all(self, server: int, owner: int, company: int, stage: int) -> None:
        self.run(self.two.ask(server, MOVE, d=self.deals, s=str(self.two.pipeline.stages[stage])))
        self.run(self.two.all_are_fresh(server, owner, company))

    @rule(server=SERVERS, owner=NUMBERS, company=NUMBERS)
    def delete_one(self, server: int, owner: int, company: int) -> None:
        if self.deals:
            self.run(self.two.ask(server, DELETE, d=self.deals.pop()))
            self.run(self.two.all_are_fresh(server, owner, company))

    @rule(server=SERVERS, owner=NUMBERS, company=NUMBERS, name=st.sampled_from(["Acme", "Bolt", "Core"]))
    def rename(self, server: int, owner: int, company: int, name: str) -> None:
        self.run(self.two.ask(server, RENAME, c=str(self.two.pipeline.companies[company]), n=name))
        self.run(self.two.all_are_fresh(server, owner, company))

    @rule(server=SERVERS, owner=NUMBERS, company=NUMBERS, value=VALUES)
    def write_by_sql(self, server: int, owner: int, company: int, value: int | None) -> None:
        self.run(self.two.sql.execute("update deal set value = $1::int", value))
        self.run(self.two.heard(server, owner, company))
        self.run(self.two.all_are_fresh(server, owner, company))

    @rule(writer=SERVERS, owner=NUMBERS, company=NUMBERS)
    def the_other_has_heard(self, writer: int, owner: int, company: int) -> None:
        self.run(self.two.heard(1 - writer, owner, company))
        self.run(self.two.all_are_fresh(1 - writer, owner, company))

    @rule(server=SERVERS, owner=NUMBERS, company=NUMBERS, value=VALUES)
    def the_line_of_one_is_cut(self, server: int, owner: int, company: int, value: int | None) -> None:
        self.run(self.two.cut_lines())
        self.run(asyncio.sleep(0.05))  # the kernel tells both that the line is gone
        self.run(self.two.sql.execute("update deal set value = $1::int", value))
        # Written while nobody listened, or just after: what the server may keep from before is known once it has heard the next.
        self.run(self.two.heard(server, owner, company))
        self.run(self.two.all_are_fresh(server, owner, company))


@pytest.fixture
async def two(database_url: str, valkey: EmbeddedValkey, tmp_path: Path) -> Any:
    """Both servers on the test's database."""
    pipeline = await Pipeline.put(database_url)
    servers = [Server(tmp_path / name, database_url, valkey.url, POOL_SIZE="2") for name in ("one", "two")]
    async with AsyncExitStack() as stack:
        await asyncio.gather(*(stack.enter_async_context(kept(each)) for each in servers))
        yield [each.url for each in servers], pipeline


def test_no_answer_that_claims_to_be_fresh_is_not(two: tuple[list[str], Pipeline], database_url: str) -> None:
    urls, pipeline = two
    with asyncio.Runner() as runner:

        async def connect() -> Two:
            clients = [httpx2.AsyncClient(base_url=url, timeout=20) for url in urls]
            return Two(clients, pipeline, await asyncpg.connect(database_url))

        Linearity.two, Linearity.run = runner.run(connect()), staticmethod(runner.run)
        run_state_machine_as_test(
            Linearity,
            settings=settings(
                max_examples=EXAMPLES,
                stateful_step_count=12,
                deadline=None,
                suppress_health_check=list(HealthCheck),
                report_multiple_bugs=False,
            ),
        )
        runner.run(Linearity.two.sql.close())


async def test_without_valkey_each_process_still_shows_what_it_wrote(
    database_url: str, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    pipeline = await Pipeline.put(database_url)
    cache = EmbeddedValkey(tmp_path_factory.mktemp("mortal"))
    cache.start()
    async with kept(Server(tmp_path / "one", database_url, cache.url, POOL_SIZE="2")) as server:
        client = httpx2.AsyncClient(base_url=server.url, timeout=20)
        sql = await asyncpg.connect(database_url)
        both = Two([client], pipeline, sql)
        await both.all_are_fresh(0, 0, 0)
        cache.stop()
        for name in ("Acme", "Bolt"):
            await both.ask(0, RENAME, c=str(pipeline.companies[0]), n=name)
            await both.all_are_fresh(0, 0, 0)
        told, _ = await both.ask(0, DOCUMENTS[1][1])
        assert told == "HIT"
        await sql.close()
        await client.aclose()


WITH_DEALS = "query($o: ID) { dashboard(ownerId: $o) { overview { companies { total withDeals } } } }"
# What is done to the one deal that there is with a company of Ada's, while Ben becomes the company's owner.
CHANGES = {
    "created": "insert into deal (name, owner_id, stage_id, company_id) select 'New', owner_id, stage_id, $1 from deal",
    "deleted": "update deal set deleted_at = now() where company_id = $1",
    "restored": "update deal set deleted_at = null where company_id = $1",
    "moved": "update deal set company_id = null where company_id = $1",
    "brought": "update deal set company_id = $1",
    "purged": "delete from deal where company_id = $1",
}


@pytest.mark.parametrize("is_deal_first", [True, False], ids=["deal first", "company first"])
async def test_whose_company_a_deal_is_with_is_told_though_the_company_changes_owner_meanwhile(
    database_url: str, valkey: EmbeddedValkey, tmp_path: Path, is_deal_first: bool
) -> None:
    pipeline = await Pipeline.put(database_url)
    (ada, ben, cid), stage = pipeline.owners, pipeline.stages[0]
    async with AsyncExitStack() as stack:
        server = await stack.enter_async_context(kept(Server(tmp_path / "one", database_url, valkey.url, POOL_SIZE="2")))
        client = await stack.enter_async_context(httpx2.AsyncClient(base_url=server.url, timeout=20))
        sql, one, other = [await asyncpg.connect(database_url) for _ in range(3)]
        two = Two([client], pipeline, sql)
        for change, text in CHANGES.items():
            await sql.execute("delete from deal")
            company = await sql.fetchval("insert into company (name, owner_id) values ($1, $2) returning id", change, ada)
            await Crm(sql).deal(cid, stage, company_id=None if change in ("created", "brought") else company,
                                deleted_at=NOON if change == "restored" else None)  # fmt: skip
            deal, owner = (text, (company,)), ("update company set owner_id = $1 where id = $2", (ben, company))
            (first, given), (second, later) = (deal, owner) if is_deal_first else (owner, deal)
            await two.heard(0, 1, 0)
            async with asyncio.timeout(20):
                began = one.transaction()
                await began.start()
                await one.execute(first, *given)
                task = asyncio.create_task(other.execute(second, *later))
                while not (task.done() or await sql.fetchval("select exists (select from pg_locks where not granted)")):
                    await asyncio.sleep(0.005)
                for _ in range(2):  # the second is kept
                    await two.ask(0, WITH_DEALS, o=str(ben))
                await began.commit()
                await task
            await two.heard(0, 1, 0)
            _, shown = await two.ask(0, WITH_DEALS, o=str(ben))
            _, true = await two.ask(0, WITH_DEALS, beside=True, o=str(ben))
            assert shown == true, change
        for each in (sql, one, other):
            await each.close()


async def test_contacts_are_counted_anew_when_a_company_of_theirs_is_deleted_or_restored(
    database_url: str, valkey: EmbeddedValkey, tmp_path: Path
) -> None:
    pipeline = await Pipeline.put(database_url)
    text = "query($o: ID) { all: contactStats { withCompany companies } of: contactStats(ownerId: $o) { withCompany companies } }"
    async with AsyncExitStack() as stack:
        server = await stack.enter_async_context(kept(Server(tmp_path / "one", database_url, valkey.url, POOL_SIZE="2")))
        client = await stack.enter_async_context(httpx2.AsyncClient(base_url=server.url, timeout=20))
        sql = await asyncpg.connect(database_url)
        two, owner, company = Two([client], pipeline, sql), pipeline.owners[1], pipeline.companies[0]  # another owner's
        await Crm(sql).contact(owner, company_id=company)
        for value, expected in (("null", 1), ("now()", 0), ("null", 1)):
            await sql.execute(f"update company set deleted_at = {value} where id = $1", company)
            await two.heard(0, 1, 1)
            for _ in range(2):  # the second is kept
                _, data = await two.ask(0, text, o=str(owner))
                assert list(data.values()) == [{"withCompany": expected, "companies": expected}] * 2
        await sql.close()


async def test_stages_that_a_process_kept_while_it_had_yet_to_hear_of_another_name_are_not_believed_by_others(
    killable: EmbeddedPostgres, killable_url: str, valkey: EmbeddedValkey, tmp_path: Path
) -> None:
    pipeline = await Pipeline.put(killable_url)
    async with AsyncExitStack() as stack:
        sql = await stack.enter_async_context(connected(killable_url))
        clients, lines = [], set[int]()
        for name in ("one", "two"):
            server = await stack.enter_async_context(kept(Server(tmp_path / name, killable_url, valkey.url, POOL_SIZE="2")))
            clients.append(await stack.enter_async_context(httpx2.AsyncClient(base_url=server.url, timeout=20)))
            async with asyncio.timeout(10):
                while not (new := {row["pid"] for row in await sql.fetch(f"select pid from {LISTENING}")} - lines):
                    await asyncio.sleep(0.01)
            lines |= new
            if name == "one":
                (line,) = new
        two = Two(clients, pipeline, sql)
        for which in (0, 1):
            await two.heard(which, 0, 0)
        await two.ask(0, "{ stages { id name } }")
        try:
            os.kill(line, signal.SIGSTOP)  # for less than the lease, in which the first server has no reason to doubt it
            await sql.execute("update stage set name = name || '!'")
            told, before = await two.ask(0, "{ again: stages { id name } }")
        finally:
            os.kill(line, signal.SIGCONT)
        assert told == "MISS"
        assert not any(each["name"].endswith("!") for each in before["again"]), "it did not hear, and had them"
        for which in (1, 0):
            await two.heard(which, 0, 0)
            _, after = await two.ask(which, "{ again: stages { id name } }")
            assert all(each["name"].endswith("!") for each in after["again"])


async def test_nothing_is_believed_of_a_time_that_postgres_has_lost(valkey: EmbeddedValkey, tmp_path: Path) -> None:
    postgres, cluster, older = EmbeddedPostgres(tmp_path / "pg"), tmp_path / "pg" / "cluster", tmp_path / "older"
    postgres.start()
    await migrate(postgres.url)
    pipeline = await Pipeline.put(postgres.url)
    postgres.stop()
    shutil.copytree(cluster, older)
    postgres.start()
    async with AsyncExitStack() as stack:
        stack.callback(postgres.stop)
        server = await stack.enter_async_context(kept(Server(tmp_path / "one", postgres.url, valkey.url, POOL_SIZE="2")))
        client = await stack.enter_async_context(httpx2.AsyncClient(base_url=server.url, timeout=20))
        async with connected(postgres.url) as sql:
            two = Two([client], pipeline, sql)
            for _ in range(20):
                await two.ask(0, RENAME, c=str(pipeline.companies[0]), n="Lost")
            await two.heard(0, 0, 0)
            await two.all_are_fresh(0, 0, 0)
        postgres.stop()
        shutil.rmtree(cluster)
        older.rename(cluster)
        postgres.start()
        await server.until_ready()
        async with asyncio.timeout(10):  # until it hears, it keeps nothing
            while (await two.ask(0, DOCUMENTS[1][1]))[0] == "BYPASS":
                await asyncio.sleep(0.05)
        for name in ("Acme", "Bolt"):
            await two.all_are_fresh(0, 0, 0)
            await two.ask(0, RENAME, c=str(pipeline.companies[0]), n=name)
        await two.all_are_fresh(0, 0, 0)


async def test_a_crash_of_postgres_begins_another_incarnation_and_a_new_connection_does_not(killable: EmbeddedPostgres) -> None:
    async with connected(killable.url) as one, connected(killable.url) as other:
        before = await one.fetchval(INCARNATION.text)
        assert await other.fetchval(INCARNATION.text) == before
        os.kill(await other.fetchval("select pg_backend_pid()"), signal.SIGKILL)
        async with asyncio.timeout(10):
            while not one.is_closed():
                await asyncio.sleep(0.01)
    async with connected(killable.url) as again:
        assert await again.fetchval(INCARNATION.text) != before
