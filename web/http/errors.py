"""Errors as clients see them: a message, a stable code, where it was; nothing internal."""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import orjson
import structlog
from graphql import GraphQLError

from core.errors import AppError, BadInput
from web.http.negotiation import JSON
from web.http.reply import RawHeaders, Reply

log = structlog.get_logger("web")
# How graphql-core ends a message about a name that is not there.
HINT = re.compile(r" Did you mean [^?]+\?$")
MASKED = "Something went wrong here. It has been logged under the request id."


def app_error(error: AppError) -> dict[str, Any]:
    """The one error of a request that never came to be executed."""
    return {"message": str(error), "extensions": {"code": error.code}}


def error_reply(status: int, told: Mapping[str, Any], media_type: str = JSON, more: RawHeaders | None = None) -> Reply:
    """The answer that is one error; ``more`` are headers beside its media type, and that nobody keeps it."""
    headers = [(b"content-type", f"{media_type}; charset=utf-8".encode()), (b"cache-control", b"no-store"), *(more or ())]
    return Reply(status, headers, orjson.dumps({"errors": [told]}))


def left_out(errors: Sequence[GraphQLError], most: int) -> dict[str, Any]:
    """What ``extensions`` say of more errors than are told; nothing if all are."""
    return {"errorsLeftOut": len(errors) - most} if len(errors) > most else {}


def request_errors(errors: Sequence[GraphQLError], code: str, most: int, *, hints: bool = True) -> list[dict[str, Any]]:
    """The first errors of a document: written for clients by the GraphQL specification's own rules.

    ``hints`` say which names there are: they are for who may see the schema. Here and below.
    """
    shown = []
    for error in errors[:most]:
        told = _shown(error, error.message if hints else HINT.sub("", error.message), code)
        told["extensions"] |= error.extensions or {}  # a limit has a code of its own, and says more
        shown.append(told)
    return shown


def field_errors(
    errors: Sequence[GraphQLError], request_id: str, most: int, *, hints: bool = True
) -> list[dict[str, Any]]:
    """The first errors of fields: ours in their own words, anything unexpected masked and logged with the request id."""
    shown = []
    for error in errors[:most]:
        cause = error.original_error
        if isinstance(cause, AppError):
            shown.append(_shown(error, str(cause), cause.code))
        elif _blames_the_request(error):
            shown.append(_shown(error, error.message if hints else HINT.sub("", error.message), BadInput.code))
        else:
            log.error("unexpected error", request_id=request_id, path=error.path, exc_info=cause or error)
            masked = _shown(error, MASKED, AppError.code)
            masked["extensions"]["requestId"] = request_id
            shown.append(masked)
    return shown


def _blames_the_request(error: GraphQLError) -> bool:
    """Whether graphql-core itself says that a variable or an argument does not fit.

    A variable has no path in the answer. An argument has a node of the document, which a value of ours that does not
    fit its type has not.
    """
    cause = error.original_error
    return cause is None or (isinstance(cause, GraphQLError) and (error.path is None or cause.nodes is not None))


def status_of(errors: Iterable[GraphQLError]) -> int:
    """The HTTP status of an answer without data: that of the failure of a dependency, if there was one."""
    causes = [error.original_error for error in errors]
    return max((cause.status for cause in causes if isinstance(cause, AppError) and cause.status >= 503), default=200)


def _shown(error: GraphQLError, message: str, code: str) -> dict[str, Any]:
    shown: dict[str, Any] = {"message": message}
    if error.locations:
        shown["locations"] = [{"line": place.line, "column": place.column} for place in error.locations]
    if error.path:
        shown["path"] = error.path
    shown["extensions"] = {"code": code}
    return shown
