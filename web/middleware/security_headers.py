"""Headers that every answer carries, unless the page says something stricter itself."""

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from web.client import is_from_trusted_proxy

HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
}


class SecurityHeaders:
    """Adds ``HEADERS`` where the response does not set them, and behind TLS ``Strict-Transport-Security`` (RFC 6797).

    TLS is the server's own, or that of a proxy which is trusted and says so in ``X-Forwarded-Proto``.
    """

    def __init__(self, app: ASGIApp, hsts_s: int) -> None:
        self.app = app
        self._hsts = f"max-age={hsts_s}; includeSubDomains" if hsts_s else ""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        is_by_tls = bool(self._hsts) and scope["type"] == "http" and _is_by_tls(scope)

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers.setdefault(name, value)
                if is_by_tls:
                    headers["Strict-Transport-Security"] = self._hsts
            await send(message)

        await self.app(scope, receive, send_with_headers)


def _is_by_tls(scope: Scope) -> bool:
    if scope["scheme"] == "https":
        return True
    forwarded = [value for name, value in scope["headers"] if name == b"x-forwarded-proto"]
    # The last one is of the proxy next to us.
    is_https = bool(forwarded) and forwarded[-1].rpartition(b",")[2].strip().lower() == b"https"
    return is_https and is_from_trusted_proxy(scope, scope["state"]["settings"])
