"""HTTP itself, over raw sockets: what clients other than ours send, and what each is answered (RFC 9110, 9112)."""

import asyncio
import gc
import logging
from urllib.parse import urljoin, urlsplit

import httpx2
import orjson
import pytest

from cache.embedded import EmbeddedValkey
from tests.web.conftest import GRAPHQL, serving, settings_for

BODY = orjson.dumps({"query": "{ __typename }"})
ANSWER = {"__typename": "Query"}


CHUNKED = b"POST /graphql HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"


def post(*headers: str, body: bytes = BODY, path: str = "/graphql") -> bytes:
    lines = [f"POST {path} HTTP/1.1", "Content-Type: application/json", f"Content-Length: {len(body)}", *headers]
    return "\r\n".join(lines).encode() + b"\r\n\r\n"


async def said(client: httpx2.AsyncClient, *parts: bytes) -> bytes:
    """What is answered to parts of requests that come one after the other, the last of which closes."""
    address = urlsplit(str(client.base_url))
    async with asyncio.timeout(5):
        reader, writer = await asyncio.open_connection(address.hostname, address.port)
        for part in parts:
            writer.write(part)
            await asyncio.sleep(0.02)
        found = await reader.read()
        writer.close()
        return found


def answers(said: bytes) -> list[tuple[int, bytes]]:
    """Status and body of each answer."""
    found = []
    while said:
        head, _, rest = said.partition(b"\r\n\r\n")
        status, *lines = head.split(b"\r\n")
        headers = dict(line.lower().split(b": ", 1) for line in lines)
        size = int(headers.get(b"content-length", b"0"))
        found.append((int(status.split()[1]), rest[:size]))
        said = rest[size:]
    return found


OFFERS = ("Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AAMAAABkAAQAoAAAAAIAAAAA")


@pytest.mark.parametrize("offer", [OFFERS, ("Connection: upgrade", "Upgrade: websocket"), ("connection: Upgrade", "upgrade: TLS/1.2")])
async def test_who_offers_another_protocol_is_answered_in_this_one(empty: httpx2.AsyncClient, offer: tuple[str, ...]) -> None:
    first, last = post("Host: x", *offer), post("Host: x", "Connection: close")
    together = answers(await said(empty, first + BODY + last + BODY))
    apart = answers(await said(empty, first[:40], first[40:], BODY[:5], BODY[5:], last + BODY))
    for found in (together, apart):
        assert [status for status, _ in found] == [200, 200]
        assert all(orjson.loads(body)["data"] == ANSWER for _, body in found)


async def test_what_follows_such_an_offer_is_a_body_and_no_request(empty: httpx2.AsyncClient) -> None:
    hidden = b"GET /api/nope HTTP/1.1\r\nHost: x\r\n\r\n"
    found = answers(await said(empty, post("Host: x", *OFFERS, body=hidden), hidden, post("Host: x", "Connection: close") + BODY))
    assert [status for status, _ in found] == [400, 200]
    assert b"is not JSON" in found[0][1]


async def test_who_closes_by_the_name_that_proxies_use_for_it_is_told_that_the_line_is_closed(empty: httpx2.AsyncClient) -> None:
    found = await said(empty, post("Host: x", "Proxy-Connection: close") + BODY)
    assert found.startswith(b"HTTP/1.1 200") and b"connection: close" in found


@pytest.mark.parametrize(
    ("refused", "expected"),
    [
        (b"GARBAGE\r\n\r\n", 400),
        (b"\x01", 400),
        (post() + BODY, 400),
        (post("Host: a b/c") + BODY, 400),
        (post("Host: user@x:1") + BODY, 400),
        (post("Host: x").replace(b"HTTP/1.1", b"HTTP/2.0") + BODY, 400),
        (post("Host: x", path="/" + "x" * 9_000) + BODY, 414),
        (post("Host: x", *["A: b"] * 200) + BODY, 431),
        (CHUNKED.replace(b"chunked", b"gzip, chunked") + b"0\r\n\r\n", 501),
        (CHUNKED + b"xyz\r\n", 400),
        (CHUNKED + b"0\r\nA: " + b"b" * 100_000, 431),
        (CHUNKED + b"1;" + b"b" * 100_000, 431),
    ],
)
@pytest.mark.parametrize("number", [0, 1, 3])
async def test_what_is_refused_is_told_after_all_that_came_before_it(
    empty: httpx2.AsyncClient, caplog: pytest.LogCaptureFixture, number: int, refused: bytes, expected: int
) -> None:
    for before in (post("Host: x") + BODY, post("Host: x", "A: b, c", "Connection: keep-alive, x") + BODY):
        found = await said(empty, number * before + refused[:10_000], *[refused[10_000:]][: len(refused) > 10_000])
        assert [status for status, _ in answers(found)] == [200] * number + [expected]
        assert found.lower().count(b"\r\ndate: ") == found.count(b"\r\nx-request-id: ") == number + 1
    gc.collect()  # a task that failed tells it when it goes
    assert [record for record in caplog.records if record.levelno >= logging.ERROR] == []


