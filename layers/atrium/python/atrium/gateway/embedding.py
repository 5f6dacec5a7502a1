"""Vectors of texts: routed, metered, and checked."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any, Final, Literal

from atrium.gateway.adapters import Adapters
from atrium.gateway.bounds import count_text, uncautious
from atrium.gateway.metering import GRACE, Ledger, Meter, reserve, spend_of
from atrium.gateway.models import Embedded, Purpose
from atrium.gateway.preparing import ModelSet
from atrium.gateway.routing import Candidate, Router
from atrium.kernel.errors import ContextTooLong, ProviderError
from atrium.kernel.principal import Principal
from atrium.ledger.models import Kind, Outcome, Settlement
from atrium.providers.base import Embedder, Parted, Usage, Vectors
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
        candidate = await self._candidate(spec)
        if spec.model.startswith(LOCAL):
            return await self._free(candidate, texts, kind)
        spend = spend_of(Kind.EMBEDDING, spec.model, self._purpose, spec.price.bound(_count(texts), 0), seconds=TIMEOUT + GRACE)
        meter = Meter(self._ledger, self._principal, await reserve(self._ledger, self._principal, spend), spend)
        parts = _Parts(spec, texts)
        try:
            routed = await self._router.first(
                [candidate],
                lambda each: self._paid(meter, each, parts, kind),
                deadline=self._router.now + TIMEOUT,
                tenant=meter.tenant,
            )
        except BaseException as error:
            tried = error.attempts if isinstance(error, ProviderError) else ()
            outcome = Outcome.CANCELLED if isinstance(error, asyncio.CancelledError) else Outcome.FAILED
            await parts.settle(meter, outcome, tuple(tried))
            raise
        attempts = tuple(each.to_json() for each in routed.attempts)
        await parts.settle(meter, Outcome.OK, attempts)
        return Embedded(spend.id, spec.model, routed.value, parts.usage.input_tokens, parts.cost + meter.lost, attempts)

    async def check(self, model: str, texts: Sequence[str]) -> None:
        """ContextTooLong for a text that is longer than what the model reads: some cut it and say nothing.

        For who asks for vectors. A long question is better searched by its beginning, and ingestion cuts its chunks to size.
        """
        spec = self._models.embedding(model)
        if spec.model.startswith(LOCAL):
            await count_exactly(await self.adapter(model), texts)
            return
        # Above the truth by a fifth on English still: refused is what is over for certain, else its provider decides.
        most = spec.space.max_tokens
        # No text has more tokens than characters by this count: most need not be counted.
        longest = max((uncautious(uncautious(count_text(text))) for text in texts if len(text) > most), default=0)
        if longest > most:
            raise ContextTooLong(longest, most)

    async def adapter(self, model: str) -> Embedder:
        """What speaks to the model, for its tokenizer and its sizes."""
        return await self._speaker(await self._candidate(self._models.embedding(model)))

    async def _free(self, candidate: Candidate[EmbeddingSpec], texts: Sequence[str], kind: TextKind) -> Embedded:
        spec = candidate.spec
        vectors = await _ask(await self._speaker(candidate), spec, texts, kind)
        spend, (usage, counted) = spend_of(Kind.EMBEDDING, spec.model, self._purpose, 0), _usage(vectors, texts)
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

    async def _paid(self, meter: Meter, candidate: Candidate[EmbeddingSpec], parts: "_Parts", kind: TextKind) -> Vectors:
        """An attempt at what no earlier one has: a part without an answer is paid for where it went out, at what it costs."""
        embedder = await self._speaker(candidate)
        size = embedder.texts_per_call if isinstance(embedder, Parted) else parts.left
        while parts.left:
            with meter.answerless(lambda: parts.price(size)):
                vectors = await _ask(embedder, candidate.spec, parts.next(size), kind)
            parts.take(vectors)
        return parts.joined()


class _Parts:
    """Texts of one call of ours, of which a provider takes some at a time. What it answered is paid for, and asked for once."""

    def __init__(self, spec: EmbeddingSpec, texts: Sequence[str]) -> None:
        self._spec = spec
        self._texts = texts
        self._answered: list[Vectors] = []
        self.usage = Usage()
        self.counted = True

    @property
    def left(self) -> int:
        """How many texts have no vector yet."""
        return len(self._texts) - sum(part.count for part in self._answered)

    @property
    def cost(self) -> int:
        """What was answered so far costs, in nano-dollars."""
        return self._spec.price.cost(self.usage)

    def next(self, size: int) -> Sequence[str]:
        """The next texts to ask for."""
        at = len(self._texts) - self.left
        return self._texts[at : at + size]

    def price(self, size: int) -> int:
        """What the next texts cost where nobody tells, in nano-dollars."""
        return self._spec.price.cost(Usage(uncautious(_count(self.next(size)))))

    def take(self, vectors: Vectors) -> None:
        """Those of the next texts. Nothing longer is read than the model can, whatever its provider says."""
        used, counted = _usage(vectors, self.next(vectors.count))
        most = vectors.count * self._spec.space.max_tokens
        self.usage = Usage(self.usage.input_tokens + min(used.input_tokens, most))
        self.counted = self.counted and counted
        self._answered.append(vectors)

    def joined(self) -> Vectors:
        """All of them."""
        told = self.usage.input_tokens if self.counted else None
        data = b"".join(part.data for part in self._answered)
        return Vectors(len(self._texts), self._spec.space.dimensions, data, told)

    async def settle(self, meter: Meter, outcome: Outcome, attempts: tuple[Mapping[str, Any], ...]) -> None:
        """What was answered, also where the whole came to nothing."""
        await meter.settle(outcome, self._spec.model, cost=self.cost, usage=self.usage, counted=self.counted, attempts=attempts)


async def _ask(embedder: Embedder, spec: EmbeddingSpec, texts: Sequence[str], kind: TextKind) -> Vectors:
    vectors = await embedder.embed(texts, kind)
    _check(vectors, len(texts), spec)
    return vectors


async def count_exactly(embedder: Embedder, texts: Sequence[str]) -> int:
    """Tokens of all texts, by the model's own tokenizer. ContextTooLong: one is longer than what the model reads."""
    tokenizer = embedder.tokenizer
    # Long texts take a while: others are answered meanwhile.
    counts = await asyncio.to_thread(lambda: [len(tokenizer.offsets(text)) + tokenizer.special_tokens for text in texts])
    if max(counts, default=0) > embedder.max_tokens:
        raise ContextTooLong(max(counts), embedder.max_tokens)
    return sum(counts)


def _count(texts: Sequence[str]) -> int:
    return sum(map(count_text, texts))


def _usage(vectors: Vectors, texts: Sequence[str]) -> tuple[Usage, bool]:
    """As the provider counts it, or by our cautious count; and whether it was the provider's."""
    told = vectors.tokens
    return (Usage(uncautious(_count(texts))), False) if told is None else (Usage(told), True)


def _check(vectors: Vectors, count: int, spec: EmbeddingSpec) -> None:
    """What is stored is searched for years: no vector of another length, and none with values that are no numbers."""
    import numpy as np

    if (vectors.count, vectors.dimensions) != (count, spec.space.dimensions):
        raise ProviderError(f"{spec.model} answered {vectors.count} vectors of length {vectors.dimensions}.", charged=True)
    if not np.isfinite(np.frombuffer(vectors.data, dtype="<f4")).all():
        raise ProviderError(f"{spec.model} answered a vector with values that are no numbers.", charged=True)
