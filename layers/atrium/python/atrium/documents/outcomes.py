"""How a version's making ends, and who is told: the row, the outbox and the audit log in one transaction."""

import logging
from typing import Any, Final

from atrium.audit import record
from atrium.db import Transaction
from atrium.documents import repository
from atrium.documents.models import Document
from atrium.events import append_event

_log: Final = logging.getLogger(__name__)
# Nothing is wrong with the document: an operator has to look. An alarm counts the line that says so (infra/monitoring.py).
OURS: Final = frozenset({"internal", "embedding-failed", "embedding-unavailable"})
# A newer version became ready first. Nobody is told: what they see is the newer one.
SUPERSEDED = "superseded"
# The bytes of a presigned upload never came.
UPLOAD_EXPIRED = "upload-expired"
# The bytes came to us and not into the bucket.
STORAGE_UNAVAILABLE: Final = "storage-unavailable"
NOT_STORED: Final = "The file could not be stored. Send it again."


async def mark_ready(tx: Transaction, document: Document, chunk_count: int) -> None:
    """The version is what search serves; tells of `document.ready`."""
    await repository.set_ready(tx, document, chunk_count)
    payload = _payload(document) | {"chunk_count": chunk_count}
    await append_event(tx, type="document.ready", subject=_subject(document), payload=payload)
    await record(tx, action="document.ready", target=_subject(document), detail={"version": document.version.number})


async def mark_failed(tx: Transaction, document: Document, error_type: str, detail: str) -> bool:
    """The version failed for good; tells of `document.failed`, once. False when it had ended before."""
    failed = await repository.set_failed(tx, document, error_type, detail)
    if failed and error_type != SUPERSEDED:
        payload = _payload(document) | {"error": {"type": error_type, "detail": detail}}
        await append_event(tx, type="document.failed", subject=_subject(document), payload=payload)
    if failed and error_type in OURS:
        known = {"document_id": str(document.id), "version": document.version.number, "error_type": error_type}
        _log.error("the document failed through us", extra={"verdict": "ours", **known})
    return failed


async def mark_deleted(tx: Transaction, document: Document, request_id: str) -> None:
    """A tombstone; tells of `document.deleted`, once."""
    if await repository.bury(tx, document):
        await append_event(tx, type="document.deleted", subject=_subject(document), payload=_payload(document))
        detail = {"name": document.name, "collection": document.collection}
        await record(tx, action="document.deleted", target=_subject(document), detail=detail, request_id=request_id)


def _subject(document: Document) -> str:
    return f"document:{document.id}"


def _payload(document: Document) -> dict[str, Any]:
    return {
        "document_id": str(document.id),
        "version": document.version.number,
        "name": document.name,
        "collection": document.collection,
    }
