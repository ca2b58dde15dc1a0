"""What a request must look like to be read, and in which form the answer comes: GraphQL over HTTP, draft of 2026-08."""

import httpx2
import pytest

from tests.web.conftest import GRAPHQL, JSON
from web.http.negotiation import HTML, best

STAGES = {"query": "{ stages { id } }"}
BROWSER = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"


async def _ask(client: httpx2.AsyncClient, accept: str | None) -> httpx2.Response:
    request = client.build_request("POST", "/graphql", json=STAGES)
    del request.headers["accept"]
    if accept is not None:
        request.headers["accept"] = accept
    return await client.send(request)


@pytest.mark.parametrize(
    ("accept", "answered"),
    [
        (None, JSON),
        ("", JSON),
        (",", JSON),
        (f",, {GRAPHQL},,", GRAPHQL),
        ("*/*", JSON),
        ("application/*", JSON),
        (JSON, JSON),
        (GRAPHQL, GRAPHQL),
        ("Application/GraphQL-Response+JSON; charset=utf-8", GRAPHQL),
        (f"{GRAPHQL},{JSON};q=0.9", GRAPHQL),
        (f"{JSON};q=0.5, {GRAPHQL};q=0.6", GRAPHQL),
        (f"{GRAPHQL};q=0.5, */*;q=0.1", GRAPHQL),
        (f"{GRAPHQL}, {JSON}", GRAPHQL),
        (f"{JSON}, {GRAPHQL}", JSON),
        (f"{JSON};q=0, */*", GRAPHQL),
        (f"image/png, {GRAPHQL};q=0.1", GRAPHQL),
        (f"{JSON};q=much, {GRAPHQL};q=0.1", GRAPHQL),
        (f"{JSON};q=nan, {GRAPHQL};q=0.1", GRAPHQL),
        (f"{JSON};charset=utf-16;q=0.1, {JSON}, {GRAPHQL};q=0.5", JSON),
        (f"{GRAPHQL};charset=utf-8;q=0, {GRAPHQL}", GRAPHQL),
        (BROWSER, JSON),
    ],
)
async def test_the_answer_has_the_media_type_that_accept_likes_most(
    empty: httpx2.AsyncClient, accept: str | None, answered: str
) -> None:
    response = await _ask(empty, accept)
    assert response.status_code == 200
    assert response.headers["content-type"] == f"{answered}; charset=utf-8"
    assert "Accept" in response.headers["vary"]
    assert response.json()["data"] == {"stages": []}


@pytest.mark.parametrize("accept", ["text/html", "image/*", f"{JSON};q=0", "*/*;q=0", f"*/*;q=0, {HTML}", "nonsense"])
async def test_who_accepts_neither_media_type_is_told_which_there_are(empty: httpx2.AsyncClient, accept: str) -> None:
    response = await _ask(empty, accept)
    (error,) = response.json()["errors"]
    assert (response.status_code, error["extensions"]["code"]) == (406, "NOT_ACCEPTABLE")
    assert JSON in error["message"]
    assert GRAPHQL in error["message"]


def test_of_offers_that_are_liked_equally_the_one_named_first_wins() -> None:
    assert best("b/b, a/a", ("a/a", "b/b")) == "b/b"
    assert best("a/*;q=0.2, a/a;q=0.1, b/b;q=0.15", ("a/a", "b/b")) == "b/b"
    assert best("*/*", ("a/a", "b/b")) == "a/a"


@pytest.mark.parametrize("address", ["/graphql", "/graphql?query=", "/graphql?query={stages{id}}&variables={}&operationName=A"])
async def test_a_browser_that_opens_the_address_gets_graphiql(empty: httpx2.AsyncClient, address: str) -> None:
    response = await empty.get(address, headers={"accept": BROWSER})
    assert response.status_code == 200
    assert response.headers["content-type"].startswith(HTML)
    assert "Accept" in response.headers["vary"]
    assert "GraphiQL" in response.text


@pytest.mark.parametrize(
    "content_type",
    [
        None,
        "",
        "text/plain",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "application/graphql",
        "application/json; charset=utf-16",
        'application/json; charset="latin1"',
        "nonsense",
    ],
)
async def test_a_post_must_be_json_in_utf_8(empty: httpx2.AsyncClient, content_type: str | None) -> None:
    headers = {} if content_type is None else {"content-type": content_type}
    response = await empty.post("/graphql", content=b'{"query": "{ stages { id } }"}', headers=headers)
    assert (response.status_code, _code(response)) == (415, "UNSUPPORTED_MEDIA_TYPE")


