"""Over HTTP: each client has its requests and its points, hears how it stands, and is told when to come back."""

import asyncio
import hashlib
from collections.abc import AsyncIterator
from itertools import count
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import asyncpg
import httpx2
import orjson
import pytest

from cache.embedded import EmbeddedValkey
from cache.limits import SharedLimits
from cache.redis import RedisCache
from cache.tally import Rules
from tests.web.conftest import GRAPHQL, JSON, serving, settings_for
from web.limits.throttle import RateLimited, Throttle, open_throttle

LIMITS = {
    "limits": "on", "limit_overall": "60/h", "limit_api": "6/min", "limit_heavy": "2/min", "limit_heavy_cost": 300,
    "limit_bulk": "1/min", "limit_health": "3/min", "limit_points": 500, "limit_points_per_s": 0.01,
    "trusted_proxies": "127.0.0.0/8", "batch_most": 6, "cors_origins": "https://app.example.com",
}  # fmt: skip
STAGES = "{ stages { id } }"
HUNDRED = "{ deals(first: 100) { edges { node { id } } } }"
HEAVY = "{ deals(first: 100) { edges { node { company { id } owner { id } } } } }"
_addresses = count(1)


@pytest.fixture(scope="module")
async def limited(url_without_a_row: str, valkey: EmbeddedValkey) -> AsyncIterator[httpx2.AsyncClient]:
    """A client of a server with small limits, which believes what we say about where we come from."""
    async with serving(settings_for(url_without_a_row, valkey, **LIMITS)) as client:
        yield client


@pytest.fixture
def me() -> dict[str, str]:
    """The headers of a client that nobody has seen yet; it wants answers that are made now."""
    return {"x-forwarded-for": f"192.0.2.{next(_addresses)}", "cache-control": "no-cache"}


async def ask(client: httpx2.AsyncClient, query: Any, me: dict[str, str], **more: str) -> httpx2.Response:
    body = {"query": query} if isinstance(query, str) else query
    return await client.post("/graphql", json=body, headers=me | more)


async def test_one_too_many_is_429_and_says_when_to_come_back(limited: httpx2.AsyncClient, me: dict[str, str]) -> None:
    for left in range(5, -1, -1):
        answer = await ask(limited, STAGES, me)
        assert (answer.status_code, answer.headers["x-ratelimit-remaining"]) == (200, str(left))
        assert f'"api";r={left};t=' in answer.headers["ratelimit"]
        assert answer.headers["ratelimit-policy"].startswith('"overall";q=60;w=3600, "api";q=6;w=60, "points";q=500')
    for media_type in (GRAPHQL, JSON):
        answer = await ask(limited, STAGES, me, accept=media_type, origin="https://app.example.com")
        assert (answer.status_code, answer.headers["content-type"]) == (429, f"{media_type}; charset=utf-8")
        wait_s = int(answer.headers["retry-after"])
        assert 50 <= wait_s <= 60
        (error,) = answer.json()["errors"]
        assert error["extensions"] == {"code": "RATE_LIMITED", "limit": "api", "retryAfter": wait_s}
        assert answer.headers["x-ratelimit-remaining"] == "0"
        assert f'"api";r=0;t={wait_s}' in answer.headers["ratelimit"]
        assert answer.json()["extensions"]["cost"]["actualQueryCost"] is None
        assert answer.headers["access-control-allow-origin"] == "https://app.example.com"
        assert answer.headers["x-content-type-options"] == "nosniff"
    other = {**me, "x-forwarded-for": f"192.0.2.{next(_addresses)}"}
    assert (await ask(limited, STAGES, other)).status_code == 200
    # What the client writes before the address that our proxy adds does not make it somebody else.
    assert (await ask(limited, STAGES, {**me, "x-forwarded-for": f"8.8.8.8, {me['x-forwarded-for']}"})).status_code == 429


async def test_an_answer_from_the_cache_counts_towards_nothing_but_the_overall_limit(
    limited: httpx2.AsyncClient, me: dict[str, str]
) -> None:
    del me["cache-control"]
    assert (await ask(limited, "{ stages { name } }", me)).headers["x-cache"] == "MISS"
    for number in range(20):
        # Never the same request, so that it is the endpoint that finds the answer.
        answer = await ask(limited, {"query": "{ stages { name } }", "number": number}, me)
        assert (answer.status_code, answer.headers["x-cache"]) == (200, "HIT")
        assert int(answer.headers["x-ratelimit-remaining"]) == 58 - number


