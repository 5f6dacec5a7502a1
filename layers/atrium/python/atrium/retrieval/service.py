"""Searching a tenant's documents."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from typing import Final

from atrium.db import Database, Transaction
from atrium.kernel.errors import BudgetExceeded, FieldError, InvalidFields, NotFound, ProviderError, ProviderNotConfigured
from atrium.kernel.principal import Principal
from atrium.kernel.settings import Settings
from atrium.providers.base import Embedder, Vectors
from atrium.retrieval.models import EmbeddingSpace, Found, Hit, SearchMode, SearchRequest, SearchResult
from atrium.retrieval.reranking import CANDIDATES, RerankerOf, chosen, reranked
from atrium.retrieval.store import PostgresVectorStore, VectorStore, get_space, known_languages

_log: Final = logging.getLogger(__name__)
EmbedderOf = Callable[[Principal, str], Awaitable[Embedder]]

MAX_TOP_K: Final = 50
_RANK_OFFSET: Final = 60  # of reciprocal rank fusion


class RetrievalService:
    """Finds passages. `embedder` (for whom) and `reranker` give the model of a name; the deployment's own are in the settings."""

    def __init__(
        self,
        database: Database,
        embedder: EmbedderOf,
        settings: Settings,
        store: VectorStore | None = None,
        reranker: RerankerOf | None = None,
    ) -> None:
        self._database = database
        self._embedder = embedder
        self._model = settings.embedding_model
        self._store = store or PostgresVectorStore()
        self._reranker = reranker
        self._configured = settings.reranker if reranker else ""
        self._space: EmbeddingSpace | None = None

    async def search(self, principal: Principal, request: SearchRequest) -> SearchResult:
        """The best passages for a question, also where collections have embedding models of their own.

        Errors: InvalidFields for an empty question, `top_k` outside 1 to 50 or a reranker that is not there; ProviderError
        when the question cannot be embedded (never in keyword mode) or reranked.
        """
        _check(request)
        judge = chosen(request.rerank, self._configured)
        asked = request if judge is None else replace(request, top_k=CANDIDATES)
        found = await self._find(principal, asked)
        hits = found.hits
        if judge is not None and self._reranker is not None:
            hits = await reranked(await self._reranker(judge), request.query, hits, request.top_k)
        return SearchResult(hits, request.mode, found.compared, found.degraded)

    async def _find(self, principal: Principal, request: SearchRequest) -> Found:
        # Before the transaction: no provider is called inside one.
        vector, language = await self._understand(principal, self._model, request)
        async with self._database.transaction(principal) as tx:
            if self._space is None:
                self._space = await get_space(tx, self._model)
            found = await self._ask(tx, self._space, request, vector, language)
            spaces = await self._store.spaces_of_tenant(tx) if found.elsewhere else []
        others = [await self._find_in(principal, space, request) for space in spaces if space.model != self._model]
        return _fused([found, *others], request.top_k) if others else found

    async def _find_in(self, principal: Principal, space: EmbeddingSpace, request: SearchRequest) -> Found:
        """In a space of other collections. Where its model is out of reach, words still find."""
        try:
            vector, language = await self._understand(principal, space.model, request)
        except (ProviderError, ProviderNotConfigured, BudgetExceeded, NotFound) as error:
            if request.mode is SearchMode.VECTOR:
                raise
            _log.warning("%s is out of reach, its collections are searched by words: %s", space.model, error)
            async with self._database.transaction(principal) as tx:
                return replace(await self._ask(tx, space, request, None, ""), degraded=(space.model,))
        async with self._database.transaction(principal) as tx:
            return await self._ask(tx, space, request, vector, language)

    async def _understand(self, principal: Principal, model: str, request: SearchRequest) -> tuple[Vectors | None, str]:
        """The question's vector, none in keyword mode, and its language where both halves count and the model knows few."""
        if request.mode is SearchMode.KEYWORD:
            return None, ""
        embedder = await self._embedder(principal, model)
        vector = await embedder.embed([request.query], "query")
        if request.mode is SearchMode.VECTOR or known_languages(model) is None:
            return vector, ""
        from atrium.retrieval.language import detect

        return vector, await asyncio.to_thread(detect, request.query)

    async def _ask(
        self, tx: Transaction, space: EmbeddingSpace, request: SearchRequest, vector: Vectors | None, language: str
    ) -> Found:
        where, limit = request.scope, request.top_k
        if vector is None:
            return await self._store.keyword_search(tx, space, request.query, scope=where, limit=limit)
        if request.mode is SearchMode.VECTOR:
            return await self._store.similarity_search(tx, space, vector, scope=where, limit=limit)
        return await self._store.hybrid_search(tx, space, vector, request.query, language=language, scope=where, limit=limit)


def _fused(parts: Sequence[Found], top: int) -> Found:
    """By rank alone: scores of two models mean different things."""
    best: dict[object, Hit] = {}
    for part in parts:
        for rank, hit in enumerate(part.hits, 1):
            best.setdefault(hit.chunk_id, replace(hit, score=1 / (_RANK_OFFSET + rank)))
    hits = sorted(best.values(), key=lambda hit: -hit.score)[:top]
    degraded = tuple(model for part in parts for model in part.degraded)
    return Found(tuple(hits), sum(part.compared for part in parts), degraded=degraded)


def _check(request: SearchRequest) -> None:
    if not request.query.strip():
        raise InvalidFields((FieldError("/query", "must not be empty"),))
    if not 1 <= request.top_k <= MAX_TOP_K:
        raise InvalidFields((FieldError("/top_k", f"must be from 1 to {MAX_TOP_K}"),))
