"""What may run here: anything, anything with a line in the log, or trusted documents and nothing else."""

from collections.abc import AsyncIterator
from typing import Any

import httpx2
import pytest
from structlog.testing import capture_logs

from cache.embedded import EmbeddedValkey
from cache.persisted import AUTOMATIC, AutomaticDocuments, RegisteredDocuments
from cache.redis import RedisCache
from core.settings import Settings
from core.viewer import EVERYONE
from schema.build import build_schema
from schema.documents import TrustedDocuments
from schema.operation import Document, Executable, document_id
from tests.viewers import reader
from tests.web.conftest import GRAPHQL, JSON, serving, settings_for
from tests.web.graphql.test_persisted_documents import NO_STAGES, NOT_KEPT, STAGES, STAGES_ID, code, get, hashed, post
from web.graphql import document as module
from web.graphql.document import Documents
from web.graphql.document_errors import IntrospectionForbidden, NotInList, NotInSafelist
from web.graphql.request import GraphQLRequest

INTROSPECTION = "query IntrospectionQuery { __schema { types { ...T } } __typename } fragment T on __Type { name }"


@pytest.fixture(scope="module")
async def closed(url_without_a_row: str, valkey: EmbeddedValkey) -> AsyncIterator[httpx2.AsyncClient]:
    """A client of a server that runs trusted documents only."""
    async with serving(settings_for(url_without_a_row, valkey, documents="trusted-only", batch_most=5)) as client:
        yield client


def documents(redis: RedisCache, **settings: object) -> Documents:
    """What finds documents in a server with these settings."""
    executable = Executable(build_schema())
    given = Settings.model_validate({"cursor_keys": "5e" * 32, **settings})
    automatic = AutomaticDocuments(redis.client, ttl_s=60, most_bytes=100_000)
    return Documents(executable, TrustedDocuments(executable), RegisteredDocuments(redis.client), automatic, given)


async def test_a_trusted_document_runs_by_every_name_and_by_its_exact_text(closed: httpx2.AsyncClient) -> None:
    for asked in (
        {"documentId": STAGES_ID},
        hashed(STAGES),
        hashed(STAGES, query=STAGES),
        {"operationName": "Stages"},
        {"query": STAGES},
        {"query": STAGES.rstrip("\n"), "operationName": "Stages"},
    ):
        assert (await post(closed, asked)).json() == NO_STAGES
    assert (await get(closed, {}, f"/graphql/{STAGES_ID}")).json() == NO_STAGES
    assert (await get(closed, {"query": STAGES}, **{"content-type": JSON})).json() == NO_STAGES


@pytest.mark.parametrize(
    ("asked", "status", "expected"),
    [
        ({"query": "{ stages { id } }"}, 403, "QUERY_NOT_IN_SAFELIST"),
        ({"query": STAGES + "\n"}, 403, "QUERY_NOT_IN_SAFELIST"),
        ({"query": STAGES.replace("id", "id ")}, 403, "QUERY_NOT_IN_SAFELIST"),
        ({"query": STAGES + "mutation M { __typename }", "operationName": "Stages"}, 403, "QUERY_NOT_IN_SAFELIST"),
        ({"query": "{ not graphql"}, 403, "QUERY_NOT_IN_SAFELIST"),
        ({"query": INTROSPECTION}, 403, "QUERY_NOT_IN_SAFELIST"),
        ({"query": "{ __typename }"}, 403, "QUERY_NOT_IN_SAFELIST"),
        (hashed("{ a }", query="{ a }"), 403, "QUERY_NOT_IN_SAFELIST"),
        (hashed("{ a }", query=STAGES), 400, "PERSISTED_QUERY_HASH_MISMATCH"),
        (hashed("{ a }"), 404, "PERSISTED_QUERY_NOT_IN_LIST"),
        ({"documentId": "x"}, 404, "PERSISTED_QUERY_NOT_IN_LIST"),
        ({"operationName": "X"}, 404, "PERSISTED_QUERY_NOT_IN_LIST"),
        ({"documentId": STAGES_ID, "query": STAGES}, 400, "CANNOT_SEND_PQ_ID_AND_BODY"),
        ({}, 400, "PERSISTED_QUERY_ID_REQUIRED"),
        ({"query": ""}, 400, "PERSISTED_QUERY_ID_REQUIRED"),
    ],
    ids=lambda value: repr(value)[:60],
)
async def test_nothing_else_runs(
    closed: httpx2.AsyncClient, redis: RedisCache, asked: dict[str, Any], status: int, expected: str
) -> None:
    for media_type in (GRAPHQL, JSON):
        by_post = await post(closed, asked, accept=media_type)
        by_get = await get(closed, asked, **{"accept": media_type, "content-type": JSON})
        for response in (by_post, by_get):
            assert (response.status_code, code(response)) == (status, expected)
            final = expected in ("PERSISTED_QUERY_ID_REQUIRED", "PERSISTED_QUERY_HASH_MISMATCH")
            assert (response.headers["cache-control"] == NOT_KEPT) is not final
    assert await redis.client.keys(f"{AUTOMATIC}*") == []


