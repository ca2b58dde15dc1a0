"""The GraphiQL page over real HTTP: what is served, under which headers, and what is not."""

import json
import re
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from graphql import OperationDefinitionNode, build_schema, parse, validate
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from schema.build import build_schema as build_strawberry
from tests.web.serving import get, serving
from web.graphiql_page import FROM_NPM, HERE, OURS, graphiql_page, graphiql_routes

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self' data:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
DASHBOARD = """\
query Dashboard($ownerId: ID!) {
  companies(ownerId: $ownerId, includeStats: true, limit: 10) {
    edges {
      node { id name contactCount dealsValue deals(limit: 5) { id name value stage { name color } } }
    }
    pageInfo { hasNextPage endCursor }
  }
}
"""
TYPES = {
    "html": "text/html; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
    "css": "text/css; charset=utf-8",
    "svg": "image/svg+xml",
    "graphql": "application/graphql; charset=utf-8",
}
PACKAGE = json.loads((HERE / "package.json").read_text())
LOCK = (HERE / "package-lock.json").read_text()
EXAMPLES = (HERE / "examples.graphql").read_text()


@pytest.fixture(scope="module")
def assets(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder as npm leaves it, with a few bytes in each file."""
    folder = tmp_path_factory.mktemp("assets")
    for path in FROM_NPM.values():
        file = folder / "node_modules" / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(f"/* {path} */")
    (folder / "node_modules/react/umd/secret.js").write_text("nobody asked for this")
    return folder


@contextmanager
def without(assets: Path, name: str) -> Iterator[None]:
    """While the file of that name is away."""
    file = assets / "node_modules" / FROM_NPM[name]
    away = file.rename(file.with_suffix(".away"))
    yield
    away.rename(file)


@pytest.fixture(scope="module")
async def port(assets: Path) -> AsyncIterator[int]:
    def page(request: Request) -> Response:
        return graphiql_page(request, assets)

    async with serving(Starlette(routes=[Route("/graphql", page), *graphiql_routes(assets)])) as port:
        yield port


@pytest.mark.parametrize("path", ["/graphql", "/graphiql/boot.js", "/graphiql/react-18.3.1.js", "/graphiql/nothing"])
async def test_every_answer_carries_the_strict_policy(port: int, path: str) -> None:
    headers = (await get(port, path)).headers
    assert headers["content-security-policy"] == POLICY
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"


async def test_everything_that_the_page_asks_for_is_there(port: int) -> None:
    page = await get(port, "/graphql")
    assert (page.status, page.headers["content-type"], page.headers["vary"]) == (200, TYPES["html"], "Accept")
    wanted = set(re.findall(r'(?:src|href)="([^"]+)"', page.body.decode()))
    for script in ("boot.js", "page.js", "examples.js"):
        text = (HERE / script).read_text()
        wanted |= {f"graphiql/{name}" for name in re.findall(r'(?:from |import\()"\./([^"]+)"', text)}
        wanted |= set(re.findall(r'fetch\("([^"]+)"', text))
    assert wanted == {f"graphiql/{name}" for name in (*OURS, *FROM_NPM)}
    for address in wanted:
        answer = await get(port, f"/{address}")
        assert answer.status == 200, address
        assert answer.headers["content-type"] == TYPES[address.rsplit(".", 1)[1]], address


def test_no_page_holds_a_script_a_style_or_a_handler_of_its_own() -> None:
    for name in ("index.html", "missing.html"):
        text = (HERE / name).read_text()
        assert not re.search(r"<script(?![^>]*\bsrc=)|<style|\sstyle=|\son\w+=", text), name


async def test_a_versioned_file_is_kept_for_ever_and_ours_are_asked_for_again(port: int) -> None:
    assert "immutable" in (await get(port, "/graphiql/react-18.3.1.js")).headers["cache-control"]
    assert (await get(port, "/graphiql/boot.js")).headers["cache-control"] == "no-cache"
    assert (await get(port, "/graphql")).headers["cache-control"] == "no-cache"


@pytest.mark.parametrize("path", ["/graphql", "/graphiql/page.css", "/graphiql/graphiql-4.1.2.js"])
async def test_a_file_that_did_not_change_is_not_sent_again(port: int, path: str) -> None:
    tag = (await get(port, path)).headers["etag"]
    for offered in (tag, tag.removeprefix("W/"), f'"other", {tag}'):
        again = await get(port, path, if_none_match=offered)
        assert (again.status, again.body, again.headers["etag"]) == (304, b"", tag)
    assert (await get(port, path, if_none_match='"other"')).status == 200


@pytest.mark.parametrize(
    "path",
    [
        "",
        "index.html",
        "package.json",
        "missing.html",
        "graphiql-4.1.1.js",
        "react/umd/secret.js",
        "../graphiql_page.py",
        "..%2fgraphiql_page.py",
        "%2e%2e/%2e%2e/server.py",
        "..%5cgraphiql_page.py",
        "%2fetc%2fpasswd",
        "//etc/passwd",
        "boot.js%00",
        "boot.js/",
        "../../../../../../etc/passwd",
        "x" * 5000,
    ],
)
async def test_nothing_else_can_be_reached(port: int, path: str) -> None:
    assert (await get(port, f"/graphiql/{path}")).status == 404


async def test_files_are_only_read(port: int) -> None:
    assert (await get(port, "/graphiql/boot.js", method="POST")).status == 405
    head = await get(port, "/graphiql/boot.js", method="HEAD")
    assert (head.status, head.body) == (200, b"")


async def test_the_name_of_the_tool_leads_to_the_page(port: int) -> None:
    answer = await get(port, "/graphiql")
    assert (answer.status, answer.headers["location"]) == (307, "graphql")


@pytest.mark.parametrize("name", FROM_NPM)
async def test_without_a_file_the_page_says_what_is_missing_and_how_to_get_it(port: int, assets: Path, name: str) -> None:
    with without(assets, name):
        page = await get(port, "/graphql")
        for said in ("GraphiQL is not installed", "Node.js", "make setup", "POST a query to this address"):
            assert said in page.body.decode()
        assert (page.status, page.headers["cache-control"]) == (200, "no-cache")
        assert (await get(port, f"/graphiql/{name}")).status == 404
    assert b"boot.js" in (await get(port, "/graphql")).body  # the server need not be restarted


def test_names_hold_the_versions_that_are_installed() -> None:
    for name, path in FROM_NPM.items():
        package = "/".join(path.split("/")[: 2 if path.startswith("@") else 1])
        version = PACKAGE["dependencies"][package]
        assert name.rsplit(".", 1)[0].endswith(f"-{version}"), name
        assert json.loads(LOCK)["packages"][f"node_modules/{package}"]["version"] == version
    assert len(json.loads(LOCK)["packages"]) < 20, "an override no longer matches: the page's builds hold their own libraries"


def test_the_examples_are_queries_of_the_schema_and_the_dashboard_is_first_and_verbatim() -> None:
    document = parse(EXAMPLES)
    assert validate(build_schema(build_strawberry().as_str()), document) == []
    assert len(document.definitions) == 5
    first = document.definitions[0]
    assert isinstance(first, OperationDefinitionNode) and first.loc
    assert first.loc.source.body[first.loc.start : first.loc.end] == DASHBOARD.strip()


def test_every_needed_variable_of_the_examples_is_found_by_the_page() -> None:
    page = (HERE / "examples.js").read_text()
    for name in re.findall(r"\$(\w+): \w+!", EXAMPLES):
        assert f"    {name}: " in page, name
