"""The outbox."""

from atrium.db import Transaction, load_queries
from atrium.events.models import Event

queries = load_queries(__package__)


async def insert_event(tx: Transaction, event: Event) -> None:
    """Write one event."""
    await tx.execute(
        queries.insert_event,
        tenant_id=event.tenant_id,
        id=event.id,
        type=event.type,
        subject=event.subject,
        payload=dict(event.payload),
        created_at=event.created_at,
    )
