"""Lambda entry: the document pipeline's states inspect and extract."""

from typing import Any

from atrium.documents.ingestion.dispatch import run_step
from atrium.documents.ingestion.pipeline import IngestionService
from atrium.runtime import Runtime, worker_handler


@worker_handler("extract")
async def handler(parts: Runtime, event: dict[str, Any]) -> dict[str, Any]:
    """Run the step that `event["step"]` names."""
    return await run_step(IngestionService(parts), event)
