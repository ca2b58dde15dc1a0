"""Settings are environment variables: each checked at the start, all mistakes told at once, no secret ever shown."""

from pathlib import Path

import pytest
from pydantic import ValidationError

from core.settings import Settings, SettingsError, load_settings

KEY, OLD_KEY = "5e" * 32, "0f" * 32
YOURS = {"DATABASE_URL": "postgresql://me:hunter2@db/crm", "REDIS_URL": "rediss://:hunter2@cache"}


@pytest.fixture(autouse=True)
def nothing_set(monkeypatch: pytest.MonkeyPatch) -> None:
    """The environment of the tests themselves says nothing about the server."""
    for name in Settings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)


def _load(monkeypatch: pytest.MonkeyPatch, **variables: str) -> Settings:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    return load_settings()


def test_with_nothing_set_the_server_is_local_and_embeds_what_it_needs() -> None:
    settings = load_settings()
    assert (settings.host, settings.port, settings.workers) == ("127.0.0.1", 8000, 1)
    assert settings.data_dir == Path(".data")
    assert settings.demo
    assert (settings.database_url, settings.redis_url, settings.cursor_keys) == (None, None, None)
    assert settings.cursor_key_bytes == []


@pytest.mark.parametrize(
    ("name", "value", "read"),
    [
        ("HOST", "::1", "::1"),
        ("PORT", "65535", 65535),
        ("WORKERS", "4", 4),
        ("LOG_LEVEL", "WARNING", "warning"),
        ("AUTH", "Keys", "keys"),
        ("LIMITS", "ON", "on"),
        ("WARM", "Deals, Stages", ["Deals", "Stages"]),
        ("CORS_ORIGINS", "https://a.example:8443, http://[::1]:443", ["https://a.example:8443", "http://[::1]:443"]),
        ("DATA_DIR", "/srv/deals", Path("/srv/deals")),
        ("DEMO", "0", False),
        ("DEMO", "no", False),
        ("POOL_SIZE", "3", 3),
        ("POOL_WAIT_S", "0.5", 0.5),
        ("POOL_QUEUE", "10", 10),
        ("STATEMENT_TIMEOUT_S", "1.5", 1.5),
        ("REQUEST_DEADLINE_S", "2", 2.0),
        ("SLOW_STATEMENT_S", "0.1", 0.1),
        ("MAX_BODY_BYTES", "2000", 2000),
    ],
)
def test_each_setting_is_the_variable_of_its_name(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, read: object
) -> None:
    assert getattr(_load(monkeypatch, **{name: value}), name.lower()) == read


def test_an_empty_variable_is_one_that_is_not_set(monkeypatch: pytest.MonkeyPatch) -> None:
    assert _load(monkeypatch, PORT="", DATABASE_URL="", CURSOR_KEYS="", DEMO="").port == 8000


@pytest.mark.parametrize(
    ("name", "value", "reason"),
    [
        ("HOST", " ", "must be an address of this machine"),
        ("HOST", "http://localhost", "must be an address of this machine"),
        ("HOST", "nope.invalid", "if there is such a host, others can reach it"),
        ("HOST", "0.0.0.0", "others can reach this address"),
        ("WARM", "Deals,,Stages", "a name is missing"),
        ("WARM", "Deals,", "a name is missing"),
        ("CORS_ORIGINS", "https://a.example:443", "browsers leave out :443 behind https://"),
        ("CORS_ORIGINS", "http://[::1]:80", "browsers leave out :80 behind http://"),
        ("CORS_ORIGINS", "https://a.example:99999", "a number from 1 to 65535"),
        ("CORS_ORIGINS", "https://a.example:0", "a number from 1 to 65535"),
        ("PORT", "abc", "valid integer"),
        ("PORT", "0", "greater than or equal to 1"),
        ("PORT", "65536", "less than or equal to 65535"),
        ("WORKERS", "x", "valid integer"),
        ("WORKERS", "0", "greater than or equal to 1"),
        ("LOG_LEVEL", "loud", "'debug', 'info', 'warning' or 'error'"),
        ("DEMO", "perhaps", "valid boolean"),
        ("POOL_SIZE", "0", "greater than or equal to 1"),
        ("REQUEST_DEADLINE_S", "0", "greater than 0"),
        ("STATEMENT_TIMEOUT_S", "nan", "less than or equal to 600"),
        ("STATEMENT_TIMEOUT_S", "0.001", "greater than or equal to 0.1"),
        ("MAX_BODY_BYTES", "1.5", "valid integer"),
    ],
)
def test_a_wrong_value_is_one_line_with_the_variable_the_value_and_the_reason(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, reason: str
) -> None:
    with pytest.raises(SettingsError) as refused:
        _load(monkeypatch, **{name: value})
    (line,) = str(refused.value).splitlines()
    assert line.startswith(f"{name}={value}: ")
    assert reason in line


@pytest.mark.parametrize(
    ("name", "value", "reason"),
    [
        ("DATABASE_URL", "mysql://user:hunter2@host", "must start with postgresql:// or postgres://"),
        ("REDIS_URL", "http://user:hunter2@host", "must start with redis:// or rediss:// or unix://"),
        ("CURSOR_KEYS", "hunter2", "64 hexadecimal digits"),
        ("CURSOR_KEYS", f"{KEY},hunter2", "64 hexadecimal digits"),
        ("CURSOR_KEYS", f"{KEY},", "64 hexadecimal digits"),
        ("CURSOR_KEYS", KEY + "00", "64 hexadecimal digits"),
    ],
)
def test_a_wrong_secret_is_named_and_not_shown(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, reason: str
) -> None:
    with pytest.raises(SettingsError) as refused:
        _load(monkeypatch, **{name: value})
    (line,) = str(refused.value).splitlines()
    assert line.startswith(f"{name}: ")
    assert reason in line
    assert "hunter2" not in line
    assert KEY not in line


