"""`local/relevance`: judges passages by their best sentences, by words and by meaning, without a key."""

import asyncio
import struct
from collections.abc import Sequence
from itertools import accumulate, pairwise
from typing import Final

from atrium.providers.base import Embedder
from atrium.providers.relevance import Question, Relevance
from atrium.providers.sentences import sentences

# Of each passage as many sentences, the best by words, are compared by meaning: each costs a millisecond or two.
_COMPARED: Final = 2
_MEANING: Final = 2.0  # what likeness of meaning counts beside words; chosen on cranfield


class LocalReranker:
    """Scores of the best sentence of each passage."""

    def __init__(self, embedder: Embedder) -> None:
        self._embedder = embedder

    async def score(self, question: str, passages: Sequence[str]) -> Sequence[float]:
        """How well each passage answers, in their order; more is better. Errors: ProviderError."""
        judged = await asyncio.to_thread(_by_words, question, passages)
        texts = [text for best in judged for _, text in best]
        vectors = await self._embedder.embed([question, *texts], "query")
        asked, *rows = struct.iter_unpack(f"<{vectors.dimensions}f", vectors.data)
        scores = [
            words + _MEANING * sum(a * b for a, b in zip(asked, row, strict=True))
            for (words, _), row in zip((each for best in judged for each in best), rows, strict=True)
        ]
        ends = accumulate((len(best) for best in judged), initial=0)
        return [max(scores[start:end]) for start, end in pairwise(ends)]


def _by_words(question: str, passages: Sequence[str]) -> list[list[tuple[float, str]]]:
    """Each passage's best sentences with their scores; an empty passage is one empty sentence."""
    split = [list(sentences(passage)) or [" "] for passage in passages]
    relevance = Relevance(Question.of(question), split)
    return [
        sorted(((relevance.sentence(at, i, text), text) for i, text in enumerate(texts)), reverse=True)[:_COMPARED]
        for at, texts in enumerate(split)
    ]
