"""What has had its time is deleted: tokens, keys, invitations, buckets, events that were published."""

from typing import Final

from atrium.db import Database
from atrium.housekeeping import repository
from atrium.kernel.budget import Budget

# Rows that one statement deletes: short enough for nobody to wait for it.
_BATCH: Final = 2000


async def expire(relay: Database, budget: Budget) -> dict[str, int]:
    """Delete everything that expired, as far as `budget` goes; how much of what. `relay` logs in as `atrium_relay`."""
    return {what: await _expire(relay, what, budget) for what in repository.EXPIRY}


async def _expire(relay: Database, what: str, budget: Budget) -> int:
    total, removed = 0, _BATCH
    while removed == _BATCH and not budget.spent:
        removed = await repository.expire(relay, what, _BATCH)
        total += removed
    return total
