"""The floor and plain Strawberry must answer what the server answers, or the ratio to them says nothing."""

import json
from typing import TYPE_CHECKING, Any, TypeAlias

import asyncpg
import orjson
import pytest

from bench.agree import difference
from bench.floor import STATEMENTS
from bench.peers.plain.database import Database
from bench.peers.plain.loaders import Loaders
from bench.peers.plain.schema import schema
from bench.scenarios import SCENARIOS, Scenario
from bench.statements import execute
from bench.target import floor_call, server_call
from bench.wrk import _formatted
from db.database import PooledDatabase
from jobs.demo import load_demo
from schema.build import build_schema
from schema.operation import Executable

if TYPE_CHECKING:
    Connection: TypeAlias = asyncpg.Connection[asyncpg.Record]

KEY = "018cc251-f400-7000-8000-000000000001"


async def test_floor_schema_and_plain_strawberry_answer_alike(database_url: str, db: PooledDatabase, sql: "Connection") -> None:
    await load_demo(database_url, companies=300)
    await sql.execute("update deal set stage_id = (select id from stage where is_lost) where owner_id = $1", KEY)
    executable = Executable(build_schema())
    plain = await Database.connect(database_url)
    owners = [str(row[0]) for row in await sql.fetch("select id from app_user order by id")]
    deals = [str(row[0]) for row in await sql.fetch("select id from deal order by value nulls first limit 5")]
    for scenario in SCENARIOS:
        for key in owners if scenario.keyed_by == "owner" else deals:
            result = await execute(executable, db, scenario, key)
            assert result.errors is None
            ours = json.loads(json.dumps(result.data))
            floor = json.loads(await sql.fetchval(STATEMENTS[f"floor.{scenario.name}"][1], key))
            assert difference(ours, floor["data"]) is None
            told = await schema.execute(scenario.document, {scenario.variable: key}, context_value=Loaders(plain))
            assert told.errors is None
            assert difference(ours, json.loads(orjson.dumps(told.data))) is None
    await plain.close()


@pytest.mark.parametrize(
    ("one", "other", "told"),
    [
        ({"a": 1}, {"a": 1.0}, None),
        ({"at": "2026-11-23T07:00:00Z"}, {"at": "2026-11-23T08:00:00+01:00"}, None),
        ({"endCursor": "x"}, {"endCursor": "y"}, None),
        ({"endCursor": "x"}, {"endCursor": None}, "data.endCursor"),
        ({"a": [1, {"b": 2}]}, {"a": [1, {"b": 3}]}, r"data.a[1].b is 2 against 3"),
        ({"a": []}, {"a": [1]}, "data.a has 0 entries against 1"),
        ({"a": 0}, {"a": None}, "data.a is 0 against None"),
        ({"a": 1}, {"a": True}, "data.a is 1 against True"),
        ({"a": "x"}, {"a": "y"}, "data.a is 'x' against 'y'"),
        ({"a": 1}, {"b": 1}, "data has"),
    ],
)
def test_a_difference_is_named_and_cursors_are_not_compared(one: Any, other: Any, told: str | None) -> None:
    found = difference(one, other)
    assert found is None if told is None else found is not None and found.startswith(told)


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.name)
def test_calls_become_lua(scenario: Scenario) -> None:
    assert _formatted(floor_call(scenario, KEY)) == (
        f'    calls[#calls + 1] = wrk.format("GET", "/{scenario.name}/{KEY}", {{}}, nil)'
    )
    assert '"POST", "/graphql", {["Content-Type"] = "application/json"}, "{\\"query\\": ' in _formatted(
        server_call(scenario, KEY)
    )
