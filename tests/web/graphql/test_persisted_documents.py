"""Documents asked for by an id, a hash or a name; Apollo's automatic persisted queries, every row of their table."""

import hashlib
from pathlib import Path
from typing import Any

import httpx2
import orjson
import pytest

from cache.embedded import EmbeddedValkey
from cache.persisted import AUTOMATIC, RegisteredDocuments
from cache.redis import RedisCache
from schema.documents import FOLDER
from schema.operation import document_id
from tests.crm import Crm
from tests.web.conftest import GRAPHQL, JSON, serving, settings_for

STAGES = (FOLDER / "Stages.graphql").read_bytes().decode()
STAGES_ID = document_id(STAGES)
NO_STAGES: dict[str, Any] = {
    "data": {"stages": []},
    "extensions": {"cost": {"requestedQueryCost": 10, "actualQueryCost": 0}},
}
NOT_KEPT = "private, no-cache, must-revalidate"
UNKNOWN = f"sha256:{'0' * 64}"
MUTATION = "mutation M { restore(id: \"x\") { errors { code } } }"


def sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def hashed(text: str, **more: Any) -> dict[str, Any]:
    """A request that names a text by its hash, as Apollo's clients write it."""
    return {"extensions": {"persistedQuery": {"version": 1, "sha256Hash": sha256(text)}}, **more}


async def post(client: httpx2.AsyncClient, asked: Any, path: str = "/graphql", **headers: str) -> httpx2.Response:
    return await client.post(path, json=asked, headers=headers)


async def get(client: httpx2.AsyncClient, asked: dict[str, Any], path: str = "/graphql", **headers: str) -> httpx2.Response:
    """The same request by GET, as GraphQL over HTTP writes it."""
    encoded = {name: value if isinstance(value, str) else orjson.dumps(value).decode() for name, value in asked.items()}
    return await client.get(path, params=encoded, headers=headers)


def code(response: httpx2.Response) -> str:
    assert response.json().keys() == {"errors"}
    (error,) = response.json()["errors"]
    return str(error["extensions"]["code"])


def ways() -> list[dict[str, Any]]:
    """Every way to name the document of stages without its text."""
    shorter = STAGES.rstrip("\n")
    return [
        {"documentId": STAGES_ID},
        {"id": STAGES_ID},
        {"doc_id": STAGES_ID},
        {"documentId": document_id(shorter)},
        {"documentId": sha256(STAGES)},
        hashed(STAGES),
        hashed(shorter),
        {"operationName": "Stages"},
        {"documentId": STAGES_ID, "operationName": "Stages", "variables": {}, "extensions": {}},
        {"documentId": STAGES_ID, "operationName": None, "variables": None, "extensions": None},
    ]


@pytest.mark.parametrize("asked", ways(), ids=lambda asked: repr(asked)[:50])
async def test_a_trusted_document_is_found_by_every_one_of_its_names(
    empty: httpx2.AsyncClient, asked: dict[str, Any]
) -> None:
    by_get = {name: value for name, value in asked.items() if value is not None}
    for response in (await post(empty, asked), await post(empty, asked | {"unknown": 1}), await get(empty, by_get)):
        assert (response.status_code, response.json()) == (200, NO_STAGES)
    browser = await get(empty, by_get, accept="text/html,*/*;q=0.8")
    if "query" in by_get:  # a link to a query opens it in the page
        assert browser.headers["content-type"] == "text/html; charset=utf-8"
    else:
        assert browser.json() == NO_STAGES


