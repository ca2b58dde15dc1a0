"""The worked examples of ``docs/import.md``, with files as those systems write them."""

import re
import tomllib
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeAlias

import asyncpg

from jobs.imports import run_import
from jobs.mapping_file import read_mapping

Connection: TypeAlias = "asyncpg.Connection[asyncpg.Record]"
DOCS = Path(__file__).parent.parent.parent / "docs" / "import.md"
SALESFORCE = {
    "User": "Id,FirstName,LastName,Username,Email\nU1,Ann,Lee,ann@x.example,ann@x.example\n",
    "Account": "Id,IsDeleted,Name,Website,Industry,NumberOfEmployees,AnnualRevenue,BillingCity,BillingCountry,OwnerId,CreatedDate\n"
    "A1,false,Acme,https://www.acme.example/x,Steel,12,1000,Bonn,DE,U1,2026-01-01\n",
    "Contact": "Id,IsDeleted,FirstName,LastName,Email,MobilePhone,Phone,Title,AccountId,OwnerId,CreatedDate\n"
    "C1,false,Cy,Ko,,,1,,A1,U1,2026-01-01\nC2,true,Di,Ko,,,1,,A1,U1,2026-01-01\n",
    "Opportunity": "Id,IsDeleted,Name,Amount,StageName,Probability,CloseDate,IsClosed,AccountId,OwnerId,CreatedDate\n"
    "O1,false,Big,5,Closed Won,100,2026-02-01,true,A1,U1,2026-01-01\nO2,true,Gone,5,Closed Won,100,2026-02-01,true,A1,U1,2026-01-01\n",
    "Task": "Id,IsDeleted,TaskSubtype,Status,IsClosed,Subject,Description,ActivityDate,CompletedDateTime,CreatedDate,AccountId,WhatId,WhoId,OwnerId\n"
    "T1,false,Task,Not Started,false,Send offer,,2026-03-01,,2026-01-02,A1,O1,C1,U1\n"
    "T2,false,Task,Completed,true,Sent offer,,2026-03-01,2026-02-03T04:05:06.000+0000,2026-01-02,A1,O1,C1,U1\n"
    "T3,false,Call,Completed,true,Spoke,,2026-01-05,,2026-01-02,A1,O1,C1,U1\n"
    "T4,true,Task,Not Started,false,Deleted,,2026-03-01,,2026-01-02,A1,O1,C1,U1\n"
    "T5,false,Cadence,Completed,true,,,,,2026-01-02,A1,O1,C1,U1\n",
}


async def test_open_tasks_of_salesforce_stay_open_and_what_was_deleted_stays_away(
    database_url: str, sql: "Connection", tmp_path: Path
) -> None:
    (text,) = [each for each in re.findall(r"```toml\n(.*?)```", DOCS.read_text("utf-8"), re.S) if 'source = "salesforce"' in each]
    for name, rows in SALESFORCE.items():
        (tmp_path / f"{name}.csv").write_text(rows)
    report = await run_import(database_url, read_mapping(tomllib.loads(text), DOCS), tmp_path)
    assert report.bad == []
    assert {plural: tally.inserted for plural, tally in report.tallies.items()} == {
        "users": 1, "stages": 4, "companies": 1, "contacts": 1, "deals": 1, "activities": 4,
    }  # fmt: skip
    asked = "select external_id, type, subject, occurred_at, due_at, completed_at from activity order by external_id"
    created, due = datetime(2026, 1, 2, tzinfo=UTC), datetime(2026, 3, 1, tzinfo=UTC)
    assert [tuple(row) for row in await sql.fetch(asked)] == [
        ("T1", "TASK", "Send offer", created, due, None),
        ("T2", "TASK", "Sent offer", created, due, datetime(2026, 2, 3, 4, 5, 6, tzinfo=UTC)),
        ("T3", "CALL", "Spoke", datetime(2026, 1, 5, tzinfo=UTC), None, None),
        ("T5", "NOTE", "Activity", created, None, None),
    ]
