"""Ctrl-C and SIGTERM while servers are being started."""

import signal
import sys
from types import FrameType


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
