"""Which other sites' pages may use the API from a browser (Fetch standard, section 3.3): those on a list, and no other.

A request without ``Origin`` is not touched beyond ``Vary``. ``Origin: null`` (a file, a sandbox) is an origin like any other:
not allowed unless it is listed.
"""

from collections.abc import Sequence

from starlette.datastructures import Headers
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.responses import JSONResponse, Response

from core.errors import BadRequest
from web.http.errors import app_error

# Any of these makes a browser ask first ("preflight"), so that another site cannot send the request unnoticed.
PREFLIGHT_HEADERS = (b"x-apollo-operation-name", b"apollo-require-preflight", b"graphql-require-preflight")
SENT = (
    "authorization", "cache-control", "content-type", "idempotency-key", "if-none-match", "x-api-key", "x-request-id",
    "x-request-timeout", *(name.decode() for name in PREFLIGHT_HEADERS),
    # What clients tell of themselves, and of what a request is part of (Apollo, W3C Trace Context and Baggage, Sentry).
    "apollographql-client-name", "apollographql-client-version", "traceparent", "tracestate", "baggage", "sentry-trace",
)  # fmt: skip
READ = (
    "ETag", "RateLimit", "RateLimit-Policy", "Retry-After", "X-Cache", "X-Cache-Key", "X-RateLimit-Remaining",
    "X-Request-Id", "X-Response-Time",
)  # fmt: skip


def cors(origins: Sequence[str]) -> list[Middleware]:
    """The middleware for these origins; none where no other site is allowed: a browser then reads nothing for one."""
    if not origins:
        return []
    methods = ("GET", "HEAD", "POST")
    return [Middleware(Cors, allow_origins=origins, allow_methods=methods, allow_headers=SENT, expose_headers=READ)]


class Cors(CORSMiddleware):
    """Starlette's, which says why not as every refusal here is said."""

    def preflight_response(self, request_headers: Headers) -> Response:
        """What a browser is told that asks first."""
        response = super().preflight_response(request_headers)
        if response.status_code == 200:
            return response
        allowed = {name: value for name, value in response.headers.items() if not name.startswith("content-")}
        refused = {"errors": [app_error(BadRequest(f"{bytes(response.body).decode()}: see CORS_ORIGINS in the README."))]}
        return JSONResponse(refused, response.status_code, allowed)
