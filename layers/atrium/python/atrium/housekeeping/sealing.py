"""The audit log's entries are sealed, tenant by tenant, into each one's hash chain."""

import logging
from typing import Final

from atrium.audit.sealing import close_days, seal
from atrium.db import Database
from atrium.housekeeping import repository
from atrium.kernel.budget import Budget

_log: Final = logging.getLogger(__name__)


async def seal_logs(relay: Database, database: Database, budget: Budget) -> dict[str, int]:
    """Close days of ledgers, then seal what there is to seal, as far as `budget` goes.

    How many entries of how many tenants were sealed, how many tenants wait, and how many days were closed.
    """
    days = [await close_days(database, tenant_id, budget) for tenant_id in await repository.unclosed_tenants(relay)]
    tenants = await repository.unsealed_tenants(relay)
    counts = {"sealed": 0, "tenants": 0, "left": len(tenants), "days": sum(days)}
    for position, tenant_id in enumerate(tenants):
        if budget.spent:
            break
        sealed, end = await seal(database, tenant_id, budget.share(len(tenants) - position))
        # Where a chain ends is told to the log group too: who rewrites the whole chain in the database does not reach that.
        end_hash = None if end.hash is None else end.hash.hex()
        _log.info("audit log sealed", extra={"tenant_id": str(tenant_id), "audit_seq": end.seq, "audit_hash": end_hash})
        counts["sealed"] += sealed
        counts["tenants"] += 1
        counts["left"] -= 1
    return counts
