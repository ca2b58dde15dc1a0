"""Answers to queries, from the cache or made and kept: what makes an answer another one, and what may be kept."""

import asyncio
import hashlib
import time
from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import orjson

from cache.entry import Entry, Made, Outcome
from core.errors import AppError, DeadlineExceeded
from core.tags import bounded, document
from core.viewer import Viewer
from db.statements import TEXTS
from resolvers.context import Context
from schema.operation import Executable, label_of
from web.auth.asker import Asker
from web.caching.together import Together
from web.graphql.answering import TOO_LATE, Answer, Ready, Refused, deadline, latest, prepare, refusal, run, run_now, working
from web.graphql.charging import charge, charge_little, limited, settled
from web.graphql.request import GraphQLRequest
from web.limits.throttle import Kind, RateLimited
from web.state import State

ROOT = Path(__file__).parent.parent.parent
# The rooms that have a say in an answer.
MAKING = ("core", "db", "cache", "loaders", "resolvers", "schema", "execution", "web")


@dataclass(frozen=True, slots=True)
class Kept:
    """An answer, the entry it was kept or found as, if it was, and how it came about."""

    answer: Answer
    entry: Entry | None
    outcome: Outcome


def version_of(executable: Executable, database_url: str, cursor_key: bytes) -> bytes:
    """What makes the same question another one: the schema, all that it is read and made with, which database, and the key of
    cursors.

    Two of them may share one Redis, as while a new build takes the place of an older one, or while keys are rotated. Names and
    passwords in the URL are of no account.
    """
    url = urlsplit(database_url)
    elsewhere = [value for name, value in parse_qsl(url.query) if name in ("host", "port", "dbname")]
    digest = hashlib.blake2b(executable.sdl.encode(), digest_size=16)
    digest.update(hashlib.blake2b(b"cursors", key=cursor_key).digest())
    digest.update(repr((url.netloc.rpartition("@")[2], url.path, elsewhere)).encode())  # of several hosts there is no port
    for name in sorted(TEXTS):
        digest.update(TEXTS[name][1].encode())
    for file in sorted(file for room in MAKING for file in (ROOT / room).rglob("*.py")):
        digest.update(file.read_bytes())
    return digest.hexdigest().encode()


def key_of(version: bytes, ready: Ready, viewer: Viewer) -> bytes | None:
    """The key of an answer: the build, the document, its operation, its variables in canonical JSON, and who may see it.

    Of the viewer that is whose rows they see: whether they may ask was decided before, in ``prepare``. An answer about
    the one who asks is not kept, but all who ask for it at the same time share it, and so it is of this viewer alone.
    None for variables that are nested too deeply to be written.
    """
    whose = viewer.visible_owner and str(viewer.visible_owner)
    parts: list[Any] = [ready.document.id, ready.name, ready.variables or {}, whose, viewer.may_explore]
    if ready.document.is_personal:
        parts += [viewer.subject, viewer.owner and str(viewer.owner), sorted(viewer.scopes)]
    try:
        said = version + orjson.dumps(parts, option=orjson.OPT_SORT_KEYS)
    except orjson.JSONEncodeError:
        return None
    return hashlib.blake2b(said, digest_size=16).hexdigest().encode()


async def answer_one(
    state: State,
    asked: GraphQLRequest,
    asker: Asker,
    *,
    strict: bool,
    only_reads: bool,
    refresh: bool = False,
    kinds: Sequence[Kind] = (),
) -> Answer | Kept:
    """The answer to one request, by whatever route it came: from the cache, for a query that may be, or run.

    It is charged here; ``kinds`` are the limits of its route, beside those of every request.
    """
    viewer = asker.viewer
    try:
        ready = await prepare(state, asked, viewer, strict=strict, only_reads=only_reads)
    except Refused as refused:
        return refused.answer
    refresh = refresh or asked.refresh
    # Where nobody has limits this look would be one too many.
    may_be_kept = ready.is_query and state["throttle"].is_on and not refresh
    found = await _find(state, ready, viewer, strict=strict) if may_be_kept else None
    try:
        if found is None:
            charged = await charge(state, viewer, ready, kinds)
        else:
            await charge_little(state, viewer, is_kept=True)
    except RateLimited as error:
        return limited(error)
    await state["documents"].accept(asked, ready.document)
    if found is not None:
        return found
    if not ready.is_query:
        with working(state, asker) as context:
            return settled(charged, await run(state, ready, context, deadline(state), strict=strict))
    try:
        kept = await answer_kept(state, ready, viewer, strict=strict, refresh=refresh)
    except AppError as error:
        return settled(charged, refusal(state, error, strict=strict))
    # What a GET brings may be kept by the client, under its validator; how the client stands is in the headers.
    is_told = not only_reads and kept.outcome != "STALE"
    return kept if charged is None else replace(kept, answer=settled(charged, kept.answer, is_told=is_told))