async def test_what_an_operation_turns_out_to_cost_less_is_given_back(limited: httpx2.AsyncClient, me: dict[str, str]) -> None:
    for _ in range(3):
        cost = (await ask(limited, HUNDRED, me)).json()["extensions"]["cost"]
        assert cost["requestedQueryCost"] > 100 > cost["actualQueryCost"]
        status = cost["throttleStatus"]
        assert (status["maximumAvailable"], status["restoreRate"]) == (500, 0.01)
        assert 500 - 3 * cost["actualQueryCost"] - 1 <= status["currentlyAvailable"] <= 500
    mutation = "mutation { createCompany(input: {name: \"\", ownerId: \"01890a5d-ac96-774b-bcce-b302099a8057\"}) { company { id } } }"
    answer = await ask(limited, mutation, me)
    assert "throttleStatus" in answer.json()["extensions"]["cost"]


async def test_operations_of_an_array_are_charged_one_by_one(limited: httpx2.AsyncClient, me: dict[str, str]) -> None:
    answer = await ask(limited, [{"query": HUNDRED}] * 6, me)
    told = [each["errors"][0]["extensions"]["limit"] if "errors" in each else "fine" for each in answer.json()]
    assert told == ["fine", "fine", "points", "points", "points", "points"]
    assert (answer.status_code, answer.headers["x-ratelimit-remaining"]) == (200, "0")
    (again,) = (await ask(limited, [{"query": HUNDRED}], me)).json()
    assert again["errors"][0]["extensions"]["code"] == "RATE_LIMITED"


async def test_heavy_and_bulk_operations_have_limits_of_their_own(limited: httpx2.AsyncClient, me: dict[str, str]) -> None:
    statuses = [(await ask(limited, HEAVY, me)).status_code for _ in range(3)]
    assert statuses == [200, 200, 429]
    assert (await ask(limited, STAGES, me)).status_code == 200
    bulk = {"operationName": "BulkUpdateDeals", "variables": {"dealIds": [], "updates": {}}}
    limits = [(await ask(limited, bulk, me)).headers["ratelimit"] for _ in range(2)]
    assert all('"bulk";r=0' in each for each in limits)
    assert (await ask(limited, bulk, me)).status_code == 429


@pytest.mark.parametrize("written", ["...F", "... { %b }", "... on Mutation { %b }", "%b"])
async def test_bulk_changes_count_wherever_and_as_often_as_they_stand(
    url_without_a_row: str, valkey: EmbeddedValkey, me: dict[str, str], written: str
) -> None:
    bulk = "%s: bulkUpdateDeals(dealIds: [], operation: DELETE, updates: {}) { dryRun }"
    fields = [written.replace("%b", bulk % name) for name in ("a", "b", "b")]
    text = f"mutation {{ {' '.join(fields)} }}" + (f" fragment F on Mutation {{ {bulk % 'a'} {bulk % 'b'} }}" if "F" in written else "")
    async with serving(settings_for(url_without_a_row, valkey, **LIMITS | {"limit_bulk": "3/h", "limit_api": "9/h"})) as client:
        answers = [await ask(client, text, me) for _ in range(2)]
        assert [answer.status_code for answer in answers] == [200, 429]
        assert '"bulk";r=1' in answers[0].headers["ratelimit"]
        assert answers[1].json()["errors"][0]["extensions"]["limit"] == "bulk"


async def test_a_bulk_change_by_its_own_path_counts_once(url_without_a_row: str, valkey: EmbeddedValkey, me: dict[str, str]) -> None:
    async with serving(settings_for(url_without_a_row, valkey, **LIMITS | {"limit_bulk": "2/min"})) as client:
        body = {"operation": "DELETE", "dealIds": [], "updates": {}}
        answers = [await client.post("/api/deals/bulk", json=body, headers=me) for _ in range(3)]
    assert [each.status_code for each in answers] == [200, 200, 429], answers[0].text
    assert [each.headers["ratelimit"].count('"bulk";') for each in answers] == [1, 1, 1]


