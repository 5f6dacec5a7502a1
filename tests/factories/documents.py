"""A tenant's documents from the bucket's arrivals to searchable chunks, in process: real services, real parsers, a real
database; the bucket, the state machine and the model are stand-ins that behave alike."""

import asyncio
import hashlib
import json
import re
import struct
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal
from uuid import UUID

from atrium.db import Database
from atrium.documents.collections import CollectionService
from atrium.documents.ingestion.arrivals import ObjectCreated, ObjectDeleted, Receipt
from atrium.documents.ingestion.dispatch import run_step
from atrium.documents.ingestion.pipeline import IngestionService
from atrium.documents.ingestion.receiving import ReceivingService
from atrium.documents.ingestion.upkeep import Upkeep
from atrium.documents.models import Document, Upload
from atrium.documents.parsing import worker
from atrium.documents.parsing.models import ExtractedText, Inspection
from atrium.documents.parsing.ocr import RecognisedPage
from atrium.documents.parsing.pdf_layout import Line
from atrium.documents.parsing.registry import ParseOptions
from atrium.documents.reprocessing import ReprocessingService
from atrium.documents.service import DocumentService
from atrium.documents.uploading import UploadService
from atrium.gateway.metered import Gateway
from atrium.gateway.models import Purpose
from atrium.kernel.errors import AtriumError
from atrium.kernel.ids import new_id
from atrium.kernel.principal import Principal
from atrium.kernel.settings import Settings
from atrium.ports.keyring import KeyringSource, new_keyring
from atrium.ports.storage import StoredObject
from atrium.providers.base import ChatModel, Vectors
from atrium.providers.extractive import ExtractiveChat
from tests.fakes.memory import MemorySecrets, MemoryStorage, MemoryWorkflow

EVENTS = Path(__file__).parents[2] / "events"
MODEL = "test/four"
_WORD = re.compile(r"\S+")


def event(name: str) -> dict[str, Any]:
    """A stored event: `ingest/drop`."""
    loaded: dict[str, Any] = json.loads((EVENTS / f"{name}.json").read_text(encoding="utf-8"))
    return loaded


class WordTokenizer:
    """A word is a token."""

    special_tokens = 2

    def offsets(self, text: str) -> Sequence[tuple[int, int]]:
        return [found.span() for found in _WORD.finditer(text)]


class HashEmbedder:
    """Vectors of length 4 that depend on the text alone; `calls` counts, `fail_at` makes one call raise."""

    dimensions = 4
    max_tokens = 128

    def __init__(self) -> None:
        self.tokenizer = WordTokenizer()
        self.calls = 0
        self._failures: dict[int, Exception] = {}

    def fail_at(self, call: int, error: Exception) -> None:
        """Raise in that call, counted from 1."""
        self._failures[call] = error

    async def embed(self, texts: Sequence[str], kind: Literal["document", "query"]) -> Vectors:
        self.calls += 1
        if self.calls in self._failures:
            raise self._failures[self.calls]
        return Vectors(len(texts), 4, b"".join(_vector(text) for text in texts))


def _vector(text: str) -> bytes:
    raw = [byte - 127.5 for byte in hashlib.sha256(text.encode()).digest()[:4]]
    length = sum(value * value for value in raw) ** 0.5
    return struct.pack("<4f", *(value / length for value in raw))


class InProcessParser:
    """The real parsers without their process, which costs a fifth of a second a time.

    No OCR: a scanned page says "Page n", or fails as `page_failures` has it, once. `pages_read` is in the order of reading.
    """

    def __init__(self) -> None:
        self.pages_read: list[int] = []
        self.page_failures: dict[int, Exception] = {}

    async def inspect_file(self, path: Path, name: str, declared_type: str, *, password: str | None = None) -> Inspection:
        data = await asyncio.to_thread(path.read_bytes)
        found = worker.parse("inspect", data, name, declared_type, ParseOptions(password=password))
        assert isinstance(found, Inspection)
        return found

    async def extract_file(
        self, path: Path, name: str, declared_type: str, *, password: str | None = None, recognised: Sequence[RecognisedPage] = ()
    ) -> ExtractedText:
        data = await asyncio.to_thread(path.read_bytes)
        options = ParseOptions(password=password, recognised={page.number: page for page in recognised})
        text = worker.parse("extract", data, name, declared_type, options)
        assert isinstance(text, ExtractedText)
        return text

    async def read_page(
        self, path: Path, name: str, declared_type: str, page: int, *, ocr_data: str, password: str | None = None
    ) -> RecognisedPage:
        self.pages_read.append(page)
        if page in self.page_failures:
            raise self.page_failures.pop(page)
        return RecognisedPage(page, (Line(f"Page {page} of the scan.", 50, 700, 12),), 0.9)


class RacedStorage(MemoryStorage):
    """A bucket between whose calls something else happens, once."""

    before_get: Callable[[], Awaitable[object]] | None = None
    before_put: Callable[[], Awaitable[object]] | None = None

    async def get(self, key: str, version_id: str | None = None) -> bytes:
        race, self.before_get = self.before_get, None
        if race:
            await race()
        return await super().get(key, version_id)  # pieces too are read by it

    async def put(self, key: str, data: bytes, *, content_type: str, metadata: dict[str, str] | None = None) -> StoredObject:
        race, self.before_put = self.before_put, None
        if race:
            await race()
        return await super().put(key, data, content_type=content_type, metadata=metadata)


