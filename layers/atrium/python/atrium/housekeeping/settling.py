"""Calls that nobody came back for are settled at what was reserved, a day after their time: what they cost is not known."""

import logging
from typing import Final

from atrium.db import Database
from atrium.kernel.budget import Budget
from atrium.ledger import repository

_log: Final = logging.getLogger(__name__)
# Calls looked at in one run; the rest has its turn in the next.
_MOST: Final = 1000


async def settle_unknown(relay: Database, database: Database, budget: Budget) -> int:
    """How many calls were settled, as far as `budget` goes. `relay` sees which, `database` settles each in a call of its own."""
    settled = 0
    for tenant_id, call_id in await repository.unsettled(relay, _MOST):
        if budget.spent:
            break
        settled += await repository.abandon(database, tenant_id, call_id)
    if settled:
        # An alarm may read it: processes that die in the middle of calls are a fault.
        _log.warning("nobody came back for calls", extra={"settled": settled})
    return settled
