"""Answers as server-sent events, in the two forms that clients know."""

from collections.abc import AsyncGenerator, Iterator
from contextlib import aclosing
from typing import Final

from atrium.answers.models import AnswerEvent, Citation, Done, Sources, Token
from atrium.web.sse import Event
from functions.rag.schemas import AnswerOut, CitationOut, RetrievalOut

END: Final = Event(None, "[DONE]")


async def opened(answer: AsyncGenerator[AnswerEvent]) -> tuple[Sources, AsyncGenerator[AnswerEvent]]:
    """The first event: what fails before it is a plain error response, not a broken stream."""
    first = await anext(answer)
    if not isinstance(first, Sources):
        raise TypeError("an answer begins with its sources")
    return first, answer


async def named_events(sources: Sources, rest: AsyncGenerator[AnswerEvent]) -> AsyncGenerator[Event]:
    """POST /rag/query: `sources`, `token`, `citation`, `done`, each JSON."""
    retrieval = RetrievalOut.of(sources.retrieval, sources.sources)
    yield Event("sources", retrieval.model_dump(mode="json"))
    async with aclosing(rest):
        async for event in rest:
            match event:
                case Token(text):
                    yield Event("token", {"text": text})
                case Citation():
                    yield Event("citation", CitationOut.of(event).model_dump(mode="json"))
                case Done():
                    yield Event("done", AnswerOut.of(event, retrieval).model_dump(mode="json"))


async def plain_tokens(sources: Sources, rest: AsyncGenerator[AnswerEvent]) -> AsyncGenerator[Event]:
    """POST /query: tokens are unnamed frames of raw text; `sources` and `citation` are named and JSON."""
    yield Event("sources", RetrievalOut.of(sources.retrieval, sources.sources).model_dump(mode="json"))
    async with aclosing(rest):
        async for event in rest:
            if isinstance(event, Token):
                for text in _never_the_end(event.text):
                    yield Event(None, text)
            elif isinstance(event, Citation):
                yield Event("citation", CitationOut.of(event).model_dump(mode="json"))


def _never_the_end(text: str) -> Iterator[str]:
    """A model that says `[DONE]` does not end the stream."""
    if text == END.data:
        yield text[:1]
        text = text[1:]
    yield text
