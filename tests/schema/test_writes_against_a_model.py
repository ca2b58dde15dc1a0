"""Whatever is written, however, by whom and at once with what: every figure is what a count of the rows says.

``FUZZ=20`` in the environment looks twenty times as long.
"""

import asyncio
import os
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from functools import partial
from typing import Any, ClassVar, NamedTuple
from uuid import UUID, uuid4
from zoneinfo import ZoneInfo

import asyncpg
import orjson
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, initialize, invariant, multiple, rule, run_state_machine_as_test

from core.viewer import EVERYONE, Viewer
from db.database import PooledDatabase
from resolvers import writing
from tests.conftest import open_pool
from tests.crm import Crm
from tests.schema.conftest import Asker
from tests.viewers import rep


class Stage(NamedTuple):
    """Where a deal can stand."""

    id: str
    name: str
    position: int
    probability: float
    is_won: bool = False
    is_lost: bool = False


FIXED = [str(UUID(int=number)) for number in range(1, 8)]
STAGES = [
    Stage(FIXED[0], "Lead", 1, 0.1),
    Stage(FIXED[1], "Talk", 2, 0.333),
    Stage(FIXED[2], "Won", 3, 1.0, is_won=True),
    Stage(FIXED[3], "Lost", 4, 0.0, is_lost=True),
]
OWNERS = FIXED[4:]
# A Sunday on which the clocks of St. John's went back; Kathmandu's days begin at a quarter past an hour of UTC.
NOW = datetime(2026, 11, 1, 18, tzinfo=UTC)
QUARTER = timedelta(minutes=15)
ZONES = ["UTC", "Asia/Kathmandu", "America/St_Johns"]
# What the model knows of a row, as mutations and as tables call it, and what every new row needs besides.
COLUMNS = {
    "company": {"ownerId": "owner_id"},
    "contact": {"ownerId": "owner_id", "companyId": "company_id"},
    "deal": {"ownerId": "owner_id", "companyId": "company_id", "stageId": "stage_id", "value": "value", "probability": "probability"},
    "activity": {"ownerId": "owner_id", "occurredAt": "occurred_at", "type": "type"},
}  # fmt: skip
NAMES = {"company": ("name", "name"), "contact": ("lastName", "last_name"), "deal": ("name", "name"), "activity": ("subject", "subject")}


@dataclass(eq=False, repr=False)
class Row:
    """A row as the model has it; there is one while it has a version. Companies are referred to by their rows."""

    kind: str
    values: dict[str, Any] = field(default_factory=dict)
    id: str = field(default_factory=lambda: str(uuid4()))
    version: int = 0
    is_live: bool = False

    def __repr__(self) -> str:
        return f"<{self.kind} {self.id}>"

    def is_of(self, owner: str | None) -> bool:
        """Whether it is that owner's; everything is everyone's."""
        return self.version > 0 and owner in (None, self.values["ownerId"])

    def shown(self, version: int, values: dict[str, Any]) -> dict[str, Any]:
        """What the answer to a mutation shows of it with these values."""
        shown: dict[str, Any] = {"id": self.id, "version": version, "owner": {"id": values["ownerId"]}}
        if self.kind == "activity":
            is_open = values["type"] == "TASK" and not values.get("isDone")
            return shown | {"occurredAt": plain(values["occurredAt"]), "status": "OPEN" if is_open else "COMPLETED"}
        if self.kind == "deal":
            (stage,) = (stage for stage in STAGES if stage.id == values["stageId"])
            chance = stage.probability if values["probability"] is None else values["probability"]
            return shown | {"value": values["value"], "stage": {"id": stage.id}, "probability": exact(chance)}
        return shown


class State(NamedTuple):
    """What a row is at one version."""

    values: dict[str, Any]
    is_live: bool


class Change(NamedTuple):
    """What became of a row, and its version then. Unless it ``is_sure``, nothing may have become of it."""

    version: int
    row: Row
    values: dict[str, Any]
    is_live: bool | None = None
    is_sure: bool = True
    shown: dict[str, Any] | None = None

    def after(self, state: State) -> State:
        """What it makes of a row."""
        return State(state.values | self.values, state.is_live if self.is_live is None else self.is_live)

    def is_shown(self, state: State) -> bool:
        """Whether the answer shows the row like this."""
        return self.shown is None or exact(self.shown) == self.row.shown(self.version, state.values)

    def is_news(self, state: State) -> bool:
        """Whether it makes anything of a row."""
        return any(state.values.get(name) != value for name, value in self.values.items()) or self.is_live not in (None, state.is_live)


# Mutations ------------------------------------------------------------------------------------------------------------

MORE = {"deal": "value stage { id } probability", "activity": "occurredAt status"}
SHOWN = {kind: f"id version owner {{ id }} {MORE.get(kind, '')}" for kind in COLUMNS}
NODE = " ".join(f"... on {kind.title()} {{ {shown} }}" for kind, shown in SHOWN.items())
TYPES = {
    "id": "ID!", "ownerId": "ID!", "stageId": "ID!", "expectedVersion": "Int", "clientMutationId": "String", "dealIds": "[ID!]!",
    "operation": "BulkOperation!", "updates": "BulkDealUpdates", "errorPolicy": "ErrorPolicy!", "dryRun": "Boolean!",
}  # fmt: skip


