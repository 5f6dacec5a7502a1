"""A state's input to the verb that it names."""

from typing import Any

from atrium.documents.ingestion.pipeline import IngestionService
from atrium.documents.ingestion.steps import Step, reported
from atrium.kernel.errors import IngestionFailed


async def run_step(service: IngestionService, event: dict[str, Any]) -> dict[str, Any]:
    """Run one step: `{"step", "tenant_id", "document_id", "version", "attempt"}`, with `batch` for embed, `error` for fail.

    An `IngestionFailed` leaves with its kind in its message, as Lambda reports nothing else of it.
    """
    try:
        return await _verb(service, event, Step.from_event(event))
    except IngestionFailed as failure:
        raise reported(failure) from failure


async def _verb(service: IngestionService, event: dict[str, Any], step: Step) -> dict[str, Any]:
    match event["step"]:
        case "inspect":
            return await service.inspect(step)
        case "extract":
            return await service.extract(step)
        case "chunk":
            return await service.chunk(step)
        case "embed":
            return await service.embed(step, int(event["batch"]))
        case "publish":
            return await service.publish(step)
        case "fail":
            return await service.fail(step, event["error"])
    raise ValueError(f"no step is named {event['step']!r}")
