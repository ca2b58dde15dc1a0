"""The paths of the REST shim over HTTP: they answer what their documents answer, and errors as HTTP knows them."""

from collections.abc import AsyncIterator
from typing import Any
from uuid import uuid4

import httpx2
import pytest

from cache.embedded import EmbeddedValkey
from db.embedded import EmbeddedPostgres
from schema.build import build_schema
from schema.documents import DocumentsError, TrustedDocuments
from schema.operation import Executable
from tests.web.shop import Shop, open_shop
from web.rest.table import LINES, Line, RestTable


@pytest.fixture(scope="module")
async def shop(postgres: EmbeddedPostgres, valkey: EmbeddedValkey, migrated: str) -> AsyncIterator[Shop]:
    """A server for the module, whose tests leave it as it was."""
    async with open_shop(postgres, valkey, migrated, "rest") as shop:
        yield shop


def codes(body: dict[str, Any]) -> list[tuple[str, str | None]]:
    """Code and parameter or field of each error."""
    found = [each["extensions"] for each in body["errors"]]
    return [(each["code"], each.get("parameter", each.get("field"))) for each in found]


async def graphql(shop: Shop, name: str, variables: dict[str, Any]) -> Any:
    """The one field that a trusted document answers with."""
    response = await shop.client.post("/graphql", json={"operationName": name, "variables": variables})
    (found,) = response.json()["data"].values()
    return found


async def test_every_path_answers_what_its_document_answers(shop: Shop) -> None:
    ada, acme, deal = str(shop.ada), str(shop.companies[0]), str(shop.deals[0])
    asked: list[tuple[str, str, dict[str, Any]]] = [
        ("/api/dashboard", "DashboardScreen", {}),
        (f"/api/dashboard?ownerId={ada}&timeZone=Asia/Tokyo&activities=2&tasks=0", "DashboardScreen",
         {"ownerId": ada, "timeZone": "Asia/Tokyo", "activities": 2, "tasks": 0}),
        ("/api/companies", "Companies", {}),
        (f"/api/companies/?ownerId={ada.upper()}&limit=1&sort=-name&count=true&search=", "Companies",
         {"ownerId": ada, "first": 1, "sort": {"by": "NAME", "direction": "DESC"}, "withCount": True}),
        (f"/api/companies/{acme}", "Company", {"id": acme}),
        (f"/api/companies/{acme}?deals=1&contacts=0&activities=2", "Company",
         {"id": acme, "deals": 1, "contacts": 0, "activities": 2}),
        (f"/api/companies/{acme}/analytics", "CompanyAnalytics", {"id": acme}),
        (f"/api/companies/{acme}/deals-summary?limit=1", "CompanyDealsSummary", {"id": acme, "limit": 1}),
        ("/api/deals?sort=value", "Deals", {"sort": {"by": "VALUE", "direction": "ASC"}}),
        ("/api/deals?status=OPEN&status=LOST&valueMin=50.00&createdFrom=2026-03-05T00:00:00Z", "Deals",
         {"filter": {"status": ["OPEN", "LOST"], "valueMin": 50, "createdFrom": "2026-03-05T00:00:00Z"}}),
        ("/api/deals?search=deal%204", "Deals", {"search": "deal 4"}),
        (f"/api/deals/{deal}", "Deal", {"id": deal}),
        (f"/api/deals/pipeline-stats?ownerId={ada}", "PipelineStats", {"ownerId": ada}),
        (f"/api/contacts?companyId={acme}&hasEmail=false", "Contacts", {"filter": {"companyId": acme, "hasEmail": False}}),
        (f"/api/contacts/stats?ownerId={ada}", "ContactStats", {"ownerId": ada}),
        ("/api/activities?type=NOTE&type=CALL&limit=3", "Activities", {"filter": {"type": ["NOTE", "CALL"]}, "first": 3}),
        ("/api/stages", "Stages", {}),
    ]  # fmt: skip
    for path, name, variables in asked:
        response = await shop.client.get(path)
        body, expected = response.json(), await graphql(shop, name, variables)
        assert response.status_code == 200, path
        if isinstance(expected, list):
            assert body["data"] == {"items": expected} != {"items": []}
        elif "edges" in expected:
            assert body["data"]["items"] == [edge["node"] for edge in expected["edges"]] != [], path
            count = {"totalCount": expected["totalCount"]} if "totalCount" in expected else {}
            assert body["data"]["pageInfo"] == {**expected["pageInfo"], **count}
        else:
            expected.pop("generatedAt", None)
            body["data"].pop("generatedAt", None)
            assert body["data"] == expected, path
        assert set(body) == {"data", "metadata"}
    assert {line.document for line in LINES} - {name for _, name, _ in asked} == {"BulkUpdateDeals"}


