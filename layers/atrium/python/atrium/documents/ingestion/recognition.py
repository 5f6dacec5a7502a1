"""The scanned pages of a document, read one by one: as many in one invocation as its time allows, the rest in the next.

Each page's result is an object of its own, written when the page is read, and a page that has one is not read again: an
invocation may be killed anywhere, and two may overlap. Only a page that could not be read is tried again, by the next attempt.
"""

import asyncio
import os
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Protocol

from atrium.documents.ingestion.attempts import Attempts, reached
from atrium.documents.ingestion.steps import Step
from atrium.documents.ingestion.work import Work
from atrium.documents.models import Stage
from atrium.documents.parsing.failures import FailureKind, failed
from atrium.documents.parsing.models import ExtractedText
from atrium.documents.parsing.ocr import RecognisedPage
from atrium.kernel.errors import IngestionFailed

# Of the function's 600: what began before the end of these may take its own limit, and the text is then put together.
BUDGET_SECONDS: Final = 240.0
_AT_ONCE: Final = 2  # a page takes the same computing alone and beside another (measured), so two processors read twice as many


class TextReader(Protocol):
    """Reads a file, or a page of one, in a process of its own. Raises `IngestionFailed` for one that cannot be read."""

    async def extract_file(
        self,
        path: Path,
        name: str,
        declared_type: str,
        *,
        password: str | None = None,
        recognised: Sequence[RecognisedPage] = (),
    ) -> ExtractedText:
        """Its text with its structure; what OCR read of it included."""
        ...

    async def read_page(
        self, path: Path, name: str, declared_type: str, page: int, *, ocr_data: str, password: str | None = None
    ) -> RecognisedPage:
        """What OCR reads on the page (from 1)."""
        ...


@dataclass(frozen=True, slots=True)
class Source:
    """A version's file."""

    path: Path
    name: str
    declared_type: str
    password: str | None = field(default=None, repr=False)


class Recognition:
    """Reads scans with the languages in `ocr_data`; at most `max_pages` of a document, 0: none, as if they were blank."""

    def __init__(
        self, attempts: Attempts, reader: TextReader, *, ocr_data: str, max_pages: int, seconds: float = BUDGET_SECONDS
    ) -> None:
        self._attempts = attempts
        self._reader = reader
        self._ocr_data = ocr_data
        self._max_pages = max_pages
        self._seconds = seconds

    async def extract(self, step: Step, work: Work, source: Source) -> tuple[ExtractedText, int]:
        """The text, and how many pages are left to read in another invocation; it is whole when none is.

        `IngestionFailed` for a file that cannot be read, and for a scan of too many pages.
        """
        extracted = await self._extract(source)
        if not extracted.unread:
            return extracted, 0
        if not self._max_pages:
            return await self._extract(source, [RecognisedPage(number) for number in extracted.unread]), 0
        left = await self._read(step, work, source, extracted.unread)
        if left:
            return extracted, left
        return await self._extract(source, await work.get_recognised(extracted.unread)), 0

    async def _extract(self, source: Source, recognised: Sequence[RecognisedPage] = ()) -> ExtractedText:
        return await self._reader.extract_file(
            source.path, source.name, source.declared_type, password=source.password, recognised=recognised
        )

    async def _read(self, step: Step, work: Work, source: Source, pages: Sequence[int]) -> int:
        """Read pages until the time is up; how many are left."""
        if len(pages) > self._max_pages:
            detail = f"{len(pages):,} pages of the document are scans; at most {self._max_pages:,} are read."
            raise failed(FailureKind.TOO_MANY_SCANNED_PAGES, detail)
        done = await work.recognised()
        todo = [number for number in pages if number not in done]
        run = _Run(step, work, source, iter(todo), time.monotonic() + self._seconds, len(pages), len(todo))
        try:
            async with asyncio.TaskGroup() as group:
                for _ in range(min(_AT_ONCE, os.process_cpu_count() or 1)):
                    group.create_task(self._read_some(run))
        except ExceptionGroup as errors:  # the state machine knows errors by their names
            raise errors.exceptions[0] from errors
        return run.left

    async def _read_some(self, run: "_Run") -> None:
        """Page after page while there is time and something to do; one at least."""
        for number in run.todo:
            await run.work.put_recognised(await self._read_page(run.source, number))
            run.left -= 1
            if await self._attempts.begin(run.step, Stage.EXTRACTING, run.progress) is None or time.monotonic() >= run.ends:
                return

    async def _read_page(self, source: Source, number: int) -> RecognisedPage:
        try:
            return await self._reader.read_page(
                source.path, source.name, source.declared_type, number, ocr_data=self._ocr_data, password=source.password
            )
        except IngestionFailed as error:  # one page's; the others may do
            return RecognisedPage.failed(number, error)


@dataclass(slots=True)
class _Run:
    """One invocation's share. `ends`: on the monotonic clock."""

    step: Step
    work: Work
    source: Source
    todo: Iterator[int]
    ends: float
    total: int
    left: int

    @property
    def progress(self) -> float:
        """How far the version is, of 1."""
        return reached(Stage.EXTRACTING, (self.total - self.left) / self.total)