async def test_nothing_else_runs_in_an_array_or_at_an_address_either(closed: httpx2.AsyncClient) -> None:
    response = await post(closed, [{"documentId": STAGES_ID}, {"query": "{ __typename }"}])
    assert response.json()[0] == NO_STAGES
    assert response.json()[1]["errors"][0]["extensions"]["code"] == "QUERY_NOT_IN_SAFELIST"
    assert code(await post(closed, {"query": "{ stages { id } }"}, f"/graphql/{STAGES_ID}")) == "CANNOT_SEND_PQ_ID_AND_BODY"


async def test_the_exact_text_of_a_document_that_was_registered_later_runs(closed: httpx2.AsyncClient, redis: RedisCache) -> None:
    text = "query Registered { stages { id } }"
    assert code(await post(closed, {"query": text})) == "QUERY_NOT_IN_SAFELIST"
    await RegisteredDocuments(redis.client).add({document_id(text): text.encode()})
    assert (await post(closed, {"query": text})).json() == NO_STAGES


async def test_who_may_explore_runs_anything_where_only_trusted_documents_run(redis: RedisCache) -> None:
    closed = documents(redis, documents="trusted-only")
    for text in (INTROSPECTION, "{ __typename stages { id } }"):
        assert (await closed.find(GraphQLRequest(text), EVERYONE)).errors == ()
        with pytest.raises(NotInSafelist):
            await closed.find(GraphQLRequest(text), reader())
    hashes = GraphQLRequest(INTROSPECTION, sha256=document_id(INTROSPECTION).removeprefix("sha256:"))
    await closed.accept(hashes, await closed.find(hashes, EVERYONE))
    assert await redis.client.keys(f"{AUTOMATIC}*") == []  # what an explorer tries is registered for nobody


async def test_the_schema_is_hidden_from_who_may_not_explore_where_anything_runs(redis: RedisCache) -> None:
    for mode in ("open", "log-unknown"):
        found = documents(redis, documents=mode)
        for text in (
            INTROSPECTION, "{ stages { id } a: __type(name: \"Deal\") { name } }", "{ ...F } fragment F on Query { ... { __schema { description } } }",
        ):
            digest = document_id(text).removeprefix("sha256:")
            await found.accept(GraphQLRequest(text, sha256=digest), await found.find(GraphQLRequest(text, sha256=digest), EVERYONE))
            for asked in (GraphQLRequest(text), GraphQLRequest(text, sha256=digest), GraphQLRequest(sha256=digest)):
                assert (await found.find(asked, EVERYONE)).errors == ()
                with pytest.raises(IntrospectionForbidden):
                    await found.find(asked, reader())
        assert (await found.find(GraphQLRequest("{ stages { __typename } }"), reader())).errors == ()


