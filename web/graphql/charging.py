"""What one operation is charged, and what its answer says about that."""

from collections.abc import Sequence
from dataclasses import replace

from core.viewer import Viewer
from web.graphql.answering import Answer, Ready
from web.limits.client import client_named
from web.limits.throttle import Charge, Kind, RateLimited
from web.state import State


async def charge(state: State, viewer: Viewer, ready: Ready, kinds: Sequence[Kind] = ()) -> Charge | None:
    """Charges an operation that is about to run; ``kinds`` are those of its route. Raises RateLimited."""
    changes = 0 if ready.is_query else _bulk_changes(ready)
    for _ in range(changes - 1):  # each counts; the last, or that of a route, with all the rest
        await _charge(state, viewer, ("bulk",), None)
    own: list[Kind] = ["overall", "api"]
    if ready.cost >= state["throttle"].heavy_cost:
        own.append("heavy")
    if "bulk" not in kinds and changes:
        own.append("bulk")
    return await _charge(state, viewer, (*own, *kinds), ready.cost)


async def charge_little(state: State, viewer: Viewer, *, is_kept: bool = False) -> Charge | None:
    """Charges what runs nothing: a request that is refused, or an answer that ``is_kept``. Raises RateLimited."""
    standing = state["throttle"].admit_cached(client_named(viewer, state["peer"])) if is_kept else None
    if standing is not None:
        state["standing"] = standing
        return None
    return await _charge(state, viewer, ("overall",), None, leases=is_kept)


def hold_off(state: State, viewer: Viewer) -> None:
    """Raises RateLimited for who has nothing left for any request, as far as this process knows."""
    try:
        state["throttle"].hold_off(client_named(viewer, state["peer"]))
    except RateLimited as error:
        state["standing"] = error.standing
        raise


async def charge_request(state: State, viewer: Viewer, kinds: tuple[Kind, ...]) -> None:
    """Charges what is no operation. Raises RateLimited."""
    await _charge(state, viewer, kinds, None)


def settled(charged: Charge | None, answer: Answer, *, is_told: bool = True) -> Answer:
    """The answer with what is left of the client's points, when they are settled; ``is_told`` that its body may say so.

    What did not run to its end costs what was estimated, unless that was our fault.
    """
    if charged is None:
        return answer
    status = charged.settle(charged.cost if answer.spent is None else answer.spent)
    return replace(answer, body=_with_status(answer.body, status)) if is_told else answer


def limited(error: RateLimited) -> Answer:
    """The answer to a request that is one too many."""
    return Answer(error.body(), error.status, {"retry-after": str(error.retry_after_s)})


async def _charge(
    state: State, viewer: Viewer, kinds: tuple[Kind, ...], cost: int | None, *, leases: bool = False
) -> Charge | None:
    client = client_named(viewer, state["peer"])
    try:
        charged = await state["throttle"].admit(client, kinds, cost, leases=leases)
    except RateLimited as error:
        state["standing"] = error.standing
        raise
    state["standing"] = charged[1] if charged else []
    return charged[0] if charged else None


def _bulk_changes(ready: Ready) -> int:
    """How many fields of a mutation are bulk changes. What is selected twice under one name is one field."""
    fields = ready.document.root_fields(ready.operation)
    return len({(each.alias or each.name).value for each in fields if each.name.value.startswith("bulk")})


def _with_status(body: bytes, status: bytes) -> bytes:
    """The body with ``throttleStatus``: ``extensions.cost`` stands last in whatever was executed."""
    return body[:-3] + b',"throttleStatus":' + status + b"}}}" if body.endswith(b"}}}") else body