async def _find(state: State, ready: Ready, viewer: Viewer, *, strict: bool) -> Kept | None:
    key = key_of(state["version"], ready, viewer)
    entry = None if key is None else await state["responses"].find_shared(key)
    if key is None or entry is None:
        return None
    _note(state, key, ready, viewer)
    return Kept(Answer(entry.made.body, _status(state, entry.made.status, strict=strict)), entry, "HIT")


async def answer_kept(state: State, ready: Ready, viewer: Viewer, *, strict: bool, refresh: bool = False) -> Kept:
    """The answer to a query: found, if it is fresh and the client does not want it made anew, or made.

    It is made in a context of its own, for all who wait for it: the first of them may go away. Its ``spent`` is what it
    cost to make, and 0 for who has it from others.
    """
    responses = state["responses"]
    key = key_of(state["version"], ready, viewer) if responses.is_on else None
    together = state.get("together")
    if key is None:
        with _reading(state, viewer, together) as context:
            return Kept(await run(state, ready, context, deadline(state), strict=strict), None, "BYPASS")
    spent: int | None = 0

    async def make() -> Made:
        nonlocal spent
        with _reading(state, viewer, together) as context:
            made, spent = await _make(state, ready, context, together)
            return made

    began = together.began if together else None
    try:
        async with asyncio.timeout_at(state.get("until")):
            entry, made, outcome = await responses.find_or_make(key, make, refresh=refresh, began=began)
    except TimeoutError:
        return Kept(refusal(state, DeadlineExceeded(TOO_LATE), strict=strict), None, "BYPASS")
    if entry is not None:
        _note(state, key, ready, viewer)
    if made.is_unavailable:
        stale = responses.find_stale(key)
        if stale is not None:
            return Kept(Answer(_marked(stale), stale.made.status), stale, "STALE")
    return Kept(Answer(made.body, _status(state, made.status, strict=strict), spent=spent), entry, outcome)


def _note(state: State, key: bytes, ready: Ready, viewer: Viewer) -> None:
    """How an answer of ours is made again; what clients think of is not worth it, and may be much."""
    if ready.document.is_trusted:
        state["warming"].note(key, ready.name, ready, viewer)


def _status(state: State, status: int, *, strict: bool) -> int:
    """The status for this client: what reached GraphQL is 200 to one of plain JSON."""
    return 200 if not strict and status in (state["settings"].refused_status, state["settings"].partial_status) else status


def _reading(state: State, viewer: Viewer, together: Together | None) -> AbstractContextManager[Context]:
    """The context to read in: of its own, or that of reads which share what they load."""
    return working(state, Asker(viewer)) if together is None else together.reading()


async def _make(state: State, ready: Ready, context: Context, together: Together | None) -> tuple[Made, int | None]:
    xmin, until = 0, latest(state)
    async with state["gate"]:
        if state["responses"].is_shared:
            together = together or Together(context, 0)
            async with asyncio.timeout_at(until):
                xmin = await together.xmin(state["database"])  # before the first read: nothing after it is missed
        context.loaders.reads.xmin = xmin
        answer = await run_now(state, ready, context, until, strict=True)
    reads, name = context.loaders.reads, label_of(ready.document, ready.operation)
    tags = bounded(reads.tags) | {document(name)} if answer.is_whole and not ready.document.is_personal else None
    good_until, is_away = reads.until.timestamp(), answer.is_unavailable
    return Made(answer.body, answer.status, name, tags, good_until, xmin, reads.kept_xmin, is_unavailable=is_away), answer.spent


def _marked(stale: Entry) -> bytes:
    """The body of a stale answer, which says that it is."""
    body: dict[str, Any] = orjson.loads(stale.made.body)
    told = {"status": "STALE", "age": int(time.time() - stale.made.made_at)}
    return orjson.dumps(body | {"extensions": {**body.get("extensions", {}), "cache": told}})
