"""The GraphQL endpoint: POST and GET of documents, answered as GraphQL over HTTP says (draft of 2026-08).

With ``application/graphql-response+json`` the status tells how far a request came: 400 not read or not parsed, 422 not
valid, 200 executed. With ``application/json`` it is 200 for whatever reached GraphQL, as older clients expect.
"""

from collections.abc import Awaitable, Callable

from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from core.errors import AppError
from web.auth.asker import asker_of
from web.caching.keeping import Kept, answer_one
from web.graphql.answering import refusal, working
from web.graphql.batch import answer_batch
from web.graphql.charging import hold_off, limited
from web.graphql.reply import kept_reply, plain_reply
from web.graphql.request import GraphQLRequest
from web.http.call import Call
from web.http.deadline import keep_time
from web.http.negotiation import GRAPHQL, JSON, best, is_ruled_out
from web.http.reading import asks_anew, asks_for_page, read_request
from web.http.reply import Reply
from web.http.wanted import TO_NOBODY, while_wanted
from web.limits.throttle import RateLimited
from web.state import State

Page = Callable[[Request[State]], Awaitable[Response]]
Read = Callable[[], Awaitable[GraphQLRequest | list[GraphQLRequest]]]


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
        call, request = Call.of(scope), Request[State](scope, receive)
        response = await (self._page(request) if asks_for_page(call) else answer(call, lambda: read_request(request, call)))
        await response(scope, receive, send)


async def answer(call: Call, read: Read) -> Reply:
    """The answer to what ``read`` finds asked for, or to what cannot be read."""
    media_type = best(call.header(b"accept"), (JSON, GRAPHQL))
    if media_type is None:
        error = NotAcceptable(f"The answer can be {GRAPHQL} or {JSON}.")
        return await plain_reply(call, refusal(call.state, error, strict=False), JSON)
    try:
        keep_time(call)
        hold_off(call.state, call.state["viewer"])
        asked = await read()
        return await while_wanted(call.state, lambda: _run(call, asked, media_type))
    except RateLimited as error:
        return await plain_reply(call, limited(error), media_type)
    except AppError as error:
        return await plain_reply(call, refusal(call.state, error, strict=media_type == GRAPHQL), media_type)
    except ClientDisconnect:
        return TO_NOBODY


async def _run(call: Call, asked: GraphQLRequest | list[GraphQLRequest], media_type: str) -> Reply:
    """Runs what was asked for. An array is JSON, which need not be accepted: the other type is of one answer only.

    Raises NotAcceptable for an array where JSON is ruled out.
    """
    asker = asker_of(call)
    if isinstance(asked, list):
        if is_ruled_out(call.header(b"accept"), JSON):
            raise NotAcceptable(f"The answer to an array is {JSON}.")
        with working(call.state, asker) as context:
            return await plain_reply(call, await answer_batch(call.state, asked, context), JSON)
    answered = await answer_one(
        call.state,
        asked,
        asker,
        strict=media_type == GRAPHQL,
        only_reads=call.method != "POST",
        refresh=asks_anew(call),
    )
    if isinstance(answered, Kept):
        return await kept_reply(call, answered, media_type, may_repeat=not asked.refresh)
    return await plain_reply(call, answered, media_type)
