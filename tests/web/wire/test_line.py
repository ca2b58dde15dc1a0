"""A line on which nothing happens is closed after a while, counted from the last answer."""

import asyncio
from typing import Any

import uvicorn
from starlette.types import Receive, Scope, Send

from tests.web.serving import Server
from web.wire.line import LineProtocol

PATIENCE_S = 1
ASKED = b"GET / HTTP/1.1\r\nhost: x\r\n\r\n"


async def slow(scope: Scope, receive: Receive, send: Send) -> None:
    """An application that takes longer than a line may be idle, if that is asked of it."""
    if scope["query_string"]:
        await asyncio.sleep(1.5 * PATIENCE_S)
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"0")]})
    await send({"type": "http.response.body"})


async def test_a_line_is_closed_when_it_has_been_idle_since_its_last_answer() -> None:
    config: dict[str, Any] = {"http": LineProtocol, "timeout_keep_alive": PATIENCE_S, "lifespan": "off", "log_config": None}
    server = Server(uvicorn.Config(slow, port=0, ws="none", **config))
    running = asyncio.create_task(server.serve())
    try:
        while not server.started:
            await asyncio.sleep(0.01)
        reader, writer = await asyncio.open_connection("127.0.0.1", server.servers[0].sockets[0].getsockname()[1])
        loop = asyncio.get_running_loop()
        async with asyncio.timeout(10 * PATIENCE_S):
            for asked in (ASKED, ASKED, ASKED.replace(b"/ ", b"/?slow "), ASKED):
                await asyncio.sleep(0.6 * PATIENCE_S)  # twice of that is longer than a line may be idle
                writer.write(asked)
                assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 200")
            answered = loop.time()
            assert await reader.read() == b""
        assert 0.9 * PATIENCE_S < loop.time() - answered < 3 * PATIENCE_S
        assert not server.server_state.connections
        writer.close()
    finally:
        server.should_exit = True
        await running
