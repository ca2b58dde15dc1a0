"""The OpenAPI 3.1 document of the REST shim, made from its table, the documents in it, and the schema."""

import hashlib
from collections.abc import Mapping
from typing import Any

import orjson
from starlette.requests import Request
from starlette.responses import Response

from web.health import PATH as HEALTH
from web.http.validator import has_already
from web.rest.openapi_fixed import COMPONENTS, FIXED, SECURITY_SCHEMES, UNCHANGED, answers, failures
from web.rest.openapi_schema import input_schema, output_schema
from web.rest.parameters import Parameter
from web.rest.table import RestTable, Served
from web.state import State

ABOUT = (
    "The dashboard's data for clients that do not speak GraphQL. Each path is answered by a document of `documents/`; "
    "`data` is what that selects. Errors are explained in `docs/errors.md`."
)


class OpenApiPage:
    """Answers with the document, or 304 to whom has it."""

    def __init__(self, table: RestTable, *, is_guarded: bool) -> None:
        self._body = orjson.dumps(openapi(table, is_guarded=is_guarded))
        # Weak: it is compressed on the way, and is other bytes in each coding (RFC 9110, section 8.8.3.3).
        self._etag = f'W/"{hashlib.blake2b(self._body, digest_size=16).hexdigest()}"'

    async def __call__(self, request: Request[State]) -> Response:
        """The document."""
        headers = {"content-type": "application/json", "etag": self._etag, "cache-control": "no-cache"}
        if has_already(request.scope, self._etag):
            return Response(status_code=304, headers=headers)
        return Response(self._body, 200, headers)


def openapi(table: RestTable, *, is_guarded: bool) -> dict[str, Any]:
    """The document as JSON (OpenAPI Specification 3.1.1); ``is_guarded`` where nobody comes in without a credential."""
    paths: dict[str, dict[str, Any]] = {}
    for served in table.served:
        paths.setdefault(served.line.path, {})[served.line.method.lower()] = _operation(table, served)
    document: dict[str, Any] = {
        "openapi": "3.1.0",
        "info": {"title": "Dealgraph", "version": "1", "description": ABOUT},
        "servers": [{"url": "/"}],
        "paths": paths | FIXED,
        "components": COMPONENTS,
    }
    if is_guarded:
        keys: list[dict[str, list[str]]] = [{name: []} for name in SECURITY_SCHEMES]
        document["security"] = keys
        health = FIXED[HEALTH]["get"]
        document["paths"][HEALTH] = {"get": {**health, "security": [{}, *keys]}}  # open to all, but for what is detailed
        document["components"] = {**COMPONENTS, "securitySchemes": SECURITY_SCHEMES}
    return document


def _operation(table: RestTable, served: Served) -> dict[str, Any]:
    line = served.line
    operation: dict[str, Any] = {
        "operationId": line.document[0].lower() + line.document[1:],
        "summary": line.summary,
        "parameters": [_parameter(each) for each in served.parameters.values()],
        "responses": {**answers(_data(table, served)), **failures(*_statuses(served))},
    }
    if line.method == "GET":
        operation["parameters"].append({"$ref": "#/components/parameters/IfNoneMatch"})
        operation["responses"] |= UNCHANGED
    if line.method == "POST":
        body = input_schema(table.schema, served.operation)
        operation["requestBody"] = {"required": True, "content": {"application/json": {"schema": body}}}
        operation["parameters"].append({"$ref": "#/components/parameters/IdempotencyKey"})
    return operation


def _statuses(served: Served) -> tuple[int, ...]:
    if served.line.method == "POST":
        return 400, 403, 404, 409, 413, 415, 422
    return (400, 404) if served.shape == "object" and "{" in served.line.path else (400,)


def _data(table: RestTable, served: Served) -> Mapping[str, Any]:
    assert served.document.node is not None
    found = output_schema(table.schema, served.document.node, served.operation)["properties"][served.field]
    if served.shape == "items":
        return _object({"items": found})
    if served.shape == "object":
        found = {**found, "type": "object"}  # what is null is not found
        if served.line.method == "POST":
            found["properties"] = {name: each for name, each in found["properties"].items() if name != "errors"}
            found["required"] = [name for name in found["required"] if name != "errors"]
        return found
    edge, page = found["properties"]["edges"]["items"], found["properties"]["pageInfo"]
    count = {name: each for name, each in found["properties"].items() if name == "totalCount"}
    page = {**page, "properties": {**page["properties"], **count}}
    return _object({"items": {"type": "array", "items": edge["properties"]["node"]}, "pageInfo": page})


def _object(properties: dict[str, Any]) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "required": list(properties)}


def _parameter(parameter: Parameter) -> dict[str, Any]:
    found: dict[str, Any] = {
        "name": parameter.name, "in": parameter.place, "schema": parameter.schema, "description": parameter.description,
    }  # fmt: skip
    return found | ({"required": True} if parameter.place == "path" else {})
