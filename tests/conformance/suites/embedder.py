"""What every `Embedder` does, whoever is behind it."""

import asyncio
import math

import pytest

from atrium.providers.base import Embedder
from tests.fakes.vectors import cosine, rows

TEXTS = [
    "The warranty period is 24 months from delivery.",
    "Orders are shipped from Hamburg.",
    "München liegt an der Isar.",
    "今天天气很好。",
    "a",
    "The pump must be primed before the first start. " * 100,
]


class EmbedderSuite:
    """Give the fixture `embedder`: a model, its provider faked on the wire by a server whose vectors mean something."""

    @pytest.fixture
    def embedder(self) -> Embedder:
        """The model under test."""
        raise NotImplementedError

    async def test_one_vector_of_length_one_per_text(self, embedder: Embedder) -> None:
        vectors = await embedder.embed(TEXTS, "document")
        assert (vectors.count, vectors.dimensions) == (len(TEXTS), embedder.dimensions)
        assert len(vectors.data) == vectors.count * vectors.dimensions * 4
        assert all(math.isclose(math.hypot(*row), 1, abs_tol=1e-4) for row in rows(vectors))

    async def test_order_is_kept_and_neighbours_do_not_matter(self, embedder: Embedder) -> None:
        forwards = rows(await embedder.embed(TEXTS, "document"))
        backwards = rows(await embedder.embed(TEXTS[::-1], "document"))[::-1]
        alone = [rows(await embedder.embed([text], "document"))[0] for text in TEXTS]
        for one, two, three in zip(forwards, backwards, alone, strict=True):
            assert min(cosine(one, two), cosine(one, three)) > 0.9999

    async def test_a_question_is_nearest_to_its_answer(self, embedder: Embedder) -> None:
        (question,) = rows(await embedder.embed(["How long is the warranty period?"], "query"))
        answers = rows(await embedder.embed(TEXTS, "document"))
        assert max(range(len(TEXTS)), key=lambda at: cosine(question, answers[at])) == 0

    async def test_nothing_in_nothing_out(self, embedder: Embedder) -> None:
        vectors = await embedder.embed([], "document")
        assert (vectors.count, vectors.dimensions, vectors.data) == (0, embedder.dimensions, b"")
        assert not vectors.tokens

    async def test_tokens_are_counted_where_the_provider_counts_them(self, embedder: Embedder) -> None:
        counts = [(await embedder.embed(texts, "document")).tokens for texts in (TEXTS, TEXTS * 2)]
        assert counts == [None, None] or counts[1] == 2 * (counts[0] or 0) >= 2 * len(TEXTS)

    async def test_calls_side_by_side_do_not_mix(self, embedder: Embedder) -> None:
        several = await asyncio.gather(*(embedder.embed([text], "document") for text in TEXTS[:4] * 3))
        expected = rows(await embedder.embed(TEXTS[:4], "document"))
        assert all(cosine(rows(each)[0], expected[at % 4]) > 0.9999 for at, each in enumerate(several))

    @pytest.mark.parametrize("text", [*TEXTS, "", "  two  spaces\n\n", "naïve café — 3,14 €", "👩‍👩‍👧‍👦", "x" * 5000])
    async def test_token_spans_lie_in_the_text_in_order(self, embedder: Embedder, text: str) -> None:
        at = 0
        for start, end in embedder.tokenizer.offsets(text):
            assert at <= start < end <= len(text)
            at = start
        assert embedder.tokenizer.special_tokens >= 0
        assert len(embedder.tokenizer.offsets(text)) <= len(text.encode())

    async def test_what_it_says_of_itself_can_be_used(self, embedder: Embedder) -> None:
        assert embedder.dimensions > 0
        assert embedder.max_tokens > embedder.tokenizer.special_tokens
