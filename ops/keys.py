"""``python -m ops keys``: API keys for services, and tokens that are not accepted any more."""

import asyncio
import re
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, NamedTuple
from uuid import UUID

import asyncpg
import typer

from core.api_key import digest_of, new_key
from core.viewer import SCOPES
from db.statements import Statement, statement
from ops.migrate import migrated_database
from ops.screen import screen

app = typer.Typer(no_args_is_help=True, help="API keys for services, and tokens that are not accepted any more.")
LIFETIME = re.compile(r"(\d{1,4})([dh])")
UNITS = {"d": "days", "h": "hours"}
LONGEST_NAME = 255


class ApiKeyError(Exception):
    """A key that cannot be made, or is not there."""


class CreatedKeyRow(NamedTuple):
    """A key that was made or revoked."""

    id: UUID


class OwnerRow(NamedTuple):
    """A user that a key may be of."""

    id: UUID
    name: str


class ListedKeyRow(NamedTuple):
    """A key as it is listed; ``owner`` is a name."""

    id: UUID
    name: str
    scopes: list[str]
    owner: str | None
    expires_at: datetime | None
    last_used_at: datetime | None
    revoked_at: datetime | None
    is_expired: bool | None


class RevocationRow(NamedTuple):
    """What is revoked, and since when."""

    value: str
    revoked_at: datetime


CREATE = statement("api_key.create", CreatedKeyRow, held=False)
OWNER = statement("api_key.owner", OwnerRow, held=False)
ALL = statement("api_key.all", ListedKeyRow, held=False)
REVOKE = statement("api_key.revoke", CreatedKeyRow, held=False)
REVOKE_TOKEN = statement("token.revoke", RevocationRow, held=False)


@app.command()
def create(
    name: Annotated[str, typer.Argument(help="What the key is for, as it is listed.")],
    scope: Annotated[list[str], typer.Option(help=f"What it may do; again for more. {', '.join(sorted(SCOPES))}")],
    owner: Annotated[str | None, typer.Option(help="Id or e-mail of the user whose rows crm:read means.")] = None,
    expires: Annotated[str | None, typer.Option(help="When it ends: 90d, 12h, or a date such as 2027-01-31.")] = None,
) -> None:
    """Make a key and write it to standard output, once: only its hash is kept."""
    if not name.strip() or len(name) > LONGEST_NAME or not name.isprintable():
        raise typer.BadParameter(f"a name must have 1 to {LONGEST_NAME} printable characters")
    strange = sorted(set(scope) - SCOPES)
    if strange:
        raise typer.BadParameter(f"there is no scope {', '.join(strange)}: there are {', '.join(sorted(SCOPES))}")
    _readable(owner or "")
    key, expires_at = new_key(), _expiry(expires)
    with migrated_database() as url:
        row_id = asyncio.run(_create(url, name, key, sorted(set(scope)), owner, expires_at))
    typer.echo(key)
    until = f", until {expires_at:%Y-%m-%d %H:%M} UTC" if expires_at else ""
    screen.print(f"key {row_id}{until}. It is not shown again.", markup=False, soft_wrap=True)


@app.command("list")
def list_() -> None:
    """Write all keys, newest first: id, state, name, scopes, owner, expiry, last use; tabs between them."""
    with migrated_database() as url:
        rows: list[ListedKeyRow] = asyncio.run(_fetch(url, ALL))
    for row in rows:
        state = "revoked" if row.revoked_at else "expired" if row.is_expired else "active"
        times = (_shown(row.expires_at), _shown(row.last_used_at))
        typer.echo("\t".join((str(row.id), state, row.name, " ".join(row.scopes), row.owner or "-", *times)))


@app.command()
def revoke(
    key: Annotated[str | None, typer.Argument(metavar="ID", help="Id of the key, as `list` writes it.")] = None,
    token: Annotated[str | None, typer.Option(metavar="JTI", help="The one token of this `jti`.")] = None,
    subject: Annotated[
        str | None, typer.Option(metavar="SUB", help="Tokens of this `sub` issued before now, or within JWT_LEEWAY_S after.")
    ] = None,
) -> None:
    """Refuse a key, or tokens, from now on; every server knows at once."""
    given = [each for each in (key, token, subject) if each is not None]
    if len(given) != 1 or not given[0]:
        raise typer.BadParameter("give the id of a key, or --token JTI, or --subject SUB")
    _readable(given[0])
    with migrated_database() as url:
        if key is not None:
            rows: list[Any] = asyncio.run(_fetch(url, REVOKE, _identified(key)))
        else:
            rows = asyncio.run(_fetch(url, REVOKE_TOKEN, "subject" if token is None else "token", given[0]))
    if not rows:
        raise ApiKeyError(f"there is no key {key}: see `python -m ops keys list`")
    screen.print("revoked", markup=False)


def _readable(text: str) -> None:
    """Raises BadParameter for what no id, e-mail address, ``jti`` or ``sub`` can be."""
    if len(text) > LONGEST_NAME * 4 or not text.isprintable():
        raise typer.BadParameter(f"must have at most {LONGEST_NAME * 4} printable characters")


async def _create(
    url: str, name: str, key: str, scopes: list[str], owner: str | None, expires_at: datetime | None
) -> UUID:
    owner_id = None
    if owner is not None:
        found: list[OwnerRow] = await _fetch(url, OWNER, owner)
        if len(found) != 1:
            raise ApiKeyError(f"{owner}: {'several users have' if found else 'no user has'} this id or e-mail address")
        owner_id = found[0].id
    rows: list[CreatedKeyRow] = await _fetch(url, CREATE, name, digest_of(key.encode()), scopes, owner_id, expires_at)
    return rows[0].id


async def _fetch(url: str, what: Statement[Any], *arguments: object) -> list[Any]:
    connection = await asyncpg.connect(url)
    try:
        return [what.row._make(record) for record in await connection.fetch(what.text, *arguments)]
    finally:
        await connection.close()


def _expiry(text: str | None) -> datetime | None:
    if text is None:
        return None
    lifetime = LIFETIME.fullmatch(text)
    now = datetime.now(UTC)
    try:
        found = now + timedelta(**{UNITS[lifetime[2]]: int(lifetime[1])}) if lifetime else datetime.fromisoformat(text)
        found = found.astimezone(UTC) if found.tzinfo else found.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        raise typer.BadParameter(f"{text}: write 90d, 12h, or a date such as 2027-01-31") from None
    if found <= now:
        raise typer.BadParameter(f"{text}: is over")
    return found


def _identified(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError:
        raise typer.BadParameter(f"{text}: is not the id of a key") from None


def _shown(moment: datetime | None) -> str:
    return "-" if moment is None else f"{moment.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"
