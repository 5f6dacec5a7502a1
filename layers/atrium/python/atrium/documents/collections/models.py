"""What a collection is, and what is asked of one."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Self

from atrium.documents.chunking import ChunkingOptions


@dataclass(frozen=True, slots=True)
class Collection:
    """A collection. `metadata` is what its new documents begin with, under their own; `document_count` without deleted ones.

    `chunking` is read when a version is cut: it applies to later versions, and to older ones that are processed again.
    """

    name: str
    chunking: ChunkingOptions
    embedding_model: str
    metadata: dict[str, Any]
    created_at: datetime
    updated_at: datetime
    document_count: int

    @classmethod
    def from_row(cls, row: dict[str, Any]) -> Self:
        """From a row of `find_collection` or `list_collections`."""
        return cls(**row | {"chunking": ChunkingOptions.parse(row["chunking"])})


@dataclass(frozen=True, slots=True)
class NewCollection:
    """A collection to make. `embedding_model` None: the deployment's."""

    name: str
    chunking: ChunkingOptions = field(default_factory=ChunkingOptions)
    embedding_model: str | None = None
    metadata: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class CollectionChange:
    """What of a collection changes; None stays. Both objects are merged key by key; a null of `metadata` removes its key."""

    chunking: dict[str, Any] | None = None
    embedding_model: str | None = None
    metadata: dict[str, Any] | None = None