def document(name: str, arguments: Iterable[str], answer: str) -> str:
    """A mutation with these arguments."""
    types = TYPES | {"input": f"{name[0].upper()}{name[1:]}Input!"}
    head = ", ".join(f"${each}: {types[each]}" for each in arguments)
    passed = ", ".join(f"{each}: ${each}" for each in arguments)
    return f"mutation ({head}) {{ done: {name}({passed}) {{ {answer} errors {{ code }} }} }}"


def plain(value: Any) -> Any:
    """A value of the model as JSON has it; amounts as text."""
    if isinstance(value, dict):
        return {name: plain(each) for name, each in value.items()}
    if isinstance(value, datetime):
        return value.isoformat()
    return value.id if isinstance(value, Row) else str(value) if isinstance(value, Decimal) else value


@dataclass(eq=False)
class Call:
    """A mutation of one row, by one who sees everything, or by a user who sees their own alone, such as its "owner".

    It expects the version that is ``lag`` above the row's; None expects nothing.
    """

    is_dry: ClassVar[bool] = False

    verb: str
    row: Row
    patch: dict[str, Any]
    by: str | None = None
    lag: int | None = None

    def __post_init__(self) -> None:
        if self.by == "owner":
            self.by = (self.patch if self.verb == "create" else self.row.values).get("ownerId")

    @property
    def is_sure(self) -> bool:
        """Whether it changes something whenever it is not refused."""
        return self.verb in ("create", "delete")

    def arguments(self) -> dict[str, Any]:
        """What it is called with."""
        given, row = plain(self.patch), self.row
        if self.verb == "create":
            return {"input": given | {NAMES[row.kind][0]: "x"}}
        arguments = {"id": row.id} | ({"input": given} if self.verb == "update" else given)
        return arguments if self.lag is None or self.verb == "restore" else arguments | {"expectedVersion": row.version + self.lag}

    def document(self, arguments: Iterable[str]) -> str:
        """Its text."""
        kind, is_of_any = self.row.kind, self.verb in ("reassign", "restore")
        noun = "" if is_of_any else "Task" if self.verb in ("complete", "reopen") else kind.title()
        return document(self.verb + noun, arguments, f"row: node {{ {NODE} }}" if is_of_any else f"row: {kind} {{ {SHOWN[kind]} }}")

    def foreseen(self) -> bool:
        """Whether it will be done."""
        row, by = self.row, self.by
        references = [value for value in self.patch.values() if isinstance(value, Row)]
        return (
            (self.verb == "create" or (row.is_of(by) and (row.is_live or self.verb == "restore")))
            and (self.verb in ("create", "restore") or self.lag in (None, 0))
            and (self.verb not in ("complete", "reopen") or row.values["type"] == "TASK")
            and by in (None, self.patch.get("ownerId", by))
            and all(each.is_live and each.is_of(by) for each in references)
        )

    def outcome(self, done: dict[str, Any]) -> bool:
        """Whether it was."""
        assert (done["row"] is None) == bool(done["errors"]), done
        return not done["errors"]

    def changes(self, done: dict[str, Any]) -> list[Change]:
        """What it did, as the answer says."""
        if done["errors"]:
            return []
        if self.verb == "create":
            self.row.id = done["row"]["id"]
        is_live = {"create": True, "restore": True, "delete": False}.get(self.verb)
        values = {"isDone": self.verb == "complete" or None} if self.verb in ("complete", "reopen") else self.patch
        return [Change(done["row"]["version"], self.row, values, is_live, self.is_sure, done["row"])]


@dataclass(eq=False)
class Bulk:
    """A change of many deals, which tells of each whether it changed it."""

    is_sure: ClassVar[bool] = True

    operation: str
    rows: list[Row]
    patch: dict[str, Any]
    by: str | None
    is_skipping: bool
    is_dry: bool

    def __post_init__(self) -> None:
        if self.by == "owner":
            self.by = self.rows[0].values.get("ownerId") if self.rows else None

    def arguments(self) -> dict[str, Any]:
        """What it is called with."""
        policy = "SKIP_FAILED" if self.is_skipping else "ALL_OR_NOTHING"
        given = {"operation": self.operation, "dealIds": [row.id for row in self.rows], "updates": plain(self.patch)}
        return given | {"errorPolicy": policy, "dryRun": self.is_dry}

    def document(self, arguments: Iterable[str]) -> str:
        """Its text."""
        return document("bulkUpdateDeals", arguments, "results { id status version } updatedCount failedCount")

    def foreseen(self) -> list[str]:
        """What will become of each deal."""
        if self.by not in (None, self.patch.get("ownerId", self.by)):
            return []
        statuses = [self._status(row) for row in self.rows]
        is_undone = "FAILED" in statuses and not self.is_skipping
        return ["SKIPPED" if is_undone and status == "UPDATED" else status for status in statuses]

    def _status(self, row: Row) -> str:
        if not row.is_of(self.by) or not (row.is_live or self.operation == "RESTORE"):
            return "FAILED"
        if self.operation == "RESTORE":
            return "UNCHANGED" if row.is_live else "UPDATED"
        return "UPDATED" if self.operation == "DELETE" or row.values != row.values | self.patch else "UNCHANGED"

    def outcome(self, done: dict[str, Any]) -> list[str]:
        """What became of each."""
        statuses = [each["status"] for each in done["results"]]
        assert done["failedCount"] == statuses.count("FAILED")
        assert done["updatedCount"] == statuses.count("UPDATED")
        return statuses

    def changes(self, done: dict[str, Any]) -> list[Change]:
        """What it did, as the answer says."""
        if done["errors"] or self.is_dry:
            return []
        is_live = {"RESTORE": True, "DELETE": False}.get(self.operation)
        results = zip(self.rows, done["results"], strict=True)
        return [Change(result["version"], row, self.patch, is_live) for row, result in results if result["status"] == "UPDATED"]


