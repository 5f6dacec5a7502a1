"""Searching a tenant's documents."""

from collections.abc import Awaitable, Callable
from typing import Final

from atrium.db import Database, Transaction
from atrium.kernel.errors import FieldError, InvalidFields
from atrium.kernel.principal import Principal
from atrium.kernel.settings import Settings
from atrium.providers.base import Embedder, Vectors
from atrium.retrieval.models import EmbeddingSpace, Found, SearchMode, SearchRequest, SearchResult
from atrium.retrieval.store import PostgresVectorStore, VectorStore, get_space

EmbedderOf = Callable[[str], Awaitable[Embedder]]

MAX_TOP_K: Final = 50


class RetrievalService:
    """Finds passages. `embedder` gives the embedder of a model's name; the model is the deployment's."""

    def __init__(self, database: Database, embedder: EmbedderOf, settings: Settings, store: VectorStore | None = None) -> None:
        self._database = database
        self._embedder = embedder
        self._model = settings.embedding_model
        self._store = store or PostgresVectorStore()
        self._space: EmbeddingSpace | None = None

    async def search(self, principal: Principal, request: SearchRequest) -> SearchResult:
        """The best passages for a question.

        Errors: InvalidFields for an empty question or `top_k` outside 1 to 50; ProviderError when the question cannot be
        embedded (never in keyword mode).
        """
        _check(request)
        vector = None if request.mode is SearchMode.KEYWORD else await self._embed(request.query)
        async with self._database.transaction(principal) as tx:
            found = await self._find(tx, request, vector)
        return SearchResult(found.hits, request.mode, found.compared)

    async def _embed(self, question: str) -> Vectors:
        # Before the transaction: no provider is called inside one.
        embedder = await self._embedder(self._model)
        return await embedder.embed([question], "query")

    async def _find(self, tx: Transaction, request: SearchRequest, vector: Vectors | None) -> Found:
        if self._space is None:
            self._space = await get_space(tx, self._model)
        where, limit = request.scope, request.top_k
        if vector is None:
            return await self._store.keyword_search(tx, self._space, request.query, scope=where, limit=limit)
        if request.mode is SearchMode.VECTOR:
            return await self._store.similarity_search(tx, self._space, vector, scope=where, limit=limit)
        return await self._store.hybrid_search(tx, self._space, vector, request.query, scope=where, limit=limit)


def _check(request: SearchRequest) -> None:
    if not request.query.strip():
        raise InvalidFields((FieldError("/query", "must not be empty"),))
    if not 1 <= request.top_k <= MAX_TOP_K:
        raise InvalidFields((FieldError("/top_k", f"must be from 1 to {MAX_TOP_K}"),))
