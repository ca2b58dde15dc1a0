"""The floor: the least that a Python server of this kind can do for the same answer, as an ASGI application.

One route for each scenario, ``/NAME/KEY``; it runs one prepared statement and hands on the bytes that PostgreSQL
built. Run as ``DATABASE_URL=... PORT=... python -m bench.floor``.
"""

import os
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import asyncpg
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from db.statements import parse

STATEMENTS = parse("floor", (Path(__file__).parent / "floor.sql").read_text("utf-8"))
POOL_SIZE = 8  # as many as the server has


def create_floor(url: str) -> Starlette:
    """The application over the database of that URL."""

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        app.state.pool = await create_pool(url)
        yield
        await app.state.pool.close()

    routes = [Route(f"/{name.removeprefix('floor.')}/{{key}}", _answer(text)) for name, (_, text) in STATEMENTS.items()]
    return Starlette(routes=[*routes, Route("/ready", _ready)], lifespan=lifespan)


async def create_pool(url: str, **options: Any) -> "asyncpg.Pool[asyncpg.Record]":
    """Open connections whose statements stay prepared (no lifetime, any size); nothing is sent when one comes back."""
    return await asyncpg.create_pool(
        url,
        min_size=POOL_SIZE,
        max_size=POOL_SIZE,
        reset=_leave_as_it_is,
        max_cached_statement_lifetime=0,
        max_cacheable_statement_size=0,
        server_settings={"jit": "off"},
        **options,
    )


def _answer(text: str) -> Callable[[Request], Awaitable[Response]]:
    async def answer(request: Request) -> Response:
        body = await request.app.state.pool.fetchval(text, request.path_params["key"])
        return Response(body, media_type="application/json")

    return answer


async def _ready(request: Request) -> Response:
    return Response(status_code=204)


async def _leave_as_it_is(connection: Any) -> None:
    pass


if __name__ == "__main__":
    uvicorn.run(
        create_floor(os.environ["DATABASE_URL"]),
        host="127.0.0.1",
        port=int(os.environ["PORT"]),
        loop="uvloop",
        http="httptools",
        access_log=False,
        log_level="warning",
    )
