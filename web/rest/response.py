"""A REST answer as an HTTP response."""

import orjson
from starlette.requests import Request
from starlette.responses import Response

from web.auth.credential import SCOPE_MISSING
from web.http.validator import has_already
from web.rest.answer import RestAnswer
from web.state import State, state_of


def rest_response(request: Request[State], answer: RestAnswer) -> Response:
    """The answer over HTTP; not modified for a GET or HEAD that has it already."""
    state = state_of(request)
    body, headers = answer.written(state["reuse"], state["started"])
    etag = headers.get("etag")
    headers["vary"] = "Authorization, X-API-Key"
    if answer.status == 403 and not state["authenticator"].is_off:
        headers["www-authenticate"] = SCOPE_MISSING
    if etag is not None and has_already(request.scope, etag):
        return Response(status_code=304, headers=headers)
    return Response(orjson.dumps(body), answer.status, headers)