@dataclass(eq=False)
class Statement:
    """A write that is no mutation: the name of a method of World, and what it takes."""

    name: str
    arguments: dict[str, Any]


# Figures --------------------------------------------------------------------------------------------------------------

DEALS = "total pipelineValue wonValue winRate unpricedCount"
DASHBOARD = f"""{{
    overview {{ deals {{ {DEALS} }} activities {{ today thisWeek }} companies {{ total withDeals }} }}
    pipeline {{ count value weightedValue }} }}"""
STATS = f"{{ {DEALS} openCount wonCount lostCount weightedValue }}"
FIGURES = f"""query ($zone: String!, $owner: ID!) {{
    all: dashboard(timeZone: $zone) {DASHBOARD} one: dashboard(ownerId: $owner, timeZone: $zone) {DASHBOARD}
    all_stats: pipelineStats {STATS} one_stats: pipelineStats(ownerId: $owner) {STATS}
    contacts {{ totalCount }} deals {{ totalCount }} activities {{ totalCount }} companies(first: 100) {{ totalCount edges {{ node {{
      id contactCount dealCount dealsValue unpricedCount
      analytics {{ activeDeals wonDeals lostDeals totalValue unpricedCount }} }} }} }} }}"""


def counted(rows: Iterable[Row], by: str | None, owner: str, zone: ZoneInfo) -> dict[str, Any]:
    """What FIGURES of that owner is answered with if every figure is a count of these rows."""
    seen = {kind: [row for row in rows if row.kind == kind and row.is_live and row.is_of(by)] for kind in COLUMNS}
    figures: dict[str, Any] = {}
    for name, whose in (("all", None), ("one", owner)):
        mine = {kind: [row for row in seen[kind] if row.is_of(whose)] for kind in COLUMNS}
        figures[name], figures[f"{name}_stats"] = _screen(mine, seen["deal"], zone)
    lists = {"companies": "company", "contacts": "contact", "deals": "deal", "activities": "activity"}
    figures |= {name: {"totalCount": len(seen[kind])} for name, kind in lists.items()}
    edges = [{"node": _company(company, seen)} for company in sorted(seen["company"], key=lambda row: row.id)]
    return figures | {"companies": {"totalCount": len(edges), "edges": edges}}


def _screen(mine: dict[str, list[Row]], deals: list[Row], zone: ZoneInfo) -> tuple[dict[str, Any], dict[str, Any]]:
    pipeline = [(stage, of(mine["deal"], stageId=stage.id)) for stage in STAGES]
    *is_open, (_, won), (_, lost) = pipeline
    stats = {
        "total": len(mine["deal"]), "openCount": sum(len(found) for _, found in is_open), "wonCount": len(won),
        "lostCount": len(lost), "pipelineValue": sum(worth(found) for _, found in is_open), "wonValue": worth(won),
        "weightedValue": sum(weighted(*each) for each in is_open), "unpricedCount": unpriced(mine["deal"]),
        "winRate": exact(len(won) / len(won + lost)) if won + lost else None,
    }  # fmt: skip
    today, times = NOW.astimezone(zone), [row.values["occurredAt"].astimezone(zone) for row in mine["activity"]]
    overview = {
        "deals": {name: stats[name] for name in DEALS.split()},
        "activities": {
            "today": sum(time.date() == today.date() for time in times),
            "thisWeek": sum(time.isocalendar()[:2] == today.isocalendar()[:2] for time in times),
        },
        "companies": {"total": len(mine["company"]), "withDeals": len({row.values["companyId"] for row in deals} & set(mine["company"]))},
    }
    amounts = [{"count": len(found), "value": worth(found), "weightedValue": weighted(stage, found)} for stage, found in pipeline]
    return {"overview": overview, "pipeline": amounts}, stats


def _company(company: Row, seen: dict[str, list[Row]]) -> dict[str, Any]:
    deals = of(seen["deal"], companyId=company)
    won, lost = of(deals, stageId=STAGES[2].id), of(deals, stageId=STAGES[3].id)
    return {
        "id": company.id, "contactCount": len(of(seen["contact"], companyId=company)), "dealCount": len(deals),
        "dealsValue": worth(deals), "unpricedCount": unpriced(deals),
        "analytics": {
            "activeDeals": len(deals) - len(won) - len(lost), "wonDeals": len(won), "lostDeals": len(lost),
            "totalValue": worth(deals), "unpricedCount": unpriced(deals),
        },
    }  # fmt: skip


def of(rows: Iterable[Row], **values: Any) -> list[Row]:
    """Those with these values."""
    return [row for row in rows if all(row.values[name] == value for name, value in values.items())]


def worth(deals: Iterable[Row]) -> Decimal:
    """Known value of all."""
    return sum((row.values["value"] or Decimal(0) for row in deals), Decimal(0))


def weighted(stage: Stage, deals: Iterable[Row]) -> Decimal:
    """Known value of deals in that stage, each times its own probability or the stage's, to the cent."""
    known = [row.values for row in deals if row.values["value"] is not None]
    chances = (stage.probability if values["probability"] is None else values["probability"] for values in known)
    exactly = sum((values["value"] * Decimal(str(chance)) for values, chance in zip(known, chances, strict=True)), Decimal(0))
    return exactly.quantize(Decimal("0.01"), ROUND_HALF_UP)


