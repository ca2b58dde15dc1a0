"""Short requests go from the protocol straight to the endpoint: whatever way a request takes, it is answered alike."""

import asyncio
import os
import re
import socket
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from operator import itemgetter
from typing import Any

import asyncpg
import orjson
import pytest
from asyncpg.transaction import Transaction
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from starlette.types import ASGIApp, Receive, Scope, Send

from cache.embedded import EmbeddedValkey
from schema.documents import FOLDER
from schema.operation import document_id
from server import create_app
from tests.web.conftest import GRAPHQL, JSON, settings_for
from tests.web.serving import serving
from web.wire.protocol import MOST_WAITING, bounded_protocol

EXAMPLES = 150 * int(os.environ.get("FUZZ", "1"))
# What differs from one answer to the next, and what says that the line is closed.
PASSING = {"date", "x-request-id", "x-response-time", "connection"}
STAGES = orjson.dumps({"query": "{ stages { id name } }"})
TRUSTED = document_id((FOLDER / "Stages.graphql").read_text("utf-8"))
LONG = orjson.dumps({"query": "{ __schema { types { name description fields { name description } } } }"})
PADDED = orjson.dumps({"query": "{ __typename }", "pad": "x" * 1_000})
Lines = list[tuple[str, str]]


@dataclass
class Counted:
    """The application, and what it was asked for."""

    app: ASGIApp
    paths: list[str] = field(default_factory=list)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            self.paths.append(scope["path"])
        await self.app(scope, receive, send)


@asynccontextmanager
async def counted(
    database_url: str, valkey: EmbeddedValkey, patience_s: int | None = None, **others: Any
) -> AsyncIterator[tuple[int, Counted]]:
    """The port of a server that keeps no answers, and its application. When it stops it waits, for ever or for so long."""
    chosen = settings_for(database_url, valkey, cache_bytes=0, cache_shared=False, **others)
    app = Counted(create_app(chosen))
    async with serving(app, bounded_protocol(chosen), patience_s) as port:
        yield port, app


@dataclass
class Asked:
    """A request as it is sent."""

    method: str = "POST"
    target: str = "/graphql"
    headers: Lines = field(default_factory=lambda: [("content-type", JSON)])
    body: bytes = STAGES

    def sent(self, *more: tuple[str, str]) -> bytes:
        """Its bytes."""
        lines = [("host", "x"), ("content-length", str(len(self.body))), *self.headers, *more]
        head = "".join(f"{name}: {value}\r\n" for name, value in lines)
        return f"{self.method} {self.target} HTTP/1.1\r\n{head}\r\n".encode("latin-1") + self.body


Told = tuple[int, Lines, bytes]


async def told(reader: asyncio.StreamReader) -> Told:
    """Status, headers and body of the next answer."""
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    status, *lines = head.strip().split("\r\n")
    headers = [(name.lower(), value) for name, _, value in (line.partition(": ") for line in lines)]
    size = int(dict(headers).get("content-length", 0))
    return int(status.split()[1]), headers, await reader.readexactly(size)


