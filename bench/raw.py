"""The least that uvicorn can do for an answer: an application that sends the bytes of a file from memory, whatever is asked.

Run as ``BODY=FILE PORT=... python -m bench.raw``.
"""

import os
from pathlib import Path

import uvicorn
from starlette.types import Receive, Scope, Send

BODY = Path(os.environ["BODY"]).read_bytes()
HEADERS = [(b"content-type", b"application/json; charset=utf-8"), (b"content-length", str(len(BODY)).encode())]


async def answer(scope: Scope, receive: Receive, send: Send) -> None:
    """ASGI."""
    if scope["type"] == "http":
        await send({"type": "http.response.start", "status": 200, "headers": HEADERS})
        await send({"type": "http.response.body", "body": BODY})


if __name__ == "__main__":
    uvicorn.run(
        answer,
        host="127.0.0.1",
        port=int(os.environ["PORT"]),
        loop="uvloop",
        http="httptools",
        ws="none",
        lifespan="off",
        access_log=False,
        server_header=False,
        proxy_headers=False,
        log_level="warning",
    )
