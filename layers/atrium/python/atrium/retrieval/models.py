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
    """A passage of a document's version. `text` is exactly `stored_text[char_start:char_end]`; pages count from 1.

    `page_starts`: where in the stored text the pages after `page_from` begin, `page_to` - `page_from` of them.
    """

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
    page_starts: tuple[int, ...] = ()

    @classmethod
    def from_row(cls, row: dict[str, Any]) -> Self:
        """From a row of `list_chunks`."""
        return cls(**row | {"page_starts": tuple(row["page_starts"])})


class SearchMode(StrEnum):
    """By meaning and words fused, by meaning, by words."""

    HYBRID = "hybrid"
    VECTOR = "vector"
    KEYWORD = "keyword"


@dataclass(frozen=True, slots=True)
class Scope:
    """Which documents are searched; None does not narrow. `filter` is a jsonpath predicate over their metadata."""

    collections: tuple[str, ...] | None = None
    document_ids: tuple[UUID, ...] | None = None
    filter: str | None = None


@dataclass(frozen=True, slots=True)
class SearchRequest:
    """A question and where to look. `top_k` from 1 to 50. `rerank`: by the deployment's reranker, or by that of a name."""

    query: str
    top_k: int = 10
    mode: SearchMode = SearchMode.HYBRID
    scope: Scope = Scope()
    rerank: bool | str = False


@dataclass(frozen=True, slots=True)
class Hit:
    """A found passage, with the document it is of.

    `score` orders the result and means nothing across questions. `vector_score` is cosine similarity, `keyword_score` the
    sum of the shared words' weights; None where that half did not find the passage.
    """

    chunk_id: UUID
    document_id: UUID
    document_name: str
    version: int
    page_from: int | None
    page_to: int | None
    page_starts: tuple[int, ...]
    char_start: int
    char_end: int
    heading: str
    language: str
    text: str
    score: float
    vector_score: float | None
    keyword_score: float | None

    @classmethod
    def from_row(cls, row: dict[str, Any]) -> Self:
        """From a row of `search_chunks`."""
        fields = {key: value for key, value in row.items() if key not in {"compared", "elsewhere"}}
        return cls(**fields | {"page_starts": tuple(row["page_starts"])})


@dataclass(frozen=True, slots=True)
class Found:
    """What a store found, best first.

    `compared`: passages whose vectors or words were compared exactly. `elsewhere`: whether the tenant has passages in other
    spaces, which were not looked at. `degraded`: embedding models out of reach, whose passages were looked for by words alone.
    """

    hits: tuple[Hit, ...]
    compared: int
    elsewhere: bool = False
    degraded: tuple[str, ...] = ()

    @classmethod
    def from_rows(cls, rows: list[dict[str, Any]]) -> Self:
        """From the rows of `search_chunks`: each says the same of the whole search, and one is there always."""
        hits = tuple(Hit.from_row(row) for row in rows if row["chunk_id"] is not None)
        return cls(hits, rows[0]["compared"] or 0, rows[0]["elsewhere"])


@dataclass(frozen=True, slots=True)
class SearchResult:
    """The hits, best first, how they were looked for, and how many passages were compared exactly.

    Where a tenant's own index serves, those it gave are counted, not those it passed on its way. `degraded` is as of `Found`.
    """

    hits: tuple[Hit, ...]
    mode: SearchMode
    candidates_scanned: int
    degraded: tuple[str, ...] = ()
