"""A line between a server and PostgreSQL that a test holds up, or cuts, at a statement of its choice."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from urllib.parse import parse_qs, urlsplit


class Line:
    """Passes on what connections say, in both directions. ``url`` leads through it to the database.

    Only connections of the server's pool are held up or cut, not the one that folds rollups meanwhile.
    """

    def __init__(self, database_url: str) -> None:
        parts = urlsplit(database_url)
        self._database = parts.path
        self._socket = f"{parse_qs(parts.query)['host'][0]}/.s.PGSQL.5432"
        self._port = 0
        self._held: bytes | None = None
        self._unanswered: bytes | None = None
        self._connections: set[asyncio.Task[None]] = set()
        self.reached = asyncio.Event()
        self.go_on = asyncio.Event()

    @property
    def url(self) -> str:
        """Where a server connects."""
        return f"postgresql://postgres@127.0.0.1:{self._port}{self._database}?sslmode=disable"

    def hold(self, statement: str) -> None:
        """The next time the statement is sent, ``reached`` is set, and PostgreSQL gets it after ``go_on`` is."""
        self._held = _as_sent(statement)

    def cut_after(self, statement: str) -> None:
        """The next time the statement is sent, PostgreSQL gets it, and its answer gets nowhere: the line is cut."""
        self._unanswered = _as_sent(statement)

    @asynccontextmanager
    async def open(self) -> AsyncIterator["Line"]:
        """Takes connections for the time of the block."""
        server = await asyncio.start_server(self._connect, "127.0.0.1", 0)
        self._port = server.sockets[0].getsockname()[1]
        try:
            yield self
        finally:
            server.close()
            for each in self._connections:
                each.cancel()
            if self._connections:
                await asyncio.wait(self._connections)

    async def _connect(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._connections.add(task)
        try:
            from_postgres, to_postgres = await asyncio.open_unix_connection(self._socket)
            cut = asyncio.Event()
            ways = [self._forth(reader, to_postgres, cut), self._back(from_postgres, writer, cut)]
            passing = [asyncio.create_task(way) for way in ways]
            try:
                await asyncio.wait(passing, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for each in passing:
                    each.cancel()
                to_postgres.close()
        except asyncio.CancelledError:
            pass  # the test is over
        finally:
            writer.close()
            self._connections.discard(task)

    async def _forth(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, cut: asyncio.Event) -> None:
        is_pooled: bool | None = None
        with suppress(OSError):
            while said := await reader.read(65536):
                if is_pooled is None:
                    is_pooled = b"application_name\0dealgraph\0" in said
                if is_pooled and self._held is not None and self._held in said:
                    self._held = None
                    self.reached.set()
                    await self.go_on.wait()
                if is_pooled and self._unanswered is not None and self._unanswered in said:
                    self._unanswered = None
                    cut.set()
                writer.write(said)
                await writer.drain()

    async def _back(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, cut: asyncio.Event) -> None:
        with suppress(OSError):
            while said := await reader.read(65536):
                if cut.is_set():
                    return
                writer.write(said)
                await writer.drain()


def _as_sent(statement: str) -> bytes:
    """A statement as the simple query protocol ends it (PostgreSQL documentation, 54.7, "Query")."""
    return statement.encode() + b"\0"
