"""The embedded Valkey: memory only, behind a socket that is ours alone, gone when it is stopped."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from redis import Redis

from cache.embedded import SETTINGS, EmbeddedValkey, ValkeyError


@pytest.fixture
def server(tmp_path: Path) -> Iterator[EmbeddedValkey]:
    """A running Valkey."""
    server = EmbeddedValkey(tmp_path / "valkey")
    server.start()
    yield server
    server.stop()


def _client(server: EmbeddedValkey) -> "Redis":
    return Redis.from_url(server.url)


def test_it_answers_as_soon_as_it_has_started_and_is_gone_when_stopped(server: EmbeddedValkey) -> None:
    with _client(server) as client:
        assert client.ping()
    pid = server.pid
    assert pid is not None
    server.stop()
    assert server.pid is None
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_stopping_twice_is_stopping_once(server: EmbeddedValkey) -> None:
    server.stop()
    server.stop()


def test_what_it_held_is_gone_after_a_restart(server: EmbeddedValkey) -> None:
    with _client(server) as client:
        client.set("a", "b")
    server.stop()
    server.start()
    with _client(server) as client:
        assert client.get("a") is None


def test_only_what_expires_is_thrown_away_to_make_room(server: EmbeddedValkey) -> None:
    with _client(server) as client:
        assert client.config_get("maxmemory-policy") == {"maxmemory-policy": "volatile-lru"}
        assert client.config_get("save") == {"save": ""}


def test_nobody_else_may_connect_and_no_port_is_open(server: EmbeddedValkey) -> None:
    path = Path(server.url.removeprefix("unix://"))
    assert path.stat().st_mode & 0o077 == 0
    with _client(server) as client:
        assert client.config_get("port") == {"port": "0"}


def test_two_live_side_by_side(server: EmbeddedValkey, tmp_path: Path) -> None:
    other = EmbeddedValkey(tmp_path / "other")
    other.start()
    with _client(server) as one, _client(other) as two:
        one.set("a", "1")
        assert two.get("a") is None
    other.stop()


def test_a_socket_left_behind_by_a_killed_server_is_in_nobodys_way(server: EmbeddedValkey, tmp_path: Path) -> None:
    assert server.pid is not None
    os.kill(server.pid, signal.SIGKILL)
    again = EmbeddedValkey(tmp_path / "valkey")
    again.start()
    with _client(again) as client:
        assert client.ping()
    again.stop()


def test_a_path_too_long_for_a_socket_is_no_obstacle(tmp_path: Path) -> None:
    server = EmbeddedValkey(tmp_path / ("long" * 30) / ("longer" * 20))
    server.start()
    with _client(server) as client:
        assert client.ping()
    server.stop()


def test_a_path_may_have_what_means_something_in_a_url(tmp_path: Path) -> None:
    server = EmbeddedValkey(tmp_path / "deals #1, 20%25 won?")
    server.start()
    with _client(server) as client:
        assert client.ping()
    server.stop()


def test_a_server_that_cannot_start_says_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(SETTINGS, "maxmemory", "much")
    with pytest.raises(ValkeyError, match="maxmemory"):
        EmbeddedValkey(tmp_path).start()
