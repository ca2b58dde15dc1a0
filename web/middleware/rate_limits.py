"""Counts what nobody else has counted, and tells each client how it stands.

Operations are charged where they run, when their cost is known (``web/graphql/charging.py``). The rest is counted here: health
checks before they are answered, and whatever else was answered without being charged (a page, a wrong address, a refused
key, a body that is not JSON) when its answer begins; who may have no more gets 429 in its place.
"""

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from web.health import is_health
from web.http.reply import RawHeaders, Reply
from web.limits.client import client_named, peer_of
from web.limits.throttle import Kind, RateLimited
from web.state import State


class RateLimits:
    """ASGI middleware; ``state`` has ``throttle`` and gets ``peer``. Inside it ``state["standing"]`` is what was charged."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        state: State = scope["state"]
        state["peer"] = peer_of(scope, state["settings"])
        is_refused = False

        async def send_with_standing(message: Message) -> None:
            nonlocal is_refused
            if message["type"] == "http.response.start":
                refusal = await counted(state)
                if refusal is not None:
                    is_refused = True
                    await refusal(scope, receive, send)
                    return
                message = {**message, "headers": [*message.get("headers", ()), *state["standing"]]}
            if not is_refused:
                await send(message)

        refusal = await counted(state, "health") if is_health(scope["path"]) else None
        if refusal is None:
            await self.app(scope, receive, send_with_standing)
        else:
            await refusal(scope, receive, send)


async def counted(state: State, kind: Kind = "overall") -> Reply | None:
    """Sees to it that a request is charged, as one of this kind if it was not yet; the answer to one that is too many."""
    if "standing" in state:
        return None
    try:
        charged = await state["throttle"].admit(client_named(state.get("viewer"), state["peer"]), (kind,))
    except RateLimited as refused:
        return _refusal(refused)
    state["standing"] = charged[1] if charged else []
    return None


def _refusal(refused: RateLimited) -> Reply:
    headers: RawHeaders = [
        (b"content-type", b"application/json; charset=utf-8"),
        (b"cache-control", b"no-store"),
        (b"retry-after", str(refused.retry_after_s).encode()),
        *refused.standing,
    ]
    return Reply(429, headers, refused.body())
