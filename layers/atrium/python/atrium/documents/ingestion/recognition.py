"""The scanned pages of a document, read one by one: as many in one invocation as its time allows, the rest in the next.

Each page's result is an object of its own, written when the page is read, and a page that has one is not read again: an
invocation may be killed anywhere, and two may overlap.
"""

import asyncio
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

from atrium.documents.ingestion.attempts import PROGRESS, Attempts
from atrium.documents.ingestion.steps import Step
from atrium.documents.ingestion.work import Work
from atrium.documents.models import Stage
from atrium.documents.parsing.failures import FailureKind, failed
from atrium.documents.parsing.ocr import RecognisedPage
from atrium.kernel.errors import IngestionFailed

# Of the function's 600: what began before the end of these may take its own limit, and the text is then put together.
BUDGET_SECONDS: Final = 240.0
_AT_ONCE: Final = 2  # measured on two processors: 1.8 times the pages of one


class PageReader(Protocol):
    """Reads a page in a process of its own. Raises `IngestionFailed` for one that cannot be read."""

    async def read_page(
        self, path: Path, name: str, declared_type: str, page: int, *, ocr_data: str, password: str | None = None
    ) -> RecognisedPage:
        """What OCR reads on the page (from 1)."""
        ...


@dataclass(frozen=True, slots=True)
class Scan:
    """A file with pages that only OCR can read."""

    path: Path
    name: str
    declared_type: str
    pages: tuple[int, ...]
    password: str | None = None


class Recognition:
    """Reads scans with the languages in `ocr_data`; at most `max_pages` of a document, 0: none, as if they were blank."""

    def __init__(
        self, attempts: Attempts, reader: PageReader, *, ocr_data: str, max_pages: int, seconds: float = BUDGET_SECONDS
    ) -> None:
        self._attempts = attempts
        self._reader = reader
        self._ocr_data = ocr_data
        self._max_pages = max_pages
        self._seconds = seconds

    async def read(self, step: Step, work: Work, scan: Scan) -> int:
        """Read pages until the time is up; how many are left. `IngestionFailed` for a scan of too many pages."""
        if not self._max_pages:
            return 0
        if len(scan.pages) > self._max_pages:
            detail = f"{len(scan.pages):,} pages of the document are scans; at most {self._max_pages:,} are read."
            raise failed(FailureKind.TOO_MANY_SCANNED_PAGES, detail)
        done = await work.recognised_numbers()
        todo = [number for number in scan.pages if number not in done]
        run = _Run(step, work, scan, iter(todo), time.monotonic() + self._seconds, len(scan.pages), len(todo))
        try:
            async with asyncio.TaskGroup() as group:
                for _ in range(min(_AT_ONCE, os.process_cpu_count() or 1)):
                    group.create_task(self._read_some(run))
        except ExceptionGroup as errors:  # the state machine knows errors by their names
            raise errors.exceptions[0] from errors
        return run.left

    async def pages(self, work: Work, scan: Scan) -> list[RecognisedPage]:
        """All that was read of the scan; blank pages where none are to be."""
        if not self._max_pages:
            return [RecognisedPage(number) for number in scan.pages]
        return await work.get_recognised(scan.pages)

    async def _read_some(self, run: "_Run") -> None:
        """Page after page while there is time and something to do; one at least."""
        for number in run.todo:
            await run.work.put_recognised(await self._read_page(run.scan, number))
            run.left -= 1
            if await self._attempts.begin(run.step, Stage.EXTRACTING, run.progress) is None or time.monotonic() >= run.ends:
                return

    async def _read_page(self, scan: Scan, number: int) -> RecognisedPage:
        try:
            return await self._reader.read_page(
                scan.path, scan.name, scan.declared_type, number, ocr_data=self._ocr_data, password=scan.password
            )
        except IngestionFailed as error:  # one page's; the others may do
            return RecognisedPage.failed(number, error)


@dataclass(slots=True)
class _Run:
    """One invocation's share. `ends`: on the monotonic clock."""

    step: Step
    work: Work
    scan: Scan
    todo: Iterator[int]
    ends: float
    total: int
    left: int

    @property
    def progress(self) -> float:
        """How far the version is, of 1."""
        span = PROGRESS[Stage.CHUNKING] - PROGRESS[Stage.EXTRACTING]
        return PROGRESS[Stage.EXTRACTING] + span * (self.total - self.left) / self.total
