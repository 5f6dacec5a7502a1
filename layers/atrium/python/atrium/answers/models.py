"""What is asked, and what an answer is made of."""

from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final, NamedTuple
from uuid import UUID

from atrium.prompts.models import Explain, Reference
from atrium.providers.base import Usage
from atrium.retrieval.models import Hit, Scope, SearchMode


@dataclass(frozen=True, slots=True)
class AnswerRequest:
    """A question, where to look, and who answers (`provider/name`; None: the tenant's choice, or the deployment's).

    `top_k` from 1 to 50. `prompt` gives the instructions; None: the tenant's for answers, or the one below it. `max_tokens` of an
    answer, less where the model's window is small; None: the prompt's, or 1,024.
    """

    question: str
    top_k: int = 8
    mode: SearchMode = SearchMode.HYBRID
    scope: Scope = field(default_factory=Scope)
    model: str | None = None
    rerank: bool | str = False
    max_tokens: int | None = None
    prompt: Reference | None = None


class Run(NamedTuple):
    """Characters `start` to `end` of a source's text, which are those of the stored text from `stored` on."""

    start: int
    end: int
    stored: int


class Source:
    """What the model was shown under a citation number, from 1: a passage, or neighbours of one document in their order."""

    def __init__(self, marker: int, parts: tuple[Hit, ...]) -> None:
        self.marker: Final = marker
        self.parts: Final = parts
        text, runs = _joined(parts)
        self.text: Final = text
        self.runs: Final = runs

    def stored(self, start: int, end: int) -> Iterator[tuple[int, int]]:
        """Where in the stored text characters `start` to `end` of `text` are: once, or once for each side of a gap."""
        for run in self.runs:
            first, last = max(start, run.start), min(end, run.end)
            if any(map(str.isalnum, self.text[first:last])):
                yield run.stored + first - run.start, run.stored + last - run.start

    def between(self, start: int, end: int) -> str:
        """The stored text's characters `start` to `end`, as `stored` gave them."""
        run = next(run for run in self.runs if run.stored <= start and end <= run.stored + run.end - run.start)
        return self.text[run.start + start - run.stored : run.start + end - run.stored]

    def page_at(self, place: int) -> int | None:
        """The page on which character `place` of the stored text stands."""
        hit = next(hit for hit in reversed(self.parts) if hit.char_start <= place)
        return None if hit.page_from is None else hit.page_from + bisect_right(hit.page_starts, place)


def _joined(parts: tuple[Hit, ...]) -> tuple[str, tuple[Run, ...]]:
    """The text of passages that follow each other: what they share once, a gap as the white space that it is."""
    text, runs = parts[0].text, [Run(0, len(parts[0].text), parts[0].char_start)]
    for hit in parts[1:]:
        last = runs[-1]
        reached = last.stored + last.end - last.start
        fresh = hit.text[max(0, reached - hit.char_start) :]
        gap = max(0, hit.char_start - reached)
        text += "\n" * gap + fresh
        if gap:
            runs.append(Run(len(text) - len(fresh), len(text), hit.char_start))
        else:
            runs[-1] = last._replace(end=len(text))
    return text, tuple(runs)


@dataclass(frozen=True, slots=True)
class Citation:
    """A place in a document that a sentence of the answer rests on.

    Verified: `quote` is the stored text from `char_start` to `char_end`, its own characters. Otherwise `quote` is what the
    model claims, found nowhere in the passage, and there are no offsets.
    """

    marker: int
    document_id: UUID
    document_name: str
    version: int
    page: int | None
    quote: str
    char_start: int | None
    char_end: int | None
    verified: bool


@dataclass(frozen=True, slots=True)
class Retrieval:
    """How the passages were found. `candidates_scanned`: how many were compared exactly.

    `passages_used` of those found were shown to the model; `passages_dropped` had no room in its window, or not as a whole.
    `degraded`: embedding models out of reach, whose passages were looked for by words alone.
    """

    mode: SearchMode
    candidates_scanned: int
    passages_used: int = 0
    passages_dropped: int = 0
    degraded: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Sources:
    """First of all events: the passages that the answer may cite (none when nothing was found), and by which prompt it is."""

    sources: tuple[Source, ...]
    retrieval: Retrieval
    prompt: Explain


@dataclass(frozen=True, slots=True)
class Token:
    """The next piece of the answer, safe to show."""

    text: str


@dataclass(frozen=True, slots=True)
class Done:
    """The end of an answer that came to its end.

    `unsupported`: its sentences without a verified citation. `model` is what answered; empty when none was asked.
    """

    answer: str
    citations: tuple[Citation, ...]
    unsupported: tuple[str, ...]
    usage: Usage
    model: str
    finish_reason: str


AnswerEvent = Sources | Token | Citation | Done


@dataclass(frozen=True, slots=True)
class Answer:
    """A whole answer."""

    sources: tuple[Source, ...]
    retrieval: Retrieval
    prompt: Explain
    done: Done
