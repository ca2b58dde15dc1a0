"""What comes back from ``/graphql``: data, or one clear error with a code; never an accident of ours in a client's face."""

from collections.abc import AsyncIterator
from decimal import Decimal
from typing import Any
from uuid import UUID

import asyncpg
import httpx2
import orjson
import pytest
from structlog.testing import capture_logs

from cache.embedded import EmbeddedValkey
from tests.crm import Crm
from tests.web.conftest import GRAPHQL, JSON, serving, settings_for

STAGES = {"query": "{ stages { id name } }"}
UNKNOWN = "01890a5d-ac96-774b-bcce-b302099a8057"
TWO = "query A { __typename } query B { __typename }"
MONEY = "query ($v: Money) { deals(filter: {valueMin: $v}) { totalCount } }"


@pytest.mark.parametrize(
    ("asked", "strict", "legacy", "code"),
    [
        (b"{", 400, 400, "BAD_REQUEST"),
        (b"", 400, 400, "BAD_REQUEST"),
        (b'{"query": "\xff"}', 400, 400, "BAD_REQUEST"),
        (b'{"query": "\\ud800"}', 400, 400, "BAD_REQUEST"),
        (b'{"query": "{ stages { id } }", "variables": {"v": 1e999}}', 400, 400, "BAD_REQUEST"),
        (b"[" * 100_000, 400, 400, "BAD_REQUEST"),
        ([STAGES], 400, 400, "BATCHING_NOT_ENABLED"),
        ("{ stages { id } }", 422, 400, "BAD_REQUEST"),
        ({}, 422, 400, "BAD_REQUEST"),
        ({"query": ""}, 422, 400, "BAD_REQUEST"),
        ({"query": 1}, 422, 400, "BAD_REQUEST"),
        ({**STAGES, "variables": []}, 422, 400, "BAD_REQUEST"),
        ({**STAGES, "operationName": 1}, 422, 400, "BAD_REQUEST"),
        ({**STAGES, "extensions": "x"}, 422, 400, "BAD_REQUEST"),
        ({"query": "{ stages { id }"}, 400, 200, "GRAPHQL_PARSE_FAILED"),
        ({"query": "# nothing"}, 400, 200, "GRAPHQL_PARSE_FAILED"),
        ({"query": "{ a " * 5_000}, 400, 200, "GRAPHQL_PARSE_FAILED"),
        ({"query": "{" + "a:stages{id} " * 7_000 + "}"}, 400, 200, "GRAPHQL_PARSE_FAILED"),
        ({"query": "{" + "a:id " * 10_000 + "}"}, 400, 200, "GRAPHQL_PARSE_FAILED"),
        ({"query": "{" + "a:stages{id} " * 60_000 + "}"}, 400, 200, "DOCUMENT_TOO_LONG"),
        ({"query": "{" + "a" * 101 + ":stages{id}}"}, 422, 200, "NAME_TOO_LONG"),
        ({"query": "{ nothing }"}, 422, 200, "GRAPHQL_VALIDATION_FAILED"),
        ({"query": "mutation { stages { id } }"}, 422, 200, "GRAPHQL_VALIDATION_FAILED"),
        ({"query": "{ deals(first: 99999999999) { totalCount } }"}, 422, 200, "GRAPHQL_VALIDATION_FAILED"),
        ({"query": "query ($v: Int!) { deals(first: $v) { totalCount } }"}, 422, 200, "BAD_USER_INPUT"),
        ({"query": MONEY, "variables": {"v": "much"}}, 422, 200, "BAD_USER_INPUT"),
        ({"query": MONEY, "variables": {"v": [[[]]]}}, 422, 200, "BAD_USER_INPUT"),
        (b'{"query": "%b", "variables": {"v": %b}}' % (MONEY.encode(), b"[" * 60 + b"]" * 60), 422, 200, "BAD_USER_INPUT"),
        (b'{"query": "%b", "variables": {"v": %b}}' % (MONEY.encode(), b"[" * 900 + b"]" * 900), 400, 400, "BAD_REQUEST"),
        (b'{"query": "%b", "variables": {"v": %b}}' % (MONEY.encode(), b"[" * 100_000 + b"]" * 100_000), 400, 400, "BAD_REQUEST"),
        ({"query": TWO}, 422, 200, "OPERATION_RESOLUTION_FAILURE"),
        ({"query": TWO, "operationName": "C"}, 422, 200, "OPERATION_RESOLUTION_FAILURE"),
        ({"query": TWO, "operationName": ""}, 422, 200, "OPERATION_RESOLUTION_FAILURE"),
    ],
    ids=lambda value: repr(value)[:60],
)
async def test_a_request_that_is_not_executed_has_one_error_and_no_data(
    empty: httpx2.AsyncClient, asked: Any, strict: int, legacy: int, code: str
) -> None:
    for media_type, status in ((GRAPHQL, strict), (JSON, legacy)):
        response = await _send(empty, asked, accept=media_type)
        assert response.status_code == status
        assert response.headers["content-type"] == f"{media_type}; charset=utf-8"
        assert response.json().keys() == {"errors"}
        (error,) = response.json()["errors"]
        assert error["extensions"]["code"] == code
        assert error["message"]


