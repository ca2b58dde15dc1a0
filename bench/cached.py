"""A kept dashboard against the raw application: by id over GET and POST, not modified, from memory and from Redis."""

import json
import secrets
import sys
import time
import urllib.request
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from statistics import median
from urllib.parse import quote

from joserfc import jwt
from joserfc.jwk import OctKey
from rich.table import Table

from bench.crowded import Round, once, table_of
from bench.target import Call, Target, TargetError, ask, running
from bench.wrk import Load, run_wrk
from schema.documents import FOLDER
from schema.operation import document_id

CONNECTIONS = (1, 32, 256)
SECRET = secrets.token_hex(32)
TOKENS = {"AUTH": "jwt", "JWT_SECRET": SECRET, "JWT_ISSUER": "bench", "JWT_AUDIENCE": "bench"}
WARM_UP_S = 1.0
CROWD_RATE = 5_000.0


def calls(owner: str) -> dict[str, Call]:
    """How the same dashboard is asked for, by what is measured."""
    name = document_id((FOLDER / "DashboardScreen.graphql").read_bytes().decode())
    variables = {"ownerId": owner}
    path = f"/graphql?documentId={name}&variables={quote(json.dumps(variables))}"
    body = json.dumps({"documentId": name, "variables": variables}).encode()
    return {"GET by id": Call("GET", path), "POST by id": Call("POST", "/graphql", body)}


def measured(
    env: Mapping[str, str], owner: str, core: int, folder: Path, *, rounds: int, seconds: float, step: Callable[[], None]
) -> list[Table]:
    """Requests per second as part of the raw application's, medians of interleaved rounds, and the answers to a crowd.

    Raises TargetError.
    """
    asked = calls(owner)
    memory = {**env, "CACHE_BYTES": "64000000"}
    redis = {**env, "CACHE_BYTES": "0", "CACHE_SHARED": "1"}
    # The whole edge: every request is known by its token and counted, and nobody ever has too many.
    guarded = {**memory, **TOKENS, "LIMITS": "on", "LIMIT_OVERALL": "10000000/15min", "LIMIT_API": "10000000/min"}
    with ExitStack() as stack:

        def start(name: str, command: list[str], ready: str, given: Mapping[str, str]) -> Target:
            log = folder / f"{name}.log"
            how = running(name, command, ready, lambda scenario, key: Call("GET", ready), given, core, log)
            return stack.enter_context(how)

        servers = {
            "memory": start("memory", [sys.executable, "server.py"], "/api/health?ready", memory),
            "redis": start("redis", [sys.executable, "server.py"], "/api/health?ready", redis),
            "memory, whole edge": start("guarded", [sys.executable, "server.py"], "/api/health?ready", guarded),
        }
        _, body = ask(servers["memory"].port, asked["GET by id"])
        (folder / "answer.json").write_bytes(body)
        raw = start("raw", [sys.executable, "-m", "bench.raw"], "/", {"BODY": str(folder / "answer.json")})
        bearer = (("Authorization", f"Bearer {_token()}"),)
        plans = [(tier, name, call) for tier in ("memory", "redis") for name, call in asked.items()]
        plans += [("memory, whole edge", name, replace(call, headers=bearer)) for name, call in asked.items()]
        known = ("If-None-Match", _etag(servers["memory"], asked))
        plans.append(("memory", "304", Call("GET", asked["GET by id"].path, headers=(known,))))
        found: dict[tuple[str, str, int], list[tuple[Load, Load]]] = {}
        for _ in range(rounds):
            for tier, name, call in plans:
                for connections in CONNECTIONS:
                    pair = tuple(_load(port, call, connections, seconds) for port in (servers[tier].port, raw.port))
                    found.setdefault((tier, name, connections), []).append(pair)  # type: ignore[arg-type]
                step()
        crowd: dict[str, list[Round]] = {"memory": [], "raw": []}
        for _ in range(rounds):
            for name, target in (("memory", servers["memory"]), ("raw", raw)):
                crowd[name].append(once(target, [asked["GET by id"]], CROWD_RATE, 2 * seconds))
            step()
    return [_table(found), table_of({f"{CROWD_RATE:,.0f} requests/s": crowd}, "A kept dashboard")]


def _token() -> str:
    """A token that the guarded server believes, of one who sees everything."""
    claims = {"iss": "bench", "aud": "bench", "sub": "bench", "exp": int(time.time()) + 3600, "scope": "crm:read:all"}
    return jwt.encode({"alg": "HS256"}, claims, OctKey.import_key(SECRET.encode()))


def _load(port: int, call: Call, connections: int, seconds: float) -> Load:
    run_wrk(port, [call], connections=connections, seconds=WARM_UP_S)
    load = run_wrk(port, [call], connections=connections, seconds=seconds)
    if load.failed or not load.requests:
        raise TargetError(f"{load.failed} of {load.requests} requests failed on port {port}")
    return load


def _etag(server: Target, asked: Mapping[str, Call]) -> str:
    with urllib.request.urlopen(f"http://127.0.0.1:{server.port}{asked['GET by id'].path}") as response:
        return str(response.headers["etag"])


def _table(found: Mapping[tuple[str, str, int], list[tuple[Load, Load]]]) -> Table:
    columns = ("kept in", "asked", "connections", "requests/s", "raw", "of raw", "p50 ms", "p95 ms")
    table = Table(*columns, title="A kept dashboard")
    for (tier, name, connections), pairs in found.items():
        ours, raws = (median(load.requests / load.seconds for load in loads) for loads in zip(*pairs, strict=True))
        p50, p95 = (median(getattr(pair[0], which) for pair in pairs) for which in ("p50", "p95"))
        ratio = median((a.requests / a.seconds) / (b.requests / b.seconds) for a, b in pairs)
        figures = (f"{ours:,.0f}", f"{raws:,.0f}", f"{ratio:.2f}", f"{p50:.2f}", f"{p95:.2f}")
        table.add_row(tier, name, str(connections), *figures)
    return table
