"""A line between a server and PostgreSQL that a test holds up, cuts, or lets hang, at a statement of its choice."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from urllib.parse import parse_qs, urlsplit

NOTIFICATION = b"A"


@dataclass(slots=True, eq=False)
class _Passing:
    """One connection: whether the server's pool has it, and what has become of it."""

    is_pooled: bool | None = None
    is_cut: bool = False
    is_hung: bool = False


class Line:
    """Passes on what connections say, in both directions. ``url`` leads through it to the database.

    Only connections of the server's pool are held up or cut, not the one that folds rollups meanwhile. On a connection that
    hangs nothing that is said arrives, either way, and nobody is told. One that ``is_pooler`` passes no notification on, as a
    pooler by transactions does.
    """

    def __init__(self, database_url: str, *, is_pooler: bool = False) -> None:
        self.is_pooler = is_pooler
        parts = urlsplit(database_url)
        self._database = parts.path
        self._socket = f"{parse_qs(parts.query)['host'][0]}/.s.PGSQL.5432"
        self._port = 0
        self._held: bytes | None = None
        self._unanswered: bytes | None = None
        self._hung_at: tuple[bool, bytes] | None = None
        self._is_stopped = False
        self._open: set[_Passing] = set()
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

    def hang(self, most: int = 1_000, *, is_pooled: bool = True) -> None:
        """So many of the open connections hang from now on, those of the pool or the others; new ones work."""
        for each in [each for each in self._open if each.is_pooled == is_pooled][:most]:
            each.is_hung = True

    def hang_at(self, said: bytes, *, is_pooled: bool = True) -> None:
        """The next connection of these on which this is said hangs from then on, and ``reached`` is set."""
        self._hung_at = is_pooled, said

    def stop(self) -> None:
        """All connections hang from now on, and new ones do too: what a PostgreSQL that was stopped looks like."""
        self._is_stopped = True
        for each in self._open:
            each.is_hung = True

    def resume(self) -> None:
        """New connections work again."""
        self._is_stopped = False

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
        passing = _Passing(is_hung=self._is_stopped)
        self._open.add(passing)
        try:
            from_postgres, to_postgres = await asyncio.open_unix_connection(self._socket)
            ways = [self._forth(reader, to_postgres, passing), self._back(from_postgres, writer, passing)]
            both = [asyncio.create_task(way) for way in ways]
            try:
                await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for each in both:
                    each.cancel()
                to_postgres.close()
        except asyncio.CancelledError:
            pass  # the test is over
        finally:
            writer.close()
            self._open.discard(passing)
            self._connections.discard(task)

    async def _forth(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, passing: _Passing) -> None:
        with suppress(OSError):
            while said := await reader.read(65536):
                if passing.is_pooled is None:
                    passing.is_pooled = b"application_name\0dealgraph\0" in said
                if passing.is_pooled and self._held is not None and self._held in said:
                    self._held = None
                    self.reached.set()
                    await self.go_on.wait()
                if passing.is_pooled and self._unanswered is not None and self._unanswered in said:
                    self._unanswered = None
                    passing.is_cut = True
                if self._hung_at is not None and self._hung_at[0] == passing.is_pooled and self._hung_at[1] in said:
                    self._hung_at = None
                    passing.is_hung = True
                    self.reached.set()
                if not passing.is_hung:
                    writer.write(said)
                    await writer.drain()

    async def _back(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, passing: _Passing) -> None:
        with suppress(OSError, asyncio.IncompleteReadError):
            while said := await (_message(reader) if self.is_pooler else reader.read(65536)):
                if passing.is_cut:
                    return
                if self.is_pooler and said.startswith(NOTIFICATION):
                    continue
                if not passing.is_hung:
                    writer.write(said)
                    await writer.drain()


async def _message(reader: asyncio.StreamReader) -> bytes:
    """One message of PostgreSQL's (documentation, 54.1): its kind, its length but for the kind, and the rest."""
    head = await reader.readexactly(5)
    return head + await reader.readexactly(int.from_bytes(head[1:]) - 4)


def _as_sent(statement: str) -> bytes:
    """A statement as the simple query protocol ends it (PostgreSQL documentation, 54.7, "Query")."""
    return statement.encode() + b"\0"
