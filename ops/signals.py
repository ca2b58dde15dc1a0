"""Ctrl-C, SIGTERM and a terminal that is closed: while a server is being started, while it serves, and among its workers."""

import asyncio
import signal
import socket
import sys
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from multiprocessing.resource_tracker import ensure_running
from types import FrameType
from typing import Any, TypeVar

import structlog
import uvicorn
from uvicorn.supervisors import Multiprocess

from core.later import pass_over

log = structlog.get_logger("ops")
LOOK_EVERY_S = 0.1
# What was cancelled closes its connection; a database that does not answer must not keep us.
CLEAN_UP_S = 5.0

T = TypeVar("T")


class EndOnSignal:
    """Remembers Ctrl-C, SIGTERM and SIGHUP. Each step of the start looks, and ends the program in order.

    A handler must never raise: it runs wherever the program happens to be, and Python drops what is raised within a
    callback of its own (around a fork, in ``__del__`` and in those of weak references), while asyncpg and the loop are
    left with half of what they were doing.
    """

    def __init__(self) -> None:
        self._wanted = 0
        for each in (signal.SIGINT, signal.SIGTERM):
            signal.signal(each, self._end)
        if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:  # as nohup has it
            # uvicorn ends in order on SIGTERM, and knows nothing of this one.
            signal.signal(signal.SIGHUP, lambda number, frame: signal.raise_signal(signal.SIGTERM))

    def _end(self, number: int, frame: FrameType | None) -> None:
        self.want(number)

    def want(self, number: int) -> None:
        """That signal has come."""
        self._wanted = number

    @property
    def is_wanted(self) -> bool:
        """Whether a signal has come."""
        return self._wanted != 0

    def if_wanted(self) -> None:
        """Raises KeyboardInterrupt or SystemExit if a signal has come."""
        if self._wanted == signal.SIGINT:
            raise KeyboardInterrupt
        if self._wanted:
            sys.exit(128 + self._wanted)

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """The result of a step, which is cancelled when a signal comes. Raises what it raises, or as ``if_wanted`` does."""
        done = asyncio.run(self._until_wanted(work))
        self.if_wanted()
        return done.result()

    async def _until_wanted(self, work: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
        task = asyncio.create_task(work)
        task.add_done_callback(pass_over)
        while not self.is_wanted and not task.done():
            await asyncio.wait({task}, timeout=LOOK_EVERY_S)
        if not task.done():
            task.cancel()
            await asyncio.wait({task}, timeout=CLEAN_UP_S)
        return task


class SingleServer(uvicorn.Server):
    """uvicorn's server, in this process: it tells when it serves, and ends for a signal that came before it heard any."""

    def __init__(self, config: uvicorn.Config, end: EndOnSignal, ready: Callable[[], None]) -> None:
        super().__init__(config)
        self._end = end
        self._ready = ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Starts the application, unless the end is wanted already."""
        if self._end.is_wanted:
            self.should_exit = True
        else:
            await super().startup(sockets)
            if not self.should_exit:
                self._ready()


class Workers(Multiprocess):
    """uvicorn's supervisor, whose workers never see what the terminal sends to all: the supervisor ends them.

    Blocked from before their first line, for a process inherits what is blocked: otherwise a worker that is still
    importing ends with a traceback.
    """

    def __init__(self, config: uvicorn.Config, end: EndOnSignal, sockets: list[socket.socket]) -> None:
        self._end = end
        self._ends_on_hup = signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN
        super().__init__(config, sockets)

    def handle_int(self) -> None:
        """Ctrl-C: the program ends as it does with a single process."""
        self._end.want(signal.SIGINT)
        super().handle_int()

    def handle_term(self) -> None:
        """The same for SIGTERM."""
        self._end.want(signal.SIGTERM)
        super().handle_term()

    def handle_hup(self) -> None:
        """The terminal was closed; uvicorn would restart the workers."""
        if self._ends_on_hup:
            self.handle_term()

    def init_processes(self) -> None:
        with _held_back():  # Python's tracker of resources ignores all but SIGHUP, and would be missed
            ensure_running()  # it comes with the first worker, and lets Ctrl-C through again
        with _held_back():
            super().init_processes()

    def keep_subprocess_alive(self) -> None:
        before = {each.pid for each in self.processes}
        with _held_back():
            super().keep_subprocess_alive()
        for pid in before - {each.pid for each in self.processes}:  # killed for its memory, say, or because it hung
            log.warning("a worker has ended, and another one takes its place", pid=pid)


@contextmanager
def _held_back() -> Iterator[None]:
    """Delivers what a terminal sends after the block, and not to processes that were started within it."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGHUP})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
