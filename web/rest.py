"""The REST shim: health. It owns no SQL beyond the ping and no resolvers."""

from dataclasses import asdict
from typing import Any

import orjson
import structlog
from starlette.requests import Request
from starlette.responses import Response

from cache.responses import ResponseCache
from db.database import Database
from db.rows import PingRow
from db.statements import statement
from web.state import State

log = structlog.get_logger("web")
LOOPBACK = ("127.0.0.1", "::1")
PING = statement("health.ping", PingRow)


async def health(request: Request[State]) -> Response:
    """200 while the process lives; with ``?ready`` 503 unless the database answers, and what each dependency does.

    The cache may be away: a server that computes every answer is slower, and still right. ``?detailed=true``, which this
    machine alone may ask, tells what the kept answers have been good for in this process.
    """
    if request.query_params.get("detailed") == "true" and request.client and request.client.host in LOOPBACK:
        return _json({"status": "ok", "responses": _told(request.state["responses"])}, 200)
    if "ready" not in request.query_params:
        return _json({"status": "ok"}, 200)
    database = await _answers(request.state["database"])
    checks = {"database": database, "cache": await request.state["cache"].answers()}
    status = "ok" if all(checks.values()) else "degraded" if database else "unavailable"
    named = {name: "ok" if fine else "unavailable" for name, fine in checks.items()}
    return _json({"status": status, "checks": named}, 200 if database else 503)


def _told(responses: ResponseCache) -> dict[str, Any]:
    counted = {name: asdict(each) for name, each in sorted(responses.stats.items())}
    return {
        "hearing": responses.freshness.is_hearing,
        "entries": len(responses),
        "bytes": responses.bytes,
        "evictions": responses.evictions,
        "documents": counted,
    }


async def _answers(database: Database) -> bool:
    try:
        await database.fetch(PING)
    except Exception as error:  # whatever it is: a server that cannot even do this is not ready
        log.warning("the database is not ready", error=str(error))
        return False
    return True


def _json(body: dict[str, Any], status: int) -> Response:
    return Response(orjson.dumps(body), status, {"content-type": "application/json", "cache-control": "no-store"})
