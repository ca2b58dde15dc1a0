"""Brings the database to the newest migration of ``sql/migrations``: numbered files, forward only, each once.

Each runs in a transaction of its own with the row that records it, so a failed one leaves nothing behind. An advisory
lock lets one process at a time apply one; the others wait and then find it applied.
"""

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import asyncpg

from db.statements import SQL, script, statement
from db.unhurried import unhurried

# Any number nobody else uses: an advisory lock belongs to the database, not to a table.
LOCK = 0x6465616C
NUMBERED = "[0-9][0-9][0-9][0-9]_*.sql"


class MigrationRow(NamedTuple):
    """A migration that was applied, and the hash of what it was."""

    name: str
    digest: str


class EncodingRow(NamedTuple):
    """What the texts of a database are written in."""

    encoding: str


TAKE_LOCK, MAKE_TABLE, RECORD = (script(f"migration.{name}") for name in ("lock", "make_table", "record"))
APPLIED = statement("migration.applied", MigrationRow)
ENCODING = statement("migration.encoding", EncodingRow, held=False)


class MigrationError(Exception):
    """The database and the files disagree, or a migration failed; the message says which and what to do."""


@dataclass(frozen=True, slots=True)
class Migration:
    """One numbered file: its name without suffix, its text, and the hash that is recorded."""

    name: str
    text: str

    @property
    def digest(self) -> str:
        """SHA-256 of the text, in hexadecimal."""
        return hashlib.sha256(self.text.encode()).hexdigest()


def migrations(folder: Path = SQL / "migrations") -> list[Migration]:
    """All migrations, in their order."""
    return [Migration(path.stem, path.read_text("utf-8")) for path in sorted(folder.glob(NUMBERED))]


async def migrate(url: str, wanted: list[Migration] | None = None) -> list[str]:
    """Applies what is missing and returns the names of what was applied. Raises MigrationError."""
    connection = await asyncpg.connect(url)
    try:
        return await _apply(connection, migrations() if wanted is None else wanted)
    except asyncpg.DuplicatePreparedStatementError as error:
        raise MigrationError("a pooler by transactions needs max_prepared_statements (PgBouncer 1.21 or newer)") from error
    except asyncpg.InsufficientPrivilegeError as error:
        needed = "the role must own the database, or be allowed to create in it and in its schema public"
        raise MigrationError(f"the database does not let itself be migrated: {error}; {needed}") from error
    except asyncpg.PostgresError as error:
        raise MigrationError(f"the database does not let itself be migrated: {error}") from error
    finally:
        await connection.close()


async def _apply(connection: "asyncpg.Connection[asyncpg.Record]", wanted: list[Migration]) -> list[str]:
    encoding = await connection.fetchval(ENCODING.text)
    if encoding != "UTF8":
        raise MigrationError(f"the database is {encoding}: make one with `encoding 'UTF8' template template0`")
    async with unhurried(connection):
        await connection.execute(TAKE_LOCK, LOCK)
        await connection.execute(MAKE_TABLE)
    done = dict(MigrationRow(*record) for record in await connection.fetch(APPLIED.text))
    for unknown in sorted(done.keys() - {each.name for each in wanted}):
        raise MigrationError(f"the database has migration {unknown}, which this version does not know: it is newer")
    applied = []
    for each in wanted:
        if each.name not in done:
            if await _apply_one(connection, each):
                applied.append(each.name)
        elif done[each.name] != each.digest:
            raise MigrationError(
                f"the database was made with another sql/migrations/{each.name}.sql: take the version that made it, or another "
                "database (DATABASE_URL, DATA_DIR); who has changed the file adds a new one instead"
            )
    return applied


async def _apply_one(connection: "asyncpg.Connection[asyncpg.Record]", each: Migration) -> bool:
    """Whether it was applied here, and not by another process meanwhile."""
    try:
        async with unhurried(connection):
            await connection.execute(TAKE_LOCK, LOCK)
            if each.name in {record["name"] for record in await connection.fetch(APPLIED.text)}:
                return False
            await connection.execute(each.text)
            await connection.execute(RECORD, each.name, each.digest)
            return True
    except asyncpg.PostgresError as error:
        raise MigrationError(f"sql/migrations/{each.name}.sql failed: {error}") from error
