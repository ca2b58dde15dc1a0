"""Imports into a real PostgreSQL, of small exports that are written here or lie beside."""

import asyncio
import csv
from datetime import UTC, date, datetime
from decimal import Decimal
from io import StringIO
from pathlib import Path
from typing import TypeAlias

import asyncpg
import pytest
from rich.console import Console

from jobs import loading, reading
from jobs.imports import ImportReport, run_import
from jobs.mapping import MappingError
from jobs.mapping_file import load_mapping, read_mapping
from ops.imports import tell

Connection: TypeAlias = "asyncpg.Connection[asyncpg.Record]"
EXPORTS = Path(__file__).parent / "exports"
USERS = "id,name,email\nU1,Ann Lee,ann@example.com\n"
STAGES = "id,name,position,probability\nS1,New,1,0.5\n"


def write(folder: Path, **files: str) -> Path:
    for name, text in files.items():
        (folder / f"{name}.csv").write_text(text, "utf-8")
    return folder


def lines(report: ImportReport) -> list[str]:
    return [str(bad) for bad in report.bad]


async def canonical(url: str, folder: Path, **options: bool | int) -> ImportReport:
    return await run_import(url, load_mapping("canonical"), folder, **options)  # type: ignore[arg-type]


async def test_the_canonical_files_come_in_whole(database_url: str, sql: "Connection") -> None:
    report = await canonical(database_url, EXPORTS / "canonical")
    assert lines(report) == []
    assert {plural: tally.inserted for plural, tally in report.tallies.items()} == {
        "users": 2, "stages": 3, "companies": 2, "contacts": 2, "deals": 2, "activities": 2, "stage changes": 2,
    }  # fmt: skip
    first, second = await sql.fetch("select * from deal order by external_id")
    assert (first["value"], second["value"]) == (Decimal(0), None)
    assert first["expected_close_date"] == date(2026, 12, 31)
    assert second["closed_at"] == datetime(2026, 2, 3, 2, 5, 6, tzinfo=UTC)
    assert await sql.fetchval("select revenue from company where external_id = 'C1'") == Decimal("1200.50")
    assert await sql.fetchval("select color from stage where external_id = 'S2'") == "#64748b"
    assert await sql.fetchval("select probability from stage where external_id = 'S1'") == 0.2
    assert await sql.fetchval("select body from activity where external_id = 'A1'") == 'They said:\n"maybe"'
    owners = await sql.fetch(
        "select app_user.external_id from deal join app_user on app_user.id = owner_id order by deal.external_id"
    )
    assert [owner[0] for owner in owners] == ["U1", "U1"]
    assert await sql.fetchval("select from_stage_id is not null from stage_change order by changed_at desc limit 1")


async def test_importing_again_changes_nothing_and_touches_nothing(database_url: str, sql: "Connection") -> None:
    await canonical(database_url, EXPORTS / "canonical")
    before = await sql.fetch("select id, updated_at from deal union all select id, updated_at from activity order by id")
    report = await canonical(database_url, EXPORTS / "canonical")
    assert sum(tally.inserted + tally.updated for tally in report.tallies.values()) == 0
    assert report.tallies["deals"].unchanged == 2
    after = await sql.fetch("select id, updated_at from deal union all select id, updated_at from activity order by id")
    assert before == after


async def test_importing_again_updates_what_changed_and_leaves_alone_what_is_not_told(
    database_url: str, sql: "Connection", tmp_path: Path
) -> None:
    companies = "id,name,industry,owner\nC1,Acme,steel,U1\nC2,Bolt,,U1\n"
    await canonical(database_url, write(tmp_path, users=USERS, companies=companies))
    await sql.execute("update company set domain = 'acme.example'")
    write(tmp_path, companies="id,name,industry,owner\nC1,Acme Corp,,U1\nC2,Bolt,,U1\nC3,New,,U1\n")
    report = await canonical(database_url, tmp_path)
    tally = report.tallies["companies"]
    assert (tally.inserted, tally.updated, tally.unchanged) == (1, 1, 1)
    row = await sql.fetchrow("select name, industry, domain from company where external_id = 'C1'")
    assert row is not None
    assert tuple(row) == ("Acme Corp", None, "acme.example")


