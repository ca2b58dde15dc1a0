"""An HTTP request read as a GraphQL request: GraphQL over HTTP, section "Request"."""

from dataclasses import dataclass
from typing import Any

import orjson
from starlette.requests import Request

from core.errors import AppError, BadRequest
from web.state import State

# Any of these makes a browser ask first ("preflight"), so that another site cannot send the request unnoticed.
PREFLIGHT_HEADERS = ("x-apollo-operation-name", "apollo-require-preflight", "graphql-require-preflight")


class TooLarge(AppError):
    """The body has more bytes than this server reads."""

    code = "BODY_TOO_LARGE"
    status = 413


class UnsupportedMediaType(AppError):
    """The body is not of a media type that is understood."""

    code = "UNSUPPORTED_MEDIA_TYPE"
    status = 415


class MalformedRequest(BadRequest):
    """JSON was read, but it is not a GraphQL request."""


@dataclass(frozen=True, slots=True)
class GraphQLRequest:
    """What a client asks: a document, which of its operations, and the values of its variables."""

    query: str
    operation_name: str | None
    variables: dict[str, Any] | None


async def read_request(request: Request[State], max_body_bytes: int) -> GraphQLRequest:
    """The GraphQL request of a POST or GET. Raises BadRequest and its kind, TooLarge, UnsupportedMediaType."""
    if request.method != "POST":
        return _from_parameters(request)
    _require_json(request, for_body=True)
    return _from_body(await _body(request, max_body_bytes))


def _from_body(body: bytes) -> GraphQLRequest:
    try:
        found = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise BadRequest(f"The body is not JSON: {error}.") from None
    if isinstance(found, list):
        raise BadRequest("Operation batching disabled.")
    if not isinstance(found, dict):
        raise MalformedRequest("The body must be a JSON object with a `query`.")
    return _checked(found.get("query"), found.get("operationName"), found.get("variables"), found.get("extensions"))


def _from_parameters(request: Request[State]) -> GraphQLRequest:
    given: dict[str, str] = {}
    for name, value in request.query_params.multi_items():
        if name in given:
            raise BadRequest(f"The parameter {name} is given twice.")
        given[name] = value
    if "content-type" in request.headers:
        _require_json(request, for_body=False)
    elif not any(request.headers.get(name) for name in PREFLIGHT_HEADERS):
        raise BadRequest(
            "This operation has been blocked as a potential cross-site request: send a content-type of "
            "application/json, or a non-empty header " + " or ".join(PREFLIGHT_HEADERS) + "."
        )
    return _checked(
        given.get("query"),
        given.get("operationName") or None,  # an empty parameter is none
        _json_parameter(given, "variables"),
        _json_parameter(given, "extensions"),
    )


def _json_parameter(given: dict[str, str], name: str) -> Any:
    text = given.get(name)
    if not text:
        return None
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise BadRequest(f"The parameter {name} is not JSON: {error}.") from None


def _checked(query: Any, operation_name: Any, variables: Any, extensions: Any) -> GraphQLRequest:
    if not isinstance(query, str) or not query:
        raise MalformedRequest("GraphQL operations must contain a non-empty `query`.")
    if operation_name is not None and not isinstance(operation_name, str):
        raise MalformedRequest("`operationName` must be a string.")
    if variables is not None and not isinstance(variables, dict):
        raise MalformedRequest("`variables` must be an object.")
    if extensions is not None and not isinstance(extensions, dict):
        raise MalformedRequest("`extensions` must be an object.")
    return GraphQLRequest(query, operation_name, variables)


def _require_json(request: Request[State], *, for_body: bool) -> None:
    media_type, *parameters = (part.strip().lower() for part in request.headers.get("content-type", "").split(";"))
    charset = next((part[8:].strip('"') for part in parameters if part.startswith("charset=")), "utf-8")
    if media_type != "application/json" or charset not in ("utf-8", "utf8"):
        what = "A POST" if for_body else "A GET with a content-type"
        raise UnsupportedMediaType(f"{what} must be of content-type application/json, in UTF-8.")


async def _body(request: Request[State], most: int) -> bytes:
    declared = request.headers.get("content-length", "")
    if declared.isdigit() and int(declared) > most:
        raise TooLarge(f"The body may have {most} bytes at most.")
    parts, size = [], 0
    async for part in request.stream():
        size += len(part)
        if size > most:
            raise TooLarge(f"The body may have {most} bytes at most.")
        parts.append(part)
    return b"".join(parts)
