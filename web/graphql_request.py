"""An HTTP request read as GraphQL requests: GraphQL over HTTP, section "Request", and its persisted documents."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from starlette.requests import Request

from core.errors import AppError, BadRequest
from core.settings import Settings
from web.document_errors import IdAndBody
from web.json_depth import json_of
from web.negotiation import GRAPHQL, HTML, JSON, best

# Any of these makes a browser ask first ("preflight"), so that another site cannot send the request unnoticed.
PREFLIGHT_HEADERS = ("x-apollo-operation-name", "apollo-require-preflight", "graphql-require-preflight")

# A GET with one of these asks something; without them a browser gets the page.
ASKING = ("query", "documentId", "id", "extensions", "operationName")


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


class BatchingNotEnabled(BadRequest):
    """An array of requests, where none is taken."""

    code = "BATCHING_NOT_ENABLED"


class BatchLimitExceeded(BadRequest):
    """An array of more requests than are taken at once."""

    code = "BATCH_LIMIT_EXCEEDED"


@dataclass(frozen=True, slots=True)
class GraphQLRequest:
    """What a client asks: a document, which of its operations, and the values of its variables.

    The document is named by its text, by an id, by the hash of Apollo's persisted queries, by hash and text, or by none
    of them: then the operation's name says which. ``refresh`` asks for an answer that is made now.
    """

    query: str | None = None
    document_id: str | None = None
    sha256: str | None = None
    operation_name: str | None = None
    variables: dict[str, Any] | None = None
    refresh: bool = False


def asks_for_page(request: Request[Any]) -> bool:
    """Whether a request to the endpoint asks nothing and prefers HTML: a browser that opens it."""
    is_get = request.method != "POST" and "id" not in request.path_params
    asks_nothing = is_get and not any(request.query_params.get(name) for name in ASKING)
    return asks_nothing and best(whole(request, "accept"), (JSON, GRAPHQL, HTML)) == HTML


def whole(request: Request[Any], name: str) -> str | None:
    """A header that is a list, all its lines as one (RFC 9110, section 5.3); None without it."""
    lines = request.headers.getlist(name)
    return ", ".join(lines) if lines else None


def asks_anew(request: Request[Any]) -> bool:
    """Whether the client wants an answer that is made now (RFC 9111, section 5.2: directives are of either case)."""
    return "no-cache" in (whole(request, "cache-control") or "").lower()


async def read_request(
    request: Request[Any], max_body_bytes: int, batch_most: int, max_json_depth: int
) -> GraphQLRequest | list[GraphQLRequest]:
    """The GraphQL request of a POST or GET, or those of an array.

    Raises BadRequest and its kinds, TooLarge, UnsupportedMediaType.
    """
    in_path = request.path_params.get("id")
    if request.method != "POST":
        return _from_parameters(request, in_path, max_json_depth)
    _require_json(request, for_body=True)
    found = json_of(await _body(request, max_body_bytes), "The body", max_json_depth)
    if isinstance(found, list):
        return [_checked(each, in_path) for each in _counted(found, batch_most)]
    return _checked(found, in_path)


def _counted(batch: list[Any], most: int) -> list[Any]:
    if not most:
        raise BatchingNotEnabled("Operation batching disabled.")
    if not batch:
        raise BadRequest("No operations found in request.")
    if len(batch) > most:
        raise BatchLimitExceeded(f"An array may have {most} operations at most.")
    return batch


def _from_parameters(request: Request[Any], in_path: str | None, max_json_depth: int) -> GraphQLRequest:
    given: dict[str, str] = {}
    for name, value in request.query_params.multi_items():
        if name in given:
            raise BadRequest(f"The parameter {name} is given twice.")
        given[name] = value
    if "content-type" in request.headers:
        _require_json(request, for_body=False)
    elif given.get("query") and not any(request.headers.get(name) for name in PREFLIGHT_HEADERS):
        raise BadRequest(
            "This operation has been blocked as a potential cross-site request: send a content-type of "
            "application/json, or a non-empty header " + " or ".join(PREFLIGHT_HEADERS) + "."
        )
    present: dict[str, Any] = {name: value for name, value in given.items() if value}  # an empty parameter is none
    for name in ("variables", "extensions"):
        if name in present:
            present[name] = json_of(present[name], f"The parameter {name}", max_json_depth)
    return _checked(present, in_path)


def _checked(given: Any, in_path: str | None) -> GraphQLRequest:
    if not isinstance(given, dict):
        raise MalformedRequest("The body must be a JSON object with a `query`.")
    extensions = _object(given, "extensions") or {}
    found = GraphQLRequest(
        query=_string(given, "query") or None,
        document_id=_document_id(given, in_path),
        sha256=_hash(extensions),
        operation_name=_string(given, "operationName"),
        variables=_object(given, "variables"),
        refresh=extensions.get("refresh") is True,
    )
    if found.document_id is not None and found.query is not None:
        raise IdAndBody("Send the id of a document or the text of one, not both.")
    return found


def _document_id(given: Mapping[str, Any], in_path: str | None) -> str | None:
    """The id in the address, in ``documentId``, or else in ``id``, which beside a text is anyone's own business."""
    name = _string(given, "documentId") or None
    if name is None and not given.get("query") and isinstance(given.get("id"), str):
        name = given["id"] or None
    if in_path is not None and name not in (None, in_path):
        raise BadRequest("The address names one document, and the request another.")
    return in_path or name


def _hash(extensions: Mapping[str, Any]) -> str | None:
    """The hash of a persisted query as Apollo's clients send it."""
    found = _object(extensions, "persistedQuery")
    if found is None:
        return None
    if type(found.get("version")) is not int or found["version"] != 1:
        raise BadRequest("Unsupported persisted query version")
    digest = _string(found, "sha256Hash")
    if not digest:
        raise MalformedRequest("`sha256Hash` must be a string.")
    return digest


def _string(given: Mapping[str, Any], name: str) -> str | None:
    value = given.get(name)
    if value is not None and not isinstance(value, str):
        raise MalformedRequest(f"`{name}` must be a string.")
    return value


def _object(given: Mapping[str, Any], name: str) -> dict[str, Any] | None:
    value = given.get(name)
    if value is not None and not isinstance(value, dict):
        raise MalformedRequest(f"`{name}` must be an object.")
    return value


def _require_json(request: Request[Any], *, for_body: bool) -> None:
    if not _is_json(request.headers.get("content-type", "")):
        what = "A POST" if for_body else "A GET with a content-type"
        raise UnsupportedMediaType(f"{what} must be of content-type application/json, in UTF-8.")


@lru_cache(256)
def _is_json(content_type: str) -> bool:
    media_type, *parameters = (part.strip().lower() for part in content_type.split(";"))
    charset = next((part[8:].strip('"') for part in parameters if part.startswith("charset=")), "utf-8")
    return media_type == "application/json" and charset in ("utf-8", "utf8")


async def _body(request: Request[Any], most: int) -> bytes:
    if request.headers.get("content-encoding", "identity").lower() != "identity":
        raise UnsupportedMediaType("The body must not be compressed: this server takes no Content-Encoding.")
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


async def read_json(request: Request[Any], settings: Settings) -> Any:
    """The JSON of a POST, whatever it is. Raises BadRequest, TooLarge, UnsupportedMediaType."""
    _require_json(request, for_body=True)
    return json_of(await _body(request, settings.max_body_bytes), "The body", settings.max_json_depth)
