"""What a plain conversation asks last, and the texts in it that may answer: for a model that only quotes."""

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Final, NamedTuple

from atrium.providers.base import Message, Passage
from atrium.providers.sentences import sentences

_ASKS: Final = re.compile(r"[?？؟][\"'”’»)\]*_]*$")
PIECE: Final = 2000
_GIST: Final = re.compile(r"\b(?:summar(?:y|ies|i[sz]e)|tl;?dr|key points|zusammenfass|fass\b.*\bzusammen\b)", re.IGNORECASE)
_PARAGRAPH: Final = re.compile(r"\n\s*\n")


class PlainQuestion(NamedTuple):
    """The question, and the texts beside it, in order; each text's marker counts from 1. `gist`: a summary is wanted."""

    question: str
    texts: tuple[Passage, ...]
    gist: bool = False

    @property
    def asks(self) -> bool:
        """Whether it ends as a question does."""
        return bool(_ASKS.search(self.question.rstrip()))


def plain_question(messages: Sequence[Message], never: str) -> PlainQuestion:
    """Read a conversation. What the assistant said is a text too, but for the answer `never`; what users asked before is none."""
    last = max((at for at, each in enumerate(messages) if each.role == "user"), default=-1)
    if last >= 0 and _told_to_summarise(messages) and not _ASKS.search(messages[last].text.rstrip()):
        return PlainQuestion("", _passages(_pieces(messages[last].text)), gist=True)
    question = ""
    texts: list[str] = []
    for at, message in enumerate(messages):
        text = message.text
        if at == last:
            question, text = _apart(text)
        elif message.role == "user":
            text = _without_question(text)
        if never not in text:
            texts += _pieces(text)
    return PlainQuestion(question, _passages(texts), gist=bool(_GIST.search(question)))


def _passages(texts: Iterable[str]) -> tuple[Passage, ...]:
    return tuple(Passage(number, text) for number, text in enumerate(texts, 1))


def _pieces(text: str) -> Iterator[str]:
    """The text in pieces of whole sentences, as long as retrieved passages are: relevance looks at each as a whole."""
    start = at = 0
    for sentence in sentences(text):
        end = text.index(sentence, at) + len(sentence)
        if end - start > PIECE and at > start:
            yield text[start:at]
            start = at
        at = end
    if at > start:
        yield text[start:at]


def _told_to_summarise(messages: Sequence[Message]) -> bool:
    """By the system, so that the user's message is all text."""
    return any(each.role == "system" and _GIST.search(each.text) for each in messages)


def _apart(text: str) -> tuple[str, str]:
    """The question in a message, and the text without it.

    It is the last sentence that asks. Where none does it is an instruction: what ends in a colon before the text, or the
    last paragraph.
    """
    at = _last_asking(text)
    if at is None:
        before, between, after = _halves(text)
        return (before, after) if before.rstrip().endswith(":") else _last_paragraph(before + between + after)
    return text[slice(*at)], _without_question(text)


def _without_question(text: str) -> str:
    at = _last_asking(text)
    return text if at is None else f"{text[: at[0]]}\n\n{text[at[1] :]}"


def _last_asking(text: str) -> tuple[int, int] | None:
    found, start = None, 0
    for sentence in sentences(text):
        start = text.index(sentence, start)
        end = start + len(sentence)
        found = (start, end) if _ASKS.search(sentence) else found
        start = end
    return found


def _halves(text: str) -> tuple[str, str, str]:
    """The first paragraph and the rest."""
    first = _PARAGRAPH.search(text.strip())
    if first is None:
        return text.partition("\n")
    return text.strip()[: first.start()], first[0], text.strip()[first.end() :]


def _last_paragraph(text: str) -> tuple[str, str]:
    *before, last = _PARAGRAPH.split(text.strip())
    return last, "\n\n".join(before)
