"""What a mapping says about fields, references and joins, down to the rows that come of it."""

from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, TypeAlias

import asyncpg
import pytest

from jobs.imports import ImportReport, run_import
from jobs.mapping_file import load_mapping, read_mapping

Connection: TypeAlias = "asyncpg.Connection[asyncpg.Record]"
NOBODY = {"rows": [{"key": "nobody", "name": "Nobody"}]}
NEW = {"rows": [{"name": "New", "position": 1, "probability": 0.1}]}
COMPANY = {"file": "companies.csv", "key": "id", "name": "name", "owner": {"value": "nobody"}}
CONTACT = {"file": "contacts.csv", "key": "id", "last_name": "name", "owner": {"value": "nobody"}}
DEAL = {"file": "deals.csv", "key": "id", "name": "id", "stage": {"value": "New"}, "owner": {"value": "nobody"}}


async def imported(url: str, folder: Path, mapping: dict[str, Any], **files: str) -> ImportReport:
    """An import of these files that leaves bad rows out."""
    for name, text in files.items():
        (folder / f"{name}.csv").write_text(text, "utf-8")
    whole = read_mapping({"source": "x", "user": NOBODY} | mapping, folder / "m.toml")
    return await run_import(url, whole, folder, skip_bad_rows=True)


def told(report: ImportReport) -> list[str]:
    return [str(bad) for bad in report.bad]


async def test_what_a_field_says_goes_before_what_the_mapping_says(
    database_url: str, sql: "Connection", tmp_path: Path
) -> None:
    fields = {
        "value": {"column": "value", "decimal": "."},
        "created_at": {"column": "made", "time_zone": "Europe/Berlin"},
        "expected_close_date": {"column": "due", "dates": "%m/%d/%Y"},
    }
    common = {"decimal": ",", "time_zone": "Asia/Tokyo", "dates": "%d/%m/%Y", "stage": NEW, "deal": DEAL | fields}
    report = await imported(database_url, tmp_path, common, deals="id,value,made,due\n1,2.5,2026-01-02,03/04/2026\n")
    assert told(report) == []
    row = await sql.fetchrow("select value, created_at, expected_close_date from deal")
    assert row is not None
    assert tuple(row) == (Decimal("2.5"), datetime(2026, 1, 1, 23, tzinfo=UTC), date(2026, 3, 4))


async def test_a_field_has_blanks_of_its_own_told_apart_by_case_and_may_be_required(
    database_url: str, sql: "Connection", tmp_path: Path
) -> None:
    fields = {"email": {"column": "mail", "required": True}, "title": {"column": "title", "blanks": "none"}}
    contacts = "id,name,mail,title\n1,Ann,a@x.example,none\n2,Bo,b@x.example,None\n3,Cy,,Boss\n"
    report = await imported(database_url, tmp_path, {"contact": CONTACT | fields}, contacts=contacts)
    assert told(report) == ["contacts.csv, line 4, mail: contact '3': is blank, but must be there"]
    assert [row[0] for row in await sql.fetch("select title from contact order by external_id")] == [None, "None"]


async def test_a_column_may_be_absent_but_what_its_field_is_then_worth_still_counts(
    database_url: str, sql: "Connection", tmp_path: Path
) -> None:
    fields = {
        "optional_columns": True,
        "owner": {"column": "rep", "default": "nobody"},
        "title": {"column": "job", "default": "Boss"},
        "phone": {"first_of": ["mobile", "landline"]},
    }
    report = await imported(database_url, tmp_path, {"contact": CONTACT | fields}, contacts="id,name,landline\n1,Ann,+1\n")
    assert told(report) == []
    row = await sql.fetchrow("select title, phone from contact")
    assert row is not None
    assert tuple(row) == ("Boss", "+1")
    fields["email"] = {"column": "mail", "required": True}
    report = await imported(database_url, tmp_path, {"contact": CONTACT | fields})
    assert told(report) == ["contacts.csv, line 2, mail: contact '1': is blank, but must be there"]


