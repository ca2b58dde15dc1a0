"""An answer over HTTP, whoever writes it: an ASGI application, or the protocol itself."""

from typing import NamedTuple, TypeAlias

from starlette.types import Receive, Scope, Send

RawHeaders: TypeAlias = list[tuple[bytes, bytes]]
WITHOUT_BODY = frozenset({204, 304})


class Reply(NamedTuple):
    """Status, headers but for the length, and body. It is an ASGI application that answers with itself."""

    status: int
    headers: RawHeaders
    body: bytes = b""

    @property
    def lines(self) -> RawHeaders:
        """All headers, the length of the body among them if there may be one (RFC 9110, section 8.6)."""
        if self.status in WITHOUT_BODY:
            return self.headers
        return [*self.headers, (b"content-length", b"%d" % len(self.body))]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        await send({"type": "http.response.start", "status": self.status, "headers": self.lines})
        await send({"type": "http.response.body", "body": self.body})
