"""Answers to queries, from the cache or made and kept: what makes an answer another one, and what may be kept."""

import hashlib
import time
from dataclasses import dataclass
from typing import Any

import orjson

from cache.entry import Entry, Made, Outcome
from core.tags import bounded
from core.viewer import Viewer
from db.listener import SNAPSHOT
from db.statements import TEXTS
from resolvers.context import Context
from schema.operation import Executable
from web.answering import Answer, Ready, Refused, context_of, deadline, prepare, run
from web.graphql_request import GraphQLRequest
from web.state import State


@dataclass(frozen=True, slots=True)
class Kept:
    """An answer, the entry it was kept or found as, if it was, and how it came about."""

    answer: Answer
    entry: Entry | None
    outcome: Outcome


def version_of(executable: Executable) -> bytes:
    """What makes an answer of another build another answer: the schema, and every statement that it is read with."""
    digest = hashlib.blake2b(executable.sdl.encode(), digest_size=16)
    for name in sorted(TEXTS):
        digest.update(TEXTS[name][1].encode())
    return digest.hexdigest().encode()


def key_of(version: bytes, ready: Ready, viewer: Viewer) -> bytes | None:
    """The key of an answer: the build, the document, its operation, its variables in canonical JSON, and who may see it.

    Of the viewer that is whose rows they see: whether they may ask was decided before, in ``prepare``. An answer about
    the one who asks is not kept, but all who ask for it at the same time share it, and so it is of this viewer alone.
    None for variables that are nested too deeply to be written.
    """
    whose = viewer.visible_owner and str(viewer.visible_owner)
    parts: list[Any] = [ready.document.id, ready.name, ready.variables or {}, whose]
    if ready.document.is_personal:
        parts += [viewer.subject, viewer.owner and str(viewer.owner), sorted(viewer.scopes)]
    try:
        said = version + orjson.dumps(parts, option=orjson.OPT_SORT_KEYS)
    except orjson.JSONEncodeError:
        return None
    return hashlib.blake2b(said, digest_size=16).hexdigest().encode()


async def answer_one(
    state: State, asked: GraphQLRequest, context: Context, *, strict: bool, only_reads: bool, refresh: bool = False
) -> Answer | Kept:
    """The answer to one request, by whatever route it came: from the cache, for a query that may be, or run."""
    try:
        ready = await prepare(state, asked, context.viewer, strict=strict, only_reads=only_reads)
    except Refused as refused:
        return refused.answer
    if not ready.is_query:
        return await run(state, ready, context, deadline(state), strict=strict)
    return await answer_kept(state, ready, context.viewer, strict=strict, refresh=refresh or asked.refresh)


async def answer_kept(state: State, ready: Ready, viewer: Viewer, *, strict: bool, refresh: bool = False) -> Kept:
    """The answer to a query: found, if it is fresh and the client does not want it made anew, or made.

    It is made in a context of its own, for all who wait for it: the first of them may go away.
    """
    responses, key = state["responses"], key_of(state["version"], ready, viewer)
    if key is None or not responses.is_on:
        context = context_of(state, viewer)
        try:
            return Kept(await run(state, ready, context, deadline(state), strict=strict), None, "BYPASS")
        finally:
            context.loaders.stop()
    state["warming"].note(key, ready.name, ready, viewer)

    async def make() -> Made:
        context = context_of(state, viewer)
        try:
            return await _make(state, ready, context)
        finally:
            context.loaders.stop()

    entry, made, outcome = await responses.find_or_make(key, make, refresh=refresh)
    if made.is_unavailable:
        stale = responses.find_stale(key)
        if stale is not None:
            return Kept(Answer(_marked(stale), stale.made.status), stale, "STALE")
    lenient = (422, state["settings"].partial_status)  # what reached GraphQL is 200 to a client of plain JSON
    return Kept(Answer(made.body, 200 if not strict and made.status in lenient else made.status), entry, outcome)


async def _make(state: State, ready: Ready, context: Context) -> Made:
    xmin = 0
    if state["responses"].is_shared:
        (snapshot,) = await state["database"].fetch(SNAPSHOT)  # before the first read: nothing after it is missed
        xmin = snapshot.xmin
    answer = await run(state, ready, context, deadline(state), strict=True)
    reads, name = context.loaders.reads, ready.name or ready.document.id[:19]
    tags = bounded(reads.tags) if answer.is_whole and not reads.is_personal else None
    return Made(answer.body, answer.status, name, tags, reads.until.timestamp(), xmin, is_unavailable=answer.is_unavailable)


def _marked(stale: Entry) -> bytes:
    """The body of a stale answer, which says that it is."""
    body: dict[str, Any] = orjson.loads(stale.made.body)
    told = {"status": "STALE", "age": int(time.time() - stale.made_at)}
    return orjson.dumps(body | {"extensions": {**body.get("extensions", {}), "cache": told}})
