"""A kept answer as an HTTP response: validators, codings, and what the cache had to do with it."""

import time

from starlette.requests import Request
from starlette.responses import Response

from cache.encoding import encoded_aside
from web.cached import SUFFIXES, VARY, Asked, encoding_for, entry_headers, etag_of, matches
from web.keeping import Kept
from web.reuse import age_s
from web.state import State, state_of


async def kept_response(request: Request[State], kept: Kept, media_type: str) -> Response:
    """The response, not modified for a GET that has it already; a request that was answered from the cache is remembered."""
    accepted = request.headers.get("accept-encoding", "").encode("latin-1")
    encoding = encoding_for(kept.answer.body, accepted)
    content_type = f"{media_type}; charset=utf-8".encode()
    started = request.scope["state"].get("started", time.perf_counter())
    if kept.entry is None or kept.outcome == "STALE":
        headers = [
            (b"content-type", content_type),
            (b"cache-control", b"no-store"),
            VARY,
            (b"x-cache", kept.outcome.encode()),
            (b"x-response-time", f"{(time.perf_counter() - started) * 1000:.2f}ms".encode()),
        ]
        if kept.entry is not None:
            headers.append((b"age", b"%d" % age_s(kept.entry)))
        if SUFFIXES[encoding]:
            headers.append((b"content-encoding", encoding.encode()))
        headers += [(name.encode(), value.encode()) for name, value in kept.answer.headers.items()]
        return _response(await encoded_aside(kept.answer.body, encoding), kept.answer.status, headers)
    deciding = request.scope["state"].get("deciding")
    if deciding is not None:
        state_of(request)["remembered"].add(deciding, Asked(kept.entry.key, content_type))
    headers = entry_headers(kept.entry, content_type, encoding, kept.outcome, state_of(request)["reuse"], started)
    if request.method == "GET" and matches(
        request.headers.get("if-none-match", "").encode("latin-1") or None, etag_of(kept.entry, encoding)
    ):
        return _response(b"", 304, headers)
    if kept.answer.body is not kept.entry.made.body:  # it says more than what is kept, and is not what the validator is of
        headers = [(name, value) for name, value in headers if name != b"etag"]
        return _response(await encoded_aside(kept.answer.body, encoding), kept.answer.status, headers)
    return _response(await state_of(request)["responses"].form_aside(kept.entry, encoding), kept.answer.status, headers)


def _response(body: bytes, status: int, headers: list[tuple[bytes, bytes]]) -> Response:
    response = Response(body, status)
    response.raw_headers[:0] = headers
    return response
