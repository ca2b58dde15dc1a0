"""The composition root: ``create_app`` puts the server together, ``python server.py`` starts it and all it needs."""

import signal

if __name__ == "__main__":
    # What follows takes a second to import. Until main() listens for it, Ctrl-C ends that without a traceback.
    signal.signal(signal.SIGINT, signal.SIG_DFL)

import asyncio
import errno
import gc
import os
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from functools import partial
from pathlib import Path

import asyncpg
import structlog
import uvicorn
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
from core.process import die_with_parent, open_many_files
from core.settings import Settings, SettingsError, load_settings
from db.database import PooledDatabase
from db.embedded import EmbeddedError
from db.listener import listen
from db.migrate import MigrationError, migrate
from db.pool import LOST, REFUSED, Pool
from jobs.demo import DemoError, is_empty
from jobs.upkeep import keep_up
from ops.background import go_on
from ops.demo import load_with_progress
from ops.screen import complain, say, screen
from ops.services import DataDirInUseError, services
from ops.signals import EndOnSignal, SingleServer, Workers
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
from web.wire.protocol import bounded_protocol

ROOT = Path(__file__).parent
ASSETS = ROOT / ".assets"
# The parent's number, for worker processes: they end when it does.
SUPERVISED_BY = "DEALGRAPH_SUPERVISED_BY"

# What a person can put right; anything else is a bug and shows its traceback.
EXPECTED = (
    SettingsError, DataDirInUseError, EmbeddedError, ValkeyError, MigrationError, DocumentsError, Unavailable, *REFUSED, *LOST
)  # fmt: skip

log = structlog.get_logger("server")


def create_app(settings: Settings) -> ASGIApp:
    """The server as an ASGI application. ``settings`` name the database and the cache and hold the cursor keys."""
    breadth_first = settings.executor == "breadth-first"
    executable = Executable(build_schema(), Limits.of(settings), breadth_first=breadth_first)
    trusted = TrustedDocuments(executable)
    url = _secret(settings.database_url)
    version = version_of(executable, url, settings.cursor_key_bytes[0])

    async def page(request: Request[State]) -> Response:
        return graphiql_page(request, ASSETS)

    @asynccontextmanager
    async def lifespan(app: object) -> AsyncIterator[State]:
        async with AsyncExitStack() as stack:
            freshness = Freshness()
            database = await _open_database(settings, freshness, stack)
            cache = RedisCache(_secret(settings.redis_url))
            stack.push_async_callback(cache.close)
            counting = RedisCache(_secret(settings.redis_url))  # limits wait for nobody's answers
            stack.push_async_callback(counting.close)
            shared = SharedResponses(cache.client, freshness) if settings.cache_shared else None
            remembered = Remembered()
            documents = await open_documents(settings, executable, trusted, cache.client, remembered.clear)
            # The schema and all code live for ever: collecting garbage among them cost 50 ms every few hundred requests.
            gc.collect()
            gc.freeze()
            # A request leaves no cycles: to look for some after every 700 objects took a tenth of the time.
            gc.set_threshold(10_000, 10, 10)
            state = State(
                settings=settings,
                database=database,
                authenticator=Authenticator(settings, database, freshness, open_keys(settings)),
                cache=cache,
                cursors=CursorCodec(settings.cursor_key_bytes),
                version=version,
                reference=Reference(freshness),
                responses=ResponseCache(
                    freshness,
                    most_bytes=settings.cache_bytes,
                    shared=shared,
                    stale_s=settings.stale_if_error_s,
                ),
                remembered=remembered,
                reuse=Reuse.of(settings),
                warming=Warming(settings.warm),
                throttle=open_throttle(settings, counting.client),
                unfinished=Unfinished(settings.max_body_bytes),
                gate=Gate(settings.concurrency, settings.concurrency_queue, settings.concurrency_wait_s),
                traffic=Traffic(),
                executable=executable,
                documents=documents,
                request_id="warming",
            )
            state["responses"].on_dropped = state["warming"].dropped
            background = (
                partial(keep_up, url, database.written), partial(listen, url, freshness), partial(keep_warm, state),
                documents.follow, state["authenticator"].follow,
            )  # fmt: skip
            for each in background:
                stack.callback(asyncio.create_task(go_on(each)).cancel)
            yield state

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


