"""Finds out who asks, and lets nobody further who does not say, but to the few addresses that are open to all."""

from starlette.types import ASGIApp, Receive, Scope, Send

from core.errors import AppError, Unauthenticated
from core.viewer import NOBODY
from web.auth.authenticator import Authenticator
from web.auth.credential import BEARER, credential_of
from web.health import is_health
from web.http.call import Call, headers_of
from web.http.errors import app_error, error_reply
from web.http.negotiation import GRAPHQL, JSON, best
from web.http.reading import asks_for_page
from web.http.reply import Reply

OPEN = ("/", "/graphiql")
OPEN_BELOW = "/graphiql/"


class Authenticate:
    """ASGI middleware: puts ``viewer`` into the request's state, or answers 401 as RFC 6750, section 3, says."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        state = scope["state"]
        authenticator: Authenticator = state["authenticator"]
        viewer = authenticator.known_of(scope["headers"])
        if viewer is None:
            is_open = _is_open(scope)
            try:
                if is_open and b"detailed" not in scope["query_string"]:
                    viewer = NOBODY  # who it is makes no difference, and must not cost anything
                else:
                    viewer = await authenticator.viewer(credential_of(scope["headers"]))
            except AppError as error:
                if not is_open:
                    await _refusal(error, scope)(scope, receive, send)
                    return
                viewer = NOBODY
        state["viewer"] = viewer
        await self.app(scope, receive, send)


def _is_open(scope: Scope) -> bool:
    path = scope["path"]
    if scope["method"] not in {"GET", "HEAD"}:
        return False
    if path in OPEN or path.startswith(OPEN_BELOW) or is_health(path):
        return True
    return path == "/graphql" and asks_for_page(Call.of(scope))


def _refusal(error: AppError, scope: Scope) -> Reply:
    accept = headers_of(scope["headers"]).get(b"accept", b"").decode("latin-1")
    is_graphql = scope["path"] == "/graphql" or scope["path"].startswith("/graphql/")
    media_type = (best(accept, (JSON, GRAPHQL)) or JSON) if is_graphql else JSON
    more = [(b"vary", b"Accept, Authorization, X-API-Key")]
    if isinstance(error, Unauthenticated):
        more.append((b"www-authenticate", _challenge(error).encode("latin-1", "replace")))
    return error_reply(error.status, app_error(error), media_type, more)


def _challenge(error: Unauthenticated) -> str:
    if type(error) is Unauthenticated:
        return BEARER
    return f'{BEARER}, error="invalid_token", error_description="{str(error).replace("`", "")}"'
