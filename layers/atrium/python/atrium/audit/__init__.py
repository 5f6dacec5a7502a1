"""The audit log: who did what to what, written in the transaction that does it. Rows are never changed."""

from atrium.audit.service import record

__all__ = ["record"]
