"""Lambda entry of `indexing`, which alone of the scheduled functions logs in as the tables' owner."""

from dataclasses import asdict
from typing import Any, Final

from atrium.kernel.budget import Budget
from atrium.retrieval.indexing import refresh_indexes
from atrium.runtime import Runtime, worker_handler

# Below the function's own limit; an index that is not built in this time is begun again by the next run.
_SECONDS: Final = 840


@worker_handler("indexing")
async def handler(parts: Runtime, _event: object) -> dict[str, Any]:
    """Build and drop what is due; what was done, in numbers."""
    threshold = parts.settings.index_threshold
    return asdict(await refresh_indexes(parts.database, threshold=threshold, deadline=Budget(_SECONDS).end))
