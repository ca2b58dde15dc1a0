"""``POST /api/batch``: several requests of the REST table in one, answered in their order, each for itself.

Reads that stand next to each other run at once, five at a time, and share what they load; a change runs alone, when all
before it are done, as in an array of GraphQL requests (``web/graphql/batch.py``).
"""

import asyncio
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any
from urllib.parse import unquote

import orjson
from starlette.requests import Request
from starlette.responses import Response

from core.errors import AppError, BadRequest, OutcomeUnknown
from resolvers.context import of_item
from web.auth.asker import Asker, asker_of
from web.caching.together import Together
from web.graphql.answering import MADE, context_of, stay
from web.graphql.charging import charge_little
from web.http.call import Call
from web.http.deadline import keep_time
from web.http.reading import BatchLimitExceeded, asks_anew, read_json
from web.http.reply import Reply
from web.http.wanted import while_wanted
from web.rest.answer import NoSuchThing, RestAnswer, refused
from web.rest.serving import answer_served, bounded, meant, pairs_of
from web.rest.table import RestTable, Served
from web.state import State

MOST_ITEMS = 20
AT_ONCE = 5
LONGEST_ID = 100
FIELDS = ("id", "method", "path", "query", "body")


class NotInBatch(BadRequest):
    """A path that is asked for by itself only: a batch in a batch among them."""

    code = "NOT_IN_BATCH"


@dataclass(frozen=True, slots=True)
class Item:
    """One request of a batch, and what it is served by; or the answer to one that is refused."""

    id: str | int
    method: str
    answered_by: Served | RestAnswer
    in_path: Mapping[str, str] = field(default_factory=dict)
    pairs: Sequence[tuple[str, str]] = ()
    body: Any = None

    @property
    def changes(self) -> bool:
        """Whether it changes something."""
        return isinstance(self.answered_by, Served) and self.answered_by.line.method == "POST"


class RestBatch:
    """Answers batches of requests to a table."""

    def __init__(self, table: RestTable) -> None:
        self._table = table

    async def __call__(self, request: Request[State]) -> Response | Reply:
        """The answers. Raises BadRequest for what is no batch, TooLarge, UnsupportedMediaType."""
        call = Call.of(request.scope)
        items = self._read(await read_json(request, call))
        keep_time(call)
        asker = asker_of(call)
        refresh = asks_anew(call)

        async def work() -> Response:
            answers = await _answers(call.state, items, asker, refresh=refresh)
            headers = {"content-type": "application/json", "cache-control": "no-store"}
            return Response(orjson.dumps(answers), 200, headers)

        return await while_wanted(call.state, work)

    def _read(self, batch: Any) -> list[Item]:
        """The items. Raises BadRequest for one that could not be answered under an id of its own."""
        if not isinstance(batch, list) or not batch:
            raise BadRequest("The body must be an array of requests, and have one at least.")
        if len(batch) > MOST_ITEMS:
            raise BatchLimitExceeded(f"A batch may have {MOST_ITEMS} requests at most.")
        ids = [_id(each, place) for place, each in enumerate(batch)]
        texts = [str(each) for each in ids]  # 1 and "1" would share an idempotency key
        for place, each in enumerate(texts):
            if each in texts[:place]:
                raise BadRequest(f"[{place}].id: {ids[place]!r} is there twice.")
        return [self._item(name, each) for name, each in zip(ids, batch, strict=True)]

    def _item(self, name: str | int, asked: dict[str, Any]) -> Item:
        method = asked.get("method", "GET")
        try:
            return self._found(name, asked, method)
        except AppError as error:
            return Item(name, method if isinstance(method, str) else "GET", refused(error))

    def _found(self, name: str | int, asked: dict[str, Any], method: Any) -> Item:
        path = asked.get("path")
        unknown = sorted(asked.keys() - set(FIELDS))
        if unknown or not isinstance(path, str) or not isinstance(method, str):
            raise BadRequest(
                f"{unknown[0][:50]}: there is no such field; there are {', '.join(FIELDS)}."
                if unknown else "A request has a path and a method, which are text."
            )  # fmt: skip
        path, _, query = path.partition("?")
        path = unquote(path)
        found = self._table.find(path)
        if found is None and path.startswith(("/api/batch", "/api/health", "/api/performance/", "/api/openapi.json")):
            raise NotInBatch(f"{path[:100]} is not for batches: ask for it by itself.")
        if found is None:
            raise NoSuchThing(f"There is nothing at {path[:200]}: see /api/openapi.json.")
        served = found.by_method[meant(method, path, found.by_method)]
        pairs = bounded([*pairs_of(query), *_pairs(asked.get("query"))])
        return Item(name, method, served, found.in_path, pairs, asked.get("body"))


async def _answers(state: State, items: Sequence[Item], asker: Asker, *, refresh: bool) -> list[dict[str, Any]]:
    answers: list[dict[str, Any]] = []
    turns, has_changed = asyncio.Semaphore(AT_ONCE), False

    async def answer(item: Item) -> dict[str, Any]:
        nonlocal has_changed
        async with turns:
            told = await _answer(state, item, asker, refresh=refresh)
        codes = {each["extensions"]["code"] for each in (told["body"] or {}).get("errors", ())}
        has_changed = has_changed or (item.changes and codes <= {OutcomeUnknown.code})
        return told

    for _, group in groupby(enumerate(items), key=lambda each: each[0] if each[1].changes else None):
        # What reads loaded before a change is no longer so.
        together = Together(context_of(state, asker.viewer), state["responses"].freshness.number)
        state["together"] = together
        try:
            answers += await asyncio.gather(*(answer(item) for _, item in group))
        except asyncio.CancelledError:  # the server goes down, and waits no longer
            if not has_changed:
                raise
            stay()
            raise OutcomeUnknown(MADE) from None
        finally:
            together.close()
    return answers


async def _answer(state: State, item: Item, asker: Asker, *, refresh: bool) -> dict[str, Any]:
    started = time.perf_counter()
    try:
        if isinstance(item.answered_by, RestAnswer):
            await charge_little(state, asker.viewer)
            answer = item.answered_by
        else:
            own = asker._replace(idempotency_key=of_item(asker.idempotency_key, item.id))
            answer = await answer_served(state, item.answered_by, own, item.in_path, item.pairs, item.body, refresh=refresh)
    except AppError as error:
        answer = refused(error)
    body, headers = answer.written(state["reuse"], started)
    return {"id": item.id, "status": answer.status, "headers": headers, "body": None if item.method == "HEAD" else body}


def _id(asked: Any, place: int) -> str | int:
    name = asked.get("id") if isinstance(asked, dict) else None
    if isinstance(name, bool) or not isinstance(name, (str, int)) or not 1 <= len(str(name)) <= LONGEST_ID:
        raise BadRequest(f"[{place}].id: each request has an id, a number or a text of at most {LONGEST_ID} characters.")
    return name


def _pairs(query: Any) -> list[tuple[str, str]]:
    """Parameters as a query string would have them. Raises BadRequest."""
    if query is None:
        return []
    if not isinstance(query, dict):
        raise BadRequest("query: is an object of parameters by name.")
    return [
        (name, _text(name, each))
        for name, value in query.items()
        for each in (value if isinstance(value, list) else [value])
        if each is not None
    ]


def _text(name: str, value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (int, float)):
        return orjson.dumps(value).decode()
    if not isinstance(value, str):
        raise BadRequest(f"query: {name[:50]} is a text, a number, true or false, or a list of these.")
    return value