async def test_a_trusted_document_has_an_address_of_its_own(empty: httpx2.AsyncClient) -> None:
    for name in (STAGES_ID, sha256(STAGES), document_id(STAGES.rstrip("\n"))):
        path = f"/graphql/{name}"
        browser = {"accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"}
        assert (await get(empty, {}, path, **browser)).json() == NO_STAGES
        assert (await post(empty, {}, path)).json() == NO_STAGES
        assert (await post(empty, {"documentId": name, "operationName": "Stages"}, path)).json() == NO_STAGES
        other = await post(empty, {"documentId": UNKNOWN}, path)
        assert (other.status_code, code(other)) == (400, "BAD_REQUEST")
        both = await post(empty, {"query": STAGES}, path)
        assert (both.status_code, code(both)) == (400, "CANNOT_SEND_PQ_ID_AND_BODY")


async def test_a_browser_that_opens_the_address_of_a_document_gets_its_answer(empty: httpx2.AsyncClient) -> None:
    accept = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"
    answer = await empty.get(f"/graphql/{STAGES_ID}", headers={"accept": accept})
    assert (answer.status_code, answer.json()["data"]) == (200, {"stages": []})


async def test_variables_go_with_an_id_however_it_is_sent(client: httpx2.AsyncClient, crm: Crm) -> None:
    owner = await crm.user()
    company = await crm.company(owner, "Acme")
    path = f"/graphql/{document_id((FOLDER / 'Company.graphql').read_text('utf-8'))}"
    variables = {"variables": {"id": str(company), "deals": 1}}
    named = {"operationName": "Company", **variables}
    for response in (await get(client, variables, path), await post(client, variables, path), await get(client, named)):
        assert response.json()["data"]["company"]["name"] == "Acme"


async def test_every_trusted_document_runs(client: httpx2.AsyncClient, crm: Crm) -> None:
    owner, stage = await crm.user(), await crm.stage()
    company = await crm.company(owner)
    deal = await crm.deal(owner, stage, company_id=company)
    await crm.activity(owner, "TASK", "Call", deal_id=deal)
    given: dict[str, dict[str, Any]] = {
        "Dashboard": {"ownerId": str(owner)},
        "Company": {"id": str(company)},
        "CompanyAnalytics": {"id": str(company)},
        "CompanyDealsSummary": {"id": str(company)},
        "Deal": {"id": str(deal)},
        "BulkUpdateDeals": {"operation": "DELETE", "dealIds": [str(deal)], "dryRun": True},
    }
    for path in sorted(FOLDER.glob("*.graphql")):
        is_list = path.stem in ("Companies", "Deals", "Contacts", "Activities")
        variables = {"first": 1, "withCount": True} if is_list else given.get(path.stem, {})
        response = await post(client, {"operationName": path.stem, "variables": variables})
        assert response.status_code == 200
        assert response.json().keys() == {"data", "extensions"}, (path.stem, response.text)
        assert None not in response.json()["data"].values(), path.stem


async def test_a_name_that_no_trusted_document_has_is_told_with_one_error_that_nothing_keeps(
    empty: httpx2.AsyncClient,
) -> None:
    asked: list[dict[str, Any]] = [{"documentId": name} for name in (UNKNOWN, "0" * 64, "no-such", "a b", "ä", "x" * 300, "sha256:" + sha256(STAGES).upper())]
    asked += [{"operationName": "NoSuch"}, {"operationName": "stages"}, {"id": "no-such"}]
    for each in asked:
        for media_type in (GRAPHQL, JSON):
            for response in (await post(empty, each, accept=media_type), await get(empty, each, accept=media_type)):
                assert (response.status_code, code(response)) == (404, "PERSISTED_QUERY_NOT_IN_LIST"), each
                assert response.headers["cache-control"] == NOT_KEPT
                assert response.headers["content-type"] == f"{media_type}; charset=utf-8"
    assert code(await empty.get("/graphql/no-such")) == "PERSISTED_QUERY_NOT_IN_LIST"


async def test_an_id_and_a_text_are_not_sent_together(empty: httpx2.AsyncClient) -> None:
    response = await post(empty, {"documentId": STAGES_ID, "query": STAGES})
    assert (response.status_code, code(response)) == (400, "CANNOT_SEND_PQ_ID_AND_BODY")
    assert response.headers["cache-control"] == NOT_KEPT
    for name in ("id", "doc_id"):
        assert (await post(empty, {name: "anything", "query": STAGES})).json() == NO_STAGES


