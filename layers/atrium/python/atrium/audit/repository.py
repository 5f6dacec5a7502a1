"""The audit log's rows."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from atrium.audit.models import AuditEntry, AuditFilter
from atrium.db import Transaction, load_queries
from atrium.kernel.ids import new_id

queries = load_queries(__package__)


async def insert_entry(
    tx: Transaction, *, actor: str, action: str, target: str, detail: Mapping[str, Any], request_id: str
) -> None:
    """Write one entry of the transaction's tenant."""
    await tx.execute(
        queries.insert_entry,
        tenant_id=tx.principal.tenant_id,
        id=new_id(),
        actor=actor,
        action=action,
        target=target,
        detail=dict(detail),
        request_id=request_id,
    )


async def list_entries(tx: Transaction, where: AuditFilter, *, after: tuple[Any, ...] | None, limit: int) -> Sequence[AuditEntry]:
    """The tenant's entries that `where` leaves, the newest first, below `after`: (at, id)."""
    at, last = after or (None, None)
    rows = await tx.fetch_all(
        queries.list_entries, tenant_id=tx.principal.tenant_id, after_at=at, after_id=last, limit=limit, **asdict(where)
    )
    return [AuditEntry.from_row(row) for row in rows]