def test_all_wrong_values_are_told_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(SettingsError) as refused:
        _load(monkeypatch, PORT="abc", WORKERS="x", LOG_LEVEL="loud", CURSOR_KEYS="xyz", DATABASE_URL="mysql://a:b@c")
    named = {line.split(":")[0].split("=")[0] for line in str(refused.value).splitlines()}
    assert named == {"PORT", "WORKERS", "LOG_LEVEL", "CURSOR_KEYS", "DATABASE_URL"}


def test_whoever_brings_both_servers_must_bring_the_cursor_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(SettingsError) as refused:
        _load(monkeypatch, **YOURS)
    (line,) = str(refused.value).splitlines()
    assert line.startswith("CURSOR_KEYS is not set")
    assert "openssl rand -hex 32" in line
    assert _load(monkeypatch, **YOURS, CURSOR_KEYS=KEY).cursor_key_bytes == [bytes.fromhex(KEY)]


def test_the_embedded_database_takes_so_many_connections_and_not_more(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(SettingsError, match=r"^POOL_SIZE=200 WORKERS=11: the embedded PostgreSQL takes at most 2,000 connections"):
        _load(monkeypatch, POOL_SIZE="200", WORKERS="11")
    assert _load(monkeypatch, WORKERS="10").workers == 10
    assert _load(monkeypatch, WORKERS="11", **YOURS, CURSOR_KEYS=KEY).workers == 11


def test_the_first_cursor_key_is_the_current_one(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = _load(monkeypatch, CURSOR_KEYS=f"{KEY}, {OLD_KEY.upper()}")
    assert settings.cursor_key_bytes == [bytes.fromhex(KEY), bytes.fromhex(OLD_KEY)]


def test_settings_never_show_their_secrets_and_never_change(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = _load(monkeypatch, **YOURS, CURSOR_KEYS=KEY)
    for shown in (repr(settings), str(settings), str(settings.model_dump()), settings.model_dump_json()):
        assert "hunter2" not in shown
        assert KEY not in shown
    with pytest.raises(ValidationError):
        settings.port = 1


def test_every_setting_says_what_it_is_for() -> None:
    assert all(field.description for field in Settings.model_fields.values())


TOKENS = {"AUTH": "jwt", "JWT_SECRET": "s" * 32, "JWT_ISSUER": "https://id.example", "JWT_AUDIENCE": "a,b"}


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.0.7", "crm.example", "localhost.example"])
def test_everyone_is_let_in_from_elsewhere_only_if_a_setting_says_so(monkeypatch: pytest.MonkeyPatch, host: str) -> None:
    with pytest.raises(SettingsError, match=r"HOST=.*AUTH_OFF_ANYWHERE=1 if that is what you want"):
        _load(monkeypatch, HOST=host)
    assert _load(monkeypatch, HOST=host, AUTH_OFF_ANYWHERE="1").host == host
    monkeypatch.delenv("AUTH_OFF_ANYWHERE")
    assert _load(monkeypatch, HOST=host, AUTH="keys").host == host
    assert _load(monkeypatch, HOST=host, **TOKENS).jwt_audience == ["a", "b"]


@pytest.mark.parametrize("host", ["127.0.0.1", "127.1.2.3", "::1", "localhost"])
def test_this_machine_needs_no_credential(monkeypatch: pytest.MonkeyPatch, host: str) -> None:
    assert _load(monkeypatch, HOST=host).auth == "off"


@pytest.mark.parametrize(
    ("variables", "told"),
    [
        ({"JWT_SECRET": ""}, "set one of JWT_SECRET and JWT_JWKS"),
        ({"JWT_JWKS": "keys.json"}, "set one of JWT_SECRET and JWT_JWKS"),
        ({"JWT_SECRET": "hunter2"}, "JWT_SECRET must have 32 bytes"),
        ({"JWT_AUDIENCE": ""}, "set JWT_ISSUER and JWT_AUDIENCE"),
        ({"JWT_AUDIENCE": ","}, "set JWT_ISSUER and JWT_AUDIENCE"),
        ({"JWT_ISSUER": ""}, "set JWT_ISSUER and JWT_AUDIENCE"),
        ({"JWT_ALGORITHMS": "HS256,none"}, "not none"),
        ({"JWT_ALGORITHMS": "RS256"}, "not RS256"),
        ({"JWT_SECRET": "", "JWT_JWKS": "keys.json", "JWT_ALGORITHMS": "RS256,HS256"}, "not HS256"),
        ({"JWT_SECRET": "", "JWT_JWKS": "http://id.example/keys"}, "must be a file or an https:// URL"),
        *[
            ({"JWT_SECRET": "", "JWT_JWKS": url}, "must be a file or an https:// URL")
            for url in ("ftp://id.example/keys", "https:///keys", "http://[bad", "https://user:hunter2@id.example/keys")
        ],
    ],
)
def test_tokens_that_could_not_be_trusted_stop_the_start(monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], told: str) -> None:
    with pytest.raises(SettingsError) as refused:
        _load(monkeypatch, **(TOKENS | variables))
    assert told in str(refused.value)
    assert "hunter2" not in str(refused.value)
