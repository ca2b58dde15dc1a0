"""Strawberry as its documentation teaches it: types with async resolvers, a DataLoader for each relation.

None of the server's own code: the statements and the schema are those of the Node peers. Run as
``DATABASE_URL=... PORT=... python -m bench.peers.plain``.
"""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import orjson
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from strawberry.asgi import GraphQL

from bench.peers.plain.database import Database
from bench.peers.plain.loaders import Loaders
from bench.peers.plain.schema import schema


class Endpoint(GraphQL[Any, None]):
    """Strawberry's own endpoint, with loaders for each request and a quick JSON writer."""

    async def get_context(self, request: Any, response: Any) -> Any:
        return Loaders(request.app.state.database)

    def encode_json(self, data: object) -> bytes:
        return orjson.dumps(data)


def create_plain(url: str) -> Starlette:
    """The application over the database of that URL."""

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        app.state.database = await Database.connect(url)
        yield
        await app.state.database.close()

    async def ready(request: Request) -> Response:
        return Response(status_code=204)

    async def statements(request: Request) -> Response:
        return JSONResponse({"statements": request.app.state.database.sent})

    endpoint = Endpoint(schema, graphql_ide=None, allow_queries_via_get=False)
    routes = [Route("/ready", ready), Route("/statements", statements), Route("/graphql", endpoint)]
    return Starlette(routes=routes, lifespan=lifespan)


if __name__ == "__main__":
    uvicorn.run(
        create_plain(os.environ["DATABASE_URL"]),
        host="127.0.0.1",
        port=int(os.environ["PORT"]),
        loop="uvloop",
        http="httptools",
        ws="none",
        access_log=False,
        log_level="warning",
    )
