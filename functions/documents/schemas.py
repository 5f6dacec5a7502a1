"""The wire contracts of documents."""

from typing import Annotated, Any, Literal, Self
from uuid import UUID

from pydantic import AfterValidator, Field, StringConstraints

from atrium.documents.chunking import MAX_TOKENS, MIN_TOKENS, ChunkingOptions
from atrium.documents.metadata import flaw
from atrium.documents.models import (
    DEFAULT_COLLECTION,
    Document,
    DocumentChange,
    PlannedUpload,
    Source,
    Stage,
    Status,
    VersionSummary,
)
from atrium.documents.naming import display_name
from atrium.documents.reprocessing import Again
from atrium.documents.service import Download
from atrium.documents.uploading import PresignedUpload
from atrium.kernel.errors import InvalidInput
from atrium.retrieval.store import IndexedChunk
from atrium.web.schemas import JsonId, Reply, StrictModel, Timestamp


def _shown(name: str) -> str:
    try:
        return display_name(name)
    except InvalidInput as error:
        raise ValueError(error.detail) from error


def _short(metadata: dict[str, Any]) -> dict[str, Any]:
    if wrong := flaw(metadata):
        raise ValueError(wrong)
    return metadata


Collection = Annotated[str, StringConstraints(pattern=r"^[a-z0-9._-]{1,64}$")]
Name = Annotated[str, StringConstraints(min_length=1, max_length=1024), AfterValidator(_shown)]
Metadata = Annotated[dict[str, Any], AfterValidator(_short)]
Password = Annotated[str, Field(min_length=1, max_length=256, json_schema_extra={"writeOnly": True, "format": "password"})]
_OPENS = "Opens an encrypted file. Kept sealed, and only until its text is extracted."


class NewText(StrictModel):
    """Text to keep as a document. The extension of its name says whether it is plain text, Markdown or HTML."""

    name: Name
    content: Annotated[str, StringConstraints(min_length=1)]
    metadata: Metadata | None = Field(default=None, description="Filters read it; absent keeps what the document has.")
    collection: Collection = DEFAULT_COLLECTION
    user_id: JsonId | None = Field(
        default=None, description="On whose behalf: one's own id, or with an API key that of any user of the organisation."
    )


class NewFile(StrictModel):
    """The fields beside the file of a multipart upload; all come as text, `metadata` as a JSON object."""

    name: Name
    metadata: Metadata | None = None
    collection: Collection = DEFAULT_COLLECTION
    user_id: JsonId | None = None
    password: Password | None = Field(default=None, repr=False)


class NewUpload(StrictModel):
    """A file that will be sent straight to the bucket."""

    name: Name
    content_type: Annotated[str, StringConstraints(max_length=255)] = Field(
        description="The file's type, which must be one that is read; empty: what the name says."
    )
    size: Annotated[int, Field(ge=1)] | None = Field(
        default=None, description="Bytes, where known: then exactly so many are taken."
    )
    collection: Collection = DEFAULT_COLLECTION
    metadata: Metadata | None = None
    user_id: JsonId | None = None
    password: Password | None = Field(default=None, repr=False, description=_OPENS)

    def planned(self, owner: str) -> PlannedUpload:
        """On behalf of `owner`."""
        return PlannedUpload(
            self.name, self.content_type, self.size, self.collection, self.metadata, owner, self.password
        )  # fmt: skip


class UploadReply(Reply):
    """POST a form (multipart/form-data) to `url`: `fields` as they are, and after them the file as the field `file`."""

    id: UUID = Field(description="The document's.")
    version: int
    url: str
    fields: dict[str, str]
    expires_at: Timestamp

    @classmethod
    def of(cls, upload: PresignedUpload) -> Self:
        """The wire form."""
        document = upload.document
        return cls(
            id=document.id,
            version=document.version.number,
            url=upload.post.url,
            fields=upload.post.fields,
            expires_at=upload.expires_at,
        )


class DocumentPatch(StrictModel):
    """What changes; what is absent or null stays."""

    name: Name | None = None
    collection: Collection | None = Field(default=None, description="One of the same embedding space.")
    metadata: Metadata | None = Field(default=None, description="Merged key by key; a null removes its key.")

    def change(self) -> DocumentChange:
        """For the service."""
        return DocumentChange(self.name, self.collection, self.metadata)


class ChunkingIn(StrictModel):
    """How documents are cut; what is absent has its default, or stays."""

    mode: Literal["fixed", "recursive", "sentence", "heading"] = "heading"
    max_tokens: Annotated[int, Field(ge=MIN_TOKENS, le=MAX_TOKENS)] | None = Field(
        default=None, description="Of a chunk with its header; null: as much as the model reads."
    )
    overlap_tokens: int = Field(default=0, ge=0, le=MAX_TOKENS // 2, description="At most half of max_tokens.")
    contextual: bool = Field(default=True, description="Whether title and headings are embedded before the text.")

    def given(self) -> dict[str, Any]:
        """What was sent of it."""
        return self.model_dump(exclude_unset=True)

    def options(self) -> ChunkingOptions:
        """What was sent over the defaults."""
        return ChunkingOptions.parse(self.given())


class ReprocessIn(StrictModel):
    """How the same bytes are processed again."""

    password: Password | None = Field(default=None, repr=False, description=_OPENS)
    chunking: ChunkingIn | None = Field(default=None, description="For this version, in place of its collection's.")

    def how(self) -> Again:
        """For the service."""
        return Again(self.password, None if self.chunking is None else self.chunking.options())


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
    sha256: str | None = Field(description="Of the bytes, in hexadecimal, once they are known.")
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
            sha256=None if version.sha256 is None else version.sha256.hex(),
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


class VersionReply(Reply):
    """A line of a document's history."""

    version: int
    status: Status
    source: Source
    content_type: str
    size: int
    sha256: str | None
    error: Failure | None
    created_at: Timestamp
    ready_at: Timestamp | None

    @classmethod
    def of(cls, version: VersionSummary) -> Self:
        """The wire form."""
        error = None if version.error_type is None else Failure(type=version.error_type, detail=version.error_detail or "")
        return cls(
            version=version.number,
            status=version.status,
            source=version.source,
            content_type=version.content_type,
            size=version.size,
            sha256=None if version.sha256 is None else version.sha256.hex(),
            error=error,
            created_at=version.created_at,
            ready_at=version.ready_at,
        )


class DocumentDetail(DocumentReply):
    """A document, and with `?versions=true` its history, the newest version first, 100 at most."""

    versions: list[VersionReply] | None = None

    def with_versions(self, versions: list[VersionSummary]) -> Self:
        """With its history."""
        return self.model_copy(update={"versions": [VersionReply.of(version) for version in versions]})


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