async def test_only_the_first_row_of_a_key_counts_also_where_it_is_bad(
    database_url: str, sql: "Connection", tmp_path: Path
) -> None:
    companies = f"id,name\n1,{'x' * 301}\n1,Acme\n2,Bolt\n"
    report = await imported(database_url, tmp_path, {"company": COMPANY | {"repeats": "first"}}, companies=companies)
    assert (len(report.bad), report.tallies["companies"].skipped) == (1, 1)
    assert [row[0] for row in await sql.fetch("select name from company")] == ["Bolt"]
    report = await imported(database_url, tmp_path, {"company": COMPANY}, companies=companies.replace("Acme", ""))
    assert told(report) == [
        "companies.csv, line 2, name: company '1': is 301 characters long; 300 fit",
        "companies.csv, line 3, name: company '1': is blank, but must be there",
        "companies.csv, line 3, id: company '1': is there twice in this export",
    ]


async def test_a_key_that_cannot_be_made_is_one_bad_row_and_what_is_made_of_several_columns_goes_by_its_field(
    database_url: str, sql: "Connection", tmp_path: Path
) -> None:
    fields = {"key": {"column": "id", "values": {"1": "one"}, "other": "error"}, "name": {"first_of": ["name", "label"]}}
    companies = f"id,name,label\n1,Acme,\n2,Bolt,\n,,{'x' * 301}\n"
    report = await imported(database_url, tmp_path, {"company": COMPANY | fields}, companies=companies)
    assert told(report) == [
        "companies.csv, line 3, id: '2' is not among the values that the mapping translates",
        "companies.csv, line 4, id: is blank, but must be there",
        "companies.csv, line 4, name: is 301 characters long; 300 fit",
    ]
    assert await sql.fetchval("select string_agg(external_id, ',') from company") == "one"


@pytest.mark.parametrize(("way", "text"), [("email", "BO@x.example"), ("name", "bo ko")])
async def test_a_contact_that_was_left_out_is_known_by_its_name_and_address_as_well(
    database_url: str, tmp_path: Path, way: str, text: str
) -> None:
    contact = CONTACT | {"first_name": "first", "email": "mail", "title": "title"}
    contacts = f"id,first,name,mail,title\n1,Bo,Ko,bo@x.example,{'x' * 301}\n"
    deal = DEAL | {"contact": {"column": "contact", "by": way, "missing": "null"}}
    files = {"contacts": contacts, "deals": f"id,contact\n1,{text}\n2,Cy\n"}
    report = await imported(database_url, tmp_path, {"stage": NEW, "contact": contact, "deal": deal}, **files)
    assert [line for line in told(report) if line.startswith("deals")] == [
        f"deals.csv, line 2, contact: deal '1': its contact '{text}' is a row that was left out as bad"
    ]


async def test_a_reference_that_means_two_rows_or_none_that_must_be_there_is_bad(database_url: str, tmp_path: Path) -> None:
    users = "id,name\n1,Groß\n2,GROSS\n3,Ann\n4,\n"
    user = {"file": "users.csv", "key": "id", "name": "name", "merged": {"file": "merges.csv", "from": "old", "into": "new"}}
    owner = {"column": "owner", "missing": "null", "default": "nobody"}
    companies = "id,name,owner\n1,A,gross\n2,B,5\n3,C,Zoe\n4,D,\n5,E,ANN\n"
    files = {"users": users, "merges": "old,new\n5,4\n", "companies": companies}
    report = await imported(database_url, tmp_path, {"user": user, "company": COMPANY | {"owner": owner}}, **files)
    assert told(report)[:-1] == [
        "companies.csv, line 2, owner: company '1': 2 of the user rows have the name 'gross'",
        "companies.csv, line 3, owner: company '2': its user '5' is a row that was left out as bad",
        "companies.csv, line 4, owner: company '3': there is no user with id or email or name 'Zoe'",
        "companies.csv, line 5, owner: company '4': there is no user with id or email or name 'nobody'",
    ]
    assert report.tallies["companies"].inserted == 1


@pytest.mark.parametrize("missing", ["null", "skip", "default", "error"])
async def test_a_default_that_means_no_row_is_bad_whatever_is_said_of_missing_ones(
    database_url: str, tmp_path: Path, missing: str
) -> None:
    contact = CONTACT | {"company": {"column": "co", "default": "9", "missing": missing}}
    report = await imported(database_url, tmp_path, {"contact": contact}, contacts="id,name,co\n1,Ann,\n")
    assert told(report) == ["contacts.csv, line 2, co: contact '1': there is no company with id '9'"]


