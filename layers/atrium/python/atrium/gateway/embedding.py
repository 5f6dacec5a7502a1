"""Vectors of texts: routed, metered, and checked."""

import asyncio
from collections.abc import Sequence
from typing import Final, Literal

from atrium.gateway.adapters import Adapters
from atrium.gateway.bounds import count_text, uncautious
from atrium.gateway.metering import GRACE, Ledger, Meter, reserve, spend_of
from atrium.gateway.models import Embedded, Purpose
from atrium.gateway.preparing import ModelSet
from atrium.gateway.routing import Candidate, Router
from atrium.kernel.errors import ProviderError
from atrium.kernel.principal import Principal
from atrium.ledger.models import Kind, Outcome, Settlement
from atrium.providers.base import Embedder, Usage, Vectors
from atrium.providers.catalogue import EmbeddingSpec

TextKind = Literal["document", "query"]
TIMEOUT: Final = 120.0
LOCAL: Final = "local/"


class Embedding:
    """One feature's, for one principal. What comes of a model that is free is recorded after, else reserved before."""

    def __init__(
        self, ledger: Ledger, router: Router, adapters: Adapters, models: ModelSet, principal: Principal, purpose: Purpose
    ) -> None:
        self._ledger = ledger
        self._router = router
        self._adapters = adapters
        self._models = models
        self._principal = principal
        self._purpose = purpose

    async def embed(self, model: str, texts: Sequence[str], kind: TextKind) -> Embedded:
        """One vector a text. Errors: UnknownModel, BudgetExceeded, ProviderNotConfigured, ProviderError with `attempts`."""
        spec = self._models.embedding(model)
        tokens = sum(map(count_text, texts))
        candidate = await self._candidate(spec)
        if spec.model.startswith(LOCAL):
            return await self._free(candidate, texts, kind, tokens)
        bound, sent = spec.price.bound(tokens, 0), spec.price.cost(Usage(uncautious(tokens)))
        spend = spend_of(Kind.EMBEDDING, spec.model, self._purpose, bound, seconds=TIMEOUT + GRACE)
        meter = Meter(self._ledger, self._principal, await reserve(self._ledger, self._principal, spend), spend)
        try:
            routed = await self._router.first(
                [candidate],
                lambda each: self._paid(meter, each, texts, kind, sent),
                deadline=self._router.now + TIMEOUT,
                tenant=meter.tenant,
            )
        except BaseException as error:
            tried = error.attempts if isinstance(error, ProviderError) else ()
            outcome = Outcome.CANCELLED if isinstance(error, asyncio.CancelledError) else Outcome.FAILED
            await meter.settle(outcome, spec.model, attempts=tuple(tried))
            raise
        usage, counted = _usage(routed.value, tokens)
        # Nothing longer is read, whatever its provider says.
        usage = Usage(min(usage.input_tokens, len(texts) * spec.space.max_tokens))
        attempts = tuple(each.to_json() for each in routed.attempts)
        cost = spec.price.cost(usage)
        await meter.settle(Outcome.OK, spec.model, cost=cost, usage=usage, counted=counted, attempts=attempts)
        return Embedded(spend.id, spec.model, routed.value, usage.input_tokens, cost + meter.lost, attempts)

    async def adapter(self, model: str) -> Embedder:
        """What speaks to the model, for its tokenizer and its sizes."""
        return await self._speaker(await self._candidate(self._models.embedding(model)))

    async def _free(self, candidate: Candidate[EmbeddingSpec], texts: Sequence[str], kind: TextKind, tokens: int) -> Embedded:
        spec = candidate.spec
        vectors = await self._ask(candidate, texts, kind)
        spend, (usage, counted) = spend_of(Kind.EMBEDDING, spec.model, self._purpose, 0), _usage(vectors, tokens)
        settlement = Settlement(Outcome.OK, 0, spec.model, usage.input_tokens, counted=counted)
        await self._ledger.record(self._principal, spend, settlement)
        return Embedded(spend.id, spec.model, vectors, usage.input_tokens, 0)

    async def _candidate(self, spec: EmbeddingSpec) -> Candidate[EmbeddingSpec]:
        provider = spec.model.partition("/")[0]
        key = await self._models.credentials(self._principal, provider)
        return Candidate(spec, key, own_key=self._models.owns_key(provider))

    async def _speaker(self, candidate: Candidate[EmbeddingSpec]) -> Embedder:
        own = candidate.credentials if candidate.own_key else None
        return await self._adapters.embedding(candidate.spec.model, own)

    async def _paid(
        self, meter: Meter, candidate: Candidate[EmbeddingSpec], texts: Sequence[str], kind: TextKind, sent: int
    ) -> Vectors:
        """Vectors of an attempt that is paid for, also where none come back: `sent` is what the texts cost."""
        with meter.answerless(lambda: sent):
            return await self._ask(candidate, texts, kind)

    async def _ask(self, candidate: Candidate[EmbeddingSpec], texts: Sequence[str], kind: TextKind) -> Vectors:
        embedder = await self._speaker(candidate)
        vectors = await embedder.embed(texts, kind)
        _check(vectors, len(texts), candidate.spec)
        return vectors


def _usage(vectors: Vectors, tokens: int) -> tuple[Usage, bool]:
    """As the provider counts it, or by our cautious count; and whether it was the provider's."""
    told = vectors.tokens
    return (Usage(uncautious(tokens)), False) if told is None else (Usage(told), True)


def _check(vectors: Vectors, count: int, spec: EmbeddingSpec) -> None:
    """What is stored is searched for years: no vector of another length, and none with values that are no numbers."""
    import numpy as np

    if (vectors.count, vectors.dimensions) != (count, spec.space.dimensions):
        raise ProviderError(f"{spec.model} answered {vectors.count} vectors of length {vectors.dimensions}.", charged=True)
    if not np.isfinite(np.frombuffer(vectors.data, dtype="<f4")).all():
        raise ProviderError(f"{spec.model} answered a vector with values that are no numbers.", charged=True)
