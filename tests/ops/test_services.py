"""Which servers a command works with: yours where you name them, embedded ones otherwise, never two on one folder."""

import asyncio
import os
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import asyncpg
import pytest
from redis.exceptions import RedisError
from structlog.testing import capture_logs

from cache.embedded import EmbeddedValkey
from cache.redis import RedisCache
from core.settings import Settings, SettingsError
from db.embedded import EmbeddedPostgres
from ops.services import DataDirInUseError, of_the_primary, services

KEY = "5e" * 32


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    """The settings of a run that embeds both servers, completed."""
    with services(_settings(tmp_path_factory.mktemp("data") / "made"), _ignore, share=False) as settings:
        yield settings


def _settings(data_dir: Path, **others: object) -> Settings:
    return Settings.model_validate({"database_url": None, "redis_url": None, "cursor_keys": None, "data_dir": data_dir, **others})


def _ignore(line: str) -> None:
    pass


def _url(settings: Settings) -> str:
    assert settings.database_url is not None
    return settings.database_url.get_secret_value()


def _value(url: str, query: str) -> object:
    async def ask() -> object:
        connection = await asyncpg.connect(url)
        try:
            return await connection.fetchval(query)
        finally:
            await connection.close()

    return asyncio.run(ask())


def test_embedded_servers_and_a_key_complete_the_settings(running: Settings) -> None:
    assert _value(_url(running), "select 1") == 1
    assert running.redis_url is not None
    assert [len(key) for key in running.cursor_key_bytes] == [32]


def test_the_embedded_database_has_room_for_the_pools_of_all_workers(running: Settings, tmp_path: Path) -> None:
    assert _value(_url(running), "show max_connections") == "200"
    with services(_settings(tmp_path, pool_size=100, workers=3), _ignore, share=False) as settings:
        assert _value(_url(settings), "show max_connections") == "356"


def test_the_cursor_key_is_kept_for_the_next_run_and_readable_by_us_alone(tmp_path: Path, postgres: EmbeddedPostgres) -> None:
    settings = _settings(tmp_path, database_url=postgres.url)
    found = []
    for _ in range(2):
        with services(settings, _ignore, share=False) as complete:
            found.append(complete.cursor_key_bytes)
    assert found[0] == found[1]
    assert (tmp_path / "cursor.key").stat().st_mode & 0o777 == 0o600


def test_a_file_that_holds_no_cursor_key_is_told_before_anything_is_started(tmp_path: Path) -> None:
    for broken in ("", "5e" * 31, "5e" * 33, "no hexadecimal digits at all, though as long as a key of sixty-four"):
        (tmp_path / "cursor.key").write_text(broken)
        said: list[str] = []
        with (
            pytest.raises(SettingsError, match=r"cursor\.key: holds no key .*remove it"),
            services(_settings(tmp_path), said.append, share=False),
        ):
            raise AssertionError("nothing is started")
        assert said == []


def test_a_kept_key_may_end_in_a_newline_and_one_that_cannot_be_read_is_one_line(tmp_path: Path, postgres: EmbeddedPostgres) -> None:
    (tmp_path / "cursor.key").write_text(f"{KEY}\n")
    with services(_settings(tmp_path, database_url=postgres.url), _ignore, share=False) as complete:
        assert complete.cursor_key_bytes == [bytes.fromhex(KEY)]
    (tmp_path / "cursor.key").unlink()
    (tmp_path / "cursor.key").mkdir()
    assert _refusal(_settings(tmp_path, database_url=postgres.url)) == f"{tmp_path}/cursor.key: cannot be used (Is a directory)"


def test_who_uses_a_folder_is_told_though_a_run_before_has_left_its_number(tmp_path: Path, postgres: EmbeddedPostgres) -> None:
    (tmp_path / "lock").write_text("123")
    settings = _settings(tmp_path, database_url=postgres.url)
    with (
        services(settings, _ignore, share=False),
        pytest.raises(DataDirInUseError, match=f": process {os.getpid()} uses"),
        services(settings, _ignore, share=False),
    ):
        pass


