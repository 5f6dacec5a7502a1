"""The document pipeline's steps. Each may be killed anywhere and run again, and two attempts at a version may overlap.

A step reads its row, does its work outside any transaction, and writes what it made under keys that depend on nothing
but the version, the attempt and the content. A step that has nothing to do any more (document deleted, version ready,
failed or overtaken, a newer attempt started) ends quietly, and so does every step after it.
"""

import asyncio
import logging
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any, Final, Protocol
from uuid import uuid5

from atrium.documents import outcomes, repository
from atrium.documents import parts as documents
from atrium.documents.chunking import ChunkingOptions, chunker
from atrium.documents.cleanup import remove_work
from atrium.documents.collections import repository as collections
from atrium.documents.ingestion import batches
from atrium.documents.ingestion.attempts import Attempts, reached
from atrium.documents.ingestion.batches import Plan, PlannedChunk, Unreadable
from atrium.documents.ingestion.recognition import BUDGET_SECONDS, Recognition, Source, TextReader
from atrium.documents.ingestion.steps import Step, failure_of
from atrium.documents.ingestion.turns import Turns
from atrium.documents.ingestion.work import Work
from atrium.documents.models import Document, Stage
from atrium.documents.naming import file_name
from atrium.documents.parsing import child
from atrium.documents.parsing.failures import FailureKind
from atrium.documents.parsing.models import ExtractedText, Inspection
from atrium.documents.passwords import Passwords
from atrium.documents.transfer import Digest, fetch
from atrium.gateway.metered import Gateway
from atrium.gateway.models import Purpose
from atrium.kernel.errors import AtriumError, IngestionFailed, NotFound
from atrium.kernel.ids import chunk_id
from atrium.providers.base import Embedder
from atrium.retrieval.language import detect
from atrium.retrieval.store import IndexedChunk, PostgresVectorStore, VectorStore, get_space

_log: Final = logging.getLogger(__name__)
SOURCE_MISSING: Final = "source-missing"
TOO_MANY_CHUNKS: Final = "too-many-chunks"
# An execution's history ends at 25,000 events, and each batch of 64 takes some of them.
MAX_CHUNKS: Final = 50_000
_SKIPPED: Final[dict[str, Any]] = {"skipped": True}


class Parser(TextReader, Protocol):
    """Reads a file in a process of its own. Raises `IngestionFailed` for one that cannot be read."""

    async def inspect_file(self, path: Path, name: str, declared_type: str, *, password: str | None = None) -> Inspection:
        """What the file is."""
        ...


class Parts(documents.Parts, Protocol):
    """What the steps are built from; `atrium.runtime.Runtime` is one."""

    @property
    def gateway(self) -> Gateway:
        """Every model, metered."""
        ...