async def ask(port: int, *requests: bytes) -> list[Told]:
    """The answers to requests that are sent together, in the order in which they come."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    async with asyncio.timeout(20):
        writer.write(b"".join(requests))
        answers = [await told(reader) for _ in requests]
    writer.close()
    await writer.wait_closed()
    return answers


def comparable(answer: Told) -> Any:
    """An answer without what passes; what it varies by is a set."""
    status, headers, body = answer
    lasting = [(name, set(value.split(", ")) if name == "vary" else value) for name, value in headers if name not in PASSING]
    return status, sorted(lasting, key=itemgetter(0)), re.sub(rb'"requestId":"[^"]*"', b"", body)


def queries() -> st.SearchStrategy[bytes]:
    """Bodies: good ones, wrong ones, and what is no GraphQL at all."""
    asked: list[Any] = [
        {"query": "query A { stages { id } } query B { __typename }", "operationName": "B"},
        {"query": "query A { stages { id } } query B { __typename }"},
        {"query": "query Q($first: Int!) { deals(first: $first) { totalCount } }", "variables": {"first": 2}},
        {"query": "query Q($first: Int!) { deals(first: $first) { totalCount } }", "variables": {"first": "two"}},
        {"query": "{ nothing }"},
        {"query": "{ stages { id"},
        {"query": '{ company(id: "x") { id } }'},
        {"query": 'mutation { deleteCompany(id: "018cc251-f400-7000-8000-000000000001") { id } }'},
        {"operationName": "Stages"},
        {"documentId": "nobody"},
        {"id": "x", "documentId": "y"},
        {"extensions": {"persistedQuery": {"version": 1, "sha256Hash": "0" * 64}}},
        {"query": 7},
        [{"query": "{ __typename }"}, {"query": "{ nothing }"}],
        [],
        "text",
    ]
    return st.one_of(st.just(STAGES), st.sampled_from([LONG, PADDED]), st.sampled_from(asked).map(orjson.dumps), st.binary(max_size=8))


def lines() -> st.SearchStrategy[Lines]:
    """Headers that an endpoint or a layer around it looks at; the same one may come twice."""
    known = {
        "accept": [JSON, GRAPHQL, "*/*", "text/html", "text/html, */*;q=0.1", "text/*;q=0.9, */*;q=0.1", "image/png", f"{JSON};q=0"],
        "accept-encoding": ["gzip", "br, gzip", "identity", "br;q=0, gzip;q=0.5"],
        "cache-control": ["no-cache", "no-store"],
        "content-type": [JSON, f"{JSON}; charset=utf-8", f"{JSON}; charset=latin1", "text/plain"],
        "apollo-require-preflight": ["1", ""],
        "x-request-timeout": ["5", "0", "soon"],
        "x-request-id": ["mine", "{hostile}"],
        "idempotency-key": ["once"],
        "if-none-match": ["*"],
        "origin": ["https://own.example", "https://other.example", "null"],
        "x-forwarded-for": ["10.1.1.1", "8.8.8.8, 10.1.1.1"],
        "x-forwarded-proto": ["https", "http"],
        "authorization": ["Bearer nobody"],
        "prefer": ["wait=1"],
    }
    pairs = [(name, value) for name, values in known.items() for value in values]
    return st.lists(st.sampled_from(pairs), max_size=5)


def requests() -> st.SearchStrategy[Asked]:
    """Requests of any kind that may come to the endpoint, or past it."""
    targets = [
        "/graphql", f"/graphql/{TRUSTED}", "/graphql/nobody", "/graphql/a%2Fb", "/graphql/%41", "/graphql/x/y", "/graphql/",
        "/graphqlx", "/graphql?query=%7B__typename%7D", "/graphql?query={__typename}", "/graphql?operationName=Stages",
        "/graphql?operationName=Stages&operationName=Stages", "/graphql?variables=%7B", "/graphql?", f"/graphql/{TRUSTED}?id=x",
        "/graphql?query=&x=%ff", "/graphql#query", "/graphql?a?b#c",
    ]  # fmt: skip
    good = st.just([("content-type", JSON)])
    headers = st.one_of(good, lines(), st.tuples(good, lines()).map(lambda both: [*both[0], *both[1]]))
    return st.builds(
        Asked,
        method=st.sampled_from(["POST", "POST", "GET", "HEAD", "PUT"]),
        target=st.one_of(st.just("/graphql"), st.sampled_from(targets)),
        headers=headers,
        body=queries(),
    )


@pytest.mark.parametrize(
    "others",
    [
        {"trusted_proxies": ["127.0.0.1"], "batch_most": 3},
        {"cors_origins": ["https://own.example"], "max_body_bytes": 1_000, "hsts_s": 0},
        {"documents": "trusted-only"},
    ],
    ids=",".join,
)
async def test_whatever_way_a_request_takes_it_is_answered_alike(
    url_without_a_row: str, valkey: EmbeddedValkey, others: dict[str, Any]
) -> None:
    async with counted(url_without_a_row, valkey, **others) as (port, app):
        straight = 0

        async def check(asked: Asked) -> None:
            nonlocal straight
            before = len(app.paths)
            (here,) = await ask(port, asked.sent())
            straight += len(app.paths) == before
            before = len(app.paths)
            (there,) = await ask(port, asked.sent(("connection", "close")))
            assert comparable(here) == comparable(there)
            assert len(app.paths) == before + 1, "the last request of a line is the application's"

        loop = asyncio.get_running_loop()

        @settings(max_examples=EXAMPLES, deadline=None, database=None, derandomize=True, suppress_health_check=list(HealthCheck))
        @given(asked=requests())
        @example(asked=Asked(body=PADDED))
        def law(asked: Asked) -> None:
            if asked.method != "HEAD":  # whose answers have a length and no body
                asyncio.run_coroutine_threadsafe(check(asked), loop).result(30)

        await asyncio.to_thread(law)
        assert straight > EXAMPLES // 4


async def test_what_is_short_and_for_the_endpoint_alone_does_not_come_to_the_application(
    url_without_a_row: str, valkey: EmbeddedValkey
) -> None:
    async with counted(url_without_a_row, valkey, cors_origins=["https://own.example"]) as (port, app):
        for straight in (
            Asked(),
            Asked(target=f"/graphql/{TRUSTED}", body=b"{}"),
            Asked("GET", "/graphql?query=%7B__typename%7D", body=b""),
            Asked("GET", f"/graphql/{TRUSTED}", [], b""),
        ):
            assert [status for status, _, _ in await ask(port, straight.sent())] == [200]
        assert app.paths == []
        for other in (
            Asked("GET", headers=[("accept", "text/html")], body=b""),
            Asked(headers=[("content-type", JSON), ("origin", "https://own.example")]),
            Asked(body=orjson.dumps({"query": "{ __typename }", "pad": "x" * 20_000})),
            Asked(target="/graphql/%61", body=b"{}"),
        ):
            await ask(port, other.sent())
        assert app.paths == ["/graphql", "/graphql", "/graphql", "/graphql/a"]


@pytest.mark.parametrize(("target", "body", "status"), [("/graphql", STAGES, 200), ("/api/batch", b"[]", 400)])
async def test_zeros_before_a_length_make_no_difference(
    url_without_a_row: str, valkey: EmbeddedValkey, target: str, body: bytes, status: int
) -> None:
    async with counted(url_without_a_row, valkey) as (port, _):
        usual = Asked(target=target, body=body).sent()
        padded = usual.replace(b"content-length: ", b"content-length: " + b"0" * 5_000)
        assert [found for found, _, _ in (*await ask(port, usual), *await ask(port, padded))] == [status, status]


async def test_what_comes_together_is_answered_in_its_order(url_without_a_row: str, valkey: EmbeddedValkey) -> None:
    async with counted(url_without_a_row, valkey) as (port, _):
        slow = orjson.dumps({"query": "{ deals { totalCount } }"})
        quick = orjson.dumps({"query": "{ __typename }"})
        bodies = [slow, quick, STAGES, quick]
        sent = [Asked(body=each).sent() for each in bodies]
        answers = await ask(port, *sent[:-1], Asked(body=quick).sent(("connection", "close")))
        assert [next(iter(orjson.loads(body)["data"])) for _, _, body in answers] == ["deals", "__typename", "stages", "__typename"]
        assert [dict(headers).get("connection") for _, headers, _ in answers] == [None, None, None, "close"]


@asynccontextmanager
async def no_deals(sql: "asyncpg.Connection[asyncpg.Record]") -> AsyncIterator[Transaction]:
    """Nobody can read deals in the block, or until the transaction is rolled back."""
    lock = sql.transaction()
    await lock.start()
    await sql.execute("lock table deal in access exclusive mode")
    yield lock


STUCK = Asked(body=orjson.dumps({"query": "{ deals { totalCount } }"}))
CREATE = Asked(body=orjson.dumps({"query": 'mutation { createCompany(input: {name: "Twice"}) { company { id } } }'}))


async def test_a_server_that_stops_answers_first_says_that_it_was_the_last_and_begins_nothing_else(
    database_url: str, valkey: EmbeddedValkey, sql: "asyncpg.Connection[asyncpg.Record]"
) -> None:
    async with AsyncExitStack() as stack:
        port, app = await stack.enter_async_context(counted(database_url, valkey))
        await ask(port, Asked().sent())
        async with no_deals(sql) as lock:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(STUCK.sent())
            await asyncio.sleep(0.2)
            stopping = asyncio.create_task(stack.aclose())
            await asyncio.sleep(0.3)
            writer.write(CREATE.sent())
            await asyncio.sleep(0.2)
            assert not stopping.done()
            await lock.rollback()
            async with asyncio.timeout(10):
                status, headers, body = await told(reader)
                assert await reader.read() == b""
                writer.close()
                await stopping
        assert (status, dict(headers)["connection"]) == (200, "close")
        assert orjson.loads(body)["data"] == {"deals": {"totalCount": 0}}
        assert app.paths == []
        assert await sql.fetchval("select count(*) from company") == 0


async def test_a_server_that_waits_no_longer_says_so(
    database_url: str, valkey: EmbeddedValkey, sql: "asyncpg.Connection[asyncpg.Record]"
) -> None:
    async with AsyncExitStack() as stack:
        port, _ = await stack.enter_async_context(counted(database_url, valkey, patience_s=1))
        async with no_deals(sql) as lock:
            asked = asyncio.create_task(ask(port, STUCK.sent()))
            await asyncio.sleep(0.2)
            await stack.aclose()
            ((status, headers, body),) = await asked
            await lock.rollback()
        assert (status, dict(headers)["connection"]) == (503, "close")
        assert orjson.loads(body)["errors"][0]["extensions"]["code"] == "UNAVAILABLE"


@pytest.mark.parametrize("length", [200, 20_000])
async def test_a_body_that_is_on_its_way_when_the_server_stops_is_waited_for_and_answered(
    database_url: str, valkey: EmbeddedValkey, length: int
) -> None:
    async with AsyncExitStack() as stack:
        port, _ = await stack.enter_async_context(counted(database_url, valkey))
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        sent = Asked(body=STAGES + b" " * length).sent()
        writer.write(sent[:-length])
        await asyncio.sleep(0.2)
        stopping = asyncio.create_task(stack.aclose())
        await asyncio.sleep(0.2)
        writer.write(sent[-length:])
        async with asyncio.timeout(10):
            status, _, body = await told(reader)
            await stopping
        writer.close()
    assert (status, orjson.loads(body)["data"]) == (200, {"stages": []})


async def test_a_body_that_does_not_end_is_told_that_the_server_has_stopped(database_url: str, valkey: EmbeddedValkey) -> None:
    async with AsyncExitStack() as stack:
        port, _ = await stack.enter_async_context(counted(database_url, valkey, patience_s=1))
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(Asked(body=STAGES + b" " * 20_000).sent()[:-10_000])
        await asyncio.sleep(0.2)
        await stack.aclose()
        status, headers, body = await told(reader)
        writer.close()
    assert (status, dict(headers)["content-type"]) == (503, "application/json; charset=utf-8")
    assert orjson.loads(body)["errors"][0]["extensions"]["code"] == "UNAVAILABLE"


async def test_who_sends_more_than_waits_is_not_read_and_then_refused(
    database_url: str, valkey: EmbeddedValkey, sql: "asyncpg.Connection[asyncpg.Record]"
) -> None:
    async with counted(database_url, valkey) as (port, _):
        many = b"".join([Asked().sent()] * 90)
        async with no_deals(sql) as lock:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            for each in (STUCK.sent(), many, many):  # the last of them stay where they are
                writer.write(each)
                await asyncio.sleep(0.1)
            await lock.rollback()
        assert [status for status, _, _ in [await told(reader) for _ in range(181)]] == [200] * 181
        writer.write(many + many)
        answered = 0
        while (found := await told(reader))[0] == 200:
            answered += 1
        status, _, body = found
        assert (status, orjson.loads(body)["errors"][0]["extensions"]["code"]) == (503, "OVERLOADED")
        assert MOST_WAITING <= answered < 180
        assert await reader.read() == b""
        writer.close()


async def test_who_has_to_wait_because_we_do_not_read_is_not_too_slow(
    database_url: str, valkey: EmbeddedValkey, sql: "asyncpg.Connection[asyncpg.Record]"
) -> None:
    async with counted(database_url, valkey, body_timeout_s=0.3) as (port, _):
        large = orjson.dumps({"query": "{ __typename }", "pad": "x" * 600_000})
        async with no_deals(sql) as lock:
            asked = asyncio.create_task(ask(port, STUCK.sent(), Asked(body=large).sent()))
            await asyncio.sleep(1)
            await lock.rollback()
        assert [status for status, _, _ in await asked] == [200, 200]


async def test_who_does_not_read_is_not_sent_more(url_without_a_row: str, valkey: EmbeddedValkey) -> None:
    chosen = settings_for(url_without_a_row, valkey, cache_bytes=0, cache_shared=False)
    lines: list[Any] = []

    def protocol(**given: Any) -> Any:
        lines.append(bounded_protocol(chosen)(**given))
        return lines[-1]

    async with serving(create_app(chosen), protocol) as port:
        _, writer = await asyncio.open_connection("127.0.0.1", port, limit=4096)
        most = 0
        for _ in range(100):
            writer.write(Asked(body=LONG).sent())
            await asyncio.sleep(0.02)
            transport = lines[0].transport
            transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
            most = max(most, transport.get_write_buffer_size())
        writer.close()
    assert 0 < most < 200_000, "the high-water mark and an answer"


async def test_what_nobody_expected_is_masked_whatever_way_the_request_took(
    url_without_a_row: str, valkey: EmbeddedValkey, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken(*_: Any, **__: Any) -> None:
        raise RuntimeError("secret")

    monkeypatch.setattr("web.graphql.endpoint.answer_one", broken)
    async with counted(url_without_a_row, valkey) as (port, _):
        (here,) = await ask(port, Asked().sent())
        (there,) = await ask(port, Asked().sent(("connection", "close")))
        assert comparable(here) == comparable(there)
        status, headers, body = here
        (error,) = orjson.loads(body)["errors"]
        assert (status, error["extensions"]["requestId"]) == (500, dict(headers)["x-request-id"])
        assert b"secret" not in body
