"""What a tenant settled about answers."""

from atrium.db import Transaction, load_queries

_queries = load_queries(__package__)


async def find_chat_model(tx: Transaction) -> str | None:
    """The tenant's own choice, `provider/name`; None where it made none."""
    row = await tx.fetch_one(_queries.find_chat_model, tenant_id=tx.principal.tenant_id)
    return row["chat_model"] if row else None
