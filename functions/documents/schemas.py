"""The wire contracts of documents."""

from typing import Annotated, Any, Self
from uuid import UUID

from pydantic import Field, StringConstraints

from atrium.documents.models import DEFAULT_COLLECTION, Document, Source, Stage, Status
from atrium.documents.service import Download
from atrium.retrieval.store import IndexedChunk
from atrium.web.schemas import JsonId, Reply, StrictModel, Timestamp

Collection = Annotated[str, StringConstraints(pattern=r"^[a-z0-9._-]{1,64}$")]


class NewText(StrictModel):
    """Text to keep as a document. The extension of its name says whether it is plain text, Markdown or HTML."""

    name: Annotated[str, StringConstraints(min_length=1, max_length=1024)]
    content: Annotated[str, StringConstraints(min_length=1)]
    metadata: dict[str, Any] | None = Field(default=None, description="Filters read it; absent keeps what the document has.")
    collection: Collection = DEFAULT_COLLECTION
    user_id: JsonId | None = Field(
        default=None, description="On whose behalf: one's own id, or with an API key that of any user of the organisation."
    )


class NewFile(StrictModel):
    """The fields beside the file of a multipart upload; all come as text, `metadata` as a JSON object."""

    name: Annotated[str, StringConstraints(min_length=1, max_length=1024)]
    metadata: dict[str, Any] | None = None
    collection: Collection = DEFAULT_COLLECTION
    user_id: JsonId | None = None


class Failure(Reply):
    """Why a version failed: a stable type and a sentence."""

    type: str
    detail: str


class DocumentReply(Reply):
    """A document as its latest version stands. `ready_version` is what search serves meanwhile."""

    id: UUID
    name: str
    collection: str
    metadata: dict[str, Any]
    status: Status
    version: int
    ready_version: int | None
    source: Source
    content_type: str
    size: int = Field(description="Bytes.")
    title: str
    language: str
    pages: int | None
    characters: int | None
    chunk_count: int | None
    ocr_pages: int | None = Field(description="Scanned pages that were read by OCR; null before the text is extracted.")
    ocr_confidence: float | None = Field(description="How sure OCR is of them, 0 to 1.")
    ocr_poor_pages: list[int] = Field(description="Pages that OCR read with a confidence below 0.7, or could not read.")
    error: Failure | None
    created_by: str
    created_at: Timestamp
    updated_at: Timestamp
    ready_at: Timestamp | None

    @classmethod
    def of(cls, document: Document) -> Self:
        """The wire form."""
        version = document.version
        return cls(
            id=document.id,
            name=document.name,
            collection=document.collection,
            metadata=document.metadata,
            status=version.status,
            version=version.number,
            ready_version=document.ready_version,
            source=version.source,
            content_type=version.content_type,
            size=version.size,
            title=version.title,
            language=version.language,
            pages=version.pages,
            characters=version.characters,
            chunk_count=version.chunk_count,
            ocr_pages=version.ocr_pages,
            ocr_confidence=None if version.ocr_confidence is None else round(version.ocr_confidence, 3),
            ocr_poor_pages=version.ocr_poor_pages,
            error=_failure(document),
            created_by=document.created_by,
            created_at=document.created_at,
            updated_at=document.updated_at,
            ready_at=version.ready_at,
        )


class StatusReply(Reply):
    """How far the latest version has come. `stage` is what is being done, or was when it failed."""

    id: UUID
    version: int
    status: Status
    stage: Stage | None
    progress: float = Field(ge=0, le=1)
    error: Failure | None
    attempts: int

    @classmethod
    def of(cls, document: Document) -> Self:
        """The wire form."""
        version = document.version
        return cls(
            id=document.id,
            version=version.number,
            status=version.status,
            stage=version.stage,
            progress=round(version.progress, 3),
            error=_failure(document),
            attempts=version.attempts,
        )


class ChunkReply(Reply):
    """A passage; `text` is the stored text's from `char_start` to `char_end`, in characters. Pages count from 1."""

    id: UUID
    document_id: UUID
    version: int
    ordinal: int
    page_from: int | None
    page_to: int | None
    char_start: int
    char_end: int
    heading: str
    language: str
    text: str

    @classmethod
    def of(cls, chunk: IndexedChunk) -> Self:
        """The wire form."""
        return cls.model_validate(chunk)


class DownloadReply(Reply):
    """Where the file can be fetched, once or more, until `expires_at`."""

    url: str
    expires_at: Timestamp

    @classmethod
    def of(cls, download: Download) -> Self:
        """The wire form."""
        return cls.model_validate(download)


def _failure(document: Document) -> Failure | None:
    version = document.version
    return None if version.error_type is None else Failure(type=version.error_type, detail=version.error_detail or "")
