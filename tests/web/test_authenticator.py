"""What goes on behind who asks: loops that begin again."""

import asyncio
from uuid import uuid4

import asyncpg
import pytest

from cache.freshness import Freshness
from core.settings import Settings
from ops import background
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
