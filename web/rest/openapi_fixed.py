"""What the OpenAPI document says that the table does not: common shapes, and the paths beside the table."""

from collections.abc import Mapping
from typing import Any

from resolvers.mutation import LONGEST_KEY

REASONS = {
    400: "A parameter or field that is invalid or unknown.",
    403: "Not for this client.",
    404: "There is nothing with this id, or nothing that may be seen.",
    409: "Somebody else changed it first.",
    413: "The body is too large.",
    415: "The body is not JSON.",
    422: "The change cannot be made; nothing was changed.",
}


def answers(data: Mapping[str, Any]) -> dict[str, Any]:
    """The response with that as its ``data``."""
    body = {
        "type": "object",
        "properties": {"data": data, "metadata": {"$ref": "#/components/schemas/Metadata"}},
        "required": ["data", "metadata"],
    }
    headers = {name: {"$ref": f"#/components/headers/{name}"} for name in COMPONENTS["headers"]}
    return {"200": {"description": "The answer.", "headers": headers, "content": {"application/json": {"schema": body}}}}


def failures(*statuses: int) -> dict[str, Any]:
    """The responses of these statuses, and of whatever else may go wrong."""
    content = {"application/json": {"schema": {"$ref": "#/components/schemas/Errors"}}}
    told = {str(status): {"description": REASONS[status], "content": content} for status in statuses}
    return {**told, "default": {"description": "What went wrong, by its code.", "content": content}}


# Of a GET by a client that has the answer already.
UNCHANGED = {"304": {"description": "The client has this answer already."}}
SECURITY_SCHEMES: dict[str, Any] = {
    "bearer": {"type": "http", "scheme": "bearer", "description": "An API key or a signed token."},
    "apiKey": {"type": "apiKey", "in": "header", "name": "X-API-Key", "description": "An API key."},
}
COMPONENTS: dict[str, Any] = {
    "schemas": {
        "Metadata": {
            "type": "object",
            "properties": {
                "responseTime": {"type": "number", "description": "Milliseconds that the answer took here."},
                "cached": {"type": "boolean", "description": "Whether it was made before."},
                "timestamp": {"type": "string", "format": "date-time", "description": "When it was given."},
            },
            "required": ["responseTime", "cached", "timestamp"],
        },
        "Errors": {
            "type": "object",
            "properties": {
                "errors": {
                    "type": "array",
                    "minItems": 1,
                    "items": {
                        "type": "object",
                        "properties": {
                            "message": {"type": "string", "description": "For people."},
                            "extensions": {
                                "type": "object",
                                "properties": {
                                    "code": {"type": "string", "description": "For programs; stable."},
                                    "parameter": {"type": "string", "description": "The parameter that is wrong."},
                                    "field": {"type": "string", "description": "The field of the body that is wrong."},
                                },
                                "required": ["code"],
                            },
                        },
                        "required": ["message", "extensions"],
                    },
                },
                "data": {"type": ["object", "null"], "description": "Of a change that was refused: what it says of each row."},
                "metadata": {"$ref": "#/components/schemas/Metadata"},
                "extensions": {
                    "type": "object",
                    "properties": {"errorsLeftOut": {"type": "integer", "description": "How many errors are not told."}},
                },
            },
            "required": ["errors"],
        },
        "BatchItem": {
            "type": "object",
            "properties": {
                "id": {"type": ["string", "integer"], "maxLength": 100, "description": "Its name; as text, each another."},
                "method": {"type": "string", "enum": ["GET", "HEAD", "POST"], "default": "GET"},
                "path": {"type": "string", "maxLength": 1000, "description": "A path of this document, filled in."},
                "query": {"type": ["object", "null"], "description": "Its parameters; a list for one that may repeat."},
                "body": {"description": "The body of a POST."},
            },
            "required": ["id", "path"],
            "additionalProperties": False,
        },
        "BatchAnswer": {
            "type": "object",
            "properties": {
                "id": {"type": ["string", "integer"]},
                "status": {"type": "integer"},
                "headers": {
                    "type": "object",
                    "additionalProperties": {"type": "string"},
                    "description": "Names are in lower case.",
                },
                "body": {"type": ["object", "null"], "description": "What the path answers by itself; null to a HEAD."},
            },
            "required": ["id", "status", "headers", "body"],
        },
    },
    "headers": {
        "X-Response-Time": {"schema": {"type": "string"}, "description": "What it took here, such as `1.25ms`."},
        "X-Cache": {"schema": {"type": "string"}, "description": "HIT, MISS, BYPASS or STALE."},
        "X-Cache-Key": {"schema": {"type": "string"}, "description": "What it is kept under, if it is."},
        "ETag": {"schema": {"type": "string"}, "description": "What `If-None-Match` takes, of an answer that is kept."},
    },
    "parameters": {
        "IfNoneMatch": {
            "name": "If-None-Match", "in": "header", "schema": {"type": "string"},
            "description": "The `ETag` of an answer that the client has: 304 if it is still the answer.",
        },
        "IdempotencyKey": {
            "name": "Idempotency-Key",
            "in": "header",
            "schema": {"type": "string", "minLength": 1, "maxLength": LONGEST_KEY, "pattern": "^[!-~]+$"},
            "description": "Sent again with the same body it changes nothing more and answers the same, for a week.",
        }
    },
}