async def test_an_answer_says_how_it_came_about_and_need_not_be_sent_twice(shop: Shop) -> None:
    path = f"/api/deals?ownerId={shop.bob}"
    first, second = [await shop.client.get(path) for _ in range(2)]
    assert (first.headers["x-cache"], first.json()["metadata"]["cached"]) == ("MISS", False)
    assert (second.headers["x-cache"], second.json()["metadata"]["cached"]) == ("HIT", True)
    assert second.headers["x-cache-key"] == first.headers["x-cache-key"]
    assert second.headers["x-response-time"] == f"{second.json()['metadata']['responseTime']:.2f}ms"
    assert second.headers["cache-control"] == "public, no-cache"
    etag = second.headers["etag"]
    for method in ("GET", "HEAD"):
        there = await shop.client.request(method, path, headers={"if-none-match": etag})
        assert (there.status_code, there.content, there.headers["etag"]) == (304, b"", etag)
    anew = await shop.client.get(f"{path}&refresh=true", headers={"if-none-match": 'W/"another"'})
    assert (anew.status_code, anew.headers["x-cache"], anew.headers["etag"]) == (200, "MISS", etag)
    no_cache = await shop.client.get(path, headers={"cache-control": "no-cache"})
    assert no_cache.headers["x-cache"] == "MISS"
    head = await shop.client.head(path)
    assert (head.status_code, head.content, head.headers["x-cache"]) == (200, b"", "HIT")
    assert int(head.headers["content-length"]) > 500


async def test_the_codings_of_an_answer_share_no_strong_validator_and_each_says_that_there_are_others(shop: Shop) -> None:
    for path in ("/api/openapi.json", "/api/deals"):
        for coding in ("identity", "gzip", "br"):
            asked = {"accept-encoding": coding}
            found = await shop.client.get(path, headers=asked)
            assert found.headers.get("content-encoding", "identity") == coding
            there = await shop.client.get(path, headers={**asked, "if-none-match": found.headers["etag"]})
            assert there.status_code == 304
            for each in (found, there):
                assert each.headers["etag"].startswith('W/"')
                assert each.headers["vary"].count("Accept-Encoding") == 1


