"""What one operation is charged, and what its answer says about that."""

from collections.abc import Sequence
from dataclasses import replace

from graphql import FieldNode

from core.viewer import Viewer
from web.answering import Answer, Ready
from web.client import client_named
from web.state import State
from web.throttle import Charge, Kind, RateLimited


async def charge(state: State, viewer: Viewer, ready: Ready, kinds: Sequence[Kind] = ()) -> Charge | None:
    """Charges an operation that is about to run; ``kinds`` are those of its route. Raises RateLimited."""
    own: list[Kind] = ["overall", "api"]
    if ready.cost >= state["throttle"].heavy_cost:
        own.append("heavy")
    if "bulk" not in kinds and _is_bulk(ready):
        own.append("bulk")
    return await _charge(state, viewer, (*own, *kinds), ready.cost)


async def charge_little(state: State, viewer: Viewer, *, is_kept: bool = False) -> Charge | None:
    """Charges what runs nothing: a request that is refused, or an answer that ``is_kept``. Raises RateLimited."""
    standing = state["throttle"].admit_cached(client_named(viewer, state["peer"])) if is_kept else None
    if standing is not None:
        state["standing"] = standing
        return None
    return await _charge(state, viewer, ("overall",), None, leases=is_kept)


async def charge_request(state: State, viewer: Viewer, kinds: tuple[Kind, ...]) -> None:
    """Charges what is no operation. Raises RateLimited."""
    await _charge(state, viewer, kinds, None)


def settled(charged: Charge | None, answer: Answer, *, is_told: bool = True) -> Answer:
    """The answer with what is left of the client's points, when they are settled; ``is_told`` that its body may say so.

    What did not run to its end costs what was estimated, unless that was our fault.
    """
    if charged is None:
        return answer
    spent = answer.spent if answer.spent is not None else 0 if answer.status >= 503 else charged.cost
    status = charged.settle(spent)
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


def _is_bulk(ready: Ready) -> bool:
    fields = ready.operation.selection_set.selections
    return not ready.is_query and any(isinstance(each, FieldNode) and each.name.value.startswith("bulk") for each in fields)


def _with_status(body: bytes, status: bytes) -> bytes:
    """The body with ``throttleStatus``: ``extensions.cost`` stands last in whatever was executed."""
    return body[:-3] + b',"throttleStatus":' + status + b"}}}" if body.endswith(b"}}}") else body
