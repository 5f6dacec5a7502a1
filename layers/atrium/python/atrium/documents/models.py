"""What a document is: its identity and name, its versions, and how far a version has come."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Final, Self
from uuid import UUID

DEFAULT_COLLECTION = "default"
# Longer than any step may take, with its retries: what has not touched a version for so long does not work on it.
STUCK_SECONDS: Final = 1800.0


class Status(StrEnum):
    """A version's life: pending → processing → ready or failed; a retry makes it pending again."""

    PENDING = "pending"
    PROCESSING = "processing"
    READY = "ready"
    FAILED = "failed"


class Stage(StrEnum):
    """What the pipeline is doing with a version that is `processing`; a failed one keeps the stage it failed in."""

    INSPECTING = "inspecting"
    EXTRACTING = "extracting"
    CHUNKING = "chunking"
    EMBEDDING = "embedding"
    PUBLISHING = "publishing"


class Source(StrEnum):
    """How the bytes came."""

    API = "api"
    DROP = "drop"


@dataclass(frozen=True, slots=True)
class Version:
    """One version of a document. `size` in bytes, `progress` from 0 to 1, `sequencer` is S3's order of writes to the key."""

    number: int
    source: Source
    object_key: str
    object_version_id: str
    sequencer: str
    content_type: str
    size: int
    sha256: bytes | None
    status: Status
    stage: Stage | None
    progress: float
    error_type: str | None
    error_detail: str | None
    attempts: int
    title: str
    language: str
    pages: int | None
    characters: int | None
    chunk_count: int | None
    ocr_pages: int | None
    ocr_confidence: float | None
    ocr_poor_pages: list[int]
    ready_at: datetime | None
    touched_at: datetime

    @property
    def unfinished(self) -> bool:
        """Whether an execution may still work on it."""
        return self.status in {Status.PENDING, Status.PROCESSING}

    def stuck(self, at: datetime) -> bool:
        """Whether it is unfinished, and no execution has touched it for `STUCK_SECONDS`."""
        return self.unfinished and at - self.touched_at >= timedelta(seconds=STUCK_SECONDS)


@dataclass(frozen=True, slots=True)
class Document:
    """A document and one of its versions: the latest, unless a verb asked for another.

    `ready_version` is what search serves: while a new version is made, or when it failed, the older one.
    """

    id: UUID
    collection: str
    name: str
    metadata: dict[str, Any]
    created_by: str
    latest_version: int
    ready_version: int | None
    created_at: datetime
    updated_at: datetime
    deleted_at: datetime | None
    version: Version

    @property
    def deleted(self) -> bool:
        """Whether this is a tombstone."""
        return self.deleted_at is not None

    @classmethod
    def from_row(cls, row: dict[str, Any]) -> Self:
        """From `SELECT v.*, d.*`: the version's columns under the document's."""
        version = Version(
            number=row["version"],
            source=Source(row["source"]),
            status=Status(row["status"]),
            stage=Stage(row["stage"]) if row["stage"] else None,
            **{name: row[name] for name in _PLAIN_VERSION_COLUMNS},
        )
        return cls(version=version, **{name: row[name] for name in _DOCUMENT_COLUMNS})


_PLAIN_VERSION_COLUMNS = (
    "object_key", "object_version_id", "sequencer", "content_type", "size", "sha256", "progress", "error_type",
    "error_detail", "attempts", "title", "language", "pages", "characters", "chunk_count", "ready_at",
    "ocr_pages", "ocr_confidence", "ocr_poor_pages",
    "touched_at",
)  # fmt: skip
_DOCUMENT_COLUMNS = (
    "id", "collection", "name", "metadata", "created_by", "latest_version", "ready_version", "created_at", "updated_at",
    "deleted_at",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Upload:
    """Bytes that came through the API. `content_type` is one we read; `metadata` None keeps what the document has."""

    name: str
    data: bytes = field(repr=False)
    content_type: str
    collection: str = DEFAULT_COLLECTION
    metadata: dict[str, Any] | None = None
    created_by: str = ""


@dataclass(frozen=True, slots=True)
class Candidate:
    """Content that may become a version. `object_key` empty: the key is made from the document's id and version."""

    name: str
    collection: str
    source: Source
    content_type: str
    size: int
    sha256: bytes | None
    created_by: str
    metadata: dict[str, Any] | None = None
    object_key: str = ""
    object_version_id: str = ""
    sequencer: str = ""


@dataclass(frozen=True, slots=True)
class DocumentFilter:
    """What a list may be narrowed to; `metadata` by containment."""

    status: Status | None = None
    name: str | None = None
    collection: str | None = None
    created_by: str | None = None
    metadata: dict[str, Any] | None = None
