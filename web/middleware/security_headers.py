"""Headers that every answer carries, unless the page says something stricter itself."""

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from web.http.reply import RawHeaders
from web.limits.client import is_from_trusted_proxy

SECURITY = [
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
]


class SecurityHeaders:
    """Adds ``SECURITY`` where the response does not set them, and behind TLS ``Strict-Transport-Security`` (RFC 6797).

    TLS is the server's own, or that of a proxy which is trusted and says so in ``X-Forwarded-Proto``.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        hsts = hsts_of(scope) if scope["type"] == "http" else []

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                given = {name.lower() for name, _ in message["headers"]}
                added = [pair for pair in SECURITY if pair[0] not in given]
                message = {**message, "headers": [*message["headers"], *added, *hsts]}
            await send(message)

        await self.app(scope, receive, send_with_headers)


def hsts_of(scope: Scope) -> RawHeaders:
    """``Strict-Transport-Security`` where that is wanted and the request came by TLS; nothing else."""
    hsts_s = scope["state"]["settings"].hsts_s
    return [(b"strict-transport-security", b"max-age=%d; includeSubDomains" % hsts_s)] if hsts_s and _is_by_tls(scope) else []


def _is_by_tls(scope: Scope) -> bool:
    if scope["scheme"] == "https":
        return True
    forwarded = [value for name, value in scope["headers"] if name == b"x-forwarded-proto"]
    # The last one is of the proxy next to us.
    is_https = bool(forwarded) and forwarded[-1].rpartition(b",")[2].strip().lower() == b"https"
    return is_https and is_from_trusted_proxy(scope, scope["state"]["settings"])
