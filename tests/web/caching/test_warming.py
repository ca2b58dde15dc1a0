"""Named answers are there before anybody asks, and again after a write while they are asked for often."""

import asyncio

import asyncpg
import httpx2
import pytest
from structlog.testing import capture_logs

from cache.embedded import EmbeddedValkey
from cache.entry import Entry, Made
from cache.persisted import RegisteredDocuments
from cache.redis import RedisCache
from core.api_key import digest_of, new_key
from core.viewer import Viewer
from schema.operation import document_id
from tests.crm import Crm
from tests.web.conftest import serving, settings_for
from web.caching.recipes import HOT, MOST_RECIPES, MOST_WAITING, Warming


async def made(client: httpx2.AsyncClient, name: str) -> int:
    """How often the answer of an operation was made."""
    told = (await client.get("/api/health", params={"detailed": "true"})).json()["responses"]["documents"]
    return int(told.get(name, {"made": 0})["made"])


async def until_made(client: httpx2.AsyncClient, name: str, wanted: int) -> None:
    """Waits until it was made so often."""
    async with asyncio.timeout(10):
        while await made(client, name) < wanted:
            await asyncio.sleep(0.02)


async def ask(client: httpx2.AsyncClient, name: str) -> httpx2.Response:
    """A trusted operation by its name."""
    return await client.get("/graphql", params={"operationName": name})


async def test_a_named_answer_is_made_before_anybody_asks(database_url: str, valkey: EmbeddedValkey) -> None:
    async with serving(settings_for(database_url, valkey, warm="Stages, Company, NoSuchThing")) as client:
        await until_made(client, "Stages", 1)
        assert (await ask(client, "Stages")).headers["x-cache"] == "HIT"
        assert await made(client, "Company") == 0  # which one would that be?


async def test_what_has_a_value_for_each_variable_needs_none(database_url: str, valkey: EmbeddedValkey) -> None:
    warm = "Company, ContactStats, DashboardScreen"
    async with serving(settings_for(database_url, valkey, warm=warm)) as client:
        await until_made(client, "DashboardScreen", 1)
        assert [await made(client, name) for name in warm.split(", ")] == [0, 1, 1]
        assert (await ask(client, "DashboardScreen")).headers["x-cache"] == "HIT"


async def test_a_mutation_is_not_made_because_its_name_is_warmed_and_that_is_said(
    database_url: str, valkey: EmbeddedValkey, redis: RedisCache, crm: Crm, sql: "asyncpg.Connection[asyncpg.Record]"
) -> None:
    create = f'mutation Change {{ createCompany(input: {{name: "Warm", ownerId: "{await crm.user()}"}}) {{ company {{ id }} }} }}'
    await RegisteredDocuments(redis.client).add({document_id(create): create.encode()})
    with capture_logs() as logs:
        async with serving(settings_for(database_url, valkey, warm="Change, Stages")) as client:
            await until_made(client, "Stages", 1)
    assert await sql.fetchval("select count(*) from company") == 0
    assert [each["name"] for each in logs if "to warm" in each["event"]] == ["Change"]


@pytest.mark.parametrize("documents", ["open", "trusted-only"])
async def test_what_is_warmed_is_there_for_whoever_asks(database_url: str, valkey: EmbeddedValkey, documents: str) -> None:
    async with serving(settings_for(database_url, valkey, warm="Stages", documents=documents)) as client:
        await until_made(client, "Stages", 1)
        assert (await ask(client, "Stages")).headers["x-cache"] == "HIT"


async def test_with_credentials_it_is_there_for_those_who_see_everything(
    database_url: str, valkey: EmbeddedValkey, crm: Crm
) -> None:
    key = new_key()
    await crm.add("api_key", name="screen", digest=digest_of(key.encode()), scopes=["crm:read:all"])
    async with serving(settings_for(database_url, valkey, warm="Stages", auth="keys")) as client:
        await until_made(client, "Stages", 1)
        client.headers["x-api-key"] = key
        assert (await ask(client, "Stages")).headers["x-cache"] == "HIT"


async def test_what_is_asked_for_often_is_made_again_when_it_goes_old(
    database_url: str, valkey: EmbeddedValkey, crm: Crm
) -> None:
    async with serving(settings_for(database_url, valkey, warm="Stages")) as client:
        await until_made(client, "Stages", 1)
        for number in (1, 2):
            for _ in range(3):
                await ask(client, "Stages")
            await crm.stage(f"New {number}")
            await until_made(client, "Stages", 1 + number)
            again = await ask(client, "Stages")
            names = [each["name"] for each in again.json()["data"]["stages"]]
            assert (again.headers["x-cache"], len(names), f"New {number}" in names) == ("HIT", number, True)
        await crm.stage("Newest")  # it was asked for once: nobody waits for it
        await asyncio.sleep(0.5)
        assert await made(client, "Stages") == 3


async def test_what_a_client_calls_by_a_name_that_is_warmed_is_not_made_again(
    database_url: str, valkey: EmbeddedValkey, crm: Crm
) -> None:
    async with serving(settings_for(database_url, valkey, warm="Stages")) as client:
        await until_made(client, "Stages", 1)
        for _ in range(5):
            assert (await client.post("/graphql", json={"query": "query Stages { stages { id } }"})).status_code == 200
        before = await made(client, "Stages")
        await crm.stage("New")
        await asyncio.sleep(0.5)
        assert await made(client, "Stages") == before


async def test_nothing_is_warmed_unless_it_is_named(client: httpx2.AsyncClient) -> None:
    await asyncio.sleep(0.5)
    assert await made(client, "Stages") == 0


async def test_of_too_many_answers_that_go_old_some_are_not_made_again() -> None:
    warming: Warming[int] = Warming({"Hot"})
    viewer = Viewer("kim", None, frozenset())
    for number in range(MOST_RECIPES + 1):
        warming.note(b"%d" % number, "Hot", number, viewer)
    for number in range(MOST_RECIPES + 1):
        warming.dropped(Entry(b"%d" % number, Made(b"{}", 200, "Hot"), "", hits=HOT))
    # The first was forgotten, and of the others a hundred wait.
    assert [(await warming.next())[0] for _ in range(MOST_WAITING)] == list(range(1, MOST_WAITING + 1))
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0):
            await warming.next()
