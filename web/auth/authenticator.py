"""Who stands behind a credential. What was verified is believed for a minute, and not a moment longer once it is revoked.

A process believes what it has verified only while it would hear that it is revoked: the notifications that keep cached
answers fresh (``cache/freshness.py``) tell of keys and tokens too. While it cannot hear, it asks the database each time.
"""

import asyncio
import hashlib
import secrets
import time
from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import NamedTuple
from uuid import UUID

import structlog

from cache.freshness import Freshness
from core import tags
from core.api_key import PREFIX, digest_of
from core.errors import AppError, CredentialExpired, DeadlineExceeded, InvalidCredential, Unauthenticated
from core.later import pass_over
from core.settings import Settings
from core.viewer import EVERYONE, EXPLORE, SCOPES, Viewer
from db.database import Database
from db.statements import statement
from web.auth.credential import credential_of
from web.auth.key_set import PublicKeys, SharedSecret
from web.auth.token import TokenVerifier

log = structlog.get_logger("web")
BELIEVED_S = 60.0
MOST_BELIEVED = 10_000
USES_EVERY_S = 60.0
CLOSING_S = 1.0
LONG_AGO = datetime(1970, 1, 1, tzinfo=UTC)


class ApiKeyRow(NamedTuple):
    """A key that somebody was given."""

    id: UUID
    scopes: list[str]
    owner_id: UUID | None
    expires_at: datetime | None
    revoked_at: datetime | None


class UsedKeyRow(NamedTuple):
    """A key of which it was written down that it is used."""

    id: UUID


class TokenStandingRow(NamedTuple):
    """Whether a token is revoked, and whether the owner it names is one of our users."""

    is_revoked: bool
    is_user: bool


KEY = statement("api_key.by_digest", ApiKeyRow)
NOTE_USED = statement("api_key.note_used", UsedKeyRow)
STANDING = statement("token.standing", TokenStandingRow)


@dataclass(slots=True)
class _Believed:
    """A verified credential: until when by the monotonic clock, what would change it, up to which notification nothing did."""

    viewer: Viewer
    until: float
    tags: tuple[str, ...]
    number: int
    key_id: UUID | None