async def test_what_is_cut_off_at_its_deadline_costs_what_was_estimated(limited: httpx2.AsyncClient, me: dict[str, str]) -> None:
    late = await ask(limited, HUNDRED, me, **{"x-request-timeout": "0.000001"})
    assert (late.status_code, late.json()["errors"][0]["extensions"]["code"]) == (504, "DEADLINE_EXCEEDED")
    left = (await ask(limited, STAGES, me)).json()["extensions"]["cost"]["throttleStatus"]["currentlyAvailable"]
    assert left < 400


async def test_what_postgres_stops_at_its_time_limit_costs_what_was_estimated(
    database_url: str, valkey: EmbeddedValkey, me: dict[str, str], sql: "asyncpg.Connection[asyncpg.Record]"
) -> None:
    async with serving(settings_for(database_url, valkey, **LIMITS | {"statement_timeout_s": 0.2})) as client, sql.transaction():
        await sql.execute("lock table deal in access exclusive mode")
        assert (await ask(client, HUNDRED, me)).status_code == 504
        cost = (await ask(client, STAGES, me)).json()["extensions"]["cost"]
        assert cost["throttleStatus"]["currentlyAvailable"] < 400


async def test_who_has_nothing_left_is_held_off_until_the_wait_is_over(
    valkey: EmbeddedValkey, monkeypatch: pytest.MonkeyPatch
) -> None:
    now_ms, who = [1_000_000], f"held off {next(_addresses)}"
    monkeypatch.setattr("web.limits.throttle.time", SimpleNamespace(monotonic=lambda: now_ms[0] / 1000))
    cache = RedisCache(valkey.url, timeout_s=10)
    rules = Rules(points=1000, points_per_s=1, wait_most_ms=60_000, heal_ms=60_000)
    settings = settings_for("postgresql://", valkey, limits="on", limit_overall="1/1s")
    throttle = Throttle(settings, SharedLimits(cache.client, rules, lambda: now_ms[0]))
    await throttle.admit(who, ("overall",))
    now_ms[0] += 700
    with pytest.raises(RateLimited):
        await throttle.admit(who, ("overall",))
    now_ms[0] += 299
    with pytest.raises(RateLimited):
        throttle.hold_off(who)
    now_ms[0] += 1
    throttle.hold_off(who)
    await throttle.admit(who, ("overall",))
    await cache.close()


async def test_who_is_held_off_hears_how_much_of_the_wait_is_left_and_is_asked_about_again_after_a_second(
    valkey: EmbeddedValkey, monkeypatch: pytest.MonkeyPatch
) -> None:
    now_ms, who = [1_000_000], f"held off again {next(_addresses)}"
    monkeypatch.setattr("web.limits.throttle.time", SimpleNamespace(monotonic=lambda: now_ms[0] / 1000))
    cache = RedisCache(valkey.url, timeout_s=10)
    rules = Rules(points=1000, points_per_s=1, wait_most_ms=60_000, heal_ms=60_000)
    settings = settings_for("postgresql://", valkey, limits="on", limit_overall="1/10s")
    throttle = Throttle(settings, SharedLimits(cache.client, rules, lambda: now_ms[0]))
    await throttle.admit(who, ("overall", "api"), 10)
    now_ms[0] += 600
    with pytest.raises(RateLimited) as told:
        await throttle.admit(who, ("overall", "api"), 10)
    now_ms[0] += 999
    with pytest.raises(RateLimited) as again:
        throttle.hold_off(who)
    assert [each.value.retry_after_s for each in (told, again)] == [10, 9]
    assert '"overall";r=0;t=9' in dict(again.value.standing)[b"ratelimit"].decode()
    now_ms[0] += 1
    throttle.hold_off(who)
    await cache.close()


