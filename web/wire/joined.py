"""Writing a response in one piece: uvicorn writes its head and then its body, two system calls and two packets.

Of a request that takes 40 us in all, each of the calls takes 15.
"""

import asyncio


class Joined:
    """A transport for one response, whose head waits for the first of its body until the next turn of the loop."""

    __slots__ = ("_head", "_is_begun", "_transport", "is_closing")

    def __init__(self, transport: asyncio.Transport) -> None:
        self._transport = transport
        self._head: bytes | None = None
        self._is_begun = False
        self.is_closing = transport.is_closing

    def write(self, data: bytes) -> None:
        """Writes, or keeps what is the first of the response for a moment."""
        if self._head is not None:
            data, self._head = self._head + data, None
        elif not self._is_begun:
            self._is_begun, self._head = True, data
            asyncio.get_running_loop().call_soon(self.flush)
            return
        if not self.is_closing():  # the client may have gone meanwhile
            self._transport.write(data)

    def close(self) -> None:
        """Closes once everything is written."""
        self.flush()
        self._transport.close()

    def flush(self) -> None:
        """Writes what has been kept."""
        head, self._head = self._head, None
        if head is not None and not self.is_closing():
            self._transport.write(head)
