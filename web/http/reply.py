"""An answer over HTTP, whoever writes it: an ASGI application, or the protocol itself."""

from typing import NamedTuple, TypeAlias

from starlette.types import Receive, Scope, Send

RawHeaders: TypeAlias = list[tuple[bytes, bytes]]
WITHOUT_BODY = frozenset({204, 304})
OF_A_BODY = frozenset({b"content-type", b"content-encoding"})


class Reply(NamedTuple):
    """Status, headers but for the length, and body. It is an ASGI application that answers with itself."""

    status: int
    headers: RawHeaders
    body: bytes = b""

    @property
    def lines(self) -> RawHeaders:
        """All headers, and the length of the body; where there is none, not what is said of one (RFC 9110, 8.6 and 15.4.5)."""
        if self.status in WITHOUT_BODY:
            return [pair for pair in self.headers if pair[0] not in OF_A_BODY]
        return [*self.headers, (b"content-length", b"%d" % len(self.body))]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        await send({"type": "http.response.start", "status": self.status, "headers": self.lines})
        await send({"type": "http.response.body", "body": self.body})
