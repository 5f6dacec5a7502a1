"""What is asked, and what an answer is made of."""

from bisect import bisect_right
from dataclasses import dataclass, field
from uuid import UUID

from atrium.providers.base import Usage
from atrium.retrieval.models import Hit, Scope, SearchMode


@dataclass(frozen=True, slots=True)
class AnswerRequest:
    """A question, where to look, and who answers (`provider/name`; None: the deployment's model). `top_k` from 1 to 50."""

    question: str
    top_k: int = 8
    mode: SearchMode = SearchMode.HYBRID
    scope: Scope = field(default_factory=Scope)
    model: str | None = None
    max_tokens: int = 1024


@dataclass(frozen=True, slots=True)
class Source:
    """A passage that the model was shown, under its citation number, from 1."""

    marker: int
    hit: Hit

    def page_at(self, position: int) -> int | None:
        """The page on which character `position` of the passage stands."""
        if self.hit.page_from is None:
            return None
        return self.hit.page_from + bisect_right(self.hit.page_starts, self.hit.char_start + position)


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
    """How the passages were found. `candidates_scanned`: how many were compared exactly."""

    mode: SearchMode
    candidates_scanned: int


@dataclass(frozen=True, slots=True)
class Sources:
    """First of all events: the passages that the answer may cite; none when nothing was found."""

    sources: tuple[Source, ...]
    retrieval: Retrieval


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
    done: Done
