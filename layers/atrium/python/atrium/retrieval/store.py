"""The interface a deployer replaces to keep vectors elsewhere, and the store that is in the box."""

from collections.abc import Sequence
from typing import Protocol
from uuid import UUID

from atrium.db import Transaction
from atrium.providers.base import Vectors
from atrium.retrieval.models import EmbeddingSpace, Found, IndexedChunk, Scope
from atrium.retrieval.repository import PostgresVectorStore, get_space, known_languages

__all__ = [
    "EmbeddingSpace",
    "Found",
    "IndexedChunk",
    "PostgresVectorStore",
    "Scope",
    "VectorStore",
    "get_space",
    "known_languages",
]


class VectorStore(Protocol):
    """Keeps published chunks. Every verb runs inside the caller's transaction and sees only its tenant."""

    async def upsert(self, tx: Transaction, space: EmbeddingSpace, chunks: Sequence[IndexedChunk], vectors: Vectors) -> int:
        """Write chunk i with vector i, replacing chunks of the same ids; returns how many were written."""
        ...

    async def delete(self, tx: Transaction, document_id: UUID, *, keep_version: int | None = None) -> int:
        """Remove a document's chunks in every space, but for those of `keep_version`; returns how many."""
        ...

    async def move(self, tx: Transaction, document_id: UUID, collection: str) -> int:
        """The document's chunks are in that collection from now on, in the same space; returns how many."""
        ...

    async def list_chunks(
        self, tx: Transaction, document_id: UUID, version: int, after: tuple[int] | None = None, limit: int = 100
    ) -> list[IndexedChunk]:
        """A version's chunks in the order of the text, after the ordinal `after`."""
        ...

    async def spaces_of_tenant(self, tx: Transaction) -> list[EmbeddingSpace]:
        """The spaces in which the tenant has chunks."""
        ...

    async def similarity_search(
        self, tx: Transaction, space: EmbeddingSpace, vector: Vectors, *, scope: Scope, limit: int
    ) -> Found:
        """The chunks nearest to one vector by cosine."""
        ...

    async def keyword_search(self, tx: Transaction, space: EmbeddingSpace, words: str, *, scope: Scope, limit: int) -> Found:
        """The chunks that share the question's rarer words."""
        ...

    async def hybrid_search(
        self, tx: Transaction, space: EmbeddingSpace, vector: Vectors, words: str, *, language: str, scope: Scope, limit: int
    ) -> Found:
        """Both, fused. `language`: the question's, ISO 639-1, '' where it is not known."""
        ...
