"""`local/extractive`: answers by quoting. No language model, so nothing is invented: every word is some passage's.

Where nobody retrieved passages for it, it quotes from the conversation itself.
"""

import asyncio
import re
import struct
from collections import Counter
from collections.abc import AsyncGenerator, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from atrium.providers.base import (
    ChatEvent,
    ChatRequest,
    Completed,
    Embedder,
    Message,
    Part,
    Passage,
    Text,
    TextDelta,
    Usage,
    Vectors,
)
from atrium.providers.plain_questions import plain_question
from atrium.providers.relevance import Question, Relevance, is_heading, terms
from atrium.providers.sentences import sentences

MODEL: Final = "extractive"
NO_ANSWER: Final = "I could not find an answer to this in your documents."
ONLY_QUOTES: Final = (
    "I only quote from texts that I am given, and none here answers this."
    " Put a text before your question, or choose another model."
)
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
# A summary's sentences; and how many words more than it has a sentence is weighed with, so that short ones do not win.
GIST: Final = 3
GIST_LENGTH: Final = 6
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

    def ignores(self, request: ChatRequest) -> tuple[str, ...]:
        """All that is for a language model."""
        heard = {
            "tools": not request.tools,
            "response_format": request.response_format is None,
            "seed": request.seed is None,
            "reasoning_effort": request.reasoning_effort is None,
            "temperature": not request.temperature,
            "top_p": request.top_p in {None, 1},
            "messages.content": all(isinstance(part, Text) for each in request.messages for part in _parts(each)),
        }
        return tuple(name for name, whole in heard.items() if not whole)

    async def stream(self, request: ChatRequest) -> AsyncGenerator[ChatEvent]:
        """Quote, word by word, each quote verbatim and, where passages are numbered, followed by its marker: `… [2]`."""
        answer = _before(await self._answered(request), request.stop)
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

    async def _answered(self, request: ChatRequest) -> str:
        if request.question:
            return await self.answer(request.question, request.passages, request.no_answer or NO_ANSWER)
        plain = plain_question(request.messages, never=ONLY_QUOTES)
        if request.passages:
            # Nobody asked, or nobody can tell what: what the passages say most is what there is to quote.
            most = " ".join(gist(request.passages))
            asked = plain.asks and not plain.gist
            return await self.answer(plain.question, request.passages, request.no_answer or most) if asked else most
        quotes = gist(plain.texts) if plain.gist else [piece for _, piece in await self._quotes(plain.question, plain.texts)]
        return " ".join(quotes) or request.no_answer or ONLY_QUOTES

    async def answer(self, question: str, passages: Sequence[Passage], no_answer: str = NO_ANSWER) -> str:
        """The whole answer; `no_answer` when the passages do not answer."""
        quotes = await self._quotes(question, passages)
        return " ".join(f"{piece} [{passages[at].marker}]" for at, piece in quotes) or no_answer

    async def _quotes(self, question: str, passages: Sequence[Passage]) -> Iterable[tuple[int, str]]:
        """Each piece to quote, once, after the place of its passage."""
        chosen = await self.choose(question, passages)
        return dict.fromkeys((each.passage, piece) for each in chosen for piece in _with_antecedent(each, passages))

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


def gist(passages: Sequence[Passage]) -> list[str]:
    """The few sentences whose words the texts use most, in their order; the first ones where all are alike."""
    prose = [text for passage in passages for text in quotable(passage.text) if not is_heading(text)]
    found = [frozenset(terms(text)) for text in prose]
    frequency = Counter(term for each in found for term in each)
    weight = [sum(frequency[term] for term in each) / (GIST_LENGTH + len(each)) for each in found]
    best = sorted(range(len(prose)), key=lambda at: (-weight[at], at))[:GIST]
    return [prose[at] for at in sorted(best)]


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


def _parts(message: Message) -> Sequence[Part]:
    return () if isinstance(message.content, str) else message.content


def _before(text: str, stop: Sequence[str]) -> str:
    return text[: min((at for each in stop if each and (at := text.find(each)) >= 0), default=len(text))]
