"""What is written is heard, by whom and however it is written; a cut line is noticed; a writer hears itself."""

import asyncio
from collections.abc import AsyncIterator
from urllib.parse import urlsplit

import asyncpg
import pytest
from structlog.testing import capture_logs

from cache.freshness import Freshness
from core.tags import everything_of, listed, rows
from core.viewer import EVERYONE
from db import listener
from db.database import Database, PooledDatabase
from db.embedded import EmbeddedPostgres
from db.listener import CHANNEL, SnapshotRow, listen
from db.rows import DealRow
from db.statements import Statement, statement
from jobs.recount import recount
from tests.conftest import open_pool
from tests.crm import Crm

RENAME = statement("deal.update", DealRow)
OTHERS = "from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()"


@pytest.fixture
async def freshness(database_url: str) -> AsyncIterator[Freshness]:
    """Hears the test's database."""
    heard = Freshness()
    task = asyncio.create_task(listen(database_url, heard))
    await until(lambda: heard.is_hearing)
    yield heard
    task.cancel()


async def until(condition: "object") -> None:
    """Waits for what another connection does."""
    async with asyncio.timeout(5):
        while not condition():  # type: ignore[operator]
            await asyncio.sleep(0.005)


async def quiet(freshness: Freshness, crm: Crm) -> None:
    """Waits until everything written before has been heard of: a user, who is heard of last."""
    began = freshness.number
    await crm.user()
    await until(lambda: freshness.written_since(["users"], began))


@pytest.fixture
def crm(sql: "asyncpg.Connection[asyncpg.Record]") -> Crm:
    """Puts rows into the test's database."""
    return Crm(sql)


async def test_a_row_and_every_list_it_is_in_are_heard_of(freshness: Freshness, crm: Crm) -> None:
    owner, other, stage = await crm.user(), await crm.user("Bob"), await crm.stage()
    company = await crm.company(other)
    contact = await crm.contact(owner, company_id=company)
    before = freshness.number
    deal = await crm.deal(owner, stage, company_id=company)
    await until(lambda: freshness.written_since(rows("deal", [deal]), before))
    began = freshness.number
    activity = await crm.activity(owner, company_id=company, deal_id=deal, contact_id=contact)
    heard = [
        *rows("activity", [activity]), "activities", listed("activity", "owner", owner), listed("activity", "company", company),
        listed("activity", "deal", deal), listed("activity", "contact", contact),
    ]  # fmt: skip
    await until(lambda: all(freshness.written_since([tag], began) for tag in heard))
    assert not freshness.written_since([listed("activity", "owner", other), "deals", *rows("deal", [deal])], began)


