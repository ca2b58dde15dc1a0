"""A server for tests of the REST shim, and a small CRM behind it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

import asyncpg
import httpx2

from cache.embedded import EmbeddedValkey
from db.embedded import EmbeddedPostgres
from tests.crm import NOON, Crm
from tests.web.conftest import serving, settings_for


@dataclass(frozen=True, slots=True)
class Shop:
    """Whom and what the tests ask about."""

    client: httpx2.AsyncClient
    sql: "asyncpg.Connection[asyncpg.Record]"
    url: str
    ada: UUID
    bob: UUID
    stages: dict[str, UUID]
    companies: list[UUID]
    deals: list[UUID]


@asynccontextmanager
async def open_shop(
    postgres: EmbeddedPostgres, valkey: EmbeddedValkey, migrated: str, name: str, **settings: object
) -> AsyncIterator[Shop]:
    """A server on a database of that name: two owners, three companies, seven deals, contacts and activities."""
    admin = await asyncpg.connect(postgres.url)
    await admin.execute(f"create database {name} template {migrated}")
    await admin.execute(f"alter database {name} set pg_trgm.word_similarity_threshold = 0.42")
    url = postgres.database_url(name)
    sql = await asyncpg.connect(url)
    crm = Crm(sql)
    ada, bob, stages = await crm.user(), await crm.user("Bob Owner"), await crm.stages()
    companies = [await crm.company(ada, "Acme"), await crm.company(ada, "Bolt"), await crm.company(bob, "Crane")]
    deals = []
    for number, company in enumerate([*companies, *companies, companies[0]]):
        owner = bob if company == companies[2] else ada
        stage = stages[("Lead", "Offer", "Won")[number % 3]]
        created = NOON + timedelta(days=number)
        deals.append(
            await crm.deal(
                owner, stage, f"Deal {number}", value=None if number == 3 else 100 * number, company_id=company, created_at=created
            )
        )
        await crm.activity(owner, subject=f"Call {number}", company_id=company, deal_id=deals[-1], occurred_at=created)
        await crm.contact(owner, f"Bea {number}", company_id=company)
    async with serving(settings_for(url, valkey, **settings)) as client:
        while not (await client.get("/api/health?detailed=true")).json()["responses"]["hearing"]:
            await asyncio.sleep(0.01)
        yield Shop(client, sql, url, ada, bob, stages, companies, deals)
    await sql.close()
    await admin.execute(f"drop database {name} with (force)")
    await admin.close()