@pytest.mark.parametrize(
    ("asked", "data"),
    [
        (STAGES, {"stages": []}),
        ({**STAGES, "variables": None, "operationName": None, "extensions": None}, {"stages": []}),
        ({**STAGES, "variables": {"unused": 1}, "extensions": {"x": 1}}, {"stages": []}),
        ({**STAGES, "unknown": 1, "id": [], "": {}}, {"stages": []}),
        ({"query": TWO, "operationName": "B"}, {"__typename": "Query"}),
    ],
    ids=lambda value: repr(value)[:60],
)
async def test_a_request_that_is_executed_has_data_and_status_200(
    empty: httpx2.AsyncClient, asked: Any, data: Any
) -> None:
    for media_type in (GRAPHQL, JSON):
        response = await _send(empty, asked, accept=media_type)
        assert (response.status_code, response.json()["data"]) == (200, data)
        assert response.json().keys() == {"data", "extensions"}


async def test_an_error_says_where_in_the_document_and_where_in_the_answer(empty: httpx2.AsyncClient) -> None:
    response = await _send(empty, {"query": "{\n  stages { id }\n  first: company(id: 7) { id }\n}"})
    assert response.status_code == 200
    assert response.json()["data"] == {"stages": [], "first": None}
    (error,) = response.json()["errors"]
    assert error["path"] == ["first"]
    assert error["locations"] == [{"line": 3, "column": 3}]
    assert error["extensions"] == {"code": "BAD_USER_INPUT"}
    assert "an id looks like" in error["message"]


async def test_an_answer_with_errors_of_fields_has_the_status_that_is_set_for_who_reads_it(
    url_without_a_row: str, valkey: EmbeddedValkey
) -> None:
    partial = {"query": "{ stages { id } company(id: 7) { id } }"}
    async with serving(settings_for(url_without_a_row, valkey, partial_status=294)) as client:
        for asked, strict in ((partial, 294), ({"query": "{ company(id: 7) { id } }"}, 294), (STAGES, 200), ({"query": "{ nothing }"}, 422)):
            assert (await _send(client, asked, accept=GRAPHQL)).status_code == strict
            assert (await _send(client, asked, accept=JSON)).status_code == 200


async def test_what_nobody_expected_is_masked_and_logged_under_the_request_id(
    client: httpx2.AsyncClient, sql: "asyncpg.Connection[asyncpg.Record]"
) -> None:
    await sql.execute("alter table stage rename column color to colour")
    with capture_logs() as logs:
        response = await _send(client, STAGES)
    (error,) = response.json()["errors"]
    request_id = response.headers["x-request-id"]
    assert error["extensions"] == {"code": "INTERNAL_SERVER_ERROR", "requestId": request_id}
    assert "colo" not in response.text
    assert "stage." not in response.text
    assert request_id in [entry.get("request_id") for entry in logs if entry["log_level"] == "error"]


