"""Every list has an index that serves its order, and comes in it: PostgreSQL's own plan says so."""

import re
from typing import Any

import asyncpg
import pytest

from db.statements import REGISTRY
from schema.activity import ActivityFilter
from schema.company import CompanyFilter
from schema.contact import ContactFilter
from schema.deal import DealFilter
from schema.user import UserFilter
from tests.conftest import all_statements

FIRST = [name for name in all_statements() if re.search(r"\.first_of_", name)]
PAGES = [name for name in all_statements() if re.search(r"\.(counted_)?page_of_", name)]
LOOKED_UP = [name for name in all_statements() if re.search(r"\.(counted_)?page_with_", name)]
FILTERS = {
    "deal": DealFilter().values(), "company": CompanyFilter().values(), "contact": ContactFilter().values(),
    "activity": ActivityFilter().values(), "app_user": UserFilter().values(),
}  # fmt: skip
# What matches a search has no index of its order, a deal has few changes of its stage, and what happened lately is looked at by
# `make bench ARGS=--growth`.
OTHERWISE = re.compile(r"\.search_by_|^stage_change\.of_deals$|^reports\.recent\.")
# Enough rows of every parent that reading them all and sorting is dearer than walking an index: two owners, and two
# companies with most of the deals.
FILL = """
insert into app_user (name) select 'User ' || n from generate_series(1, 2000) n;
insert into stage (name, position, probability) select 'Stage ' || n, n, 0.5 from generate_series(1, 4) n;
insert into company (name, revenue, owner_id) select 'Company ' || n, n, u.id
    from generate_series(1, 2000) n, (select id from app_user order by id limit 2) u;
create temp table big as select id, owner_id from company order by id limit 2;
insert into contact (first_name, company_id, owner_id) select 'Contact ' || n, id, owner_id from big, generate_series(1, 2000) n;
insert into deal (name, value, stage_id, company_id, owner_id, created_at)
    select 'Deal ' || n, n, (select id from stage limit 1), id, owner_id, now() - n * interval '1 hour'
    from big, generate_series(1, 2000) n;
insert into activity (type, subject, company_id, owner_id, occurred_at, deal_id, contact_id)
    select 'TASK', 'Task ' || n, id, owner_id, now() - n * interval '1 hour', (select id from deal limit 1), (select id from contact limit 1)
    from big, generate_series(1, 2000) n;
analyze;
"""

# And many companies that have a few of all.
FEW_EACH = """
create temp table small as select id, owner_id, row_number() over () as n from company;
update company set domain = 'domain-' || n from small where small.id = company.id;
insert into contact (first_name, email, company_id, owner_id) select 'Contact', 'email-' || n, id, owner_id from small;
insert into deal (name, stage_id, company_id, contact_id, owner_id)
    select 'Deal', (select id from stage limit 1), company_id, id, owner_id from contact where email is not null;
insert into activity (type, subject, company_id, owner_id, deal_id, contact_id)
    select 'CALL', 'Call', company_id, owner_id, id, contact_id from deal where contact_id is not null;
analyze;
"""


def test_every_statement_that_reads_the_first_of_an_order_is_looked_at_here() -> None:
    ordered = {name for name in all_statements() if re.search(r"order by.*limit", REGISTRY[name].text, re.S)}
    assert {name for name in ordered if not OTHERWISE.search(name)} == {*FIRST, *PAGES, *LOOKED_UP}


@pytest.mark.parametrize("mode", ["force_generic_plan", "force_custom_plan"])
async def test_every_page_walks_an_index_in_its_order(sql: "asyncpg.Connection[asyncpg.Record]", mode: str) -> None:
    await sql.execute(FILL)
    await sql.execute(f"set plan_cache_mode = {mode}")
    await sql.execute("set random_page_cost = 1.1")
    owner = await sql.fetchval("select owner_id from big limit 1")
    company = await sql.fetchval("select id from big limit 1")
    for name in PAGES:
        noun, scope = re.fullmatch(r"(\w+)\.(?:counted_)?page_of_([a-z]+)_by_\w+", name).groups()  # type: ignore[union-attr]
        parent = {"all": None, "owner": owner}.get(scope, company)
        arguments: list[Any] = [None, [parent], [None], [None], [None], [None], [20], *FILTERS[noun]]
        await sql.execute(f"prepare page as {REGISTRY[name].text}")
        written = ", ".join(_literal(each) for each in arguments)
        plan = "\n".join(row[0] for row in await sql.fetch(f"explain execute page ({written})"))
        await sql.execute("deallocate page")
        assert re.search(r"Limit.*?->  .*?Index (Only )?Scan( Backward)? using \w+ on " + noun, plan, re.S), f"{name}\n{plan}"
        inner = plan[plan.index("Limit") :]
        assert "Sort" not in inner, f"{name} sorts\n{plan}"


@pytest.mark.parametrize("mode", ["force_generic_plan", "force_custom_plan"])
async def test_the_first_rows_of_many_lists_stay_in_their_order(sql: "asyncpg.Connection[asyncpg.Record]", mode: str) -> None:
    await sql.execute(FILL)
    # Among so many it would hash them, if it might; and sort what it has joined by the place of the list alone.
    await sql.execute("insert into stage (name, position, probability) select 'More ' || n, n, 0.5 from generate_series(1, 500) n")
    await sql.execute(f"analyze stage; set plan_cache_mode = {mode}; set random_page_cost = 1.1")
    parents = await sql.fetchval("select array_agg(id) from (select id from company limit 50) as company")
    assert FIRST
    for name in FIRST:
        await sql.execute(f"prepare first as {REGISTRY[name].text}")
        plan = "\n".join(row[0] for row in await sql.fetch(f"explain execute first (null, {_literal(parents)})"))
        await sql.execute("deallocate first")
        assert re.search(r"Limit.*?->  .*?Index Scan( Backward)? using \w+ on ", plan, re.S), f"{name}\n{plan}"
        assert not re.search(r"Sort|Hash Join|Merge Join", plan), f"{name}\n{plan}"


async def test_what_a_filter_looks_up_is_found_by_it_whatever_the_order(sql: "asyncpg.Connection[asyncpg.Record]") -> None:
    await sql.execute(FILL + FEW_EACH)
    await sql.execute("set plan_cache_mode = force_generic_plan; set random_page_cost = 1.1")
    assert LOOKED_UP
    for name in [*LOOKED_UP, *(name for name in all_statements() if ".count_with_" in name)]:
        noun, looked_up = re.fullmatch(r"(\w+)\.\w+_with_([a-z]+)\w*", name).groups()  # type: ignore[union-attr]
        await sql.execute(f"prepare found as {REGISTRY[name].text}")
        written = ", ".join(map(_literal, [None, [None], [None], [None], [None], [None], [20], *FILTERS[noun]]))
        plan = "\n".join(row[0] for row in await sql.fetch(f"explain execute found ({written})"))
        await sql.execute("deallocate found")
        assert re.search(rf"Index Scan( Backward)? (using|on) {noun}_of_{looked_up}", plan), f"{name}\n{plan}"


def _literal(value: Any) -> str:
    if isinstance(value, list):
        return "'{" + ",".join("null" if each is None else str(each) for each in value) + "}'"
    return "null"
