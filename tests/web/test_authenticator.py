"""What goes on behind who asks: loops that begin again, and a database that does not answer."""

import asyncio
from uuid import uuid4

import asyncpg
import pytest

from cache.embedded import EmbeddedValkey
from cache.freshness import Freshness
from core.api_key import digest_of, new_key
from core.settings import Settings
from db.pool import SETTLE_S
from ops import background
from tests.crm import Crm
from tests.faults.line import Line
from tests.web.conftest import serving, settings_for
from web import authenticator
from web.authenticator import Authenticator
from web.key_set import PublicKeys


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
