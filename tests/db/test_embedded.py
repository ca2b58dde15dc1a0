"""The embedded PostgreSQL: it starts in whatever folder it is given and after whatever happened to it before."""

import asyncio
import os
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import pytest

from core.process import socket_folder
from db.embedded import EmbeddedError, EmbeddedPostgres


@pytest.fixture(scope="module")
def stopped(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a server that was started once and stopped; copied, since making one takes a second."""
    folder = tmp_path_factory.mktemp("stopped")
    server = EmbeddedPostgres(folder)
    server.start()
    server.stop()
    return folder


@pytest.fixture
def folder(stopped: Path, tmp_path: Path) -> Path:
    """A folder of the test's own, with a cluster that is not running."""
    return Path(shutil.copytree(stopped, tmp_path / "postgres"))


@pytest.fixture
def server(folder: Path) -> Iterator[EmbeddedPostgres]:
    """A running server."""
    server = EmbeddedPostgres(folder)
    server.start()
    yield server
    server.stop()


async def _value(server: EmbeddedPostgres, query: str) -> object:
    connection = await asyncpg.connect(server.url)
    try:
        return await connection.fetchval(query)
    finally:
        await connection.close()


async def _works(server: EmbeddedPostgres) -> bool:
    server.start()
    try:
        return await _value(server, "select 1") == 1
    finally:
        server.stop()


async def test_it_answers_as_soon_as_it_has_started_and_is_gone_when_stopped(server: EmbeddedPostgres) -> None:
    assert str(await _value(server, "show server_version")).startswith("18.")
    pid = server.pid
    assert pid is not None
    server.stop()
    assert server.pid is None
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
    with pytest.raises(OSError, match=r"No such file|refused"):
        await asyncpg.connect(server.url)


async def test_what_was_written_is_there_after_a_stop_and_after_a_kill(server: EmbeddedPostgres, folder: Path) -> None:
    await _value(server, "create table kept as select 1 as one")
    server.stop()
    server.start()
    assert await _value(server, "select one from kept") == 1
    await _value(server, "checkpoint")
    assert server.pid is not None
    os.kill(server.pid, signal.SIGKILL)
    server.stop()
    server.start()
    assert await _value(server, "select one from kept") == 1


async def test_it_speaks_utf_8_and_utc_and_sorts_by_code_point(server: EmbeddedPostgres) -> None:
    assert await _value(server, "show server_encoding") == "UTF8"
    assert await _value(server, "show timezone") == "UTC"
    assert await _value(server, "select 'Z' < 'a'") is True


async def test_nobody_else_may_connect_and_no_port_is_open(server: EmbeddedPostgres, folder: Path) -> None:
    assert (folder / ".s.PGSQL.5432").stat().st_mode & 0o077 == 0
    assert await _value(server, "show listen_addresses") == ""


async def test_a_path_too_long_for_a_socket_is_no_obstacle(stopped: Path, tmp_path: Path) -> None:
    folder = tmp_path / ("long" * 30) / ("longer" * 20)
    folder.parent.mkdir()
    assert await _works(EmbeddedPostgres(Path(shutil.copytree(stopped, folder))))


async def test_a_folder_that_only_its_owner_may_enter_is_no_obstacle(stopped: Path, tmp_path: Path) -> None:
    private = tmp_path / "private"
    private.mkdir(mode=0o700)
    folder = Path(shutil.copytree(stopped, private / "postgres"))
    assert await _works(EmbeddedPostgres(folder))
    assert private.stat().st_mode & 0o777 == 0o700


async def test_lock_files_left_behind_are_in_nobodys_way_though_their_number_is_used_again(folder: Path) -> None:
    innocent = await asyncio.create_subprocess_exec("sleep", "600")
    for lock in (folder / "cluster" / "postmaster.pid", folder / ".s.PGSQL.5432.lock"):
        lock.write_text(f"{innocent.pid}\n{folder}/cluster\n1700000000\n5432\n{folder}\n")
    assert await _works(EmbeddedPostgres(folder))
    assert innocent.returncode is None
    innocent.kill()
    await innocent.wait()


@pytest.mark.parametrize("left", ["", "nonsense", "0\n", "-1\n", "1\n", "99999999999\n"])
async def test_a_pid_file_that_names_no_server_is_in_nobodys_way(folder: Path, left: str) -> None:
    (folder / "cluster" / "postmaster.pid").write_text(left)
    assert await _works(EmbeddedPostgres(folder))


async def test_a_server_that_somebody_left_running_is_stopped_first(server: EmbeddedPostgres, folder: Path) -> None:
    again = EmbeddedPostgres(folder)
    again.start()
    assert again.pid != server.pid
    assert await _value(again, "select 1") == 1
    again.stop()


async def test_a_cluster_that_was_broken_off_in_the_making_is_made_again(tmp_path: Path) -> None:
    (tmp_path / "cluster.new").mkdir()
    (tmp_path / "cluster.new" / "PG_VERSION").write_text("18\n")
    assert await _works(EmbeddedPostgres(tmp_path))


def test_a_cluster_that_cannot_be_started_is_told_with_the_end_of_its_log(folder: Path) -> None:
    (folder / "cluster" / "global" / "pg_control").unlink()
    server = EmbeddedPostgres(folder)
    with pytest.raises(EmbeddedError, match=r"could not find the database system") as refused:
        server.start()
    assert str(folder / "postgres.log") in str(refused.value)


def test_a_log_that_has_grown_long_is_begun_anew_and_the_one_before_stays(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("db.embedded.MOST_LOG_BYTES", 100)
    (folder / "postgres.log").write_bytes(b"long ago\n" * 20)
    server = EmbeddedPostgres(folder)
    server.start()
    server.stop()
    assert b"long ago" not in (folder / "postgres.log").read_bytes()
    assert (folder / "postgres.old.log").read_bytes() == b"long ago\n" * 20


async def test_it_starts_whatever_the_environment_says_of_languages_and_of_other_databases(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("LANG", "LC_ALL", "LC_MESSAGES"):
        monkeypatch.setenv(name, "xx_XX.UTF-8")
    for name, value in {"PGPORT": "6543", "PGSSLMODE": "verify-full", "PGTARGETSESSIONATTRS": "read-only"}.items():
        monkeypatch.setenv(name, value)
    assert await _works(EmbeddedPostgres(tmp_path))


async def test_the_short_folder_of_its_socket_is_nobody_elses_and_goes_with_it(tmp_path: Path) -> None:
    server = EmbeddedPostgres(tmp_path / ("long" * 25))
    short = socket_folder(tmp_path / ("long" * 25))
    short.mkdir(mode=0o700)
    short.chmod(0o777)
    with pytest.raises(PermissionError, match="another user may write there"):
        server.start()
    short.chmod(0o700)
    assert await _works(server)
    assert not short.exists()
