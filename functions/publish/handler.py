"""Lambda entry: the document pipeline's states publish and fail."""

from typing import Any

from atrium.documents.ingestion.dispatch import run_step
from atrium.documents.ingestion.pipeline import IngestionService
from atrium.runtime import run, runtime


def handler(event: dict[str, Any], _context: object) -> dict[str, Any]:
    """Run the step that `event["step"]` names."""
    return run(run_step(IngestionService(runtime()), event))
