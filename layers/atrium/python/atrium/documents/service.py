"""What people do with their documents: look at them, fetch them, rename and describe them, delete them."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from atrium.audit import record
from atrium.db import Transaction
from atrium.documents import repository
from atrium.documents.collections import repository as collections
from atrium.documents.deletion import Deletions
from atrium.documents.metadata import merged
from atrium.documents.models import Document, DocumentChange, DocumentFilter, VersionSummary
from atrium.documents.naming import file_name, typed_name
from atrium.documents.parts import Parts
from atrium.kernel.clock import now
from atrium.kernel.errors import Conflict
from atrium.kernel.principal import Principal
from atrium.retrieval.store import IndexedChunk, PostgresVectorStore, VectorStore

DOWNLOAD_SECONDS: Final = 300
MAX_HISTORY: Final = 100


@dataclass(frozen=True, slots=True)
class Download:
    """A URL that gives the file as an attachment until `expires_at`."""

    url: str = field(repr=False)
    expires_at: datetime


class DocumentService:
    """One tenant's documents, whoever's principal is passed. Errors: `NotFound` for another tenant's as for an absent one."""

    def __init__(self, parts: Parts, store: VectorStore | None = None) -> None:
        self._database = parts.database
        self._storage = parts.storage
        self._model = parts.settings.embedding_model
        self._store = store or PostgresVectorStore()
        self._deletions = Deletions(self._database, self._storage, self._store)

    async def get(self, principal: Principal, document_id: UUID) -> Document:
        """The document with its latest version."""
        async with self._database.transaction(principal) as tx:
            return await repository.get(tx, document_id)

    async def history(self, principal: Principal, document_id: UUID) -> list[VersionSummary]:
        """The document's versions, the newest first, 100 at most."""
        async with self._database.transaction(principal) as tx:
            await repository.get(tx, document_id)
            return await repository.list_versions(tx, document_id, MAX_HISTORY)

    async def list_page(
        self, principal: Principal, where: DocumentFilter, *, after: tuple[datetime, UUID] | None = None, limit: int = 50
    ) -> list[Document]:
        """The tenant's documents, the newest first, after that creation time and id."""
        async with self._database.transaction(principal) as tx:
            return await repository.list_page(tx, where, after, limit)

    async def chunks(
        self, principal: Principal, document_id: UUID, *, after: tuple[int] | None = None, limit: int = 50
    ) -> list[IndexedChunk]:
        """The chunks that search serves, in the order of the text, after an ordinal; none before a version is ready."""
        async with self._database.transaction(principal) as tx:
            document = await repository.get(tx, document_id)
            if document.ready_version is None:
                return []
            return await self._store.list_chunks(tx, document_id, document.ready_version, after, limit)

    async def download(self, principal: Principal, document_id: UUID, version: int | None = None) -> Download:
        """Where the file can be fetched for five minutes: that version, else the one that search serves, else the latest."""
        async with self._database.transaction(principal) as tx:
            document = await self._of_version(tx, document_id, version)
        chosen = document.version
        expires_at = now() + timedelta(seconds=DOWNLOAD_SECONDS)
        stored = await self._storage.head(chosen.object_key, chosen.object_version_id or None)
        url = await self._storage.presign_get(
            stored.key,
            filename=typed_name(file_name(document.name), chosen.content_type),
            content_type=chosen.content_type,
            version_id=chosen.object_version_id or None,
            expires_in=DOWNLOAD_SECONDS,
        )
        return Download(url, expires_at)

    async def _of_version(self, tx: Transaction, document_id: UUID, version: int | None) -> Document:
        latest = await repository.get(tx, document_id)
        wanted = version or latest.ready_version or latest.latest_version
        return latest if wanted == latest.latest_version else await repository.get(tx, document_id, wanted)

    async def change(self, principal: Principal, document_id: UUID, change: DocumentChange, *, request_id: str = "") -> Document:
        """Rename, describe or move the document; search goes by it at once.

        `Conflict` when another document has the name, or the collection is in another embedding space; `InvalidFields` for
        metadata that became too long.
        """
        async with self._database.transaction(principal) as tx:
            before = await repository.get(tx, document_id)
            collection, name = change.collection or before.collection, change.name or before.name
            if (collection, name) != (before.collection, before.name):
                await self._claim(tx, before, collection, name)
            await repository.lock(tx, document_id)
            document = await repository.get(tx, document_id)
            if (document.collection, document.name) != (before.collection, before.name):
                raise Conflict("The document was renamed at the same time: try it again.")
            metadata = merged(document.metadata, change.metadata)
            await repository.change(tx, document_id, name=name, collection=collection, metadata=metadata)
            if collection != document.collection:
                await self._store.move(tx, document_id, collection)
            await self._audit(tx, document, change, request_id)
            return await repository.get(tx, document_id)

    async def _claim(self, tx: Transaction, document: Document, collection: str, name: str) -> None:
        """Take a name in a collection, into which nothing else comes until the transaction ends."""
        await collections.ensure(tx, collection, self._model)
        if not await collections.hold(tx, collection):
            raise Conflict("The collection is being deleted: try it again.")
        if collection != document.collection:
            await collections.ensure(tx, document.collection, self._model)
            model, _ = await collections.way(tx, collection)
            if model != (await collections.way(tx, document.collection))[0]:
                raise Conflict(f"The collection {collection} is in another embedding space: upload the document there.")
        other = await repository.lock_named(tx, collection, name)
        if other is not None and other.id != document.id:
            raise Conflict(f"The collection {collection} has another document of this name.")

    async def _audit(self, tx: Transaction, before: Document, change: DocumentChange, request_id: str) -> None:
        detail: dict[str, Any] = {}
        if change.name is not None:
            detail["name"] = [before.name, change.name]
        if change.collection is not None:
            detail["collection"] = [before.collection, change.collection]
        if change.metadata is not None:
            detail["metadata"] = sorted(change.metadata)
        await record(tx, action="document.changed", target=f"document:{before.id}", detail=detail, request_id=request_id)

    async def delete(self, principal: Principal, document_id: UUID, *, request_id: str = "") -> None:
        """Remove the document, its chunks and its objects, leaving a tombstone. Safe to repeat, also after an error.

        `Unavailable` when the objects could not be removed: the document is gone already, repeat for the objects.
        """
        await self._deletions.delete(principal, document_id, request_id=request_id)