async def test_who_goes_over_again_waits_longer_than_the_window_and_hears_it_in_the_headers(valkey: EmbeddedValkey) -> None:
    now_ms, who = [1_000_000], f"again over {next(_addresses)}"
    cache = RedisCache(valkey.url, timeout_s=10)
    rules = Rules(points=1000, points_per_s=1, wait_most_ms=60_000, heal_ms=60_000)
    settings = settings_for("postgresql://", valkey, limits="on", limit_overall="1/10s")
    throttle, told = Throttle(settings, SharedLimits(cache.client, rules, lambda: now_ms[0])), []
    for at_s in (0, 0, 10, 10, 20):  # by then the second window is over, and the wait is not
        now_ms[0] = 1_000_000 + 1_000 * at_s
        try:
            await throttle.admit(who, ("overall",))
        except RateLimited as error:
            told.append((error.retry_after_s, dict(error.standing)[b"ratelimit"].decode()))
    assert told == [(wait_s, f'"overall";r=0;t={wait_s}') for wait_s in (10, 20, 10)]
    await cache.close()


async def test_who_holds_requests_that_were_taken_in_advance_is_not_held_off(valkey: EmbeddedValkey) -> None:
    settings, who = settings_for("postgresql://", valkey, limits="on", limit_overall="100/h"), f"leaser {next(_addresses)}"
    cache = RedisCache(valkey.url, timeout_s=10)
    one, two = (open_throttle(settings, cache.client) for _ in range(2))
    await one.admit(who, ("overall",), leases=True)
    for _ in range(97):
        await two.admit(who, ("overall",))
    for throttle in (one, two):
        with pytest.raises(RateLimited):
            await throttle.admit(who, ("overall",))
    with pytest.raises(RateLimited):
        two.hold_off(who)
    one.hold_off(who)
    assert one.admit_cached(who) is not None
    await cache.close()


async def test_a_document_that_is_one_too_many_is_neither_registered_nor_read(limited: httpx2.AsyncClient, me: dict[str, str]) -> None:
    async def register(text: str) -> int:
        digest = hashlib.sha256(text.encode()).hexdigest()
        asked = {"query": text, "extensions": {"persistedQuery": {"version": 1, "sha256Hash": digest}}}
        status = (await ask(limited, asked, me)).status_code
        del asked["query"]
        found = await ask(limited, asked, {"x-forwarded-for": f"192.0.2.{next(_addresses)}"})
        assert ("PersistedQueryNotFound" in found.text) == (status != 200)
        return status

    assert [await register(f"{{ a{number}: __typename }}") for number in range(7)] == [200] * 6 + [429]
    for _ in range(54):
        await limited.get("/nowhere", headers=me)
    refused = [await ask(limited, "{ nothing }", me) for _ in range(3)]
    assert [each.status_code for each in refused] == [429] * 3
    assert {each.json()["errors"][0]["extensions"]["limit"] for each in refused} == {"overall"}
    assert all(int(each.headers["retry-after"]) > 3500 and '"overall";r=0;t=3' in each.headers["ratelimit"] for each in refused)


async def test_what_is_refused_counts_and_so_does_what_is_not_there(limited: httpx2.AsyncClient, me: dict[str, str]) -> None:
    asked = [
        limited.post("/graphql", content=b"{", headers=me | {"content-type": "application/json"}),
        limited.post("/graphql", content=b"a=b", headers=me | {"content-type": "application/x-www-form-urlencoded"}),
        limited.get("/nowhere", headers=me),
        ask(limited, "{ nothing }", me),
        limited.get("/graphql", headers=me | {"accept": "text/html"}),
    ]
    left = [int((await each).headers["x-ratelimit-remaining"]) for each in asked]
    assert left == [59, 58, 57, 56, 55]
    for _ in range(55):
        await limited.get("/nowhere", headers=me)
    answer = await limited.get("/nowhere", headers=me)
    assert (answer.status_code, answer.json()["errors"][0]["extensions"]["limit"]) == (429, "overall")


@pytest.mark.parametrize("path", ["/graphql", "/api/batch", "/api/deals/bulk"])
async def test_the_body_of_who_has_nothing_left_is_not_read(limited: httpx2.AsyncClient, me: dict[str, str], path: str) -> None:
    await asyncio.gather(*(limited.get("/api/nothing", headers=me) for _ in range(60)))
    assert (await limited.get("/api/nothing", headers=me)).status_code == 429
    reader, writer = await asyncio.open_connection("127.0.0.1", limited.base_url.port)
    writer.write(
        f"POST {path} HTTP/1.1\r\nhost: x\r\ncontent-type: {JSON}\r\ncontent-length: 500000\r\n"
        f"x-forwarded-for: {me['x-forwarded-for']}\r\n\r\n".encode()
    )
    async with asyncio.timeout(5):  # nothing of the body ever comes
        assert await reader.readline() == b"HTTP/1.1 429 Too Many Requests\r\n"
    writer.close()
    await writer.wait_closed()


