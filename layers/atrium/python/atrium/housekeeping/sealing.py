"""The audit log's entries are sealed, tenant by tenant, into each one's hash chain."""

import logging
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from typing import Final

from atrium.audit.sealing import close_days, seal
from atrium.db import Database
from atrium.housekeeping import repository
from atrium.kernel.budget import Budget
from atrium.kernel.errors import AtriumError
from atrium.kernel.principal import TenantId

_log: Final = logging.getLogger(__name__)
_Counts = Counter[str]
_Verb = Callable[[Database, TenantId, Budget], Awaitable[_Counts]]


async def seal_logs(relay: Database, database: Database, budget: Budget) -> dict[str, int]:
    """Seal what there is to seal, then close days of ledgers, as far as `budget` goes.

    How many entries of how many tenants were sealed, how many days were closed, and how many tenants wait for the next run with
    either. The entry that closes a day is sealed by the next run.
    """
    counts = Counter(sealed=0, tenants=0, left=0, days=0)
    # Half of the time each: a long backlog of the one must not keep the other from ever being done.
    halves = (repository.unsealed_tenants, _seal, budget.share(2)), (repository.unclosed_tenants, _close, budget)
    for find, verb, share in halves:
        await _each(database, await find(relay), verb, share, counts)
    return dict(counts)


async def _each(database: Database, tenants: Sequence[TenantId], verb: _Verb, budget: Budget, counts: _Counts) -> None:
    """Each tenant has its share, and one's failure (a locked row, an erasure) is not the others'."""
    for position, tenant_id in enumerate(tenants):
        if budget.spent:
            counts["left"] += len(tenants) - position
            return
        try:
            counts.update(await verb(database, tenant_id, budget.share(len(tenants) - position)))
        except AtriumError as error:
            _log.warning("this tenant's audit log waits for the next run: %s", error, extra={"tenant_id": str(tenant_id)})
            counts["left"] += 1


async def _seal(database: Database, tenant_id: TenantId, budget: Budget) -> _Counts:
    sealed, end = await seal(database, tenant_id, budget)
    # Where a chain ends is told to the log group too: who rewrites the whole chain in the database does not reach that.
    end_hash = None if end.hash is None else end.hash.hex()
    _log.info("audit log sealed", extra={"tenant_id": str(tenant_id), "audit_seq": end.seq, "audit_hash": end_hash})
    return Counter(sealed=sealed, tenants=1)


async def _close(database: Database, tenant_id: TenantId, budget: Budget) -> _Counts:
    return Counter(days=await close_days(database, tenant_id, budget))