@pytest.mark.parametrize(
    "asked", [{"documentId": 1}, {"documentId": ["x"]}, {"documentId": ""}, {"id": 7}, {"id": ""}, {"operationName": ""}]
)
async def test_what_is_no_name_of_a_document_is_no_request(empty: httpx2.AsyncClient, asked: dict[str, Any]) -> None:
    for media_type, status in ((GRAPHQL, 422), (JSON, 400)):
        response = await post(empty, asked, accept=media_type)
        assert (response.status_code, code(response)) == (status, "BAD_REQUEST")


async def test_an_operation_that_the_document_does_not_have_is_not_run(empty: httpx2.AsyncClient) -> None:
    response = await post(empty, {"documentId": STAGES_ID, "operationName": "Deals"})
    assert code(response) == "OPERATION_RESOLUTION_FAILURE"


async def test_a_hash_or_an_id_needs_no_header_and_a_text_does(empty: httpx2.AsyncClient, redis: RedisCache) -> None:
    text = "query Free { stages { id } }"
    await post(empty, hashed(text, query=text))
    for asked in ({"documentId": STAGES_ID}, hashed(STAGES), hashed(text), {"operationName": "Stages"}):
        assert (await get(empty, asked)).json() == NO_STAGES
        refused = await get(empty, asked, **{"content-type": "text/plain"})
        assert (refused.status_code, code(refused)) == (415, "UNSUPPORTED_MEDIA_TYPE")
    for asked in (hashed(text, query=text), {"query": STAGES}):
        blocked = await get(empty, asked)
        assert (blocked.status_code, code(blocked)) == (400, "BAD_REQUEST")
        assert (await get(empty, asked, **{"apollo-require-preflight": "1"})).json() == NO_STAGES


async def test_a_mutation_does_not_run_by_get_whatever_names_it(empty: httpx2.AsyncClient, redis: RedisCache) -> None:
    variables = {"variables": {"operation": "DELETE", "dealIds": []}}
    await post(empty, hashed(MUTATION, query=MUTATION))
    bulk = document_id((FOLDER / "BulkUpdateDeals.graphql").read_text("utf-8"))
    for response in (
        await get(empty, variables, f"/graphql/{bulk}"),
        await get(empty, {"operationName": "BulkUpdateDeals", **variables}),
        await get(empty, hashed(MUTATION)),
    ):
        assert (response.status_code, response.headers["allow"], code(response)) == (405, "POST", "METHOD_NOT_ALLOWED")


async def test_a_text_is_registered_with_its_hash_and_found_by_it(empty: httpx2.AsyncClient, redis: RedisCache) -> None:
    text = "query Mine($n: Int) { deals(first: $n) { edges { cursor } } }  # ü"
    for media_type in (GRAPHQL, JSON):
        missing = await post(empty, hashed(text), accept=media_type)
        assert missing.status_code == 200
        assert missing.json() == {
            "errors": [{"message": "PersistedQueryNotFound", "extensions": {"code": "PERSISTED_QUERY_NOT_FOUND"}}]
        }
        assert missing.headers["cache-control"] == NOT_KEPT
    found: dict[str, Any] = {"deals": {"edges": []}}
    assert (await post(empty, hashed(text, query=text, variables={"n": 1}))).json()["data"] == found
    for response in (await post(empty, hashed(text, variables={"n": 1})), await get(empty, hashed(text, variables={"n": 1}))):
        assert response.json()["data"] == found
    assert await redis.client.get(AUTOMATIC + sha256(text)) == text.encode()
    assert 86_000 < await redis.client.ttl(AUTOMATIC + sha256(text)) <= 86_400