async def test_health_checks_have_a_limit_of_their_own(limited: httpx2.AsyncClient, me: dict[str, str]) -> None:
    answers = [await limited.get("/api/health", headers=me) for _ in range(4)]
    assert [answer.status_code for answer in answers] == [200, 200, 200, 429]
    assert answers[-1].headers["cache-control"] == "no-store"
    assert (await limited.get("/nowhere", headers=me)).headers["x-ratelimit-remaining"] == "59"


async def test_all_that_an_answer_from_the_cache_says_to_be_left_is_there_whatever_way_a_request_takes(
    url_without_a_row: str, valkey: EmbeddedValkey, me: dict[str, str]
) -> None:
    del me["cache-control"]
    async with serving(settings_for(url_without_a_row, valkey, **LIMITS | {"limit_overall": "100/h"})) as client:
        async with asyncio.timeout(5):
            while (await ask(client, "{ stages { position } }", {"x-forwarded-for": "192.0.2.0"})).headers["x-cache"] != "HIT":
                await asyncio.sleep(0.01)
        answers = [await ask(client, "{ stages { position } }", me)]
        for number in range(100):
            more = {"connection": "keep-alive, x"} if number % 3 else {}
            answers.append(await ask(client, {"query": "{ stages { position } }", "number": number}, me, **more))
        left = [int(each.headers["x-ratelimit-remaining"]) for each in answers]
        assert left == [*range(99, -1, -1), 0]
        assert [each.status_code for each in answers] == [200] * 100 + [429]


async def test_the_last_requests_are_there_for_whatever_is_asked_though_they_were_taken_in_advance(
    url_without_a_row: str, valkey: EmbeddedValkey, me: dict[str, str]
) -> None:
    del me["cache-control"]
    async with serving(settings_for(url_without_a_row, valkey, **LIMITS | {"limit_overall": "500/h"})) as client:
        async with asyncio.timeout(5):
            while (await ask(client, "{ stages { color } }", {"x-forwarded-for": "192.0.2.0"})).headers["x-cache"] != "HIT":
                await asyncio.sleep(0.01)
        while int((await ask(client, "{ stages { color } }", me)).headers["x-ratelimit-remaining"]) > 6:
            pass
        answers = [await ask(client, f"{{ x{number}: __typename }}", me) for number in range(3)]
        answers += [await client.get("/nowhere", headers=me) for _ in range(4)]
        assert [int(each.headers["x-ratelimit-remaining"]) for each in answers] == [5, 4, 3, 2, 1, 0, 0]
        assert [each.status_code for each in answers] == [200] * 3 + [404] * 3 + [429]


async def test_who_has_no_limits_hears_of_none(url_without_a_row: str, valkey: EmbeddedValkey, empty: httpx2.AsyncClient) -> None:
    exempt = settings_for(url_without_a_row, valkey, **LIMITS | {"trusted_proxies": "10.0.0.0/8", "limit_exempt": "127.0.0.1"})
    async with serving(exempt) as client:
        for each in (client, empty):
            answers = [await ask(each, STAGES, {"cache-control": "no-cache", "x-forwarded-for": "192.0.2.1"}) for _ in range(10)]
            assert {answer.status_code for answer in answers} == {200}
            assert not any("ratelimit" in name for answer in answers for name in answer.headers)
            assert "throttleStatus" not in answers[0].text