class IngestionService:
    """The verbs of the pipeline's states.

    `batch_size`: how many chunks are embedded by one state; `ocr_seconds`: for how long one begins to read scanned pages;
    `max_chunks`: of one document.
    """

    def __init__(
        self,
        parts: Parts,
        *,
        store: VectorStore | None = None,
        parser: Parser = child,
        batch_size: int = 64,
        ocr_seconds: float = BUDGET_SECONDS,
        max_chunks: int = MAX_CHUNKS,
    ) -> None:
        self._parts = parts
        self._database = parts.database
        self._storage = parts.storage
        self._store = store or PostgresVectorStore()
        self._parser = parser
        self._batch_size = batch_size
        self._max_chunks = max_chunks
        self._attempts = Attempts(parts.database, parts.storage)
        self._passwords = Passwords(parts.database, parts.keyring)
        settings = parts.settings
        self._recognition = Recognition(
            self._attempts, parser, ocr_data=settings.ocr_data_dir, max_pages=settings.ocr_max_pages, seconds=ocr_seconds
        )
        self._turns = Turns(parts.database, parts.pipeline, parts.settings.ingest_in_flight)

    async def inspect(self, step: Step) -> dict[str, Any]:
        """Find out what the file is. Raises `IngestionFailed`, as `extract` and `chunk` do."""
        document = await self._attempts.begin(step, Stage.INSPECTING)
        if document is None:
            return _SKIPPED
        password = await self._passwords.find(step.principal, document)
        async with self._source(document) as (path, name, counted):
            found = await self._parser.inspect_file(path, name, document.version.content_type, password=password)
        async with self._database.transaction(step.principal) as tx:
            await repository.set_inspection(
                tx,
                document,
                content_type=found.content_type,
                pages=found.pages,
                title=found.title or "",
                size=counted.size,
                sha256=counted.sha256,
            )
        return {"content_type": found.content_type, "pages": found.pages}

    async def extract(self, step: Step) -> dict[str, Any]:
        """Make the stored text, and its structure for `chunk`; call again while there are `pages_left`, which are scans."""
        document = await self._attempts.begin(step, Stage.EXTRACTING)
        if document is None:
            return _SKIPPED
        password = await self._passwords.find(step.principal, document)
        work = Work.of(self._storage, step)
        async with self._source(document) as (path, name, _):
            source = Source(path, name, document.version.content_type, password)
            try:
                extracted, left = await self._recognition.extract(step, work, source)
            except Unreadable as error:  # pages that were read are gone: the document was deleted, most likely
                return await self._again(step, Stage.EXTRACTING, error)
        if left:
            return {"pages_left": left}
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
        if extracted.confidences:
            # Once a version's attempt, also when this state is run again.
            call = uuid5(step.document_id, f"ocr {step.version} {step.attempt}")
            await self._parts.gateway.record_pages(step.principal, call, len(extracted.confidences), _purpose(step))
        await self._attempts.begin(step, Stage.EXTRACTING)
        return {"characters": len(extracted.text), "pages_left": 0}

    async def chunk(self, step: Step) -> dict[str, Any]:
        """Cut the text into chunks that the model reads whole; `{"batches": [0, 1, …]}`, empty when there is nothing to do."""
        document = await self._attempts.begin(step, Stage.CHUNKING)
        if document is None:
            return {"batches": []}
        work = Work.of(self._storage, step)
        try:
            plan = await self._plan(step, document, work)
        except Unreadable as error:
            return await self._again(step, Stage.CHUNKING, error) | {"batches": []}
        await self._attempts.begin(step, Stage.CHUNKING)
        return {"batches": list(range(len(plan.batches)))}

    async def _plan(self, step: Step, document: Document, work: Work) -> Plan:
        """The attempt's plan: the one that it has, whatever has been changed since, or a new one."""
        with suppress(Unreadable):
            return await work.get_plan()
        extracted = await work.get_extracted()
        model, options = await self._way(step, document)
        embedder = await self._parts.gateway.embedder(step.principal, model, _purpose(step))
        language, chunks = await asyncio.to_thread(_planned, document, extracted, embedder, options)
        if not chunks:
            raise IngestionFailed(FailureKind.EMPTY_TEXT, "No text was found in the document.")
        if len(chunks) > self._max_chunks:
            detail = f"The document makes {len(chunks):,} chunks; at most {self._max_chunks:,} are indexed."
            raise IngestionFailed(TOO_MANY_CHUNKS, detail)
        async with self._database.transaction(step.principal) as tx:
            await repository.set_language(tx, document, language)
        return await work.put_plan(model, list(batches.split(model, chunks, self._batch_size)))

    async def _way(self, step: Step, document: Document) -> tuple[str, ChunkingOptions]:
        """The embedding model of the document's collection, and how this version is cut."""
        async with self._database.transaction(step.principal) as tx:
            # Extraction has ended, and its answer has arrived: until then it may have to be repeated.
            await repository.forget_password(tx, document)
            await collections.enter(tx, document.collection, self._parts.settings.embedding_model)
            model, options = await collections.way(tx, document.collection)
        own = document.version.chunking
        return model, options if own is None else ChunkingOptions.parse(own)

    async def embed(self, step: Step, number: int) -> dict[str, Any]:
        """Make the vectors of batch `number`, unless they are there."""
        document = await self._attempts.begin(step, Stage.EMBEDDING)
        if document is None:
            return _SKIPPED
        work = Work.of(self._storage, step)
        try:
            plan = await work.get_plan()
            batch = await work.get_batch(plan.batches[number])
        except Unreadable as error:
            return await self._again(step, Stage.EMBEDDING, error)
        found = await work.find_vectors(batch)
        if found is None:
            embedder = await self._parts.gateway.embedder(step.payer(document.created_by), batch.model, _purpose(step))
            vectors = await embedder.embed(batch.inputs, "document")
            await work.put_vectors(batch, vectors)
        await self._attempts.begin(step, Stage.EMBEDDING, reached(Stage.EMBEDDING, (number + 1) / len(plan.batches)))
        return {"batch": number, "embedded": found is None}

    async def _again(self, step: Step, stage: Stage, error: Unreadable) -> dict[str, Any]:
        """What the attempt goes on from is not there, or another release wrote it: the next attempt makes it anew.

        Nothing happens when this one has ended meanwhile, and what it left was removed.
        """
        if await self._attempts.begin(step, stage) is not None:
            _log.warning("another attempt plans anew: %s", error)
            await self._attempts.restart(step)
        return _SKIPPED

    async def publish(self, step: Step) -> dict[str, Any]:
        """Make the version what search serves, and remove the older one's chunks, in one transaction; then it is others' turn."""
        document = await self._attempts.begin(step, Stage.PUBLISHING)
        published = False
        if document is not None:
            try:
                published = await self._publish(step)
            except Unreadable as error:
                await self._again(step, Stage.PUBLISHING, error)
        if await self._attempts.end(step):
            await self._remove_work(step)
        await self._turns.start_waiting(step.tenant_id)
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
        """End the attempt with what the state machine caught, told to the owner as far as it is theirs; it is others' turn."""
        error_type, detail = failure_of(error)
        await self._attempts.fail(step, error_type, detail)
        await self._attempts.end(step)
        await self._turns.start_waiting(step.tenant_id)
        return {"failed": error_type}

    @asynccontextmanager
    async def _source(self, document: Document) -> AsyncIterator[tuple[Path, str, Digest]]:
        """The version's bytes in a file, for the time of the block; the name that says their type; how many they were."""
        version = document.version
        with tempfile.TemporaryDirectory(prefix="atrium-") as folder:
            path = Path(folder) / "source"
            limit = self._parts.settings.document_limit
            try:
                counted = await fetch(self._storage, version.object_key, version.object_version_id or None, limit, path)
            except NotFound:
                raise IngestionFailed(SOURCE_MISSING, "The file is in the bucket no more.") from None
            yield path, file_name(version.object_key), counted


def _purpose(step: Step) -> Purpose:
    return Purpose("ingestion", document_id=step.document_id)


def _planned(
    document: Document, extracted: ExtractedText, embedder: Embedder, options: ChunkingOptions
) -> tuple[str, list[PlannedChunk]]:
    """The text's language, and its chunks, which the model reads whole, title and headings included."""
    version, language = document.version, detect(extracted.text)
    cutting = chunker(options)
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
