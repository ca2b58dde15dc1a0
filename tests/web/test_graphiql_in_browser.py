"""The GraphiQL page in a real browser, under its policy, with the schema that is served and canned answers."""

import asyncio
import json
import shutil
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from graphql import build_schema, graphql_sync
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from schema.build import build_schema as build_strawberry
from tests.web.chromium import CHROMIUM, Browser, Page, chromium
from tests.web.serving import serving
from tests.web.test_graphiql_page import DASHBOARD
from web.graphiql_page import FROM_NPM, graphiql_page, graphiql_routes

ASSETS = Path(__file__).parents[2] / ".assets"

# `make test` needs Python and nothing else. Where a browser or npm is missing these do not run, and the output says so.
pytestmark = [
    pytest.mark.skipif(not CHROMIUM, reason="NOT RUN: chromium is not installed, GraphiQL was tried in no browser"),
    pytest.mark.skipif(
        not shutil.which("npm") and not (ASSETS / "node_modules").exists(),
        reason="NOT RUN: npm is not installed, so there is no GraphiQL to try in a browser",
    ),
]

EDITOR = "document.querySelector('.graphiql-query-editor .CodeMirror')?.CodeMirror"
VARIABLES = "document.querySelector('.graphiql-editor-tool .CodeMirror')?.CodeMirror"
RESPONSE = "document.querySelector('.graphiql-response .CodeMirror')?.CodeMirror"
TABS = "[...document.querySelectorAll('.graphiql-tab-button')].map((tab) => tab.innerText)"
HEADERS = "[...document.querySelectorAll('.graphiql-editor-tool .CodeMirror')][1]?.CodeMirror"
STORED = "JSON.parse(localStorage.getItem('dealgraph:graphiql:tabState') ?? '{\"tabs\": []}')"

ADA = {"id": "01936b5e-0000-7000-8000-000000000001", "name": "Ada Lovelace"}
STAGE = {"id": "01936b5e-0000-7000-8000-000000000002", "name": "Negotiation", "color": "#d97706"}
DEAL = {"id": "01936b5e-0000-7000-8000-000000000003", "name": "Renewal", "value": None, "stage": STAGE}
COMPANY = {
    "id": "01936b5e-0000-7000-8000-000000000004", "name": "Northwind Traders", "contactCount": 4, "dealsValue": 12500.5,
    "deals": [DEAL],
}  # fmt: skip
CANNED = {
    "users": {"edges": [{"node": ADA}]},
    "companies": {"edges": [{"node": COMPANY}], "pageInfo": {"hasNextPage": False, "endCursor": None}},
}


class Api:
    """The page with a stand-in for the API beside it. It remembers what it was sent, and can break, hang, or want a token."""

    def __init__(self) -> None:
        self.schema = build_schema(build_strawberry().as_str())
        self.requests: list[tuple[str, dict[str, Any]]] = []
        self.is_broken = False
        self.is_guarded = False
        self.hangs_on = "nothing"
        self.was_left = asyncio.Event()
        endpoint = Route("/graphql", self.answer, methods=["GET", "POST"])
        self.app = Starlette(routes=[endpoint, *graphiql_routes(ASSETS)])

    async def answer(self, request: Request) -> Response:
        if request.method == "GET":
            return graphiql_page(request, ASSETS)
        body = await request.json()
        self.requests.append((request.headers["accept"], body))
        if self.is_broken:
            return Response("<h1>Bad gateway</h1>", status_code=502)
        if self.is_guarded and request.headers.get("authorization") != "Bearer secret":
            return JSONResponse({"errors": [{"message": "Say who you are."}]}, status_code=401)
        if body.get("operationName") == self.hangs_on:
            while (await request.receive())["type"] != "http.disconnect":
                pass
            self.was_left.set()
        result = graphql_sync(self.schema, body["query"], CANNED, variable_values=body.get("variables"))
        return JSONResponse(result.formatted, media_type="application/graphql-response+json")


@pytest.fixture(scope="module")
async def browser(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Browser]:
    missing = [name for name, path in FROM_NPM.items() if not (ASSETS / "node_modules" / path).exists()]
    assert not missing, f"npm is here, but not {', '.join(missing)}: run `make setup` and see what it says"
    async with chromium(tmp_path_factory.mktemp("chromium")) as browser:
        yield browser


@pytest.fixture
async def api() -> Api:
    return Api()


@pytest.fixture
async def page(browser: Browser, api: Api) -> AsyncIterator[Page]:
    """GraphiQL, opened for the first time."""
    async with serving(api.app) as port, browser.new_page() as page:
        await open_graphiql(page, port)
        yield page


async def open_graphiql(page: Page, port: int) -> None:
    await page.open(f"http://127.0.0.1:{port}/graphql")
    await page.until(f"!!({RESPONSE})")


