"""What domains do with events: append one."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from atrium.db import Transaction
from atrium.events import repository
from atrium.events.models import Event


async def append_event(tx: Transaction, *, type: str, subject: str, payload: Mapping[str, Any]) -> UUID:  # noqa: A002  the event's own word
    """Append an event that is true when `tx` commits, and gone when it does not; its id.

    Args:
        tx: The transaction that makes it true.
        type: Dotted lower-case words, `document.ready`; anything else breaks a constraint of the outbox.
        subject: What it is about, `document:<id>`.
        payload: JSON for consumers: ids and facts, no secrets.
    """
    event = Event(tx.principal.tenant_id, type, subject, payload)
    await repository.insert_event(tx, event)
    return event.id
