"""What a tenant's auditors do with the audit log: read."""

from collections.abc import Sequence
from typing import Any

from atrium.audit import repository
from atrium.audit.models import AuditEntry, AuditFilter
from atrium.db import Database
from atrium.kernel.principal import Principal


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
