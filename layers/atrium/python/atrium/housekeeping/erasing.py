"""Erasures that a request began and could not end, or that may still have late writers."""

import logging
from typing import Final

from atrium.db import Database
from atrium.housekeeping import repository
from atrium.kernel.budget import Budget
from atrium.kernel.errors import Unavailable
from atrium.tenancy.erasure import ErasureService

_log: Final = logging.getLogger(__name__)


async def erase(relay: Database, erasing: ErasureService, budget: Budget) -> dict[str, int]:
    """Go on with every open erasure; how many are empty now, over, and still to do."""
    counts = {"emptied": 0, "finished": 0, "left": 0}
    tenants = await repository.open_erasures(relay)
    for position, tenant_id in enumerate(tenants):
        # Each has its share, so that a huge one does not keep the others waiting.
        share = budget.share(len(tenants) - position)
        try:
            erasure = await erasing.resume(tenant_id, share)
        except Unavailable as error:
            _log.warning("the erasure of tenant %s waits: %s", tenant_id, error)
            counts["left"] += 1
            continue
        outcome = "finished" if erasure.finished_at else "emptied" if erasure.emptied_at else "left"
        counts[outcome] += 1
    return counts
