"""Health: whether the process lives, whether it can serve, and to operators how it does."""

import asyncio
from dataclasses import asdict
from typing import Any

import orjson
import structlog
from starlette.requests import Request
from starlette.responses import Response

from cache.responses import ResponseCache
from core.errors import AppError
from db.database import Database, PooledDatabase
from db.migrate import APPLIED, migrations
from db.rows import SizeRow
from db.statements import statement
from web.operating import is_local, is_operator
from web.state import State, state_of

log = structlog.get_logger("web")
PATH = "/api/health"
NEEDED = frozenset(each.name for each in migrations())
SIZES = statement("health.sizes", SizeRow)
# Whoever supervises servers gives up after a few seconds; a PostgreSQL that was stopped would be waited for as long as it is.
ANSWER_S = 2.0


def is_health(path: str) -> bool:
    """Whether health is asked for at that path: with a slash at its end or without, as below ``/api`` everywhere."""
    return path.removesuffix("/") == PATH


async def health(request: Request[State]) -> Response:
    """200 while the process lives; with ``?ready`` 503 unless the database answers in time and has every migration, and
    what each dependency does.

    The cache may be away: a server that computes every answer is slower, and still right. ``?detailed=true``, which
    operators may ask and whoever is on this machine, tells besides how connections and kept answers of this process do,
    and what there is.
    """
    if request.query_params.get("detailed") == "true" and (is_local(request) or is_operator(request)):
        return as_json(await _detailed(state_of(request)), 200)
    if "ready" not in request.query_params:
        return as_json({"status": "ok"}, 200)
    told = await _checked(state_of(request))
    return as_json(told, 503 if told["status"] == "unavailable" else 200)


def as_json(body: dict[str, Any], status: int) -> Response:
    """A response that nobody on the way keeps."""
    return Response(orjson.dumps(body), status, {"content-type": "application/json", "cache-control": "no-store"})


def pool_told(database: PooledDatabase) -> dict[str, int]:
    """How the connections do."""
    pool = database.pool
    return {"size": pool.size, "open": pool.opened, "idle": pool.idle, "waiting": pool.waiting}


def responses_told(responses: ResponseCache) -> dict[str, Any]:
    """What the kept answers have been good for."""
    return {
        "hearing": responses.freshness.is_hearing,
        "shared": responses.is_shared,
        "entries": len(responses),
        "bytes": responses.bytes,
        "evictions": responses.evictions,
        "documents": {name: asdict(each) for name, each in sorted(responses.stats.items())},
    }


async def _checked(state: State) -> dict[str, Any]:
    database = await _answers(state["database"])
    checks = {"database": database, "cache": await state["cache"].answers()}
    status = "ok" if all(checks.values()) else "degraded" if database else "unavailable"
    return {"status": status, "checks": {name: "ok" if fine else "unavailable" for name, fine in checks.items()}}


async def _detailed(state: State) -> dict[str, Any]:
    told, sizes = await asyncio.gather(_checked(state), _sizes(state["database"]))
    return {
        **told,
        "pool": pool_told(state["database"]),
        "responses": responses_told(state["responses"]),
        "sizes": sizes,
    }


async def _sizes(database: Database) -> dict[str, dict[str, int]] | None:
    """Rows, as far as PostgreSQL has counted them, and bytes of each table; None without a database that answers."""
    try:
        async with asyncio.timeout(ANSWER_S):
            found = await database.fetch(SIZES)
    except (AppError, TimeoutError):
        return None
    return {row.table_name: {"rows": row.row_estimate, "bytes": row.bytes} for row in found}


async def _answers(database: Database) -> bool:
    """Whether the database is there, and has all that this version needs; a newer one may have added to it."""
    try:
        async with asyncio.timeout(ANSWER_S):
            missing = NEEDED - {row.name for row in await database.fetch(APPLIED)}
    except Exception as error:  # whatever it is: a server that cannot even do this is not ready
        log.warning("the database is not ready", error=str(error.__cause__ or error) or "no answer in time")
        return False
    if missing:
        log.warning("the database is not ready", missing=sorted(missing))
    return not missing