@pytest.mark.parametrize(
    ("persisted", "query", "status", "message", "expected"),
    [
        ({"version": 1, "sha256Hash": "0" * 64}, STAGES, 400, "provided sha does not match query", "PERSISTED_QUERY_HASH_MISMATCH"),
        ({"version": 1, "sha256Hash": sha256(STAGES).upper()}, STAGES, 400, "provided sha does not match query", "PERSISTED_QUERY_HASH_MISMATCH"),
        ({"version": 1, "sha256Hash": sha256(STAGES)}, STAGES + " ", 400, "provided sha does not match query", "PERSISTED_QUERY_HASH_MISMATCH"),
        ({"version": 1, "sha256Hash": sha256(STAGES).upper()}, None, 200, "PersistedQueryNotFound", "PERSISTED_QUERY_NOT_FOUND"),
        ({"version": 2, "sha256Hash": sha256(STAGES)}, None, 400, "Unsupported persisted query version", "BAD_REQUEST"),
        ({"version": "1", "sha256Hash": sha256(STAGES)}, STAGES, 400, "Unsupported persisted query version", "BAD_REQUEST"),
        ({"version": True, "sha256Hash": sha256(STAGES)}, None, 400, "Unsupported persisted query version", "BAD_REQUEST"),
        ({"sha256Hash": sha256(STAGES)}, None, 400, "Unsupported persisted query version", "BAD_REQUEST"),
        ({"version": 1}, None, 422, "`sha256Hash` must be a string.", "BAD_REQUEST"),
        ({"version": 1, "sha256Hash": 5}, STAGES, 422, "`sha256Hash` must be a string.", "BAD_REQUEST"),
        ([], STAGES, 422, "`persistedQuery` must be an object.", "BAD_REQUEST"),
        (None, None, 422, "GraphQL operations must contain a non-empty `query` or a `persistedQuery` extension.", "BAD_REQUEST"),
    ],
    ids=lambda value: repr(value)[:40],
)  # fmt: skip
async def test_a_hash_that_cannot_be_taken_says_why(
    empty: httpx2.AsyncClient, redis: RedisCache, persisted: Any, query: str | None, status: int, message: str, expected: str
) -> None:
    response = await post(empty, {"query": query, "extensions": {"persistedQuery": persisted}}, accept=GRAPHQL)
    assert (response.status_code, code(response)) == (status, expected)
    assert response.json()["errors"][0]["message"] == message
    assert await redis.client.keys(f"{AUTOMATIC}*") == []


@pytest.mark.parametrize(
    "text", ["{ stages { id }", "{ nothing }", "query A { __typename } query B { __typename }", "{ stages { id } }" + " " * 1_000]
)
async def test_only_a_document_that_could_run_and_is_not_too_long_is_registered(
    url_without_a_row: str, valkey: EmbeddedValkey, redis: RedisCache, text: str
) -> None:
    async with serving(settings_for(url_without_a_row, valkey, apq_document_bytes=1_000)) as client:
        response = await post(client, hashed(text, query=text))
        assert "errors" in response.json() or response.json() == NO_STAGES
        assert code(await post(client, hashed(text))) == "PERSISTED_QUERY_NOT_FOUND"
        assert await redis.client.keys(f"{AUTOMATIC}*") == []


async def test_what_one_server_registers_another_knows_also_after_a_restart(
    url_without_a_row: str, valkey: EmbeddedValkey, redis: RedisCache
) -> None:
    text = "query Shared { stages { id } }"
    settings = settings_for(url_without_a_row, valkey)
    async with serving(settings) as one, serving(settings) as two:
        await post(one, hashed(text, query=text))
        assert (await post(two, hashed(text))).json() == NO_STAGES
    async with serving(settings) as again:
        assert (await post(again, hashed(text))).json() == NO_STAGES
    await redis.client.flushall()
    async with serving(settings) as again:
        assert code(await post(again, hashed(text))) == "PERSISTED_QUERY_NOT_FOUND"