async def test_rows_already_there_of_the_same_source_can_be_referred_to(database_url: str, tmp_path: Path) -> None:
    await canonical(database_url, write(tmp_path, users=USERS, stages=STAGES))
    later = tmp_path / "later"
    later.mkdir()
    report = await canonical(database_url, write(later, deals="id,name,stage,owner\nD1,One,new,ANN@example.com\n"))
    assert report.is_imported


async def test_rows_of_another_source_and_of_nobody_are_left_alone_and_cannot_be_referred_to(
    database_url: str, sql: "Connection", tmp_path: Path
) -> None:
    folder = write(tmp_path, users=USERS, companies="id,name,owner\nC1,Acme,U1\n")
    await canonical(database_url, folder)
    ours = "source = 'canonical' and external_id = 'C1'"
    for source in ("elsewhere", None):
        await sql.execute(
            "insert into company (name, owner_id, source, external_id)"
            f" select 'Theirs', owner_id, $1, $2 from company where {ours}",
            source, source and "C1",
        )  # fmt: skip
    bo = "'Bo', 'bo@example.com', 'elsewhere', 'U2'"
    await sql.execute(f"insert into app_user (name, email, source, external_id) values ({bo})")
    (folder / "companies.csv").write_text("id,name,owner\nC1,Acme Corp,U1\n")
    assert (await canonical(database_url, folder)).tallies["companies"].updated == 1
    assert await sql.fetchval(f"select name from company where {ours}") == "Acme Corp"
    theirs = "select array_agg(name || version) from company where source is distinct from 'canonical'"
    assert await sql.fetchval(theirs) == ["Theirs1"] * 2
    for owner in ("U2", "Bo", "bo@example.com"):
        (folder / "companies.csv").write_text(f"id,name,owner\nC2,Bolt,{owner}\n")
        assert len((await canonical(database_url, folder)).bad) == 1, owner


async def test_what_cannot_be_beside_what_is_imported_again_goes(database_url: str, sql: "Connection", tmp_path: Path) -> None:
    activities = "id,type,subject,owner\nA1,CALL,Call,U1\nA2,TASK,Task,U1\n"
    await canonical(database_url, write(tmp_path, users=USERS, stages="id,name,position,probability,is_won\nS1,End,1,1,true\n", activities=activities))
    await sql.execute("update activity set type = 'TASK', due_at = now(), completed_at = now()")
    await canonical(database_url, write(tmp_path, stages="id,name,position,probability,is_lost\nS1,End,1,0,true\n", activities=activities))
    kinds = await sql.fetch("select type, due_at is null and completed_at is null from activity order by type")
    assert [tuple(row) for row in kinds] == [("CALL", True), ("TASK", False)]
    (stage,) = await sql.fetch("select is_won, is_lost from stage")
    assert tuple(stage) == (False, True)


async def test_the_audit_tells_of_which_source_an_import_was(database_url: str, sql: "Connection", tmp_path: Path) -> None:
    await canonical(database_url, write(tmp_path, users=USERS, companies="id,name,owner\nC1,Acme,U1\n"))
    await canonical(database_url, write(tmp_path, companies="id,name,owner\nC1,Acme Corp,U1\n"))
    told = await sql.fetch("select actor, action, row_count from audit where kind = 'company' order by id")
    assert [tuple(each) for each in told] == [("import of canonical", "LOAD", 1), ("import of canonical", "UPDATE", 1)]