@pytest.mark.parametrize("offered", ["abc", "0", "a" * 64, "A-b_c.9"])
async def test_a_request_id_that_a_client_chose_is_echoed(empty: httpx2.AsyncClient, offered: str) -> None:
    response = await _send(empty, STAGES, **{"x-request-id": offered})
    assert response.headers["x-request-id"] == offered


@pytest.mark.parametrize("offered", ["", "a" * 65, "a b", "<script>", "a\tb", "ä", "a,b", "../x", "%0d%0a"])
async def test_a_request_id_that_could_do_harm_is_replaced(empty: httpx2.AsyncClient, offered: str) -> None:
    response = await _send(empty, STAGES, **{"x-request-id": offered.encode("latin-1")})
    assert response.status_code == 200
    assert UUID(response.headers["x-request-id"])


@pytest.mark.parametrize("path", ["/graphql", "/api/health", "/nowhere", "/graphql/../etc/passwd", "/graphiql/nothing"])
async def test_every_answer_carries_the_security_headers_and_a_request_id(empty: httpx2.AsyncClient, path: str) -> None:
    response = await empty.get(path)
    assert response.headers["x-content-type-options"] == "nosniff"
    assert response.headers["referrer-policy"] == "no-referrer"
    assert response.headers["content-security-policy"].startswith("default-src 'none'")
    assert "x-request-id" in response.headers
    assert "server" not in response.headers


async def test_a_long_answer_is_compressed_for_who_accepts_it(empty: httpx2.AsyncClient) -> None:
    query = {"query": "{ __schema { types { name description fields { name description } } } }"}
    plain = await _send(empty, query, **{"accept-encoding": "identity"})
    assert "content-encoding" not in plain.headers
    for coding in ("br", "gzip"):
        packed = await _send(empty, query, **{"accept-encoding": coding})
        assert packed.headers["content-encoding"] == coding
        assert int(packed.headers["content-length"]) < int(plain.headers["content-length"]) / 2
        assert {"Accept", "Accept-Encoding"} <= {name.strip() for name in packed.headers["vary"].split(",")}
        assert packed.json() == plain.json()


async def test_a_short_answer_is_not_compressed(empty: httpx2.AsyncClient) -> None:
    assert "content-encoding" not in (await _send(empty, STAGES, **{"accept-encoding": "br"})).headers


async def test_a_body_over_the_limit_is_refused_however_it_is_sent(database_url: str, valkey: EmbeddedValkey) -> None:
    padding = {**STAGES, "padding": "x" * 1_000_000}

    async def in_pieces(body: bytes) -> AsyncIterator[bytes]:
        for start in range(0, len(body), 10_000):
            yield body[start : start + 10_000]

    async with serving(settings_for(database_url, valkey, max_body_bytes=1_000_000)) as client:
        headers = {"content-type": JSON}
        whole = await client.post("/graphql", content=orjson.dumps(padding), headers=headers)
        chunked = await client.post("/graphql", content=in_pieces(orjson.dumps(padding)), headers=headers)
        for response in (whole, chunked):
            assert (response.status_code, _code(response)) == (413, "BODY_TOO_LARGE")
            assert "1000000 bytes" in response.json()["errors"][0]["message"]
        padding["padding"] = "x" * 990_000
        fits = await client.post("/graphql", content=in_pieces(orjson.dumps(padding)), headers=headers)
        assert fits.json()["data"] == {"stages": []}


async def test_an_answer_may_be_deep_and_one_too_deep_to_be_written_is_refused(
    database_url: str, valkey: EmbeddedValkey, crm: Crm
) -> None:
    owner, stage = await crm.user(), await crm.stage()
    company = await crm.company(owner)
    await crm.deal(owner, stage, company_id=company)

    async def descend(client: httpx2.AsyncClient, levels: int) -> httpx2.Response:
        deep = "deals(limit: 1) { company { " * levels + "name" + " } }" * levels
        return await _send(client, {"query": f'{{ company(id: "{company}") {{ {deep} }} }}'})

    async with serving(settings_for(database_url, valkey, max_depth=1000)) as client:
        assert '"name":"Acme"' in (await descend(client, 80)).text
        too_deep = await descend(client, 95)
        assert (too_deep.status_code, _code(too_deep)) == (400, "BAD_USER_INPUT")


