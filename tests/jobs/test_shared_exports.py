"""The real exports in ``../shared/data``, wherever that folder is: their totals come out exactly."""

from decimal import Decimal
from pathlib import Path
from typing import TypeAlias

import asyncpg
import pytest

from jobs.imports import ImportReport, run_import
from jobs.mapping_file import load_mapping

Connection: TypeAlias = "asyncpg.Connection[asyncpg.Record]"
SHARED_DATA = Path(__file__).parent.parent.parent.parent / "shared" / "data"
needs_exports = pytest.mark.skipif(not SHARED_DATA.is_dir(), reason="NOT RUN: the exports are not ours to keep here: ../shared/data")


async def imported(url: str, mapping: str, folder: str) -> ImportReport:
    report = await run_import(url, load_mapping(mapping), SHARED_DATA / folder)
    assert report.bad == []
    return report


@needs_exports
async def test_the_sales_opportunities_add_up(database_url: str, sql: "Connection") -> None:
    await imported(database_url, "sales-opportunities", "crm-sales-opportunities")
    stages = await sql.fetch(
        "select stage.name, count(*), sum(value), count(value) from deal join stage on stage.id = stage_id"
        " group by stage.name order by stage.name"
    )
    assert [tuple(stage) for stage in stages] == [
        ("Engaging", 1589, None, 0),
        ("Lost", 2473, Decimal(0), 2473),
        ("Prospecting", 500, None, 0),
        ("Won", 4238, Decimal(10_005_534), 4238),
    ]
    assert await sql.fetchval("select count(*) from company") == 85
    assert await sql.fetchval("select count(*) from app_user") == 35
    assert await sql.fetchval("select count(distinct owner_id) from deal") == 30
    assert await sql.fetchval("select count(*) from deal where company_id is null") == 1425
    assert await sql.fetchval("select count(*) from company where industry = 'technolgy'") == 0
    assert await sql.fetchval("select count(*) from deal where name like 'GTXPro%'") == 0
    again = await imported(database_url, "sales-opportunities", "crm-sales-opportunities")
    assert {tally.inserted + tally.updated for tally in again.tallies.values()} == {0}


@needs_exports
async def test_hubspot_comes_in_with_its_gaps(database_url: str, sql: "Connection") -> None:
    report = await imported(database_url, "hubspot", "hubspot")
    assert {plural: (tally.inserted, tally.skipped) for plural, tally in report.tallies.items()} == {
        "users": (101, 0),
        "stages": (70, 2),
        "companies": (24, 0),
        "contacts": (19, 3),
        "deals": (44, 0),
        "activities": (105, 0),
        "stage changes": (0, 14),
    }
    assert await sql.fetchval("select count(*) from deal where value is not null") == 0
    assert await sql.fetchval("select count(distinct type) from activity") == 5