async def test_a_stage_that_a_change_is_told_to_come_from_is_not_overwritten(
    database_url: str, sql: "Connection", tmp_path: Path
) -> None:
    deals = "id,name,stage,owner\nD1,One,S3,U1\nD2,Two,S3,U1\n"
    head, told, earlier = "deal_id,from_stage,to_stage,changed_at\n", "{},S2,S3,2026-01-05\n", "{},,S1,2026-01-01\n"
    write(tmp_path, users=USERS, stages=STAGES + "S2,Met,2,0.5\nS3,Won,3,1\n", deals=deals)
    at_once = head + told.format("D1") + told.format("D2") + earlier.format("D2")
    await canonical(database_url, write(tmp_path, stage_changes=at_once))
    await canonical(database_url, write(tmp_path, stage_changes=head + earlier.format("D1")))
    for deal in ("D1", "D2"):
        assert await history(sql, deal) == ["None > New", "Met > Won"]


async def test_all_that_is_wrong_is_told_at_once_and_nothing_comes_in(
    database_url: str, sql: "Connection", tmp_path: Path
) -> None:
    deals = [
        "id,name,value,stage,probability,company_id,owner,closed_at",
        'D1,"two\nlines",1.2345,S1,,,U1,',
        "D2,Fine,1,S1,,,U1,",
        "D2,Again,1,S1,,,U1,",
        ",No id,1,S1,,,U1,",
        "D4,,-5,Nope,7,X,zzz,yesterday",
        f"D5,{'x' * 301},1000000000000,S1,,,,",
        "D6,short",
    ]
    write(tmp_path, users=USERS, stages=STAGES, deals="\n".join(deals))
    report = await canonical(database_url, tmp_path)
    assert not report.is_imported
    assert (report.tallies["deals"].read, report.tallies["deals"].bad) == (7, 6)
    assert lines(report) == [
        "deals.csv, line 2, value: deal 'D1': '1.2345' has more than 2 decimals",
        "deals.csv, line 5, id: deal 'D2': is there twice in this export",
        "deals.csv, line 6, id: is blank, but must be there",
        "deals.csv, line 7, name: deal 'D4': is blank, but must be there",
        "deals.csv, line 7, value: deal 'D4': '-5' is negative",
        "deals.csv, line 7, stage: deal 'D4': there is no stage with id or name 'Nope'",
        "deals.csv, line 7, probability: deal 'D4': '7' is not between 0 and 1; percentages need a % sign or multiply = 0.01",
        "deals.csv, line 7, closed_at: deal 'D4': 'yesterday' is not a date in any of these formats: ISO 8601",
        "deals.csv, line 7, company_id: deal 'D4': there is no company with id 'X'",
        "deals.csv, line 7, owner: deal 'D4': there is no user with id or email or name 'zzz'",
        "deals.csv, line 8, name: deal 'D5': is 301 characters long; 300 fit",
        "deals.csv, line 8, value: deal 'D5': '1000000000000' has more than 12 digits before the decimal point",
        "deals.csv, line 8, owner: deal 'D5': is blank, but must be there",
        "deals.csv, line 9: has 2 fields, the header has 8",
    ]
    assert await sql.fetchval("select count(*) from app_user") == 0


async def test_bad_rows_can_be_skipped_and_what_refers_to_them_is_bad_too(
    database_url: str, sql: "Connection", tmp_path: Path
) -> None:
    write(
        tmp_path,
        users=USERS,
        companies="id,name,owner\nC1,Good,U1\nC2,,U1\n",
        contacts="id,first_name,email,company_id,owner\nP1,,,C1,U1\nP2,Bo,,C2,U1\nP3,Cy,,,U1\n",
        activities="id,type,subject,due_at,owner\nA1,CALL,x,2026-01-01,U1\nA2,visit,x,,U1\nA3,TASK,x,2026-01-01,U1\n",
    )
    report = await canonical(database_url, tmp_path, skip_bad_rows=True, max_errors=3)
    assert report.is_imported
    assert (report.faults, len(report.bad)) == (5, 3)
    assert await sql.fetchval("select string_agg(external_id, ',') from contact") == "P3"
    assert await sql.fetchval("select string_agg(external_id, ',') from activity") == "A3"
    printed = StringIO()
    tell(report, Console(file=printed, width=100))
    assert "and 2 more" in printed.getvalue()


