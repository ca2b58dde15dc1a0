"""What a client asks of GraphQL: GraphQL over HTTP, section "Request", and its persisted documents."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from core.errors import BadRequest
from web.graphql.document_errors import IdAndBody


class MalformedRequest(BadRequest):
    """JSON was read, but it is not a GraphQL request."""


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


def graphql_request(given: Any, in_path: str | None) -> GraphQLRequest:
    """The request that a JSON value is, by the path if that names its document. Raises BadRequest and its kinds."""
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
    """The id in the address, in ``documentId``, or else in ``id`` or Relay's ``doc_id``, which beside a text are not ours."""
    name = _string(given, "documentId") or None
    if name is None and not given.get("query"):
        others = (given.get(each) for each in ("id", "doc_id"))
        name = next((each for each in others if isinstance(each, str) and each), None)
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
