"""Gives every request an id, echoes it, and refuses a hostile one."""

import random
import re
from collections.abc import Mapping
from itertools import count

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from web.http.call import headers_of

SAFE = re.compile(r"[A-Za-z0-9._-]{1,64}")
_process = b"%016x" % random.SystemRandom().getrandbits(64)
_numbers = count(1)


def request_id_of(headers: Mapping[bytes, bytes]) -> bytes:
    """The id that the client offers, if it is one, or else a new one: a number of this process, and of the request."""
    offered = headers.get(b"x-request-id")
    if offered is not None and SAFE.fullmatch(offered.decode("latin-1")):
        return offered
    return b"%s%016x" % (_process, next(_numbers))


class RequestId:
    """Puts ``request_id`` into the request's state and ``X-Request-Id`` on its response."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        request_id = request_id_of(headers_of(scope["headers"]))
        scope.setdefault("state", {})["request_id"] = request_id.decode("latin-1")

        async def send_with_id(message: Message) -> None:
            if message["type"] == "http.response.start":
                message = {**message, "headers": [*message["headers"], (b"x-request-id", request_id)]}
            await send(message)

        await self.app(scope, receive, send_with_id)