async def test_a_row_that_is_read_for_two_kinds_is_at_fault_once_however_many_there_are(
    database_url: str, tmp_path: Path
) -> None:
    write(tmp_path, rows="id,owner\n1\n2\n3\n4,Ann\n")
    user = {"file": "rows.csv", "key": "owner", "name": "owner", "repeats": "first"}
    company = {"file": "rows.csv", "key": "id", "name": "id", "owner": "owner"}
    mapping = read_mapping({"source": "x", "user": user, "company": company}, tmp_path)
    report = await run_import(database_url, mapping, tmp_path, max_errors=2)
    assert (report.faults, len(report.bad)) == (3, 2)


async def test_a_mapping_of_its_own_reads_a_european_export(database_url: str, sql: "Connection") -> None:
    mapping = load_mapping(str(EXPORTS / "european" / "mapping.toml"))
    report = await run_import(database_url, mapping, EXPORTS / "european")
    assert lines(report) == []
    rows = await sql.fetch(
        "select deal.name, value, deal.probability, stage.name, app_user.name, deal.created_at, closed_at"
        " from deal join stage on stage.id = stage_id join app_user on app_user.id = deal.owner_id"
        " order by deal.external_id"
    )
    midnight = datetime(2025, 7, 14, 22, tzinfo=UTC)
    assert [tuple(row)[:5] for row in rows] == [
        ("Säge für Müller & Söhne", Decimal("1234.50"), 0.8, "Open", "Jörg"),
        ("Bohrer für Müller & Söhne", Decimal("99.00"), 1.0, "Won", "Ute"),
        ("Säge für Müller & Söhne", None, None, "Lost", "Ute"),
        ("Öl", Decimal("0.00"), None, "Open", "Jörg"),
    ]
    assert [row["closed_at"] for row in rows][:2] == [None, midnight]
    company = await sql.fetchrow("select company.name, app_user.name from company join app_user on app_user.id = owner_id")
    assert company is not None
    assert company[0] == "Müller & Söhne"
    assert await sql.fetchval("select count(*) from activity") == 2
    again = await run_import(database_url, mapping, EXPORTS / "european")
    assert {tally.inserted + tally.updated for tally in again.tallies.values()} == {0}


async def test_rows_are_joined_filtered_translated_and_merged(
    database_url: str, sql: "Connection", tmp_path: Path
) -> None:
    write(
        tmp_path,
        stages="id,label,order,chance,won,closed\na,Open,1,10%,no,no\nb,Done,2,1,yes,yes\nc,Gone,,,no,yes\n",
        companies="id,name,legal,kind,site\n1,,acme ltd,customer,https://www.acme.example/x\n2,bolt,,Partner,\n"
        "3,testing,,partner,\n4,other,,rival,\n5,gone,,partner,\n",
        merges="gone,kept\n7;5,1\n",
        deals="id,region,title,stage,closed,rep\n1,N,Big,b,2026-01-01,\n1,S,,a,2026-01-01,\n2,S,Odd,x,,\n3,S,No,a,,zz\n"
        "4,S,Won,gewonnen,2026-01-01,\n",
        links="deal,company,role\n1,1,buyer\n1,2,adviser\n1,5,buyer\n2,9,buyer\n",
    )
    report = await run_import(database_url, load_mapping(str(EXPORTS / "joined.toml")), tmp_path)
    assert lines(report) == []
    companies = await sql.fetch("select external_id, name, domain from company order by external_id")
    assert [tuple(row) for row in companies] == [("1", "Acme", "acme.example"), ("2", "Bolt", None)]
    lost = await sql.fetch("select name, is_won, is_lost from stage order by name")
    assert [tuple(row) for row in lost] == [("Done", True, False), ("Gone", False, True), ("Open", False, False)]
    deals = await sql.fetch(
        "select deal.external_id, deal.name, stage.name, company.name, closed_at is not null from deal"
        " join stage on stage.id = stage_id left join company on company.id = company_id order by deal.external_id"
    )
    assert [tuple(row) for row in deals] == [
        ("N/1", "Big (N)", "Done", "Acme", True),
        ("S/1", "(S)", "Open", "Acme", False),
        ("S/2", "Odd (S)", "Open", None, False),
        ("S/4", "Won (S)", "Done", None, False),
    ]
    assert report.tallies["deals"].skipped == 1


