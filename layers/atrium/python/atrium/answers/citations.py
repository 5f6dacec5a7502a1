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

_MARKER: Final = re.compile(r"\[\s*(\d{1,3}(?:\s*,\s*\d{1,3})*)\s*\]")
_QUOTED: Final = re.compile(r"\"([^\"]+)\"|“([^”]+)”|«([^»]+)»|„([^“”]+)[“”]|「([^」]+)」|『([^』]+)』")
# A sentence ends at its mark with closing quotes and the markers that follow, or at a line's end.
_END: Final = re.compile(
    r"(?:[.!?…؟۔।॥]+[\"'”’»)*_]*(?=\s|\[\s*[\d?])|[。！？]+[」』”]?)(?P<markers>(?:\s*\[\s*[\d?][\d\s,]*\])*[.!?]?)|\n+"
)
# What is quoted may be several sentences; a quotation mark after a digit may be inches, so it begins nothing.
_QUOTATION: Final = re.compile(
    r"(?:(?<![^\s(\[—–-])\"(?=\S)[^\"\n]*|“[^”\n]*|«[^»\n]*|„[^“”\n]*|「[^」\n]*|『[^』\n]*)(?P<closed>(?<!\s)\"|[”»“」』])?"
)
_ABBREVIATION: Final = re.compile(
    r"(?:^|[\s(\"'])(?:[A-Za-z]|[A-Za-z]\.[A-Za-z]|Mr|Mrs|Ms|Dr|Prof|St|No|Fig|Eq|Sec|Vol|Art|pp?|vs|etc|cf|approx|ca|Inc|Ltd)$"
)
_MARKER_BEGUN: Final = re.compile(r"(?:\[[\d\s,?]*)?")
_BULLET: Final = re.compile(r"\s*(?:[-*•>#]+|\d{1,3}[.)])\s+")
_LOOK_BACK: Final = 12


@dataclass(slots=True)
class CitationReader:
    """Takes an answer piece by piece; gives citations as sentences end. `unsupported` is complete after `finish`."""

    sources: Sequence[Source]
    no_answers: Collection[str] = ()
    unsupported: list[str] = field(default_factory=list)
    _pending: str = ""
    _given: set[Citation] = field(default_factory=set)

    def feed(self, text: str) -> Iterator[Citation]:
        """The citations of the sentences that are complete now."""
        self._pending += text
        *complete, self._pending = split_sentences(self._pending)
        for sentence in complete:
            yield from self._read(sentence)

    def finish(self) -> Iterator[Citation]:
        """The citations of the last sentence."""
        rest, self._pending = self._pending, ""
        for sentence in split_sentences(rest, final=True):
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


def split_sentences(text: str, *, final: bool = False) -> list[str]:
    """The sentences of `text`, which they make up without a gap; all but the last are complete whatever follows.

    `final`: nothing follows.
    """
    pieces, start = [], 0
    quoted, begun = _quotations(text)
    for end in _END.finditer(text):
        rest = text[end.end() :].lstrip()
        if not final and (begun < end.start() or _MARKER_BEGUN.fullmatch(rest)):
            break  # what ends the quotation, or a marker that belongs to this sentence, may still come
        if not _continues(text, end, rest) and not any(first < end.start() < last - 1 for first, last in quoted):
            pieces.append(text[start : end.end()])
            start = end.end()
    return [*pieces, text[start:]]


def _quotations(text: str) -> tuple[list[tuple[int, int]], int]:
    """The spans of what is quoted, and where a quotation begins that has not ended."""
    closed, begun = [], len(text)
    for found in _QUOTATION.finditer(text):
        if found["closed"]:
            closed.append(found.span())
        elif found.end() == len(text):
            begun = found.start()
    return closed, begun


def _continues(text: str, end: re.Match[str], rest: str) -> bool:
    """Whether what looks like an end is none: an abbreviation, a number, a lower-case letter next."""
    if not end.group().startswith(".") or end["markers"]:
        return False
    before = text[max(0, end.start() - _LOOK_BACK) : end.start()]
    return rest[:1].islower() or bool(_ABBREVIATION.search(before))


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
