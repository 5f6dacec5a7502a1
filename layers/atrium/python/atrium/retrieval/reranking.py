"""A second, slower look at what a search found."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from typing import Final, Protocol

from atrium.kernel.errors import FieldError, InvalidFields, ProviderError
from atrium.retrieval.models import Hit


class Reranker(Protocol):
    """Judges passages against a question. Errors: `ProviderUnavailable` (retryable), `ProviderError` (not)."""

    async def score(self, question: str, passages: Sequence[str]) -> Sequence[float]:
        """How well each passage answers, in the passages' order; more is better, and only within one call."""
        ...


RerankerOf = Callable[[str], Awaitable[Reranker]]

# As many are judged as a search may return at most.
CANDIDATES: Final = 50


def chosen(rerank: bool | str, configured: str) -> str | None:
    """The reranker a search asks for, None for none. InvalidFields when the deployment has none, or not that one."""
    if rerank is False:
        return None
    if not configured:
        raise InvalidFields((FieldError("/rerank", "no reranker is configured: leave it out, or set RERANKER"),))
    if rerank is not True and rerank != configured:
        raise InvalidFields((FieldError("/rerank", f"must be true, false or {configured}"),))
    return configured


async def reranked(reranker: Reranker, question: str, hits: Sequence[Hit], top: int) -> tuple[Hit, ...]:
    """The `top` hits by the reranker's scores, which become theirs; equals keep their order."""
    if not hits:
        return ()
    scores = await reranker.score(question, [f"{hit.heading}\n{hit.text}".strip() for hit in hits])
    if len(scores) != len(hits):
        raise ProviderError(f"The reranker judged {len(scores)} of {len(hits)} passages.")
    judged = [replace(hit, score=float(score)) for hit, score in zip(hits, scores, strict=True)]
    return tuple(sorted(judged, key=lambda hit: -hit.score)[:top])