class Authenticator:
    """Answers who asks. With ``AUTH=off`` that is everyone, whatever the headers say."""

    def __init__(
        self,
        settings: Settings,
        database: Database,
        freshness: Freshness,
        keys: "SharedSecret | PublicKeys | None" = None,
    ) -> None:
        self._database = database
        self._freshness = freshness
        self._keys = keys
        self._tokens = TokenVerifier(settings, keys) if keys is not None else None
        self._deadline_s = settings.request_deadline_s
        self._leeway = timedelta(seconds=settings.jwt_leeway_s)
        self._refresh_s = settings.jwks_refresh_s
        self._everyone: Viewer | None = None
        if settings.auth == "off":
            hides = {EXPLORE} if settings.documents == "trusted-only" else set()
            self._everyone = replace(EVERYONE, scopes=SCOPES - hides)
        self._salt = secrets.token_bytes(16)
        self._believed: OrderedDict[bytes, _Believed] = OrderedDict()
        self._flights: dict[tuple[bytes, int], asyncio.Task[Viewer]] = {}
        self._used: set[UUID] = set()

    @property
    def is_off(self) -> bool:
        """Whether nobody is asked who they are."""
        return self._everyone is not None

    def known_of(self, headers: Iterable[tuple[bytes, bytes]]) -> Viewer | None:
        """Who asks with these headers, if that is known without looking; never raises."""
        if self._everyone is not None:
            return self._everyone
        try:
            return self.known(credential_of(headers))
        except Unauthenticated:
            return None

    def known(self, credential: bytes | None) -> Viewer | None:
        """Who has this credential, if it was verified within a minute and has not been revoked since; None if not."""
        if self._everyone is not None:
            return self._everyone
        return None if credential is None else self.known_by(self.name_of(credential))

    def known_by(self, name: bytes) -> Viewer | None:
        """As ``known``, of the credential of that name: for who has asked for it before."""
        found = self._believed.get(name)
        if found is None or not self._freshness.is_hearing:
            return None
        if found.until <= time.monotonic():
            del self._believed[name]
            return None
        if found.number != self._freshness.number:
            if self._freshness.written_since(found.tags, found.number):
                del self._believed[name]
                return None
            found.number = self._freshness.number
        if found.key_id is not None:
            self._used.add(found.key_id)
        return found.viewer

    async def viewer(self, credential: bytes | None) -> Viewer:
        """Who has this credential. Raises Unauthenticated and its kinds, Unavailable, Overloaded, DeadlineExceeded."""
        known = self.known(credential)
        if known is not None:
            return known
        if credential is None:
            raise Unauthenticated("This needs a credential: Authorization: Bearer, and an API key or a token.")
        try:
            async with asyncio.timeout(self._deadline_s):
                return await self._join(credential)
        except TimeoutError:
            raise DeadlineExceeded("Finding out who asks took too long. Try again shortly.") from None

    async def follow(self) -> None:
        """Runs until it is cancelled: writes down which keys are used, and reads the key set again."""
        async with asyncio.TaskGroup() as both:  # which lets neither go on without the other: they begin again together
            both.create_task(self._follow_uses())
            both.create_task(self._follow_keys())

    async def close(self) -> None:
        """Writes down the last uses, and waits for no database that hangs."""
        await self.note_uses(CLOSING_S)

    async def note_uses(self, within_s: float | None = None) -> None:
        """Writes down the keys that were used since the last time, once a minute for each whatever the number of processes."""
        used, self._used = self._used, set()
        if not used:
            return
        try:
            async with asyncio.timeout(within_s or self._deadline_s):
                await self._database.fetch(NOTE_USED, list(used), timedelta(seconds=USES_EVERY_S))
        except (AppError, TimeoutError) as error:
            self._used |= used
            log.warning("it was not written down which keys are used", error=str(error) or "no answer in time")

    async def _follow_uses(self) -> None:
        while True:
            await asyncio.sleep(USES_EVERY_S)
            await self.note_uses()

    async def _follow_keys(self) -> None:
        while isinstance(self._keys, PublicKeys):
            await self._keys.refresh()
            await asyncio.sleep(self._refresh_s)

    async def _join(self, credential: bytes) -> Viewer:
        """Verifies once for all who ask with it at the same time, unless something was heard since the others began."""
        if not self._freshness.is_hearing:
            return await self._verify(credential)
        flight = self.name_of(credential), self._freshness.number
        task = self._flights.get(flight)
        if task is None:
            task = self._flights[flight] = asyncio.create_task(self._verify_in_time(credential))
            task.add_done_callback(lambda done: self._landed(flight, done))
        return await asyncio.shield(task)

    def _landed(self, flight: tuple[bytes, int], done: "asyncio.Task[Viewer]") -> None:
        self._flights.pop(flight, None)
        pass_over(done)

    async def _verify_in_time(self, credential: bytes) -> Viewer:
        """On a line that hangs nobody would be answered any more who asks with that credential."""
        async with asyncio.timeout(self._deadline_s):
            return await self._verify(credential)

    async def _verify(self, credential: bytes) -> Viewer:
        number = self._freshness.number  # before anything is read: what is written after that is heard with a higher one
        if credential.startswith(PREFIX):
            found, expires_at = await self._of_key(credential, number)
        elif self._tokens is not None:
            found, expires_at = await self._of_token(credential, self._tokens, number)
        else:
            raise InvalidCredential("Only API keys are accepted here.")
        believed_s = min(BELIEVED_S, expires_at - time.time())
        if believed_s > 0 and self._freshness.is_hearing:
            found.until = time.monotonic() + believed_s
            self._believed[self.name_of(credential)] = found
            if len(self._believed) > MOST_BELIEVED:
                self._believed.popitem(last=False)
        if found.key_id is not None:
            self._used.add(found.key_id)
        return found.viewer

    async def _of_key(self, credential: bytes, number: int) -> tuple[_Believed, float]:
        rows = await self._database.fetch(KEY, digest_of(credential))
        if not rows or rows[0].revoked_at is not None:
            raise InvalidCredential("There is no such API key, or it was revoked.")
        (key,) = rows
        expires_at = float("inf") if key.expires_at is None else key.expires_at.timestamp()
        if expires_at <= time.time():
            raise CredentialExpired("The API key has expired.")
        viewer = Viewer(f"key:{key.id}", key.owner_id, SCOPES.intersection(key.scopes))
        return _Believed(viewer, 0.0, (tags.api_key(key.id),), number, key.id), expires_at

    async def _of_token(self, credential: bytes, verifier: TokenVerifier, number: int) -> tuple[_Believed, float]:
        token = await verifier.verify(credential)
        try:
            issued = datetime.fromtimestamp(token.issued_at, UTC) - self._leeway
        except (ValueError, OverflowError, OSError):
            issued = LONG_AGO
        (standing,) = await self._database.fetch(STANDING, token.jti, token.subject, issued, token.owner)
        if standing.is_revoked:
            raise InvalidCredential("The token was revoked.")
        viewer = Viewer(token.subject, token.owner if standing.is_user else None, token.scopes)
        watched = [tags.revoked("subject", token.subject), tags.USERS]
        if token.jti is not None:
            watched.append(tags.revoked("token", token.jti))
        return _Believed(viewer, 0.0, tuple(watched), number, None), token.expires_at

    def name_of(self, credential: bytes) -> bytes:
        """What a credential is kept under: nothing that it could be found out from."""
        return hashlib.blake2b(credential, digest_size=16, key=self._salt).digest()


