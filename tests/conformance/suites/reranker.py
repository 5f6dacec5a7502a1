"""What every `Reranker` does. Inherit it and give `make`."""

import math

from atrium.retrieval.reranking import Reranker

PASSAGES = (
    "The office is open from nine to five.",
    "Refunds are paid within 14 days after the goods came back.",
    "Our turbines are made in Sweden.",
)


class RerankerSuite:
    """Give `make`: the reranker under test."""

    def make(self) -> Reranker:
        """The reranker under test; it may be asked for more than once."""
        raise NotImplementedError

    async def test_the_passage_that_answers_scores_highest(self) -> None:
        scores = await self.make().score("When are refunds paid?", PASSAGES)
        assert max(range(len(PASSAGES)), key=lambda place: scores[place]) == 1

    async def test_each_passage_has_a_finite_score_in_its_place(self) -> None:
        passages = ["", " ", "!", "x" * 20_000, "مرحبا بالعالم. 返金はいつですか。", *PASSAGES]
        scores = await self.make().score("When are refunds paid?", passages)
        assert len(scores) == len(passages)
        assert all(math.isfinite(score) for score in scores)

    async def test_order_does_not_matter(self) -> None:
        forwards = await self.make().score("When are refunds paid?", PASSAGES)
        backwards = await self.make().score("When are refunds paid?", PASSAGES[::-1])
        assert sorted(PASSAGES, key=dict(zip(PASSAGES, forwards, strict=True)).__getitem__) == sorted(
            PASSAGES, key=dict(zip(PASSAGES[::-1], backwards, strict=True)).__getitem__
        )

    async def test_any_question_is_judged(self) -> None:
        for question in ("?", "返金", "a" * 4000):
            assert len(await self.make().score(question, PASSAGES)) == len(PASSAGES)
