"""The document pipeline's steps. Each may be killed anywhere and run again, and two attempts at a version may overlap.

A step reads its row, does its work outside any transaction, and writes what it made under keys that depend on nothing
but the version. A step that has nothing to do any more (document deleted, version ready, failed or overtaken, a newer
attempt started) ends quietly, and so does every step after it.
"""

import asyncio
import hashlib
import logging
import tempfile
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final, Protocol
from uuid import UUID

from atrium.db import Database
from atrium.documents import outcomes, repository
from atrium.documents.chunking import ChunkingOptions, chunker
from atrium.documents.cleanup import remove_work
from atrium.documents.ingestion import batches
from atrium.documents.ingestion.attempts import PROGRESS, Attempts
from atrium.documents.ingestion.batches import Plan, PlannedChunk
from atrium.documents.ingestion.receiving import start_execution
from atrium.documents.ingestion.recognition import BUDGET_SECONDS, PageReader, Recognition, Scan
from atrium.documents.ingestion.steps import Step, failure_of
from atrium.documents.ingestion.work import Work
from atrium.documents.models import STUCK_SECONDS, Document, Stage
from atrium.documents.naming import file_name
from atrium.documents.parsing import child
from atrium.documents.parsing.failures import FailureKind
from atrium.documents.parsing.models import ExtractedText, Inspection
from atrium.documents.parsing.ocr import RecognisedPage
from atrium.kernel.errors import AtriumError, Conflict, IngestionFailed, NotFound
from atrium.kernel.ids import chunk_id
from atrium.kernel.principal import Principal
from atrium.kernel.settings import Settings
from atrium.ports.storage import ObjectStorage
from atrium.ports.workflow import Workflow
from atrium.providers.base import Embedder
from atrium.retrieval.language import detect
from atrium.retrieval.store import IndexedChunk, PostgresVectorStore, VectorStore, get_space

_log: Final = logging.getLogger(__name__)
SOURCE_MISSING: Final = "source-missing"
_SKIPPED: Final[dict[str, Any]] = {"skipped": True}
_EXTRACT_SKIPPED: Final[dict[str, Any]] = {"skipped": True, "pages_left": 0}


class Parser(PageReader, Protocol):
    """Reads a file in a process of its own. Raises `IngestionFailed` for one that cannot be read."""

    async def inspect_file(self, path: Path, name: str, declared_type: str) -> Inspection:
        """What the file is."""
        ...

    async def extract_file(
        self, path: Path, name: str, declared_type: str, *, recognised: Sequence[RecognisedPage] = ()
    ) -> ExtractedText:
        """Its text with its structure; what OCR read of it included."""
        ...


class Parts(Protocol):
    """What the steps are built from; `atrium.runtime.Runtime` is one."""

    @property
    def settings(self) -> Settings:
        """Of these `embedding_model`: which model's space chunks go to."""
        ...

    @property
    def database(self) -> Database:
        """Tenant transactions."""
        ...

    @property
    def storage(self) -> ObjectStorage:
        """The bucket of documents."""
        ...

    @property
    def pipeline(self) -> Workflow:
        """The document pipeline."""
        ...

    async def embedder(self, name: str) -> Embedder:
        """The model of that name, made on first use."""
        ...


