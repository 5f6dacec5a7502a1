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
    """A version's life.

    pending ──its turn──> processing ──published──> ready (for good: what comes later is another version)
       │                      ├──failed, overtaken, given up──> failed
       │                      └──nothing worked on it──> pending (the next attempt)
       ├──never uploaded, too large, overtaken──> failed
    failed ──reprocess, a late upload──> pending (the next attempt)

    A pending version waits for one of three: its bytes (`upload_expires_at` says until when, `attempts` is 0), its turn
    (`waiting_since`), or the first step of the execution that was started for it (neither; `attempts` counts it).
    """

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
    upload_expires_at: datetime | None
    waiting_since: datetime | None
    chunking: dict[str, Any] | None

    @property
    def unfinished(self) -> bool:
        """Whether an execution may still work on it."""
        return self.status in {Status.PENDING, Status.PROCESSING}

    @property
    def waiting(self) -> bool:
        """Whether its bytes are there and other documents of its tenant go first: no execution works on it now."""
        return self.status is Status.PENDING and self.waiting_since is not None

    def stuck(self, at: datetime) -> bool:
        """Whether it is unfinished, waits for nothing, and no execution has touched it for `STUCK_SECONDS`."""
        expected = self.waiting or (self.attempts == 0 and self.upload_expires_at is not None and at < self.upload_expires_at)
        return self.unfinished and not expected and at - self.touched_at >= timedelta(seconds=STUCK_SECONDS)


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
    "touched_at", "upload_expires_at", "waiting_since", "chunking",
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
    password: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Candidate:
    """Content that may become a version. `object_key` empty: the key is made from the document's id and version.

    `sha256` None: not known yet. `model` is whose space a collection gets that has to be made. `upload_expires_at`: the
    bytes are still to come, until then.
    """

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
    model: str = ""
    upload_expires_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class PlannedUpload:
    """A file that is to be sent straight to the bucket. `size` in bytes, None where only the limit is known."""

    name: str
    content_type: str
    size: int | None = None
    collection: str = DEFAULT_COLLECTION
    metadata: dict[str, Any] | None = None
    created_by: str = ""
    password: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class DocumentChange:
    """What of a document changes; None stays. `metadata` is merged key by key, a null removes its key."""

    name: str | None = None
    collection: str | None = None
    metadata: dict[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class VersionSummary:
    """A line of a document's history. `size` in bytes, 0 until it is known."""

    number: int
    status: Status
    source: Source
    content_type: str
    size: int
    sha256: bytes | None
    error_type: str | None
    error_detail: str | None
    created_at: datetime
    ready_at: datetime | None


@dataclass(frozen=True, slots=True)
class Due:
    """An execution to start once the transaction that decided so has ended."""

    document_id: UUID
    version: int
    attempt: int


@dataclass(frozen=True, slots=True)
class DocumentFilter:
    """What a list may be narrowed to; `metadata` by containment."""

    status: Status | None = None
    name: str | None = None
    collection: str | None = None
    created_by: str | None = None
    metadata: dict[str, Any] | None = None
