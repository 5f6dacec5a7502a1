"""Cuts an answer into sentences while it is written, each read once.

Other than in a document, a line's end always ends a sentence, the citation numbers after one belong to it, and what is quoted
may be several. What a model writes may be thousands of full stops: reading goes on where it stopped, and nothing waits for long.
"""

import re
from dataclasses import dataclass, field
from typing import Final

from atrium.providers.sentences import goes_on

LONGEST: Final = 4000  # characters that may wait for a sentence's end: no honest one is longer
# Where a quotation or an end may be. A quotation mark after a digit may be inches, so it begins nothing.
_EVENT: Final = re.compile(
    r"""
      (?P<open>(?<![^\s(\[—–-])\"|[“«„「『])
    | (?P<mark>[.!?…؟۔।॥]++[\"'”’»)*_]*+)
    | [。！？]++[」』”]?
    | \n++
    """,
    re.VERBOSE,
)
_INSIDE: Final = {
    opening: re.compile(rf"[^{closing}\n]*+")
    for opening, closing in {'"': '"', "“": "”", "«": "»", "„": "“”", "「": "」", "『": "』"}.items()
}
_AFTER_MARK: Final = re.compile(r"\s|\[\s*+[\d?]")
_BRACKET_BEGUN: Final = re.compile(r"\[\s*+\Z")
_MARKERS: Final = re.compile(r"(?:(?:\s*+\[\s*+[\d?][\d\s,]*+\])++[.!?]?)?")
_MARKER_BEGUN: Final = re.compile(r"\s*+(?:\[[\d\s,?]*+)?\Z")


@dataclass(slots=True)
class SentenceSplitter:
    """Takes a text piece by piece; gives its sentences, which make it up without a gap, as they end."""

    _text: str = ""
    _start: int = 0  # of the sentence
    _at: int = 0  # where reading goes on
    _searched: int = 0  # up to where the quotation that waits has been searched for its end
    _plain: int = 0  # quotation marks before this place begin nothing
    _ended: list[str] = field(default_factory=list)

    def feed(self, text: str) -> list[str]:
        """The sentences that are complete now, whatever follows."""
        self._text += text
        while True:
            self._read(final=False)
            if len(self._text) - self._start <= LONGEST:
                return self._taken()
            if self._plain < len(self._text) and self._searched > self._at:
                self._plain, self._searched = len(self._text), 0  # a quotation of that length is none
            else:
                self._end(self._start + LONGEST)

    @property
    def rest(self) -> str:
        """What is not complete."""
        return self._text

    def finish(self) -> list[str]:
        """The rest: nothing follows."""
        self._read(final=True)
        self._end(len(self._text))
        return self._taken()

    def _taken(self) -> list[str]:
        ended, self._ended = self._ended, []
        self._text = self._text[self._start :]
        self._at, self._searched, self._plain = (max(0, each - self._start) for each in (self._at, self._searched, self._plain))
        self._start = 0
        return ended

    def _end(self, at: int) -> None:
        self._ended.append(self._text[self._start : at])
        self._start = at
        self._at = max(self._at, at)

    def _read(self, *, final: bool) -> None:
        """Go on to the next place that cannot be judged yet."""
        while found := _EVENT.search(self._text, self._at):
            self._at = found.start()
            if not final and found.end() == len(self._text):
                return
            after = self._quotation(found, final) if found["open"] else self._possible_end(found, final)
            if after is None:
                return
            self._at = after
        self._at = len(self._text)

    def _quotation(self, found: re.Match[str], final: bool) -> int | None:
        """Where reading goes on after what may begin a quotation; None: wait for more."""
        mark, begin = found["open"], found.end()
        if begin <= self._plain or (mark == '"' and self._text[begin : begin + 1].isspace()):
            return begin
        inside = _INSIDE[mark].match(self._text, max(begin, self._searched))
        end = inside.end() if inside else begin
        if end == len(self._text) and not final:
            self._searched = end
            return None
        self._searched = 0
        if self._text[end : end + 1] in {"", "\n"} or (mark == '"' and self._text[end - 1].isspace()):
            self._plain = end
            return begin
        return end + 1

    def _possible_end(self, found: re.Match[str], final: bool) -> int | None:
        """Where reading goes on after what may end a sentence; None: wait for what may belong to it."""
        if found["mark"] and not _AFTER_MARK.match(self._text, found.end()):
            return None if not final and _BRACKET_BEGUN.match(self._text, found.end()) else found.end()
        markers = _MARKERS.match(self._text, found.end())
        end = markers.end() if markers else found.end()
        if not final and _MARKER_BEGUN.match(self._text, end):
            return None
        if end > found.end() or not found[0].startswith(".") or not goes_on(self._text, self._start, found.start(), end):
            self._end(end)
        return end


def split_sentences(text: str, *, final: bool = False) -> list[str]:
    """The sentences of `text`; all but the last are complete whatever follows. `final`: nothing follows."""
    splitter = SentenceSplitter()
    pieces = splitter.feed(text)
    if final:
        return [*pieces, *splitter.finish()]
    return [*pieces, splitter.rest]