class IngestionService:
    """The verbs of the pipeline's states.

    `batch_size`: how many chunks are embedded by one state; `ocr_seconds`: for how long one begins to read scanned pages.
    """

    def __init__(
        self,
        parts: Parts,
        *,
        store: VectorStore | None = None,
        parser: Parser = child,
        batch_size: int = 64,
        ocr_seconds: float = BUDGET_SECONDS,
    ) -> None:
        self._parts = parts
        self._database = parts.database
        self._storage = parts.storage
        self._store = store or PostgresVectorStore()
        self._parser = parser
        self._batch_size = batch_size
        self._model = parts.settings.embedding_model
        self._attempts = Attempts(parts.database, parts.storage)
        settings = parts.settings
        self._recognition = Recognition(
            self._attempts, parser, ocr_data=settings.ocr_data_dir, max_pages=settings.ocr_max_pages, seconds=ocr_seconds
        )

    async def inspect(self, step: Step) -> dict[str, Any]:
        """Find out what the file is. Raises `IngestionFailed`, as `extract` and `chunk` do."""
        document = await self._attempts.begin(step, Stage.INSPECTING)
        if document is None:
            return _SKIPPED
        async with self._source(document) as (path, name, sha256):
            found = await self._parser.inspect_file(path, name, document.version.content_type)
        async with self._database.transaction(step.principal) as tx:
            await repository.set_inspection(
                tx, document, content_type=found.content_type, pages=found.pages, title=found.title or "", sha256=sha256
            )
        return {"content_type": found.content_type, "pages": found.pages}

    async def extract(self, step: Step) -> dict[str, Any]:
        """Make the stored text, and its structure for `chunk`; call again while there are `pages_left`, which are scans."""
        document = await self._attempts.begin(step, Stage.EXTRACTING)
        if document is None:
            return _EXTRACT_SKIPPED
        work = Work.of(self._storage, step)
        async with self._source(document) as (path, name, _):
            extracted = await self._parser.extract_file(path, name, document.version.content_type)
            if extracted.unread:
                scan = Scan(path, name, document.version.content_type, extracted.unread)
                left = await self._recognition.read(step, work, scan)
                if left:
                    return {"pages_left": left}
                pages = await self._recognition.pages(work, scan)
                extracted = await self._parser.extract_file(path, name, scan.declared_type, recognised=pages)
        await work.put_extracted(extracted)
        async with self._database.transaction(step.principal) as tx:
            await repository.set_extraction(
                tx,
                document,
                characters=len(extracted.text),
                pages=len(extracted.pages) or None,
                title=extracted.title or document.version.title,
            )
            await repository.set_recognition(tx, document, extracted.confidences)
        await self._attempts.begin(step, Stage.EXTRACTING)
        return {"characters": len(extracted.text), "pages_left": 0}

    async def chunk(self, step: Step) -> dict[str, Any]:
        """Cut the text into chunks that the model reads whole; `{"batches": [0, 1, …]}`, empty when there is nothing to do."""
        document = await self._attempts.begin(step, Stage.CHUNKING)
        if document is None:
            return {"batches": []}
        work = Work.of(self._storage, step)
        extracted = await work.get_extracted()
        embedder = await self._parts.embedder(self._model)
        language, chunks = await asyncio.to_thread(_planned, document, extracted, embedder)
        if not chunks:
            raise IngestionFailed(FailureKind.EMPTY_TEXT, "No text was found in the document.")
        async with self._database.transaction(step.principal) as tx:
            await repository.set_language(tx, document, language)
        parts = list(batches.split(self._model, chunks, self._batch_size))
        await work.put_plan(Plan(self._model, len(parts), len(chunks)), parts)
        await self._attempts.begin(step, Stage.CHUNKING)
        return {"batches": list(range(len(parts)))}

    async def embed(self, step: Step, number: int) -> dict[str, Any]:
        """Make the vectors of batch `number`, unless they are there."""
        if await self._attempts.begin(step, Stage.EMBEDDING) is None:
            return _SKIPPED
        work = Work.of(self._storage, step)
        plan, batch = await work.get_plan(), await work.get_batch(number)
        found = await work.find_vectors(number, batch)
        if found is None:
            embedder = await self._parts.embedder(batch.model)
            vectors = await embedder.embed(batch.inputs, "document")
            await work.put_vectors(number, batch, vectors)
        span = PROGRESS[Stage.PUBLISHING] - PROGRESS[Stage.EMBEDDING]
        await self._attempts.begin(step, Stage.EMBEDDING, PROGRESS[Stage.EMBEDDING] + span * (number + 1) / plan.batches)
        return {"batch": number, "embedded": found is None}

    async def publish(self, step: Step) -> dict[str, Any]:
        """Make the version what search serves, and remove the older one's chunks, in one transaction."""
        document = await self._attempts.begin(step, Stage.PUBLISHING)
        published = document is not None and await self._publish(step)
        await self._remove_work(step)
        return {"published": published}

    async def _publish(self, step: Step) -> bool:
        work = Work.of(self._storage, step)
        plan = await work.get_plan()
        embedded = await work.get_embedded(plan)
        vectors = batches.join_vectors([part for _, part in embedded])
        planned = [chunk for batch, _ in embedded for chunk in batch.chunks]
        async with self._database.transaction(step.principal) as tx:
            # Deleted, published or overtaken meanwhile? From here on nobody else can do any of it.
            document = await repository.lock(tx, step.document_id, step.version)
            if document is None or not await self._attempts.active(tx, step, document):
                return False
            space = await get_space(tx, plan.model)
            await self._store.upsert(tx, space, [_indexed(document, chunk) for chunk in planned], vectors)
            await self._store.delete(tx, document.id, keep_version=step.version)
            await outcomes.mark_ready(tx, document, len(planned))
        return True

    async def _remove_work(self, step: Step) -> None:
        """Best effort: what stays behind is in nobody's way, and the bucket expires it."""
        try:
            await remove_work(self._storage, step.tenant_id, step.document_id, step.version)
        except AtriumError as error:
            _log.warning("work of %s version %s stays for now: %s", step.document_id, step.version, error)

    async def fail(self, step: Step, error: dict[str, Any]) -> dict[str, Any]:
        """End the attempt with what the state machine caught, told to the owner as far as it is theirs."""
        error_type, detail = failure_of(error)
        await self._attempts.fail(step, error_type, detail)
        return {"failed": error_type}

    async def retry(self, principal: Principal, document_id: UUID, *, idle: float = STUCK_SECONDS) -> int:
        """Start the latest version once more, if it failed or nothing touched it for `idle` seconds; the attempt's number.

        What was embedded before is used again. `Conflict` for a version that is ready or being worked on.
        """
        async with self._database.transaction(principal) as tx:
            await repository.lock(tx, document_id)
            document = await repository.get(tx, document_id)
            attempt = await repository.retry_version(tx, document, idle)
        if attempt is None:
            raise Conflict("The document is ready, or being processed.")
        await start_execution(self._parts.pipeline, principal.tenant_id, document_id, document.version.number, attempt)
        return attempt

    @asynccontextmanager
    async def _source(self, document: Document) -> AsyncIterator[tuple[Path, str, bytes]]:
        """The version's bytes in a file, for the time of the block; the name that says their type; their SHA-256."""
        version = document.version
        try:
            data = await self._storage.get(version.object_key, version.object_version_id or None)
        except NotFound:
            raise IngestionFailed(SOURCE_MISSING, "The file is in the bucket no more.") from None
        with tempfile.TemporaryDirectory(prefix="atrium-") as folder:
            path = Path(folder) / "source"
            await asyncio.to_thread(path.write_bytes, data)
            yield path, file_name(version.object_key), hashlib.sha256(data).digest()


