"""The tasks of housekeeping, each safe to run twice at once and to be killed anywhere: what is left is done by the next run."""

import logging
from collections.abc import Awaitable, Callable
from enum import StrEnum
from typing import Final, Protocol

from atrium.db import Database
from atrium.documents.ingestion.upkeep import Upkeep
from atrium.housekeeping import repository
from atrium.housekeeping.erasing import erase
from atrium.housekeeping.expiry import expire
from atrium.housekeeping.sealing import seal_logs
from atrium.housekeeping.settling import settle_unknown
from atrium.housekeeping.sweeping import Sweep
from atrium.kernel.budget import Budget
from atrium.kernel.errors import InvalidInput
from atrium.kernel.settings import Settings
from atrium.ledger import repository as ledger
from atrium.ledger.models import dollars
from atrium.ports.storage import ObjectStorage
from atrium.ports.workflow import Workflow
from atrium.tenancy.erasure import ErasureService

_log: Final = logging.getLogger(__name__)


class Task(StrEnum):
    """What can be asked for by name; `all` is each of them in turn."""

    EXPIRE = "expire"
    SWEEP = "sweep"
    ERASE = "erase"
    SEAL = "seal"


class Parts(Protocol):
    """What housekeeping works with; `atrium.runtime.Runtime` is one."""

    @property
    def settings(self) -> Settings:
        """Of these `ingest_in_flight`."""
        ...

    @property
    def database(self) -> Database:
        """Tenant transactions, as `atrium_app`."""
        ...

    @property
    def relay_database(self) -> Database:
        """The same database as `atrium_relay`: named tables of all tenants."""
        ...

    @property
    def storage(self) -> ObjectStorage:
        """The bucket of documents."""
        ...

    @property
    def pipeline(self) -> Workflow:
        """The document pipeline."""
        ...


class HousekeepingService:
    """Runs tasks."""

    def __init__(self, parts: Parts) -> None:
        self._relay = parts.relay_database
        self._database = parts.database
        self._erasing = ErasureService(parts.database, parts.storage)
        upkeep = Upkeep(parts.database, parts.storage, parts.pipeline, parts.settings)
        self._sweep = Sweep(self._relay, parts.database, parts.storage, upkeep)
        self._verbs: dict[Task, Callable[[Budget], Awaitable[dict[str, int]]]] = {
            Task.ERASE: lambda budget: erase(self._relay, self._erasing, budget),
            Task.SWEEP: self._swept,
            Task.EXPIRE: self._expired,
            Task.SEAL: lambda budget: seal_logs(self._relay, parts.database, budget),
        }

    async def run(self, name: str, budget: Budget) -> dict[str, dict[str, int]]:
        """Run the task of that name, or `all`, within `budget`; what each did, in numbers.

        Errors: InvalidInput for another name; Unavailable when the database is not there.
        """
        tasks = _named(name)
        report = {}
        for position, task in enumerate(tasks):
            report[task.value] = await self._verbs[task](budget.share(len(tasks) - position))
            _log.info("housekept", extra={"task": task.value, **report[task.value]})
        return report

    async def _swept(self, budget: Budget) -> dict[str, int]:
        settled = await settle_unknown(self._relay, self._database, budget)
        report = await self._sweep.run(budget) | ({"settled": settled} if settled else {})
        # An alarm reads this number from the log: see infra/monitoring.py.
        seconds = await repository.oldest_unfinished(self._relay)
        _log.info("unfinished", extra={"oldest_unfinished_seconds": round(seconds)})
        await self._tell_usage()
        return report

    async def _tell_usage(self) -> None:
        """What models were used for since the last sweep, a line a model: infra/dashboard.py adds them up by the hour."""
        for row in await ledger.tell_usage(self._database):
            _log.info("usage", extra=row | {"cost_usd": dollars(row["cost"])})

    async def _expired(self, budget: Budget) -> dict[str, int]:
        return await expire(self._relay, budget) | {"usage_daily": await ledger.fold_usage(self._database)}


def _named(name: str) -> list[Task]:
    if name == "all":
        return [Task.ERASE, Task.SWEEP, Task.SEAL, Task.EXPIRE]
    try:
        return [Task(name)]
    except ValueError as exc:
        raise InvalidInput(f"No task is named {name!r}: {', '.join(Task)}, all.") from exc