def unpriced(deals: Iterable[Row]) -> int:
    """How many have no known value."""
    return sum(row.values["value"] is None for row in deals)


def exact(value: Any) -> Any:
    """An answer with its numbers as the decimals that they print as."""
    if isinstance(value, dict):
        return {name: exact(each) for name, each in value.items()}
    if isinstance(value, list):
        return [exact(each) for each in value]
    return Decimal(str(value)) if isinstance(value, float) else value


# The database, and the model beside it --------------------------------------------------------------------------------


class World:
    """A database of a test that is not a coroutine, and the rows that are in it."""

    def __init__(self, url: str) -> None:
        # A loop of its own, and not the one that the tests' fixtures run in.
        self._runner = asyncio.Runner(loop_factory=asyncio.new_event_loop)
        self.rows: dict[str, Row] = {}
        self.run(self._open(url))

    def run(self, work: Any) -> Any:
        """What a coroutine returns."""
        return self._runner.run(work)

    async def _open(self, url: str) -> None:
        self.sql, self.folding = await asyncpg.connect(url), await asyncpg.connect(url)
        # Calls that are made at once do run into each other: PostgreSQL waits a second before it looks for a deadlock.
        await self.sql.execute(f"alter database {await self.sql.fetchval('select current_database()')} set deadlock_timeout = '10ms'")
        crm = Crm(self.sql)
        for owner in OWNERS:
            await crm.user(id=owner)
        for stage in STAGES:
            await crm.stage(**stage._asdict())
        self.pool = open_pool(url, size=4)
        self.ask = Asker(PooledDatabase(self.pool, slow_s=10), now=lambda: NOW)

    def close(self) -> None:
        """Closes every connection, and the loop."""
        for closing in (self.pool.close, self.sql.close, self.folding.close):
            self.run(closing())
        self._runner.close()

    async def clear(self) -> None:
        """Takes every row away: a rollup of nothing has nothing in it."""
        self.rows.clear()
        async with self.sql.transaction():
            await self.sql.execute("set local dealgraph.loading = 'on'")
            await self.sql.execute("delete from activity; delete from deal; delete from contact; delete from company")
        await self.sql.execute("select fold_rollups(); select recount_rollups(); truncate audit, idempotency_key, stage_change")
        for (table,) in await self.sql.fetch("select relname::text from pg_class where relkind = 'r' and relname ~ '_(rollup|delta)$'"):
            assert await self.sql.fetchval(f"select count(*) from {table}") == 0, table

    async def agree(self, zone: str, number: int) -> None:
        """Fails where a figure is not a count of the rows: one that everyone or an owner is shown, of an owner or of all."""
        assert await self.sql.fetch("select * from rollup_drift") == []
        one, other = OWNERS[number % 3], OWNERS[(number + 1) % 3]
        for by, owner in ((None, one), (one, other)):
            figures = exact(await self.ask(FIGURES, viewer(by), zone=zone, owner=owner))
            assert figures == counted(self.rows.values(), by, owner, ZoneInfo(zone)), (by, owner)

    async def in_turn(self, writes: Sequence[Call | Bulk | Statement]) -> None:
        """Makes writes one after the other, and finds that each does what it should."""
        for write in writes:
            if isinstance(write, Statement):
                await getattr(self, write.name)(**write.arguments)
                continue
            foreseen = write.foreseen()
            done = await self._send(write)
            assert write.outcome(done) == foreseen, write
            self._happened(write.changes(done))

    async def at_once(self, calls: Sequence[Call | Bulk], *, is_twice: bool, is_recounting: bool) -> None:
        """Makes calls together, while rollups are folded and looked at; whatever order they took, it has to be one.

        Each may be sent twice under one name, and is made once for all that.
        """
        is_over = asyncio.Event()
        fold = "select fold_rollups(), recount_rollups()" if is_recounting else "select fold_rollups()"
        watching = asyncio.gather(self._repeat(self.folding, fold, is_over), self._repeat(self.sql, "table rollup_drift", is_over))
        try:
            answers = await asyncio.gather(*(self._twice(call) if is_twice else self._once(call) for call in calls))
        finally:
            is_over.set()
            await watching
        self._happened(change for call, made in zip(calls, answers, strict=True) for done in made for change in call.changes(done))

    async def _send(self, call: Call | Bulk, key: str | None = None) -> Any:
        """The answer, or None if others were in the way of the call all the time."""
        arguments = call.arguments() | ({"clientMutationId": key} if key else {})
        answer = await self.ask.anything(call.document(arguments), viewer(call.by), **arguments)
        if "errors" in answer:
            assert [each["extensions"]["code"] for each in answer["errors"]] == ["OVERLOADED"], answer
            return None
        return answer["data"]["done"]

    async def _once(self, call: Call | Bulk) -> list[Any]:
        """The answer, if there is one."""
        done = await self._send(call)
        return [done] if done else []

    async def _twice(self, call: Call | Bulk) -> list[Any]:
        """The answers that say that it was done, or found done already."""
        key = str(uuid4())
        answers = await asyncio.gather(self._send(call, key), self._send(call, key))
        made = [done for done in answers if done and not done["errors"]]
        if call.is_sure and not call.is_dry:
            assert all(done == made[0] for done in made), call
            return made[:1]
        return made

    async def _repeat(self, connection: "asyncpg.Connection[Any]", statement: str, is_over: asyncio.Event) -> None:
        while not is_over.is_set():
            found = await connection.fetch(statement)
            assert "drift" not in statement or not found, found

    def _happened(self, changes: Iterable[Change]) -> None:
        """Each version of a row is one change of the one before it, and no other change says anything new of it."""
        told: dict[tuple[Row, int], list[Change]] = {}
        states: dict[Row, list[State]] = {}
        for change in changes:
            told.setdefault((change.row, change.version), []).append(change)
        for (row, version), alike in sorted(told.items(), key=lambda item: item[0][1]):
            so_far = states.setdefault(row, [State(row.values, row.is_live)])
            made: list[Change] = []
            if version > row.version:
                made = [each for each in alike if each.is_sure] or [each for each in alike if _explains(each, alike, so_far)][:1]
                assert len(made) == 1, (alike, so_far)
                so_far.append(made[0].after(so_far[-1]))
                row.version += 1
                row.values, row.is_live = so_far[-1]
                self.rows[row.id] = row
            assert version == row.version, alike
            for each in alike:
                assert each.is_shown(so_far[-1]), each
                assert each in made or not (each.is_sure or all(each.is_news(state) for state in so_far)), each

    async def fold(self) -> None:
        """Folds, which changes nothing that can be seen."""
        await self.folding.execute("select fold_rollups()")

    async def recount(self) -> None:
        """Recounts, which changes nothing that can be seen either."""
        await self.folding.execute("select recount_rollups()")

    async def put(self, kind: str, new: list[dict[str, Any]], known: list[Row], values: dict[str, Any]) -> None:
        """Writes whole rows in one statement, as an import does that knows some of them already."""
        written = [*((Row(kind), there(each)) for each in new), *((row, there(values)) for row in known)]
        columns, records = _records(kind, written)
        assigned = ", ".join(f"{column} = excluded.{column}" for column in columns)
        await self.sql.execute(
            f"insert into {kind} ({', '.join(columns)}) select {', '.join(columns)}"
            f" from jsonb_populate_recordset(null::{kind}, $1::jsonb) on conflict (id) do update set {assigned}",
            orjson.dumps([plain(dict(zip(columns, record, strict=True))) for record in records]).decode(),
        )
        self._happened(Change(row.version + 1, row, values, row.is_live or not row.version) for row, values in written)

    async def copy(self, kind: str, new: list[dict[str, Any]]) -> None:
        """Loads new rows."""
        written = [(Row(kind), there(each)) for each in new]
        columns, records = _records(kind, written)
        async with self.sql.transaction():
            await self.sql.execute("set local dealgraph.loading = 'on'")
            await self.sql.copy_records_to_table(kind, records=records, columns=columns)
        self._happened(Change(1, row, values, True) for row, values in written)

    async def update(self, kind: str, owner: str, patch: dict[str, Any], *, is_toggled: bool, is_kept: bool) -> None:
        """Changes all rows of an owner, deleted ones too, in one statement; deletes and restores them, if toggled."""
        patch = there(patch)
        assigned = [f"{COLUMNS[kind][name]} = ${place}" for place, name in enumerate(patch, 2)]
        assigned += ["deleted_at = case when deleted_at is null then now() end"] if is_toggled else ["updated_at = now()"]
        statement = f"update {kind} set {', '.join(assigned)} where owner_id = $1 returning id::text, version"
        values = [each.id if isinstance(each, Row) else each for each in patch.values()]
        transaction = self.sql.transaction()
        await transaction.start()
        found = {record["id"]: record["version"] for record in await self.sql.fetch(statement, owner, *values)}
        await (transaction.commit() if is_kept else transaction.rollback())
        rows = [row for row in self.rows.values() if row.kind == kind and row.is_of(owner)]
        assert found == {row.id: row.version + 1 for row in rows}
        self._happened(Change(row.version + 1, row, patch, row.is_live ^ is_toggled) for row in rows if is_kept)

    async def remove(self, kind: str, rows: list[Row]) -> None:
        """Removes rows for good; what refers to them refers to nothing then."""
        ids = [row.id for row in rows]
        async with self.sql.transaction():
            for other in ("contact", "deal") if kind == "company" else ():
                await self.sql.execute(f"update {other} set company_id = null where company_id = any($1)", ids)
            await self.sql.execute(f"delete from {kind} where id = any($1)", ids)
        gone = {self.rows.pop(row.id) for row in rows if row.version}
        orphans = [row for row in self.rows.values() if row.values.get("companyId") in gone]
        self._happened(Change(row.version + 1, row, {"companyId": None}) for row in orphans)
        for row in gone:
            row.version, row.is_live, row.values = 0, False, {}


