"""The rows of erasures, and the functions that remove a tenant's rows. Everything runs in that tenant's transaction."""

from datetime import timedelta
from typing import Any

from atrium.db import Transaction, load_queries
from atrium.tenancy.erasure.models import Erasure

_queries = load_queries(__package__)


async def begin(tx: Transaction, *, confirmation: str, request_id: str) -> bool:
    """Begin the erasure of the transaction's tenant and end all access; False when the confirmation is not its name."""
    requester = tx.principal.kind.value
    row = await tx.fetch_one(_queries.erase_tenant, confirmation=confirmation, requester=requester, request_id=request_id)
    return bool(row and row["begun"])


async def find(tx: Transaction) -> Erasure | None:
    """The tenant's erasure; None when nobody asked for it."""
    row = await tx.fetch_one(_queries.find_erasure, **_tenant(tx))
    return Erasure.from_row(row) if row else None


async def remove_rows(tx: Transaction, most: int) -> int:
    """Remove at most `most` rows of each table; how many went."""
    row = await tx.fetch_one(_queries.erase_rows, most=most)
    return int(row["removed"]) if row else 0


async def advance(tx: Transaction, *, rows: int, objects: int, empty: bool, settled: timedelta) -> Erasure | None:
    """Add what went; `empty`: that was all."""
    row = await tx.fetch_one(_queries.advance_erasure, **_tenant(tx), rows=rows, objects=objects, empty=empty, settled=settled)
    return Erasure.from_row(row) if row else None


def _tenant(tx: Transaction) -> dict[str, Any]:
    return {"tenant_id": tx.principal.tenant_id}
