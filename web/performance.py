"""For operators: what this process has been doing, and a broom for kept answers."""

import asyncio
import os
import re
import resource
import sys
import time
from pathlib import Path
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from core.errors import BadRequest, DeadlineExceeded
from core.histogram import Histogram
from core.tags import PLURALS, document, everything_of
from db.database import Database
from db.rows import ToldRow
from db.statements import statement
from web.auth.asker import viewer_of
from web.graphql.answering import TOO_LATE, deadline
from web.graphql.charging import charge_request
from web.health import pool_told, responses_told
from web.http.call import Call
from web.http.deadline import keep_time
from web.http.reading import read_json
from web.operating import require_operator
from web.rest.answer import RestAnswer
from web.rest.response import rest_response
from web.state import State, state_of

ANNOUNCE = statement("transaction.announce", ToldRow)
# What NOTIFY takes: 8,000 bytes.
MOST_TAGS = 50
TAG = re.compile(r"[a-z_]+(-(of|with)-[a-z]+)?(:[0-9a-f-]{36})?")
DOCUMENT = re.compile(r"[\w:]{1,100}", re.A)
SLOWEST = 20
WORDS = {
    "documents": "names, as the statistics have them",
    "tags": f"texts: {', '.join(sorted(PLURALS.values()))}, deal:ID or deals-of-owner:ID",
}


async def clear_cache(request: Request[State]) -> Response:
    """Makes kept answers out of date everywhere: ``{"all": true}``, those of ``documents``, those that have any of ``tags``.

    It is announced as a write is, on the way that every process trusts: none of them serves such an answer any more, also
    not one from Redis, and this one not from before it says so. Raises NotForClients,
    BadRequest, Unavailable, DeadlineExceeded.
    """
    require_operator(request)
    call, state = Call.of(request.scope), state_of(request)
    keep_time(call)
    tags = _tags(await read_json(request, call))
    responses = state["responses"]
    before = len(responses)

    async def announce(db: Database) -> None:
        await db.fetch(ANNOUNCE, " ".join(tags))

    try:
        async with asyncio.timeout_at(deadline(state)):
            await state["database"].write(viewer_of(request), announce, is_repeatable=True)
    except TimeoutError:
        raise DeadlineExceeded(TOO_LATE) from None
    cleared = max(0, before - len(responses))
    return rest_response(request, RestAnswer(200, {"data": {"tags": tags, "cleared": cleared}}))


async def performance_stats(request: Request[State]) -> Response:
    """Requests, documents, statements, connections, kept answers and memory of this process.

    Answers that were found in the cache on the shortest way are among the ``kept`` of their documents, not the requests.
    Raises NotForClients, RateLimited.
    """
    await charge_request(state_of(request), viewer_of(request), ("overall", "statistics"))
    require_operator(request)
    return rest_response(request, RestAnswer(200, {"data": _told(state_of(request))}))


def _tags(asked: Any) -> list[str]:
    """The tags that say what is to be cleared. Raises BadRequest."""
    if not isinstance(asked, dict) or not asked or asked.keys() - {"all", "documents", "tags"}:
        raise BadRequest('Say what to clear: {"all": true}, or lists of `documents` and `tags`.')
    if "all" in asked:
        if asked != {"all": True}:
            raise BadRequest("all: is true, and stands alone.")
        return sorted(PLURALS.values())
    tags = [document(name) for name in _texts(asked, "documents", DOCUMENT)]
    for tag in _texts(asked, "tags", TAG):
        if everything_of(tag) not in PLURALS.values() or (":" not in tag and tag != everything_of(tag)):
            raise BadRequest(f"tags: there is no {tag}; there are {', '.join(sorted(PLURALS.values()))}, and deal:ID.")
        tags.append(tag)
    if not 1 <= len(tags) <= MOST_TAGS:
        raise BadRequest(f"Clear from 1 to {MOST_TAGS} documents and tags at once.")
    return tags


def _texts(asked: dict[str, Any], name: str, pattern: re.Pattern[str]) -> list[str]:
    values = asked.get(name, [])
    if not isinstance(values, list) or not all(isinstance(each, str) and pattern.fullmatch(each) for each in values):
        raise BadRequest(f"{name}: is a list of {WORDS[name]}.")
    return values


def _told(state: State) -> dict[str, Any]:
    traffic, executable = state["traffic"], state["executable"]
    kept = responses_told(state["responses"])
    answers = kept.pop("documents")
    documents = {name: {**each.told(), "kept": answers.pop(name, None)} for name, each in executable.durations.items()}
    only_found = {name: {**Histogram().told(), "kept": each} for name, each in answers.items()}
    statements = sorted(state["database"].stats.items(), key=lambda each: -each[1].seconds)
    return {
        "process": {
            "id": os.getpid(),
            "uptimeSeconds": round(time.time() - traffic.started_at, 1),
            "memory": {"residentBytes": _resident_bytes(), "peakBytes": _peak_bytes()},
        },
        "requests": {**traffic.answered.told(), "statuses": {f"{kind}xx": n for kind, n in sorted(traffic.statuses.items())}},
        "documents": documents | only_found,
        "pool": pool_told(state["database"]),
        "executor": {"fallbacks": dict(executable.fallbacks)},
        "statements": {name: each.told() for name, each in statements[:SLOWEST]},
        "cache": kept,
    }


def _resident_bytes() -> int | None:
    """What the process holds in memory now; None where the system does not say."""
    try:
        return int(Path("/proc/self/statm").read_text("ascii").split()[1]) * resource.getpagesize()
    except OSError:
        return None


def _peak_bytes() -> int:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024
