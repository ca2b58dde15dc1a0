"""Ctrl-C and SIGTERM while servers are being started, and Ctrl-C among worker processes."""

import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.resource_tracker import ensure_running
from types import FrameType

from uvicorn.supervisors import Multiprocess


class EndOnSignal:
    """Ends the program on Ctrl-C and SIGTERM, by an exception that unwinds it; at first only when asked.

    While servers are being started a handler must not raise: Python calls back by itself around each fork, and drops
    what is raised there. The wish is kept, and granted between two steps.
    """

    def __init__(self) -> None:
        self.at_once = False
        self._wanted = 0
        for each in (signal.SIGINT, signal.SIGTERM):
            signal.signal(each, self._end)

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
    """uvicorn's supervisor, whose workers never see Ctrl-C: the terminal sends it to all, and the supervisor ends them.

    Blocked from before their first line, for a process inherits what is blocked: otherwise a worker that is still
    importing ends with a traceback.
    """

    def init_processes(self) -> None:
        ensure_running()  # it comes with the first worker, and lets the signals through again
        with _held_back(signal.SIGINT):
            super().init_processes()

    def keep_subprocess_alive(self) -> None:
        with _held_back(signal.SIGINT):
            super().keep_subprocess_alive()

    def restart_all(self) -> None:
        with _held_back(signal.SIGINT):
            super().restart_all()


@contextmanager
def _held_back(number: signal.Signals) -> Iterator[None]:
    """Delivers that signal after the block, and not to processes that were started within it."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {number})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
