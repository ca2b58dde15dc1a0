"""The GraphQL endpoint: POST and GET of a document, answered as GraphQL over HTTP says (draft of 2026-08).

With ``application/graphql-response+json`` the status tells how far a request came: 400 not read or not parsed, 422 not
valid, 200 executed. With ``application/json`` it is 200 for whatever reached GraphQL, as older clients expect.
"""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any, TypeVar

import orjson
from graphql import ExecutionResult, GraphQLError, OperationType
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from core.errors import AppError, BadInput, DeadlineExceeded
from core.viewer import EVERYONE, Viewer
from loaders import Loaders
from resolvers.context import Context
from schema.operation import Executable
from web.errors import app_error, field_errors, request_errors, status_of
from web.graphql_request import GraphQLRequest, MalformedRequest, read_request
from web.negotiation import GRAPHQL, HTML, JSON, best
from web.state import State

T = TypeVar("T")
Page = Callable[[Request[State]], Awaitable[Response]]


class GraphQLEndpoint:
    """Answers requests to ``/graphql``; a browser that opens the address gets the GraphiQL page."""

    def __init__(self, page: Page) -> None:
        self._page = page

    async def __call__(self, request: Request[State]) -> Response:
        """The answer to one request."""
        accept = request.headers.get("accept")
        asks_nothing = request.method != "POST" and not request.query_params.get("query")
        if asks_nothing and best(accept, (JSON, GRAPHQL, HTML)) == HTML:
            return await self._page(request)
        media_type = best(accept, (JSON, GRAPHQL))
        if media_type is None:
            error = {"message": f"The answer can be {GRAPHQL} or {JSON}.", "extensions": {"code": "NOT_ACCEPTABLE"}}
            return _answer({"errors": [error]}, JSON, 406)
        try:
            asked = await read_request(request, request.state["settings"].max_body_bytes)
            return await while_wanted(request, lambda: answer(request, asked, media_type))
        except MalformedRequest as error:
            return _answer({"errors": [app_error(error)]}, media_type, 422 if media_type == GRAPHQL else 400)
        except AppError as error:
            return _answer({"errors": [app_error(error)]}, media_type, error.status)
        except ClientDisconnect:
            return _to_nobody()


async def answer(request: Request[State], asked: GraphQLRequest, media_type: str) -> Response:
    """Runs the operation that was asked for, within the request's deadline."""
    executable: Executable = request.state["executable"]
    strict = media_type == GRAPHQL
    document = executable.document(asked.query)
    if document.node is None:
        errors = request_errors(document.errors, "GRAPHQL_PARSE_FAILED")
        return _answer({"errors": errors}, media_type, 400 if strict else 200)
    if document.errors:
        errors = request_errors(document.errors, "GRAPHQL_VALIDATION_FAILED")
        return _answer({"errors": errors}, media_type, 422 if strict else 200)
    operation = document.operation(asked.operation_name)
    if operation is None:
        message = (
            f"There is no operation named {asked.operation_name!r} in the document."
            if asked.operation_name is not None
            else "The document has several operations: `operationName` must say which."
        )
        errors = request_errors([GraphQLError(message)], "OPERATION_RESOLUTION_FAILURE")
        return _answer({"errors": errors}, media_type, 422 if strict else 200)
    if request.method != "POST" and operation.operation is not OperationType.QUERY:
        errors = request_errors([GraphQLError("GET is for queries; send this by POST.")], "METHOD_NOT_ALLOWED")
        return _answer({"errors": errors}, media_type, 405, {"Allow": "POST"})
    name = operation.name.value if operation.name else None
    deadline_s = request.state["settings"].request_deadline_s
    context = make_context(request, EVERYONE)
    try:
        async with asyncio.timeout(deadline_s):
            result = await executable.execute(document.node, name, asked.variables, context)
    except TimeoutError:
        raise DeadlineExceeded(f"The request took longer than its {deadline_s:g} s. Ask for less at once.") from None
    finally:
        context.loaders.stop()
    return _executed(result, media_type, request.state["request_id"])


def make_context(request: Request[State], viewer: Viewer) -> Context:
    """What the resolvers of one request share."""
    now = datetime.now(UTC)
    loaders = Loaders(request.state["database"], viewer, now)
    key = request.headers.get("idempotency-key")
    return Context(viewer, loaders, request.state["cursors"], now, request.state["database"], key)


def _executed(result: ExecutionResult, media_type: str, request_id: str) -> Response:
    body: dict[str, Any] = {}
    errors = result.errors or []
    if errors:
        body["errors"] = field_errors(errors, request_id)
    # Errors without a path and no data: the variables did not fit, and nothing was executed.
    if result.data is None and errors and all(error.path is None for error in errors):
        return _answer(body, media_type, 422 if media_type == GRAPHQL else 200)
    body["data"] = result.data
    try:
        return _answer(body, media_type, 200 if result.data is not None else status_of(errors))
    except orjson.JSONEncodeError as error:
        if "Recursion" not in str(error):
            raise
        raise BadInput("The answer is nested more than the 254 levels that can be written. Ask for fewer.") from error


def _answer(body: dict[str, Any], media_type: str, status: int, headers: dict[str, str] | None = None) -> Response:
    content_type = {"content-type": f"{media_type}; charset=utf-8", "vary": "Accept"}
    return Response(orjson.dumps(body), status, content_type | (headers or {}))


def _to_nobody() -> Response:
    return Response(status_code=499)  # the client has gone


async def while_wanted(request: Request[State], work: Callable[[], Awaitable[T]]) -> T | Response:
    """What ``work`` answers, unless the client goes away first: then it is cancelled, and its statements with it."""
    task = asyncio.current_task()
    assert task is not None
    gone = False

    async def watch() -> None:
        nonlocal gone
        while (await request.receive())["type"] != "http.disconnect":
            pass
        gone = True
        task.cancel()

    watcher = asyncio.create_task(watch())
    try:
        return await work()
    except asyncio.CancelledError:
        if not gone:
            raise
        task.uncancel()
        return _to_nobody()
    finally:
        watcher.cancel()
