"""How a document is deleted, whoever asks for it: rows and chunks in one transaction, objects after it."""

from uuid import UUID

from atrium.db import Database, Transaction
from atrium.documents import outcomes, repository
from atrium.documents.cleanup import remove_objects
from atrium.documents.models import Document
from atrium.kernel.errors import NotFound
from atrium.kernel.principal import Principal
from atrium.ports.storage import ObjectStorage
from atrium.retrieval.store import VectorStore


class Deletions:
    """Deletes documents. Every verb may be repeated, also after an error."""

    def __init__(self, database: Database, storage: ObjectStorage, store: VectorStore) -> None:
        self._database = database
        self._storage = storage
        self._store = store

    async def delete(self, principal: Principal, document_id: UUID, *, request_id: str = "") -> None:
        """Remove the document, its chunks and its objects, leaving a tombstone. `NotFound` for what never was.

        `Unavailable` when the objects could not be removed: the document is gone already, repeat for the objects.
        """
        async with self._database.transaction(principal) as tx:
            document = await repository.lock(tx, document_id)
            if document is None:
                raise NotFound("There is no such document.")
            await self.bury(tx, document, request_id=request_id)
        await self.clear(principal, document)

    async def bury(self, tx: Transaction, document: Document, *, request_id: str = "") -> None:
        """Leave a tombstone of a locked document, and nothing that search finds; its objects are for `clear`."""
        await outcomes.mark_deleted(tx, document, request_id)
        await self._store.delete(tx, document.id)

    async def clear(self, principal: Principal, document: Document) -> None:
        """Remove a buried document's objects."""
        await remove_objects(self._database, self._storage, principal, document)