@pytest.mark.parametrize(
    "content_type", [JSON, "Application/JSON", "application/json;charset=UTF-8", 'application/json; charset="utf-8"; x=y']
)
async def test_json_may_say_that_it_is_in_utf_8(empty: httpx2.AsyncClient, content_type: str) -> None:
    response = await empty.post("/graphql", content=b'{"query": "{ stages { id } }"}', headers={"content-type": content_type})
    assert response.json()["data"] == {"stages": []}


async def test_a_get_that_another_site_could_have_sent_is_refused(empty: httpx2.AsyncClient) -> None:
    response = await empty.get("/graphql", params=STAGES, headers={"x-apollo-operation-name": ""})
    (error,) = response.json()["errors"]
    assert (response.status_code, error["extensions"]["code"]) == (400, "BAD_REQUEST")
    for named in ("content-type", "x-apollo-operation-name", "apollo-require-preflight", "graphql-require-preflight"):
        assert named in error["message"]


@pytest.mark.parametrize(
    "header", ["content-type", "x-apollo-operation-name", "apollo-require-preflight", "graphql-require-preflight"]
)
async def test_a_get_with_a_header_that_makes_browsers_ask_first_is_answered(
    empty: httpx2.AsyncClient, header: str
) -> None:
    response = await empty.get("/graphql", params=STAGES, headers={header: JSON})
    assert response.json()["data"] == {"stages": []}


async def test_a_get_with_another_content_type_is_refused_whatever_else_it_says(empty: httpx2.AsyncClient) -> None:
    headers = {"content-type": "text/plain", "apollo-require-preflight": "1"}
    response = await empty.get("/graphql", params=STAGES, headers=headers)
    assert (response.status_code, _code(response)) == (415, "UNSUPPORTED_MEDIA_TYPE")


async def test_a_get_takes_variables_and_an_operation_name(empty: httpx2.AsyncClient) -> None:
    parameters = {
        "query": "query A($n: Int) { deals(first: $n) { edges { cursor } } } query B { stages { id } }",
        "operationName": "A",
        "variables": '{"n": 3}',
        "extensions": "{}",
    }
    response = await empty.get("/graphql", params=parameters, headers={"content-type": JSON})
    assert response.json()["data"] == {"deals": {"edges": []}}


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ("query={stages{id}}&query={stages{id}}", "The parameter query is given twice."),
        ("query={stages{id}}&x=1&x=2", "The parameter x is given twice."),
        ("query={stages{id}}&variables={", "The parameter variables is not JSON"),
        ("query={stages{id}}&variables=[]", "`variables` must be an object."),
        ("query={stages{id}}&extensions=1", "`extensions` must be an object."),
        ("query={stages{id}}&operationName=null", "There is no operation named 'null' in the document."),
        ("query=", "GraphQL operations must contain a non-empty `query` or a `persistedQuery` extension."),
        ("", "GraphQL operations must contain a non-empty `query` or a `persistedQuery` extension."),
    ],
)
async def test_a_get_that_cannot_be_read_says_why(empty: httpx2.AsyncClient, parameters: str, message: str) -> None:
    response = await empty.get(f"/graphql?{parameters}", headers={"content-type": JSON, "accept": GRAPHQL})
    assert response.status_code in (400, 422)
    assert response.json()["errors"][0]["message"].startswith(message)


async def test_an_empty_parameter_is_none(empty: httpx2.AsyncClient) -> None:
    parameters = {**STAGES, "operationName": "", "variables": "", "extensions": ""}
    response = await empty.get("/graphql", params=parameters, headers={"content-type": JSON})
    assert response.json()["data"] == {"stages": []}


@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "QUERY"])
async def test_a_method_that_is_not_supported_is_told_which_are(empty: httpx2.AsyncClient, method: str) -> None:
    response = await empty.request(method, "/graphql")
    assert response.status_code == 405
    assert {"GET", "POST"} <= {name.strip() for name in response.headers["allow"].split(",")}
    assert _code(response) == "METHOD_NOT_ALLOWED"


async def test_head_is_a_get_without_the_body(empty: httpx2.AsyncClient) -> None:
    response = await empty.head("/graphql", headers={"accept": BROWSER})
    assert (response.status_code, response.content) == (200, b"")
    assert response.headers["content-type"].startswith(HTML)


def _code(response: httpx2.Response) -> str:
    (error,) = response.json()["errors"]
    return str(error["extensions"]["code"])
