"""Documents that nothing works on any more are started again; what deleted and finished ones left in the bucket is removed."""

import logging
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Final
from uuid import UUID

from atrium.db import Database
from atrium.documents import repository as documents
from atrium.documents.cleanup import remove_objects, remove_work
from atrium.documents.ingestion.upkeep import Upkeep
from atrium.documents.models import STUCK_SECONDS, Status
from atrium.housekeeping import repository
from atrium.kernel.budget import Budget
from atrium.kernel.errors import AtriumError
from atrium.kernel.principal import TenantId, worker
from atrium.ports.storage import ObjectStorage

_log: Final = logging.getLogger(__name__)
# Tombstones looked at in one run; the rest has its turn in the next.
_MOST: Final = 500
_WORK: Final = "work/"
_WORK_FOLDERS: Final = 4  # work/{tenant}/{document}/{version}/…
_Counts = Counter[str]


class Sweep:
    """One look at all tenants. `relay` sees who needs something; it is done inside the tenant, as the application."""

    def __init__(self, relay: Database, database: Database, storage: ObjectStorage, upkeep: Upkeep) -> None:
        self._relay = relay
        self._database = database
        self._storage = storage
        self._upkeep = upkeep

    async def run(self, budget: Budget) -> dict[str, int]:
        """Everything, as far as `budget` goes; how much of what. `failed` and `left` wait for the next run."""
        counts: _Counts = Counter()
        for tenant_id in await repository.unfinished_tenants(self._relay):
            await self._guarded(budget, counts, self._mend, tenant_id)
        for tombstone in await repository.tombstones(self._relay, idle=STUCK_SECONDS, most=_MOST):
            await self._guarded(budget, counts, self._empty, *tombstone)
        async for leftover in self._work():
            await self._guarded(budget, counts, self._tidy, *leftover)
        return dict(counts)

    async def _mend(self, tenant_id: TenantId) -> _Counts:
        """Give stuck versions another attempt or their verdict, and start whose turn it is."""
        return Counter(
            expired=await self._upkeep.expire_uploads(tenant_id),
            revived=await self._upkeep.revive_stuck(tenant_id),
            started=await self._upkeep.start_waiting(tenant_id),
        )

    async def _empty(self, tenant_id: TenantId, document_id: UUID) -> _Counts:
        """Remove what a deleted document still has in the bucket."""
        async with self._database.transaction(worker(tenant_id)) as tx:
            document = await documents.find(tx, document_id)
        if document is None or not document.deleted:
            return Counter()
        await remove_objects(self._database, self._storage, worker(tenant_id), document)
        async with self._database.transaction(worker(tenant_id)) as tx:
            await repository.set_objects_removed(tx, document_id)
        return Counter(emptied=1)

    async def _tidy(self, tenant_id: TenantId, document_id: UUID, number: int) -> _Counts:
        """Remove the steps' work of a version that has no use for it: a failed one's is used again when it is retried."""
        async with self._database.transaction(worker(tenant_id)) as tx:
            document = await documents.find(tx, document_id, number)
        if document is not None and not document.deleted and document.version.status is not Status.READY:
            return Counter()
        await remove_work(self._storage, tenant_id, document_id, number)
        return Counter(tidied=1)

    async def _work(self) -> AsyncIterator[tuple[TenantId, UUID, int]]:
        """The versions that have something under work/."""
        last: list[str] = []
        async for key in self._storage.list(_WORK):
            folders = key.split("/")[:_WORK_FOLDERS]
            if folders != last and (version := _version_of(folders)):
                yield version
            last = folders

    async def _guarded[*Args](
        self, budget: Budget, counts: _Counts, verb: Callable[[*Args], Awaitable[_Counts]], *args: *Args
    ) -> None:
        """One thing's failure is not the others'; and when time is up nothing is begun."""
        if budget.spent:
            counts["left"] += 1
            return
        try:
            counts.update(await verb(*args))
        except AtriumError as error:
            _log.warning("this waits for the next run: %s", error, extra={"of": [str(each) for each in args]})
            counts["failed"] += 1


def _version_of(folders: list[str]) -> tuple[TenantId, UUID, int] | None:
    """Whose work lies there; None where the steps have put nothing."""
    try:
        _, tenant_id, document_id, number = folders
        return TenantId(UUID(tenant_id)), UUID(document_id), int(number)
    except ValueError:
        return None