NOUNS = ("companies", "contacts", "deals", "activities", "users")
TEXTS = ("🎉 émoji \u202e", "a\0b", "\0", "x" * 1_000, "x" * 10_000, "!?.,;:'\"()&|<->*\\%_", "   ", "", "' or 1=1 --", "\ufeff")
NO_IDS = ("", "0", "7", "x", "null", "🎉", "a\0b", UNKNOWN[:-1], f"{{{UNKNOWN}}}", f" {UNKNOWN}", "x" * 10_000)
AMOUNTS: tuple[object, ...] = (0, -1, 0.01, 999999999999.99, -999999999999.99, 1e12, 1e300, 0.001, 10**18, "12", "nan", "infinity", "", True, {})
MOMENTS = ("0001-01-01T00:00:00Z", "9999-12-31T23:59:59.999999Z", "9999-12-31T23:59:59-14:00", "0001-01-01T00:00:00+14:00",
           "2026-02-30", "2026-01-01", "infinity", "", "now", 0)  # fmt: skip


def hostile() -> list[tuple[str, dict[str, Any]]]:
    """Operations with variables that nobody should send, and some that only look so."""
    asked: list[tuple[str, dict[str, Any]]] = []
    for noun in NOUNS:
        page = f"query ($first: Int, $last: Int, $limit: Int, $after: String, $before: String, $search: String) {{ {noun}"
        page += "(first: $first, last: $last, limit: $limit, after: $after, before: $before, search: $search)"
        page += " { totalCount edges { cursor node { id } } pageInfo { hasNextPage hasPreviousPage endCursor } } }"
        sizes = (0, -1, 1, 100, 101, 2**31 - 1, -(2**31), 2**31, 1e20, 1.5, "1", None)
        asked += [(page, {name: size}) for name in ("first", "last", "limit") for size in sizes]
        asked += [(page, {"first": 1, "last": 1}), (page, {"first": 1, "limit": 1}), (page, {"last": 0, "limit": 0})]
        asked += [(page, {name: text}) for name in ("after", "before", "search") for text in TEXTS]
    for noun in ("node", "company", "contact", "deal", "activity", "stage", "user"):
        asked += [(f"query ($id: ID!) {{ {noun}(id: $id) {{ id }} }}", {"id": each}) for each in (UNKNOWN, *NO_IDS, 7, None)]
    for noun in ("companies", "deals"):
        of_owner = f"query ($id: ID) {{ {noun}(ownerId: $id) {{ totalCount edges {{ node {{ name }} }} }} }}"
        asked += [(of_owner, {"id": each}) for each in (UNKNOWN, *NO_IDS, None)]
    by_revenue = "query ($v: Money) { companies(filter: {revenueMin: $v, revenueMax: $v}) { edges { node { revenue } } } }"
    asked += [(query, {"v": amount}) for query in (MONEY, by_revenue) for amount in AMOUNTS]
    since = "query ($v: DateTime) { deals(filter: {createdFrom: $v, createdBefore: $v}) { totalCount edges { cursor } } }"
    asked += [(since, {"v": moment}) for moment in MOMENTS]
    closing = "query ($v: Date) { deals(filter: {closesFrom: $v, closesUntil: $v}) { totalCount edges { cursor } } }"
    asked += [(closing, {"v": day}) for day in ("0001-01-01", "9999-12-31", "2026-02-30", "infinity", "", 0)]
    names = "query ($v: [String!]) { companies(filter: {industry: $v}) { totalCount } }"
    asked += [(names, {"v": value}) for value in ([], [""], list(TEXTS), [text for text in TEXTS if "\0" not in text], ["x"] * 101)]
    ids = "query ($v: [ID!]) { deals(filter: {stageIds: $v}) { totalCount } }"
    asked += [(ids, {"v": value}) for value in ([], [UNKNOWN], list(NO_IDS), [UNKNOWN] * 101, [None], "x")]
    boards = "query ($zone: String) { dashboard(timeZone: $zone) { overview { activities { today } } recent { tasks { id } } } }"
    asked += [(boards, {"zone": zone}) for zone in ("Europe/Berlin", "UTC", "../../etc/passwd", "x" * 10_000, None, *TEXTS)]
    sort = "query ($by: DealSortKey) { deals(sort: {by: $by}) { totalCount } }"
    asked += [(sort, {"by": value}) for value in ("NAME", "name", None, 1)]
    asked += [(f"{{ dashboard {{ recent {{ tasks(limit: {limit}) {{ id }} }} }} }}", {}) for limit in (-1, 0, 100, 101)]
    asked += [("{ pipelineStats { winRate stages { share } } contactStats { total } }", {})]
    return asked


