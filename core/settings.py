"""Every setting of the program: environment variables with units in their names, checked once at the start."""

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from core.cursor import KEY_BYTES
from core.network import Network, check_origin, is_address, is_loopback, networks_of
from core.rate import rate_of

# What a secret signs, and what a key pair does. One that is public must never be taken for a secret.
SECRET_ALGORITHMS = ("HS256", "HS384", "HS512")
PUBLIC_ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "Ed25519", "EdDSA")
LEAST_SECRET_BYTES = 32
# One that is used takes 6 MB in the embedded PostgreSQL, which has a process for each.
MOST_EMBEDDED_CONNECTIONS = 2000


class SettingsError(Exception):
    """Settings that cannot be used: one line for each, naming the variable and what it must be."""


class Settings(BaseSettings):
    """What the program can be told from outside. Each field is the environment variable of the same name."""

    model_config = SettingsConfigDict(frozen=True, extra="ignore", case_sensitive=False, env_ignore_empty=True)

    host: str = Field(default="127.0.0.1", min_length=1, description="Address to listen on.")
    port: int = Field(default=8000, ge=1, le=65535, description="Port to listen on.")
    workers: int = Field(default=1, ge=1, le=64, description="Server processes; one per core is a good start.")
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        default="info", description="Least severe line logged: debug, info, warning or error."
    )

    data_dir: Path = Field(default=Path(".data"), description="Where the embedded servers and generated keys are kept.")
    database_url: SecretStr | None = Field(default=None, description="PostgreSQL 18 to use instead of the embedded one.")
    redis_url: SecretStr | None = Field(default=None, description="Redis or Valkey to use instead of the embedded one.")
    demo: bool = Field(default=True, description="0 starts with an empty database instead of demo data.")
    cursor_keys: Annotated[list[SecretStr] | None, NoDecode] = Field(
        default=None,
        description="Keys that seal cursors, 64 hexadecimal digits each, comma-separated, the current one first. "
        "Made and kept in DATA_DIR when a server is embedded; needed when both are yours.",
    )

    auth: Literal["off", "jwt", "keys"] = Field(
        default="off", description="Who may come in: everyone, holders of tokens and of API keys, or of API keys alone."
    )
    auth_off_anywhere: bool = Field(
        default=False, description="1 lets AUTH=off listen on an address that others can reach, and answer to any Host."
    )
    jwt_secret: SecretStr | None = Field(default=None, description="Secret that tokens are signed with, 32 bytes or more.")
    jwt_jwks: str | None = Field(
        default=None, description="Public keys of who signs tokens: URL or file of a JSON Web Key Set (RFC 7517)."
    )
    jwt_issuer: str | None = Field(default=None, description="`iss` that tokens must have.")
    jwt_audience: Annotated[list[str], NoDecode] = Field(
        default=[], description="`aud` that tokens must have, or several, comma-separated, of which they must have one."
    )
    jwt_algorithms: Annotated[list[str], NoDecode] = Field(
        default=[],
        description="Algorithms taken, comma-separated. Unless said: HS256 with JWT_SECRET; RS256, PS256, ES256, Ed25519 and "
        "EdDSA with JWT_JWKS.",
    )
    jwt_leeway_s: int = Field(default=10, ge=0, le=300, description="How far the clock of who signs tokens may be off.")
    jwt_owner_claim: str = Field(default="owner", min_length=1, description="Claim with the id of the user who asks.")
    jwt_scope_claim: str = Field(
        default="scope", min_length=1, description="Claim with the scopes: a list, or one text with blanks between them."
    )
    jwks_refresh_s: float = Field(default=300.0, gt=0, le=86_400, description="The keys of JWT_JWKS are read again so often.")

    pool_size: int = Field(
        default=8, ge=1, le=200, description="PostgreSQL connections of each process, five of them at most for an operation."
    )
    pool_wait_s: float = Field(default=2.0, gt=0, le=60, description="Longest wait for a free connection.")
    pool_queue: int = Field(default=1000, ge=1, le=100_000, description="Most requests waiting for a connection at once.")
    statement_timeout_s: float = Field(
        default=3.0, ge=0.1, le=600, description="PostgreSQL stops a statement after this, 0.1 or more."
    )
    request_deadline_s: float = Field(default=5.0, gt=0, le=600, description="A request is cut off after this.")
    slow_statement_s: float = Field(default=0.25, gt=0, description="Statements slower than this are logged and counted.")
    max_body_bytes: int = Field(default=1_000_000, ge=1000, le=100_000_000, description="Largest request body.")
    batch_most: int = Field(default=0, ge=0, le=1000, description="Most requests in one array; 0 takes no arrays.")
    partial_status: Literal[200, 294] = Field(
        default=200,
        description="HTTP status of an answer with errors of fields, for who accepts graphql-response+json: 200 or 294.",
    )
    refused_status: Literal[400, 422] = Field(
        default=422, description="Status of a request that is understood but invalid: 400 as before the draft of 2026-04."
    )

    max_document_bytes: int = Field(
        default=100_000, ge=1000, le=100_000_000, description="Longest document that is not trusted."
    )
    max_tokens: int = Field(default=2000, ge=100, le=100_000, description="Most tokens of a document that is not trusted.")
    max_depth: int = Field(default=10, ge=1, le=1000, description="Most fields within each other, in such a document.")
    max_aliases: int = Field(default=30, ge=0, le=10_000, description="Most aliases, fragments counted where they are spread.")
    max_root_fields: int = Field(default=20, ge=1, le=10_000, description="Most fields at the root of an operation.")
    max_directives: int = Field(default=50, ge=0, le=10_000, description="Most directives in a document.")
    max_cost: int = Field(
        default=5000, ge=1, le=1_000_000_000, description="Highest estimated cost of an operation, about one for each object."
    )

    limits: Literal["auto", "on", "off"] = Field(
        default="auto", description="Limits for each client; auto is on unless everything is embedded and HOST is this machine."
    )
    limit_overall: str = Field(
        default="1000/15min",
        description="Requests of a client, answers from the cache included; as all limits in a period of s, min, h or d.",
    )
    limit_api: str = Field(default="100/min", description="Operations of a client, but for answers from the cache.")
    limit_heavy: str = Field(default="20/min", description="Those of them that are estimated at LIMIT_HEAVY_COST or more.")
    limit_heavy_cost: int = Field(default=1000, ge=1, le=1_000_000_000, description="From this estimated cost on it is heavy.")
    limit_bulk: str = Field(default="5/min", description="Bulk changes of a client.")
    limit_statistics: str = Field(
        default="10/5min", description="Requests of a client to `/api/deals/pipeline-stats` and `/api/contacts/stats`."
    )
    limit_health: str = Field(default="200/min", description="Health checks of a client, which count nowhere else.")
    limit_points: int = Field(default=10_000, ge=1, le=2_000_000_000, description="Points a client can have, of cost 1 each.")
    limit_points_per_s: float = Field(default=100.0, gt=0, le=1_000_000, description="Points that it gets back each second.")
    limit_wait_most_s: int = Field(
        default=3600,
        ge=1,
        le=31_536_000,
        description="Who goes over a limit again and again waits so long at most, or until its window ends.",
    )
    limit_heal_s: int = Field(default=600, ge=1, le=31_536_000, description="After this, one time over a limit is forgotten.")
    limit_exempt: Annotated[list[Network], NoDecode] = Field(
        default=[], description="Networks without limits, comma-separated, such as 10.0.0.0/8."
    )
    trusted_proxies: Annotated[list[Network], NoDecode] = Field(
        default=[], description="Networks of proxies whose X-Forwarded-For and -Proto are believed, comma-separated."
    )

    concurrency: int = Field(default=64, ge=1, le=100_000, description="Operations that each process runs at once.")
    concurrency_queue: int = Field(default=256, ge=0, le=100_000, description="Most operations waiting for their turn.")
    concurrency_wait_s: float = Field(default=1.0, gt=0, le=60, description="Longest wait for it; then the answer is 503.")
    max_connections: int = Field(default=10_000, ge=10, le=1_000_000, description="Open connections of each process.")
    max_header_bytes: int = Field(default=16_384, ge=1000, le=1_000_000, description="Largest request head.")
    max_url_bytes: int = Field(default=8_192, ge=100, le=1_000_000, description="Longest URL.")
    head_timeout_s: float = Field(default=10.0, gt=0, le=600, description="A request head must be here within this.")
    body_timeout_s: float = Field(default=30.0, gt=0, le=600, description="A request body must be here within this.")
    max_json_depth: int = Field(default=64, ge=4, le=500, description="Most levels of nested JSON in a request.")
    max_errors: int = Field(default=10, ge=1, le=1000, description="Most errors that an answer tells.")

    cors_origins: Annotated[list[str], NoDecode] = Field(
        default=[], description="Origins whose pages may use the API from a browser, comma-separated: https://app.example.com."
    )
    hsts_s: int = Field(
        default=31_536_000,
        ge=0,
        le=63_072_000,
        description="Browsers stay with TLS so long, once told, for this name and all below it; 0 tells nothing.",
    )

    executor: Literal["breadth-first", "graphql-core"] = Field(
        default="breadth-first",
        description="Who executes operations; graphql-core is slower; of several errors it may tell others.",
    )
    documents: Literal["open", "log-unknown", "trusted-only"] = Field(
        default="open", description="Which documents run: any, any with a log line for each that is not trusted, trusted ones."
    )
    apq: bool = Field(default=True, description="0 lets no client register documents by their hash.")
    apq_ttl_s: int = Field(default=86_400, ge=60, le=31_536_000, description="A registered document is kept so long unused.")
    apq_document_bytes: int = Field(default=50_000, ge=100, le=1_000_000, description="Longest document a client registers.")
    apq_memory_bytes: int = Field(
        default=10_000_000, ge=0, le=1_000_000_000, description="Registered documents that each process keeps in memory."
    )

    cache_bytes: int = Field(
        default=64_000_000, ge=0, le=10_000_000_000, description="Finished answers kept by each process; 0 keeps none."
    )
    cache_shared: bool = Field(default=True, description="0 keeps answers in each process only, and not in Redis.")
    warm: Annotated[list[str], NoDecode] = Field(
        default=[],
        description="Names of trusted queries, comma-separated: answered at the start if they need no variables, and again "
        "when a write ends what many asked for.",
    )
    stale_if_error_s: float = Field(
        default=0.0,
        ge=0,
        le=86_400,
        description="With AUTH=off and no database, answers of at most this age are served, marked as stale.",
    )
    reuse_s: float = Field(
        default=0.0,
        ge=0,
        le=86_400,
        description="Clients may use an answer again so long without asking; longest as long as its fields are usually good.",
    )

    @field_validator("log_level", "auth", "limits", "executor", "documents", mode="before")
    @classmethod
    def _lower(cls, value: Any) -> Any:
        return value.lower() if isinstance(value, str) else value

    @field_validator("partial_status", "refused_status", mode="before")
    @classmethod
    def _number(cls, value: Any) -> Any:
        return int(value) if isinstance(value, str) and value.isdecimal() else value

    @field_validator("cursor_keys", "warm", "cors_origins", "jwt_audience", "jwt_algorithms", mode="before")
    @classmethod
    def _split(cls, value: Any) -> Any:
        return [part.strip() for part in value.split(",")] if isinstance(value, str) else value

    @field_validator("host")
    @classmethod
    def _host(cls, host: str) -> str:
        if not re.fullmatch(r"[\w.:%-]+", host):
            raise ValueError("must be an address of this machine, such as 127.0.0.1 or ::1, or a name of it")
        return host

    @field_validator("warm")
    @classmethod
    def _names(cls, names: list[str]) -> list[str]:
        if not all(names):
            raise ValueError("a name is missing before or behind a comma")
        return names

    @field_validator("cursor_keys")
    @classmethod
    def _hexadecimal(cls, keys: list[SecretStr] | None) -> list[SecretStr] | None:
        if keys is not None:
            for key in keys:
                _key_bytes(key)
        return keys

    @field_validator("limit_overall", "limit_api", "limit_heavy", "limit_bulk", "limit_statistics", "limit_health")
    @classmethod
    def _rate(cls, text: str) -> str:
        rate_of(text)
        return text

    @field_validator("limit_exempt", "trusted_proxies", mode="before")
    @classmethod
    def _networks(cls, value: Any) -> Any:
        return networks_of(value)

    @field_validator("cors_origins")
    @classmethod
    def _origins(cls, origins: list[str]) -> list[str]:
        return [check_origin(each) for each in origins]

    @field_validator("database_url")
    @classmethod
    def _postgres_url(cls, url: SecretStr | None) -> SecretStr | None:
        return _with_scheme(url, ("postgresql://", "postgres://"))

    @field_validator("redis_url")
    @classmethod
    def _redis_url(cls, url: SecretStr | None) -> SecretStr | None:
        return _with_scheme(url, ("redis://", "rediss://", "unix://"))

    @model_validator(mode="after")
    def _secrets_are_given(self) -> "Settings":
        if self.database_url and self.redis_url and not self.cursor_keys:
            raise ValueError(
                "CURSOR_KEYS is not set: with DATABASE_URL and REDIS_URL nothing is embedded and every process must "
                "share the keys; make one with `openssl rand -hex 32`"
            )
        return self

    @model_validator(mode="after")
    def _connections_are_few_enough(self) -> "Settings":
        if self.database_url is None and self.pool_size * self.workers > MOST_EMBEDDED_CONNECTIONS:
            raise ValueError(
                f"POOL_SIZE={self.pool_size} WORKERS={self.workers}: the embedded PostgreSQL takes at most "
                f"{MOST_EMBEDDED_CONNECTIONS:,} connections of all workers together; POOL_SIZE=8 is a good start"
            )
        return self

    @model_validator(mode="after")
    def _nobody_is_let_in_by_oversight(self) -> "Settings":
        if self.auth == "off" and not self.auth_off_anywhere and not is_loopback(self.host):
            # A name is looked up later, if at all: it may be a misspelt one.
            told = "others can reach this address" if is_address(self.host) else "if there is such a host, others can reach it"
            raise ValueError(
                f"HOST={self.host}: {told}, and AUTH=off lets everyone read and write everything; "
                "set AUTH=jwt or AUTH=keys, or AUTH_OFF_ANYWHERE=1 if that is what you want"
            )
        return self

    @model_validator(mode="after")
    def _tokens_can_be_verified(self) -> "Settings":
        if self.auth == "jwt":
            wrong = "; ".join(_token_faults(self))
            if wrong:
                raise ValueError(f"AUTH=jwt: {wrong}")
        return self

    @property
    def token_algorithms(self) -> frozenset[str]:
        """The algorithms that a token may be signed with."""
        usual = SECRET_ALGORITHMS[:1] if self.jwt_secret else ("RS256", "PS256", "ES256", "Ed25519", "EdDSA")
        return frozenset(self.jwt_algorithms or usual)

    @property
    def limits_are_on(self) -> bool:
        """Whether clients have limits."""
        if self.limits == "auto":
            return bool(self.database_url or self.redis_url) or not is_loopback(self.host)
        return self.limits == "on"

    @property
    def cursor_key_bytes(self) -> list[bytes]:
        """The cursor keys, the current one first; empty if none is set."""
        return [_key_bytes(key) for key in self.cursor_keys or ()]


