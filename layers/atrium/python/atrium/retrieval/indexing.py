"""Indexes of their own for large tenants: a partial HNSW on the space's partition, built and removed without stopping anybody.

Run by housekeeping as `atrium_migrator`, who owns the tables. A tenant gets its index when its chunks of a space reach the
threshold and loses it below half of that, so that one who hovers about the threshold is not rebuilt every hour. Search reads
`atrium.tenant_indexes`, which names an index only while it is there and valid.
"""

import logging
import time
from dataclasses import dataclass
from typing import Any, Final, LiteralString, Self
from uuid import UUID

from atrium.db import Database, Maintenance, load_queries
from atrium.kernel.errors import Unavailable

_log: Final = logging.getLogger(__name__)
_queries = load_queries(__package__)
_LEAST_SECONDS: Final = 1.0  # with less than this left nothing is begun


@dataclass(frozen=True, slots=True)
class IndexReport:
    """What one run did. `left`: indexes that are due but for which there was no time, or whose statement was refused."""

    built: int = 0
    dropped: int = 0
    left: int = 0


@dataclass(frozen=True, slots=True)
class IndexStep:
    """One tenant's index in one space: to be dropped (left over, invalid, or of a tenant that shrank), built, or both.

    A step with neither only corrects the registry. `undo` drops the index, `build` makes it.
    """

    tenant_id: UUID
    space_id: int
    chunks: int
    undo: LiteralString
    drops: bool
    build: LiteralString | None
    stays: bool

    @classmethod
    def from_row(cls, row: dict[str, Any]) -> Self:
        """From a row of `plan_tenant_indexes`."""
        return cls(**row)


async def plan_indexes(database: Database | Maintenance, *, threshold: int) -> list[IndexStep]:
    """What has to change, in the order of the work: smaller tenants first. Nothing when all is as it should be."""
    rows = await database.call(_queries.plan_tenant_indexes, threshold=threshold)
    return [IndexStep.from_row(row) for row in rows]


async def refresh_indexes(database: Database, *, threshold: int, deadline: float) -> IndexReport:
    """Build, drop and register what `plan_indexes` says, until `deadline` on the clock of `time.monotonic()`.

    `database` logs in as `atrium_migrator`; `threshold` is in chunks of one tenant in one space. What cannot be done in time
    is undone by the next run, which also begins again; a run beside another does nothing.
    Raises Unavailable when the database is not there at all.
    """
    async with database.alone("tenant-indexes") as session:
        if session is None:  # another run is at it
            return IndexReport()
        built = dropped = left = 0
        for step in await plan_indexes(session, threshold=threshold):
            try:
                stands = await _take(session, step, deadline)
            except Unavailable as error:
                _log.warning("the index of tenant %s in space %s waits: %s", step.tenant_id, step.space_id, error)
                left += 1
            else:
                built += step.build is not None and stands
                dropped += step.drops
        return IndexReport(built, dropped, left)


async def _take(session: Maintenance, step: IndexStep, deadline: float) -> bool:
    """Whether the tenant has the index now."""
    keys: dict[str, object] = {"tenant_id": step.tenant_id, "space_id": step.space_id}
    if not step.stays:  # before the index goes, so that no search counts on it
        await session.call(_queries.unregister_tenant_index, **keys)
    if step.drops:
        await session.run(step.undo, seconds=_remaining(deadline))
    if step.build is not None:
        await session.run(step.build, seconds=_remaining(deadline))
    elif not step.stays:
        return False
    if await session.call(_queries.register_tenant_index, **keys, chunks=step.chunks):
        return True
    await session.run(step.undo, seconds=_remaining(deadline))
    return False


def _remaining(deadline: float) -> float:
    seconds = deadline - time.monotonic()
    if seconds < _LEAST_SECONDS:
        raise Unavailable("There is no time left.")
    return seconds
