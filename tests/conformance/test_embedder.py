"""The embedding models that come with Atrium, their providers faked on the wire."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from atrium.providers import registry
from atrium.providers.base import Embedder
from atrium.providers.credentials import Credentials
from atrium.providers.piece_counter import in_pieces
from tests.conformance.suites.embedder import EmbedderSuite
from tests.fakes.openai_server import OpenAIServer

MODELS = ["local/all-minilm-l6-v2", "openai/text-embedding-3-small", "openai/text-embedding-3-large", "ollama/nomic-embed-text"]


class TestEmbedders(EmbedderSuite):
    @pytest.fixture(params=MODELS)
    async def embedder(self, request: pytest.FixtureRequest, model_dir: Path) -> AsyncIterator[Embedder]:
        async with AsyncExitStack() as stack:
            server = await stack.enter_async_context(OpenAIServer(own=request.param.startswith("ollama/")))

            async def credentials(provider: str, *, refresh: bool = False) -> Credentials:
                return Credentials("sk-test", server.base_url)

            made = registry.embedder(request.param, credentials=credentials, model_dir=model_dir)
            if close := getattr(made, "close", None):
                stack.push_async_callback(close)
            yield made

    async def test_the_window_is_the_spaces(self, embedder: Embedder) -> None:
        sizes = {(space.dimensions, window) for space in registry.embedding_spaces() for window in _windows(space.max_tokens)}
        assert (embedder.dimensions, embedder.max_tokens) in sizes


def _windows(tokens: int) -> tuple[int, int]:
    """What a space reads, and what is let into it where tokens can only be estimated."""
    return tokens, in_pieces(tokens)
