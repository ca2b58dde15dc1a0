"""The composition root: ``create_app`` puts the server together, ``python server.py`` starts it and all it needs."""

import signal

if __name__ == "__main__":
    # What follows takes a second to import. Until main() listens for it, Ctrl-C ends that without a traceback.
    signal.signal(signal.SIGINT, signal.SIG_DFL)

import asyncio
import gc
import os
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from pathlib import Path

import asyncpg
import structlog
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route, Router
from starlette.types import ASGIApp

from cache.embedded import ValkeyError
from cache.freshness import Freshness
from cache.redis import RedisCache
from cache.reference import Reference
from cache.responses import ResponseCache
from cache.shared import SharedResponses
from core.cursor import CursorCodec
from core.errors import Unavailable
from core.process import die_with_parent
from core.settings import Settings, SettingsError, load_settings, url_of
from db.database import PooledDatabase
from db.embedded import EmbeddedError
from db.listener import listen
from db.migrate import MigrationError
from db.pool import LOST, REFUSED, Pool
from jobs.upkeep import keep_up
from ops.background import go_on
from ops.screen import complain, say
from ops.serve import SUPERVISED_BY, listening_socket, prepare, serve
from ops.services import DataDirInUseError, services
from ops.signals import EndOnSignal
from ops.telemetry import configure_logging
from schema.build import build_schema
from schema.documents import DocumentsError, TrustedDocuments
from schema.limits import Limits
from schema.operation import Executable
from web.auth.authenticator import Authenticator
from web.auth.key_set import check_keys, open_keys
from web.caching.keeping import version_of
from web.caching.recipes import Warming
from web.caching.remembered import Remembered
from web.caching.reuse import Reuse
from web.caching.warming import keep_warm
from web.graphiql_page import graphiql_page, graphiql_routes
from web.graphql.document import open_documents
from web.graphql.endpoint import GraphQLEndpoint
from web.limits.gate import Gate, Unfinished
from web.limits.throttle import open_throttle
from web.middleware.authenticate import Authenticate
from web.middleware.compression import Compression
from web.middleware.cors import cors
from web.middleware.last_resort import LastResort
from web.middleware.rate_limits import RateLimits
from web.middleware.request_id import RequestId
from web.middleware.security_headers import SecurityHeaders
from web.nowhere import JsonRoute, nowhere, without_slash
from web.rest.endpoint import open_rest
from web.rest.table import RestTable
from web.state import State
from web.traffic import CountTraffic, Traffic

ROOT = Path(__file__).parent
ASSETS = ROOT / ".assets"

# What a person can put right; anything else is a bug and shows its traceback.
EXPECTED = (
    SettingsError, DataDirInUseError, EmbeddedError, ValkeyError, MigrationError, DocumentsError, Unavailable, *REFUSED, *LOST
)  # fmt: skip

log = structlog.get_logger("server")


def create_app(settings: Settings) -> ASGIApp:
    """The server as an ASGI application. ``settings`` name the database and the cache and hold the cursor keys."""
    executable = Executable(build_schema(), Limits.of(settings), breadth_first=settings.executor == "breadth-first")
    trusted = TrustedDocuments(executable)

    async def page(request: Request[State]) -> Response:
        return graphiql_page(request, ASSETS)

    @asynccontextmanager
    async def lifespan(app: object) -> AsyncIterator[State]:
        async with AsyncExitStack() as stack:
            yield await _open(settings, executable, trusted, stack)

    # A ``Starlette`` would put two more around each request, for errors that are answered in here already.
    return Router(
        lifespan=lifespan,
        middleware=[
            Middleware(CountTraffic),
            Middleware(RequestId),
            Middleware(SecurityHeaders),
            *cors(settings.cors_origins),
            Middleware(LastResort),
            Middleware(Compression),
            Middleware(RateLimits),
            Middleware(Authenticate),
        ],
        routes=[
            JsonRoute("/graphql", GraphQLEndpoint(page), methods=["GET", "POST"]),
            JsonRoute("/graphql/{id}", GraphQLEndpoint(page), methods=["GET", "POST"]),
            Route("/api/{path:any_path}", open_rest(executable, trusted, is_guarded=settings.auth != "off")),
            *graphiql_routes(ASSETS),
            JsonRoute("/", lambda request: RedirectResponse("graphql"), methods=["GET"]),
            JsonRoute("/graphql/", without_slash, methods=["GET", "POST"]),
            JsonRoute("/graphql/{id}/", without_slash, methods=["GET", "POST"]),
        ],
        redirect_slashes=False,  # Starlette's leads to http where a proxy speaks https
        default=nowhere,
    )


