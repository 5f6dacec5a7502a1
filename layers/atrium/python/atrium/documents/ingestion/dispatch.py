"""A state's input to the verb that it names."""

import logging
from typing import Any, Final

from atrium.documents.ingestion.pipeline import IngestionService
from atrium.documents.ingestion.steps import Step, reported
from atrium.kernel.errors import IngestionFailed
from atrium.kernel.telemetry import bound

_log: Final = logging.getLogger(__name__)
_LOGGED: Final = ("step", "tenant_id", "document_id", "version", "attempt", "batch")


async def run_step(service: IngestionService, event: dict[str, Any]) -> dict[str, Any]:
    """Run one step: `{"step", "tenant_id", "document_id", "version", "attempt"}`, with `batch` for embed, `error` for fail.

    An `IngestionFailed` leaves with its kind in its message, as Lambda reports nothing else of it.
    """
    with bound(**{name: event[name] for name in _LOGGED if name in event}):
        try:
            result = await _verb(service, event, Step.from_event(event))
        except IngestionFailed as failure:
            _log.warning("the document cannot be ingested: %s", failure.kind)
            raise reported(failure) from failure
        except Exception:
            _log.exception("the step failed")
            raise
        _log.info("the step ended")
        return result


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