async def test_a_list_is_walked_to_its_end_and_back(shop: Shop) -> None:
    path, seen, cursor = "/api/deals?sort=name&limit=3", [], ""
    while True:
        data = (await shop.client.get(f"{path}&cursor={cursor}")).json()["data"]
        seen += [each["name"] for each in data["items"]]
        if not data["pageInfo"]["hasNextPage"]:
            break
        cursor = data["pageInfo"]["endCursor"]
    assert seen == [f"Deal {number}" for number in range(7)]
    back = (await shop.client.get(f"{path}&before={data['pageInfo']['startCursor']}")).json()["data"]
    assert [each["name"] for each in back["items"]] == ["Deal 3", "Deal 4", "Deal 5"]
    assert (back["pageInfo"]["hasPreviousPage"], back["pageInfo"]["hasNextPage"]) == (True, True)
    elsewhere = await shop.client.get(f"/api/deals?sort=-name&cursor={cursor}")
    assert (elsewhere.status_code, codes(elsewhere.json())) == (400, [("INVALID_CURSOR", "cursor")])


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("limit=101", [("BAD_USER_INPUT", "limit")]),
        ("limit=-1", [("BAD_USER_INPUT", "limit")]),
        ("limit=1e1", [("BAD_USER_INPUT", "limit")]),
        ("limit=1&limit=2", [("BAD_USER_INPUT", "limit")]),
        ("sort=VALUE", [("BAD_USER_INPUT", "sort")]),
        ("count=yes", [("BAD_USER_INPUT", "count")]),
        ("refresh=maybe", [("BAD_USER_INPUT", "refresh")]),
        ("ownerId=ada", [("BAD_USER_INPUT", "ownerId")]),
        ("status=open", [("BAD_USER_INPUT", "status")]),
        ("valueMin=NaN", [("BAD_USER_INPUT", "valueMin")]),
        ("closesFrom=soon", [("BAD_USER_INPUT", "closesFrom")]),
        ("createdFrom=2026-03-04T12:00:00 01:00", [("BAD_USER_INPUT", "createdFrom")]),
        ("search=%00", [("BAD_USER_INPUT", "search")]),
        ("search=" + "a" * 1001, [("BAD_USER_INPUT", "search")]),
        ("cursor=a&before=b", [("BAD_USER_INPUT", "before")]),
        ("limit=%D9%A3", [("BAD_USER_INPUT", "limit")]),
        ("limit=" + "1" * 5_000, [("BAD_USER_INPUT", "limit")]),
        ("stat=", [("UNKNOWN_PARAMETER", "stat")]),
        ("stat=OPEN", [("UNKNOWN_PARAMETER", "stat")]),
        ("first=1&id=1&limit=x", [("UNKNOWN_PARAMETER", "first"), ("UNKNOWN_PARAMETER", "id"), ("BAD_USER_INPUT", "limit")]),
        ("valueMin=0.001", [("BAD_USER_INPUT", "valueMin")]),
        ("cursor=x", [("INVALID_CURSOR", "cursor")]),
        ("before=x", [("INVALID_CURSOR", "before")]),
        ("&".join(f"stageIds={uuid4()}" for _ in range(101)), [("BAD_USER_INPUT", "stageIds")]),
        ("&".join(["status=OPEN"] * 201), [("BAD_REQUEST", None)]),
    ],
)
async def test_parameters_that_cannot_be_are_all_told(shop: Shop, query: str, expected: list[tuple[str, str | None]]) -> None:
    response = await shop.client.get(f"/api/deals?{query}")
    assert (response.status_code, codes(response.json())) == (400, expected)


async def test_what_a_document_says_of_a_parameter_names_it_as_the_client_does(shop: Shop) -> None:
    for path, name, message in (
        ("/api/deals?valueMin=0.001", "valueMin", "valueMin: an amount may have two decimals at most."),
        ("/api/deals?cursor=x", "cursor", "cursor: The cursor is not one that this server issues."),
        ("/api/dashboard?timeZone=Mars", "timeZone", "timeZone: not a time zone of the IANA database;"),
    ):
        (error,) = (await shop.client.get(path)).json()["errors"]
        assert error["extensions"]["parameter"] == name
        assert error["message"].startswith(message)


async def test_a_size_that_is_not_said_is_what_the_openapi_document_tells(shop: Shop) -> None:
    paths = (await shop.client.get("/api/openapi.json")).json()["paths"]
    for path, name, size in (
        ("/api/dashboard", "activities", 10),
        ("/api/dashboard", "tasks", 5),
        ("/api/companies/{id}/deals-summary", "limit", 5),
        ("/api/deals", "limit", 20),
    ):
        (said,) = [each["description"] for each in paths[path]["get"]["parameters"] if each.get("name") == name]
        assert said == f"How many: 0 to 100. {size} if nothing is said."


async def test_where_there_are_no_parameters_none_are_listed(shop: Shop) -> None:
    (error,) = (await shop.client.post("/api/deals/bulk?limit=1", json={})).json()["errors"]
    assert error["message"] == "limit: there is no such parameter here. There are none."


