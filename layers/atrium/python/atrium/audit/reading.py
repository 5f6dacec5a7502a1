"""What a tenant's admins do with the audit log: read, export, verify, and see what goes on."""

from collections.abc import Sequence
from datetime import date
from typing import Any, Final

from atrium.audit import repository
from atrium.audit.activity import Activity, ActivityFilter, Day
from atrium.audit.canonical import canonical
from atrium.audit.models import AuditEntry, AuditFilter, LedgerDay, Link, SealedEntry, Verification
from atrium.audit.verifying import verify
from atrium.db import Database
from atrium.kernel.budget import Budget
from atrium.kernel.principal import Principal

_ENDLESS: Final = 2**63 - 1
# Bytes of an export's page: a buffered answer may have 6 MB.
_EXPORT_BYTES: Final = 4_000_000
# How far back days are counted.
DAYS: Final = 14


class AuditService:
    """The log of the principal's tenant."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def list_page(
        self, principal: Principal, where: AuditFilter, *, after: tuple[Any, ...] | None, limit: int
    ) -> Sequence[AuditEntry]:
        """The entries that `where` leaves, the newest first, below the sort key (at, id) `after`."""
        async with self._database.transaction(principal) as tx:
            return await repository.list_entries(tx, where, after=after, limit=limit)

    async def export(self, principal: Principal, *, after: int, limit: int) -> tuple[bytes, int | None]:
        """Sealed entries above `after` in the chain's order, a line of JSON each; the last one's number if there may be more."""
        async with self._database.transaction(principal) as tx:
            entries = await repository.sealed_entries(tx, after=after, until=_ENDLESS, limit=limit)
        lines, size = list[bytes](), 0
        for entry in entries:
            lines.append(_line(entry))
            size += len(lines[-1])
            if size >= _EXPORT_BYTES:
                break
        more = len(lines) == limit or len(lines) < len(entries)
        return b"".join(lines), entries[len(lines) - 1].seq if more else None

    async def ledger_day(self, principal: Principal, day: date) -> LedgerDay:
        """The calls of models of a day (UTC), compared with what the audit log says of it. Conflict as of `verify`."""
        async with self._database.transaction(principal) as tx:
            await repository.claim_verification(tx)
            now = await repository.ledger_digest(tx, day)
            return LedgerDay(day, now, await repository.closing_entry(tx, day))

    async def verify(self, principal: Principal, after: Link, budget: Budget) -> Verification:
        """Compute the chain behind `after` again; see `atrium.audit.verifying`."""
        return await verify(self._database, principal, after, budget)


class ActivityService:
    """The activity of the principal's tenant."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def list_page(
        self, principal: Principal, where: ActivityFilter, *, after: tuple[Any, ...] | None, limit: int
    ) -> Sequence[Activity]:
        """What `where` leaves, the newest first, below the sort key (at, id) `after`."""
        async with self._database.transaction(principal) as tx:
            return [Activity.from_row(row) for row in await repository.list_activity(tx, where, after=after, limit=limit)]

    async def days(self, principal: Principal) -> Sequence[Day]:
        """The last fourteen days, today's first, whether anything went on or not."""
        async with self._database.transaction(principal) as tx:
            return [Day(**row) for row in await repository.count_days(tx, DAYS)]


def _line(entry: SealedEntry) -> bytes:
    return canonical({**entry.members, "seq": entry.seq, "hash": entry.hash.hex()}).encode() + b"\n"
