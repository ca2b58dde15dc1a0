"""Answers travel small: in the coding that the client likes best, made beside the loop when they are large."""

import asyncio
import time
from collections.abc import AsyncIterator

import httpx2
import pytest
from starlette.types import Receive, Scope, Send

from tests.web.conftest import GRAPHQL
from tests.web.serving import serving
from web.middleware.compression import Compression

LARGE = b"".join(b"%d," % number for number in range(600_000))
KINDS: dict[str, tuple[int, list[tuple[bytes, bytes]], list[bytes]]] = {
    "/small": (200, [(b"content-type", b"application/json")], [b"x" * 1_023]),
    "/json": (200, [(b"content-type", b"application/json"), (b"vary", b"Accept")], [b"x" * 1_024]),
    "/large": (200, [(b"content-type", b"application/json")], [LARGE]),
    "/encoded": (200, [(b"content-type", b"application/json"), (b"content-encoding", b"zstd")], [b"x" * 5_000]),
    "/encoded-and-large": (200, [(b"content-type", b"application/json"), (b"content-encoding", b"zstd")], [b"x" * 500_000]),
    "/events": (200, [(b"content-type", b"text/event-stream; charset=utf-8")], [b"x" * 5_000, b"y" * 5_000]),
    "/parts": (200, [(b"content-type", b"multipart/mixed; boundary=-")], [b"x" * 5_000, b"y" * 5_000]),
    "/picture": (200, [(b"content-type", b"image/png")], [b"x" * 5_000]),
    "/range": (206, [(b"content-type", b"text/plain"), (b"content-range", b"bytes 0-4999/9999")], [b"x" * 5_000]),
    "/unchanged": (304, [(b"vary", b"Accept")], [b"", b""]),
    "/stream": (200, [(b"content-type", b"text/csv")], [b"x" * 5_000, b"y" * 5_000, b""]),
}


async def app(scope: Scope, receive: Receive, send: Send) -> None:
    """Answers each path as ``KINDS`` says."""
    if scope["type"] == "lifespan":
        for kind in ("startup", "shutdown"):
            await receive()
            await send({"type": f"lifespan.{kind}.complete"})
        return
    status, headers, parts = KINDS[scope["path"]]
    sized = [(b"content-length", str(len(parts[0])).encode())] if len(parts) == 1 else []
    await send({"type": "http.response.start", "status": status, "headers": [*headers, *sized]})
    for place, part in enumerate(parts):
        await send({"type": "http.response.body", "body": part, "more_body": place < len(parts) - 1})


@pytest.fixture(scope="module")
async def client() -> AsyncIterator[httpx2.AsyncClient]:
    """A client of ``app``."""
    async with serving(Compression(app)) as port, httpx2.AsyncClient(base_url=f"http://127.0.0.1:{port}") as found:
        yield found


@pytest.mark.parametrize(
    ("path", "accepted", "coding"),
    [
        ("/json", "gzip, br", "br"),
        ("/json", "br;q=0, gzip", "gzip"),
        ("/json", "br;q=0.1, gzip;q=0.9", "gzip"),
        ("/json", "gzip;q=0, br;q=0", None),
        ("/json", "identity", None),
        ("/json", "abracadabra", None),
        ("/json", "*", "br"),
        ("/json", "br;q =0, gzip;q=0.5", "gzip"),
        ("/json", "br;q=7, gzip", "gzip"),
        ("/small", "br", None),
        ("/large", "br", "br"),
        ("/large", "gzip", "gzip"),
        ("/stream", "br", "br"),
        ("/stream", "gzip", "gzip"),
        *[(path, accepted, None) for path in ("/events", "/parts", "/picture", "/range") for accepted in ("br", "gzip")],
    ],
)
async def test_a_body_has_the_coding_that_the_client_likes_best_if_it_is_worth_it(
    client: httpx2.AsyncClient, path: str, accepted: str, coding: str | None
) -> None:
    answer = await client.get(path, headers={"accept-encoding": accepted})
    assert answer.headers.get("content-encoding") == coding
    assert answer.content == b"".join(KINDS[path][2])
    if coding:
        assert "Accept-Encoding" in answer.headers["vary"]


async def test_the_lines_of_accept_encoding_are_one_list(client: httpx2.AsyncClient) -> None:
    for lines, coding in ((("br;q=0.5", "identity"), None), (("*", "br;q=0"), "gzip")):
        answer = await client.get("/json", headers=[("accept-encoding", each) for each in lines])
        assert answer.headers.get("content-encoding") == coding


@pytest.mark.parametrize(
    ("path", "vary"),
    [
        ("/json", "Accept, Accept-Encoding"), ("/large", "Accept-Encoding"), ("/stream", "Accept-Encoding"),
        ("/unchanged", "Accept, Accept-Encoding"),
        *[(path, None) for path in ("/small", "/events", "/parts", "/picture", "/range", "/encoded")],
    ],
)  # fmt: skip
async def test_an_answer_says_that_another_client_would_get_another_coding(
    client: httpx2.AsyncClient, path: str, vary: str | None
) -> None:
    for accepted in ("identity", "br", "gzip"):
        async with client.stream("GET", path, headers={"accept-encoding": accepted}) as answer:
            assert answer.headers.get("vary") == vary


async def test_what_is_compressed_already_is_left_alone(client: httpx2.AsyncClient) -> None:
    for path, size in (("/encoded", 5_000), ("/encoded-and-large", 500_000)):
        async with client.stream("GET", path, headers={"accept-encoding": "br, gzip"}) as answer:
            assert b"".join([part async for part in answer.aiter_raw()]) == b"x" * size
        assert answer.headers["content-encoding"] == "zstd"


async def test_a_large_body_does_not_hold_up_the_loop() -> None:
    longest = 0.0

    async def tick() -> None:
        nonlocal longest
        while True:
            began = time.monotonic()
            await asyncio.sleep(0.001)
            longest = max(longest, time.monotonic() - began)

    async def nothing(message: object) -> None:
        pass

    ticking = asyncio.create_task(tick())
    for accepted in (b"br", b"gzip"):
        scope = {"type": "http", "path": "/large", "headers": [(b"accept-encoding", accepted)]}
        shares = []
        for _ in range(5):  # one of them without something else in the way
            longest, began = 0.0, time.monotonic()
            await Compression(app)(scope, nothing, nothing)  # type: ignore[arg-type]
            took = time.monotonic() - began
            assert took > 0.03
            shares.append(longest / took)
        assert min(shares) < 0.5
    ticking.cancel()


async def test_answers_that_are_not_kept_are_compressed_too(empty: httpx2.AsyncClient) -> None:
    query = "mutation { " + " ".join(f"a{number}: deleteCompany(id: 7) {{ errors {{ __typename code message }} }}" for number in range(10)) + " }"
    for accepted, coding in (("br", "br"), ("gzip", "gzip"), ("br;q=0", None)):
        answer = await empty.post("/graphql", json={"query": query}, headers={"accept": GRAPHQL, "accept-encoding": accepted})
        assert len(answer.content) > 1_024
        assert answer.headers.get("content-encoding") == coding
        assert "Accept" in answer.headers["vary"]