async def test_leases_of_two_processes_never_come_to_more_than_the_overall_limit(valkey: EmbeddedValkey) -> None:
    settings, who = settings_for("postgresql://", valkey, limits="on", limit_overall="150/h"), f"leaser {next(_addresses)}"
    caches = [RedisCache(valkey.url, timeout_s=10) for _ in range(2)]
    one, two = (open_throttle(settings, cache.client) for cache in caches)

    async def served(throttle: Throttle) -> bool:
        if throttle.admit_cached(who) is not None:
            return True
        try:
            return await throttle.admit(who, ("overall",), leases=True) is not None
        except RateLimited:
            return False

    assert one.admit_cached(who) is None
    answers = [await served(throttle) for _ in range(40) for throttle in (one, one, one, two)]
    assert answers.count(True) + 3 >= answers[:150].count(True) >= 147  # what is left of a lease is lost at the end
    assert answers.count(True) <= 150
    assert one.admit_cached(who) is None or two.admit_cached(who) is None
    assert open_throttle(settings.model_copy(update={"limits": "off"}), caches[0].client).admit_cached(who) == []
    for cache in caches:
        await cache.close()


async def test_a_burst_of_answers_from_the_cache_takes_one_lease_and_loses_none(valkey: EmbeddedValkey) -> None:
    cache, who = RedisCache(valkey.url, timeout_s=10), f"burst {next(_addresses)}"
    throttle = open_throttle(settings_for("postgresql://", valkey, limits="on", limit_overall="1000/h"), cache.client)
    admitted = await asyncio.gather(*(throttle.admit(who, ("overall",), leases=True) for _ in range(100)))
    assert None not in admitted
    assert throttle.admit_cached(who) == [(b"x-ratelimit-remaining", b"899")]
    await cache.close()


async def test_what_was_taken_in_advance_ends_with_its_window(valkey: EmbeddedValkey, monkeypatch: pytest.MonkeyPatch) -> None:
    cache, who, now = RedisCache(valkey.url, timeout_s=10), f"late {next(_addresses)}", [1_000.0]
    monkeypatch.setattr("web.limits.throttle.time", SimpleNamespace(monotonic=lambda: now[0]))
    throttle = open_throttle(settings_for("postgresql://", valkey, limits="on", limit_overall="100/h"), cache.client)
    await throttle.admit(who, ("overall",), leases=True)
    assert throttle.admit_cached(who) is not None
    now[0] += 3600
    assert throttle.admit_cached(who) is None
    await cache.close()


async def test_who_asks_for_more_than_the_bucket_holds_is_given_back_what_was_taken_also_without_redis(
    valkey: EmbeddedValkey, tmp_path: Path
) -> None:
    away = RedisCache(f"unix://{tmp_path}/nobody.sock")
    settings = settings_for("postgresql://", valkey, limits="on", limit_points=500, limit_points_per_s=0.001)
    throttle = open_throttle(settings, away.client)
    for used in (0, 490):
        admitted = await throttle.admit("greedy", ("overall",), 5_000)
        assert admitted is not None
        assert orjson.loads(admitted[0].settle(used))["currentlyAvailable"] == 500 - used
    await throttle.admit("greedy", ("overall",), 10)
    with pytest.raises(RateLimited):
        await throttle.admit("greedy", ("overall",), 1)
    await away.close()


