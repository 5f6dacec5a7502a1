"""Verifying that a tenant's chain is whole: it is computed again from the entries, in batches."""

from collections.abc import Sequence
from typing import Final

from atrium.audit import repository
from atrium.audit.canonical import GENESIS, chained
from atrium.audit.models import Chain, Link, SealedEntry, Verification
from atrium.db import Database
from atrium.kernel.budget import Budget
from atrium.kernel.principal import Principal

# Entries in memory at once.
_BATCH: Final = 1000


async def verify(database: Database, principal: Principal, after: Link, budget: Budget) -> Verification:
    """Which entry behind `after` is the first that is not as it was sealed, as far as `budget` goes.

    An entry that is gone is as broken as one that was changed. `after` is where an earlier verification ended; with the hash that
    was noted then, an entry there that has another one is broken, so is one that is not there any more.
    Conflict while the tenant's log is being verified: it takes the database's time, and who asks twice learns nothing more.
    """
    async with database.transaction(principal) as tx:
        await repository.claim_verification(tx)
        chain = await repository.chain(tx)
        known = await repository.hash_of(tx, after.seq) if after.seq else GENESIS
        if known is None or known != (after.hash or known) or after.seq > chain.end.seq:
            return Verification(chain, after.seq, after.seq, first_broken=max(after.seq, 1))
        walk = _Walk(after.seq, known)
        while walk.at < chain.end.seq and not budget.spent:
            if not walk.over(await repository.sealed_entries(tx, after=walk.at, until=chain.end.seq, limit=_BATCH)):
                return Verification(chain, after.seq, walk.at, first_broken=walk.at + 1)
    return Verification(chain, after.seq, walk.at, first_broken=_broken_end(chain, walk) if walk.at == chain.end.seq else None)


class _Walk:
    """How far the chain was computed: the number and hash of the last entry that is as it was sealed."""

    def __init__(self, at: int, hash_: bytes) -> None:
        self.at = at
        self.hash = hash_

    def over(self, entries: Sequence[SealedEntry]) -> bool:
        """Go on over `entries`; False, standing before the first that is not as it was, or that is not there."""
        for entry in entries:
            expected = chained(self.hash, entry.members)
            if entry.seq != self.at + 1 or entry.hash != expected:
                return False
            self.at, self.hash = entry.seq, expected
        return bool(entries)


def _broken_end(chain: Chain, walk: _Walk) -> int | None:
    """Whether the chain ends as it was noted: where it was, and with nothing behind it."""
    if walk.hash != chain.end.hash:
        return max(walk.at, 1)
    return walk.at + 1 if chain.last > walk.at else None
