"""The server as other people's software sees it: the audits of graphql-http, and Apollo Client's persisted queries."""

import asyncio
import json
import os
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from cache.embedded import EmbeddedValkey
from cache.persisted import RegisteredDocuments
from cache.redis import RedisCache
from core.settings import Settings
from schema.operation import document_id
from tests.web.conftest import GRAPHQL, serving, settings_for

ROOT = Path(__file__).parents[2]
HERE = Path(__file__).parent / "npm"
CLIENTS = ROOT / ".assets" / "clients"
# As in the Makefile.
NPM_FLAGS = (
    "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error", "--prefer-offline",
    "--fetch-retries=1", "--fetch-retry-mintimeout=1000", "--fetch-timeout=30000",
)  # fmt: skip
LOCK = (HERE / "package-lock.json").read_text("utf-8")

# As Apollo prints it: with the name of each type.
STAGES = "query ClientStages {\n  stages {\n    id\n    __typename\n  }\n}"
NO_STAGES: dict[str, Any] = {"data": {"stages": []}}
# What the audits, of 2025-10, would like otherwise. GETs without a header that makes browsers ask first are refused; and for
# a request that is understood and cannot be, the draft of 2026-08 has 422 where the audits have 400: so has REFUSED_STATUS.
NEEDS_PREFLIGHT = ("5A70", "D6D5", "6A70")
SINCE_422 = ("423L", "86EE")
HASH_ONLY = {"hasQuery": False, "hasHash": True, "status": 200, "type": f"{GRAPHQL}; charset=utf-8"}
WITH_TEXT = {**HASH_ONLY, "method": "POST", "hasQuery": True}

# `make test` needs Python and nothing else. Where npm is missing these do not run, and the output says so.
with_npm = pytest.mark.skipif(
    not (shutil.which("npm") and shutil.which("node")),
    reason="NOT RUN: npm is not installed, the server was tried with neither graphql-http's audits nor Apollo Client",
)


@pytest.fixture(scope="module")
async def clients() -> Path:
    """The folder with the clients as the lock has them, installed if they are not there."""
    stamp = CLIENTS / "package-lock.json"
    if not stamp.exists() or stamp.read_text("utf-8") != LOCK:
        new = CLIENTS.with_name(f"clients-{os.getpid()}")
        new.mkdir(parents=True)
        for name in ("package.json", "package-lock.json"):
            shutil.copy(HERE / name, new)
        npm = await asyncio.create_subprocess_exec(
            "npm", "ci", "--prefix", str(new), *NPM_FLAGS, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
        )
        said, _ = await npm.communicate()
        if npm.returncode:
            shutil.rmtree(new)
        assert npm.returncode == 0, f"npm is here, but could not install the clients: {said.decode()}"
        shutil.rmtree(CLIENTS, ignore_errors=True)
        new.rename(CLIENTS)
    for script in HERE.glob("*.mjs"):
        shutil.copy(script, CLIENTS)  # node looks for packages beside a script
    return CLIENTS