def _posted(summary: str, schema: Mapping[str, Any], responses: Mapping[str, Any], name: str) -> dict[str, Any]:
    body = {"required": True, "content": {"application/json": {"schema": schema}}}
    return {"post": {"operationId": name, "summary": summary, "requestBody": body, "responses": responses}}


def _told(name: str, summary: str, responses: Mapping[str, Any], *parameters: Mapping[str, Any]) -> dict[str, Any]:
    return {"get": {"operationId": name, "summary": summary, "parameters": list(parameters), "responses": responses}}


_ITEMS = {"type": "array", "minItems": 1, "maxItems": 20, "items": {"$ref": "#/components/schemas/BatchItem"}}
_ANSWERS = {"type": "array", "items": {"$ref": "#/components/schemas/BatchAnswer"}}
_NAMES = {"type": "array", "maxItems": 50, "items": {"type": "string", "maxLength": 100}}
_CLEARED = {
    "type": "object",
    "properties": {
        "tags": {"type": "array", "items": {"type": "string"}, "description": "What was announced to be out of date."},
        "cleared": {"type": "integer", "description": "Answers that this process has dropped; the others drop theirs."},
    },
    "required": ["tags", "cleared"],
}
_WHAT = {
    "type": "object",
    "properties": {"all": {"const": True}, "documents": _NAMES, "tags": _NAMES},
    "additionalProperties": False,
}
_HEALTH = {
    "type": "object",
    "properties": {"status": {"enum": ["ok", "degraded", "unavailable"]}, "checks": {"type": "object"}},
    "required": ["status"],
}
_IS_WELL = {
    str(status): {"description": said, "content": {"application/json": {"schema": _HEALTH}}}
    for status, said in (
        (200, "It lives; with `ready`, it can serve."),
        (503, "It cannot serve: the database is away, or lacks a migration."),
    )
}
FIXED: dict[str, Any] = {
    "/api/batch": _posted(
        "Up to 20 requests at once, answered in their order; each fails by itself.",
        _ITEMS,
        {
            "200": {"description": "An answer for each.", "content": {"application/json": {"schema": _ANSWERS}}},
            **failures(400, 413, 415),
        },
        "batch",
    ),
    "/api/health": _told(
        "health",
        "Whether the server lives.",
        {**_IS_WELL, **failures()},
        {"name": "ready", "in": "query", "schema": {"type": "string"}, "description": "Whether it can serve."},
        {"name": "detailed", "in": "query", "schema": {"type": "boolean"}, "description": "More, for operators."},
    ),
    "/api/performance/clear-cache": _posted(
        "Make kept answers out of date in all processes, for operators.", _WHAT,
        {**answers(_CLEARED), **failures(400, 403, 413, 415)}, "clearCache",
    ),
    "/api/performance/stats": _told(
        "performanceStats", "What this process has been doing, for operators.",
        {**answers({"type": "object"}), **failures(403)},
    ),
}  # fmt: skip
