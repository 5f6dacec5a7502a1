"""Lambda entry: the ingest queue's messages, each an object that arrived in the bucket."""

from typing import Any

from atrium.documents.ingestion.deliveries import receive_batch
from atrium.documents.ingestion.receiving import ReceivingService
from atrium.runtime import run, runtime


def handler(event: dict[str, Any], _context: object) -> dict[str, Any]:
    """Receive a batch; the reply names the messages that must come again."""
    parts = runtime()
    service = ReceivingService(parts.database, parts.storage, parts.pipeline, document_limit=parts.settings.document_limit)
    return run(receive_batch(service, event))
