"""Chunks in Postgres: written by binary arrays, searched by the definer functions of migration 0007."""

from collections.abc import Iterator, Sequence
from itertools import batched, islice
from typing import Any, Final
from uuid import UUID

from atrium.db import Row, Transaction, load_queries
from atrium.db.binary import Binary
from atrium.db.connections import StatementTimeout, translated
from atrium.kernel.errors import FieldError, InvalidFields, InvalidInput, NotFound
from atrium.providers.base import Vectors
from atrium.retrieval.halfvec import binary_array, encode_all
from atrium.retrieval.models import EmbeddingSpace, Found, IndexedChunk, Scope

_queries = load_queries(__package__)
_BATCH: Final = 250  # chunks in one statement: measured flat from 100 to 1,000
_FILTER_MILLISECONDS: Final = 2000
# The languages that a model understands; one that is not here takes all.
_KNOWN: Final = {"local/all-minilm-l6-v2": ("en",)}


def known_languages(model: str) -> tuple[str, ...] | None:
    """ISO 639-1 codes of the languages an embedding model understands; None: all that are asked of it."""
    return _KNOWN.get(model)


async def get_space(tx: Transaction, model: str) -> EmbeddingSpace:
    """The space of an embedding model, such as `local/all-minilm-l6-v2`. NotFound when `migrate` never declared it."""
    row = await tx.fetch_one(_queries.get_space, model=model)
    if row is None:
        raise NotFound(f"No embedding space is declared for the model {model}.")
    return EmbeddingSpace(**row)