async def _open_database(settings: Settings, freshness: Freshness, stack: AsyncExitStack) -> PooledDatabase:
    pool = Pool(
        _secret(settings.database_url),
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
        listening = _listen(settings)
        os.environ["LIMITS"] = "on" if settings.limits_are_on else "off"  # once all is there, nobody knows what was embedded
        with services(settings, step, share=False) as complete:
            end.if_wanted()
            _prepare(complete, end)
            _serve(complete, listening, end)
    except EXPECTED as error:
        complain(error)
        sys.exit(1)
    except KeyboardInterrupt:
        say("Stopped")


def _listen(settings: Settings) -> socket.socket:
    """The socket to serve on, bound before anything is started, so that a port in use is the first thing one hears."""
    try:
        family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
        return socket.create_server((settings.host, settings.port), family=family, backlog=2048)
    except OSError as error:
        remedy = "PORT to another" if error.errno in (errno.EADDRINUSE, errno.EACCES) else "HOST to an address of this machine"
        raise SettingsError(
            f"HOST={settings.host} PORT={settings.port}: cannot listen there ({error.strerror}); set {remedy}"
        ) from None


def _prepare(settings: Settings, end: EndOnSignal) -> None:
    """Brings the database up to date, and fills it with demo data if that is wanted and it is empty."""
    url = _secret(settings.database_url)
    for name in end.run(migrate(url)):
        say(f"Applied migration {name}")
    if settings.demo and end.run(is_empty(url)):
        # Of two servers that start at once both find it empty. One waits for the other, and then finds companies.
        with suppress(DemoError):
            load_with_progress(url, run=end.run)


def _serve(settings: Settings, listening: socket.socket, end: EndOnSignal) -> None:
    """Serves until it is told to stop. Workers read the completed settings from the environment."""
    os.environ["DATABASE_URL"] = _secret(settings.database_url)
    os.environ["REDIS_URL"] = _secret(settings.redis_url)
    os.environ["CURSOR_KEYS"] = ",".join(key.get_secret_value() for key in settings.cursor_keys or ())
    config = uvicorn.Config(
        "server:app",
        factory=True,
        workers=settings.workers,
        loop="uvloop",
        http=bounded_protocol(settings),
        ws="none",
        lifespan="on",
        access_log=False,
        server_header=False,
        proxy_headers=False,
        log_level="warning",
        timeout_graceful_shutdown=5,
        timeout_worker_healthcheck=30,  # a worker that imports does not answer, on a slow machine for more than the usual 5 s
    )
    open_many_files()
    ready = partial(_announce, settings)
    if settings.workers == 1:
        SingleServer(config, end, ready).run(sockets=[listening])
    else:
        os.environ[SUPERVISED_BY] = str(os.getpid())
        workers = Workers(config, end, sockets=[listening])
        end.if_wanted()  # what comes from here on the supervisor hears
        ready()  # nearly: uvicorn does not tell when its workers have started
        workers.run()
    end.if_wanted()


def _announce(settings: Settings) -> None:
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    base = f"http://{host}:{settings.port}"
    query = '{"query": "{ pipelineStats { total wonValue winRate } }"}'
    if settings.documents == "trusted-only":
        query = '{"operationName": "PipelineStats"}'
    credential = "" if settings.auth == "off" else " -H 'authorization: Bearer …'"
    screen.print(
        f"\n[bold]Dealgraph is ready.[/bold]\n"
        f"  GraphiQL  {base}/graphql\n"
        f"  API       {base}/graphql (POST)\n"
        f"  Health    {base}/api/health?ready\n\n"
        f"Try:\n  curl {base}/graphql -H 'content-type: application/json'{credential} -d '{query}'\n\n"
        "Ctrl-C stops everything.",
        soft_wrap=True,
    )


def _secret(url: object) -> str:
    return url.get_secret_value() if hasattr(url, "get_secret_value") else ""


if __name__ == "__main__":
    main()
