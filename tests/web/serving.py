"""An application behind a real server, for tests that need real HTTP."""

import asyncio
import http.client
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from typing import Any

import uvicorn
from starlette.types import ASGIApp


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back. Header names are in lower case."""

    status: int
    headers: dict[str, str]
    body: bytes


class Server(uvicorn.Server):
    """uvicorn as it is, except that Ctrl-C stays pytest's."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """No signal is caught."""
        yield


@asynccontextmanager
async def serving(app: ASGIApp, protocol: Any = "auto", patience_s: int | None = None) -> AsyncIterator[int]:
    """The port of 127.0.0.1 where the application answers. At the end it is waited for: for ever, or for so long."""
    server = Server(
        uvicorn.Config(
            app,
            port=0,
            http=protocol,
            ws="none",
            lifespan="on",
            log_config=None,
            server_header=False,
            proxy_headers=False,
            timeout_graceful_shutdown=patience_s,
        )
    )
    running = asyncio.create_task(server.serve())
    try:
        async with asyncio.timeout(30):
            while not server.started:  # uvicorn has no event for it
                await asyncio.sleep(0.01)
        yield int(server.servers[0].sockets[0].getsockname()[1])
    finally:
        server.should_exit = True
        await running


async def get(port: int, path: str, *, method: str = "GET", **headers: str) -> Answer:
    """Ask for the path exactly as it is written: nothing in it is resolved or escaped."""

    def ask() -> Answer:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
        connection.request(method, path, headers={name.replace("_", "-"): value for name, value in headers.items()})
        response = connection.getresponse()
        found = {name.lower(): value for name, value in response.getheaders()}
        answer = Answer(response.status, found, response.read())
        connection.close()
        return answer

    return await asyncio.to_thread(ask)