async def test_rows_that_are_looked_up_or_listed_are_those_that_the_conditions_let_through(
    database_url: str, sql: "Connection", tmp_path: Path
) -> None:
    listed = {"file": "gone.csv", "column": "id", "only": {"column": "is", "matches": "on"}}
    companies = COMPANY | {"skip": {"column": "id", "found_in": listed}}
    files = {"companies": "id,name\n1,Acme\n2,Bolt\n", "gone": "id,is\n1,gone\n2,\n"}
    await imported(database_url, tmp_path, {"company": companies}, **files)
    assert await sql.fetchval("select string_agg(name, ',') from company") == "Bolt"


async def test_rows_are_merged_by_several_files_of_which_a_row_may_tell_nothing(
    database_url: str, sql: "Connection", tmp_path: Path
) -> None:
    itself = {"file": "companies.csv", "from": "was", "into": "id", "split": ";"}
    merged = [{"file": "m.csv", "from": "old", "into": "new"}, itself]
    contact = CONTACT | {"company": {"column": "co", "missing": "null"}}
    companies = "id,name,was\n1,Acme,3; 4\n2,Bolt,\n5,Old,\n6,Gone,\n"
    files = {"companies": companies, "m": "old,new\n5,2\n6,\n", "contacts": "id,name,co\n1,A,4\n2,B,5\n3,C,6\n"}
    report = await imported(database_url, tmp_path, {"company": COMPANY | {"merged": merged}, "contact": contact}, **files)
    assert (told(report), report.tallies["companies"].skipped) == ([], 2)
    found = "select company.name from contact left join company on company.id = company_id order by contact.external_id"
    assert [row[0] for row in await sql.fetch(found)] == ["Acme", "Bolt", None]


async def test_changes_of_stage_come_from_several_files_and_sections(
    database_url: str, sql: "Connection", tmp_path: Path
) -> None:
    change = {"deal": "deal", "to_stage": {"value": "New"}, "changed_at": "at"}
    more = {"file": "d.csv", "from_stage": {"value": "New"}, "changed_by": {"value": "nobody"}}
    sections = [change | {"file": "c-*.csv"}, change | more]
    files = {"c-1": "deal,at\n1,2026-01-01\n", "c-2": "deal,at\n1,2026-01-02\n", "d": "deal,at\n1,2026-01-03\n"}
    mapping = {"stage": NEW, "deal": DEAL, "stage_change": sections}
    report = await imported(database_url, tmp_path, mapping, deals="id\n1\n", **files)
    assert told(report) == []
    found = await sql.fetch("select changed_at::date - '2025-12-31', changed_by is null from stage_change order by 1")
    assert [tuple(row) for row in found] == [(1, True), (2, True), (3, False)]


async def test_a_row_that_cannot_be_read_in_a_file_that_is_looked_up_is_a_fault(database_url: str, tmp_path: Path) -> None:
    fields = {"name": {"column": "name", "lookup": {"file": "names.csv", "match": "id", "take": "name"}}}
    files = {"companies": "id,name\n1,1\n", "names": "id,name\n1,Acme\n2\n"}
    report = await imported(database_url, tmp_path, {"company": COMPANY | fields}, **files)
    assert told(report) == ["names.csv, line 3: has 1 fields, the header has 2"]
    assert report.tallies["companies"].inserted == 1


async def test_what_is_looked_up_and_is_not_among_its_values_is_a_fault_in_its_own_file(database_url: str, tmp_path: Path) -> None:
    take = {"column": "name", "values": {"1": "Acme"}, "other": "error"}
    fields = {"name": {"column": "name", "lookup": {"file": "names.csv", "match": "id", "take": take}}}
    files = {"companies": "id,name\n1,1\n", "names": "id,name\n1,1\n2,?\n"}
    report = await imported(database_url, tmp_path, {"company": COMPANY | fields}, **files)
    assert told(report) == ["names.csv, line 3: '?' is not among the values that the mapping translates"]
    assert report.tallies["companies"].inserted == 1


