"""The load of many connections sees what a client sees, also of a server that stalls, refuses or forgets one."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from bench.crowd import Crowd, Run, Seen

GOOD = b'{"data": {"answer": 1}}'
BAD = b'{"data": null, "errors": []}'
Answer = Callable[[int, int], Awaitable[tuple[int, bytes]]]


@asynccontextmanager
async def serving(answer: Answer) -> AsyncIterator[int]:
    """A port where ``answer`` is asked with the number of the connection and of the request."""
    connections = requests = 0

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal connections, requests
        connections, connection = connections + 1, connections
        try:
            while await reader.readuntil(b"\r\n\r\n"):
                requests, request = requests + 1, requests
                status, body = await answer(connection, request)
                head = f"HTTP/1.1 {status} X\r\ncontent-length: {len(body)}\r\n\r\n".encode()
                writer.write(head + body[:5])
                await asyncio.sleep(0)
                writer.write(body[5:])
        except (EOFError, ConnectionError, asyncio.CancelledError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    yield int(server.sockets[0].getsockname()[1])
    server.close()


async def seen(port: int, connections: int, rate: float | None) -> Seen:
    requests = ["GET / HTTP/1.1\r\n\r\n"]
    return await Run(Crowd(port, requests, connections, rate, warm_up_s=0.2, seconds=1)).seen()


async def test_a_stall_counts_for_everyone_who_was_to_ask_during_it() -> None:
    stalled = asyncio.Event()

    async def answer(connection: int, request: int) -> tuple[int, bytes]:
        if request == 100:
            asyncio.get_running_loop().call_later(0.5, stalled.set)
        if request >= 100:
            await stalled.wait()
        return 200, GOOD

    async with serving(answer) as port:
        found = await seen(port, 20, 200)
    # Asked at 0, 5, 10, ... ms: those of half a second waited for 0 to 500 ms, which a load that waits would not notice.
    assert (found.answered, found.shed, found.failed, found.unanswered, found.starved) == (200, 0, 0, 0, 0)
    assert 300 < found.p95 <= found.p99 < 700
    assert found.p50 < 200


async def test_refusals_errors_and_silence_are_told_apart() -> None:
    async def answer(connection: int, request: int) -> tuple[int, bytes]:
        return ((200, GOOD), (503, BAD), (200, BAD), (500, BAD))[connection % 4]

    async with serving(answer) as port:
        found = await seen(port, 8, 200)
    assert (found.answered, found.shed, found.failed, found.unanswered) == (50, 50, 100, 0)


async def test_a_connection_that_is_never_answered_is_not_forgotten() -> None:
    async def answer(connection: int, request: int) -> tuple[int, bytes]:
        await asyncio.sleep(30 if connection == 3 else 0.02)
        return 200, GOOD

    async with serving(answer) as port:
        found = await seen(port, 10, None)
    assert found.starved == found.unanswered == 1
    assert 9 * 20 < found.answered <= 9 * 51
    assert 20 <= found.p50 < 200
