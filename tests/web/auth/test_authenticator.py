"""What goes on behind who asks: loops that begin again, a database that does not answer, and what is revoked meanwhile."""

import asyncio
from datetime import UTC, datetime
from uuid import UUID, uuid4

import asyncpg
import pytest

from cache.embedded import EmbeddedValkey
from cache.freshness import Freshness
from core import tags
from core.api_key import digest_of, new_key
from core.errors import InvalidCredential
from core.settings import Settings
from db.pool import SETTLE_S
from ops import background
from tests.cache.test_freshness import hearing
from tests.crm import Crm
from tests.faults.line import Line
from tests.web.auth.signing import AUDIENCE, ISSUER, Signer
from tests.web.conftest import serving, settings_for
from web.auth import authenticator
from web.auth.authenticator import KEY, ApiKeyRow, Authenticator, TokenStandingRow
from web.auth.key_set import PublicKeys


class ReadOnly:
    """A database that refuses whatever is written."""

    async def fetch(self, *_: object) -> list[object]:
        """Nothing."""
        raise asyncpg.ReadOnlySQLTransactionError("cannot execute UPDATE in a read-only transaction")


async def test_a_loop_that_fails_does_not_leave_the_other_behind_when_both_begin_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(background, "PAUSE_S", 0.01)
    monkeypatch.setattr(authenticator, "USES_EVERY_S", 0.01)
    began, running = 0, 0

    class Keys(PublicKeys):
        async def refresh(self) -> None:
            nonlocal began, running
            began += 1
            running += 1
            try:
                await asyncio.Event().wait()
            finally:
                running -= 1

    settings = Settings(auth="jwt", jwt_jwks="/x", jwt_issuer="i", jwt_audience=["a"])
    found = Authenticator(settings, ReadOnly(), Freshness(), Keys(lambda: b""))  # type: ignore[arg-type]
    task = asyncio.create_task(background.go_on(found.follow))
    async with asyncio.timeout(5):
        while began < 4:
            found._used.add(uuid4())
            await asyncio.sleep(0.005)
            assert running <= 1
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert running == 0


async def test_a_credential_that_was_being_verified_on_a_line_that_hangs_is_verified_again(
    database_url: str, valkey: EmbeddedValkey, crm: Crm
) -> None:
    key = new_key()
    await crm.add("api_key", name="test", digest=digest_of(key.encode()), scopes=["crm:read"])
    settings = {"auth": "keys", "pool_size": 1, "request_deadline_s": 0.5, "pool_wait_s": 10}
    async with Line(database_url).open() as line, serving(settings_for(line.url, valkey, **settings)) as client:

        async def ask() -> int:
            headers = {"authorization": f"Bearer {key}"}
            return (await client.post("/graphql", json={"query": "{ viewer { subject } }"}, headers=headers)).status_code

        async with asyncio.timeout(5):  # until it is heard what is written: nobody joins anybody before
            while not (await client.get("/api/health?detailed=true")).json()["responses"]["hearing"]:
                await asyncio.sleep(0.01)
        line.hang()
        assert await ask() == 504
        await asyncio.sleep(SETTLE_S + 1)
        assert await ask() == 200


class Slow:
    """A database that reads at once and answers when it may: one key, or one token, that was revoked or not."""

    def __init__(self) -> None:
        self.is_revoked, self.is_user, self.has_read, self.may_answer = False, False, asyncio.Event(), asyncio.Event()

    async def fetch(self, statement: object, *args: object) -> list[object]:
        """What stands there now."""
        key = ApiKeyRow(UUID(int=1), ["crm:read:all"], None, None, datetime.now(UTC) if self.is_revoked else None)
        rows: list[object] = [key if statement is KEY else TokenStandingRow(self.is_revoked, self.is_user)]
        self.has_read.set()
        await self.may_answer.wait()
        return rows


SIGNER, OWNER = Signer("one"), uuid4()
SETTINGS = Settings(auth="jwt", jwt_jwks="/x", jwt_issuer=ISSUER, jwt_audience=[AUDIENCE])
TOKEN = SIGNER.token(sub="ada", jti="the first", owner=str(OWNER)).encode()
REVOKED = [
    pytest.param(new_key().encode(), tags.api_key(UUID(int=1)), id="key"),
    pytest.param(TOKEN, tags.revoked("token", "the first"), id="token"),
    pytest.param(TOKEN, tags.revoked("subject", "ada"), id="subject"),
]


def verifying(database: Slow) -> tuple[Authenticator, Freshness]:
    """Who verifies by that database, and the line that it hears what is written on."""
    freshness = hearing()
    return Authenticator(SETTINGS, database, freshness, PublicKeys(SIGNER.key_set)), freshness  # type: ignore[arg-type]


@pytest.mark.parametrize(("credential", "written"), REVOKED)
async def test_what_is_revoked_while_it_is_verified_is_not_believed_nor_is_anybody_who_asks_later(
    credential: bytes, written: str
) -> None:
    database = Slow()
    found, freshness = verifying(database)
    before = asyncio.create_task(found.viewer(credential))
    await database.has_read.wait()
    database.is_revoked = True
    freshness.hear(1, [written])
    later = asyncio.create_task(found.viewer(credential))
    await asyncio.sleep(0)  # it has joined whom it joins
    database.may_answer.set()
    await before
    with pytest.raises(InvalidCredential):
        await later
    assert found.known(credential) is None


async def test_who_becomes_a_user_is_one_at_once() -> None:
    database = Slow()
    database.may_answer.set()
    found, freshness = verifying(database)
    assert (await found.viewer(TOKEN)).owner is None
    database.is_user = True
    freshness.hear(1, [tags.USERS])
    assert (await found.viewer(TOKEN)).owner == OWNER


async def test_of_too_many_credentials_the_one_that_was_verified_first_is_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(authenticator, "MOST_BELIEVED", 2)
    database = Slow()
    database.may_answer.set()
    found, _ = verifying(database)
    keys = [new_key().encode() for _ in range(3)]
    for key in keys:
        await found.viewer(key)
    assert [found.known(key) is not None for key in keys] == [False, True, True]