async def test_a_bulk_load_makes_indexes_and_foreign_keys_again(
    database_url: str, sql: "Connection", tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loading, "BULK_ROWS", 10)
    monkeypatch.setattr(loading, "ROWS_A_COPY", 20_000)
    asked = (
        "select pg_get_indexdef(indexrelid) from pg_index where indrelid = 'activity'::regclass union all "
        "select pg_get_constraintdef(oid) from pg_constraint where conrelid = 'activity'::regclass order by 1"
    )
    before = await sql.fetch(asked)
    with (tmp_path / "activities.csv").open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["id", "type", "subject", "owner", "occurred_at"])
        when = ["2026-01-04"] * 24_999 + [""]  # a blank takes the table's default, wherever it stands
        rows.writerows([f"A{number}", "NOTE", f"Note {number}", "U1", day] for number, day in enumerate(when))
    report = await canonical(database_url, write(tmp_path, users=USERS))
    assert report.tallies["activities"].inserted == 25_000
    assert await sql.fetch(asked) == before
    in_order = "select array_agg(external_id order by id) = array_agg(external_id order by substr(external_id, 2)::int) from activity"
    assert await sql.fetchval(in_order)
    assert await sql.fetchval("select array_agg(distinct uuid_extract_version(id)) from activity") == [7]
    assert await sql.fetch("table rollup_drift") == []
    assert await sql.fetchval("select count(*) > 0 from pg_stats where tablename = 'activity'")  # who reads next is planned for
    found = "select source, occurred_at = '2026-01-04Z' as told, count(*) as rows from activity group by 1, 2 order by 2"
    assert [tuple(row) for row in await sql.fetch(found)] == [("canonical", False, 1), ("canonical", True, 24_999)]
    with pytest.raises(asyncpg.CheckViolationError, match="activity_external_id_has_source"):
        await sql.execute("insert into activity (type, subject, owner_id, external_id) select type, subject, owner_id, '1' from activity limit 1")
    again = (await canonical(database_url, tmp_path)).tallies["activities"]
    assert (again.inserted, again.updated, again.unchanged) == (0, 0, 25_000)