async def test_without_redis_a_server_registers_and_answers_from_memory(
    url_without_a_row: str, valkey: EmbeddedValkey, tmp_path: Path
) -> None:
    text = "query Alone { stages { id } }"
    async with serving(settings_for(url_without_a_row, valkey, redis_url=f"unix://{tmp_path}/nobody.sock")) as client:
        assert code(await post(client, hashed(text))) == "PERSISTED_QUERY_NOT_FOUND"
        for asked in (hashed(text, query=text), hashed(text), {"documentId": STAGES_ID}, hashed(STAGES)):
            assert (await post(client, asked)).json() == NO_STAGES
        assert code(await post(client, {"documentId": UNKNOWN})) == "PERSISTED_QUERY_NOT_IN_LIST"


async def test_a_server_that_registers_nothing_says_so_and_knows_its_trusted_documents(
    url_without_a_row: str, valkey: EmbeddedValkey, redis: RedisCache
) -> None:
    text = "query Off { stages { id } }"
    async with serving(settings_for(url_without_a_row, valkey, apq=False)) as client:
        for asked in (hashed(text), hashed(text, query=text)):
            response = await post(client, asked, accept=JSON)
            assert response.status_code == 200
            assert response.json() == {
                "errors": [{"message": "PersistedQueryNotSupported", "extensions": {"code": "PERSISTED_QUERY_NOT_SUPPORTED"}}]
            }
            assert response.headers["cache-control"] == NOT_KEPT
        for asked in (hashed(STAGES), hashed(STAGES, query=STAGES), {"query": text}):
            assert (await post(client, asked)).json() == NO_STAGES
        assert await redis.client.keys(f"{AUTOMATIC}*") == []


async def test_what_is_registered_in_redis_is_known_at_the_start_and_found_when_it_is_added_later(
    url_without_a_row: str, valkey: EmbeddedValkey, redis: RedisCache
) -> None:
    registered = RegisteredDocuments(redis.client)
    early, late = "query Early { stages { id } }", "query Late { stages { id } }"
    await registered.add({"early-1": early.encode(), document_id(early): early.encode(), "wrong": b"{ nothing }"})
    async with serving(settings_for(url_without_a_row, valkey)) as client:
        for asked in ({"documentId": "early-1"}, {"documentId": document_id(early)}, hashed(early), {"operationName": "Early"}):
            assert (await post(client, asked)).json() == NO_STAGES
        assert code(await post(client, {"documentId": "wrong"})) == "GRAPHQL_VALIDATION_FAILED"
        assert code(await post(client, {"documentId": "late-1"})) == "PERSISTED_QUERY_NOT_IN_LIST"
        await registered.add({"late-1": late.encode(), document_id(late): late.encode()})
        for asked in ({"documentId": "late-1"}, hashed(late), {"operationName": "Late"}):
            assert (await post(client, asked)).json() == NO_STAGES
        assert (await client.get("/graphql/late-1")).json() == NO_STAGES


async def test_an_answer_that_is_nested_more_than_can_be_written_is_told_as_that(
    database_url: str, valkey: EmbeddedValkey, redis: RedisCache, crm: Crm
) -> None:
    owner = await crm.user()
    await crm.deal(owner, await crm.stage(), "Deep", company_id=await crm.company(owner))
    texts = ["query Deep { deals { edges { node { " + "company { deals { " * times + "id" + " } }" * times + " } } } }" for times in (50, 88)]
    await RegisteredDocuments(redis.client).add({document_id(text): text.encode() for text in texts})
    async with serving(settings_for(database_url, valkey)) as client:
        written, deeper = [await post(client, hashed(text)) for text in texts]
    assert (written.status_code, written.json().keys()) == (200, {"data", "extensions"})
    assert (deeper.status_code, code(deeper)) == (400, "BAD_USER_INPUT")
    assert "254 levels" in deeper.text