async def test_what_is_refused_by_head_has_no_body(empty: httpx2.AsyncClient) -> None:
    for asked in (b"HEAD /graphql HTTP/1.1\r\n\r\n", b"HEAD /" + b"x" * 9_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n"):
        found = await said(empty, asked)
        assert found.startswith(b"HTTP/1.1 4") and found.endswith(b"\r\n\r\n") and b"content-length: 0" not in found


async def test_what_has_had_its_answer_gets_no_second_one(empty: httpx2.AsyncClient) -> None:
    lost = CHUNKED.replace(b"/graphql", b"/nothing")
    for wrong in (b"xyz\r\n", b"0\r\nA: " + b"b" * 100_000):
        assert [status for status, _ in answers(await said(empty, lost, wrong))] == [404]


async def test_what_is_refused_behind_a_head_has_a_body(empty: httpx2.AsyncClient) -> None:
    found = await said(empty, b"HEAD /nothing HTTP/1.1\r\nHost: x\r\n\r\n", b"GARBAGE\r\n\r\n")
    assert b"HTTP/1.1 404" in found and b"HTTP/1.1 400" in found
    assert orjson.loads(found.rpartition(b"\r\n\r\n")[2])["errors"]


async def test_an_answer_to_head_comes_before_that_of_the_next_request(empty: httpx2.AsyncClient) -> None:
    head = b"HEAD /api/health HTTP/1.1\r\nHost: x\r\n\r\n"
    asked = post("Host: x") + BODY
    for _ in range(30):
        found = await said(empty, head + asked + head + post("Host: x", "Connection: close") + BODY)
        kinds = [b"status" if b"no-store" in part and b"x-cache" not in part else b"data" for part in found.split(b"HTTP/1.1 200")[1:]]
        assert kinds == [b"status", b"data", b"status", b"data"]
    found = await said(empty, head + b"\x01")
    assert found.startswith(b"HTTP/1.1 200") and b"HTTP/1.1 400" in found


async def test_a_head_that_is_on_its_way_keeps_its_line(empty: httpx2.AsyncClient) -> None:
    first, last = post("Host: x") + BODY, post("Host: x", "Connection: close") + BODY
    address = urlsplit(str(empty.base_url))
    async with asyncio.timeout(9):
        reader, writer = await asyncio.open_connection(address.hostname, address.port)
        writer.write(first + last[:10])
        await asyncio.sleep(5.5)  # longer than uvicorn is patient with a line that is idle
        writer.write(last[10:])
        assert [status for status, _ in answers(await reader.read())] == [200, 200]
        writer.close()


async def test_who_closes_behind_a_body_has_closed(empty: httpx2.AsyncClient) -> None:
    chunk = b"%x\r\n%s\r\n0\r\nConnection: close\r\n\r\n" % (len(BODY), BODY)
    assert [status for status, _ in answers(await said(empty, CHUNKED + chunk + post("Host: x") + BODY))] == [200]


async def test_fields_behind_a_body_say_nothing(empty: httpx2.AsyncClient) -> None:
    chunk = b"%x\r\n%s\r\n0\r\n" % (len(BODY), BODY)
    trailer = b"X-Request-Id: from-behind\r\nContent-Encoding: gzip\r\nHost: y\r\n\r\n"
    close = post("Host: x", "Connection: close") + BODY
    found = await said(empty, CHUNKED + chunk + trailer, close)
    assert [status for status, _ in answers(found)] == [200, 200]
    assert b"from-behind" not in found
    typeless = CHUNKED.replace(b"Content-Type: application/json\r\n", b"")
    found = await said(empty, typeless + chunk + b"Content-Type: application/json\r\n\r\n", close)
    assert [status for status, _ in answers(found)] == [415, 200]


async def test_an_address_may_be_told_with_its_host(empty: httpx2.AsyncClient) -> None:
    for target, expected in (
        (b"http://x/graphql?query={__typename}", 200), (b"http://x", 307), (b"HTTP://x?a=/b", 307), (b"http://x/nothing", 404),
    ):  # fmt: skip
        asked = b"GET %s HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nConnection: close\r\n\r\n" % target
        assert [status for status, _ in answers(await said(empty, asked))] == [expected]


async def test_who_speaks_1_0_is_not_told_to_go_on(empty: httpx2.AsyncClient) -> None:
    asked = post("Expect: 100-continue").replace(b"HTTP/1.1", b"HTTP/1.0")
    assert [status for status, _ in answers(await said(empty, asked, BODY))] == [200]


async def test_a_tunnel_is_refused(empty: httpx2.AsyncClient) -> None:
    ((status, _),) = answers(await said(empty, b"CONNECT x:443 HTTP/1.1\r\nHost: x:443\r\nConnection: close\r\n\r\n"))
    assert status in (400, 404, 405)


async def test_leave_to_go_on_comes_before_the_answer(empty: httpx2.AsyncClient) -> None:
    asked = post("Host: x", "Expect: 100-continue", body=(kept := b'{"query": "{ stages { name } }"}')) + kept
    last = post("Host: x", "Connection: close") + BODY
    for _ in range(3):  # made, found, and found by the shortest way
        statuses = [status for status, _ in answers(await said(empty, asked, last))]
        assert statuses == [100, 200, 200]


@pytest.mark.parametrize("hosts", [[], ["Host: x", "Host: y"]])
async def test_a_request_names_its_host_once(empty: httpx2.AsyncClient, hosts: list[str]) -> None:
    ((status, body),) = answers(await said(empty, post(*hosts) + BODY))
    (error,) = orjson.loads(body)["errors"]
    assert (status, error["extensions"]["code"]) == (400, "BAD_REQUEST")
    assert "Host" in error["message"]


async def test_of_two_hosts_one_that_can_be_none_is_refused_whichever_counts(empty: httpx2.AsyncClient) -> None:
    twice = post("Host: x", "Host: y").replace(b"HTTP/1.1", b"HTTP/1.0") + BODY
    other = b"GET http://x/nothing HTTP/1.1\r\nHost: you@x\r\nConnection: close\r\n\r\n"
    for asked in (twice, other):
        assert [status for status, _ in answers(await said(empty, asked))] == [400]


async def test_who_speaks_1_0_is_answered_once_however_long_the_line_is_to_be_kept(empty: httpx2.AsyncClient) -> None:
    asked = post("Host: x", "Connection: keep-alive").replace(b"HTTP/1.1", b"HTTP/1.0")
    for _ in range(3):  # made, found, and found by the shortest way
        assert [status for status, _ in answers(await said(empty, asked + BODY))] == [200]


async def test_heads_that_come_in_pieces_are_no_head_that_does_not_end(url_without_a_row: str, valkey: EmbeddedValkey) -> None:
    asked = b"GET /api/health HTTP/1.1\r\nHost: x\r\n\r\n"
    last = asked[:-2] + b"Connection: close\r\n\r\n"
    async with serving(settings_for(url_without_a_row, valkey, max_header_bytes=1_000, max_url_bytes=100)) as client:
        pieces = [asked[20:] + asked[:20]] * 40
        found = answers(await said(client, asked[:20], *pieces, asked[20:] + last))
    assert [status for status, _ in found] == [200] * 42


async def test_what_is_refused_before_it_is_a_request_has_an_id_too(empty: httpx2.AsyncClient) -> None:
    first, second = [await said(empty, b"FOO / HTTP/1.1\r\nHost: x\r\n\r\n") for _ in range(2)]
    assert first.startswith(b"HTTP/1.1 400")
    assert b"x-request-id: " in first
    assert first != second


@pytest.mark.parametrize("lines", [["text/html", "application/json"], [GRAPHQL, "text/html;q=0.5"]])
async def test_the_lines_of_a_header_are_one_list(empty: httpx2.AsyncClient, lines: list[str]) -> None:
    headers = [("content-type", "application/json"), *(("accept", each) for each in lines)]
    response = await empty.post("/graphql", content=BODY, headers=headers)
    assert (response.status_code, response.json()["data"]) == (200, ANSWER)


async def test_a_body_that_is_compressed_is_refused_as_such(empty: httpx2.AsyncClient) -> None:
    for coding, status in (("gzip", 415), ("br", 415), ("identity", 200), ("Identity", 200)):
        headers = {"content-type": "application/json", "content-encoding": coding}
        response = await empty.post("/graphql", content=BODY, headers=headers)
        assert (response.status_code, response.headers.get("accept-encoding")) == (status, "identity" if status == 415 else None)


async def test_a_slash_too_many_leads_to_the_endpoint_by_whatever_a_proxy_speaks_and_adds(empty: httpx2.AsyncClient) -> None:
    asked = (
        ("GET", "/", "", "/graphql"),
        ("POST", "/graphql/", "", "/graphql"),
        ("GET", "/graphql/", "?query=%7B__typename%7D?", "/graphql?query=%7B__typename%7D?"),
        ("GET", "/graphql/sha256:0%20/", "?a=b", "/graphql/sha256:0%20?a=b"),
    )
    for method, path, query, leads_to in asked:
        response = await empty.request(method, f"{path}{query}", headers={"x-forwarded-proto": "https"})
        assert response.status_code == 307
        assert urljoin(f"https://crm/prefix{path}", response.headers["location"]) == f"https://crm/prefix{leads_to}"


@pytest.mark.parametrize(
    ("method", "path", "status"), [("POST", "/", 405), ("GET", "/nothing", 404), ("GET", "/api", 404), ("GET", "/graphql/a/b", 404)]
)
async def test_where_nothing_is_that_is_told_in_json(empty: httpx2.AsyncClient, method: str, path: str, status: int) -> None:
    response = await empty.request(method, path)
    (error,) = response.json()["errors"]
    assert response.status_code == status
    assert error["extensions"]["code"] == {404: "NOT_FOUND", 405: "METHOD_NOT_ALLOWED"}[status]
    assert response.headers["x-request-id"]


async def test_without_auth_a_server_of_this_machine_answers_to_its_own_names_alone(
    url_without_a_row: str, valkey: EmbeddedValkey
) -> None:
    async with serving(settings_for(url_without_a_row, valkey, auth_off_anywhere=False)) as client:
        for host in ("localhost", "LOCALHOST:80", "api.localhost:8000", "127.0.0.1", "127.8.9.1:80", "[::1]:8000", ""):
            ((status, body),) = answers(await said(client, post(f"Host: {host}", "Connection: close") + BODY))
            assert (status, orjson.loads(body)["data"]) == (200, ANSWER), host
        for host in ("rebound.example", "localhost.example:80", "127.0.0.1.example", "10.0.0.1", "[2001:db8::1]", "notlocalhost"):
            ((status, body),) = answers(await said(client, post(f"Host: {host}") + BODY))
            assert (status, orjson.loads(body)["errors"][0]["extensions"]["code"]) == (421, "MISDIRECTED_REQUEST"), host
        # An address in absolute form says the host, whatever ``Host`` says (RFC 9112, section 3.2.2).
        for host, status in (("localhost:80", 200), ("rebound.example", 421), ("you@localhost", 400)):
            whole = f"GET http://{host}/api/health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode()
            assert answers(await said(client, whole))[0][0] == status, host
        # Whatever the same line has said before.
        for targets, hosts, expected in (
            (("/", "http://rebound.example/"), ("localhost", "localhost"), [307, 421]),
            (("http://localhost/", "/"), ("rebound.example", "rebound.example"), [307, 421]),
            (("/", "/"), ("localhost", ""), [307, 307]),
        ):
            heads = [f"GET {target} HTTP/1.1\r\nHost: {host}\r\n" for target, host in zip(targets, hosts, strict=True)]
            line = f"{heads[0]}\r\n{heads[1]}Connection: close\r\n\r\n".encode()
            assert [status for status, _ in answers(await said(client, line))] == expected