def _explains(change: Change, others: Iterable[Change], states: list[State]) -> bool:
    """Whether a change was news and made what is shown, and none of the others is news with it."""
    after = [*states, change.after(states[-1])]
    surprising = [other for other in others if other is not change and all(other.is_news(state) for state in after)]
    return change.is_news(states[-1]) and change.is_shown(after[-1]) and not surprising


def _records(kind: str, rows: Iterable[tuple[Row, dict[str, Any]]]) -> tuple[list[str], list[list[Any]]]:
    columns = [*COLUMNS[kind].values(), NAMES[kind][1], "id"]
    records = [[*(values[name] for name in COLUMNS[kind]), "x", row] for row, values in rows]
    return columns, [[each.id if isinstance(each, Row) else each for each in record] for record in records]


def there(values: dict[str, Any]) -> dict[str, Any]:
    """Values that a statement may write: without what refers to nothing."""
    return {name: None if isinstance(value, Row) and not value.version else value for name, value in values.items()}


def viewer(owner: UUID | str | None) -> Viewer:
    """An owner who sees what is theirs alone, or one who sees everything."""
    return EVERYONE if owner is None else rep(owner)


# What may happen ------------------------------------------------------------------------------------------------------

owners, rows = Bundle[Any]("owners"), Bundle[Any]("rows")


