"""A server started in one process or in several: its socket, its database brought up to date, and what a person is told."""

import errno
import os
import socket
from contextlib import suppress
from functools import partial

import uvicorn

from core.process import open_many_files
from core.settings import Settings, SettingsError, url_of
from db.migrate import migrate
from jobs.demo import DemoError, is_empty
from ops.demo import load_with_progress
from ops.screen import say, screen
from ops.signals import EndOnSignal, SingleServer, Workers
from web.wire.protocol import bounded_protocol

# The parent's number, for worker processes: they end when it does.
SUPERVISED_BY = "DEALGRAPH_SUPERVISED_BY"


def listening_socket(settings: Settings) -> socket.socket:
    """The socket to serve on, bound before anything is started, so that a port in use is the first thing one hears."""
    try:
        family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
        return socket.create_server((settings.host, settings.port), family=family, backlog=2048)
    except OSError as error:
        remedy = "PORT to another" if error.errno in (errno.EADDRINUSE, errno.EACCES) else "HOST to an address of this machine"
        raise SettingsError(
            f"HOST={settings.host} PORT={settings.port}: cannot listen there ({error.strerror}); set {remedy}"
        ) from None


def prepare(settings: Settings, end: EndOnSignal) -> None:
    """Brings the database up to date, and fills it with demo data if that is wanted and it is empty."""
    url = url_of(settings.database_url)
    for name in end.run(migrate(url)):
        say(f"Applied migration {name}")
    if settings.demo and end.run(is_empty(url)):
        # Of two servers that start at once both find it empty. One waits for the other, and then finds companies.
        with suppress(DemoError):
            load_with_progress(url, run=end.run)


def serve(settings: Settings, listening: socket.socket, end: EndOnSignal) -> None:
    """Serves until it is told to stop. Workers read the completed settings from the environment."""
    os.environ["DATABASE_URL"] = url_of(settings.database_url)
    os.environ["REDIS_URL"] = url_of(settings.redis_url)
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