async def test_what_others_write_is_not_taken_for_what_is_said_to_try_whether_it_is_heard(
    database_url: str, crm: Crm, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As behind a pooler by transactions, which passes on what happens to come while a statement runs."""
    monkeypatch.setattr(listener, "HELLO", "select $1::text")
    monkeypatch.setattr(listener, "HELLO_S", 0.3)
    heard = Freshness()
    with capture_logs() as logged:
        task = asyncio.create_task(listen(database_url, heard))
        async with asyncio.timeout(10):
            while not logged:
                await crm.user()
                assert not heard.is_listening
        task.cancel()
    assert "LISTEN hears nothing" in logged[0]["error"]


async def test_that_no_other_session_is_answered_is_told_as_that(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """As behind a pooler by sessions that has given out all it has."""
    monkeypatch.setattr(listener, "HELLO", "select pg_sleep(5), $1::text")
    monkeypatch.setattr(listener, "HELLO_S", 0.3)
    with capture_logs() as logged:
        task = asyncio.create_task(listen(database_url, Freshness()))
        await until(lambda: logged)
        task.cancel()
    assert "POOL_SIZE + 3" in logged[0]["error"]


async def test_a_trigger_of_somebody_else_that_is_off_is_nothing_to_us(
    database_url: str, sql: "asyncpg.Connection[asyncpg.Record]"
) -> None:
    await sql.execute(
        """create schema theirs; create table theirs.t (id int);
           create trigger off before update on theirs.t for each row execute function suppress_redundant_updates_trigger();
           alter table theirs.t disable trigger off"""
    )
    heard = Freshness()
    task = asyncio.create_task(listen(database_url, heard))
    await until(lambda: heard.is_hearing)
    task.cancel()


async def test_that_nothing_is_heard_is_told_once_and_so_is_that_it_is_heard_again(
    database_url: str, postgres: EmbeddedPostgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listener, "RECONNECT_S", 0.02)
    monkeypatch.setattr(listener, "SLOWEST_RECONNECT_S", 0.02)
    heard, name, admin = Freshness(), urlsplit(database_url).path.removeprefix("/"), await asyncpg.connect(postgres.url)
    with capture_logs() as logged:
        task = asyncio.create_task(listen(database_url, heard))
        await until(lambda: heard.is_hearing)
        assert logged == []
        await admin.execute(f'alter database "{name}" allow_connections false')
        await admin.execute("select pg_terminate_backend(pid) from pg_stat_activity where datname = $1", name)
        await until(lambda: not heard.is_hearing)
        await asyncio.sleep(0.3)
        await admin.execute(f'alter database "{name}" allow_connections true')
        await until(lambda: heard.is_hearing)
        task.cancel()
    await admin.close()
    *warnings, back = logged
    assert warnings and {each["log_level"] for each in warnings} == {"warning"}
    assert len({each["error"] for each in warnings}) == len(warnings), "each reason once, however often it is met"
    assert back == {"event": "what others write is heard again", "log_level": "info"}


async def test_both_lists_hear_of_a_row_that_moves_between_them(
    freshness: Freshness, crm: Crm, sql: "asyncpg.Connection[asyncpg.Record]"
) -> None:
    one, other, stage = await crm.user(), await crm.user("Bob"), await crm.stage()
    company = await crm.company(other)
    before = freshness.number
    deal = await crm.deal(one, stage, company_id=company)
    await until(lambda: freshness.written_since(rows("deal", [deal]), before))
    began = freshness.number
    await sql.execute("update deal set owner_id = $1 where id = $2", other, deal)
    wanted = [listed("deal", "owner", one), listed("deal", "owner", other), f"deals-with-owner:{other}"]
    await until(lambda: all(freshness.written_since([tag], began) for tag in wanted))


async def test_too_much_at_once_is_heard_of_as_everything(
    freshness: Freshness, crm: Crm, sql: "asyncpg.Connection[asyncpg.Record]"
) -> None:
    owner, stage = await crm.user(), await crm.stage()
    began = freshness.number
    await sql.execute("insert into deal (name, owner_id, stage_id) select 'D' || n, $1, $2 from generate_series(1, 5000) n", owner, stage)
    [never_named] = rows("deal", [owner])
    await until(lambda: freshness.written_since([never_named], began))
    assert not freshness.written_since(["companies"], began)


async def test_users_stages_and_a_loaded_history_are_heard_of(
    freshness: Freshness, crm: Crm, sql: "asyncpg.Connection[asyncpg.Record]"
) -> None:
    began = freshness.number
    stage = await crm.stage()
    await until(lambda: freshness.written_since(["stages"], began))
    owner = await crm.user()
    await until(lambda: freshness.written_since(["users"], began))
    before = freshness.number
    deal = await crm.deal(owner, stage)
    await until(lambda: freshness.written_since(rows("deal", [deal]), before))
    began = freshness.number
    async with sql.transaction():
        await sql.execute("set local dealgraph.loading = 'on'")
        await crm.add("stage_change", deal_id=deal, to_stage_id=stage)
    await until(lambda: freshness.written_since(rows("deal", [deal]), began))


async def test_a_history_that_is_written_by_hand_is_heard_of(
    freshness: Freshness, crm: Crm, sql: "asyncpg.Connection[asyncpg.Record]"
) -> None:
    owner, stages = await crm.user(), await crm.stages()
    one, other, apart = [await crm.deal(owner, stages["Lead"]) for _ in range(3)]
    await crm.deal(owner, stages["Won"])
    for text, deals in (
        ("insert into stage_change (deal_id, to_stage_id) select id, stage_id from deal where id in ($1, $2)", [one, other]),
        ("update stage_change set changed_at = '2020-01-01' where deal_id in ($1, $2)", [one, other]),
        ("update stage_change set deal_id = $2 where deal_id = $1", [one, other]),
        ("delete from stage_change where deal_id in ($1, $2)", [other]),
    ):
        await quiet(freshness, crm)
        began = freshness.number
        await sql.execute(text, one, other)
        await until(lambda began=began, deals=deals: all(freshness.written_since([each], began) for each in rows("deal", deals)))
        assert not freshness.written_since(rows("deal", [apart]), began)


async def test_a_history_that_a_deal_takes_along_is_heard_of_with_the_deal(
    freshness: Freshness, crm: Crm, sql: "asyncpg.Connection[asyncpg.Record]"
) -> None:
    owner, stages = await crm.user(), await crm.stages()
    deal = await crm.deal(owner, stages["Lead"])
    for text in ("update deal set stage_id = $2 where id = $1", "delete from deal where id = $1 and $2::uuid is not null"):
        await quiet(freshness, crm)
        began = freshness.number
        await sql.execute(text, deal, stages["Won"])
        await until(lambda began=began: freshness.written_since(rows("deal", [deal]), began))
        await quiet(freshness, crm)
        assert freshness.number == began + 2  # that of the deal and that of the user


@pytest.mark.parametrize("loading", ["on", "off"])
async def test_much_of_a_history_is_heard_of_at_once(
    freshness: Freshness, crm: Crm, sql: "asyncpg.Connection[asyncpg.Record]", loading: str
) -> None:
    owner, stage = await crm.user(), await crm.stage()
    deal = await crm.deal(owner, stage)
    await quiet(freshness, crm)
    began = freshness.number
    async with sql.transaction():
        await sql.execute(f"set local dealgraph.loading = '{loading}'")
        for _ in range(2):
            await sql.execute("insert into stage_change (deal_id, to_stage_id) select $1, $2 from generate_series(1, 5000)", deal, stage)
    await until(lambda: freshness.written_since(rows("deal", [owner]), began))
    assert freshness.number == began + 1


async def test_the_next_read_of_whoever_wrote_shows_the_write(database_url: str, freshness: Freshness, crm: Crm) -> None:
    owner, stage = await crm.user(), await crm.stage()
    deal = await crm.deal(owner, stage)
    pool = open_pool(database_url)
    db = PooledDatabase(pool, slow_s=10, echoes=freshness)

    for number in range(50):

        async def rename(inside: Database, name: str = f"Name {number}") -> None:
            await inside.fetch(RENAME, None, deal, f'{{"name": "{name}"}}', None)

        began = freshness.number
        await db.write(EVERYONE, rename, is_repeatable=False)
        assert freshness.written_since(rows("deal", [deal]), began)
    await pool.close()


async def test_a_cut_line_is_noticed_at_once_and_comes_back(
    freshness: Freshness, sql: "asyncpg.Connection[asyncpg.Record]"
) -> None:
    number = freshness.number
    await sql.execute(
        "select pg_terminate_backend(pid) from pg_stat_activity where query ilike '%/* health.synchronise */%' and pid <> pg_backend_pid()"
    )
    await until(lambda: freshness.number > number and freshness.is_hearing)
    assert freshness.written_since(["anything"], number)


async def test_a_cut_line_is_noticed_before_the_next_heartbeat(
    database_url: str, sql: "asyncpg.Connection[asyncpg.Record]", monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listener, "BEAT_EVERY_S", 60.0)
    freshness = Freshness()
    task = asyncio.create_task(listen(database_url, freshness))
    await until(lambda: freshness.is_hearing)
    number = freshness.number
    await sql.execute(f"select pg_terminate_backend(pid) {OTHERS}")
    await until(lambda: freshness.number > number and freshness.is_hearing)
    task.cancel()


async def test_a_line_that_is_taken_for_dead_is_made_anew(freshness: Freshness) -> None:
    freshness.lost()
    await until(lambda: freshness.is_hearing)


async def test_who_may_connect_and_not_listen_tries_again_after_a_pause(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listener, "SNAPSHOT", Statement("snapshot", SnapshotRow, "select nothing from nowhere"))
    told = 0

    class Counting(Freshness):
        def lost(self) -> None:
            nonlocal told
            told += 1

    task = asyncio.create_task(listen(database_url, Counting()))
    await asyncio.sleep(5 * listener.RECONNECT_S)
    task.cancel()
    assert 1 <= told <= 5


async def test_who_has_begun_again_comes_back_as_soon_the_next_time(
    database_url: str, sql: "asyncpg.Connection[asyncpg.Record]", monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listener, "RECONNECT_S", 0.01)
    monkeypatch.setattr(listener, "SLOWEST_RECONNECT_S", 1_000.0)
    freshness = Freshness()
    task = asyncio.create_task(listen(database_url, freshness))
    for _ in range(12):  # twice as long each time it would be 40 s in the end
        await until(lambda: freshness.is_hearing)
        number = freshness.number
        await sql.execute(f"select pg_terminate_backend(pid) {OTHERS}")
        await until(lambda number=number: freshness.number > number)
    task.cancel()


async def test_who_cannot_begin_tries_again_and_leaves_no_connection_open(
    database_url: str, sql: "asyncpg.Connection[asyncpg.Record]", monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listener, "SNAPSHOT", Statement("snapshot", SnapshotRow, "select nothing from nowhere"))
    monkeypatch.setattr(listener, "RECONNECT_S", 0.01)
    monkeypatch.setattr(listener, "SLOWEST_RECONNECT_S", 0.01)
    enough, told = asyncio.Event(), 0

    class Counting(Freshness):
        def lost(self) -> None:
            nonlocal told
            told += 1
            if told == 10:
                enough.set()

    task = asyncio.create_task(listen(database_url, Counting()))
    async with asyncio.timeout(10):
        await enough.wait()
        # One that listens, one that says hello, and one of each that PostgreSQL is about to see gone.
        while await sql.fetchval(f"select count(*) {OTHERS}") > 4:
            await asyncio.sleep(0.01)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_who_is_not_let_in_yet_listens_once_they_are(
    database_url: str, postgres: EmbeddedPostgres, sql: "asyncpg.Connection[asyncpg.Record]"
) -> None:
    name = await sql.fetchval("select current_database()")
    admin = await asyncpg.connect(postgres.url)
    await admin.execute(f"alter database {name} allow_connections false")
    freshness = Freshness()
    task = asyncio.create_task(listen(database_url, freshness))
    await asyncio.sleep(listener.RECONNECT_S / 2)
    assert not task.done()
    await admin.execute(f"alter database {name} allow_connections true")
    await admin.close()
    await until(lambda: freshness.is_hearing)
    task.cancel()


async def test_what_was_committed_before_it_began_counts_as_heard_though_older_ones_are_open(
    database_url: str, crm: Crm, sql: "asyncpg.Connection[asyncpg.Record]"
) -> None:
    begun = []

    class Noting(Freshness):
        def begin(self, snapshot_xmax: int, incarnation: str) -> None:
            begun.append(snapshot_xmax)
            super().begin(snapshot_xmax, incarnation)

    other = await asyncpg.connect(database_url)
    async with other.transaction():
        older = await other.fetchval("select pg_current_xact_id()::text::bigint")
        await crm.user()
        freshness = Noting()
        task = asyncio.create_task(listen(database_url, freshness))
        await until(lambda: freshness.is_hearing)
    task.cancel()
    await other.close()
    newer = await sql.fetchval("select xmin::text::bigint from app_user")
    assert older < newer < begun[0]


async def test_every_table_that_is_read_announces_what_is_written(sql: "asyncpg.Connection[asyncpg.Record]") -> None:
    announcing = await sql.fetch(
        "select event_object_table as table, array_agg(distinct event_manipulation::text) as ops from information_schema.triggers"
        " where action_statement ~ '_counted|_announced' group by 1"
    )
    found = {each["table"]: set(each["ops"]) for each in announcing}
    for table in ("company", "contact", "deal", "activity", "app_user", "stage", "stage_change"):
        assert found[table] == {"INSERT", "UPDATE", "DELETE"}, table
    assert everything_of("deals-with-owner:1") == "deals"


@pytest.mark.parametrize("dropped", [False, True])
async def test_nothing_from_before_counts_once_what_was_written_may_not_have_been_announced(
    freshness: Freshness, sql: "asyncpg.Connection[asyncpg.Record]", dropped: bool
) -> None:
    """As where a dump is restored: its triggers are made, or switched on, when the rows are in."""
    before = freshness.number
    off, on = ["alter table stage disable trigger user"], ["alter table stage enable trigger user"]
    if dropped:
        of_stages = "from pg_trigger where tgrelid = 'stage'::regclass and not tgisinternal"
        off = [f"drop trigger {row['tgname']} on stage" for row in await sql.fetch(f"select tgname {of_stages}")]
        on = [row["made"] for row in await sql.fetch(f"select pg_get_triggerdef(oid) as made {of_stages}")]
    for text in (*off, "update stage set name = name", *on):
        await sql.execute(text)
    await until(lambda: freshness.is_hearing and freshness.written_since(["stages"], before))


async def test_nobody_counts_as_hearing_while_a_trigger_that_announces_is_off(
    freshness: Freshness, sql: "asyncpg.Connection[asyncpg.Record]"
) -> None:
    await sql.execute("alter table stage disable trigger user")
    await until(lambda: not freshness.is_listening)
    await asyncio.sleep(1)  # it tries to begin again meanwhile
    assert not freshness.is_hearing
    await sql.execute("alter table stage enable trigger user")
    await until(lambda: freshness.is_hearing)


@pytest.mark.parametrize(
    "written",
    [
        "set session_replication_role = replica; update company set size = '9'; reset session_replication_role",
        "alter table company alter size type text using name",
    ],
    ids=["as a replica", "by another type"],
)
async def test_what_is_written_past_the_usual_triggers_is_heard_of_as_well(
    freshness: Freshness, crm: Crm, sql: "asyncpg.Connection[asyncpg.Record]", written: str
) -> None:
    company = await crm.company(await crm.user())
    await quiet(freshness, crm)
    before = freshness.number
    await sql.execute(written)
    await until(lambda: freshness.written_since(rows("company", [company]), before))


@pytest.mark.parametrize(
    ("table", "tag"),
    [
        ("company", "companies"), ("contact", "contacts"), ("deal", "deals"), ("activity", "activities"), ("app_user", "users"),
        ("stage", "stages"), ("stage_change", "deals"), ("api_key", "api_key"),
    ],
)  # fmt: skip
async def test_a_table_that_is_emptied_tells_at_once_that_all_of_it_is_out_of_date(
    sql: "asyncpg.Connection[asyncpg.Record]", table: str, tag: str
) -> None:
    # Without its foreign keys, so that it is not a table emptied along with it that tells of it.
    references = await sql.fetch(
        "select conrelid::regclass::text, conname from pg_constraint"
        " where contype = 'f' and confrelid = $1::text::regclass", table,
    )  # fmt: skip
    for referring, name in references:
        await sql.execute(f"alter table {referring} drop constraint {name}")
    told: list[list[str]] = []
    await sql.add_listener(CHANNEL, lambda *each: told.append(str(each[-1]).split()[1:]))
    await sql.execute(f"truncate {table}")
    await sql.fetchval("select 1")
    assert told == [[tag]]


async def test_a_recount_tells_that_what_was_kept_of_wrong_figures_is_out_of_date(
    database_url: str, sql: "asyncpg.Connection[asyncpg.Record]"
) -> None:
    told: list[list[str]] = []
    await sql.add_listener(CHANNEL, lambda *each: told.append(str(each[-1]).split()[1:]))
    await recount(database_url)
    await sql.fetchval("select 1")
    assert told == [["companies", "contacts", "deals", "activities"]]


async def test_companies_and_contacts_tell_of_every_list_that_they_come_to_and_leave(
    crm: Crm, sql: "asyncpg.Connection[asyncpg.Record]"
) -> None:
    ada, bob = await crm.user("Ada"), await crm.user("Bob")
    told: list[set[str]] = []
    await sql.add_listener(CHANNEL, lambda *each: told.append(set(str(each[-1]).split()[1:])))
    one, other = await crm.company(ada), await crm.company(bob)
    contact = await crm.contact(ada, company_id=one)
    await sql.execute("update contact set owner_id = $1, company_id = $2", bob, other)
    await sql.execute("update company set owner_id = $1 where id = $2", bob, one)
    await sql.execute("delete from contact")
    of_company = [listed("contact", "company", each) for each in (one, other)]
    of_owner = [listed("contact", "owner", each) for each in (ada, bob)]
    companies = [listed("company", "owner", each) for each in (ada, bob)]
    assert told == [
        {*rows("company", [one]), companies[0]},
        {*rows("company", [other]), companies[1]},
        {*rows("contact", [contact]), of_owner[0], of_company[0]},
        {*rows("contact", [contact]), *of_owner, *of_company},
        {*rows("company", [one]), *companies},
        {*rows("contact", [contact]), of_owner[1], of_company[1]},
    ]
