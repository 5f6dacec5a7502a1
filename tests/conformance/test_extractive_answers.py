"""How good answers by quoting are, on questions that nobody here wrote (xquad-en: 1,190, their passages and answers)."""

import json
import random
from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest

from atrium.providers.base import Passage
from atrium.providers.extractive import Candidate, ExtractiveChat
from atrium.providers.local_embedder import LocalEmbedder
from tests.conformance.real_data import DATA, needs_data

EVERY = 10
GIVEN = 5


def lines(name: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (DATA / "rag" / "xquad-en" / name).read_text().splitlines()]


def questions() -> list[tuple[dict[str, Any], str, list[dict[str, Any]], list[dict[str, Any]]]]:
    """Every tenth question, its passage's id, that passage among four of its article, and five of other articles."""
    right = dict(line.split("\t")[:2] for line in (DATA / "rag" / "xquad-en" / "qrels.tsv").read_text().splitlines()[1:])
    articles = defaultdict(list)
    corpus = {passage["_id"]: passage for passage in lines("corpus.jsonl")}
    for passage in corpus.values():
        articles[passage["title"]].append(passage)
    shuffle = random.Random(7)
    asked = []
    for question in lines("queries.jsonl")[::EVERY]:
        own = corpus[right[question["_id"]]]
        near = [own, *(each for each in articles[own["title"]] if each is not own)][:GIVEN]
        shuffle.shuffle(near)
        far = shuffle.sample([each for each in corpus.values() if each["title"] != own["title"]], GIVEN)
        asked.append((question, own["_id"], near, far))
    return asked


async def choose(chat: ExtractiveChat, question: str, passages: list[dict[str, Any]]) -> list[Candidate]:
    return await chat.choose(question, [Passage(at, each["text"]) for at, each in enumerate(passages, 1)])


@needs_data
@pytest.mark.parametrize(("by_meaning", "right", "answered"), [(False, 0.85, 0.75), (True, 0.92, 0.8)])
async def test_quotes_come_from_the_right_passage(
    model_dir: Path, record_property: Any, *, by_meaning: bool, right: float, answered: float
) -> None:
    chat = ExtractiveChat(LocalEmbedder(model_dir) if by_meaning else None)
    asked = questions()
    hits = answers = refused = 0
    for question, own, near, far in asked:
        chosen = await choose(chat, question["text"], near)
        hits += bool(chosen) and near[chosen[0].passage]["_id"] == own
        answers += any(answer in each.text for each in chosen for answer in question["answers"])
        refused += not await choose(chat, question["text"], far)
    scores = {"right passage": hits, "answer quoted": answers, "refused without it": refused}
    for name, count in scores.items():
        record_property(name, round(count / len(asked), 3))
    print({name: round(count / len(asked), 3) for name, count in scores.items()})
    assert hits / len(asked) >= right
    assert answers / len(asked) >= answered
    assert refused / len(asked) >= 0.9
