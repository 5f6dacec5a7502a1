"""SQL of kept answers."""

from typing import Any

from atrium.db import Transaction, load_queries

_queries = load_queries(__package__)


async def find_answer(tx: Transaction, key: bytes, seconds: int) -> dict[str, Any] | None:
    """The tenant's answer under a key, at most so many seconds old."""
    row = await tx.fetch_one(_queries.find_answer, tenant_id=tx.principal.tenant_id, key=key, seconds=seconds)
    return row["answer"] if row else None


async def keep_answer(tx: Transaction, key: bytes, answer: dict[str, Any], seconds: int, *, most: int) -> None:
    """Keep the answer under a key for so many seconds, instead of an older one, and the tenant's newest `most` in all."""
    tenant_id = tx.principal.tenant_id
    await tx.execute(_queries.keep_answer, tenant_id=tenant_id, key=key, answer=answer, seconds=seconds)
    await tx.execute(_queries.drop_oldest_answers, tenant_id=tenant_id, most=most)
