"""Answers of the endpoint over HTTP: codings, validators, and what the cache had to do with it."""

import time

from cache.encoding import encoded_aside
from web.caching.headers import SUFFIXES, VARY, encoding_for, entry_headers, etag_of
from web.caching.keeping import Kept
from web.caching.remembered import Answered
from web.caching.reuse import age_s
from web.graphql.answering import Answer
from web.http.call import Call
from web.http.reply import RawHeaders, Reply
from web.http.validator import matches


async def plain_reply(call: Call, answer: Answer, media_type: str, told: RawHeaders | None = None) -> Reply:
    """An answer that nobody keeps, in the client's coding; ``told`` are headers that say more about it."""
    encoding = encoding_for(answer.body, call.headers.get(b"accept-encoding", b""))
    said = {"content-type": f"{media_type}; charset=utf-8", "cache-control": "no-store", **answer.headers}
    headers = [*[(name.lower().encode(), value.encode()) for name, value in said.items()], VARY, *(told or ())]
    if SUFFIXES[encoding]:
        headers.append((b"content-encoding", encoding.encode()))
    return Reply(answer.status, headers, await encoded_aside(answer.body, encoding))


async def kept_reply(call: Call, kept: Kept, media_type: str, *, may_repeat: bool) -> Reply:
    """The answer, not modified for a GET that has it already.

    A request that was answered from the cache is remembered, if whoever sends the same again ``may_repeat`` the answer.
    """
    state, entry = call.state, kept.entry
    started = state.get("started", time.perf_counter())
    if entry is None or kept.outcome == "STALE":
        told = [
            (b"x-cache", kept.outcome.encode()),
            (b"x-response-time", b"%.2fms" % ((time.perf_counter() - started) * 1000)),
        ]
        if entry is not None:
            told.append((b"age", b"%d" % age_s(entry)))
        return await plain_reply(call, kept.answer, media_type, told)
    content_type = f"{media_type}; charset=utf-8".encode()
    deciding = state.get("deciding")
    if deciding is not None and may_repeat:
        state["remembered"].add(deciding, Answered(entry.key, content_type))
    encoding = encoding_for(kept.answer.body, call.headers.get(b"accept-encoding", b""))
    headers = entry_headers(entry, content_type, encoding, kept.outcome, state["reuse"], started)
    if call.method in ("GET", "HEAD") and matches(call.headers.get(b"if-none-match"), etag_of(entry, encoding)):
        return Reply(304, headers)
    if kept.answer.body is not entry.made.body:  # it says more than what is kept, and is not what the validator is of
        headers = [(name, value) for name, value in headers if name != b"etag"]
        return Reply(kept.answer.status, headers, await encoded_aside(kept.answer.body, encoding))
    return Reply(kept.answer.status, headers, await state["responses"].form_aside(entry, encoding))
