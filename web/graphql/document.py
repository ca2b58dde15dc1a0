"""Which document a request means, and whether it runs here."""

import asyncio
import hashlib
from collections.abc import Callable

import structlog
from redis.asyncio import Redis

from cache.persisted import AutomaticDocuments, RegisteredDocuments
from core.errors import Unavailable
from core.settings import Settings
from core.viewer import Viewer
from schema.documents import HASH, TrustedDocuments, reasons, same_ids
from schema.operation import Document, Executable, document_id
from web.graphql.document_errors import (
    HashMismatch,
    IdRequired,
    IntrospectionForbidden,
    NotFound,
    NotInList,
    NotInSafelist,
    NotSupported,
)
from web.graphql.request import GraphQLRequest, MalformedRequest

log = structlog.get_logger("web")
# What was added to Redis is found at once by its id; what was removed from there runs for so long at most.
RELOAD_S = 30.0
# A flood of documents must not fill the log.
MOST_LOGGED = 1_000
LOGGED_CHARACTERS = 2_000


class Documents:
    """All documents that can be asked for, by whatever names them."""

    def __init__(
        self,
        executable: Executable,
        trusted: TrustedDocuments,
        registered: RegisteredDocuments,
        automatic: AutomaticDocuments,
        settings: Settings,
        forget_requests: Callable[[], None] = lambda: None,
    ) -> None:
        """``forget_requests`` is called when a document is no longer registered: requests for it were answered before."""
        self._forget_requests = forget_requests
        self.trusted = trusted
        self._executable = executable
        self._registered = registered
        self._automatic = automatic
        self._mode = settings.documents
        self._registers = settings.apq and settings.documents != "trusted-only"
        self._longest_bytes = settings.apq_document_bytes
        self._logged: set[str] = set()

    async def find(self, asked: GraphQLRequest, viewer: Viewer) -> Document:
        """The document asked for, which may be one with errors. Raises DocumentError, BadRequest."""
        found = await self._find(asked, viewer)
        if not (viewer.may_explore or found.is_trusted) and found.introspects:
            raise IntrospectionForbidden("The schema is shown to those who have the scope crm:explore.")
        return found

    async def _find(self, asked: GraphQLRequest, viewer: Viewer) -> Document:
        if asked.document_id is not None:
            return await self._of_id(asked.document_id)
        if asked.sha256 is not None and asked.query is not None:
            return await self._of_hash_and_text(asked.sha256, asked.query, viewer)
        if asked.sha256 is not None:
            return await self._of_hash(asked.sha256)
        if asked.query is not None:
            return await self._of_text(asked.query, viewer)
        return self._of_operation(asked.operation_name)

    async def accept(self, asked: GraphQLRequest, document: Document) -> None:
        """Takes note of a valid document that is paid for and about to run: registers it if the client wishes, and logs it."""
        if document.is_trusted:
            return
        if asked.sha256 is not None and asked.query is not None and self._registers:
            text = asked.query.encode()
            if len(text) <= self._longest_bytes:
                await self._automatic.put(asked.sha256, text)
        if self._mode == "log-unknown":
            self._log(document)

    async def load(self) -> None:
        """Makes what is registered in Redis known, and forgets what no longer is; without Redis nothing changes."""
        try:
            stored = await self._registered.all()
        except Unavailable as error:
            log.warning("the registered documents were not read", error=str(error))
            return
        texts = {name: text.decode("utf-8", "replace") for name, text in stored.items()}
        for name, text in texts.items():
            if self.trusted.of_text(text) is None:
                self._put(name, text)
                await asyncio.sleep(0)  # others are served between two of many documents
        if self.trusted.replace(texts):
            self._forget_requests()

    async def follow(self) -> None:
        """Loads again and again, as long as the server runs."""
        while True:
            await asyncio.sleep(RELOAD_S)
            await self.load()

    async def _of_id(self, name: str) -> Document:
        found = self.trusted.of_id(name) or await self._stored(name)
        if found is None:
            raise NotInList(f"Persisted query '{name[:200]}' not found in the persisted query list")
        return found

    async def _of_hash(self, digest: str) -> Document:
        found = self.trusted.of_id(digest)
        if found is None and self._registers and HASH.fullmatch(digest):
            text = await self._automatic.get(digest)
            found = None if text is None else self._executable.document(text.decode())
        found = found or await self._stored(digest)
        if found is not None:
            return found
        if self._mode == "trusted-only":
            raise NotInList(f"Persisted query '{digest[:200]}' not found in the persisted query list")
        raise NotFound("PersistedQueryNotFound") if self._registers else NotSupported("PersistedQueryNotSupported")

    async def _of_hash_and_text(self, digest: str, text: str, viewer: Viewer) -> Document:
        if hashlib.sha256(text.encode()).hexdigest() != digest:
            raise HashMismatch("provided sha does not match query")
        document = await self._of_text(text, viewer)
        if self._mode != "trusted-only" and not (document.is_trusted or self._registers):
            raise NotSupported("PersistedQueryNotSupported")
        return document

    async def _of_text(self, text: str, viewer: Viewer) -> Document:
        found = self.trusted.of_text(text)
        if found is None and self._mode == "trusted-only":
            found = await self._stored(document_id(text))
        if found is not None:
            return found
        if self._mode != "trusted-only" or viewer.may_explore:
            return self._executable.document(text)
        raise NotInSafelist("The operation body was not found in the persisted query safelist")

    def _of_operation(self, name: str | None) -> Document:
        found = self.trusted.of_operation(name) if name else None
        if found is not None:
            return found
        if name:
            raise NotInList(f"There is no `query`, and no trusted operation is named '{name[:200]}'.")
        if self._mode == "trusted-only":
            raise IdRequired("Only trusted documents run here: send the `documentId` of one.")
        raise MalformedRequest(
            "GraphQL operations must contain a non-empty `query` or a `persistedQuery` extension."
        )

    async def _stored(self, name: str) -> Document | None:
        text = await self._registered.get(same_ids(name))
        return None if text is None else self._put(name, text.decode("utf-8", "replace"))

    def _put(self, name: str, text: str) -> Document:
        document = self.trusted.put(name, text)
        for reason in reasons(document):
            log.warning("a registered document does not fit the schema", id=name, reason=reason)
        return document

    def _log(self, document: Document) -> None:
        if document.id in self._logged or len(self._logged) >= MOST_LOGGED or document.node is None:
            return
        self._logged.add(document.id)
        text = document.node.loc.source.body[:LOGGED_CHARACTERS] if document.node.loc else ""
        names = [each.name.value for each in document.operations if each.name]
        log.warning("a document is not trusted", id=document.id, operations=names, text=text)
        if len(self._logged) == MOST_LOGGED:
            log.warning("further documents that are not trusted are not logged", most=MOST_LOGGED)


async def open_documents(
    settings: Settings,
    executable: Executable,
    trusted: TrustedDocuments,
    client: Redis,
    forget_requests: Callable[[], None],
) -> Documents:
    """All documents of a server that starts, those in Redis included if that is there."""
    automatic = AutomaticDocuments(client, ttl_s=settings.apq_ttl_s, most_bytes=settings.apq_memory_bytes)
    documents = Documents(executable, trusted, RegisteredDocuments(client), automatic, settings, forget_requests)
    await documents.load()
    return documents
