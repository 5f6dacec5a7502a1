"""`local/extractive`: answers by quoting. No language model, so nothing is invented: every word is some passage's."""

import asyncio
import re
import struct
from collections.abc import AsyncGenerator, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from atrium.providers.base import ChatEvent, ChatRequest, Completed, Embedder, Passage, TextDelta, Usage, Vectors
from atrium.providers.relevance import Question, Relevance, is_heading
from atrium.providers.sentences import sentences

MODEL: Final = "extractive"
NO_ANSWER: Final = "I could not find an answer to this in your documents."
# What the best sentence must reach not to be called irrelevant: the part of the question's weight that its passage
# covers, plus likeness of meaning where that is known. Chosen on xquad-en: 97 of 100 answerable questions pass, and 8 of
# 100 questions to other articles' passages (without meaning 92 and 10).
ENOUGH_WORDS: Final = 0.35
ENOUGH_WITH_MEANING: Final = 0.75
MEANING: Final = 0.9
# Only so many sentences, the best by words, are compared by meaning: each costs a millisecond or two.
COMPARED: Final = 24
MORE_SENTENCES: Final = 2
# A further sentence must score this much of the best and add this much of what can be covered of the question.
FURTHER: Final = 0.4
ADDS: Final = 0.2
LONGEST_QUOTE: Final = 600
_MARKER: Final = re.compile(r"\[\d+\]")
_PRONOUN: Final = re.compile(r"(?:He|She|They|It|These|Those|Er|Sie|Es)\b")
_TOKEN: Final = re.compile(r"\w+|[^\w\s]")


@dataclass(frozen=True, slots=True)
class Candidate:
    """One sentence that may be quoted: where it stands, what it says, how well it fits."""

    passage: int
    position: int
    text: str
    terms: frozenset[str]
    score: float = 0.0
    meaning: float = 0.0


class ExtractiveChat:
    """Picks the one to three sentences of the request's passages that fit its question best.

    With an embedder, likeness of meaning counts beside shared words.
    """

    def __init__(self, embedder: Embedder | None = None) -> None:
        self._embedder = embedder

    async def stream(self, request: ChatRequest) -> AsyncGenerator[ChatEvent]:
        """Quote, word by word, each quote verbatim and followed by its passage's marker: `… [2]`."""
        question = request.question or next((each.text for each in reversed(request.messages) if each.role == "user"), "")
        answer = await self.answer(question, request.passages, request.no_answer or NO_ANSWER)
        words = re.findall(r"\s*\S+", answer)
        spent = 0
        for word in words:
            spent += len(_TOKEN.findall(word))
            if spent > request.max_tokens:
                yield Completed("length", _usage(request, request.max_tokens), MODEL)
                return
            yield TextDelta(word)
            await asyncio.sleep(0)
        yield Completed("stop", _usage(request, spent), MODEL)

    async def answer(self, question: str, passages: Sequence[Passage], no_answer: str = NO_ANSWER) -> str:
        """The whole answer; `no_answer` when the passages do not answer."""
        chosen = await self.choose(question, passages)
        pieces = [(each.passage, piece) for each in chosen for piece in _with_antecedent(each, passages)]
        return " ".join(f"{piece} [{passages[at].marker}]" for at, piece in dict.fromkeys(pieces)) or no_answer

    async def choose(self, question: str, passages: Sequence[Passage]) -> list[Candidate]:
        """The sentences to quote, best first; none when nothing is relevant."""
        asked = Question.of(question)
        split = [list(quotable(passage.text)) for passage in passages]
        relevance = Relevance(asked, split)
        candidates = _candidates(relevance, split)
        ranked = _ranked(candidates)
        enough = ENOUGH_WORDS
        if self._embedder is not None and ranked:
            ranked = _ranked(await _with_meaning(self._embedder, question, ranked[:COMPARED]))
            enough = ENOUGH_WITH_MEANING
        if not ranked or relevance.passage(ranked[0].passage) + ranked[0].meaning < enough:
            return []
        return _complete(relevance, ranked)


def _with_antecedent(chosen: Candidate, passages: Sequence[Passage]) -> list[str]:
    """The sentence, after the one before it where its subject is a pronoun: "She alone may" says too little."""
    if chosen.position == 0 or not _PRONOUN.match(chosen.text):
        return [chosen.text]
    before = list(quotable(passages[chosen.passage].text))[chosen.position - 1]
    return [chosen.text] if is_heading(before) else [before, chosen.text]


def quotable(text: str) -> Iterator[str]:
    """Sentences as they may be quoted: verbatim, not too long, without anything that looks like a citation marker."""
    for sentence in sentences(text):
        piece = max(_MARKER.split(sentence), key=len).strip()
        if len(piece) > LONGEST_QUOTE:
            piece = piece[:LONGEST_QUOTE].rsplit(maxsplit=1)[0]
        if re.search(r"\w", piece):
            yield piece


def _candidates(relevance: Relevance, split: Sequence[Sequence[str]]) -> list[Candidate]:
    """Every sentence; headings only where a passage has nothing else."""
    found: list[Candidate] = []
    for at, passage in enumerate(split):
        prose = [position for position, text in enumerate(passage) if not is_heading(text)]
        for position in prose or range(len(passage)):
            text, terms = passage[position], frozenset(relevance.terms_of(at, position))
            found.append(Candidate(at, position, text, terms, relevance.sentence(at, position, text)))
    return found


async def _with_meaning(embedder: Embedder, question: str, candidates: Sequence[Candidate]) -> list[Candidate]:
    vectors = await embedder.embed([question, *(each.text for each in candidates)], "query")
    likeness = _likeness(vectors)
    return [
        Candidate(each.passage, each.position, each.text, each.terms, each.score + MEANING * meaning, meaning)
        for each, meaning in zip(candidates, likeness, strict=True)
    ]


def _likeness(vectors: Vectors) -> list[float]:
    """Cosine of the first vector with each of the others."""
    rows = list(struct.iter_unpack(f"<{vectors.dimensions}f", vectors.data))
    return [sum(a * b for a, b in zip(rows[0], row, strict=True)) for row in rows[1:]]


def _ranked(candidates: Sequence[Candidate]) -> list[Candidate]:
    return sorted(candidates, key=lambda each: (-each.score, each.passage, each.position))


def _complete(relevance: Relevance, ranked: Sequence[Candidate]) -> list[Candidate]:
    """The best sentence, and others where each adds a part of the question that is not covered yet."""
    chosen = [ranked[0]]
    covered = set(ranked[0].terms)
    reachable = relevance.covered(term for each in ranked for term in each.terms)
    for each in ranked[1:]:
        gain = relevance.covered(covered | each.terms) - relevance.covered(covered)
        if len(chosen) <= MORE_SENTENCES and each.score >= FURTHER * ranked[0].score and gain >= ADDS * reachable:
            chosen.append(each)
            covered |= each.terms
    return chosen


def _usage(request: ChatRequest, output: int) -> Usage:
    return Usage(sum(len(_TOKEN.findall(each.text)) for each in request.messages), output)