class Apollo:
    """Apollo Client in a process of its own, which keeps what it has learnt of the server."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    async def ask(self, client: Any, query: str, *, get: bool = False, **variables: Any) -> dict[str, Any]:
        """What the client made of the answer, and every request it sent."""
        assert self._process.stdin is not None and self._process.stdout is not None
        asked = {"url": f"{client.base_url}/graphql", "query": query, "variables": variables, "get": get}
        self._process.stdin.write(json.dumps(asked).encode() + b"\n")
        line = await asyncio.wait_for(self._process.stdout.readline(), 30)
        answer: dict[str, Any] = json.loads(line)
        return answer


@pytest.fixture
async def apollo(clients: Path) -> AsyncIterator[Apollo]:
    """A client that has not talked to any server yet."""
    process = await asyncio.create_subprocess_exec(
        "node", str(clients / "apollo.mjs"), stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
    )
    yield Apollo(process)
    assert process.stdin is not None
    process.stdin.close()
    await asyncio.wait_for(process.wait(), 10)


@asynccontextmanager
async def restarted(settings: Settings, redis: RedisCache) -> AsyncIterator[Any]:
    """A server that knows nothing any more."""
    await redis.client.flushall()
    async with serving(settings) as client:
        yield client


@with_npm
@pytest.mark.parametrize(
    ("more", "otherwise"),
    [
        ({}, SINCE_422),
        ({"documents": "log-unknown"}, SINCE_422),
        ({"refused_status": 400}, ()),
    ],
)
async def test_every_audit_of_graphql_over_http_is_passed(
    url_without_a_row: str, valkey: EmbeddedValkey, clients: Path, more: dict[str, Any], otherwise: tuple[str, ...]
) -> None:
    async with serving(settings_for(url_without_a_row, valkey, **more)) as client:
        node = await asyncio.create_subprocess_exec(
            "node", str(clients / "audit.mjs"), f"{client.base_url}/graphql", stdout=asyncio.subprocess.PIPE
        )
        said, _ = await node.communicate()
    results = json.loads(said)
    assert len(results) == 61
    assert sorted(each["id"] for each in results if each["status"] != "ok") == sorted([*NEEDS_PREFLIGHT, *otherwise])
    assert [each["name"] for each in results if each["status"] == "error"] == []
    assert [each["id"] for each in results if each["status"] == "warn"] == (["86EE"] if otherwise else [])


@with_npm
@pytest.mark.parametrize("get", [False, True], ids=["by POST", "by GET"])
async def test_apollo_client_registers_a_query_once_and_again_with_a_server_that_lost_it(
    url_without_a_row: str, valkey: EmbeddedValkey, redis: RedisCache, apollo: Apollo, get: bool
) -> None:
    settings = settings_for(url_without_a_row, valkey)
    hash_only = {"method": "GET" if get else "POST", **HASH_ONLY}
    async with serving(settings) as client:
        assert await apollo.ask(client, STAGES, get=get) == {**NO_STAGES, "sent": [hash_only, WITH_TEXT]}
        assert await apollo.ask(client, STAGES, get=get) == {**NO_STAGES, "sent": [hash_only]}
    async with serving(settings) as client:
        assert await apollo.ask(client, STAGES, get=get) == {**NO_STAGES, "sent": [hash_only]}
    async with restarted(settings, redis) as client:
        assert await apollo.ask(client, STAGES, get=get) == {**NO_STAGES, "sent": [hash_only, WITH_TEXT]}
        assert await apollo.ask(client, STAGES, get=get) == {**NO_STAGES, "sent": [hash_only]}


@with_npm
async def test_apollo_client_never_sends_a_mutation_by_get(
    url_without_a_row: str, valkey: EmbeddedValkey, redis: RedisCache, apollo: Apollo
) -> None:
    mutation = "mutation Bring($id: ID!) { restore(id: $id) { errors { code } } }"
    found = {"data": {"restore": {"errors": [{"code": "VALIDATION", "__typename": "ValidationError"}], "__typename": "NodePayload"}}}
    async with serving(settings_for(url_without_a_row, valkey)) as client:
        for sent in ([{"method": "POST", **HASH_ONLY}, WITH_TEXT], [{"method": "POST", **HASH_ONLY}]):
            assert await apollo.ask(client, mutation, get=True, id="x") == {**found, "sent": sent}


@with_npm
async def test_apollo_client_stops_sending_hashes_where_none_are_taken(
    url_without_a_row: str, valkey: EmbeddedValkey, apollo: Apollo
) -> None:
    text_only = {**WITH_TEXT, "hasHash": False}
    async with serving(settings_for(url_without_a_row, valkey, apq=False)) as client:
        answer = await apollo.ask(client, STAGES)
        assert answer == {**NO_STAGES, "sent": [{"method": "POST", **HASH_ONLY}, text_only]}
        assert await apollo.ask(client, STAGES) == {**NO_STAGES, "sent": [text_only]}


@with_npm
async def test_apollo_client_runs_registered_queries_and_hears_why_no_other_runs(
    url_without_a_row: str, valkey: EmbeddedValkey, redis: RedisCache, apollo: Apollo
) -> None:
    await RegisteredDocuments(redis.client).add({document_id(STAGES): STAGES.encode()})
    async with serving(settings_for(url_without_a_row, valkey, documents="trusted-only")) as client:
        hash_only = {"method": "POST", **HASH_ONLY}
        assert await apollo.ask(client, STAGES) == {**NO_STAGES, "sent": [hash_only]}
        other = await apollo.ask(client, "query Other { stages { name } }")
        assert "not found in the persisted query list" in other["error"]
        assert [each["status"] for each in other["sent"]] == [404]
