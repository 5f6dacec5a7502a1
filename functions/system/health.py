"""Is it there, and is what it needs there?"""

import asyncio
from collections.abc import Awaitable
from typing import Final, Literal

from atrium.kernel.errors import AtriumError
from atrium.runtime import Runtime
from atrium.web.schemas import Reply

# A paused Aurora takes about 15 s to come back; the gateway waits 29.
_PATIENCE: Final = 20


class Live(Reply):
    """The process answers."""

    status: Literal["ok"] = "ok"


class Check(Reply):
    """One part. `reason` says what is wrong with it, null when nothing is."""

    ok: bool
    reason: str | None


class Ready(Reply):
    """Every part that a request may need."""

    status: Literal["ready", "unready"]
    checks: dict[str, Check]


async def readiness(runtime: Runtime) -> Ready:
    """Ask every part at once: database, queue, secrets."""
    probes: dict[str, Awaitable[object]] = {
        "database": runtime.database.ready(),
        "queue": runtime.ingest_queue.reachable(),
        "secrets": runtime.keyring.get(refresh=True),
    }
    results = await asyncio.gather(*(_check(probe) for probe in probes.values()))
    checks = dict(zip(probes, results, strict=True))
    return Ready(status="ready" if all(check.ok for check in results) else "unready", checks=checks)


async def _check(probe: Awaitable[object]) -> Check:
    try:
        async with asyncio.timeout(_PATIENCE):
            await probe
    except AtriumError as error:
        return Check(ok=False, reason=error.detail)
    except TimeoutError:
        return Check(ok=False, reason=f"no answer in {_PATIENCE} seconds")
    return Check(ok=True, reason=None)
