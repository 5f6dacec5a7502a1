"""What every `Embedder` does, whoever is behind it."""

import asyncio
import math
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from atrium.providers import registry
from atrium.providers.base import Embedder
from atrium.providers.credentials import Credentials
from tests.fakes.openai_server import OpenAIServer
from tests.fakes.vectors import cosine, rows

TEXTS = [
    "The warranty period is 24 months from delivery.",
    "Orders are shipped from Hamburg.",
    "München liegt an der Isar.",
    "今天天气很好。",
    "a",
    "The pump must be primed before the first start. " * 100,
]


MODELS = ["local/all-minilm-l6-v2", "openai/text-embedding-3-small", "openai/text-embedding-3-large", "ollama/nomic-embed-text"]


@pytest.fixture(params=MODELS)
async def embedder(request: pytest.FixtureRequest, model_dir: Path) -> AsyncIterator[Embedder]:
    async with AsyncExitStack() as stack:
        server = await stack.enter_async_context(OpenAIServer(own=request.param.startswith("ollama/")))

        async def credentials(provider: str, *, refresh: bool = False) -> Credentials:
            return Credentials("sk-test", server.base_url)

        made = registry.embedder(request.param, credentials=credentials, model_dir=model_dir)
        if close := getattr(made, "close", None):
            stack.push_async_callback(close)
        yield made


async def test_one_vector_of_length_one_per_text(embedder: Embedder) -> None:
    vectors = await embedder.embed(TEXTS, "document")
    assert (vectors.count, vectors.dimensions) == (len(TEXTS), embedder.dimensions)
    assert len(vectors.data) == vectors.count * vectors.dimensions * 4
    assert all(math.isclose(math.hypot(*row), 1, abs_tol=1e-4) for row in rows(vectors))


async def test_order_is_kept_and_neighbours_do_not_matter(embedder: Embedder) -> None:
    forwards = rows(await embedder.embed(TEXTS, "document"))
    backwards = rows(await embedder.embed(TEXTS[::-1], "document"))[::-1]
    alone = [rows(await embedder.embed([text], "document"))[0] for text in TEXTS]
    for one, two, three in zip(forwards, backwards, alone, strict=True):
        assert min(cosine(one, two), cosine(one, three)) > 0.9999


async def test_a_question_is_nearest_to_its_answer(embedder: Embedder) -> None:
    (question,) = rows(await embedder.embed(["How long is the warranty period?"], "query"))
    answers = rows(await embedder.embed(TEXTS, "document"))
    assert max(range(len(TEXTS)), key=lambda at: cosine(question, answers[at])) == 0


async def test_nothing_in_nothing_out(embedder: Embedder) -> None:
    vectors = await embedder.embed([], "document")
    assert (vectors.count, vectors.dimensions, vectors.data) == (0, embedder.dimensions, b"")


async def test_calls_side_by_side_do_not_mix(embedder: Embedder) -> None:
    several = await asyncio.gather(*(embedder.embed([text], "document") for text in TEXTS[:4] * 3))
    expected = rows(await embedder.embed(TEXTS[:4], "document"))
    assert all(cosine(rows(each)[0], expected[at % 4]) > 0.9999 for at, each in enumerate(several))


@pytest.mark.parametrize("text", [*TEXTS, "", "  two  spaces\n\n", "naïve café — 3,14 €", "👩‍👩‍👧‍👦", "x" * 5000])
async def test_token_spans_lie_in_the_text_in_order(embedder: Embedder, text: str) -> None:
    at = 0
    for start, end in embedder.tokenizer.offsets(text):
        assert at <= start < end <= len(text)
        at = start
    assert embedder.tokenizer.special_tokens >= 0
    assert len(embedder.tokenizer.offsets(text)) <= len(text.encode())


async def test_the_window_is_the_spaces(embedder: Embedder) -> None:
    sizes = {(space.dimensions, space.max_tokens) for space in registry.embedding_spaces()}
    assert (embedder.dimensions, embedder.max_tokens) in sizes
