"""The deployment in numbers, all tenants together: what an operator's monitoring scrapes. No tenant is named in it."""

import asyncio
import time
from collections.abc import Callable, Mapping
from typing import Any, Final

from atrium import __version__
from atrium.db import Database
from atrium.housekeeping import repository
from atrium.housekeeping.openmetrics import Family, Sample, render
from atrium.ledger import repository as ledger
from atrium.ledger.models import dollars
from atrium.ports.queue import Queue

# Seconds for which the numbers are told again: several scrapers cost what one does.
_KEPT: Final = 5
# Name in `platform_figures` → name, help, unit and what its label is called.
_FAMILIES: Final = {
    "tenants": ("atrium_tenants", "Tenants.", "", ""),
    "documents": ("atrium_documents", "Documents by the status of their latest version.", "", "status"),
    "versions_in_flight": ("atrium_versions_in_flight", "Versions that are not finished, by status.", "", "status"),
    "oldest_unfinished": ("atrium_oldest_unfinished_seconds", "Age of the oldest unfinished version.", "seconds", ""),
    "chunks": ("atrium_chunks", "Searchable chunks by embedding space; an estimate above 100,000.", "", "space"),
    "outbox_unpublished": ("atrium_outbox_unpublished", "Domain events that were not published yet.", "", ""),
    "outbox_oldest": ("atrium_outbox_oldest_seconds", "Age of the oldest of those.", "seconds", ""),
    "erasures_open": ("atrium_erasures_open", "Tenants whose erasure is not over.", "", ""),
    "database_size": ("atrium_database_size_bytes", "Size of the database.", "bytes", ""),
    "ledger_open": (
        "atrium_metered_calls_open",
        "Metered calls that are not settled: under way, or past their time without anybody having come back.",
        "",
        "state",
    ),
}
# What calls came to since the deployment began: name, help, unit, the columns that are counted by their name in the output.
_COUNTERS: Final = (
    ("atrium_usage_calls", "Metered calls, all tenants together.", "", {"calls": ""}),
    ("atrium_usage_tokens", "Tokens of metered calls; cached ones are also input.", "",
     {"input_tokens": "input", "output_tokens": "output", "cached_tokens": "cached"}),
    ("atrium_usage_cost_dollars", "What metered calls cost, in US dollars.", "dollars", {"cost": ""}),
)  # fmt: skip


class Figures:
    """One process's view of the numbers. `queues` by the name they have in the output."""

    def __init__(self, database: Database, queues: Mapping[str, Queue], clock: Callable[[], float] = time.monotonic) -> None:
        self._database = database
        self._queues = queues
        self._clock = clock
        self._known: tuple[float, str] | None = None
        self._lock = asyncio.Lock()

    async def text(self) -> str:
        """OpenMetrics text, at most five seconds old. `Unavailable` when the database or a queue does not answer."""
        async with self._lock:
            if self._known is None or self._clock() - self._known[0] >= _KEPT:
                text = render([*await self._platform(), *await self._usage(), await self._depths(), _build()])
                self._known = (self._clock(), text)
            return self._known[1]

    async def _platform(self) -> list[Family]:
        found: dict[str, list[Sample]] = {name: [] for name in _FAMILIES}
        figures = [*await repository.platform_figures(self._database), *await ledger.ledger_figures(self._database)]
        for name, label, value in figures:
            label_name = _FAMILIES[name][3]
            found[name].append(Sample(value, {label_name: label} if label_name else {}))
        return [Family(name, text, tuple(found[key]), unit) for key, (name, text, unit, _) in _FAMILIES.items()]

    async def _usage(self) -> list[Family]:
        rows = await ledger.usage_figures(self._database)
        return [
            Family(name, text, tuple(_counted(row, columns) for row in rows for columns in columns_of.items()), unit, "counter")
            for name, text, unit, columns_of in _COUNTERS
        ]

    async def _depths(self) -> Family:
        depths = await asyncio.gather(*(queue.depth() for queue in self._queues.values()))
        samples = [
            Sample(count, {"queue": name, "state": state})
            for name, depth in zip(self._queues, depths, strict=True)
            for state, count in (("waiting", depth.waiting), ("in_flight", depth.in_flight), ("delayed", depth.delayed))
        ]
        return Family("atrium_queue_messages", "Messages on a queue, about.", tuple(samples))


def _counted(row: Mapping[str, Any], column: tuple[str, str]) -> Sample:
    name, kind = column
    labels = {label: row[label] for label in ("provider", "model", "feature")} | ({"type": kind} if kind else {})
    return Sample(dollars(row[name]) if name == "cost" else row[name], labels)


def _build() -> Family:
    return Family("atrium_build", "What runs.", (Sample(1, {"version": __version__}),), type="info")