async def test_a_document_that_is_not_trusted_is_logged_once(url_without_a_row: str, valkey: EmbeddedValkey, redis: RedisCache) -> None:
    text = "query Strange { stages { id } }"
    async with serving(settings_for(url_without_a_row, valkey, documents="log-unknown")) as client:
        with capture_logs() as logs:
            for asked in ({"query": text}, {"query": text}, hashed(text, query=text), hashed(text), {"documentId": STAGES_ID}, {"query": STAGES}):
                assert (await post(client, asked)).json() == NO_STAGES
            await post(client, {"query": "{ nothing }"})
    told = [entry for entry in logs if entry["event"] == "a document is not trusted"]
    assert told == [
        {"event": "a document is not trusted", "log_level": "warning", "id": document_id(text), "operations": ["Strange"], "text": text}
    ]


async def test_a_flood_of_documents_does_not_fill_the_log(redis: RedisCache, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_LOGGED", 3)
    watching = documents(redis, documents="log-unknown")
    with capture_logs() as logs:
        for number in range(10):
            asked = GraphQLRequest(f"query Q{number} {{ stages {{ id }} }} # {'x' * 5_000}")
            await watching.accept(asked, await watching.find(asked, EVERYONE))
    assert [entry.get("operations") for entry in logs] == [["Q0"], ["Q1"], ["Q2"], None]
    assert max(len(str(entry)) for entry in logs) < 3_000


@pytest.mark.parametrize("mode", ["open", "trusted-only"])
async def test_of_what_cannot_be_a_name_little_is_said_back(url_without_a_row: str, valkey: EmbeddedValkey, mode: str) -> None:
    long = "x" * 100_000
    asked: list[dict[str, object]] = [
        {"documentId": long}, {"operationName": long}, {"query": STAGES, "operationName": long},
        {"extensions": {"persistedQuery": {"version": 1, "sha256Hash": long}}},
    ]  # fmt: skip
    async with serving(settings_for(url_without_a_row, valkey, documents=mode)) as client:
        for each in asked:
            answer = await post(client, each)
            assert answer.json()["errors"] and len(answer.content) < 600, each.keys()


async def test_an_open_server_logs_nothing_of_documents(redis: RedisCache) -> None:
    open_to_all = documents(redis)
    asked = GraphQLRequest("{ stages { id } }")
    with capture_logs() as logs:
        await open_to_all.accept(asked, await open_to_all.find(asked, EVERYONE))
    assert logs == []


async def test_what_was_removed_from_redis_is_forgotten_at_the_next_reading_and_not_while_redis_is_away(redis: RedisCache) -> None:
    registered, closed = RegisteredDocuments(redis.client), documents(redis, documents="trusted-only")
    text = "query Removed { stages { id } }"
    await registered.add({"x": text.encode(), "wrong": b"{ nothing }", "no-text": b"\xff"})
    with capture_logs() as logs:
        await closed.load()
        await closed.load()
    assert sorted(entry["id"] for entry in logs) == ["no-text", "wrong"]

    async def found() -> Document:
        return await closed.find(GraphQLRequest(document_id="x"), EVERYONE)

    assert (await found()).is_trusted
    await redis.client.rename("dealgraph:{document}:", "elsewhere")
    await redis.client.set("dealgraph:{document}:", "not a set")  # Redis answers with an error
    with capture_logs() as logs:
        await closed.load()
    assert [entry["event"] for entry in logs] == ["the registered documents were not read"]
    assert (await found()).is_trusted
    await redis.client.rename("elsewhere", "dealgraph:{document}:")
    await registered.remove(["x"])
    await closed.load()
    with pytest.raises(NotInList):
        await found()
    with pytest.raises(NotInSafelist):
        await closed.find(GraphQLRequest(text), reader())
