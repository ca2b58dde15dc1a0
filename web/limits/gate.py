"""How much is done at once: the rest waits a little in a short queue, first come first served, and is told to come back."""

import asyncio
from collections import deque
from contextlib import suppress
from types import TracebackType

from core.errors import Overloaded

BUSY = "The server is busy. Try again in a moment."
# Bodies that are not whole yet may have so many bytes together, or four times as many as the longest may have.
MOST_UNFINISHED = 64_000_000


class Gate:
    """Lets ``most`` be inside at once and ``queue`` wait for ``wait_s`` seconds; ``async with`` raises Overloaded else."""

    def __init__(self, most: int, queue: int, wait_s: float) -> None:
        self._free = most
        self._queue = queue
        self._wait_s = wait_s
        self._waiting: deque[asyncio.Future[None]] = deque()

    @property
    def is_full(self) -> bool:
        """Whether who came now would be sent away."""
        return self._free <= 0 and len(self._waiting) >= self._queue

    async def __aenter__(self) -> None:
        """Comes in, at once or when it is its turn."""
        if self._free > 0:
            self._free -= 1
            return
        if self.is_full:
            raise Overloaded(BUSY)
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(turn)
        try:
            async with asyncio.timeout(self._wait_s):
                await turn
        except BaseException as error:
            # Its turn may have come in the moment when it gave up: then it is the next one's.
            if turn.done() and not turn.cancelled():
                self._leave()
            else:
                with suppress(ValueError):  # whoever left meanwhile has passed it over
                    self._waiting.remove(turn)
            if isinstance(error, TimeoutError):
                raise Overloaded(BUSY) from None
            raise

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Goes, and lets the next one in."""
        self._leave()

    def _leave(self) -> None:
        while self._waiting:
            turn = self._waiting.popleft()
            if not turn.done():
                turn.set_result(None)
                return
        self._free += 1


class Unfinished:
    """How many bytes the bodies have that are still being read, by one process."""

    def __init__(self, longest: int) -> None:
        self._most = max(MOST_UNFINISHED, 4 * longest)
        self._bytes = 0

    def add(self, number: int) -> None:
        """Counts bytes that have come. Raises Overloaded where all together are too many; they are counted all the same."""
        self._bytes += number
        if self._bytes > self._most:
            raise Overloaded("The server is reading too much at once. Try again in a moment.")

    def take_off(self, number: int) -> None:
        """A body is whole, or its client has gone."""
        self._bytes -= number
