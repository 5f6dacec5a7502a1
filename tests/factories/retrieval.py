"""Published documents without a pipeline: rows, chunks and vectors as the publish step leaves them."""

import json
import math
import random
import struct
from collections.abc import Sequence
from typing import Any, Literal
from uuid import UUID

from atrium.db import Database
from atrium.kernel.ids import chunk_id, new_id
from atrium.kernel.principal import Principal
from atrium.providers.base import TokenCounter, Vectors
from atrium.retrieval.store import IndexedChunk, PostgresVectorStore, VectorStore, get_space

MODEL = "test/four"
_DOCUMENT = """
INSERT INTO atrium.documents (tenant_id, id, collection, name, metadata, created_by, ready_version)
VALUES (%(tenant)s, %(id)s, %(collection)s, %(name)s, %(metadata)s::jsonb, 'user:test', 1)
"""


def pack(rows: Sequence[Sequence[float]]) -> Vectors:
    """Rows of floats, L2-normalised, as a provider returns them."""
    flat = [value / (math.hypot(*row) or 1.0) for row in rows for value in row]
    return Vectors(len(rows), len(rows[0]), struct.pack(f"<{len(flat)}f", *flat))


def random_vectors(count: int, dimensions: int, seed: int = 0) -> Vectors:
    """Clustered, as embeddings are."""
    source = random.Random(seed)
    centres = [[source.gauss(0, 1) for _ in range(dimensions)] for _ in range(max(4, count // 50))]
    return pack([[value + source.gauss(0, 0.7) for value in source.choice(centres)] for _ in range(count)])


class FixedEmbedder:
    """Gives each text the vector it was told, or the first axis."""

    def __init__(self, vectors: dict[str, Sequence[float]] | None = None, dimensions: int = 4) -> None:
        self.vectors = vectors or {}
        self.dimensions = dimensions
        self.max_tokens = 64
        self.calls: list[Sequence[str]] = []

    @property
    def tokenizer(self) -> TokenCounter:
        raise NotImplementedError("questions are not counted")

    async def embed(self, texts: Sequence[str], kind: Literal["document", "query"]) -> Vectors:
        self.calls.append(texts)
        axis = [1.0] + [0.0] * (self.dimensions - 1)
        return pack([self.vectors.get(text, axis) for text in texts])

    async def of(self, principal: Principal, model: str) -> "FixedEmbedder":
        """As a runtime gives an embedder."""
        return self


def chunks_of(document_id: UUID, texts: Sequence[str], *, version: int = 1, **fields: Any) -> list[IndexedChunk]:
    """Chunks that follow each other in a stored text, a blank line between them."""
    chunks, start = [], 0
    for ordinal, text in enumerate(texts):
        defaults = {"collection": "default", "page_from": None, "page_to": None, "heading": "", "language": "en"}
        chunks.append(
            IndexedChunk(
                id=chunk_id(document_id, version, ordinal), document_id=document_id, version=version, ordinal=ordinal,
                char_start=start, char_end=start + len(text), text=text, **(defaults | fields),
            )
        )  # fmt: skip
        start += len(text) + 2
    return chunks


async def publish(
    database: Database,
    principal: Principal,
    texts: Sequence[str],
    *,
    name: str = "",
    vectors: Vectors | None = None,
    collection: str = "default",
    metadata: dict[str, Any] | None = None,
    model: str = MODEL,
    store: VectorStore | None = None,
    **fields: Any,
) -> UUID:
    """A ready document with one chunk per text; returns its id. Random vectors unless given."""
    document_id = new_id()
    async with database.transaction(principal) as tx:
        await tx.execute(
            _DOCUMENT, tenant=principal.tenant_id, id=document_id, collection=collection,
            name=name or f"{document_id}.txt", metadata=json.dumps(metadata or {}),
        )  # fmt: skip
        space = await get_space(tx, model)
        chunks = chunks_of(document_id, texts, collection=collection, **fields)
        given = vectors or random_vectors(len(texts), space.dimensions)
        await (store or PostgresVectorStore()).upsert(tx, space, chunks, given)
    return document_id
