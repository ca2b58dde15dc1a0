"""What is answered where nothing is: at another path, and to another method of a path."""

import orjson
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from core.errors import AppError
from web.http.errors import app_error
from web.rest.answer import MethodNotAllowed, NoSuchThing


class JsonRoute(Route):
    """A route that tells in JSON which methods it has."""

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        if self.methods and scope["method"] not in self.methods:
            error = MethodNotAllowed(scope["method"], self.methods)
            await _refusal(error, allow=error.allowed)(scope, receive, send)
            return
        await super().handle(scope, receive, send)


async def nowhere(scope: Scope, receive: Receive, send: Send) -> None:
    """The application of all paths that are none."""
    if scope["type"] == "http":
        await not_found()(scope, receive, send)


def without_slash(request: Request) -> Response:
    """Leads to the same address without the slash at its end, by whatever scheme and below whatever prefix the client came."""
    name, query = request.scope["raw_path"].decode("ascii").split("/")[-2], request.url.query
    return RedirectResponse(f"../{name}?{query}" if query else f"../{name}")


def not_found(**headers: str) -> Response:
    """The answer to who asks for what is not there."""
    return _refusal(NoSuchThing("There is nothing here: GraphQL is at /graphql, REST below /api."), **headers)


def _refusal(error: AppError, **headers: str) -> Response:
    body = orjson.dumps({"errors": [app_error(error)]})
    headers = {"content-type": "application/json; charset=utf-8", "cache-control": "no-store", **headers}
    return Response(body, error.status, headers)