def load_settings() -> Settings:
    """The settings of this process's environment. Raises SettingsError naming every wrong one."""
    try:
        return Settings()
    except ValidationError as error:
        raise SettingsError("\n".join(_line(dict(each)) for each in error.errors())) from None


def url_of(setting: SecretStr | None) -> str:
    """The text of a URL that is kept from logs; empty where there is none yet."""
    return "" if setting is None else setting.get_secret_value()


def _line(error: dict[str, Any]) -> str:
    """``PORT=abc: must be ...``: secrets are named but never shown."""
    reason = error["msg"].removeprefix("Value error, ")
    if not error["loc"]:
        return str(reason)
    name = str(error["loc"][0])
    secret = "SecretStr" in str(Settings.model_fields[name].annotation)
    given = "" if secret else f"={os.environ.get(name.upper(), error['input'])}"
    return f"{name.upper()}{given}: {reason[0].lower()}{reason[1:]}"


def _with_scheme(url: SecretStr | None, schemes: tuple[str, ...]) -> SecretStr | None:
    if url is not None and not url.get_secret_value().startswith(schemes):
        raise ValueError(f"must start with {' or '.join(schemes)}")
    return url


def _token_faults(settings: Settings) -> Iterator[str]:
    """What is missing or wrong for verifying tokens."""
    if (settings.jwt_secret is None) == (settings.jwt_jwks is None):
        yield "set one of JWT_SECRET and JWT_JWKS, and not both"
        return
    if settings.jwt_secret and len(settings.jwt_secret.get_secret_value().encode()) < LEAST_SECRET_BYTES:
        yield f"JWT_SECRET must have {LEAST_SECRET_BYTES} bytes or more; make one with `openssl rand -base64 48`"
    if settings.jwt_jwks and "://" in settings.jwt_jwks and not _is_trustworthy(settings.jwt_jwks):
        yield "JWT_JWKS must be a file or an https:// URL without a password; http:// is for this machine alone"
    if not settings.jwt_issuer or not all(settings.jwt_audience) or not settings.jwt_audience:
        yield "set JWT_ISSUER and JWT_AUDIENCE: a token that was made for others must not open this door"
    known = SECRET_ALGORITHMS if settings.jwt_secret else PUBLIC_ALGORITHMS
    strange = [name for name in settings.jwt_algorithms if name not in known]
    if strange:
        yield f"JWT_ALGORITHMS may be {', '.join(known)} here, not {', '.join(strange)}"


def _is_trustworthy(url: str) -> bool:
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    host = parts.hostname or ""
    if "@" in parts.netloc:
        return False
    return is_loopback(host) if parts.scheme == "http" else parts.scheme == "https" and bool(host)


def _key_bytes(key: SecretStr) -> bytes:
    try:
        found = bytes.fromhex(key.get_secret_value())
    except ValueError:
        found = b""
    if len(found) != KEY_BYTES:
        raise ValueError(f"each key must be {2 * KEY_BYTES} hexadecimal digits; make one with `openssl rand -hex 32`")
    return found
