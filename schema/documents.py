"""The trusted documents: those in ``documents/``, and those that ``python -m ops persist`` put into Redis."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from graphql import GraphQLError

from schema.operation import Document, Executable, document_id

FOLDER = Path(__file__).parent.parent / "documents"
# Printable ASCII without a slash, because an id is also a part of an address.
ID = re.compile(r"[!-.0-~]{1,200}")
HASH = re.compile(r"[0-9a-f]{64}")


class DocumentsError(Exception):
    """Documents that cannot be used: one line for each thing that is wrong, naming the document and what to change."""


@dataclass(slots=True)
class Shelf:
    """Documents that can be looked up by any of their ids, by their exact text, and by the name of their operation."""

    by_id: dict[str, Document] = field(default_factory=dict)
    by_text: dict[str, Document] = field(default_factory=dict)
    by_name: dict[str, Document | None] = field(default_factory=dict)

    def add(self, text: str, document: Document, ids: Iterable[str] = ()) -> None:
        """Puts a document where it is found; of two operations with one name neither is found by it."""
        self.by_text[text] = document
        for each in (document_id(text), *ids):
            self.by_id[each] = document
        operations = document.operations
        if len(operations) == 1 and operations[0].name:
            name = operations[0].name.value
            same = self.by_name.get(name, document)
            self.by_name[name] = document if same is document else None


class TrustedDocuments:
    """The documents that may always be run: those of the folder, and those that are ``put`` here from Redis."""

    def __init__(self, executable: Executable, folder: Path = FOLDER) -> None:
        """Raises DocumentsError if a document of the folder cannot be used."""
        self._executable = executable
        self._files = Shelf()
        self._stored = Shelf()
        for text, document in read_folder(folder, executable).items():
            self._files.add(text, document)
            self._files.add(text.rstrip("\n"), document)

    def of_id(self, name: str) -> Document | None:
        """The document of an id; the digits of its hash alone are one too."""
        for each in same_ids(name):
            found = self._files.by_id.get(each) or self._stored.by_id.get(each)
            if found is not None:
                return found
        return None

    def of_text(self, text: str) -> Document | None:
        """The document of exactly this text."""
        return self._files.by_text.get(text) or self._stored.by_text.get(text)

    def of_operation(self, name: str) -> Document | None:
        """The document whose one operation has this name: a file, or the only one in Redis."""
        return self._files.by_name.get(name) or self._stored.by_name.get(name)

    def put(self, name: str, text: str) -> Document:
        """The document that was found in Redis under an id, registered."""
        document = self._document(text)
        self._stored.add(text, document, [name])
        return document

    def replace(self, stored: Mapping[str, str]) -> bool:
        """Makes these, texts by id, the documents in Redis; others are unknown from now on. Whether there were any."""
        shelf = Shelf()
        for name, text in stored.items():
            shelf.add(text, shelf.by_text.get(text) or self._document(text), [name])
        is_gone = bool(self._stored.by_id.keys() - shelf.by_id.keys())
        self._stored = shelf
        return is_gone

    def _document(self, text: str) -> Document:
        return self.of_text(text) or self._executable.read(text, is_trusted=True)


def same_ids(name: str) -> tuple[str, ...]:
    """The ids under which a document of this id may be kept; empty for what cannot be an id."""
    if HASH.fullmatch(name):
        return (f"sha256:{name}", name)
    return (name,) if ID.fullmatch(name) else ()


def read_folder(folder: Path, executable: Executable) -> dict[str, Document]:
    """The documents of the folder by their exact text. Raises DocumentsError naming everything that is wrong."""
    found, wrong = {}, []
    for path in sorted(folder.glob("*.graphql")):
        where = f"{folder.name}/{path.name}"
        try:
            text = path.read_bytes().decode()  # as it is: its hash is its name
        except UnicodeDecodeError:
            wrong.append(f"{where}: must be UTF-8")
            continue
        document = executable.read(text, is_trusted=True)
        wrong += [f"{where}{reason}" for reason in reasons(document)] or _misnamed(document, path.stem, where)
        found[text] = document
    if wrong:
        raise DocumentsError("\n".join(wrong))
    return found


def reasons(document: Document) -> list[str]:
    """Why the document cannot be run: ``:line:column: message`` for each reason; empty if it can."""
    return [_place(error) + error.message for error in document.errors]


def _place(error: GraphQLError) -> str:
    return f":{error.locations[0].line}:{error.locations[0].column}: " if error.locations else ": "


def _misnamed(document: Document, name: str, where: str) -> list[str]:
    names = [each.name.value if each.name else "(without a name)" for each in document.operations]
    return [] if names == [name] else [f"{where}: must have one operation, {name}, and has {', '.join(names) or 'none'}"]
