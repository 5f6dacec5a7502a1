"""Sealing entries into their tenant's chain, and closing the days of its ledger in it."""

from typing import Final

from atrium.audit import repository
from atrium.audit.models import Link
from atrium.db import Database
from atrium.kernel.budget import Budget
from atrium.kernel.principal import TenantId, worker

# Entries that one transaction seals.
_BATCH: Final = 1000


async def seal(database: Database, tenant_id: TenantId, budget: Budget) -> tuple[int, Link]:
    """Seal what the tenant's log holds, batch by batch within `budget`; how many entries, and the chain's end after it."""
    total = 0
    while True:
        async with database.transaction(worker(tenant_id)) as tx:
            sealed, end = await repository.seal(tx, _BATCH)
        total += sealed
        if sealed < _BATCH or budget.spent:
            return total, end


async def close_days(database: Database, tenant_id: TenantId, budget: Budget) -> int:
    """Give every day of the tenant's ledger that is over, and whose calls have ended, its entry of the audit log; how many."""
    closed = 0
    while not budget.spent:
        async with database.transaction(worker(tenant_id)) as tx:
            if await repository.close_day(tx) is None:
                break
        closed += 1
    return closed