class PostgresVectorStore:
    """The `VectorStore` that is in the box."""

    async def upsert(self, tx: Transaction, space: EmbeddingSpace, chunks: Sequence[IndexedChunk], vectors: Vectors) -> int:
        """Write chunk i with vector i, replacing chunks of the same ids; returns how many were written.

        InvalidInput when counts differ or the vectors are not of the space's length.
        """
        if vectors.count != len(chunks) or vectors.dimensions != space.dimensions:
            given = f"{vectors.count} vectors of length {vectors.dimensions}"
            raise InvalidInput(f"{given} for {len(chunks)} chunks of {space.model}.")
        if not chunks:
            return 0
        (halfvec,) = await tx.fetch_all(_queries.halfvec_type)
        keys = {"space_id": space.id, "tenant_id": tx.principal.tenant_id}
        batches = (keys | columns for columns in _batches(chunks, vectors, halfvec["oid"]))
        cursor = tx.connection.cursor()
        with translated():  # pipelined: one batch is packed while Postgres inserts the last
            async with tx.connection.pipeline():
                await cursor.executemany(_queries.delete_chunks_by_id, (keys | ids for ids in _ids(chunks)))
                await cursor.execute(_queries.postpone_index)
                await cursor.executemany(_queries.insert_chunks, islice(batches, (len(chunks) - 1) // _BATCH))
                await cursor.execute(_queries.index_now)
                await cursor.executemany(_queries.insert_chunks, batches)
        return len(chunks)

    async def delete(self, tx: Transaction, document_id: UUID, *, keep_version: int | None = None) -> int:
        """Remove a document's chunks in every space, but for those of `keep_version`; returns how many."""
        return await tx.execute(
            _queries.delete_document_chunks, tenant_id=tx.principal.tenant_id, document_id=document_id, keep_version=keep_version
        )

    async def move(self, tx: Transaction, document_id: UUID, collection: str) -> int:
        """The document's chunks are in that collection from now on; returns how many."""
        return await tx.execute(
            _queries.move_document_chunks, tenant_id=tx.principal.tenant_id, document_id=document_id, collection=collection
        )

    async def list_chunks(
        self, tx: Transaction, document_id: UUID, version: int, after: tuple[int] | None = None, limit: int = 100
    ) -> list[IndexedChunk]:
        """A version's chunks in the order of the text, after the ordinal `after`."""
        rows = await tx.fetch_all(
            _queries.list_chunks, tenant_id=tx.principal.tenant_id, document_id=document_id, version=version,
            after=-1 if after is None else after[0], limit=limit,
        )  # fmt: skip
        return [IndexedChunk.from_row(row) for row in rows]

    async def spaces_of_tenant(self, tx: Transaction) -> list[EmbeddingSpace]:
        """The spaces in which the tenant has chunks."""
        rows = await tx.fetch_all(_queries.spaces_of_tenant, tenant_id=tx.principal.tenant_id)
        return [EmbeddingSpace(**row) for row in rows]

    async def similarity_search(
        self, tx: Transaction, space: EmbeddingSpace, vector: Vectors, *, scope: Scope, limit: int
    ) -> Found:
        """The chunks nearest to one vector by cosine, exactly ordered."""
        return await _search(tx, space, vector, None, "", scope, limit)

    async def keyword_search(self, tx: Transaction, space: EmbeddingSpace, words: str, *, scope: Scope, limit: int) -> Found:
        """The chunks that share the question's rarer words, ranked by BM25."""
        return await _search(tx, space, None, words, "", scope, limit)

    async def hybrid_search(
        self, tx: Transaction, space: EmbeddingSpace, vector: Vectors, words: str, *, language: str, scope: Scope, limit: int
    ) -> Found:
        """Both, fused by their scores; words count more where the model does not know the question's or the chunk's language."""
        return await _search(tx, space, vector, words, language, scope, limit)


async def _search(
    tx: Transaction, space: EmbeddingSpace, vector: Vectors | None, words: str | None, language: str, scope: Scope, limit: int
) -> Found:
    if scope.filter is None:
        return Found.from_rows(await _rows(tx, space, vector, words, language, scope, limit))
    # What a filter costs is its author's doing, with every document of the tenant: not the 25 s that any statement may take.
    await tx.execute(_queries.bound_filters, milliseconds=str(_FILTER_MILLISECONDS))
    try:
        return Found.from_rows(await _rows(tx, space, vector, words, language, scope, limit))
    except StatementTimeout as error:
        detail = f"takes more than {_FILTER_MILLISECONDS // 1000} s with these documents: compare fewer values, or shorter lists"
        raise InvalidFields((FieldError("/filters", detail),)) from error


async def _rows(
    tx: Transaction, space: EmbeddingSpace, vector: Vectors | None, words: str | None, language: str, scope: Scope, limit: int
) -> list[Row]:
    return await tx.invoke(
        _queries.search_chunks,
        space_id=space.id,
        vector=None if vector is None else _question(space, vector),
        words=words,
        asked_in=language,
        known=_listed(known_languages(space.model)),
        collections=_listed(scope.collections),
        document_ids=_listed(scope.document_ids),
        filter=scope.filter,
        limit=limit,
    )


def _question(space: EmbeddingSpace, vector: Vectors) -> Binary:
    if (vector.count, vector.dimensions) != (1, space.dimensions):
        raise InvalidInput(f"{vector.count} vectors of length {vector.dimensions} are no question to {space.model}.")
    (encoded,) = encode_all(vector)
    return Binary(encoded)


def _listed[Item](items: tuple[Item, ...] | None) -> list[Item] | None:
    return None if items is None else list(items)


def _ids(chunks: Sequence[IndexedChunk]) -> Iterator[dict[str, Any]]:
    for batch in batched(chunks, _BATCH, strict=False):
        yield {"ids": [chunk.id for chunk in batch]}


def _batches(chunks: Sequence[IndexedChunk], vectors: Vectors, halfvec_oid: int) -> Iterator[dict[str, Any]]:
    rows = zip(chunks, encode_all(vectors), strict=True)
    for batch in batched(rows, _BATCH, strict=False):
        yield _columns([chunk for chunk, _ in batch]) | {"vectors": binary_array(halfvec_oid, [vector for _, vector in batch])}


def _columns(chunks: list[IndexedChunk]) -> dict[str, Any]:
    return {
        "ids": [chunk.id for chunk in chunks],
        "document_ids": [chunk.document_id for chunk in chunks],
        "versions": [chunk.version for chunk in chunks],
        "ordinals": [chunk.ordinal for chunk in chunks],
        "collections": [chunk.collection for chunk in chunks],
        "pages_from": [chunk.page_from for chunk in chunks],
        "pages_to": [chunk.page_to for chunk in chunks],
        "page_starts": [f"{{{','.join(map(str, chunk.page_starts))}}}" for chunk in chunks],
        "starts": [chunk.char_start for chunk in chunks],
        "ends": [chunk.char_end for chunk in chunks],
        "headings": [chunk.heading for chunk in chunks],
        "languages": [chunk.language for chunk in chunks],
        "texts": [chunk.text for chunk in chunks],
    }
