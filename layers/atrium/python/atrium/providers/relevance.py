"""How well a sentence answers a question, by the words they share."""

import math
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from atrium.providers.sentences import CELL

_WORD: Final = re.compile(r"\w+(?:[.,]\d+)*")
_STOP_WORDS: Final = """
a about after all also am an and any are as at be been before being but by can could did do does doing done for from
give given gave had has have he her hers him his how i if in into is it its itself many me more most much my name named
of off on one or our out over please she should so some such tell than that the their them then there these they this
those to under up us was we were what when where which while who whom whose why will with would you your
der die das den dem des ein eine einer eines einem einen und oder ist sind war waren wird wurde wer was wann wo wie
warum welche welcher welches von mit für auf im in zu zum zur bei nach aus viele viel hat haben
"""
_STOP: Final = frozenset(_STOP_WORDS.split())
_SUFFIX_WORDS: Final = "ations ation ments ment ings ing ies ied ers er ors or ed es ly s"
_SUFFIXES: Final = tuple(_SUFFIX_WORDS.split())
_STEM: Final = 3
_LONGEST_HEADING: Final = 80
_NUMBER: Final = re.compile(
    r"\d|\b(?:two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|dozen|hundred|thousand|million|billion|half|third|zwei|drei)\b",
    re.IGNORECASE,
)
_ASKS_NUMBER: Final = re.compile(
    r"\b(?:how (?:many|much|long|old|far|often|large|big|tall|high)|when|what (?:year|date|day|time|percent\w*|number|age)"
    r"|which year|what is the (?:number|cost|price|limit|maximum|minimum|total)|wie viele?|wann)\b",
    re.IGNORECASE,
)
_ASKS_NAME: Final = re.compile(r"\b(?:who|whom|whose|where|which (?:city|country|person|company|team)|wer|wo)\b", re.IGNORECASE)
_NAME: Final = re.compile(r"(?<=[\w,;:'’(\"-] )[A-Z][\w'’-]+")

ANSWER_TYPE: Final = 0.12
# What the heading above a sentence, or a table's header row, counts beside the sentence's own words.
CONTEXT: Final = 0.5
ADJACENT: Final = 0.15
PASSAGE: Final = 0.35


@dataclass(frozen=True, slots=True)
class Question:
    """A question's terms (stems, in order, once each), and what kind of answer it wants."""

    text: str
    terms: tuple[str, ...]

    @classmethod
    def of(cls, text: str) -> "Question":
        """Read a question."""
        found = terms(text)
        return cls(text, tuple(dict.fromkeys(found)))


def terms(text: str) -> list[str]:
    """The stems of the words that carry meaning, in order."""
    words = (word.casefold() for word in _WORD.findall(text))
    return [stem(word) for word in words if word not in _STOP]


def stem(word: str) -> str:
    """`cities`, `city` → `cit`; light, so that what shares a stem nearly always shares a meaning."""
    for suffix in _SUFFIXES:
        if word.endswith(suffix) and len(word) - len(suffix) >= _STEM:
            word = word[: -len(suffix)]
            break
    return word[:-1] if word[-1:] in "ey" and len(word) > _STEM else word


def is_heading(sentence: str) -> bool:
    """Whether it names what follows instead of saying something: a heading, or the header row of a table."""
    return len(sentence) <= _LONGEST_HEADING and sentence[-1:].isalpha() and not re.search(r"\d|[.!?:;]\s", sentence)


def _contexts(passage: Sequence[str]) -> Iterator[list[list[str]]]:
    """For each sentence the terms of each heading that it stands under, and of its table's header row."""
    section: list[list[str]] = []
    header: list[list[str]] = []
    inside = True
    for sentence in passage:
        heading, row = is_heading(sentence), CELL in sentence
        if heading and row:
            header = [terms(sentence)]  # a table stands in its section as the prose before it does
        elif heading:
            section, header = [*([] if inside else section), terms(sentence)], []
        elif not row:
            header = []
        inside = not heading
        yield section + header


class Relevance:
    """Scores sentences of several passages against one question. Words that few sentences have weigh more."""

    def __init__(self, question: Question, passages: Sequence[Sequence[str]]) -> None:
        self._question = question
        self._sentences = [[terms(sentence) for sentence in passage] for passage in passages]
        self._contexts = [list(_contexts(passage)) for passage in passages]
        everything = [frozenset(found) for passage in self._sentences for found in passage]
        frequency = Counter(term for found in everything for term in found)
        self._weights = {term: math.log(1 + len(everything) / (1 + frequency[term])) for term in question.terms}
        self._total = sum(self._weights.values()) or 1.0

    def covered(self, found: Iterable[str]) -> float:
        """Which part of the question's weight these terms have, from 0 to 1."""
        present = frozenset(found)
        return sum(weight for term, weight in self._weights.items() if term in present) / self._total

    def terms_of(self, passage: int, sentence: int) -> list[str]:
        """The terms of one sentence, by position."""
        return self._sentences[passage][sentence]

    def passage(self, passage: int) -> float:
        """Which part of the question a passage covers as a whole."""
        return self.covered(term for found in self._sentences[passage] for term in found)

    def sentence(self, passage: int, sentence: int, text: str) -> float:
        """Its own words and its heading's, words in the question's order, the kind of answer wanted, its passage's subject."""
        found = self._sentences[passage][sentence]
        own = self.covered(found)
        context = self._contexts[passage][sentence]
        above = CONTEXT * (self.covered([*found, *(term for line in context for term in line)]) - own)
        pairs = set(pairwise(self._question.terms))
        here = pairs & set(pairwise(found))
        over = {pair for line in context for pair in pairwise(line)} & pairs - here
        adjacent = (len(here) + CONTEXT * len(over)) / max(1, len(pairs))
        return own + above + ADJACENT * adjacent + ANSWER_TYPE * self._fits(text) * bool(own) + PASSAGE * self.passage(passage)

    def _fits(self, text: str) -> float:
        asked = self._question.text
        if _ASKS_NUMBER.search(asked):
            known = set(re.findall(r"\d+", asked))
            return float(any(number not in known for number in re.findall(r"\d+", text)) or bool(_NUMBER.search(text)))
        if _ASKS_NAME.search(asked):
            return float(any(stem(name.casefold()) not in self._question.terms for name in _NAME.findall(text)))
        return 0.0