async def click(page: Page, selector: str) -> None:
    await page.until(f"!!document.querySelector({selector!r})")
    await page.evaluate(f"document.querySelector({selector!r}).click()")


async def test_it_opens_with_the_dashboard_and_an_owner_that_exists(page: Page, api: Api) -> None:
    assert await page.evaluate(f"{EDITOR}.getValue()") == DASHBOARD.strip()
    assert await page.evaluate(f"JSON.parse({VARIABLES}.getValue())") == {"ownerId": ADA["id"]}
    assert await page.evaluate(TABS) == [
        "Dashboard", "DashboardScreen", "LargestOpenDeals", "FindCompany", "CompanyAnalytics",
    ]  # fmt: skip
    assert await page.evaluate("document.querySelector('h1').innerText") == "Dealgraph"
    await page.evaluate(f"{EDITOR}.focus()")
    await page.press("Enter", code=13, modifiers=2)
    answer = await page.until(f"{RESPONSE}.getValue()")
    assert '"Northwind Traders"' in answer
    assert api.requests[-1][0] == "application/graphql-response+json"
    assert api.requests[-1][1]["variables"] == {"ownerId": ADA["id"]}
    assert await page.evaluate("violations") == []
    assert page.complaints == []


async def test_every_panel_and_dialog_opens_without_breaking_the_policy(page: Page) -> None:
    for name, shows in {
        "Documentation Explorer": ".graphiql-doc-explorer",
        "History": ".graphiql-history",
        "Explorer": ".docExplorerWrap, .graphiql-explorer-root",
        "Examples": ".examples-button",
    }.items():
        await click(page, f'[aria-label="Show {name}"]')
        await page.until(f"!!document.querySelector({shows!r})")
    for name in ("settings", "short keys"):
        await click(page, f'[aria-label="Open {name} dialog"]')
        await page.until("!!document.querySelector('.graphiql-dialog')")
        await page.press("Escape", code=27)
        await page.until("!document.querySelector('.graphiql-dialog')")
    assert await page.evaluate("violations") == []
    assert page.complaints == []


async def test_tabs_outlive_a_reload_and_a_closed_example_comes_back(page: Page) -> None:
    port = await page.evaluate("location.port")
    await click(page, ".graphiql-tab:nth-of-type(4) .graphiql-tab-button")
    await page.until(f"{STORED}.activeTabIndex === 3")
    await open_graphiql(page, port)
    assert "FindCompany" in await page.evaluate(f"{EDITOR}.getValue()")
    assert await page.evaluate(f"JSON.parse({VARIABLES}.getValue())") == {"search": "Northhwind Traders"}
    await click(page, ".graphiql-tab:nth-of-type(4) .graphiql-tab-close")
    await page.until(f"{TABS}.length === 4")
    await click(page, '[aria-label="Show Examples"]')
    for _ in range(2):  # the second time it only shows the tab that is there
        await click(page, ".examples li:nth-of-type(4) button")
        await page.until(f"{EDITOR}.getValue().includes('FindCompany')")
        assert (await page.evaluate(TABS))[3:] == ["CompanyAnalytics", "FindCompany"]
    assert page.complaints == []


@pytest.mark.parametrize("has_stored", [False, True])
async def test_a_link_opens_its_query_beside_what_is_there_and_runs_nothing(page: Page, api: Api, *, has_stored: bool) -> None:
    port, before, asked = await page.evaluate("location.port"), await page.evaluate(TABS), len(api.requests)
    if has_stored:
        await click(page, ".graphiql-tab:nth-of-type(4) .graphiql-tab-button")
        await page.until(f"{STORED}.activeTabIndex === 3")
    link = urlencode({"query": "query Shared($id: ID!) { deal(id: $id) { name } }", "variables": '{"id": "018cc251"}'})
    for _ in range(2):  # the second time it only shows the tab that is there
        await page.open(f"http://127.0.0.1:{port}/graphql?{link}")
        await page.until(f"!!({RESPONSE})")
        assert await page.evaluate(f"{EDITOR}.getValue()") == "query Shared($id: ID!) { deal(id: $id) { name } }"
        assert await page.evaluate(f"{VARIABLES}.getValue()") == '{"id": "018cc251"}'
        assert await page.evaluate(TABS) == ([*before, "Shared"] if has_stored else ["Shared", *before])
    assert "Shared" not in {body.get("operationName") for _, body in api.requests[asked:]}
    assert await page.evaluate("violations") == []
    assert page.complaints == []


