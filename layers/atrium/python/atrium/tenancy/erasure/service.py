"""The verbs of erasing a tenant: access ends with the request, rows and objects go as far as time allows, housekeeping ends it.

Nothing is left but a row of `erasures` without anything personal in it. It stays open for longer than whatever was under way
when the erasure began can go on writing, and every look at it removes what came meanwhile.
"""

import logging
from datetime import timedelta
from typing import Final

from atrium.db import Database, Transaction
from atrium.kernel.budget import Budget
from atrium.kernel.errors import FieldError, Forbidden, InvalidFields, NotFound
from atrium.kernel.principal import Principal, PrincipalKind, TenantId, worker
from atrium.ports.storage import ObjectStorage
from atrium.tenancy.erasure import repository
from atrium.tenancy.erasure.models import Erasure

_log: Final = logging.getLogger(__name__)
# Where a tenant's objects lie: `{area}/{tenant}/`.
AREAS: Final = ("drop", "uploads", "text", "work")
# Executions end after three hours, presigned uploads sooner: what comes later finds no tenant.
SETTLED: Final = timedelta(hours=4)
# Rows of each table, and objects, that one call removes: a call that is cut off has lost little.
_ROWS: Final = 5000
_OBJECTS: Final = 1000
_NOBODY_ASKED: Final = "Nobody asked to erase this tenant."


class ErasureService:
    """Erases tenants. Every verb may be repeated, run twice at once and be killed anywhere."""

    def __init__(self, database: Database, storage: ObjectStorage) -> None:
        self._database = database
        self._storage = storage

    async def erase(self, principal: Principal, *, confirm: str, budget: Budget, request_id: str = "") -> Erasure:
        """Erase the principal's tenant, as far as `budget` goes; `confirm` must be the organisation's name.

        Errors: Forbidden to API keys; InvalidFields for another name. Unavailable: nothing has begun, or all access has ended
        and housekeeping goes on.
        """
        if principal.kind is not PrincipalKind.USER:
            # A key that leaked, or a script that took the wrong one, must not be able to.
            raise Forbidden("Only a user may erase the organisation, no API key.")
        async with self._database.transaction(principal) as tx:
            if not await repository.begin(tx, confirmation=confirm, request_id=request_id):
                raise InvalidFields((FieldError("/confirm", "This is not the organisation's name."),))
        return await self.resume(principal.tenant_id, budget)

    async def resume(self, tenant_id: TenantId, budget: Budget) -> Erasure:
        """Remove what is left of a tenant, as far as `budget` goes. `NotFound` when nobody asked for its erasure."""
        async with self._database.transaction(worker(tenant_id)) as tx:
            if not await is_erased(tx):
                raise NotFound(_NOBODY_ASKED)
        rows = await self._remove_rows(tenant_id, budget)
        objects = await self._remove_objects(tenant_id, budget)
        # Who ran out of time cannot say that nothing is left.
        empty = not budget.spent
        async with self._database.transaction(worker(tenant_id)) as tx:
            erasure = await repository.advance(tx, rows=rows, objects=objects, empty=empty, settled=SETTLED)
        if erasure is None:
            raise NotFound(_NOBODY_ASKED)
        _log.info("erasing", extra={"tenant_id": str(tenant_id), "rows": rows, "objects": objects, "empty": empty})
        return erasure

    async def _remove_rows(self, tenant_id: TenantId, budget: Budget) -> int:
        total, removed = 0, 1
        while removed and not budget.spent:
            # Each in a transaction of its own: locks are short, and what is done stays done.
            async with self._database.transaction(worker(tenant_id)) as tx:
                removed = await repository.remove_rows(tx, _ROWS)
            total += removed
        return total

    async def _remove_objects(self, tenant_id: TenantId, budget: Budget) -> int:
        total = 0
        for area in AREAS:
            while not budget.spent and (removed := await self._storage.purge(f"{area}/{tenant_id}/", limit=_OBJECTS)):
                total += removed
        return total


async def is_erased(tx: Transaction) -> bool:
    """Whether the transaction's tenant is gone, or going, because somebody asked for it."""
    return await repository.find(tx) is not None