def of_kind(kind: str) -> Any:
    """Rows of one kind."""
    return rows.filter(lambda row: row.kind == kind)


companies = of_kind("company")
whoever = st.sampled_from([None, None, None, None, "owner", "owner", "owner", *OWNERS])
lags = st.sampled_from([None, None, None, None, 0, -1])
amounts = st.none() | st.sampled_from(["0", "0.01", "12345678901.23"]).map(Decimal) | st.decimals(0, 10**6, places=2)
chances = st.sampled_from([None, None, 0.0, 0.25, 0.335, 1.0])
stages = st.sampled_from([stage.id for stage in STAGES])
quarters = st.integers(-100, 100) | st.integers(-700, 700)
moments = quarters.map(lambda quarters: NOW + quarters * QUARTER)


def fields(kind: str, companies: Any = companies) -> dict[str, Any]:
    """What may be given for each field of a row that is there."""
    of_deal = {"companyId": companies, "stageId": stages, "value": amounts, "probability": chances}
    others = {"contact": {"companyId": companies | st.none()}, "deal": of_deal, "activity": {"occurredAt": moments}}
    return {"ownerId": owners} | others.get(kind, {})


def new(kind: str, companies: Any = companies, types: Sequence[str] = ("TASK", "NOTE")) -> Any:
    """The values of a new row."""
    return st.fixed_dictionaries(fields(kind, companies) | ({"type": st.sampled_from(types)} if kind == "activity" else {}))


def some(kind: str, companies: Any = companies) -> Any:
    """Some new values of a row that is there."""
    return st.fixed_dictionaries({}, optional=fields(kind, companies))


def several(rows: Any, least: int = 1) -> Any:
    """Some different rows."""
    return st.lists(rows, min_size=least, max_size=6, unique_by=id)


def calls(kind: str, rows: Any, companies: Any = companies) -> Iterator[Any]:
    """Calls that change rows of one kind, or make more of them."""

    def call(verb: str, **patch: Any) -> Any:
        return st.builds(Call, st.just(verb), rows, st.fixed_dictionaries(patch), whoever, lags)

    def bulk(operation: str, **patch: Any) -> Any:
        chosen = several(rows, 0)
        return st.builds(Bulk, st.just(operation), chosen, st.fixed_dictionaries(patch), whoever, st.booleans(), st.booleans())

    yield st.builds(Call, st.just("create"), st.builds(Row, st.just(kind)), new(kind, companies), whoever)
    yield st.builds(Call, st.just("update"), rows, some(kind, companies), whoever, lags)
    yield from (call("delete"), call("restore"), call("reassign", ownerId=owners))
    if kind == "activity":
        yield from (call("complete"), call("reopen"))
    if kind == "deal":
        yield from (call("move", stageId=stages), bulk("UPDATE_STAGE", stageId=stages), bulk("ASSIGN_OWNER", ownerId=owners))
        yield from (bulk("UPDATE_VALUE", value=amounts), bulk("DELETE"), bulk("RESTORE"))


def statements(kind: str) -> Iterator[Any]:
    """Writes that do not come through us."""

    def statement(name: str, **arguments: Any) -> Any:
        return st.builds(Statement, st.just(name), st.fixed_dictionaries(arguments | {"kind": st.just(kind)}))

    # A task that is done cannot become something else.
    tasks, known = new(kind, types=["TASK"]), several(of_kind(kind), 0)
    yield statement("put", new=st.lists(tasks, min_size=1, max_size=3), known=known, values=tasks)
    yield statement("copy", new=st.lists(new(kind), min_size=1, max_size=5))
    yield statement("update", owner=owners, patch=some(kind), is_toggled=st.booleans(), is_kept=st.sampled_from([True, True, False]))
    yield statement("remove", rows=several(of_kind(kind)).map(lambda rows: rows[:2]))


everything = st.one_of(
    *(each for kind in COLUMNS for each in (*calls(kind, of_kind(kind)), *statements(kind))),
    *(st.builds(Statement, st.just(name), st.builds(dict)) for name in ("fold", "fold", "recount", "recount")),
)


@st.composite
def crowds(draw: Any) -> list[Call | Bulk]:
    """Calls that get in each other's way: they are about few rows."""
    kind = draw(st.sampled_from(["deal", "deal", *COLUMNS]))
    few, company = (st.sampled_from(draw(several(of_kind(each)))[:2]) for each in (kind, "company"))
    updates = st.builds(Call, st.just("update"), few, some(kind, company), whoever)
    crowded = st.one_of(*[updates] * 6, *calls(kind, few, company), *calls("company", company))
    crowd: list[Call | Bulk] = draw(st.lists(crowded, min_size=4, max_size=10))
    return crowd


