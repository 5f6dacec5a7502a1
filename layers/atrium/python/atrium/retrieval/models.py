"""What the store holds, what a search asks, what it finds."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Self
from uuid import UUID


@dataclass(frozen=True, slots=True)
class EmbeddingSpace:
    """A model with its vectors' length and its window in tokens; vectors of two spaces are never compared."""

    id: int
    model: str
    dimensions: int
    max_tokens: int


@dataclass(frozen=True, slots=True)
class IndexedChunk:
    """A passage of a document's version. `text` is exactly `stored_text[char_start:char_end]`; pages count from 1."""

    id: UUID
    document_id: UUID
    version: int
    ordinal: int
    collection: str
    page_from: int | None
    page_to: int | None
    char_start: int
    char_end: int
    heading: str
    language: str
    text: str

    @classmethod
    def from_row(cls, row: dict[str, Any]) -> Self:
        """From a row of `list_chunks`."""
        return cls(**row)


class SearchMode(StrEnum):
    """By meaning and words fused, by meaning, by words."""

    HYBRID = "hybrid"
    VECTOR = "vector"
    KEYWORD = "keyword"
