"""Clients that mean no good, over raw sockets: each is refused or cut off, and everybody else is served meanwhile."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from urllib.parse import urlsplit

import httpx2
import pytest

from cache.embedded import EmbeddedValkey
from core.process import open_many_files
from tests.web.conftest import serving, settings_for

POST = b"POST /graphql HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
BOUNDS = {"head_timeout_s": 0.4, "body_timeout_s": 0.4, "cors_origins": "https://app.example.com", "trusted_proxies": "127.0.0.1"}
STAGES = {"query": "{ stages { id } }"}


@pytest.fixture(scope="module")
async def server(url_without_a_row: str, valkey: EmbeddedValkey) -> AsyncIterator[httpx2.AsyncClient]:
    """A server that waits 0.4 s for a head or a body, and its well-meaning client."""
    async with serving(settings_for(url_without_a_row, valkey, **BOUNDS)) as client:
        yield client


@asynccontextmanager
async def connected(server: httpx2.AsyncClient) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    """A connection that says nothing by itself."""
    address = urlsplit(str(server.base_url))
    reader, writer = await asyncio.open_connection(address.hostname, address.port)
    try:
        yield reader, writer
    finally:
        writer.close()


async def said(server: httpx2.AsyncClient, *parts: bytes, pause_s: float = 0.0) -> bytes:
    """All that the server answers to these bytes until it closes; it is to do so within 5 s."""
    async with asyncio.timeout(5), connected(server) as (reader, writer):

        async def send() -> None:
            for part in parts:
                writer.write(part)
                await writer.drain()
                await asyncio.sleep(pause_s)

        sending = asyncio.create_task(send())
        try:
            return await reader.read()
        except ConnectionError:
            return b""
        finally:
            sending.cancel()
            await asyncio.gather(sending, return_exceptions=True)


def drops(text: bytes) -> list[bytes]:
    """Bytes of a request one by one, and no end."""
    return [text[place : place + 1] for place in range(len(text))] + [b"x"] * 1_000


@pytest.mark.parametrize(
    "parts",
    [
        drops(b"GET /graphql HTTP/1.1\r\nHost: x\r\nX-Slow: "),
        drops(b"GET /slow"),
        [b"\r\n"],
        [POST + b"Content-Length: 100\r\n\r\n{", *drops(b"")],
        [POST + b"Transfer-Encoding: chunked\r\n\r\n", *[b"1\r\nx\r\n"] * 1_000],
        [b"GET /api/health HTTP/1.1\r\nHost: x\r\n\r\n", *drops(b"GET /second")],
        [b"GET /api/health HTTP/1.1\r\nHost: x\r\n\r\n", *[b"\r\n"] * 1_000],
    ],
    ids=["head", "url", "empty line", "body", "chunks", "second request", "empty lines"],
)
async def test_who_is_slow_is_cut_off_in_time(server: httpx2.AsyncClient, parts: list[bytes]) -> None:
    began = time.monotonic()
    answer = await said(server, *parts, pause_s=0.02)
    assert 0.3 < time.monotonic() - began < 2
    assert answer.count(b"HTTP/1.1 408 ") <= 1
    if parts[0] not in (b"\r\n",):
        assert b"REQUEST_TIMEOUT" in answer or answer.startswith(b"HTTP/1.1 200 ")


async def test_who_says_nothing_is_cut_off_and_who_comes_back_with_the_next_request_is_not(server: httpx2.AsyncClient) -> None:
    assert await said(server) == b""
    async with asyncio.timeout(5), connected(server) as (reader, writer):
        for _ in range(2):
            writer.write(b"GET /api/health HTTP/1.1\r\nHost: x\r\n\r\n")
            assert (await reader.readuntil(b"}")).startswith(b"HTTP/1.1 200 ")
            await asyncio.sleep(0.6)


async def test_two_thousand_slow_connections_leave_everybody_else_served(url_without_a_row: str, valkey: EmbeddedValkey) -> None:
    open_many_files()
    async with serving(settings_for(url_without_a_row, valkey)) as server, AsyncExitStack() as stack:
        readers = []
        for _ in range(20):
            opened = await asyncio.gather(*(stack.enter_async_context(connected(server)) for _ in range(100)))
            for reader, writer in opened:
                writer.write(b"GET /graphql HTTP/1.1\r\nHost: x\r\nX-Slow:")
                readers.append(reader)
            answer = await server.post("/graphql", json=STAGES, headers={"cache-control": "no-cache"}, timeout=2)
            assert answer.json()["data"] == {"stages": []}
        assert [reader.at_eof() for reader in readers] == [False] * 2_000


async def test_connections_beyond_the_limit_are_told_to_come_back(url_without_a_row: str, valkey: EmbeddedValkey) -> None:
    async with serving(settings_for(url_without_a_row, valkey, max_connections=10)) as server, AsyncExitStack() as stack:
        for _ in range(10):
            await stack.enter_async_context(connected(server))
        answer = await said(server)
        assert answer.startswith(b"HTTP/1.1 503 ")
        assert b"retry-after: 1\r\n" in answer.lower()


async def test_bodies_that_never_end_are_held_up_to_a_bound_of_them_all(url_without_a_row: str, valkey: EmbeddedValkey) -> None:
    settings = settings_for(url_without_a_row, valkey, body_timeout_s=5)
    begun = POST + b"Content-Length: 1000000\r\n\r\n" + b"x" * 990_000
    async with serving(settings) as server, AsyncExitStack() as stack:
        answered = []
        for _ in range(70):
            reader, writer = await stack.enter_async_context(connected(server))
            writer.write(begun)
            await writer.drain()
            answered.append(asyncio.create_task(reader.readuntil(b"}]}")))
        await asyncio.wait(answered, timeout=3, return_when=asyncio.FIRST_COMPLETED)
        done = [each.result() for each in answered if each.done()]
        assert done
        assert all(each.startswith(b"HTTP/1.1 503 ") and b"OVERLOADED" in each for each in done)
        assert len(done) < 10
        assert (await server.post("/graphql", json=STAGES)).json()["data"] == {"stages": []}
        for each in answered:
            each.cancel()


@pytest.mark.parametrize(
    ("parts", "status", "code"),
    [
        ([POST + b"Content-Length: 10000000\r\n\r\n"], 413, "BODY_TOO_LARGE"),
        ([POST + b"Transfer-Encoding: chunked\r\n\r\n", *[b"10000\r\n" + b" " * 65_536 + b"\r\n"] * 160], 413, "BODY_TOO_LARGE"),
        ([b"GET /graphql?query=" + b"a" * 8_200 + b" HTTP/1.1\r\nHost: x\r\n\r\n"], 414, "URL_TOO_LONG"),
        ([b"GET / HTTP/1.1\r\nHost: x\r\nX-Long: " + b"a" * 17_000 + b"\r\n\r\n"], 431, "HEADERS_TOO_LARGE"),
        ([b"GET / HTTP/1.1\r\nHost: x\r\nX-Long: ", *[b"a" * 10_000] * 100], 431, "HEADERS_TOO_LARGE"),
        ([b"GET /", *[b"a" * 10_000] * 100], 431, "HEADERS_TOO_LARGE"),
        ([b"GET / HTTP/1.1\r\nHost: x\r\n" + b"X: 1\r\n" * 101 + b"\r\n"], 431, "HEADERS_TOO_LARGE"),
        ([b"GET / HTTP/1.1\r\nHost: x\r\nX-Request-Id: a\rSet-Cookie: b=c\r\n\r\n"], 400, "BAD_REQUEST"),
        ([b"GET / HTTP/1.1\r\nHost: x\r\nX-Request-Id: a\x00b\r\n\r\n"], 400, "BAD_REQUEST"),
        ([POST + b"Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"], 400, "BAD_REQUEST"),
        ([POST + b"Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}"], 400, "BAD_REQUEST"),
        ([POST + b"Content-Length: -1\r\n\r\n{}"], 400, "BAD_REQUEST"),
        ([b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"], 400, "BAD_REQUEST"),
        ([b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"], 400, "BAD_REQUEST"),
    ],
    ids=lambda value: repr(value)[:50],
)
async def test_what_is_out_of_bounds_has_one_error_and_ends_the_connection(
    server: httpx2.AsyncClient, parts: list[bytes], status: int, code: str
) -> None:
    answer = await said(server, *parts)
    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 %d " % status)
    assert b'"code":"%b"' % code.encode() in body
    assert b"nosniff" in head
    assert b"\nserver:" not in head.lower()
    assert b"set-cookie" not in head.lower()
    assert (await server.post("/graphql", json=STAGES)).status_code == 200


async def test_what_looks_like_a_line_break_in_a_header_stays_in_it(server: httpx2.AsyncClient) -> None:
    for path in ("/graphql?query=%0d%0aSet-Cookie:%20a=b", "/%0d%0aSet-Cookie:%20a=b", "/graphql/%0d%0aSet-Cookie:%20a=b"):
        answer = await server.get(path, headers={"x-request-id": "a%0d%0aSet-Cookie: a=b"})
        assert "set-cookie" not in answer.headers
        assert answer.headers["x-request-id"] != "a%0d%0aSet-Cookie: a=b"


@pytest.mark.parametrize("media_type", ["application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "text/plain", ""])
async def test_a_form_of_another_site_changes_nothing(server: httpx2.AsyncClient, media_type: str) -> None:
    mutation = b'{"query": "mutation { createCompany(input: {name: \\"x\\"}) { company { id } } }"}'
    answer = await server.post("/graphql", content=mutation, headers={"content-type": media_type, "origin": "https://evil.example"})
    assert answer.status_code == 415
    assert "access-control-allow-origin" not in answer.headers
    assert "set-cookie" not in answer.headers


@pytest.mark.parametrize(
    ("origin", "is_allowed"),
    [
        ("https://app.example.com", True),
        ("null", False),
        ("https://app.example.com.evil.example", False),
        ("http://app.example.com", False),
        ("https://evil.example", False),
    ],
)
async def test_only_pages_of_origins_on_the_list_may_read_anything(server: httpx2.AsyncClient, origin: str, is_allowed: bool) -> None:
    asked = {"access-control-request-method": "POST", "access-control-request-headers": "content-type,authorization,apollographql-client-name,traceparent"}
    preflight = await server.options("/graphql", headers={"origin": origin} | asked)
    assert preflight.status_code == (200 if is_allowed else 400)
    if not is_allowed:
        assert preflight.json()["errors"] == [
            {"message": "Disallowed CORS origin: see CORS_ORIGINS in the README.", "extensions": {"code": "BAD_REQUEST"}}
        ]
    answers = [
        preflight,
        *[await server.post("/graphql", json=STAGES, headers={"origin": origin}) for _ in range(3)],  # the cache's answers too
        await server.post("/graphql", content=b"{", headers={"origin": origin}),
        await server.get("/nowhere", headers={"origin": origin}),
    ]
    assert [answer.status_code for answer in answers[1:]] == [200, 200, 200, 415, 404]
    for answer in answers:
        assert answer.headers.get("access-control-allow-origin") == (origin if is_allowed else None)
        assert "access-control-allow-credentials" not in answer.headers
        assert "Origin" in answer.headers["vary"]


async def test_tls_of_a_trusted_proxy_is_remembered_by_browsers(server: httpx2.AsyncClient, empty: httpx2.AsyncClient) -> None:
    for client, told in ((server, "max-age=31536000; includeSubDomains"), (empty, None)):
        answer = await client.get("/graphql", headers={"x-forwarded-proto": "http, https", "accept": "text/html"})
        assert answer.headers.get("strict-transport-security") == told
    answer = await server.get("/graphql", headers={"x-forwarded-proto": "https, http", "accept": "text/html"})
    assert "strict-transport-security" not in answer.headers
    assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["referrer-policy"] == "no-referrer"
