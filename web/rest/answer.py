"""GraphQL answers as REST clients read them: ``{data, metadata}``, or ``{errors, metadata}`` with a status that says so.

``data`` is the one field that the document selects. Of a connection it is ``{items, pageInfo}``, of a list ``{items}``.
There are no partial answers: one error makes it an error. Errors look as they do everywhere here
(``{message, extensions: {code}}``), whether ours, those of a field, or those with which a mutation says why it changed
nothing; beside the last stands ``data`` with what it says of each row.
"""

import re
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import orjson

from cache.entry import Entry, Outcome
from core.errors import AppError, InvalidCursor
from web.caching.keeping import Kept
from web.caching.reuse import Reuse, age_s
from web.graphql.answering import Answer
from web.limits.throttle import RateLimited
from web.rest.table import Served

# What a field or a mutation says, and what HTTP calls that (RFC 9110, section 15).
STATUSES = {
    "BAD_USER_INPUT": 400, "INVALID_CURSOR": 400, "UNAUTHENTICATED": 401, "FORBIDDEN": 403, "NOT_FOUND": 404,
    "CONFLICT": 409, "VALIDATION": 422, "RATE_LIMITED": 429, "UNAVAILABLE": 503, "OUTCOME_UNKNOWN": 503,
    "OVERLOADED": 503, "DEADLINE_EXCEEDED": 504,
}  # fmt: skip
# How a message begins that is about a variable, or a field in one, and one that is about an argument.
VARIABLE = re.compile(r"Variable '\$(\w+)' has invalid value(?: at ((?:\.\w+)+))?")
ARGUMENT = re.compile(r"([\w.]+)(?=: )")


class NoSuchThing(AppError):
    """A path, or an id, of nothing."""

    code = "NOT_FOUND"
    status = 404


class MethodNotAllowed(AppError):
    """A method that the path does not have; ``allowed`` are those that it has, as the header ``Allow`` lists them."""

    code = "METHOD_NOT_ALLOWED"
    status = 405

    def __init__(self, method: str, by_method: Iterable[str]) -> None:
        self.allowed = ", ".join(sorted({*by_method, *({"HEAD"} if "GET" in by_method else ())}))
        super().__init__(f"{method[:20]} is not for this path: {self.allowed}.")


@dataclass(frozen=True, slots=True)
class RestAnswer:
    """The answer to one REST request. ``entry`` is what it was found or kept as, ``outcome`` None where no cache was asked."""

    status: int
    body: Mapping[str, Any]
    headers: Mapping[str, str] = field(default_factory=dict)
    entry: Entry | None = None
    outcome: Outcome | None = None

    def written(self, reuse: Reuse, started: float) -> tuple[dict[str, Any], dict[str, str]]:
        """The body with its ``metadata``, and the headers, in lower case; ``started`` is of ``perf_counter``."""
        took_ms = round((time.perf_counter() - started) * 1000, 2)
        metadata = {
            "responseTime": took_ms,
            "cached": self.outcome in {"HIT", "STALE"},
            "timestamp": datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        }
        headers = {"content-type": "application/json", "cache-control": "no-store", "x-response-time": f"{took_ms:.2f}ms"}
        headers |= {name.lower(): value for name, value in self.headers.items()}
        if self.outcome is not None:
            headers["x-cache"] = self.outcome
        if self.entry is not None:
            headers["x-cache-key"] = self.entry.key[:16].decode()
            age = age_s(self.entry)
            headers["age"] = str(age)
            if self.status == 200 and self.outcome != "STALE":
                # Weak: metadata is another each time, what it is about is not (RFC 9110, section 8.8.1).
                headers |= {"etag": f'W/"{self.entry.etag}"', "cache-control": reuse.cache_control(self.entry, age).decode()}
        return {**self.body, "metadata": metadata}, headers


def error_of(error: AppError, **more: object) -> dict[str, Any]:
    """An error as it stands in an answer; ``more`` is what else it says."""
    return {"message": str(error), "extensions": {"code": error.code, **more}}