async def test_of_more_errors_than_are_told_an_answer_says_how_many(shop: Shop) -> None:
    many = {f"p{number}": 1 for number in range(15)}
    for response, kind in (
        (await shop.client.get("/api/deals", params=many), "parameter"),
        (await shop.client.post("/api/deals/bulk", json=many), "field"),
    ):
        body = response.json()
        assert [each["extensions"][kind] for each in body["errors"]] == [f"p{number}" for number in range(10)]
        assert body["extensions"] == {"errorsLeftOut": 5}
    body = (await shop.client.post("/api/deals/bulk", json={"operation": "DELETE", "dealIds": [None] * 15})).json()
    assert (len(body["errors"]), body["extensions"]) == (10, {"errorsLeftOut": 5})
    assert "extensions" not in (await shop.client.get("/api/deals?p=1")).json()


async def test_bytes_that_are_no_text_are_no_failure_of_ours(shop: Shop) -> None:
    for query in ("search=%ff%fe", "search=%", "%ff=1", "search=\u00e4"):
        assert (await shop.client.get(f"/api/deals?{query}")).status_code in {200, 400}


async def test_ids_and_paths_of_nothing_are_not_found_and_methods_are_those_of_the_path(shop: Shop) -> None:
    client = shop.client
    for path in (f"/api/deals/{uuid4()}", f"/api/deals/{shop.ada}", f"/api/companies/{uuid4()}/analytics"):
        response = await client.get(path)
        assert (response.status_code, codes(response.json())) == (404, [("NOT_FOUND", None)])
    malformed = await client.get("/api/deals/7")
    assert (malformed.status_code, codes(malformed.json())) == (400, [("BAD_USER_INPUT", "id")])
    for path in ("/api/", "/api/nothing", "/api/deals/1/2", "/api/companies//analytics", "/api/batch/more", "/api/a%0Ab"):
        response = await client.get(path)
        assert (response.status_code, codes(response.json())) == (404, [("NOT_FOUND", None)]), path
    for method, path, allow in (
        ("POST", "/api/deals", "GET, HEAD"), ("DELETE", f"/api/deals/{shop.deals[0]}", "GET, HEAD"),
        ("POST", "/api/health", "GET, HEAD"), ("GET", "/api/batch", "POST"), ("PURGE", "/api/openapi.json", "GET, HEAD"),
        ("HEAD", "/api/performance/clear-cache", "POST"), ("PATCH", "/api/deals/bulk", "POST"),
    ):  # fmt: skip
        response = await client.request(method, path)
        assert (response.status_code, response.headers["allow"]) == (405, allow), path


async def test_deals_are_changed_in_bulk_and_what_was_answered_before_is_old(shop: Shop) -> None:
    deals, path = [str(each) for each in shop.deals[:2]], f"/api/deals/{shop.deals[0]}"
    before = (await shop.client.get(path)).json()["data"]
    change = {"operation": "UPDATE_VALUE", "dealIds": deals, "updates": {"value": 12.5}}
    dry = await shop.client.post("/api/deals/bulk", json={**change, "dryRun": True})
    assert (dry.status_code, dry.json()["data"]["updatedCount"], dry.json()["data"]["dryRun"]) == (200, 2, True)
    key = {"idempotency-key": f"rest-{uuid4()}"}
    answers = [await shop.client.post("/api/deals/bulk", json=change, headers=key) for _ in range(2)]
    assert [each.status_code for each in answers] == [200, 200]
    assert answers[0].json()["data"] == answers[1].json()["data"]
    assert "errors" not in answers[0].json()["data"]
    after = (await shop.client.get(path)).json()["data"]
    assert (after["value"], after["version"]) == (12.5, before["version"] + 1)
    for deal in shop.deals[:2]:
        await shop.sql.execute("update deal set value = $2 where id = $1", deal, 100 * shop.deals.index(deal))