def _planned(document: Document, extracted: ExtractedText, embedder: Embedder) -> tuple[str, list[PlannedChunk]]:
    """The text's language, and its chunks, which the model reads whole, title and headings included."""
    version, language = document.version, detect(extracted.text)
    cutting = chunker(ChunkingOptions())
    chunks = [
        PlannedChunk(
            ordinal=cut.ordinal,
            page_from=cut.page_from,
            page_to=cut.page_to,
            char_start=cut.start,
            char_end=cut.end,
            heading=cut.heading,
            language=detect(extracted.text[cut.start : cut.end], language),
            text=extracted.text[cut.start : cut.end],
            page_starts=tuple(
                page.start for page in extracted.pages[cut.page_from or 0 : cut.page_to or 0]
            ),  # page n: pages[n - 1]
            header=cut.header,
        )
        for cut in cutting.chunk(extracted, embedder.tokenizer, window=embedder.max_tokens, title=version.title or None)
    ]
    return language, chunks


def _indexed(document: Document, chunk: PlannedChunk) -> IndexedChunk:
    return IndexedChunk(
        id=chunk_id(document.id, document.version.number, chunk.ordinal),
        document_id=document.id,
        version=document.version.number,
        ordinal=chunk.ordinal,
        collection=document.collection,
        page_from=chunk.page_from,
        page_to=chunk.page_to,
        char_start=chunk.char_start,
        char_end=chunk.char_end,
        heading=chunk.heading,
        language=chunk.language,
        text=chunk.text,
        page_starts=chunk.page_starts,
    )