def refused(error: AppError) -> RestAnswer:
    """The answer to a request that is not even begun."""
    if isinstance(error, RateLimited):
        told = error_of(error, limit=error.limit, retryAfter=error.retry_after_s)
        return RestAnswer(error.status, {"errors": [told]}, {"retry-after": str(error.retry_after_s)})
    allow = {"allow": error.allowed} if isinstance(error, MethodNotAllowed) else {}
    return RestAnswer(error.status, {"errors": [error_of(error)]}, {**error.headers, **allow})


def rest_answer(served: Served, answered: Answer | Kept, variables: Mapping[str, Any]) -> RestAnswer:
    """What a document answered to these variables, in the shape of REST."""
    answer = answered.answer if isinstance(answered, Kept) else answered
    entry, outcome = (answered.entry, answered.outcome) if isinstance(answered, Kept) else (None, None)
    told: dict[str, Any] = orjson.loads(answer.body)
    data = (told.get("data") or {}).get(served.field)
    if errors := told.get("errors"):
        status = _status(errors, answer.status)
        body = {"errors": [_shown(served, each, variables) for each in errors], **_left_out(told)}
        return RestAnswer(status, body, answer.headers, entry, outcome)
    if data is None:
        return RestAnswer(404, _nothing(served), answer.headers, entry, outcome)
    if served.line.method == "POST" and (reasons := data.pop("errors", [])):
        errors = [_reason(each) for each in reasons]
        return RestAnswer(_status(errors, 422), {"errors": errors, "data": data}, answer.headers)
    return RestAnswer(200, {"data": _shaped(served, data)}, answer.headers, entry, outcome)


def _shaped(served: Served, data: Any) -> Any:
    if served.shape == "page":
        count = {"totalCount": data["totalCount"]} if "totalCount" in data else {}
        return {"items": [edge["node"] for edge in data["edges"]], "pageInfo": {**data["pageInfo"], **count}}
    return {"items": data} if served.shape == "items" else data


def _status(errors: Sequence[Mapping[str, Any]], usual: int) -> int:
    """The gravest: a failure of ours before one of the client."""
    fallback = usual if usual >= 400 else 500
    return max(STATUSES.get(each["extensions"]["code"], fallback) for each in errors)


def _left_out(told: Mapping[str, Any]) -> dict[str, Any]:
    more = told.get("extensions", {}).get("errorsLeftOut")
    return {"extensions": {"errorsLeftOut": more}} if more else {}


def _shown(served: Served, error: Mapping[str, Any], variables: Mapping[str, Any]) -> dict[str, Any]:
    """Without the places in a document that the client has not written, and by the name that it gave."""
    message, extensions = error["message"], error["extensions"]
    if extensions["code"] == InvalidCursor.code:  # which says no more than that there is one
        message = f"{'before' if 'before' in variables else 'after'}: {message}"
    if found := VARIABLE.match(message):
        name = _name(served, found[1] + (found[2] or ""))
        message = f"'{name or found[1]}' has invalid value{message[found.end() :]}"
    elif found := ARGUMENT.match(message):
        name = _name(served, found[1])
        message = f"{name or found[1]}{message[found.end() :]}"
    else:
        name = None
    kind = "field" if served.line.method == "POST" else "parameter"
    return {"message": message, "extensions": extensions if name is None else {**extensions, kind: name}}


def _name(served: Served, argument: str) -> str | None:
    """What the client calls an argument, or a field in one: in a body what it is called, and among the parameters theirs."""
    if served.line.method == "POST":
        return argument
    return next((each.name for each in served.parameters.values() if ".".join(each.variable) == argument), None)


def _reason(error: Mapping[str, Any]) -> dict[str, Any]:
    told = {name: value for name, value in error.items() if name != "message"}
    return {"message": error["message"], "extensions": told}


def _nothing(served: Served) -> dict[str, Any]:
    return {"errors": [error_of(NoSuchThing(f"There is no {served.field} with this id, or none that may be seen."))]}
