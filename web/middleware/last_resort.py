"""What nobody expected, on its way to a client: one masked error in JSON, and everything else in the log."""

import asyncio

import structlog
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from core.errors import AppError, Unavailable
from web.http.errors import MASKED, app_error, error_reply
from web.http.reply import Reply

log = structlog.get_logger("web")
STOPPING = error_reply(Unavailable.status, app_error(Unavailable("The server is going down.")))


class LastResort:
    """ASGI middleware; ``state`` has ``request_id``. It stands inside of what adds headers, so that this answer has them."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        has_begun = False

        async def send_noticing(message: Message) -> None:
            nonlocal has_begun
            has_begun = True
            await send(message)

        try:
            await self.app(scope, receive, send_noticing)
        except asyncio.CancelledError:  # the server goes down, and waits no longer
            if has_begun:
                raise
            await STOPPING(scope, receive, send)
        except Exception as error:
            if has_begun:
                raise  # the server cuts the connection, which says that the answer is not whole
            await masked(error, scope["path"], scope["state"]["request_id"])(scope, receive, send)


def masked(error: Exception, path: str, request_id: str) -> Reply:
    """The answer in place of an error that nobody expected, which is logged."""
    log.error("unexpected error", request_id=request_id, path=path, exc_info=error)
    told = {"message": MASKED, "extensions": {"code": AppError.code, "requestId": request_id}}
    return error_reply(500, told)