class Writes(RuleBasedStateMachine):
    """Writes at random; after each few, every figure that anyone is shown and the model agree."""

    world: ClassVar[World]

    def __init__(self) -> None:
        super().__init__()
        self.zone = "UTC"
        self.steps = 0

    @initialize(target=owners, zone=st.sampled_from(ZONES))
    def begin(self, zone: str) -> Any:
        self.zone = zone
        return multiple(*OWNERS)

    @initialize(target=rows)
    def first_rows(self) -> Any:
        of = {"ownerId": OWNERS[0]}
        company, task = Call("create", Row("company"), of), Call("create", Row("activity"), of | {"occurredAt": NOW, "type": "TASK"})
        contact = Call("create", Row("contact"), of | {"companyId": company.row})
        deal = {"companyId": company.row, "stageId": STAGES[0].id, "value": None, "probability": None}
        return self.in_turn([company, contact, Call("create", Row("deal"), of | deal), task])

    @rule(target=rows, writes=st.lists(everything, min_size=1, max_size=8))
    def in_turn(self, writes: list[Call | Bulk | Statement]) -> Any:
        self.world.run(self.world.in_turn(writes))
        return self._made(writes)

    @rule(target=rows, calls=crowds(), is_twice=st.booleans(), is_recounting=st.booleans())
    def at_once(self, calls: list[Call | Bulk], is_twice: bool, is_recounting: bool) -> Any:
        self.world.run(self.world.at_once(calls, is_twice=is_twice, is_recounting=is_recounting))
        return self._made(calls)

    @invariant()
    def everything_agrees(self) -> None:
        self.steps += 1
        self.world.run(self.world.agree(self.zone, self.steps))

    def teardown(self) -> None:
        self.world.run(self.world.clear())

    def _made(self, writes: Iterable[Call | Bulk | Statement]) -> Any:
        return multiple(*(write.row for write in writes if isinstance(write, Call) and write.verb == "create"))


@contextmanager
def world(url: str) -> Iterator[World]:
    """A world for the time of the block."""
    made = World(url)
    try:
        yield made
    finally:
        made.close()


def test_every_figure_is_a_count_of_the_rows_whatever_is_written(database_url: str) -> None:
    examples = int(6 * float(os.environ.get("FUZZ", "1")))
    with world(database_url) as made:

        class Here(Writes):
            world = made

        run_state_machine_as_test(
            Here, settings=settings(max_examples=examples, stateful_step_count=20, deadline=None, suppress_health_check=list(HealthCheck))
        )


# Two that meet, as the machine found them ------------------------------------------------------------------------------


