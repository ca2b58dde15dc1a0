"""An HTTP request read: its body within bounds, and the GraphQL requests that it is."""

from collections.abc import Mapping
from functools import lru_cache
from typing import Any, ClassVar

from starlette.requests import Request

from core.errors import AppError, BadRequest
from web.graphql.request import GraphQLRequest, graphql_request
from web.http.call import Call
from web.http.json_depth import json_of
from web.http.negotiation import GRAPHQL, HTML, JSON, best
from web.middleware.cors import PREFLIGHT_HEADERS

# A GET with one of these names a document that is here. With a text, or with nothing, a browser gets the page: a link to a
# query opens it there, and runs nothing.
NAMING = frozenset({"documentId", "id", "doc_id", "extensions", "operationName"})


class TooLarge(AppError):
    """The body has more bytes than this server reads."""

    code = "BODY_TOO_LARGE"
    status = 413


class UnsupportedMediaType(AppError):
    """The body is not of a media type that is understood."""

    code = "UNSUPPORTED_MEDIA_TYPE"
    status = 415


class CompressedBody(UnsupportedMediaType):
    """The body is in a coding, and none is understood (RFC 9110, section 15.5.16)."""

    headers: ClassVar[Mapping[str, str]] = {"accept-encoding": "identity"}


class BatchingNotEnabled(BadRequest):
    """An array of requests, where none is taken."""

    code = "BATCHING_NOT_ENABLED"


class BatchLimitExceeded(BadRequest):
    """An array of more requests than are taken at once."""

    code = "BATCH_LIMIT_EXCEEDED"


def asks_for_page(call: Call) -> bool:
    """Whether a request to the endpoint prefers HTML, and names no document: a browser that opens it, or a link to a query."""
    is_get = call.method != "POST" and call.document_id is None
    if not is_get or best(call.header(b"accept"), (JSON, GRAPHQL, HTML)) != HTML:
        return False
    given = {name for name, value in call.parameters if value}
    return "query" in given or given.isdisjoint(NAMING)


def asks_anew(call: Call) -> bool:
    """Whether the client wants an answer that is made now (RFC 9111, section 5.2: directives are of either case)."""
    return b"no-cache" in call.headers.get(b"cache-control", b"").lower()


async def read_request(request: Request[Any], call: Call) -> GraphQLRequest | list[GraphQLRequest]:
    """As ``requested``, of a request whose body is still to be read. Raises TooLarge besides."""
    return requested(call, await _body(request, call) if call.method == "POST" else b"")


def requested(call: Call, body: bytes) -> GraphQLRequest | list[GraphQLRequest]:
    """The GraphQL request of a POST or GET, or those of an array. Raises BadRequest and its kinds, UnsupportedMediaType."""
    settings = call.state["settings"]
    if call.method != "POST":
        return _from_parameters(call, settings.max_json_depth)
    _require_json(call, for_body=True)
    found = json_of(body, "The body", settings.max_json_depth)
    if isinstance(found, list):
        return [graphql_request(each, call.document_id) for each in _counted(found, settings.batch_most)]
    return graphql_request(found, call.document_id)


def _counted(batch: list[Any], most: int) -> list[Any]:
    if not most:
        raise BatchingNotEnabled("Operation batching disabled.")
    if not batch:
        raise BadRequest("No operations found in request.")
    if len(batch) > most:
        raise BatchLimitExceeded(f"An array may have {most} operations at most.")
    return batch


def _from_parameters(call: Call, max_json_depth: int) -> GraphQLRequest:
    given: dict[str, str] = {}
    for name, value in call.parameters:
        if name in given:
            raise BadRequest(f"The parameter {name} is given twice.")
        given[name] = value
    if b"content-type" in call.headers:
        _require_json(call, for_body=False)
    elif given.get("query") and not any(call.headers.get(name) for name in PREFLIGHT_HEADERS):
        raise BadRequest(
            "This operation has been blocked as a potential cross-site request: send a content-type of "
            "application/json, or a non-empty header " + b" or ".join(PREFLIGHT_HEADERS).decode() + "."
        )
    present: dict[str, Any] = {name: value for name, value in given.items() if value}  # an empty parameter is none
    for name in ("variables", "extensions"):
        if name in present:
            present[name] = json_of(present[name], f"The parameter {name}", max_json_depth)
    return graphql_request(present, call.document_id)


def _require_json(call: Call, *, for_body: bool) -> None:
    if not _is_json(call.header(b"content-type") or ""):
        what = "A POST" if for_body else "A GET with a content-type"
        raise UnsupportedMediaType(f"{what} must be of content-type application/json, in UTF-8.")


@lru_cache(256)
def _is_json(content_type: str) -> bool:
    media_type, *parameters = (part.strip().lower() for part in content_type.split(";"))
    charset = next((part[8:].strip('"') for part in parameters if part.startswith("charset=")), "utf-8")
    return media_type == "application/json" and charset in ("utf-8", "utf8")


async def _body(request: Request[Any], call: Call) -> bytes:
    _require_json(call, for_body=True)
    if call.headers.get(b"content-encoding", b"identity").lower() != b"identity":
        raise CompressedBody("The body must not be compressed: this server takes no Content-Encoding.")
    most, declared = call.state["settings"].max_body_bytes, call.length
    if declared is not None and declared > most:
        raise TooLarge(f"The body may have {most} bytes at most.")
    parts, size, unfinished = [], 0, call.state["unfinished"]
    try:
        async for part in request.stream():
            size += len(part)
            unfinished.add(len(part))
            if size > most:
                raise TooLarge(f"The body may have {most} bytes at most.")
            parts.append(part)
    finally:
        unfinished.take_off(size)
    return b"".join(parts)


async def read_json(request: Request[Any], call: Call) -> Any:
    """The JSON of a POST, whatever it is. Raises BadRequest, TooLarge, UnsupportedMediaType."""
    return json_of(await _body(request, call), "The body", call.state["settings"].max_json_depth)