async def _open(settings: Settings, executable: Executable, trusted: TrustedDocuments, stack: AsyncExitStack) -> State:
    """What every request may use, and what goes on beside them; the stack closes and ends all of it."""
    url, freshness = url_of(settings.database_url), Freshness()
    database = await _open_database(settings, freshness, stack)
    cache = RedisCache(url_of(settings.redis_url))
    stack.push_async_callback(cache.close)
    counting = RedisCache(url_of(settings.redis_url))  # limits wait for nobody's answers
    stack.push_async_callback(counting.close)
    shared = SharedResponses(cache.client, freshness) if settings.cache_shared else None
    remembered = Remembered()
    state = State(
        settings=settings,
        database=database,
        authenticator=Authenticator(settings, database, freshness, open_keys(settings)),
        cache=cache,
        cursors=CursorCodec(settings.cursor_key_bytes),
        version=version_of(executable, url, settings.cursor_key_bytes[0]),
        reference=Reference(freshness),
        responses=ResponseCache(
            freshness, most_bytes=settings.cache_bytes, shared=shared, stale_s=settings.stale_if_error_s
        ),
        remembered=remembered,
        reuse=Reuse.of(settings),
        warming=Warming(settings.warm),
        throttle=open_throttle(settings, counting.client),
        unfinished=Unfinished(settings.max_body_bytes),
        gate=Gate(settings.concurrency, settings.concurrency_queue, settings.concurrency_wait_s),
        traffic=Traffic(),
        executable=executable,
        documents=await open_documents(settings, executable, trusted, cache.client, remembered.clear),
        request_id="warming",
    )
    stack.push_async_callback(state["authenticator"].close)
    state["responses"].on_dropped = state["warming"].dropped
    _spare_the_collector()
    background = (
        partial(keep_up, url, database.written), partial(listen, url, freshness), partial(keep_warm, state),
        state["documents"].follow, state["authenticator"].follow,
    )  # fmt: skip
    for each in background:
        stack.callback(asyncio.create_task(go_on(each)).cancel)
    return state


def _spare_the_collector() -> None:
    # The schema and all code live for ever: collecting garbage among them cost 50 ms every few hundred requests.
    gc.collect()
    gc.freeze()
    # A request leaves no cycles: to look for some after every 700 objects took a tenth of the time.
    gc.set_threshold(10_000, 10, 10)


async def _open_database(settings: Settings, freshness: Freshness, stack: AsyncExitStack) -> PooledDatabase:
    pool = Pool(
        url_of(settings.database_url),
        size=settings.pool_size,
        wait_s=settings.pool_wait_s,
        queue=settings.pool_queue,
        statement_timeout_s=settings.statement_timeout_s,
    )
    stack.push_async_callback(pool.close)
    try:
        await pool.warm()
    except Unavailable as error:
        is_cut_off = isinstance(error.__cause__, asyncpg.QueryCanceledError)
        why = "STATEMENT_TIMEOUT_S is too short to open all connections now" if is_cut_off else "the database is away"
        log.warning(f"{why}; connections will be opened when they are needed", error=str(error.__cause__ or error))
    return PooledDatabase(pool, slow_s=settings.slow_statement_s, echoes=freshness)


def app() -> ASGIApp:
    """What uvicorn's worker processes serve: settings from the environment, which ``main`` has completed."""
    parent = os.environ.get(SUPERVISED_BY)
    if parent is not None:
        die_with_parent(signal.SIGTERM)
        if int(parent) != os.getppid():
            sys.exit("the server that started this worker has gone")
    try:
        settings = load_settings()
        configure_logging(settings.log_level)
        return create_app(settings)
    except EXPECTED as error:  # what has changed since ``main`` looked, such as a document
        complain(error)
        sys.exit(1)


def main() -> None:
    """Starts databases, migrations, demo data and the server; Ctrl-C stops them all. Exits 1 where something is wrong."""
    end = EndOnSignal()

    def step(line: str) -> None:
        end.if_wanted()
        say(line)

    try:
        settings = load_settings()
        configure_logging(settings.log_level)
        check_keys(settings)
        executable = Executable(build_schema())
        RestTable(executable.types, TrustedDocuments(executable))  # a wrong document is told before anything is started
        listening = listening_socket(settings)
        os.environ["LIMITS"] = "on" if settings.limits_are_on else "off"  # once all is there, nobody knows what was embedded
        with services(settings, step, share=False) as complete:
            end.if_wanted()
            prepare(complete, end)
            serve(complete, listening, end)
    except EXPECTED as error:
        complain(error)
        sys.exit(1)
    except KeyboardInterrupt:
        say("Stopped")


if __name__ == "__main__":
    main()