@pytest.fixture
def at_second_sight(sql: "asyncpg.Connection[asyncpg.Record]", monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """What others do before and after a mutation that wrote nothing looks at the row, unless it holds them up."""
    meanwhile: list[Any] = [None, None]
    look = writing._current

    async def others(statement: Any) -> None:
        with suppress(asyncpg.LockNotAvailableError):
            await sql.execute("set lock_timeout = '200ms'")
            await sql.execute(*statement)

    async def current(*args: Any) -> Any:
        before, after = meanwhile
        await others(before or ["select"])
        found = await look(*args)
        await others(after or ["select"])
        return found

    monkeypatch.setattr(writing, "_current", current)
    return meanwhile


async def test_whoever_finds_nothing_but_what_is_restored_meanwhile_is_not_told_of_a_change_that_was_not_made(
    ask: Asker, crm: Crm, sql: "asyncpg.Connection[asyncpg.Record]", at_second_sight: list[Any]
) -> None:
    ada, bob = await crm.user("Ada"), await crm.user("Bob")
    company = await crm.company(ada, deleted_at=NOW)
    at_second_sight[0] = ["update company set deleted_at = null"]
    call = Call("reassign", Row("company", id=str(company)), {"ownerId": str(bob)})
    done = (await ask(call.document(call.arguments()), **call.arguments()))["done"]
    assert done["errors"] or await sql.fetchval("select owner_id from company") == bob, done


async def test_what_was_so_already_is_answered_the_second_time_as_it_was_the_first(
    ask: Asker, crm: Crm, at_second_sight: list[Any]
) -> None:
    ada, bob = await crm.user("Ada"), await crm.user("Bob")
    company = await crm.company(ada)
    call = Call("restore", Row("company", id=str(company)), {})
    arguments = call.arguments() | {"clientMutationId": "once"}
    at_second_sight[1] = ["update company set owner_id = $1", bob]
    first = await ask(call.document(arguments), **arguments)
    at_second_sight[1] = None
    assert await ask(call.document(arguments), **arguments) == first


# Days and weeks -------------------------------------------------------------------------------------------------------

MICROSECOND = timedelta(microseconds=1)
TODAY = """query ($zone: String!, $owner: ID) {
    dashboard(ownerId: $owner, timeZone: $zone) { overview { activities { today thisWeek } } } }"""


@pytest.mark.parametrize(
    ("zone", "days"),
    [
        ("UTC", ["2026-07-01"]),
        ("Asia/Kathmandu", ["2026-07-01", "2026-12-31"]),
        ("America/St_Johns", ["2026-07-01", "2026-03-08", "2026-03-09", "2026-11-01", "2026-11-02"]),
        ("Australia/Lord_Howe", ["2026-04-05", "2026-10-04"]),  # the clock changes by half an hour
        ("America/Havana", ["2026-03-08", "2026-11-01"]),  # from midnight to one o'clock, and back to midnight
    ],
)
async def test_today_and_this_week_are_those_of_the_time_zone(
    ask: Asker, crm: Crm, sql: "asyncpg.Connection[asyncpg.Record]", zone: str, days: list[str]
) -> None:
    ada, bob, place = await crm.user("Ada"), await crm.user("Bob"), ZoneInfo(zone)
    midnights = [datetime.fromisoformat(day).replace(tzinfo=place) for day in days]
    around = {
        (midnight + timedelta(days=day)).astimezone(UTC) + quarters * QUARTER - just_before
        for midnight in midnights for day in range(-8, 9) for quarters in range(-8, 9)
        for just_before in (timedelta(0), MICROSECOND)
    }  # fmt: skip
    rows = [(ada if number % 3 else bob, "NOTE", "x", moment) for number, moment in enumerate(sorted(around))]
    for part in (rows[::2], rows[1::2]):
        await sql.execute("select fold_rollups()")
        await sql.copy_records_to_table("activity", records=part, columns=["owner_id", "type", "subject", "occurred_at"])
    local = [(owner, moment.astimezone(place)) for owner, _, _, moment in rows]
    dates = Counter((owner, moment.date()) for owner, moment in local)
    weeks = Counter((owner, moment.isocalendar()[:2]) for owner, moment in local)
    for midnight in midnights:
        for minutes in (-15, 0, 30, 75, 105, 720, 1380, 1439):
            now = midnight.astimezone(UTC) + timedelta(minutes=minutes)
            today, week = now.astimezone(place).date(), now.astimezone(place).isocalendar()[:2]
            ask.now = partial(datetime.fromtimestamp, now.timestamp(), UTC)
            for who, asked, counted_of in ((None, None, (ada, bob)), (None, bob, (bob,)), (ada, None, (ada,)), (ada, bob, ())):
                answer = await ask(TODAY, viewer(who), zone=zone, owner=asked and str(asked))
                assert answer["dashboard"]["overview"]["activities"] == {
                    "today": sum(dates[owner, today] for owner in counted_of),
                    "thisWeek": sum(weeks[owner, week] for owner in counted_of),
                }, (now, who, asked)


# Who sees what ----------------------------------------------------------------------------------------------------------

SEEN = """query ($owner: ID) {
    dashboard(ownerId: $owner) { overview { deals { total pipelineValue wonValue unpricedCount } companies { total withDeals } } }
    pipelineStats(ownerId: $owner) { total weightedValue unpricedCount }
    companies(ownerId: $owner) { edges { node { name contactCount dealCount dealsValue unpricedCount analytics { totalValue } } } } }"""


@pytest.mark.parametrize("is_folded", [False, True])
async def test_a_rollup_shows_a_rep_their_own_part_of_what_two_have_in_common(
    ask: Asker, crm: Crm, sql: "asyncpg.Connection[asyncpg.Record]", is_folded: bool
) -> None:
    ada, bob, stages_ = await crm.user("Ada"), await crm.user("Bob"), await crm.stages()
    adas, bobs = await crm.company(ada, "Ada's"), await crm.company(bob, "Bob's")
    for owner, company, stage, value, probability in (
        (bob, adas, "Lead", 1000, None), (bob, adas, "Won", 200.05, None), (bob, adas, "Offer", None, None),
        (ada, bobs, "Offer", 30, 0.75), (ada, bobs, "Lead", 4, None), (bob, bobs, "Won", 0.5, None),
    ):  # fmt: skip
        await crm.deal(owner, stages_[stage], company_id=company, value=value, probability=probability)
    for owner in (ada, bob, bob):
        await crm.contact(owner, company_id=adas)
    if is_folded:
        await sql.execute("select fold_rollups()")

    async def seen(by: UUID | None, owner: UUID | None = None) -> Any:
        data = await ask(SEEN, viewer(by), owner=owner and str(owner))
        nodes = [edge["node"] for edge in data["companies"]["edges"]]
        assert all(node["analytics"]["totalValue"] == node["dealsValue"] for node in nodes)
        overview = data["dashboard"]["overview"]
        return (
            list(overview["deals"].values()), list(overview["companies"].values()), list(data["pipelineStats"].values()),
            {node["name"]: (node["contactCount"], node["dealCount"], node["dealsValue"], node["unpricedCount"]) for node in nodes},
        )  # fmt: skip

    of_ada, of_bob = ([2, 34, 0, 0], [2, 22.9, 0]), ([4, 1000, 200.55, 1], [4, 100, 1])
    everything = {"Ada's": (3, 3, 1200.05, 1), "Bob's": (0, 3, 34.5, 0)}
    assert await seen(None) == ([6, 1034, 200.55, 1], [2, 2], [6, 122.9, 1], everything)
    assert await seen(None, ada) == (of_ada[0], [1, 1], of_ada[1], {"Ada's": everything["Ada's"]})
    assert await seen(None, bob) == (of_bob[0], [1, 1], of_bob[1], {"Bob's": everything["Bob's"]})
    assert await seen(ada) == await seen(ada, ada) == (of_ada[0], [1, 0], of_ada[1], {"Ada's": (1, 0, 0, 0)})
    assert await seen(bob) == await seen(bob, bob) == (of_bob[0], [1, 1], of_bob[1], {"Bob's": (0, 1, 0.5, 0)})
    # Nor is anything of others to be had under the name that rollups have for all owners together.
    for owner in (bob, UUID(int=0)):
        assert await seen(ada, owner) == ([0, 0, 0, 0], [0, 0], [0, 0, 0], {})
