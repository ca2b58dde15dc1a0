"""The REST shim: the paths of ``web/rest/table.py``, and what else is below ``/api``. It owns no resolvers."""

from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import TypeAlias

from starlette.convertors import Convertor, register_url_convertor
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from core.errors import AppError
from schema.documents import TrustedDocuments
from schema.operation import Executable
from web.auth.asker import asker_of, viewer_of
from web.graphql.charging import hold_off
from web.health import PATH as HEALTH
from web.health import health, is_health
from web.http.call import Call
from web.http.deadline import keep_time
from web.http.reading import asks_anew, read_json
from web.http.reply import Reply
from web.http.wanted import TO_NOBODY, while_wanted
from web.performance import clear_cache, performance_stats
from web.rest.answer import refused
from web.rest.batch import RestBatch
from web.rest.openapi import OpenApiPage
from web.rest.response import rest_response
from web.rest.serving import answer_served, meant, pairs_of
from web.rest.table import Found, RestTable
from web.state import State, state_of

Handler: TypeAlias = Callable[[Request[State]], Awaitable[Response | Reply]]
Handlers: TypeAlias = Mapping[str, Mapping[str, Handler]]


def open_rest(executable: Executable, trusted: TrustedDocuments, *, is_guarded: bool) -> "RestEndpoint":
    """Everything below ``/api``; ``is_guarded`` where nobody comes in without a credential.

    Raises DocumentsError if a document of the table is not there or cannot be served.
    """
    table = RestTable(executable.types, trusted)
    handlers: Handlers = {
        HEALTH: {"GET": health},
        "/api/openapi.json": {"GET": OpenApiPage(table, is_guarded=is_guarded).__call__},
        "/api/batch": {"POST": RestBatch(table).__call__},
        "/api/performance/clear-cache": {"POST": clear_cache},
        "/api/performance/stats": {"GET": performance_stats},
    }
    return RestEndpoint(table, handlers)


class AnyPath(Convertor[str]):
    """The rest of a path, with line breaks in it too: Starlette's own ``path`` stops at them."""

    regex = r"(?s:.*)"

    def convert(self, value: str) -> str:
        """As it is."""
        return value

    def to_string(self, value: str) -> str:
        """As it is."""
        return value


register_url_convertor("any_path", AnyPath())


class RestEndpoint:
    """ASGI application for everything below ``/api``; ``handlers`` are what the table does not have, by path and method."""

    def __init__(self, table: RestTable, handlers: Handlers) -> None:
        self._table = table
        self._handlers = handlers

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        request: Request[State] = Request(scope, receive)
        try:
            response: Response | Reply = await self._answer(request)
        except AppError as error:
            response = rest_response(request, refused(error))
        except ClientDisconnect:
            response = TO_NOBODY
        await response(scope, receive, send)

    async def _answer(self, request: Request[State]) -> Response | Reply:
        path = request.scope["path"]
        handlers = self._handlers.get(path.removesuffix("/"), {})
        found = None if handlers else self._table.find(path)
        by_method: Iterable[str] = found.by_method if found else handlers
        method = meant(request.method, path, by_method)
        if not is_health(path):
            hold_off(state_of(request), viewer_of(request))
        if found is None:
            return await handlers[method](request)
        return await _served(request, found, method)


async def _served(request: Request[State], found: Found, method: str) -> Response | Reply:
    call = Call.of(request.scope)
    body = await read_json(request, call) if method == "POST" else None
    keep_time(call)
    pairs = pairs_of(call.query.decode("utf-8", "replace"))
    refresh = asks_anew(call)
    asker = asker_of(call)

    async def work() -> Response:
        served = found.by_method[method]
        answer = await answer_served(call.state, served, asker, found.in_path, pairs, body, refresh=refresh)
        return rest_response(request, answer)

    return await while_wanted(call.state, work)
