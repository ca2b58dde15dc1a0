"""``python -m ops persist``: trusted documents of front ends that are built elsewhere, kept in Redis."""

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Annotated, Any

import orjson
import typer

from cache.embedded import EmbeddedValkey
from cache.persisted import RegisteredDocuments
from cache.redis import RedisCache
from core.errors import Unavailable
from core.settings import SettingsError, load_settings
from ops.screen import screen
from schema.build import build_schema
from schema.documents import ID, DocumentsError, reasons
from schema.operation import Executable, document_id

APOLLO = "apollo-persisted-query-manifest"
# On the command line one waits rather than fails; a server's own client gives up after a tenth of a second.
TIMEOUT_S = 10.0


def persist(
    file: Annotated[Path | None, typer.Argument(help="An Apollo manifest, or a Relay map of ids to texts.")] = None,
    show: Annotated[bool, typer.Option("--list", help="Write what is registered: id, operations, other ids.")] = False,
    remove: Annotated[list[str] | None, typer.Option(help="Forget the document of this id, under all its ids.")] = None,
) -> None:
    """Register the documents of a manifest as trusted: all of them, or none if one does not fit the schema."""
    if [file is not None, show, bool(remove)].count(True) != 1:
        raise typer.BadParameter("give a manifest, or --list, or --remove ID")
    if file is not None:
        texts = read_manifest(file)
        asyncio.run(_register(texts))
        screen.print(f"registered {len(set(texts.values()))} documents of {file}", markup=False, soft_wrap=True)
    elif remove:
        asyncio.run(_remove(remove))
    else:
        asyncio.run(_list())


def read_manifest(file: Path) -> dict[str, str]:
    """The valid documents of a manifest by id, that of their text included. Raises DocumentsError naming all others."""
    executable = Executable(build_schema())
    found: dict[str, str] = {}
    wrong: list[str] = []
    for name, text in _entries(file):
        where = f"{file}: {name}"
        if not ID.fullmatch(name):
            wrong.append(f"{where}: an id is of 1 to 200 printable ASCII characters, without spaces and slashes")
        elif name.startswith("sha256:") and name != document_id(text):
            wrong.append(f"{where}: is not the hash of its text, which is {document_id(text)}")
        elif found.get(name, text) != text:
            wrong.append(f"{where}: has two texts")
        else:
            wrong += [where + reason for reason in reasons(executable.read(text, is_trusted=True))]
        found[name] = found[document_id(text)] = text
    if wrong or not found:
        raise DocumentsError("\n".join(wrong) or f"{file}: holds no documents")
    return found


def _entries(file: Path) -> list[tuple[str, str]]:
    """Ids and texts as they stand in the file."""
    try:
        manifest = orjson.loads(file.read_bytes())
    except orjson.JSONDecodeError as error:
        raise DocumentsError(f"{file}: is not JSON ({error})") from None
    if not isinstance(manifest, dict):
        raise DocumentsError(f"{file}: must be an Apollo manifest, or a Relay map of ids to texts")
    if "format" in manifest and "operations" in manifest:
        return _operations(manifest, file)
    if not all(isinstance(text, str) for text in manifest.values()):
        raise DocumentsError(f"{file}: must be an Apollo manifest, or a Relay map of ids to texts")
    return list(manifest.items())


def _operations(manifest: Mapping[str, Any], file: Path) -> list[tuple[str, str]]:
    if (manifest["format"], manifest.get("version")) != (APOLLO, 1):
        raise DocumentsError(f"{file}: only the format {APOLLO}, version 1, is known")
    entries = []
    if not isinstance(manifest["operations"], list):
        raise DocumentsError(f"{file}: `operations` must be a list")
    for each in manifest["operations"]:
        name, text = (each.get("id"), each.get("body")) if isinstance(each, dict) else (None, None)
        if not isinstance(name, str) or not isinstance(text, str):
            raise DocumentsError(f"{file}: each of `operations` must have an `id` and a `body`, both strings")
        entries.append((name, text))
    return entries


async def _register(texts: Mapping[str, str]) -> None:
    async with _registered() as registered:
        known = await registered.all()
        changed = [name for name, text in texts.items() if known.get(name, text.encode()) != text.encode()]
        if changed:
            told = (f"{name}: is registered with another text; remove that first (--remove {name})" for name in changed)
            raise DocumentsError("\n".join(told))
        await registered.add({name: text.encode() for name, text in texts.items()})


async def _list() -> None:
    executable = Executable(build_schema())
    async with _registered() as registered:
        names: defaultdict[bytes, list[str]] = defaultdict(list)
        for name, text in (await registered.all()).items():
            names[text].append(name)
    for text, ids in names.items():
        document = executable.read(text.decode(), is_trusted=True)
        operations = [each.name.value for each in document.operations if each.name]
        others = sorted(set(ids) - {document.id})
        typer.echo("\t".join((document.id, ",".join(operations), " ".join(others))).rstrip())


async def _remove(names: list[str]) -> None:
    async with _registered() as registered:
        known = await registered.all()
        missing = [name for name in names if name not in known]
        if missing:
            raise DocumentsError("\n".join(f"{name}: is not registered" for name in missing))
        gone = {known[name] for name in names}
        await registered.remove(name for name, text in known.items() if text in gone)
    screen.print(f"removed {len(gone)} documents; servers forget them within half a minute")


@asynccontextmanager
async def _registered() -> AsyncIterator[RegisteredDocuments]:
    """The documents in the Redis that servers with these settings use. Raises Unavailable if it does not answer."""
    settings = load_settings()
    given = settings.redis_url
    url = given.get_secret_value() if given else EmbeddedValkey(settings.data_dir / "valkey").url
    try:
        cache = RedisCache(url, TIMEOUT_S)
    except ValueError as error:
        raise SettingsError(f"REDIS_URL: {error}") from None
    try:
        if not await cache.answers():
            raise Unavailable(
                "REDIS_URL: the server there does not answer"
                if given
                else f"no server is running on DATA_DIR={settings.data_dir}: start one (make run), or set REDIS_URL"
            )
        yield RegisteredDocuments(cache.client)
    finally:
        await cache.close()


async def registered_documents() -> dict[str, str]:
    """Every registered text by id. Raises Unavailable."""
    async with _registered() as registered:
        return {name: text.decode("utf-8", "replace") for name, text in (await registered.all()).items()}