async def test_a_table_that_is_larger_than_what_comes_keeps_its_indexes(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await canonical(database_url, write(tmp_path, users=USERS))
    monkeypatch.setattr(loading, "BULK_ROWS", 1)
    monkeypatch.setattr(loading, "ROW_BYTES", 1)
    monkeypatch.setattr(loading, "take_away", None)
    users = (await canonical(database_url, write(tmp_path, users=USERS + "U2,Bo,\n"))).tallies["users"]
    assert (users.inserted, users.unchanged) == (1, 1)


async def history(sql: "Connection", deal: str) -> list[str]:
    rows = await sql.fetch(
        "select was.name as was, stage.name from stage_change left join stage as was on was.id = from_stage_id"
        " join stage on stage.id = to_stage_id where deal_id = (select id from deal where external_id = $1) order by changed_at",
        deal,
    )
    return [f"{row['was']} > {row['name']}" for row in rows]


async def test_only_the_first_change_of_a_deal_comes_from_no_stage(
    database_url: str, sql: "Connection", tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "BLOCK_ROWS", 2)
    write(
        tmp_path,
        users=USERS,
        stages=STAGES + "S2,Met,2,0.5\nS3,Won,3,1\n",
        deals="id,name,stage,owner\nD1,One,S3,U1\nD2,Two,S1,U1\n",
        # The last first, as many systems write it; each of D1's in a block of its own, and one of them twice.
        stage_changes="deal_id,to_stage,changed_at\nD1,S3,2026-01-05\nD2,S1,2026-01-01\nD1,S2,2026-01-03\nD2,S2,2026-01-02\n"
        "D1,S1,2026-01-01\nD1,S1,2026-01-01\n",
    )
    tally = (await canonical(database_url, tmp_path)).tallies["stage changes"]
    assert (tally.inserted, tally.unchanged) == (5, 1)
    assert await history(sql, "D1") == ["None > New", "New > Met", "Met > Won"]
    changes = "deal_id,to_stage,changed_at\nD2,S3,2026-01-04\nD2,S2,2026-01-02\nD1,S2,2025-12-31\n"
    tally = (await canonical(database_url, write(tmp_path, stage_changes=changes))).tallies["stage changes"]
    assert (tally.inserted, tally.unchanged) == (2, 1)
    assert await history(sql, "D2") == ["None > New", "New > Met", "Met > Won"]
    assert await history(sql, "D1") == ["None > Met", "Met > New", "New > Met", "Met > Won"]


async def test_who_folds_the_rollups_does_not_wait_for_an_import(database_url: str, sql: "Connection") -> None:
    other = await asyncpg.connect(database_url, server_settings={"lock_timeout": "1s"})
    try:
        async with sql.transaction():
            await loading.prepare(sql, "another")
            await sql.execute("lock table company, deal")
            assert await other.fetchval("select fold_rollups()") == 0
    finally:
        await other.close()


async def test_an_import_waits_for_one_of_another_source(database_url: str, sql: "Connection", tmp_path: Path) -> None:
    async with asyncio.timeout(20):
        async with sql.transaction():
            await loading.prepare(sql, "another")
            imported = asyncio.create_task(canonical(database_url, write(tmp_path, users=USERS)))
            while not await sql.fetchval("select exists (select from pg_locks where locktype = 'advisory' and not granted)"):
                assert not imported.done()
                await asyncio.sleep(0.01)
        assert (await imported).is_imported


async def test_the_seams_between_mapping_and_files_are_checked_before_anything_is_read(
    database_url: str, tmp_path: Path
) -> None:
    with pytest.raises(MappingError, match="there is no such folder"):
        await canonical(database_url, tmp_path / "nowhere")
    with pytest.raises(MappingError, match="has none of the files"):
        await canonical(database_url, tmp_path)
    for pattern in ("/tmp/*.csv", "**d*.csv", "é" * 600):
        mapping = read_mapping({"source": "x", "user": {"file": pattern, "key": "id", "name": "id"}}, tmp_path)
        with pytest.raises(MappingError, match=r"user: .*(is neither a file's name|has no file)"):
            await run_import(database_url, mapping, tmp_path)
    write(tmp_path, users="id,nam\nU1,Ann\n", deals="id\n")
    with pytest.raises(MappingError, match=r"users\.csv has no column 'name'; did you mean 'nam'.*\n.*deals\.csv"):
        await canonical(database_url, tmp_path)


async def test_what_may_be_absent_may_not_be_misspelt(database_url: str, tmp_path: Path) -> None:
    write(tmp_path, users=USERS, stages=STAGES, deals="id,name,stage,owner,Value,closed\nD1,One,S1,U1,5,2026-01-01\n")
    write(tmp_path, Companies="id,name,owner\nC1,Acme,U1\n", activity="id\n")
    with pytest.raises(MappingError) as refused:
        await canonical(database_url, tmp_path)
    assert str(refused.value).splitlines() == [
        f"{tmp_path} has no file companies.csv, but Companies.csv: did you mean that?",
        f"{tmp_path} has no file activities.csv, but activity.csv: did you mean that?",
        "deals.csv has no column 'closed_at', but 'closed': did you mean that?",
        "deals.csv has no column 'value', but 'Value': did you mean that?",
    ]


async def test_columns_that_nothing_uses_are_told_where_columns_may_be_absent(database_url: str, tmp_path: Path) -> None:
    write(tmp_path, users=USERS, stages=STAGES, deals="id,name,stage,owner,[x],close_date\nD1,One,S1,U1,5,\n", leads="id\n")
    report = await canonical(database_url, tmp_path)
    assert report.is_imported
    assert report.unused == {"deals.csv": ["[x]", "close_date"]}
    printed = StringIO()
    tell(report, Console(file=printed, width=100))
    assert "deals.csv: not used: [x], close_date\n" in printed.getvalue()


async def test_a_column_that_merges_are_read_from_is_used(database_url: str, tmp_path: Path) -> None:
    write(tmp_path, users="id,name,emails,old\nU1,Ann,,U0\n")
    merged = {"file": "users.csv", "from": "old", "into": "id"}
    user = {"file": "users.csv", "optional_columns": True, "key": "id", "name": "name", "merged": merged}
    report = await run_import(database_url, read_mapping({"source": "x", "user": user}, tmp_path), tmp_path)
    assert report.unused == {"users.csv": ["emails"]}


async def test_values_are_for_columns_that_are_there_or_may_be_absent(database_url: str, tmp_path: Path) -> None:
    user = {"file": "u-*.csv", "optional_columns": True, "key": "id", "name": "name", "email": "mail"}
    pattern = {"u-*.csv": {"values": {"mail": {"none": ""}, "name": {"A": "Ann"}}}}
    write(tmp_path, **{"u-1": "id,name\nU1,A\n", "u-2": "id,name,mail\nU2,Bo,None\n"})
    mapping = read_mapping({"source": "x", "files": pattern, "user": user}, tmp_path)
    assert (await run_import(database_url, mapping, tmp_path)).is_imported
    one = {"u-2.csv": {"values": {"nam": {"A": "Ann"}}}}
    mapping = read_mapping({"source": "x", "files": one, "user": user}, tmp_path)
    with pytest.raises(MappingError, match=r"""^files\."u-2\.csv"\.values: u-2\.csv has no column 'nam'; did you mean 'name'\?$"""):
        await run_import(database_url, mapping, tmp_path)


@pytest.mark.parametrize("missing", ["error", "null", "skip", "default"])
async def test_nothing_stands_for_a_row_that_was_left_out(
    database_url: str, sql: "Connection", tmp_path: Path, missing: str
) -> None:
    write(tmp_path, users=USERS, companies="id,name,owner\n1,Good,U1\n2,Bad,U9\n3,,U1\n")
    write(tmp_path, contacts="id,name,co\nA,Ann,1\nB,Bo,2\nC,Cy,9\nD,Di,BAD\nE,Ed,3\n")
    user = {"file": "users.csv", "key": "id", "name": "name"}
    company = {"file": "companies.csv", "key": "id", "name": "name", "owner": "owner"}
    reference = {"column": "co", "by": ["id", "name"], "missing": missing, "default": "1"}
    contact = {"file": "contacts.csv", "key": "id", "first_name": "name", "company": reference, "owner": {"value": "U1"}}
    mapping = read_mapping({"source": "x", "user": user, "company": company, "contact": contact}, tmp_path)
    report = await run_import(database_url, mapping, tmp_path, skip_bad_rows=True)
    told = [str(bad) for bad in report.bad if bad.file == "contacts.csv" and bad.line != 4]
    assert told == [
        "contacts.csv, line 3, co: contact 'B': its company '2' is a row that was left out as bad",
        "contacts.csv, line 5, co: contact 'D': its company 'BAD' is a row that was left out as bad",
        "contacts.csv, line 6, co: contact 'E': its company '3' is a row that was left out as bad",
    ]
    there = await sql.fetchval("select string_agg(external_id, ',' order by external_id) from contact")
    assert there == ("A,C" if missing in ("null", "default") else "A")


async def test_a_bad_row_of_the_mapping_is_found_by_its_number(database_url: str, tmp_path: Path) -> None:
    rows = [{"name": "New", "position": 1, "probability": 0.1}, {"name": "Won", "position": 2, "probability": 1, "color": "red"}]
    report = await run_import(database_url, read_mapping({"source": "x", "stage": [{"rows": rows}]}, tmp_path / "m.toml"), tmp_path)
    assert lines(report) == ["m.toml, stage[1], row 2, color: stage 'Won': 'red' is not a colour such as #64748b"]
