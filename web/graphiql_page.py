"""The GraphiQL page: our files beside this one, and the builds that npm put into ``.assets``.

Nothing is served but what ``OURS`` and ``FROM_NPM`` name, so no path that a client sends ever reaches the file system.
"""

from hashlib import sha256
from pathlib import Path
from typing import Any

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from web.http.validator import has_already
from web.nowhere import JsonRoute, not_found

HERE = Path(__file__).parent / "graphiql"

OURS = ("boot.js", "page.js", "examples.js", "fetcher.js", "examples.graphql", "page.css", "icon.svg")

# A name holds the version in ``package.json``, so that a browser may keep the file for ever.
FROM_NPM = {
    "react-18.3.1.js": "react/umd/react.production.min.js",
    "react-dom-18.3.1.js": "react-dom/umd/react-dom.production.min.js",
    "graphiql-4.1.2.js": "graphiql/graphiql.min.js",
    "graphiql-4.1.2.css": "graphiql/graphiql.min.css",
    "explorer-4.0.6.js": "@graphiql/plugin-explorer/dist/index.umd.js",
    "explorer-4.0.6.css": "@graphiql/plugin-explorer/dist/style.css",
}

MEDIA_TYPES = {
    ".html": "text/html",
    ".js": "text/javascript",
    ".css": "text/css",
    ".svg": "image/svg+xml",
    ".graphql": "application/graphql; charset=utf-8",
}

SECURITY_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "font-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
}

REVALIDATE = "no-cache"
FOR_EVER = "public, max-age=31536000, immutable"


def graphiql_routes(assets: Path) -> list[Route]:
    """Everything under ``/graphiql``; the page itself is ``graphiql_page``, at the address of the API."""

    def file(request: Request) -> Response:
        name = request.path_params["name"]
        if name in OURS:
            return _file(request, HERE / name, REVALIDATE)
        if name in FROM_NPM:
            return _file(request, _from_npm(assets, name), FOR_EVER)
        return not_found(**SECURITY_HEADERS)

    def to_the_page(request: Request) -> Response:
        return RedirectResponse("graphql", headers=SECURITY_HEADERS)

    return [JsonRoute("/graphiql", to_the_page), JsonRoute("/graphiql/{name:path}", file)]


def graphiql_page(request: Request[Any], assets: Path) -> Response:
    """GraphiQL, or where a file of it is missing a page that says so and how to get it; looked up at each call."""
    if all(_from_npm(assets, name).is_file() for name in FROM_NPM):
        return _file(request, HERE / "index.html", REVALIDATE, vary="Accept")
    return _file(request, HERE / "missing.html", REVALIDATE, vary="Accept")


def _file(request: Request, path: Path, cache: str, **more: str) -> Response:
    try:
        body = path.read_bytes()
    except FileNotFoundError:
        return not_found(**SECURITY_HEADERS)
    # Weak: it is compressed on the way, and is other bytes in each coding (RFC 9110, section 8.8.3.3).
    etag = f'W/"{sha256(body).hexdigest()[:32]}"'
    headers = _headers(cache, etag=etag, **more)
    if has_already(request.scope, etag):
        return Response(status_code=304, headers=headers)
    return Response(body, media_type=MEDIA_TYPES[path.suffix], headers=headers)


def _from_npm(assets: Path, name: str) -> Path:
    return assets / "node_modules" / FROM_NPM[name]


def _headers(cache: str, **more: str) -> dict[str, str]:
    return {**SECURITY_HEADERS, "Cache-Control": cache, **more}
