"""What is answered where nothing is: at another path, and to another method of a path."""

import orjson
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send


class JsonRoute(Route):
    """A route that tells in JSON which methods it has."""

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        if self.methods and scope["method"] not in self.methods:
            methods = ", ".join(sorted(self.methods))
            refused = _refusal(405, "METHOD_NOT_ALLOWED", f"The methods of this path are {methods}.", allow=methods)
            await refused(scope, receive, send)
            return
        await super().handle(scope, receive, send)


async def nowhere(scope: Scope, receive: Receive, send: Send) -> None:
    """The application of all paths that are none."""
    if scope["type"] == "http":
        await not_found()(scope, receive, send)


def not_found(**headers: str) -> Response:
    """The answer to who asks for what is not there."""
    return _refusal(404, "NOT_FOUND", "There is nothing here: GraphQL is at /graphql, REST below /api.", **headers)


def _refusal(status: int, code: str, message: str, **headers: str) -> Response:
    body = orjson.dumps({"errors": [{"message": message, "extensions": {"code": code}}]})
    return Response(body, status, {"content-type": "application/json; charset=utf-8", "cache-control": "no-store", **headers})
