"""Answers as server-sent events, in the two forms that clients know."""

import asyncio
import re
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Final

from atrium.answers.models import AnswerEvent, Citation, Done, Sources, Token
from atrium.web.sse import Event
from functions.rag.schemas import AnswerOut, CitationOut, RetrievalOut

Opened = tuple[Sources, AsyncGenerator[AnswerEvent]]

END: Final = Event(None, "[DONE]")
# A model that says `[DONE]` does not end the stream, not even for readers that take it line by line.
_WITHIN_THE_END: Final = re.compile(r"(?<=\[)(?=DONE\])")


async def opened(answer: AsyncGenerator[AnswerEvent], patience: float) -> Opened:
    """The sources, and everything after them. What fails before the answer's first word is a plain error response, not a
    broken stream: the word is waited for, but for `patience` seconds at most, when a client should see a sign of life.
    """
    sources = await anext(answer)
    if not isinstance(sources, Sources):
        raise TypeError("an answer begins with its sources")
    first = asyncio.ensure_future(anext(answer))
    try:
        await asyncio.wait({first}, timeout=patience)
        if first.done() and (failure := first.exception()) is not None:
            raise failure
    except BaseException:
        await _left(first, answer)
        raise
    return sources, _rest(first, answer)


async def _rest(first: asyncio.Future[AnswerEvent], answer: AsyncGenerator[AnswerEvent]) -> AsyncGenerator[AnswerEvent]:
    try:
        yield await first
        async for event in answer:
            yield event
    finally:
        await _left(first, answer)


async def _left(first: asyncio.Future[AnswerEvent], answer: AsyncGenerator[AnswerEvent]) -> None:
    """Cancel what is under way: closing the answer ends the provider's call."""
    if not first.done():
        first.cancel()
        await asyncio.wait({first})
    await answer.aclose()


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
                    yield Event("done", AnswerOut.of(event, retrieval, sources.prompt).model_dump(mode="json"))


async def plain_tokens(sources: Sources, rest: AsyncGenerator[AnswerEvent]) -> AsyncGenerator[Event]:
    """POST /query: tokens are unnamed frames of raw text; `sources` and `citation` are named and JSON."""
    yield Event("sources", RetrievalOut.of(sources.retrieval, sources.sources).model_dump(mode="json"))
    async with aclosing(rest):
        async for event in rest:
            if isinstance(event, Token):
                for text in _WITHIN_THE_END.split(event.text):
                    yield Event(None, text)
            elif isinstance(event, Citation):
                yield Event("citation", CitationOut.of(event).model_dump(mode="json"))
