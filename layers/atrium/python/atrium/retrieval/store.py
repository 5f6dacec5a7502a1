"""The interface a deployer replaces to keep vectors elsewhere, and the store that is in the box."""

from collections.abc import Sequence
from typing import Protocol
from uuid import UUID

from atrium.db import Transaction
from atrium.providers.base import Vectors
from atrium.retrieval.models import EmbeddingSpace, IndexedChunk
from atrium.retrieval.repository import PostgresVectorStore, get_space

__all__ = ["EmbeddingSpace", "IndexedChunk", "PostgresVectorStore", "VectorStore", "get_space"]


class VectorStore(Protocol):
    """Keeps published chunks. Every verb runs inside the caller's transaction and sees only its tenant."""

    async def upsert(self, tx: Transaction, space: EmbeddingSpace, chunks: Sequence[IndexedChunk], vectors: Vectors) -> int:
        """Write chunk i with vector i, replacing chunks of the same ids; returns how many were written."""
        ...

    async def delete(self, tx: Transaction, document_id: UUID, *, keep_version: int | None = None) -> int:
        """Remove a document's chunks in every space, but for those of `keep_version`; returns how many."""
        ...

    async def list_chunks(
        self, tx: Transaction, document_id: UUID, version: int, after: tuple[int] | None = None, limit: int = 100
    ) -> list[IndexedChunk]:
        """A version's chunks in the order of the text, after the ordinal `after`."""
        ...
