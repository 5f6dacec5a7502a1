"""Domain events: written to the outbox in the transaction that makes them true, published by the relay."""

from atrium.events.models import Event
from atrium.events.service import append_event

__all__ = ["Event", "append_event"]