async def _wrong(client: httpx2.AsyncClient) -> list[object]:
    """Every hostile request whose answer is neither data nor one clear error."""
    found: list[object] = []
    for query, variables in hostile():
        response = await _send(client, {"query": query, "variables": variables}, accept=GRAPHQL)
        codes = [error["extensions"]["code"] for error in response.json().get("errors", ())]
        fine = response.json().get("data") is not None and not codes
        told = codes in (["BAD_USER_INPUT"], ["INVALID_CURSOR"])
        if response.status_code not in (200, 422) or not (fine or told):
            found.append((query, variables, response.text))
    return found


async def test_hostile_input_gets_data_or_one_clear_error_on_an_empty_database(empty: httpx2.AsyncClient) -> None:
    assert await _wrong(empty) == []


async def test_hostile_input_gets_data_or_one_clear_error_among_extreme_rows(client: httpx2.AsyncClient, crm: Crm) -> None:
    owner, stage = await crm.user("🎉 Ada \u202e"), await crm.stage("🎉")
    for amount in (None, Decimal("0"), Decimal("0.01"), Decimal("999999999999.99")):
        company = await crm.company(owner, "\u202e 🎉" + "ä" * 290, revenue=amount, industry="' or 1=1 --")
        contact = await crm.contact(owner, "ß" * 100, company_id=company)
        deal = await crm.deal(owner, stage, "漢" * 300, value=amount, company_id=company, contact_id=contact)
        await crm.activity(owner, "TASK", "🎉" * 300, body="x" * 100_000, deal_id=deal)
    assert await _wrong(client) == []


async def test_names_and_amounts_come_back_exactly_as_they_were_put_in(client: httpx2.AsyncClient, crm: Crm) -> None:
    owner, stage = await crm.user(), await crm.stage()
    name = '🎉 "quoted" \\ \u202e <b> \t\u2028 ' + "ä" * 200
    for cents in (0, 1, 10**14 - 1, 12_345_678_901_23):
        deal = await crm.deal(owner, stage, name, value=Decimal(cents) / 100)
        response = await _send(client, {"query": "query ($id: ID!) { deal(id: $id) { name value } }", "variables": {"id": str(deal)}})
        found = response.json()["data"]["deal"]
        assert (found["name"], Decimal(repr(found["value"]))) == (name, Decimal(cents) / 100)


async def _send(client: httpx2.AsyncClient, asked: Any, **headers: Any) -> httpx2.Response:
    body = asked if isinstance(asked, bytes) else orjson.dumps(asked)
    return await client.post("/graphql", content=body, headers={"content-type": JSON, **headers})


def _code(response: httpx2.Response) -> str:
    (error,) = response.json()["errors"]
    return str(error["extensions"]["code"])


async def test_json_may_have_as_many_levels_as_is_set_and_no_more(url_without_a_row: str, valkey: EmbeddedValkey) -> None:
    async with serving(settings_for(url_without_a_row, valkey, max_json_depth=6)) as client:
        for levels, is_read in ((6, True), (7, False)):
            deep = b"[" * (levels - 2) + b"]" * (levels - 2)
            wide = b"[" + b",".join([b"[1]"] * 10) + b"]"  # more brackets than levels
            body = b'{"query": "{ __typename }", "variables": {"deep": %b, "wide": %b}}' % (deep.replace(b"[]", b"[1]"), wide)
            answer = await _send(client, body, accept=JSON)
            assert ("data" in answer.json()) is is_read
