"""The GraphQL endpoint: POST and GET of documents, answered as GraphQL over HTTP says (draft of 2026-08).

With ``application/graphql-response+json`` the status tells how far a request came: 400 not read or not parsed, 422 not
valid, 200 executed. With ``application/json`` it is 200 for whatever reached GraphQL, as older clients expect.
"""

from collections.abc import Awaitable, Callable

from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from core.errors import AppError
from web.answering import Answer, refusal, working
from web.auth import asker_of
from web.batch import answer_batch
from web.deadline import keep_time
from web.graphql_request import GraphQLRequest, asks_anew, asks_for_page, read_request, whole
from web.keeping import Kept, answer_one
from web.kept_response import kept_response
from web.negotiation import GRAPHQL, JSON, best, is_ruled_out
from web.state import State, state_of
from web.wanted import to_nobody, while_wanted

Page = Callable[[Request[State]], Awaitable[Response]]


class NotAcceptable(AppError):
    """An answer in none of the media types that the client takes."""

    code = "NOT_ACCEPTABLE"
    status = 406


class GraphQLEndpoint:
    """Answers requests to ``/graphql`` and ``/graphql/{id}``; a browser that opens the former gets the GraphiQL page.

    It is an ASGI application itself: Starlette's wrapping of a function costs a request 70 microseconds.
    """

    def __init__(self, page: Page) -> None:
        self._page = page

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        response = await self._respond(Request(scope, receive, send))
        await response(scope, receive, send)

    async def _respond(self, request: Request[State]) -> Response:
        accept = whole(request, "accept")
        if asks_for_page(request):
            return await self._page(request)
        media_type = best(accept, (JSON, GRAPHQL))
        if media_type is None:
            error = NotAcceptable(f"The answer can be {GRAPHQL} or {JSON}.")
            return _response(refusal(state_of(request), error, strict=False), JSON)
        settings = state_of(request)["settings"]
        try:
            keep_time(request)
            asked = await read_request(request, settings.max_body_bytes, settings.batch_most, settings.max_json_depth)
            return await while_wanted(request, lambda: answer(request, asked, media_type))
        except AppError as error:
            return _response(refusal(state_of(request), error, strict=media_type == GRAPHQL), media_type)
        except ClientDisconnect:
            return to_nobody()


async def answer(request: Request[State], asked: GraphQLRequest | list[GraphQLRequest], media_type: str) -> Response:
    """Runs what was asked for. An array is JSON, which need not be accepted: the other type is of one answer only.

    Raises NotAcceptable for an array where JSON is ruled out.
    """
    state, asker = state_of(request), asker_of(request)
    if isinstance(asked, list):
        if is_ruled_out(whole(request, "accept"), JSON):
            raise NotAcceptable(f"The answer to an array is {JSON}.")
        with working(state, asker) as context:
            return _response(await answer_batch(state, asked, context), JSON)
    answered = await answer_one(
        state,
        asked,
        asker,
        strict=media_type == GRAPHQL,
        only_reads=request.method != "POST",
        refresh=asks_anew(request),
    )
    if isinstance(answered, Kept):
        return await kept_response(request, answered, media_type)
    return _response(answered, media_type)


def _response(answer: Answer, media_type: str) -> Response:
    headers = {"content-type": f"{media_type}; charset=utf-8", "vary": "Accept", "cache-control": "no-store", **answer.headers}
    return Response(answer.body, answer.status, headers)
