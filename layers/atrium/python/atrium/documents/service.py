"""What people do with documents: send them, look at them, fetch them, delete them."""

import hashlib
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from atrium.db import Database, Transaction
from atrium.documents import outcomes, repository
from atrium.documents.cleanup import remove_objects
from atrium.documents.models import Candidate, Document, DocumentFilter, Source, Status, Upload
from atrium.documents.naming import file_name, typed_name
from atrium.documents.registration import register
from atrium.kernel.clock import now
from atrium.kernel.errors import NotFound, Unavailable
from atrium.kernel.principal import Principal
from atrium.ports.storage import ObjectStorage
from atrium.retrieval.store import IndexedChunk, VectorStore

DOWNLOAD_SECONDS: Final = 300
STORAGE_UNAVAILABLE: Final = "storage-unavailable"


@dataclass(frozen=True, slots=True)
class Download:
    """A URL that gives the file as an attachment until `expires_at`."""

    url: str = field(repr=False)
    expires_at: datetime


class DocumentService:
    """One tenant's documents, whoever's principal is passed. Errors: `NotFound` for another tenant's as for an absent one."""

    def __init__(self, database: Database, storage: ObjectStorage, store: VectorStore) -> None:
        self._database = database
        self._storage = storage
        self._store = store

    async def upload(self, principal: Principal, upload: Upload, document_id: UUID, *, request_id: str = "") -> Document:
        """Take the bytes; the pipeline makes them searchable. `document_id` is the id of a document that has to be made.

        The next version where the name is there already; that version itself where it holds the same bytes, unless it failed
        or is stuck.
        `Unavailable` when the bytes could not be stored: the version has failed, sending it again makes another.
        """
        async with self._database.transaction(principal) as tx:
            registration = await register(tx, _candidate(principal, upload), document_id, request_id=request_id)
        document = registration.document
        # A pending version whose object is missing was cut off between the commit and the put.
        if registration.new or await self._cut_off(document):
            await self._put(principal, document, upload.data)
        return document

    async def _cut_off(self, document: Document) -> bool:
        version = document.version
        waiting = version.status is Status.PENDING and version.source is Source.API
        return waiting and not await self._storage.exists(version.object_key)

    async def _put(self, principal: Principal, document: Document, data: bytes) -> None:
        version = document.version
        try:
            await self._storage.put(version.object_key, data, content_type=version.content_type)
        except Unavailable:
            async with self._database.transaction(principal) as tx:
                await outcomes.mark_failed(tx, document, STORAGE_UNAVAILABLE, "The file could not be stored. Send it again.")
            raise

    async def get(self, principal: Principal, document_id: UUID) -> Document:
        """The document with its latest version."""
        async with self._database.transaction(principal) as tx:
            return await repository.get(tx, document_id)

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

    async def download(self, principal: Principal, document_id: UUID) -> Download:
        """Where the file can be fetched for five minutes: the version that search serves, else the latest."""
        async with self._database.transaction(principal) as tx:
            document = await self._served(tx, document_id)
        version = document.version
        expires_at = now() + timedelta(seconds=DOWNLOAD_SECONDS)
        stored = await self._storage.head(version.object_key, version.object_version_id or None)
        url = await self._storage.presign_get(
            stored.key,
            filename=typed_name(file_name(document.name), version.content_type),
            content_type=version.content_type,
            version_id=version.object_version_id or None,
            expires_in=DOWNLOAD_SECONDS,
        )
        return Download(url, expires_at)

    async def _served(self, tx: Transaction, document_id: UUID) -> Document:
        latest = await repository.get(tx, document_id)
        return await repository.get(tx, document_id, latest.ready_version or latest.latest_version)

    async def delete(self, principal: Principal, document_id: UUID, *, request_id: str = "") -> None:
        """Remove the document, its chunks and its objects, leaving a tombstone. Safe to repeat, also after an error.

        `Unavailable` when the objects could not be removed: the document is gone already, repeat for the objects.
        """
        async with self._database.transaction(principal) as tx:
            document = await repository.lock(tx, document_id)
            if document is None:
                raise NotFound("There is no such document.")
            await outcomes.mark_deleted(tx, document, request_id)
            await self._store.delete(tx, document_id)
        await remove_objects(self._database, self._storage, principal, document)


def _candidate(principal: Principal, upload: Upload) -> Candidate:
    return Candidate(
        name=upload.name,
        collection=upload.collection,
        source=Source.API,
        content_type=upload.content_type,
        size=len(upload.data),
        sha256=hashlib.sha256(upload.data).digest(),
        created_by=upload.created_by or principal.subject,
        metadata=upload.metadata,
    )
