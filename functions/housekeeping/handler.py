"""Lambda entry of `housekeeping`: its schedules say which task is due, `{"task": "sweep"}`."""

from typing import Any, Final

from atrium.housekeeping.service import HousekeepingService
from atrium.kernel.budget import Budget
from atrium.runtime import Runtime, worker_handler

# Below the function's own limit by more than any single call takes: the next run goes on.
_SECONDS: Final = 200


@worker_handler("housekeeping")
async def handler(parts: Runtime, event: dict[str, Any]) -> dict[str, Any]:
    """Run the task that the event names, or all; what was done, in numbers."""
    return await HousekeepingService(parts).run(event.get("task", "all"), Budget(_SECONDS))
