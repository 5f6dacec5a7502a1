"""What an object's arrival means: a version is registered where none is, and waits its turn; often that is now.

Every message may come twice, late or out of order. A message is done with only when the version it stands for has its row
with its bytes; who may start now is started before that, and found again by whoever comes next when it was not.
"""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from atrium.audit import record
from atrium.db import Database, Transaction
from atrium.documents import outcomes, repository
from atrium.documents.deletion import Deletions
from atrium.documents.ingestion.arrivals import ObjectCreated, ObjectDeleted, Receipt
from atrium.documents.ingestion.turns import Turns
from atrium.documents.keys import DropKey, ForeignKey, RejectedKey, UploadKey, parse_key
from atrium.documents.models import Candidate, Document, Due, Source, Status
from atrium.documents.naming import UNKNOWN_TYPE
from atrium.documents.parsing.failures import FailureKind
from atrium.documents.registration import StaleWrite, is_stale, register
from atrium.documents.transfer import digest
from atrium.kernel.errors import IngestionFailed, NotFound, Unavailable
from atrium.kernel.ids import new_id
from atrium.kernel.principal import worker
from atrium.kernel.settings import Settings
from atrium.ports.storage import ObjectStorage
from atrium.ports.workflow import Workflow
from atrium.retrieval.store import PostgresVectorStore, VectorStore
from atrium.tenancy.erasure import is_erased

_log: Final = logging.getLogger(__name__)


