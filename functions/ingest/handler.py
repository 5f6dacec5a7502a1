"""Lambda entry: the ingest queue's messages, each an object that arrived in the bucket."""

from typing import Any

from atrium.documents.ingestion.deliveries import receive_batch
from atrium.documents.ingestion.receiving import ReceivingService
from atrium.runtime import Runtime, worker_handler


@worker_handler("ingest")
async def handler(parts: Runtime, event: dict[str, Any]) -> dict[str, Any]:
    """Receive a batch; the reply names the messages that must come again."""
    service = ReceivingService(parts.database, parts.storage, parts.pipeline, parts.settings)
    return await receive_batch(service, event)
