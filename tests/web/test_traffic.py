"""What is counted of the requests that were answered: how long an answer took to begin, and whose fault it was if it failed."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from types import SimpleNamespace

import pytest
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import StreamingResponse
from starlette.routing import Route, Router

from tests.web.serving import get, serving
from web.traffic import CountTraffic, Traffic


async def test_a_request_is_timed_until_its_answer_begins_and_has_failed_where_that_is_our_fault(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    traffic, now_s = Traffic(), [100.0]
    monkeypatch.setattr("web.traffic.time", SimpleNamespace(perf_counter=lambda: now_s[0]))

    async def answer(request: Request) -> StreamingResponse:
        now_s[0] += 0.25

        async def body() -> AsyncIterator[bytes]:
            now_s[0] += 60
            yield b"a"
            yield b"b"

        return StreamingResponse(body(), request.path_params["status"])

    @asynccontextmanager
    async def lifespan(app: object) -> AsyncIterator[dict[str, Traffic]]:
        yield {"traffic": traffic}

    app = Router([Route("/{status:int}", answer)], middleware=[Middleware(CountTraffic)], lifespan=lifespan)
    async with serving(app) as port:
        for status in (200, 200, 299, 404, 499, 500, 503):
            assert (await get(port, f"/{status}")).status == status
    answered = traffic.answered
    assert (answered.count, answered.failed, answered.longest_s, answered.total_s) == (7, 2, 0.25, 7 * 0.25)
    assert traffic.statuses == {2: 3, 4: 2, 5: 2}


def test_who_is_turned_away_is_counted_by_status_and_has_no_part_in_how_long_answers_take() -> None:
    traffic = Traffic()
    traffic.add(0.5, 200)
    traffic.turn_away(503)
    assert (traffic.answered.count, traffic.answered.failed, traffic.statuses) == (1, 0, {2: 1, 5: 1})
