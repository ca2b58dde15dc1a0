"""Clients that create deals and do not give up before each is acknowledged, and what must be in the database then."""

import asyncio
import random
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid4

import httpx2

from tests.crm import Crm
from tests.faults.conftest import connected

CREATE = """mutation ($input: CreateDealInput!) {
  createDeal(input: $input) { deal { id name } errors { code message } }
}"""
# Each of them says that the same request may be sent again, at the latest with a key.
PASSING = {"UNAVAILABLE", "OUTCOME_UNKNOWN", "OVERLOADED", "DEADLINE_EXCEEDED"}
LONGEST_PAUSE_S = 0.5


@dataclass(frozen=True, slots=True)
class Pipeline:
    """What deals refer to."""

    owners: list[UUID]
    companies: list[UUID]
    stages: list[UUID]

    @classmethod
    async def put(cls, url: str) -> "Pipeline":
        """Three owners, nine companies and four stages in the database."""
        async with connected(url) as connection:
            crm = Crm(connection)
            owners = [await crm.user(name) for name in ("Ada", "Ben", "Cid")]
            companies = [await crm.company(owner, f"Company {n}") for owner in owners for n in range(3)]
            return cls(owners, companies, list((await crm.stages()).values()))

    def deal(self, name: str) -> dict[str, Any]:
        """The input of a deal with that name and whatever else."""
        given = {
            "name": name,
            "ownerId": str(random.choice(self.owners)),
            "companyId": str(random.choice(self.companies)),
            "value": random.choice([None, random.randrange(10_000_000) / 100]),
            "stageId": str(random.choice(self.stages)),
            "probability": random.choice([None, 0.35]),
        }
        return {name: value for name, value in given.items() if value is not None}


async def post(client: httpx2.AsyncClient, given: dict[str, Any], key: str | None) -> httpx2.Response:
    """One request that creates a deal."""
    headers = {} if key is None else {"idempotency-key": key}
    return await client.post("/graphql", json={"query": CREATE, "variables": {"input": given}}, headers=headers)


def refusal(response: httpx2.Response) -> tuple[int, str]:
    """The status and the code of an answer without data."""
    (error,) = response.json()["errors"]
    return response.status_code, error["extensions"]["code"]


def created(response: httpx2.Response) -> str:
    """The id of the deal in an answer that acknowledges one."""
    body = response.json()
    assert "errors" not in body, body
    assert body["data"]["createDeal"]["errors"] == [], body
    return str(body["data"]["createDeal"]["deal"]["id"])


class Creators:
    """Concurrent clients of one address. ``acknowledged`` holds the id of each name, ``retries`` why they asked again."""

    def __init__(self, url: str, pipeline: Pipeline) -> None:
        self._url, self._pipeline = url, pipeline
        self.acknowledged: dict[str, str] = {}
        self.retries: Counter[str] = Counter()

    async def create(self, names: Sequence[str], clients: int) -> None:
        """Has a deal of every name created, whatever happens to the server meanwhile."""
        waiting = iter(names)
        async with asyncio.TaskGroup() as group:
            for _ in range(clients):
                group.create_task(self._client(waiting))

    async def _client(self, waiting: Iterator[str]) -> None:
        async with httpx2.AsyncClient(base_url=self._url, timeout=20) as client:
            for name in waiting:
                self.acknowledged[name] = await self._until_acknowledged(client, self._pipeline.deal(name))

    async def _until_acknowledged(self, client: httpx2.AsyncClient, given: dict[str, Any]) -> str:
        key, pause_s = str(uuid4()), 0.02
        while True:
            try:
                response = await post(client, given, key)
                if response.json()["data"] is not None:
                    return created(response)
                status, why = refusal(response)
                assert why in PASSING, response.text
                assert status in {503, 504}
            except httpx2.TransportError as error:
                why = type(error).__name__
            self.retries[why] += 1
            await asyncio.sleep(pause_s * (0.5 + random.random()))
            pause_s = min(2 * pause_s, LONGEST_PAUSE_S)


async def while_creating(creators: Creators, names: Sequence[str], faults: Sequence[Callable[[], Awaitable[None]]]) -> None:
    """Has the deals created by 16 clients, and does each fault at a random moment of a share of the work of its own."""

    async def strike() -> None:
        share = len(names) / len(faults)
        for place, fault in enumerate(faults):
            moment = share * (place + random.random())
            while len(creators.acknowledged) < moment:
                await asyncio.sleep(0.001)
            await asyncio.sleep(random.random() / 50)
            await fault()

    async with asyncio.TaskGroup() as group:
        group.create_task(creators.create(names, clients=16))
        group.create_task(strike())


async def check_each_is_there_once(url: str, acknowledged: dict[str, str]) -> None:
    """The deals of the database are those that were acknowledged, each once, with all that belongs to a new deal."""
    async with connected(url) as connection:

        async def ids(query: str) -> list[str]:
            return sorted(str(record[0]) for record in await connection.fetch(query))

        found = [(record["name"], str(record["id"])) for record in await connection.fetch("select name, id from deal")]
        assert sorted(found) == sorted(acknowledged.items())
        once = sorted(acknowledged.values())
        assert await ids("select deal_id from stage_change where from_stage_id is null") == once
        assert await ids("select row_id from audit where kind = 'deal' and action = 'CREATE'") == once
        assert await ids("select answer ->> 'id' from idempotency_key") == once
        assert await connection.fetchval("select count(*) from stage_change") == len(once)
        assert await connection.fetchval("select count(*) from audit where kind = 'deal'") == len(once)
        assert await connection.fetch("select rollup, key from rollup_drift") == []
