"""What a sweep mends of one tenant's documents: whatever was killed, lost or never came. Every verb may be repeated.

Nothing here is needed where nothing breaks: it bounds how long anything can be left lying.
"""

from typing import Final
from uuid import UUID

from atrium.db import Database
from atrium.documents import outcomes, repository
from atrium.documents.ingestion.arrivals import ObjectCreated
from atrium.documents.ingestion.attempts import MOST_ATTEMPTS
from atrium.documents.ingestion.receiving import ReceivingService
from atrium.documents.ingestion.steps import INTERNAL
from atrium.documents.ingestion.turns import UNSTARTED_SECONDS, Turns
from atrium.documents.models import STUCK_SECONDS
from atrium.kernel.errors import NotFound
from atrium.kernel.principal import TenantId, worker
from atrium.kernel.settings import Settings
from atrium.ports.storage import ObjectStorage
from atrium.ports.workflow import Workflow

# S3 takes what was begun in time, and its message may be late: nobody is told that an upload expired which then arrives.
UPLOAD_GRACE_SECONDS: Final = 900.0
# Between an uploaded file's row and its message: a put of 6 MB, and the queue.
UNHEARD_SECONDS: Final = 1800.0
_AT_ONCE: Final = 100


class Upkeep:
    """The verbs of a sweep. `tenant_id`: whose; a sweep finds out who has something unfinished."""

    def __init__(self, database: Database, storage: ObjectStorage, pipeline: Workflow, settings: Settings) -> None:
        self._database = database
        self._storage = storage
        self._receiving = ReceivingService(database, storage, pipeline, settings)
        self._turns = Turns(database, pipeline, settings.ingest_in_flight)

    async def start_waiting(self, tenant_id: TenantId, *, idle: float = UNSTARTED_SECONDS) -> int:
        """Start the documents whose turn it is, and those whose turn came `idle` seconds ago and that did not begin; how many."""
        return await self._turns.start_waiting(tenant_id, idle=idle)

    async def expire_uploads(
        self, tenant_id: TenantId, *, late: float = UPLOAD_GRACE_SECONDS, unheard: float = UNHEARD_SECONDS
    ) -> int:
        """Receive files whose message was lost, and end the uploads that left none; how many ended.

        Direct uploads `late` seconds after their form expired, as `upload-expired`; others `unheard` seconds after they were
        taken, as `storage-unavailable`.
        """
        async with self._database.transaction(worker(tenant_id)) as tx:
            missing = await repository.missing_uploads(tx, late, unheard, _AT_ONCE)
        return sum([await self._settle(tenant_id, *each) for each in missing])

    async def _settle(self, tenant_id: TenantId, document_id: UUID, number: int) -> bool:
        async with self._database.transaction(worker(tenant_id)) as tx:
            document = await repository.find(tx, document_id, number)
        if document is None:
            return False
        try:
            stored = await self._storage.head(document.version.object_key)
        except NotFound:
            return await self._expire(tenant_id, document_id, number)
        await self._receiving.receive(ObjectCreated(stored.key, stored.version_id, ""))
        return False

    async def _expire(self, tenant_id: TenantId, document_id: UUID, number: int) -> bool:
        async with self._database.transaction(worker(tenant_id)) as tx:
            document = await repository.lock(tx, document_id, number)
            if document is None or document.deleted or document.version.attempts or document.version.waiting:
                return False
            if document.version.upload_expires_at is None:
                return await outcomes.mark_failed(tx, document, outcomes.STORAGE_UNAVAILABLE, outcomes.NOT_STORED)
            never = "The file was never sent. Ask for a new upload."
            return await outcomes.mark_failed(tx, document, outcomes.UPLOAD_EXPIRED, never)

    async def revive_stuck(self, tenant_id: TenantId, *, idle: float = STUCK_SECONDS) -> int:
        """Give versions that nothing works on any more another attempt, after the fifth a verdict; how many those were.

        They wait their turn like everything else: `start_waiting` comes next.
        """
        async with self._database.transaction(worker(tenant_id)) as tx:
            stuck = await repository.stuck_versions(tx, idle, _AT_ONCE)
        return sum([await self._revive(tenant_id, *each, idle) for each in stuck])

    async def _revive(self, tenant_id: TenantId, document_id: UUID, number: int, idle: float) -> bool:
        async with self._database.transaction(worker(tenant_id)) as tx:
            document = await repository.lock(tx, document_id, number)
            if document is None or document.deleted or not document.version.unfinished:
                return False
            if document.version.attempts >= MOST_ATTEMPTS:
                return await outcomes.mark_failed(tx, document, INTERNAL, "Processing it was cut off several times.")
            return await repository.retry_version(tx, document, idle)
