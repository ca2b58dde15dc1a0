"""Kept answers over HTTP: validators, codings, what the cache says of itself, and what is never kept."""

import asyncio
import gzip
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote

import asyncpg
import brotli  # type: ignore[import-untyped]
import httpx2
import pytest

from cache.embedded import EmbeddedValkey
from core.viewer import EVERYONE
from db.embedded import EmbeddedPostgres
from db.migrate import migrate
from jobs.recount import recount
from tests.crm import Crm
from tests.web.conftest import GRAPHQL, JSON, serving, settings_for
from web.caching.remembered import LONGEST_BODY, Answered, Remembered, question_of

STAGES = "{ stages { id name } }"
PEOPLE = "{ users { edges { node { id name } } } }"
DEALS = "query Mine($first: Int, $search: String) { deals(first: $first, search: $search) { edges { node { name value } } } }"


async def ask(client: httpx2.AsyncClient, query: str, variables: Any = None, **headers: str) -> httpx2.Response:
    """One query by POST."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return await client.post("/graphql", json={"query": query, "variables": variables}, headers=named)


def outcomes(*responses: httpx2.Response) -> list[str | None]:
    """What the cache had to do with each."""
    return [response.headers.get("x-cache") for response in responses]


@pytest.fixture
async def warm(client: httpx2.AsyncClient) -> httpx2.AsyncClient:
    """A client of a server that hears what is written."""
    async with asyncio.timeout(5):
        while outcomes(await ask(client, "{ __typename }")) == ["BYPASS"]:
            await asyncio.sleep(0.01)
    return client


async def test_the_second_identical_question_is_answered_from_the_cache(warm: httpx2.AsyncClient) -> None:
    first, second = await ask(warm, STAGES), await ask(warm, STAGES)
    assert outcomes(first, second) == ["MISS", "HIT"]
    assert first.content == second.content
    assert first.headers["x-cache-key"] == second.headers["x-cache-key"]
    assert second.headers["x-response-time"].endswith("ms")
    assert int(second.headers["age"]) >= 0
    assert first.headers["cache-control"] == second.headers["cache-control"] == "public, no-cache"  # it is for everyone
    assert {"Accept", "Accept-Encoding", "Authorization"} <= set(second.headers["vary"].split(", "))
    assert second.headers["content-security-policy"] == first.headers["content-security-policy"]
    assert second.headers["x-request-id"] != first.headers["x-request-id"]


@pytest.mark.parametrize(
    ("query", "reuse_s", "good_s"),
    [
        ("{ stages { id } }", 90, 90),
        ("{ stages { id } }", 86_400, 3_600),
        ("{ deals { totalCount } }", 86_400, 120),
        ("{ stages { id } deals { totalCount } }", 86_400, 120),
    ],
)
async def test_an_answer_may_be_used_again_as_long_as_its_fields_are_good_where_that_is_allowed(
    database_url: str, valkey: EmbeddedValkey, query: str, reuse_s: float, good_s: int
) -> None:
    async with serving(settings_for(database_url, valkey, reuse_s=reuse_s)) as client:
        async with asyncio.timeout(5):
            while outcomes(answer := await ask(client, query)) == ["BYPASS"]:
                await asyncio.sleep(0.01)
        for each in (answer, await ask(client, query)):
            scope, _, most = each.headers["cache-control"].partition(", max-age=")
            # What is left of it, from now on: a client takes off how old the answer is.
            assert (scope, int(most) - int(each.headers["age"])) in [("public", good_s), ("public", good_s - 1)]


@pytest.mark.parametrize("cache_bytes", [64_000_000, 0], ids=["memory", "Redis"])
async def test_requests_that_come_together_are_answered_in_their_order(
    database_url: str, valkey: EmbeddedValkey, cache_bytes: int
) -> None:
    """Kept ones and others, heads alone, and one that is the last: each is answered once, and the line is then closed."""
    async with serving(settings_for(database_url, valkey, cache_bytes=cache_bytes)) as client:
        # What is in Redis is believed when no transaction of before is open, be it one that another test has left.
        async with asyncio.timeout(30):
            while outcomes(await ask(client, STAGES)) != ["HIT"]:
                await asyncio.sleep(0.01)
        path = "/graphql?query=" + quote(STAGES)
        kept = ["GET", "GET", "HEAD", "GET", "GET"]
        lines = [f"{method} {path} HTTP/1.1\r\nhost: x\r\naccept: {JSON}\r\ncontent-type: {JSON}\r\n" for method in kept]
        other = f"GET /graphql?query={quote('{ __typename }')} HTTP/1.1\r\nhost: x\r\ncontent-type: {JSON}\r\n"
        for _ in range(3):
            reader, writer = await asyncio.open_connection("127.0.0.1", client.base_url.port)
            writer.write("\r\n".join([*lines, other, lines[0] + "connection: close\r\n", ""]).encode())
            said = await reader.read()
            writer.close()
            await writer.wait_closed()
            heads = [each.partition(b"\r\n\r\n") for each in said.split(b"HTTP/1.1 ")[1:]]
            assert [head[:3] for head, _, _ in heads] == [b"200"] * 7
            answer, typename = b'{"data":{"stages":[]', b'{"data":{"__typename":"Query"}'
            starts = [answer, answer, b"", answer, answer, typename, answer]
            assert all(body.startswith(start) and bool(body) == bool(start) for (_, _, body), start in zip(heads, starts, strict=True))


async def test_however_a_question_is_put_it_has_one_answer(warm: httpx2.AsyncClient) -> None:
    variables = {"first": 3, "search": None}
    first = await ask(warm, DEALS, variables)
    turned = await ask(warm, DEALS, dict(reversed(variables.items())))
    strict = await ask(warm, DEALS, variables, accept=GRAPHQL)
    got = await warm.get(
        "/graphql", params={"query": DEALS, "variables": '{"search":null, "first":3}'}, headers={"content-type": JSON}
    )
    undeclared = await ask(warm, DEALS, variables | {"nobody": "asks for this"})
    assert outcomes(first, turned, strict, got, undeclared) == ["MISS", "HIT", "HIT", "HIT", "HIT"]
    assert strict.headers["content-type"] == f"{GRAPHQL}; charset=utf-8"
    assert got.headers["content-type"] == f"{JSON}; charset=utf-8"
    assert outcomes(await ask(warm, DEALS, {"first": 4})) == ["MISS"]


def test_requests_are_remembered_while_there_is_room_for_them() -> None:
    remembered, asked = Remembered(), Answered(b"key", b"application/json")
    long = [question_of("POST", b"/graphql", b"%d" % number + b" " * 16_000, [], EVERYONE) for number in range(1_100)]
    for each in (*long, *long):
        remembered.add(each, asked)
    there = [remembered.find(each) is not None for each in long]
    assert there == [False] * (len(long) - sum(there)) + [True] * sum(there)
    assert 990 < sum(there) <= 1_000
    remembered.clear()
    for each in long[:900]:
        remembered.add(each, asked)
    assert remembered.find(long[0])


async def test_a_client_that_has_the_answer_already_gets_none(warm: httpx2.AsyncClient) -> None:
    asked = {"params": {"operationName": "Stages"}}
    first = await warm.get("/graphql", **asked)  # type: ignore[arg-type]
    etag = first.headers["etag"]
    assert etag.startswith('"')
    for known in (etag, f'"other", {etag}', "*", f"W/{etag}"):
        again = await warm.get("/graphql", headers={"if-none-match": known}, **asked)  # type: ignore[arg-type]
        assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", etag)
        assert {"content-type", "content-encoding", "content-length"}.isdisjoint(again.headers)
        again = await warm.head("/graphql", headers={"if-none-match": known}, **asked)  # type: ignore[arg-type]
        assert (again.status_code, again.headers["etag"]) == (304, etag)
    other = await warm.get("/graphql", headers={"if-none-match": '"other"'}, **asked)  # type: ignore[arg-type]
    assert (other.status_code, other.content) == (200, first.content)


async def test_who_asks_with_a_validator_after_one_without_gets_no_head_of_a_body(warm: httpx2.AsyncClient) -> None:
    asked = {"operationName": "Stages"}
    found = [await warm.get("/graphql", params=asked) for _ in range(3)]  # made, found, and found by the shortest way
    there = await warm.get("/graphql", params=asked, headers={"if-none-match": found[0].headers["etag"]})
    again = await warm.get("/graphql", params=asked)
    assert [each.status_code for each in (*found, there, again)] == [200, 200, 200, 304, 200]
    assert again.content == found[0].content


async def test_a_head_by_who_has_the_answer_is_told_so_as_a_get_is(warm: httpx2.AsyncClient) -> None:
    asked = {"query": "{ stages { name } }"}
    etag = (await warm.get("/graphql", params=asked, headers={"content-type": JSON})).headers["etag"]
    there = await warm.head("/graphql", params=asked, headers={"content-type": JSON, "if-none-match": etag})
    assert (there.status_code, there.headers["etag"]) == (304, etag)


async def test_a_post_is_answered_whatever_the_client_has(warm: httpx2.AsyncClient) -> None:
    for _ in range(3):  # made, found, and found by the shortest way
        answer = await ask(warm, STAGES, if_none_match="*")
        assert (answer.status_code, answer.json()["data"]) == (200, {"stages": []})


async def test_a_write_ends_the_answer_and_its_validator(warm: httpx2.AsyncClient, crm: Crm) -> None:
    first = await ask(warm, STAGES)
    await crm.stage("New")
    async with asyncio.timeout(5):
        while (told := await ask(warm, STAGES)).content == first.content:
            await asyncio.sleep(0.005)
    assert told.json()["data"]["stages"][0]["name"] == "New"
    assert told.headers["etag"] != first.headers["etag"]


async def test_each_coding_has_a_validator_of_its_own_and_the_same_text(warm: httpx2.AsyncClient, crm: Crm) -> None:
    for number in range(100):
        await crm.user(f"User {number}")
    await asyncio.sleep(0.2)
    plain = await ask(warm, PEOPLE, accept_encoding="identity")
    found = {}
    for accepted, coding in (
        ("br", "br"),
        ("gzip", "gzip"),
        ("br;q=0, gzip", "gzip"),
        ("gzip;q=0.5, br", "br"),
        ("*;q=0", None),
        ("zstd", None),
    ):
        async with warm.stream("POST", "/graphql", json={"query": PEOPLE}, headers={"accept-encoding": accepted}) as response:
            raw = b"".join([part async for part in response.aiter_raw()])
        assert response.headers.get("content-encoding") == coding
        assert int(response.headers["content-length"]) == len(raw)
        text = brotli.decompress(raw) if coding == "br" else gzip.decompress(raw) if coding == "gzip" else raw
        assert text == plain.content
        found[coding] = response.headers["etag"]
    assert len(set(found.values())) == 3


async def test_a_client_may_ask_for_an_answer_that_is_made_now(warm: httpx2.AsyncClient) -> None:
    await ask(warm, STAGES)
    by_header = await ask(warm, STAGES, cache_control="no-cache")
    refreshing = {"query": STAGES, "extensions": {"refresh": True}}
    by_extension = [await warm.post("/graphql", json=refreshing) for _ in range(3)]
    assert outcomes(by_header, *by_extension, await ask(warm, STAGES)) == ["MISS", *["MISS"] * 3, "HIT"]


async def test_in_whatever_case_that_is_said_an_answer_is_made_now(warm: httpx2.AsyncClient) -> None:
    await ask(warm, STAGES)
    long = f"{STAGES} #{' ' * LONGEST_BODY}"  # not by the shortest way
    await ask(warm, long)
    for query in (STAGES, long):
        assert outcomes(await ask(warm, query), await ask(warm, query, cache_control="No-Cache")) == ["HIT", "MISS"]


async def test_each_operation_of_a_document_has_an_answer_of_its_own(warm: httpx2.AsyncClient) -> None:
    both = "query First { stages { id } } query Second { deals { totalCount } }"
    for _ in range(3):
        for name, field in (("First", "stages"), ("Second", "deals")):
            answer = await warm.post("/graphql", json={"query": both, "operationName": name})
            assert list(answer.json()["data"]) == [field]


async def test_what_another_site_can_send_unnoticed_is_refused_though_the_same_was_answered_before(warm: httpx2.AsyncClient) -> None:
    text = b'{"query": "{ stages { name id } }"}'
    for media_type, status in ((JSON, 200), (JSON, 200), ("text/plain", 415), (None, 415), (JSON, 200)):
        answer = await warm.post("/graphql", content=text, headers={} if media_type is None else {"content-type": media_type})
        assert answer.status_code == status
    for header in ({"apollo-require-preflight": "1"}, {}):
        answer = await warm.get("/graphql", params={"query": STAGES}, headers=header)
        assert answer.status_code == (200 if header else 400)


async def test_servers_of_two_databases_may_share_one_redis(
    warm: httpx2.AsyncClient, empty: httpx2.AsyncClient, crm: Crm
) -> None:
    await crm.stage("Lead")
    asked = {"query": "{ stages { name position color } }"}
    assert (await warm.post("/graphql", json=asked)).json()["data"]["stages"]
    async with asyncio.timeout(5):  # the stage may be heard of after the first answer, which is none for long then
        while (await warm.post("/graphql", json=asked)).headers["x-cache"] != "HIT":
            await asyncio.sleep(0.01)
    assert (await empty.post("/graphql", json=asked)).json()["data"] == {"stages": []}


async def test_servers_whose_cursors_have_other_keys_may_share_one_redis(
    database_url: str, valkey: EmbeddedValkey, crm: Crm
) -> None:
    """As while keys are rotated: no server hands on a cursor, of another, that it could not read itself."""
    for number in range(3):
        await crm.user(f"User {number}")
    page = "query ($after: String) { users(first: 1, after: $after) { edges { node { name } } pageInfo { endCursor } } }"
    old, new = "5e" * 32, "6f" * 32
    before, after = settings_for(database_url, valkey, cursor_keys=old), settings_for(database_url, valkey, cursor_keys=f"{new},{old}")
    async with serving(before) as one, serving(after) as other:
        for client in (other, one):
            async with asyncio.timeout(5):
                while outcomes(first := await ask(client, page)) == ["BYPASS"]:
                    await asyncio.sleep(0.01)
            cursor = first.json()["data"]["users"]["pageInfo"]["endCursor"]
            found = (await ask(client, page, {"after": cursor})).json()
            assert found["data"]["users"]["edges"] == [{"node": {"name": "User 1"}}]


async def test_errors_mutations_and_what_is_personal_are_never_kept(warm: httpx2.AsyncClient) -> None:
    for query in ("{ deals(first: 101) { totalCount } }", "{ viewer { subject } }"):
        assert outcomes(await ask(warm, query), await ask(warm, query)) == ["BYPASS", "BYPASS"]
    mutation = 'mutation { restore(id: "x") { errors { message } } }'
    for _ in range(2):
        answer = await ask(warm, mutation)
        assert (answer.headers.get("x-cache"), answer.headers["cache-control"]) == (None, "no-store")
        assert {"Accept", "Authorization", "Origin"} <= set(answer.headers["vary"].split(", "))


async def test_a_crowd_that_asks_the_same_at_a_cold_moment_costs_one_execution(warm: httpx2.AsyncClient) -> None:
    await asyncio.gather(*(ask(warm, "query Crowd { pipelineStats { total } }") for _ in range(200)))
    detailed = (await warm.get("/api/health", params={"detailed": "true"})).json()["responses"]
    counted = detailed["documents"]["Crowd"]
    assert (counted["made"], counted["hits"] + counted["misses"]) == (1, 200)
    assert detailed["entries"] >= 1
    assert detailed["hearing"] is True


@pytest.fixture
async def mortal(tmp_path: Path) -> AsyncIterator[EmbeddedPostgres]:
    """A PostgreSQL that may be stopped."""
    server = EmbeddedPostgres(tmp_path)
    server.start()
    await migrate(server.url)
    yield server
    server.stop()


@pytest.mark.parametrize("may_be_stale", [True, False])
async def test_without_the_database_a_stale_answer_is_served_only_if_that_is_wanted_and_says_so(
    mortal: EmbeddedPostgres, valkey: EmbeddedValkey, may_be_stale: bool
) -> None:
    async with serving(settings_for(mortal.url, valkey, stale_if_error_s=60 if may_be_stale else 0)) as client:
        async with asyncio.timeout(5):
            while outcomes(await ask(client, STAGES)) != ["HIT"]:
                await asyncio.sleep(0.01)
        assert outcomes(await client.get("/api/stages")) in (["HIT"], ["MISS"])
        mortal.stop()
        await asyncio.sleep(0.2)
        answer = await ask(client, STAGES)
        if may_be_stale:
            assert (answer.status_code, outcomes(answer)) == (200, ["STALE"])
            assert answer.json()["data"] == {"stages": []}
            assert answer.json()["extensions"]["cache"]["status"] == "STALE"
            assert int(answer.headers["age"]) >= 0
            assert answer.headers["cache-control"] == "no-store"
            rest = await client.get("/api/stages")
            assert (rest.status_code, outcomes(rest), rest.json()["metadata"]["cached"]) == (200, ["STALE"], True)
            assert (rest.headers["cache-control"], rest.headers.get("etag")) == ("no-store", None)
        else:
            assert answer.status_code == 503
        mortal.start()
        async with asyncio.timeout(10):
            while outcomes(await ask(client, STAGES)) != ["HIT"]:
                await asyncio.sleep(0.05)


async def test_a_table_that_is_emptied_and_figures_that_are_put_right_end_the_answers(
    warm: httpx2.AsyncClient, crm: Crm, sql: "asyncpg.Connection[asyncpg.Record]", database_url: str
) -> None:
    owner, stage = await crm.user(), await crm.stage()
    await crm.deal(owner, stage, "One", value=10)
    count, total = "{ activities { totalCount } deals { totalCount } }", "{ pipelineStats { pipelineValue } }"

    async def answer(query: str) -> Any:
        return (await ask(warm, query)).json()["data"]

    async def until(query: str, expected: Any) -> None:
        async with asyncio.timeout(5):
            while await answer(query) != expected or outcomes(await ask(warm, query)) != ["HIT"]:
                await asyncio.sleep(0.01)

    await until(count, {"activities": {"totalCount": 0}, "deals": {"totalCount": 1}})
    await until(total, {"pipelineStats": {"pipelineValue": 10.0}})
    await sql.execute("alter table deal disable trigger user; update deal set value = 20; alter table deal enable trigger user")
    await recount(database_url)
    await until(total, {"pipelineStats": {"pipelineValue": 20.0}})
    await sql.execute("truncate deal cascade")
    await until(count, {"activities": {"totalCount": 0}, "deals": {"totalCount": 0}})


async def test_what_the_clock_alone_changes_is_kept_no_longer(warm: httpx2.AsyncClient, crm: Crm) -> None:
    owner = await crm.user()
    soon, old = await crm.company(owner), await crm.company(owner)
    second = timedelta(seconds=1)
    month_ago = datetime.now(UTC) - timedelta(days=30)
    await crm.activity(owner, "CALL", company_id=soon, occurred_at=datetime.now(UTC) + second)
    await crm.activity(owner, "CALL", company_id=old, occurred_at=month_ago + second)
    await crm.contact(owner, created_at=month_ago + second)
    # What changes later on is not what an answer waits for.
    await crm.activity(owner, "CALL", company_id=soon, occurred_at=datetime.now(UTC) + timedelta(hours=1))
    await crm.contact(owner, company_id=soon)
    queries = {
        f'{{ company(id: "{soon}") {{ analytics {{ activityCount30d }} }} }}': {"company": {"analytics": {"activityCount30d": 1}}},
        f'{{ company(id: "{old}") {{ analytics {{ activityCount30d }} }} }}': {"company": {"analytics": {"activityCount30d": 0}}},
        "{ contactStats { newLast30Days } }": {"contactStats": {"newLast30Days": 1}},
        "{ dashboard { recent { activities { company { id } } } } }": {
            "dashboard": {"recent": {"activities": [{"company": {"id": str(soon)}}, {"company": {"id": str(old)}}]}}
        },
    }
    for query in queries:  # as it is now, which is kept
        await ask(warm, query)
    for query, expected in queries.items():
        async with asyncio.timeout(5):
            while (await ask(warm, query)).json()["data"] != expected:
                await asyncio.sleep(0.02)
