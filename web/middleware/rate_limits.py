"""Counts what nobody else has counted, and tells each client how it stands.

Operations are charged where they run, when their cost is known (``web/keeping.py``). The rest is counted here: health
checks before they are answered, and whatever else was answered without being charged (a page, a wrong address, a refused
key, a body that is not JSON) when its answer begins; who may have no more gets 429 in its place.
"""

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from web.client import client_of, peer_of
from web.throttle import Kind, RateLimited, RawHeaders, Throttle

HEALTH = "/api/health"


class RateLimits:
    """ASGI middleware; ``state`` has ``throttle`` and gets ``peer``. Inside it ``state["standing"]`` is what was charged."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        state = scope["state"]
        throttle: Throttle = state["throttle"]
        state["peer"] = peer_of(scope, state["settings"])
        is_refused = False

        async def charge(kind: Kind) -> RateLimited | None:
            try:
                charged = await throttle.admit(client_of(scope), (kind,))
            except RateLimited as refused:
                return refused
            state["standing"] = charged[1] if charged else []
            return None

        async def send_with_standing(message: Message) -> None:
            nonlocal is_refused
            if message["type"] == "http.response.start":
                refused = await charge("overall") if "standing" not in state else None
                if refused is not None:
                    is_refused = True
                    await _send_refusal(send, refused)
                    return
                message = {**message, "headers": [*message.get("headers", ()), *state["standing"]]}
            if not is_refused:
                await send(message)

        if scope["path"] == HEALTH:
            refused = await charge("health")
            if refused is not None:
                await _send_refusal(send, refused)
                return
        await self.app(scope, receive, send_with_standing)


async def _send_refusal(send: Send, refused: RateLimited) -> None:
    body = refused.body()
    headers: RawHeaders = [
        (b"content-type", b"application/json; charset=utf-8"),
        (b"content-length", str(len(body)).encode()),
        (b"cache-control", b"no-store"),
        (b"retry-after", str(refused.retry_after_s).encode()),
        *refused.standing,
    ]
    await send({"type": "http.response.start", "status": 429, "headers": headers})
    await send({"type": "http.response.body", "body": body})
