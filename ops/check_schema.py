"""``python -m ops check-schema``: what clients would notice of a changed schema, before they do."""

import asyncio
from pathlib import Path
from typing import Annotated

import typer
from graphql import GraphQLError, GraphQLSchema, build_schema, find_breaking_changes, find_dangerous_changes

from core.errors import Unavailable
from ops.persist import registered_documents
from ops.screen import say, screen
from ops.sdl import schema_text
from schema import build
from schema.documents import FOLDER, DocumentsError, read_folder, reasons
from schema.operation import Executable


def check_schema(
    old: Annotated[Path, typer.Argument(help="The schema that clients know, such as an older schema.graphql.")],
) -> None:
    """Compare a schema with the present one; exit with 1 if a client that was right could be wrong now."""
    before, now = _read(old), build_schema(schema_text())
    for danger in find_dangerous_changes(before, now):
        _print(f"dangerous: {danger.description}")
    broken = [f"breaking: {change.description}" for change in find_breaking_changes(before, now)]
    broken += [f"trusted document: {line}" for line in _unfit_documents()]
    for line in broken:
        _print(line)
    if broken:
        raise typer.Exit(1)
    _print("nothing breaks: whoever asked rightly before does so now")


def _read(path: Path) -> GraphQLSchema:
    try:
        found = build_schema(path.read_text("utf-8"))
        if found.query_type is None:
            raise TypeError("it has no type Query")
        return found
    except GraphQLError as error:
        raise DocumentsError(f"{path}: is not a schema ({error.message})") from None
    except (TypeError, UnicodeDecodeError) as error:
        raise DocumentsError(f"{path}: is not a schema ({error})") from None


def _unfit_documents() -> list[str]:
    """What is wrong with the trusted documents, those in Redis only where it can be reached."""
    executable = Executable(build.build_schema())
    wrong: list[str] = []
    try:
        read_folder(FOLDER, executable)
    except DocumentsError as error:
        wrong += str(error).splitlines()
    try:
        registered = asyncio.run(registered_documents())
    except Unavailable as error:
        say(f"The documents in Redis were not checked: {error}")
        registered = {}
    for text, name in {text: name for name, text in registered.items()}.items():
        wrong += [name + reason for reason in reasons(executable.read(text, is_trusted=True))]
    return wrong


def _print(line: str) -> None:
    screen.print(line, markup=False, soft_wrap=True)
