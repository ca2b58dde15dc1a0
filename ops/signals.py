"""Ctrl-C, SIGTERM and a terminal that is closed: while servers are being started, and among worker processes."""

import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.resource_tracker import ensure_running
from types import FrameType
from typing import Any

from uvicorn.supervisors import Multiprocess


class EndOnSignal:
    """Ends the program on Ctrl-C, SIGTERM and SIGHUP, by an exception that unwinds it; at first only when asked.

    While servers are being started a handler must not raise: Python calls back by itself around each fork, and drops
    what is raised there. The wish is kept, and granted between two steps.
    """

    def __init__(self) -> None:
        self.at_once = False
        self._wanted = 0
        for each in (signal.SIGINT, signal.SIGTERM):
            signal.signal(each, self._end)
        if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:  # as nohup has it
            # uvicorn ends in order on SIGTERM, and knows nothing of this one.
            signal.signal(signal.SIGHUP, lambda number, frame: signal.raise_signal(signal.SIGTERM))

    def _end(self, number: int, frame: FrameType | None) -> None:
        self._wanted = number
        if self.at_once:
            self.if_wanted()

    def if_wanted(self) -> None:
        """Raises KeyboardInterrupt or SystemExit if a signal has come."""
        if self._wanted == signal.SIGINT:
            raise KeyboardInterrupt
        if self._wanted:
            sys.exit(128 + self._wanted)


class Workers(Multiprocess):
    """uvicorn's supervisor, whose workers never see what the terminal sends to all: the supervisor ends them.

    Blocked from before their first line, for a process inherits what is blocked: otherwise a worker that is still
    importing ends with a traceback.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self._ends_on_hup = signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN
        super().__init__(*args, **kwargs)

    def handle_hup(self) -> None:
        """The terminal was closed; uvicorn would restart the workers."""
        if self._ends_on_hup:
            self.handle_term()

    def init_processes(self) -> None:
        ensure_running()  # it comes with the first worker, and lets the signals through again
        with _held_back():
            super().init_processes()

    def keep_subprocess_alive(self) -> None:
        with _held_back():
            super().keep_subprocess_alive()


@contextmanager
def _held_back() -> Iterator[None]:
    """Delivers what a terminal sends after the block, and not to processes that were started within it."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGHUP})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
