"""From a model's name, `provider/name`, to the adapter that speaks to it.

An adapter keeps its connections and its model: make it once per process and event loop and hold on to it.
"""

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Final

from atrium.kernel.errors import InvalidInput
from atrium.providers.base import ChatModel, Embedder
from atrium.providers.catalogue import (
    ChatSpec,
    EmbeddingSpace,
    Provider,
    chat_spec,
    chat_specs,
    embedding_space,
    embedding_spaces,
    embedding_spec,
    own_name,
    providers,
    resolve,
)
from atrium.providers.credentials import Credentials, CredentialsSource

if TYPE_CHECKING:
    from atrium.providers.reranking import LocalReranker

RERANKER: Final = "local/relevance"

__all__ = [
    "RERANKER",
    "ChatSpec",
    "Credentials",
    "CredentialsSource",
    "EmbeddingSpace",
    "chat_model",
    "chat_spec",
    "chat_specs",
    "embedder",
    "embedding_space",
    "embedding_spaces",
    "own_name",
    "reranker",
    "resolve",
]


def chat_model(model: str, *, credentials: CredentialsSource, model_dir: Path | None = None) -> ChatModel:
    """The adapter for a chat model. `UnknownModel` names the nearest.

    `model_dir` holds the local embedding model; with it, `local/extractive` also compares meanings, not only words.
    """
    spec = chat_spec(model)
    if spec.model == "local/extractive":
        from atrium.providers.extractive import ExtractiveChat

        return ExtractiveChat(_local(model_dir, "local/all-minilm-l6-v2") if model_dir else None)
    provider = _provider(spec.model)
    if provider.wire == "anthropic":
        from atrium.providers.anthropic import AnthropicChat

        return AnthropicChat(credentials, provider)
    from atrium.providers.openai import OpenAIChat

    return OpenAIChat(credentials, provider)


def embedder(model: str, *, credentials: CredentialsSource, model_dir: Path) -> Embedder:
    """The adapter for an embedding model; the local one is shared by the whole process. `UnknownModel` names the nearest."""
    spec = embedding_spec(model)
    if spec.model.startswith("local/"):
        return _local(model_dir, spec.model)
    from atrium.providers.openai_embeddings import OpenAIEmbedder

    return OpenAIEmbedder(credentials, _provider(spec.model), spec)


def reranker(model: str, *, model_dir: Path) -> "LocalReranker":
    """The adapter for a reranking model. `InvalidInput` names what exists."""
    if model != RERANKER:
        raise InvalidInput(f"Unknown reranker {model[:100]!r}. Known: {RERANKER}")
    from atrium.providers.reranking import LocalReranker

    return LocalReranker(_local(model_dir, "local/all-minilm-l6-v2"))


def _provider(model: str) -> Provider:
    return providers()[model.partition("/")[0]]


@cache
def _local(model_dir: Path, model: str) -> Embedder:
    from atrium.providers.local_embedder import LocalEmbedder

    space = embedding_space(model)
    return LocalEmbedder(model_dir, space.dimensions, space.max_tokens)
