"""Which other sites' pages may use the API from a browser (Fetch standard, section 3.3): those on a list, and no other.

A request without ``Origin`` is not touched beyond ``Vary``. ``Origin: null`` (a file, a sandbox) is an origin like any other:
not allowed unless it is listed.
"""

from collections.abc import Sequence

from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware

# Any of these makes a browser ask first ("preflight"), so that another site cannot send the request unnoticed.
PREFLIGHT_HEADERS = (b"x-apollo-operation-name", b"apollo-require-preflight", b"graphql-require-preflight")
SENT = (
    "authorization", "cache-control", "content-type", "idempotency-key", "if-none-match", "x-api-key", "x-request-id",
    "x-request-timeout", *(name.decode() for name in PREFLIGHT_HEADERS),
)  # fmt: skip
READ = (
    "ETag", "RateLimit", "RateLimit-Policy", "Retry-After", "X-Cache", "X-Cache-Key", "X-RateLimit-Remaining",
    "X-Request-Id", "X-Response-Time",
)  # fmt: skip


def cors(origins: Sequence[str]) -> list[Middleware]:
    """The middleware for these origins; none where no other site is allowed: a browser then reads nothing for one."""
    if not origins:
        return []
    return [
        Middleware(
            CORSMiddleware, allow_origins=origins, allow_methods=("GET", "POST"), allow_headers=SENT, expose_headers=READ
        )
    ]