def test_what_has_ended_and_does_not_start_is_tried_again_until_it_does(
    tmp_path: Path, postgres: EmbeddedPostgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("LOOK_EVERY_S", "SLOWEST_START_S"):
        monkeypatch.setattr(f"ops.services.{name}", 0.02)
    with capture_logs() as logs, services(_settings(tmp_path, database_url=postgres.url), _ignore, share=False) as complete:
        assert complete.redis_url is not None
        url, folder, aside = complete.redis_url.get_secret_value(), tmp_path / "valkey", tmp_path / "aside"
        number = _of_redis(url, "process_id")
        folder.rename(aside)
        folder.write_text("nothing can be kept here")
        os.kill(int(number), signal.SIGKILL)
        _wait_until(lambda: sum("does not start" in each["event"] for each in logs) >= 2)
        folder.unlink()
        aside.rename(folder)
        _wait_until(lambda: _of_redis(url, "process_id") not in ("", number))
    assert logs[0]["event"] == "the embedded Valkey has ended, and is started again"


def _wait_until(is_so: Callable[[], bool]) -> None:
    end = time.monotonic() + 10
    while not is_so():
        assert time.monotonic() < end
        time.sleep(0.01)


def _of_redis(url: str, figure: str) -> str:
    """A figure of a Redis; empty where it does not answer."""

    async def ask() -> str:
        cache = RedisCache(url)
        try:
            return str((await cache.client.info())[figure])
        except (RedisError, OSError):
            return ""
        finally:
            await cache.close()

    return asyncio.run(ask())


def test_a_second_run_on_the_same_folder_is_told_who_uses_it(running: Settings) -> None:
    with (
        pytest.raises(DataDirInUseError, match=rf"^DATA_DIR=.*process {os.getpid()} uses this folder.*set DATA_DIR \(and PORT\)"),
        services(_settings(running.data_dir), _ignore, share=False),
    ):
        pass
    assert _value(_url(running), "select 1") == 1


def test_a_command_beside_a_run_shares_its_servers_and_leaves_them_running(running: Settings) -> None:
    said: list[str] = []
    with services(_settings(running.data_dir), said.append, share=True) as shared:
        assert (_url(shared), shared.redis_url) == (_url(running), running.redis_url)
        assert shared.cursor_keys == running.cursor_keys
    assert said == []
    assert _value(_url(running), "select 1") == 1


def test_a_command_waits_for_a_run_that_is_still_starting(tmp_path: Path) -> None:
    locked, done = threading.Event(), threading.Event()

    def run() -> None:
        with services(_settings(tmp_path), lambda line: locked.set(), share=False):
            done.wait(60)

    starting = threading.Thread(target=run)
    starting.start()
    assert locked.wait(60)
    with services(_settings(tmp_path), _ignore, share=True) as shared:
        assert _value(_url(shared), "select 1") == 1
    done.set()
    starting.join()


def test_a_command_with_nobody_beside_it_starts_servers_and_stops_them(tmp_path: Path) -> None:
    said: list[str] = []
    with services(_settings(tmp_path), said.append, share=True) as settings:
        assert _value(_url(settings), "select 1") == 1
    assert said == ["Starting PostgreSQL 18", "Starting Valkey"]
    with pytest.raises(OSError, match=r"No such file|refused"):
        _value(_url(settings), "select 1")


def test_who_needs_a_database_alone_has_no_cache_started_and_beside_yours_no_folder_made(
    tmp_path: Path, postgres: EmbeddedPostgres
) -> None:
    said: list[str] = []
    with services(_settings(tmp_path / "made"), said.append, share=True, only_database=True) as settings:
        assert (_value(_url(settings), "select 1"), settings.redis_url) == (1, None)
    assert said == ["Starting PostgreSQL 18"]
    yours = _settings(tmp_path / "none", database_url=postgres.url)
    with services(yours, said.append, share=True, only_database=True) as settings:
        assert _value(_url(settings), "select 1") == 1
    assert said == ["Starting PostgreSQL 18"]
    assert not (tmp_path / "none").exists()


def test_servers_of_yours_are_used_as_they_are_and_nothing_is_embedded(
    tmp_path: Path, postgres: EmbeddedPostgres, valkey: EmbeddedValkey
) -> None:
    yours = _settings(tmp_path / "never", database_url=postgres.url, redis_url=valkey.url, cursor_keys=KEY)
    with services(yours, _ignore, share=False) as complete:
        assert complete == yours
    assert list(tmp_path.iterdir()) == []


def test_only_what_you_do_not_bring_is_embedded(tmp_path: Path, postgres: EmbeddedPostgres) -> None:
    with services(_settings(tmp_path, database_url=postgres.url), _ignore, share=False) as complete:
        assert _url(complete) == postgres.url
        assert complete.redis_url is not None
    assert sorted(path.name for path in tmp_path.iterdir()) == ["cursor.key", "lock", "valkey"]


def test_a_key_of_yours_is_used_also_where_something_is_embedded(tmp_path: Path, postgres: EmbeddedPostgres) -> None:
    with services(_settings(tmp_path, database_url=postgres.url, cursor_keys=KEY), _ignore, share=False) as complete:
        assert complete.cursor_key_bytes == [bytes.fromhex(KEY)]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["lock", "valkey"]


def test_the_settings_lead_to_the_host_that_takes_writes(tmp_path: Path, postgres: EmbeddedPostgres, valkey: EmbeddedValkey) -> None:
    several = postgres.url.replace("&target_session_attrs=any", "").replace("host=", "host=/nowhere,")
    with services(_settings(tmp_path, database_url=several, redis_url=valkey.url, cursor_keys=KEY), _ignore, share=False) as complete:
        assert _url(complete) == f"{several}&target_session_attrs=primary"


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("postgresql://me:hunter2@127.0.0.1:1/crm", "DATABASE_URL: the database cannot be reached"),
        ("postgresql://me:hunter2@nowhere.invalid/crm", "DATABASE_URL: the database cannot be reached"),
        ("postgresql://me:hunt/er2@127.0.0.1:port/crm", "DATABASE_URL: this is not a URL that asyncpg can read"),
        ("postgresql://me:hunter2@[::1/crm", "DATABASE_URL: this is not a URL that asyncpg can read"),
        ("postgresql://me:hunter2@127.0.0.1:99999/crm", "DATABASE_URL: this is not a URL that asyncpg can read"),
    ],
)
def test_a_database_that_cannot_be_reached_is_one_line_without_the_password(tmp_path: Path, url: str, reason: str) -> None:
    assert reason in _refusal(_settings(tmp_path, database_url=url))