@pytest.fixture
async def of_two_clients(valkey: EmbeddedValkey, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[tuple[Throttle, Throttle]]:
    """Throttles that remember two clients each, at a time that stands still: one allows a request an hour, one a hundred."""
    monkeypatch.setattr("web.limits.throttle.time", SimpleNamespace(monotonic=lambda: 1_000.0))
    monkeypatch.setattr("web.limits.throttle.MOST_BLOCKED", 2)
    monkeypatch.setattr("web.limits.throttle.MOST_LEASES", 2)
    cache = RedisCache(valkey.url, timeout_s=10)
    few, many = (
        open_throttle(settings_for("postgresql://", valkey, limits="on", limit_overall=most), cache.client)
        for most in ("1/h", "100/h")
    )
    yield few, many
    await cache.close()


async def test_of_too_many_clients_only_the_last_are_held_off_or_hold_requests(
    of_two_clients: tuple[Throttle, Throttle],
) -> None:
    few, many = of_two_clients
    clients = [f"one of many {next(_addresses)}" for _ in range(3)]
    for who in clients:
        await few.admit(who, ("overall",))
        with pytest.raises(RateLimited):
            await few.admit(who, ("overall",))
        await many.admit(f"{who} again", ("overall",), leases=True)
    few.hold_off(clients[0])
    for who in clients[1:]:
        with pytest.raises(RateLimited):
            few.hold_off(who)
    assert [many.admit_cached(f"{who} again") is None for who in clients] == [True, False, False]


async def test_of_too_many_clients_those_who_came_last_are_held_off_or_hold_requests_however_long_they_are_known(
    of_two_clients: tuple[Throttle, Throttle],
) -> None:
    none, many = of_two_clients
    known, once, new = (f"known {next(_addresses)}" for _ in range(3))
    for who in (known, once, new):
        await none.admit(who, ("overall",))
    for who in (known, once, known, new):
        with pytest.raises(RateLimited):
            await none.admit(who, ("overall",))
        while many.admit_cached(f"{who} again") is not None:  # there are two
            pass
        await many.admit(f"{who} again", ("overall",), leases=True)
    none.hold_off(once)
    for who in (known, new):
        with pytest.raises(RateLimited):
            none.hold_off(who)
    assert [many.admit_cached(f"{who} again") is None for who in (known, once, new)] == [False, True, False]


async def test_a_refusal_names_what_is_used_up_and_what_it_would_have_cost_if_that_was_asked(valkey: EmbeddedValkey) -> None:
    cache, who = RedisCache(valkey.url, timeout_s=10), f"refused {next(_addresses)}"
    limits = {"limits": "on", "limit_overall": "2/h", "limit_points": 500, "limit_points_per_s": 1}
    throttle = open_throttle(settings_for("postgresql://", valkey, **limits), cache.client)
    await throttle.admit(who, ("overall",), 400)
    with pytest.raises(RateLimited) as points:
        await throttle.admit(who, ("overall",), 400)
    await throttle.admit(who, ("overall",))
    with pytest.raises(RateLimited) as requests:
        await throttle.admit(who, ("overall",))
    assert str(points.value) == "You have used up your points. Try again in 300 s."
    assert str(requests.value) == "You have used up your requests (overall). Try again in 3600 s."
    told = [orjson.loads(each.value.body()) for each in (points, requests)]
    assert told[0]["extensions"]["cost"]["requestedQueryCost"] == 400
    assert told[1].keys() == {"errors"}
    await cache.close()


async def test_the_headers_tell_of_each_limit_how_much_is_left_of_it_and_when_it_is_whole_again(valkey: EmbeddedValkey) -> None:
    cache, who = RedisCache(valkey.url, timeout_s=10), f"told {next(_addresses)}"
    limits = {"limits": "on", "limit_overall": "1000/h", "limit_api": "50/min", "limit_points": 500, "limit_points_per_s": 2}
    throttle = open_throttle(settings_for("postgresql://", valkey, **limits), cache.client)
    await throttle.admit(who, ("overall",), leases=True)
    admitted = await throttle.admit(who, ("overall", "api"), 100)
    assert admitted is not None
    told = {name.decode(): value.decode() for name, value in admitted[1]}
    assert told == {
        "ratelimit-policy": '"overall";q=1000;w=3600, "api";q=50;w=60, "points";q=500;w=250;qu="points"',
        "ratelimit": '"overall";r=998;t=3600, "api";r=49;t=60, "points";r=400;t=50',
        "x-ratelimit-remaining": "49",
    }
    await cache.close()


async def test_waits_grow_up_to_the_longest_that_is_set_and_are_forgotten_as_slowly_as_is_set(
    valkey: EmbeddedValkey, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now_s, away = [1_000], RedisCache(f"unix://{tmp_path}/nobody.sock")
    monkeypatch.setattr("cache.limits.time", SimpleNamespace(monotonic_ns=lambda: now_s[0] * 1_000_000_000))
    limits = {"limits": "on", "limit_overall": "1/10s", "limit_wait_most_s": 15, "limit_heal_s": 60}
    throttle, waits = open_throttle(settings_for("postgresql://", valkey, **limits), away.client), []
    for at_s in (0, 30, 200):
        now_s[0] = 1_000 + at_s
        await throttle.admit("hasty", ("overall",))
        with pytest.raises(RateLimited) as told:
            await throttle.admit("hasty", ("overall",))
        waits.append(told.value.retry_after_s)
    assert waits == [10, 15, 10]
    await away.close()