@pytest.mark.parametrize(("pick", "name"), [("first", "A"), ("last", "C"), ("most_common", "B")])
async def test_of_several_rows_that_are_looked_up_the_one_that_is_picked_counts(
    database_url: str, sql: "Connection", tmp_path: Path, pick: str, name: str
) -> None:
    lookup = {"file": "names.csv", "match": "id", "take": "name", "pick": pick, "only": {"column": "is", "is_not": "old"}}
    fields = {"name": {"column": "name", "lookup": lookup}}
    names = "id,name,is\n1,Z,old\n1,,\n1,A,\n1,B,\n1,B,\n1,C,\n1,Z,old\n"
    await imported(database_url, tmp_path, {"company": COMPANY | fields}, companies="id,name\n1,1\n", names=names)
    assert await sql.fetchval("select name from company") == name


async def test_what_is_said_of_one_file_goes_before_what_is_said_of_its_pattern_and_a_header_may_be_told(
    database_url: str, sql: "Connection", tmp_path: Path
) -> None:
    formats = {"c-*.csv": {"delimiter": ";"}, "c-2.csv": {"delimiter": "|", "header": ["id", "name"]}}
    files = {"c-1": "id;name\n1;Acme\n", "c-2": "2|Bolt\n"}
    report = await imported(database_url, tmp_path, {"files": formats, "company": COMPANY | {"file": "c-*.csv"}}, **files)
    assert told(report) == []
    assert await sql.fetchval("select string_agg(name, ',' order by name) from company") == "Acme,Bolt"


async def test_a_text_of_users_and_stages_is_as_long_as_it_may_be_and_no_longer(database_url: str, tmp_path: Path) -> None:
    key, long = "\N{WOMAN}" * 500, {"name": 300, "email": 320, "stage": 100}
    users = f"id,name,email\n{key},{'n' * long['name']},{'e' * long['email']}\n"
    users += f"{key}x,{'n' * (long['name'] + 1)},{'e' * (long['email'] + 1)}\n"
    stages = "id,name,position,probability\n" + "".join(f"{more},{'s' * (long['stage'] + more)},1,1\n" for more in (0, 1))
    for name, text in {"users": users, "stages": stages}.items():
        (tmp_path / f"{name}.csv").write_text(text, "utf-8")
    report = await run_import(database_url, load_mapping("canonical"), tmp_path, skip_bad_rows=True)
    assert [(each.file, each.line, each.column) for each in report.bad] == [
        ("stages.csv", 3, "name"), ("users.csv", 3, "id"), ("users.csv", 3, "name"), ("users.csv", 3, "email"),
    ]  # fmt: skip
    assert [report.tallies[each].inserted for each in ("users", "stages")] == [1, 1]


async def test_rules_over_several_fields_are_told_with_their_line(database_url: str, tmp_path: Path) -> None:
    files = {
        "users": "id,name\nU1,Ann\n",
        "stages": "id,name,position,probability,is_won,is_lost\n1,Both,1,1,yes,yes\n",
        "contacts": "id,owner,email,phone\n1,U1,,+1\n2,U1,a@x.example,\n",
        "activities": "id,type,subject,owner,due_at,completed_at\n1,CALL,x,U1,,2026-01-01\n2,TASK,x,U1,,2026-01-01\n",
    }
    for name, text in files.items():
        (tmp_path / f"{name}.csv").write_text(text, "utf-8")
    report = await run_import(database_url, load_mapping("canonical"), tmp_path, skip_bad_rows=True)
    assert told(report) == [
        "activities.csv, line 2, due_at: activity '1': only a TASK can be due or completed",
        "contacts.csv, line 2, id: contact '1': a contact needs a first name, a last name or an e-mail address",
        "stages.csv, line 2, is_lost: stage '1': a stage cannot be both won and lost",
    ]
    assert [report.tallies[each].inserted for each in ("contacts", "activities")] == [1, 1]


async def test_a_flag_that_is_blank_now_is_no_whatever_it_was(database_url: str, sql: "Connection", tmp_path: Path) -> None:
    for is_won in ("yes", ""):
        (tmp_path / "stages.csv").write_text(f"id,name,position,probability,is_won\n1,Won,1,1,{is_won}\n", "utf-8")
        await run_import(database_url, load_mapping("canonical"), tmp_path)
        assert await sql.fetchval("select is_won from stage") is bool(is_won)