def test_a_database_that_does_not_exist_is_one_line(tmp_path: Path, postgres: EmbeddedPostgres) -> None:
    refusal = _refusal(_settings(tmp_path, database_url=postgres.database_url("nowhere")))
    assert refusal == 'DATABASE_URL: the database cannot be reached (database "nowhere" does not exist)'


def test_a_database_of_which_no_host_is_what_is_asked_for_is_one_line(tmp_path: Path, postgres: EmbeddedPostgres) -> None:
    standby = postgres.url.replace("target_session_attrs=any", "target_session_attrs=standby")
    assert _refusal(_settings(tmp_path, database_url=standby)).startswith("DATABASE_URL: the database cannot be reached (None of the hosts")


def test_a_database_that_does_not_answer_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ops.services.CONNECT_S", 0.1)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        refusal = _refusal(_settings(tmp_path, database_url=f"postgresql://me:hunter2@127.0.0.1:{silent.getsockname()[1]}/crm"))
    assert refusal.startswith("DATABASE_URL: the database cannot be reached (no answer in ")


def test_a_folder_in_which_a_server_cannot_be_kept_is_one_line(tmp_path: Path, postgres: EmbeddedPostgres) -> None:
    (tmp_path / "valkey").write_text("")
    assert _refusal(_settings(tmp_path, database_url=postgres.url)).startswith("DATA_DIR: Valkey cannot be kept there (")


def test_a_cache_url_that_is_none_is_one_line_without_the_password(tmp_path: Path) -> None:
    assert _refusal(_settings(tmp_path, redis_url="redis://:hunter2@host:port")).startswith("REDIS_URL: this is not a URL")


@pytest.mark.parametrize("path", ["/dev/null/data", "/proc/data"])
def test_a_folder_that_cannot_be_made_is_one_line(path: str) -> None:
    assert _refusal(_settings(Path(path))).startswith(f"DATA_DIR={path}: cannot be used (")


def _refusal(settings: Settings) -> str:
    with pytest.raises(SettingsError) as refused, services(settings, _ignore, share=False):
        pass
    (line,) = str(refused.value).splitlines()
    assert "hunt" not in line
    return line


@pytest.mark.parametrize(
    ("url", "leads_to"),
    [
        ("postgresql://u:p@one:5432/crm", ""),
        ("postgresql://u:p@one:5432,two:5433/crm", "?target_session_attrs=primary"),
        ("postgresql://u:a,b@one/crm?sslmode=disable", ""),
        ("postgresql:///crm?host=one,two", "&target_session_attrs=primary"),
        ("postgresql://one,two/crm?target_session_attrs=any", ""),
    ],
)
def test_of_several_hosts_the_one_that_takes_writes_is_meant(url: str, leads_to: str) -> None:
    assert of_the_primary(url) == url + leads_to
