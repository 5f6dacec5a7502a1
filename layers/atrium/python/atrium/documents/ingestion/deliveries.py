"""A batch of queue messages, each one object's arrival; what cannot be received comes again, alone."""

import logging
from typing import Any, Final

from atrium.documents.ingestion.arrivals import read_message
from atrium.documents.ingestion.receiving import ReceivingService
from atrium.kernel.telemetry import bound

_log: Final = logging.getLogger(__name__)


async def receive_batch(service: ReceivingService, event: dict[str, Any]) -> dict[str, Any]:
    """Receive each message; the reply names those that must come again (SQS: partial batch failures).

    One after the other: their order in the batch means nothing.
    """
    failed = []
    for record in event["Records"]:
        with bound(message_id=record["messageId"]):
            if not await _received(service, record):
                failed.append(record["messageId"])
    return {"batchItemFailures": [{"itemIdentifier": message_id} for message_id in failed]}


async def _received(service: ReceivingService, record: dict[str, Any]) -> bool:
    try:
        receipt = await service.receive(read_message(record["body"]))
    except Exception:  # noqa: BLE001  whatever it is, it sends back this message and not the whole batch
        _log.warning("the message comes again", exc_info=True)
        return False
    _log.info("the message is done with: %s", receipt)
    return True