async def test_a_change_that_cannot_be_made_says_why(shop: Shop) -> None:
    gone, deal = str(uuid4()), str(shop.deals[0])
    for body, status, code in (
        ({"operation": "DELETE", "dealIds": [deal, gone]}, 422, ("VALIDATION", "dealIds")),
        ({"operation": "UPDATE_STAGE", "dealIds": [deal]}, 422, ("VALIDATION", "updates.stageId")),
        ({"operation": "DELETE", "dealIds": ["x"]}, 422, ("VALIDATION", "dealIds")),
        ({"operation": "BURN", "dealIds": [deal]}, 400, ("BAD_USER_INPUT", "operation")),
        ({"dealIds": [deal]}, 400, ("BAD_USER_INPUT", "operation")),
        ({"operation": "DELETE", "dealIds": [None]}, 400, ("BAD_USER_INPUT", "dealIds")),
        ({"operation": "DELETE", "dealIds": [deal], "updates": {"value": "x"}}, 400, ("BAD_USER_INPUT", "updates.value")),
        ({"operation": "DELETE", "dealIds": [deal], "why": 1}, 400, ("UNKNOWN_PARAMETER", "why")),
        ([], 400, ("BAD_REQUEST", None)),
    ):
        response = await shop.client.post("/api/deals/bulk", json=body)
        assert (response.status_code, codes(response.json())) == (status, [code]), body
        assert "parameter" not in response.json()["errors"][0]["extensions"]
    results = (await shop.client.post("/api/deals/bulk", json={"operation": "DELETE", "dealIds": [deal, gone]})).json()["data"]["results"]
    assert [(each["id"], each["status"]) for each in results] == [(deal, "SKIPPED"), (gone, "FAILED")]
    for content, content_type, status in (
        (b"{}", "text/plain", 415), (b"{", "application/json", 400), (b" " * 1_000_001, "application/json", 413),
        (b"[" * 1000 + b"]" * 1000, "application/json", 400),
    ):  # fmt: skip
        response = await shop.client.post("/api/deals/bulk", content=content, headers={"content-type": content_type})
        assert response.status_code == status
        assert codes(response.json())


def test_a_table_that_cannot_be_served_is_told_at_the_start() -> None:
    executable = Executable(build_schema())
    trusted = TrustedDocuments(executable)
    for line, complaint in (
        (Line("GET", "/api/x", "Nothing", ""), r"documents/Nothing\.graphql: /api/x is answered by it"),
        (Line("GET", "/api/x", "Deal", ""), r"documents/Deal\.graphql: /api/x does not say what \$id is"),
    ):
        with pytest.raises(DocumentsError, match=complaint):
            RestTable(executable.types, trusted, (line,))


async def test_a_list_of_nothing_is_found(empty: httpx2.AsyncClient) -> None:
    found = await empty.get("/api/stages")
    assert (found.status_code, found.json()["data"]) == (200, {"items": []})


async def test_that_there_is_nothing_has_no_validator_and_is_not_kept_by_anybody_else(shop: Shop) -> None:
    path = f"/api/deals/{uuid4()}"
    answers = [await shop.client.get(path) for _ in range(2)]
    assert [(each.status_code, each.headers["x-cache"]) for each in answers] == [(404, "MISS"), (404, "HIT")]
    assert [(each.headers["cache-control"], each.headers.get("etag")) for each in answers] == [("no-store", None)] * 2


async def test_a_body_that_is_compressed_is_refused_and_told_what_is_taken(shop: Shop) -> None:
    coded = {"content-type": "application/json", "content-encoding": "gzip"}
    answer = await shop.client.post("/api/deals/bulk", content=b"{}", headers=coded)
    assert (answer.status_code, answer.headers["accept-encoding"]) == (415, "identity")


async def test_a_request_ends_when_its_client_wishes_alone_and_in_a_batch(shop: Shop) -> None:
    item = [{"id": 1, "path": "/api/contacts", "query": {"search": "late"}}]
    wrong = {"x-request-timeout": "soon"}
    for response in (await shop.client.get("/api/contacts", headers=wrong), await shop.client.post("/api/batch", json=item, headers=wrong)):
        assert (response.status_code, codes(response.json())) == (400, [("BAD_REQUEST", None)])
    async with shop.sql.transaction():
        await shop.sql.execute("lock table contact")
        alone = await shop.client.get("/api/contacts?search=late", headers={"x-request-timeout": "0.2"})
        assert (alone.status_code, codes(alone.json())) == (504, [("DEADLINE_EXCEEDED", None)])
        (told,) = (await shop.client.post("/api/batch", json=item, headers={"x-request-timeout": "0.2"})).json()
        assert (told["status"], codes(told["body"])) == (504, [("DEADLINE_EXCEEDED", None)])
