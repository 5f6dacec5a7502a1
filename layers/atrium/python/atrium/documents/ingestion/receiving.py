"""What an object's arrival means: a version is registered where none is, and its execution started.

Every message may come twice, late or out of order. A message is done with only when the execution of the version it
stands for was started, or needs none; a name per attempt makes starting it any number of times harmless.
"""

import hashlib
import logging
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from atrium.audit import record
from atrium.db import Database, Transaction
from atrium.documents import outcomes, repository
from atrium.documents.ingestion.arrivals import ObjectCreated, Receipt
from atrium.documents.keys import DropKey, ForeignKey, RejectedKey, UploadKey, parse_key
from atrium.documents.models import Candidate, Document, Source, Status
from atrium.documents.naming import UNKNOWN_TYPE
from atrium.documents.parsing.failures import FailureKind
from atrium.documents.registration import StaleWrite, is_stale, register
from atrium.kernel.errors import NotFound, Unavailable
from atrium.kernel.ids import new_id
from atrium.kernel.principal import TenantId, worker
from atrium.ports.storage import ObjectStorage
from atrium.ports.workflow import Workflow
from atrium.tenancy.erasure import is_erased

_log: Final = logging.getLogger(__name__)


class ReceivingService:
    """Turns arrivals into executions of the pipeline. `document_limit` in bytes."""

    def __init__(self, database: Database, storage: ObjectStorage, pipeline: Workflow, *, document_limit: int) -> None:
        self._database = database
        self._storage = storage
        self._pipeline = pipeline
        self._document_limit = document_limit

    async def receive(self, event: ObjectCreated) -> Receipt:
        """Handle one arrival, the first time or again. An error means that its message must come again."""
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
        size = await self._size(event)
        async with self._database.transaction(worker(key.tenant_id)) as tx:
            document = await repository.lock(tx, key.document_id, key.version)
            if document is None and not await is_erased(tx):
                raise Unavailable("The uploaded object's row is not there yet.")
            if document is None or document.deleted or size is None:
                due: _Due | Receipt = Receipt.GONE
            else:
                due = await self._admit(tx, await _see(tx, document, event, size))
        if document is None or document.deleted:  # the tombstone wins over an object that came after it
            await self._storage.delete(event.key)
        return await self._start(key.tenant_id, due)

    async def _receive_drop(self, key: DropKey, event: ObjectCreated) -> Receipt:
        async with self._database.transaction(worker(key.tenant_id)) as tx:
            known = await repository.tenant_exists(tx)
            erased = not known and await is_erased(tx)
            stale = await is_stale(tx, event.key, event.sequencer)
        if erased:
            await self._storage.delete(event.key)
            return Receipt.GONE
        if not known:
            return await self._reject(RejectedKey(None, "unknown-tenant", "No tenant has this id."), event)
        if stale:
            return Receipt.STALE
        size = await self._size(event)
        if size is None:
            return Receipt.GONE
        candidate = await self._candidate(key, event, size)
        try:
            async with self._database.transaction(worker(key.tenant_id)) as tx:
                registration = await register(tx, candidate, new_id())
                due = await self._admit(tx, registration.document)
        except StaleWrite:
            return Receipt.STALE
        return await self._start(key.tenant_id, due)

    async def _candidate(self, key: DropKey, event: ObjectCreated, size: int) -> Candidate:
        """What the object holds; one that is too large is registered without being read."""
        data = await self._storage.get(event.key, event.version_id or None) if size <= self._document_limit else None
        return Candidate(
            name=key.name,
            collection=key.collection,
            source=Source.DROP,
            content_type=UNKNOWN_TYPE,
            size=size,
            sha256=None if data is None else hashlib.sha256(data).digest(),
            created_by=worker(key.tenant_id).subject,
            object_key=event.key,
            object_version_id=event.version_id,
            sequencer=event.sequencer,
        )

    async def _size(self, event: ObjectCreated) -> int | None:
        """The object's size as the store has it; None when it is there no more."""
        try:
            return (await self._storage.head(event.key, event.version_id or None)).size
        except NotFound:
            return None

    async def _admit(self, tx: Transaction, document: Document) -> "_Due | Receipt":
        """The execution that a pending version is to have."""
        if document.version.status is not Status.PENDING:
            return Receipt.UNCHANGED
        if document.version.size > self._document_limit:
            limit = f"The file is larger than {self._document_limit:,} bytes."
            await outcomes.mark_failed(tx, document, FailureKind.TOO_LARGE, limit)
            return Receipt.REFUSED
        return _Due(document.id, document.version.number, await repository.begin_attempt(tx, document))

    async def _start(self, tenant_id: TenantId, due: "_Due | Receipt") -> Receipt:
        if isinstance(due, Receipt):
            return due
        await start_execution(self._pipeline, tenant_id, due.document_id, due.version, due.attempt)
        return Receipt.STARTED


@dataclass(frozen=True, slots=True)
class _Due:
    """An execution to start once the transaction has ended."""

    document_id: UUID
    version: int
    attempt: int


async def start_execution(pipeline: Workflow, tenant_id: TenantId, document_id: UUID, version: int, attempt: int) -> None:
    """Start the pipeline for one attempt at a version; nothing happens when it was started before."""
    payload = {"tenant_id": str(tenant_id), "document_id": str(document_id), "version": version, "attempt": attempt}
    await pipeline.start(f"{document_id}-{version}-{attempt}", payload)


async def _see(tx: Transaction, document: Document, event: ObjectCreated, size: int) -> Document:
    """The version with the write it stands for: the first that is seen, as only one was asked for."""
    if document.version.object_version_id or document.version.status is not Status.PENDING:
        return document
    await repository.see_object(tx, document, sequencer=event.sequencer, object_version_id=event.version_id, size=size)
    return await repository.get(tx, document.id, document.version.number)
