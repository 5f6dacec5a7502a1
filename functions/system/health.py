"""Is it there, and is what it needs there?"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Final, Literal

from atrium.kernel.errors import AtriumError
from atrium.runtime import Runtime
from atrium.web.schemas import Reply

# A paused Aurora takes about 15 s to come back; the gateway waits 29.
_PATIENCE: Final = 20
# Seconds for which an outcome is told again: enough that probes cost next to nothing, short enough for a load balancer.
_KEPT: Final = 5


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


class Readiness:
    """What one process knows of its parts. The probe is public, so everybody within five seconds gets one and the same answer."""

    def __init__(self, runtime: Runtime, clock: Callable[[], float] = time.monotonic) -> None:
        self._runtime = runtime
        self._clock = clock
        self._known: tuple[float, Ready] | None = None
        self._lock = asyncio.Lock()

    async def state(self) -> Ready:
        """Whether every part answers, or did at most five seconds ago. Who comes while the parts are asked waits for that."""
        async with self._lock:
            if self._known is None or self._clock() - self._known[0] >= _KEPT:
                state = await _ask(self._runtime)
                self._known = (self._clock(), state)
            return self._known[1]


async def _ask(runtime: Runtime) -> Ready:
    """Ask every part at once: database, queue, secrets."""
    probes: dict[str, Awaitable[object]] = {
        "database": runtime.database.ready(),
        "queue": runtime.ingest_queue.reachable(),
        "secrets": runtime.public_keys.get(refresh=True),
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
