"""The audit log's rows."""

from collections.abc import Mapping
from typing import Any

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