@dataclass
class Parts:
    """What a runtime gives the pipeline's steps."""

    settings: Settings
    database: Database
    storage: RacedStorage = field(default_factory=RacedStorage)
    pipeline: MemoryWorkflow = field(default_factory=MemoryWorkflow)
    model: HashEmbedder = field(default_factory=HashEmbedder)
    keyring: KeyringSource = field(default_factory=lambda: KeyringSource(MemorySecrets({"keyring": new_keyring()}), "keyring"))

    asked: list[str] = field(default_factory=list)
    payers: list[str] = field(default_factory=list)

    # Pages of OCR that were recorded, by the call's id.
    pages: dict[UUID, int] = field(default_factory=dict)

    @property
    def gateway(self) -> Gateway:
        """These parts' own: their one model is in no catalogue."""
        return self

    async def embedder(self, principal: Principal, name: str, purpose: Purpose) -> HashEmbedder:
        """The one model, whatever it is called; `asked` has the names, `payers` who asked."""
        self.asked.append(name)
        self.payers.append(principal.subject)
        return self.model

    async def chat_model(self, principal: Principal, name: str, purpose: Purpose) -> ChatModel:
        """As without a model."""
        return ExtractiveChat()

    async def record_pages(self, principal: Principal, call: UUID, pages: int, purpose: Purpose) -> None:
        """Into `pages`."""
        self.pages[call] = pages


class World:
    """The documents of a deployment: people's verbs, arrivals, and the state machine turned by hand."""

    def __init__(
        self,
        settings: Settings,
        database: Database,
        *,
        document_limit: int = 1024 * 1024,
        batch_size: int = 64,
        ocr_seconds: float = 60.0,
        **changed: object,
    ) -> None:
        changes = {"embedding_model": MODEL, "document_limit": document_limit, **changed}
        self.parts = Parts(settings.model_copy(update=changes), database)
        self.storage, self.workflow, self.model = self.parts.storage, self.parts.pipeline, self.parts.model
        self.database = database
        self.documents = DocumentService(self.parts)
        self.uploads = UploadService(self.parts)
        self.collections = CollectionService(self.parts)
        self.reprocessing = ReprocessingService(self.parts)
        self.receiving = ReceivingService(database, self.storage, self.workflow, self.parts.settings)
        self.upkeep = Upkeep(database, self.storage, self.workflow, self.parts.settings)
        self.parser = InProcessParser()
        self.ingestion = IngestionService(self.parts, parser=self.parser, batch_size=batch_size, ocr_seconds=ocr_seconds)
        self._sequence = 0

    async def upload(self, principal: Principal, name: str, text: str, **more: Any) -> Document:
        """As `POST /documents`: the row and the object; its arrival is not delivered yet."""
        content_type = more.pop("content_type", "text/plain")
        upload = Upload(name=name, data=text.encode(), content_type=content_type, **more)
        return await self.uploads.upload(principal, upload, new_id())

    async def drop(self, principal: Principal, path: str, data: bytes) -> ObjectCreated:
        """Put a file into the tenant's drop folder; its arrival, not delivered yet."""
        key = f"drop/{principal.tenant_id}/{path}"
        await self.storage.put(key, data, content_type="binary/octet-stream")
        return self.arrival(key)

    def arrival(self, key: str) -> ObjectCreated:
        """What S3 says of the newest write to a key."""
        self._sequence += 1
        return ObjectCreated(key, self.storage.objects[key][-1][0].version_id, f"{self._sequence:016X}")

    async def receive(self, arrival: ObjectCreated | ObjectDeleted) -> Receipt:
        """Deliver an arrival, once."""
        return await self.receiving.receive(arrival)

    async def run(self, execution: str) -> str:
        """An execution from its first state to its last: `SUCCEEDED` or `FAILED`."""
        payload = self.workflow.started[execution]
        try:
            await self._steps(payload)
        except AtriumError as error:  # the state machine catches all; here anything else is the test's
            caught = {
                "Error": type(error).__name__,
                "Cause": json.dumps({"errorType": type(error).__name__, "errorMessage": str(error)}),
            }
            await self.step(payload, "fail", error=caught)
            return "FAILED"
        finally:
            self.workflow.ended.add(execution)
        return "SUCCEEDED"

    async def _steps(self, payload: dict[str, object]) -> None:
        await self.step(payload, "inspect")
        while (await self.step(payload, "extract")).get("pages_left"):
            pass
        for batch in (await self.step(payload, "chunk"))["batches"]:
            await self.step(payload, "embed", batch=batch)
        await self.step(payload, "publish")

    async def step(self, payload: dict[str, object], name: str, **more: object) -> dict[str, Any]:
        """One state's call."""
        return await run_step(self.ingestion, {**payload, "step": name, **more})

    async def ingest(self, arrival: ObjectCreated) -> Receipt:
        """Deliver an arrival and run what it starts."""
        before = set(self.workflow.started)
        receipt = await self.receive(arrival)
        for execution in self.workflow.started.keys() - before:
            await self.run(execution)
        return receipt

    async def ready(self, principal: Principal, name: str, text: str, **more: Any) -> Document:
        """An uploaded document that has gone all the way."""
        document = await self.upload(principal, name, text, **more)
        await self.ingest(self.arrival(document.version.object_key))
        return await self.documents.get(principal, document.id)

    def keys(self, prefix: str) -> list[str]:
        """The bucket's keys under a prefix."""
        return sorted(key for key in self.storage.objects if key.startswith(prefix))