class ReceivingService:
    """Turns arrivals into executions of the pipeline, and, where deletions are mirrored, deletions into deletions."""

    def __init__(
        self, database: Database, storage: ObjectStorage, pipeline: Workflow, settings: Settings, store: VectorStore | None = None
    ) -> None:
        self._database = database
        self._storage = storage
        self._turns = Turns(database, pipeline, settings.ingest_in_flight)
        self._deletions = Deletions(database, storage, store or PostgresVectorStore())
        self._document_limit = settings.document_limit
        self._model = settings.embedding_model
        self._mirrors = settings.drop_delete == "mirror"

    async def receive(self, event: ObjectCreated | ObjectDeleted) -> Receipt:
        """Handle one message, the first time or again. An error means that it must come again."""
        if isinstance(event, ObjectDeleted):
            return await self._receive_deletion(event)
        match parse_key(event.key):
            case ForeignKey():
                return Receipt.IGNORED
            case RejectedKey() as rejected:
                return await self._reject(rejected, event)
            case UploadKey() as key:
                return await self._receive_upload(key, event)
            case DropKey() as key:
                return await self._receive_drop(key, event)

    async def _reject(self, rejected: RejectedKey, event: ObjectCreated) -> Receipt:
        """Say so where somebody can read it; the message is done with, as it would fail the same way for ever."""
        _log.warning("object rejected, %s: %s", rejected.kind, event.key)
        if rejected.tenant_id is not None:
            async with self._database.transaction(worker(rejected.tenant_id)) as tx:
                if await repository.tenant_exists(tx):
                    detail = {"type": rejected.kind, "detail": rejected.detail}
                    await record(tx, action="document.rejected", target=event.key, detail=detail)
        return Receipt.REJECTED

    async def _receive_upload(self, key: UploadKey, event: ObjectCreated) -> Receipt:
        event, size = await self._look(event)
        async with self._database.transaction(worker(key.tenant_id)) as tx:
            document = await repository.lock(tx, key.document_id, key.version)
            if document is None and not await is_erased(tx):
                raise Unavailable("The uploaded object's row is not there yet.")
            if document is None or document.deleted or size is None:
                admitted = _Admitted(Receipt.GONE)
            else:
                document = await _see(tx, document, event, size)
                admitted = await self._admit(tx, document)
        if document is None or document.deleted:  # the tombstone wins over an object that came after it
            await self._storage.delete(event.key)
        elif document.version.object_version_id not in {"", event.version_id}:
            # The form was used again. Its first use is the version; what nobody will read is not kept.
            await self._storage.delete(event.key, event.version_id)
        await self._turns.start(key.tenant_id, admitted.dues)
        return admitted.receipt

    async def _receive_drop(self, key: DropKey, event: ObjectCreated) -> Receipt:
        async with self._database.transaction(worker(key.tenant_id)) as tx:
            known = await repository.tenant_exists(tx)
            erased = not known and await is_erased(tx)
            stale = await is_stale(tx, event.key, event.sequencer)
            registered = event.sequencer in await repository.seen_sequencers(tx, event.key)
        if erased:
            await self._storage.delete(event.key)
            return Receipt.GONE
        if not known:
            return await self._reject(RejectedKey(None, "unknown-tenant", "No tenant has this id."), event)
        if stale:
            return Receipt.STALE
        event, size = await self._look(event)
        return Receipt.GONE if size is None else await self._register(key, event, size, hashed=not registered)

    async def _register(self, key: DropKey, event: ObjectCreated, size: int, *, hashed: bool) -> Receipt:
        """`hashed`: a write that is registered is known by its sequencer, and not read again."""
        candidate = await self._candidate(key, event, size, hashed=hashed and size <= self._document_limit)
        try:
            async with self._database.transaction(worker(key.tenant_id)) as tx:
                registration = await register(tx, candidate, new_id())
                admitted = await self._admit(tx, registration.document)
        except StaleWrite:
            return Receipt.STALE
        await self._turns.start(key.tenant_id, admitted.dues)
        return admitted.receipt

    async def _candidate(self, key: DropKey, event: ObjectCreated, size: int, *, hashed: bool) -> Candidate:
        """What the object holds; only to be `hashed` it is read."""
        return Candidate(
            name=key.name,
            collection=key.collection,
            source=Source.DROP,
            content_type=UNKNOWN_TYPE,
            size=size,
            sha256=await self._hash(event) if hashed else None,
            created_by=worker(key.tenant_id).subject,
            object_key=event.key,
            object_version_id=event.version_id,
            sequencer=event.sequencer,
            model=self._model,
        )

    async def _hash(self, event: ObjectCreated) -> bytes | None:
        try:
            return (await digest(self._storage, event.key, event.version_id or None, self._document_limit)).sha256
        except IngestionFailed:  # larger than the store said: inspection will say so to its owner
            return None

    async def _look(self, event: ObjectCreated) -> tuple[ObjectCreated, int | None]:
        """The write, with the version that the store names where its message names none; its size, None when it is gone."""
        try:
            stored = await self._storage.head(event.key, event.version_id or None)
        except NotFound:
            return event, None
        return replace(event, version_id=event.version_id or stored.version_id), stored.size

    async def _admit(self, tx: Transaction, document: Document) -> "_Admitted":
        """What may start now; the document's own version among it, or it waits."""
        if document.version.status is not Status.PENDING:
            return _Admitted(Receipt.UNCHANGED)
        if document.version.size > self._document_limit:
            limit = f"The file is larger than {self._document_limit:,} bytes."
            await outcomes.mark_failed(tx, document, FailureKind.TOO_LARGE, limit)
            return _Admitted(Receipt.REFUSED)
        dues = await self._turns.ask(tx, document)
        mine = any((due.document_id, due.version) == (document.id, document.version.number) for due in dues)
        return _Admitted(Receipt.STARTED if mine else Receipt.WAITING, dues)

    async def _receive_deletion(self, event: ObjectDeleted) -> Receipt:
        key = parse_key(event.key)
        if not self._mirrors or not isinstance(key, DropKey):
            return Receipt.IGNORED
        # An older version may have been removed, also by us, or the file be there again.
        if await self._storage.exists(event.key):
            return Receipt.UNCHANGED
        principal = worker(key.tenant_id)
        async with self._database.transaction(principal) as tx:
            if not await repository.tenant_exists(tx):
                return Receipt.REJECTED
            # Under whichever name: it may have been renamed or moved since.
            found = await repository.find_dropped(tx, event.key)
            document = None if found is None else await repository.lock(tx, found)
            if await is_stale(tx, event.key, event.sequencer):
                return Receipt.STALE
            await repository.record_write(tx, event.key, event.sequencer)
            # What came through the API since is not the folder's.
            if document is None or document.deleted or document.version.object_key != event.key:
                return Receipt.UNCHANGED
            await self._deletions.bury(tx, document)
        await self._deletions.clear(principal, document)
        return Receipt.DELETED


@dataclass(frozen=True, slots=True)
class _Admitted:
    """What becomes of an arrival, and what is to be started once the transaction has ended: also others, whose turn it is."""

    receipt: Receipt
    dues: Sequence[Due] = ()


async def _see(tx: Transaction, document: Document, event: ObjectCreated, size: int) -> Document:
    """The version with the write it stands for: the first that is seen, as only one was asked for."""
    late = document.version.error_type == outcomes.UPLOAD_EXPIRED and document.version.number == document.latest_version
    if late and await repository.retry_version(tx, document, 0):
        document = await repository.get(tx, document.id, document.version.number)
    if document.version.object_version_id or document.version.status is not Status.PENDING:
        return document
    await repository.see_object(tx, document, sequencer=event.sequencer, object_version_id=event.version_id, size=size)
    return await repository.get(tx, document.id, document.version.number)
