"""The keys that tokens are verified with: one secret, or the public keys of who signs them, which come and go."""

import asyncio
import http.client
import time
import urllib.request
import warnings
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import IO, Any, Protocol

import orjson
import structlog
from joserfc.errors import JoseError, SecurityWarning
from joserfc.jwk import ECKey, JWKRegistry, OctKey, OKPKey, RSAKey

from core.errors import Unavailable
from core.settings import Settings, SettingsError

log = structlog.get_logger("web")
Key = RSAKey | ECKey | OKPKey | OctKey
KEY_TYPES = {"RS": "RSA", "PS": "RSA", "ES": "EC", "Ed": "OKP"}
LEAST_RSA_BITS = 2048
# A key that is not known may be new; but whoever makes up names of keys must not make us ask for each.
REFETCH_AFTER_S = 10.0
FETCH_TIMEOUT_S = 5.0
MOST_BYTES = 1_000_000


class TokenKeys(Protocol):
    """Finds the key of a token."""

    async def find(self, kid: str | None, algorithm: str) -> Key | None:
        """The key of that name which that algorithm takes; None if there is none. Raises Unavailable before any is known."""


class SharedSecret:
    """The one secret, whatever the token calls it."""

    def __init__(self, secret: str) -> None:
        self._key = OctKey.import_key(secret)

    async def find(self, kid: str | None, algorithm: str) -> Key | None:
        """The secret."""
        return self._key


class PublicKeys:
    """A JSON Web Key Set (RFC 7517), read again now and then, and when a token names a key that is not in it.

    One that cannot be read leaves the keys as they were.
    """

    def __init__(self, read: Callable[[], bytes], now: Callable[[], float] = time.monotonic) -> None:
        self._read = read
        self._now = now
        self._keys: list[Key] | None = None
        self._asked_at = float("-inf")
        self._refreshing: asyncio.Task[None] | None = None

    async def find(self, kid: str | None, algorithm: str) -> Key | None:
        """The key of that name; without a name the only one that fits."""
        found = self._fitting(kid, algorithm)
        may_ask = self._refreshing is not None or self._now() - self._asked_at >= REFETCH_AFTER_S
        if found is None and may_ask:
            await self.refresh()
            found = self._fitting(kid, algorithm)
        if self._keys is None:
            raise Unavailable("The keys that tokens are verified with cannot be read. Try again shortly.")
        return found

    async def refresh(self) -> None:
        """Reads the set; once, however many want it at the same time."""
        if self._refreshing is None:
            self._asked_at = self._now()
            self._refreshing = asyncio.create_task(self._refresh())
        await asyncio.shield(self._refreshing)

    async def _refresh(self) -> None:
        try:
            async with asyncio.timeout(2 * FETCH_TIMEOUT_S):
                self._keys = keys_of(await asyncio.to_thread(self._read))
            if not self._keys:
                log.warning("the key set of JWT_JWKS holds no key that can be used: no token is accepted")
        except (OSError, ValueError, http.client.HTTPException) as error:  # TimeoutError is an OSError
            log.warning("the key set of JWT_JWKS was not read; the keys stay as they were", error=str(error))
        finally:
            self._refreshing = None

    def _fitting(self, kid: str | None, algorithm: str) -> Key | None:
        fitting = [key for key in self._keys or () if _fits(key, algorithm) and kid in (None, key.get("kid"))]
        return fitting[0] if fitting and (kid is not None or len(fitting) == 1) else None


def open_keys(settings: Settings) -> "SharedSecret | PublicKeys | None":
    """The keys that the settings name; None where no tokens are taken."""
    if settings.auth != "jwt":
        return None
    if settings.jwt_secret is not None:
        return SharedSecret(settings.jwt_secret.get_secret_value())
    where = settings.jwt_jwks or ""
    return PublicKeys(lambda: _fetched(where) if "://" in where else _file(Path(where)))


def check_keys(settings: Settings) -> None:
    """Raises SettingsError for a file of keys that cannot be read now; a URL may come back by itself."""
    where = settings.jwt_jwks
    if settings.auth == "jwt" and where and "://" not in where:
        try:
            keys_of(_file(Path(where)))
        except (OSError, ValueError) as error:
            reason = error.strerror if isinstance(error, OSError) else str(error)
            raise SettingsError(f"JWT_JWKS={where}: {reason}") from None


def keys_of(text: bytes) -> list[Key]:
    """The keys of a set that can be used: public ones for signatures, of two thousand bits if RSA. Raises ValueError."""
    given = orjson.loads(text)
    if not isinstance(given, dict) or not isinstance(given.get("keys"), list):
        raise ValueError("is not a JSON Web Key Set: it has no `keys`")
    return [key for each in given["keys"] for key in _usable(each)]


def _usable(given: Any) -> Iterable[Key]:
    if not isinstance(given, dict) or given.get("kty") not in KEY_TYPES.values() or given.get("use", "sig") != "sig":
        return
    try:
        if "verify" not in given.get("key_ops", ["verify"]):
            return
        with warnings.catch_warnings(action="ignore", category=SecurityWarning):  # of keys that the next line refuses
            key = JWKRegistry.import_key(given)
        if isinstance(key, RSAKey) and key.public_key.key_size < LEAST_RSA_BITS:
            raise ValueError(f"has less than {LEAST_RSA_BITS} bits")
        yield key
    except (JoseError, ValueError, TypeError, KeyError) as error:
        log.warning("a key of JWT_JWKS cannot be used", kid=str(given.get("kid"))[:100], error=str(error))


def _fits(key: Key, algorithm: str) -> bool:
    return key.key_type == KEY_TYPES.get(algorithm[:2]) and key.get("alg") in (None, algorithm)


def _file(path: Path) -> bytes:
    with path.open("rb") as file:
        return _bounded(file)


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    """The setting says where the keys are, and nobody else."""

    def redirect_request(self, *_: object) -> None:
        return None


def _fetched(url: str) -> bytes:
    # http:// is of this machine (core/settings.py), and no proxy stands between us and ourselves.
    direct = [urllib.request.ProxyHandler({})] if url.startswith("http://") else []
    opener = urllib.request.build_opener(_NoRedirects, *direct)
    request = urllib.request.Request(url, headers={"accept": "application/jwk-set+json, application/json"})  # noqa: S310
    with opener.open(request, timeout=FETCH_TIMEOUT_S) as response:  # the scheme was checked with the settings
        return _bounded(response)


def _bounded(file: IO[bytes]) -> bytes:
    text = file.read(MOST_BYTES + 1)
    if len(text) > MOST_BYTES:
        raise ValueError(f"is longer than {MOST_BYTES:,} bytes")
    return text
