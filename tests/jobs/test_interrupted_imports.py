"""Imports that are ended by something that is not in the export: what is told is what is known."""

from pathlib import Path
from typing import TypeAlias

import asyncpg
import pytest

from jobs.imports import ImportFailedError, ImportReport, run_import
from jobs.mapping import MappingError
from jobs.mapping_file import load_mapping

Connection: TypeAlias = "asyncpg.Connection[asyncpg.Record]"
BREAKING = "create or replace function {} language plpgsql as $$ begin {}; return null; end $$"
DISK_FULL = "raise exception 'No space left on device' using errcode = 'disk_full'"
REFUSED = "raise exception 'no' using errcode ="
TERMINATED = "perform pg_terminate_backend(pg_backend_pid())"
INSERTING = "create trigger breaks after insert on app_user for each statement execute function breaks()"
COMMITTING = (
    "create constraint trigger breaks after insert on app_user deferrable initially deferred"
    " for each row execute function breaks()"
)


async def one_user(url: str, folder: Path) -> ImportReport:
    (folder / "users.csv").write_text("id,name\nU1,Ann Lee\n")
    return await run_import(url, load_mapping("canonical"), folder)


@pytest.mark.parametrize(
    ("fault", "when", "told"),
    [
        (DISK_FULL, INSERTING, "^nothing was imported, PostgreSQL said: No space left on device$"),
        (f"{REFUSED} 'deadlock_detected'", INSERTING, "^nothing was imported, PostgreSQL said: no$"),
        (f"{REFUSED} 'query_canceled'", INSERTING, "^nothing was imported, PostgreSQL said: no$"),
        (f"{REFUSED} 'insufficient_privilege'", INSERTING, "^nothing was imported, PostgreSQL said: no$"),
        (f"{REFUSED} 'numeric_value_out_of_range', detail = 'why'", INSERTING, "^nothing was imported, PostgreSQL said: no; why$"),
        (f"{REFUSED} 'check_violation', constraint = 'x'", INSERTING, r"PostgreSQL said: no \(constraint x\)$"),
        (TERMINATED, INSERTING, "^nothing was imported: .+$"),
        (TERMINATED, COMMITTING, "^nobody knows whether all or nothing was imported; import again to be sure: .+$"),
    ],
)
async def test_a_refusal_a_full_disk_and_a_lost_connection_are_one_line_that_says_what_was_imported(
    database_url: str, sql: "Connection", tmp_path: Path, fault: str, when: str, told: str
) -> None:
    await sql.execute(BREAKING.format("breaks() returns trigger", fault))
    await sql.execute(when)
    with pytest.raises(ImportFailedError, match=told):
        await one_user(database_url, tmp_path)


@pytest.mark.parametrize("written", ["id,email,name\nU1,ann@example.com,Ann\n", "id,name,email\nU1,Ann,ann@example.com\nU2,\udcff,\n"])
async def test_a_file_that_is_written_anew_after_its_header_was_read_is_not_imported(
    database_url: str, sql: "Connection", tmp_path: Path, written: str
) -> None:
    file = tmp_path / "users.csv"
    file.write_text("id,name,email\nU1,Ann,ann@example.com\n")

    def write(what: str, done: int, expected: int | None) -> None:
        if what.startswith("waiting"):
            file.write_text(written, errors="surrogateescape")

    with pytest.raises(MappingError, match=r"^users\.csv: was changed while it was read"):
        await run_import(database_url, load_mapping("canonical"), tmp_path, progress=write)
    assert await sql.fetchval("select count(*) from app_user") == 0


@pytest.mark.parametrize("fault", [DISK_FULL, TERMINATED])
async def test_what_goes_wrong_after_the_commit_does_not_undo_the_import(
    database_url: str, sql: "Connection", tmp_path: Path, fault: str
) -> None:
    await sql.execute(BREAKING.format("fold_rollups() returns bigint", fault))
    assert (await one_user(database_url, tmp_path)).is_imported
    assert await sql.fetchval("select count(*) from app_user") == 1
