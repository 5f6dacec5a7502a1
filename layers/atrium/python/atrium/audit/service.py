"""What domains do with the audit log: record."""

from collections.abc import Mapping
from typing import Any

from atrium.audit import repository
from atrium.db import Transaction


async def record(
    tx: Transaction, *, action: str, target: str = "", detail: Mapping[str, Any] | None = None, request_id: str = ""
) -> None:
    """Record that the transaction's principal did `action`, if `tx` commits.

    Args:
        tx: The transaction that does it.
        action: Dotted lower-case words, `document.deleted`; anything else breaks a constraint of the log.
        target: What it was done to, `document:<id>`.
        detail: JSON for the reader of the log; no secrets, no document text.
        request_id: The request's X-Request-Id, where there is one.
    """
    actor = tx.principal.subject
    await repository.insert_entry(tx, actor=actor, action=action, target=target, detail=detail or {}, request_id=request_id)
