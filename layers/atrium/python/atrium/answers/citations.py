"""Reads citations out of an answer as it grows, and proves them.

The convention asked of models: a statement, the words it rests on in quotation marks, the passage's number:
`Refunds take "up to 14 days" [2].` A sentence that is itself copied, followed by its number, is a quote too; that is how
local/extractive answers. A sentence is supported when every passage it cites holds what it is said to say.
"""

import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

from atrium.answers.models import Citation, Source
from atrium.answers.quotes import MIN_WEIGHT, locate_parts, weight
from atrium.answers.splitting import SentenceSplitter

_MARKER: Final = re.compile(r"\[\s*(\d{1,3}(?:\s*,\s*\d{1,3})*)\s*\]")
_QUOTED: Final = re.compile(r"\"([^\"]+)\"|“([^”]+)”|«([^»]+)»|„([^“”]+)[“”]|「([^」]+)」|『([^』]+)』")
_BULLET: Final = re.compile(r"\A\s*+(?:[-*•>#]++|\d{1,3}[.)])\s++")


@dataclass(slots=True)
class CitationReader:
    """Takes an answer piece by piece; gives citations as sentences end. `unsupported` is complete after `finish`."""

    sources: Sequence[Source]
    no_answers: Collection[str] = ()
    unsupported: list[str] = field(default_factory=list)
    _splitter: SentenceSplitter = field(default_factory=SentenceSplitter)
    _given: set[Citation] = field(default_factory=set)

    def feed(self, text: str) -> Iterator[Citation]:
        """The citations of the sentences that are complete now."""
        for sentence in self._splitter.feed(text):
            yield from self._read(sentence)

    def finish(self) -> Iterator[Citation]:
        """The citations of the last sentence."""
        for sentence in self._splitter.finish():
            yield from self._read(sentence)

    def _read(self, sentence: str) -> Iterator[Citation]:
        said = sentence.strip()
        if not _has_words(said) or said in self.no_answers:
            return
        citations = list(_cited(said, {source.marker: source for source in self.sources}))
        if not citations or not all(citation.verified for citation in citations):
            self.unsupported.append(said)
        for citation in citations:
            if citation not in self._given:
                self._given.add(citation)
                yield citation


def _cited(sentence: str, sources: dict[int, Source]) -> Iterator[Citation]:
    """A marker vouches for what stands between the marker before and it; [1][2] for the same."""
    start, claim = 0, ""
    for found in _MARKER.finditer(sentence):
        between = sentence[start : found.start()]
        claim = between if _has_words(between) else claim
        start = found.end()
        for number in found.group(1).split(","):
            if claim and (source := sources.get(int(number))) is not None:
                yield from _proved(claim, source)


def _proved(claim: str, source: Source) -> Iterator[Citation]:
    quoted = [next(filter(None, found.groups())) for found in _QUOTED.finditer(claim)]
    telling = [quote for quote in quoted if weight(quote) >= MIN_WEIGHT] or quoted
    for quote in telling or [_BULLET.sub("", claim, count=1)]:
        spans = locate_parts(quote, source.text)
        yield from (_verified(source, *place) for span in spans for place in source.stored(*span))
        if not spans:
            yield _unverified(source, quote if quoted else "")


def _has_words(text: str) -> bool:
    return any(each.isalnum() for each in _MARKER.sub("", text))


def _verified(source: Source, start: int, end: int) -> Citation:
    hit = source.parts[0]
    return Citation(
        source.marker, hit.document_id, hit.document_name, hit.version, source.page_at(start), source.between(start, end),
        start, end, verified=True,
    )  # fmt: skip


def _unverified(source: Source, quote: str) -> Citation:
    hit = source.parts[0]
    return Citation(
        source.marker, hit.document_id, hit.document_name, hit.version, hit.page_from, quote.strip(), None, None, verified=False
    )  # fmt: skip