async def test_a_keyboard_can_leave_the_editor_and_a_screen_reader_names_it(page: Page) -> None:
    await page.evaluate(f"{EDITOR}.focus()")
    assert await page.until("document.activeElement.getAttribute('aria-label')") == "Query"
    await page.press("Tab", code=9)
    assert await page.evaluate("document.activeElement.getAttribute('aria-label')") == "Execute query (Ctrl-Enter)"
    assert await page.evaluate(f"{EDITOR}.getValue()") == DASHBOARD.strip()


async def test_the_stop_button_ends_the_request(page: Page, api: Api) -> None:
    api.hangs_on = "Dashboard"
    await click(page, ".graphiql-execute-button")
    await click(page, '.graphiql-execute-button[aria-label^="Stop"]')
    await asyncio.wait_for(api.was_left.wait(), 10)


async def test_it_opens_while_the_api_is_broken(browser: Browser, api: Api) -> None:
    api.is_broken = True
    async with serving(api.app) as port, browser.new_page() as page:
        await open_graphiql(page, port)
        assert await page.evaluate(f"{EDITOR}.getValue()") == DASHBOARD.strip()
        assert await page.evaluate(f"JSON.parse({VARIABLES}.getValue())") == {"ownerId": "the id of a user"}
        await click(page, ".graphiql-execute-button")
        assert "The server answered 502" in await page.until(f"{RESPONSE}.getValue()")


async def test_a_token_opens_the_examples_and_is_not_kept(browser: Browser, api: Api) -> None:
    api.is_guarded = True
    async with serving(api.app) as port, browser.new_page() as page:
        await open_graphiql(page, port)
        assert await page.evaluate(f"JSON.parse({VARIABLES}.getValue())") == {"ownerId": "the id of a user"}
        token = '{"Authorization": "Bearer secret"}'
        await page.evaluate(f"{HEADERS}.setValue({token!r})")
        await click(page, '[aria-label="Show Examples"]')
        for at, found in ((5, {"companyId": COMPANY["id"]}), (1, {"ownerId": ADA["id"]})):
            await click(page, f".examples li:nth-of-type({at}) button")
            await page.until(f"JSON.stringify(JSON.parse({VARIABLES}.getValue())) === JSON.stringify({found})")
            assert await page.until(f"{HEADERS}.getValue()") == token
            assert len(await page.evaluate(TABS)) == 5
        await click(page, ".graphiql-execute-button")
        assert '"Northwind Traders"' in await page.until(f"{RESPONSE}.getValue()")
        await page.until("localStorage.getItem('dealgraph:graphiql:queries')")
        assert "secret" not in await page.evaluate("JSON.stringify(localStorage)")
        await page.evaluate("""localStorage.setItem('dealgraph:graphiql:queries', '{"queries": [{"headers": "a secret"}]}')""")
        await open_graphiql(page, port)
        assert "secret" not in await page.evaluate("JSON.stringify(localStorage)")


async def test_what_was_opened_before_there_was_data_is_filled_in_after_a_reload(browser: Browser, api: Api) -> None:
    api.is_broken = True
    async with serving(api.app) as port, browser.new_page() as page:
        await open_graphiql(page, port)
        await page.until(f"{STORED}.tabs.length === 5")
        api.is_broken = False
        await open_graphiql(page, port)
        await page.until(f"JSON.parse({VARIABLES}.getValue()).ownerId === {ADA['id']!r}")
        stored = await page.evaluate(STORED)
        assert [json.loads(tab["variables"]) for tab in stored["tabs"]][3:] == [
            {"search": "Northhwind Traders"}, {"companyId": COMPANY["id"]},
        ]  # fmt: skip


async def test_a_header_of_ours_can_be_said_again_and_one_that_is_none_is_told(page: Page, api: Api) -> None:
    for headers, said in (
        ({"Content-Type": "application/json"}, "Northwind Traders"),
        ({"Authorization": "Bearer …"}, "No request can have the header"),
        ({"X Foo": "a"}, "No request can have the header"),
    ):
        await page.evaluate(f"{RESPONSE}.setValue('')")
        await page.evaluate(f"{HEADERS}.setValue(JSON.stringify({json.dumps(headers)}))")
        await click(page, ".graphiql-execute-button")
        assert said in await page.until(f"{RESPONSE}.getValue()")


@pytest.mark.parametrize("name", ["react-18.3.1.js", "graphiql-4.1.2.js", "page.js", "fetcher.js", "examples.graphql"])
async def test_a_file_that_does_not_come_is_told(browser: Browser, api: Api, name: str) -> None:
    async with serving(api.app) as port, browser.new_page() as page:
        await page.call("Network.enable")
        await page.call("Network.setBlockedURLs", urls=[f"*/{name}"])
        await page.open(f"http://127.0.0.1:{port}/graphql")
        told = await page.until("document.querySelector('[role=alert]')?.innerText")
        assert told.startswith("GraphiQL could not start: ") and told.endswith("Load the page again.")
