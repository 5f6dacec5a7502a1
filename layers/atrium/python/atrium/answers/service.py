"""Answering questions from a tenant's documents."""

from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from typing import Final
from urllib.parse import urlsplit

from atrium.answers import prompting
from atrium.answers.citations import CitationReader
from atrium.answers.models import Answer, AnswerEvent, AnswerRequest, Citation, Done, Retrieval, Source, Sources, Token
from atrium.answers.sanitising import Sanitiser
from atrium.kernel.errors import FieldError, InvalidFields, ProviderError
from atrium.kernel.principal import Principal
from atrium.kernel.settings import Settings
from atrium.providers.base import ChatEvent, ChatModel, ChatRequest, Completed, Passage, TextDelta, Usage
from atrium.providers.catalogue import chat_spec
from atrium.retrieval.models import SearchRequest, SearchResult
from atrium.retrieval.service import RetrievalService

ChatModelOf = Callable[[str], Awaitable[ChatModel]]

_CONTEXT_TOKENS: Final = 8000  # more passages cost more and are read less well
_RULES_TOKENS: Final = 600


class AnswerService:
    """Retrieves, asks a model, and proves what it cites. `chat_model` gives the model of a name."""

    def __init__(self, retrieval: RetrievalService, chat_model: ChatModelOf, settings: Settings) -> None:
        self._retrieval = retrieval
        self._chat_model = chat_model
        self._settings = settings

    async def answer(self, principal: Principal, request: AnswerRequest) -> AsyncGenerator[AnswerEvent]:
        """`Sources`, then `Token`s and, as sentences end, `Citation`s, then `Done`.

        Nothing found is an answer that says so; no model is asked. Errors, also in the middle: InvalidFields, InvalidInput
        for an unknown model, ProviderError, Unavailable; what was yielded before an error is not an answer.
        """
        model = request.model or self._settings.chat_model
        budget = _context_budget(model, request)
        found = await self._search(principal, request)
        numbered = [Source(marker, hit) for marker, hit in enumerate(found.hits, 1)]
        sources = prompting.select(numbered, budget) if numbered else ()
        yield Sources(sources, Retrieval(found.mode, found.candidates_scanned))
        if not sources:
            yield Token(prompting.NO_ANSWER)
            yield Done(prompting.NO_ANSWER, (), (), Usage(), "", "stop")
            return
        writing = _Writing(sources, urlsplit(self._settings.public_url).netloc)
        async with aclosing(self._ask(model, request, sources)) as events:
            async for event in events:
                for each in writing.take(event):
                    yield each
        yield writing.done(model)

    async def answer_whole(self, principal: Principal, request: AnswerRequest) -> Answer:
        """The same, collected."""
        opening: Sources | None = None
        async for event in self.answer(principal, request):
            if isinstance(event, Sources):
                opening = event
            if isinstance(event, Done) and opening is not None:
                return Answer(opening.sources, opening.retrieval, event)
        raise ProviderError("The model's answer did not come to an end.")

    async def _search(self, principal: Principal, request: AnswerRequest) -> SearchResult:
        if not request.question.strip():
            raise InvalidFields((FieldError("/question", "must not be empty"),))
        search = SearchRequest(request.question, request.top_k, request.mode, request.scope)
        return await self._retrieval.search(principal, search)

    async def _ask(self, model: str, request: AnswerRequest, sources: tuple[Source, ...]) -> AsyncGenerator[ChatEvent]:
        chat = await self._chat_model(model)
        asked = ChatRequest(
            model=model.partition("/")[2],
            messages=prompting.messages(request.question, sources),
            max_tokens=request.max_tokens,
            passages=tuple(Passage(source.marker, source.hit.text) for source in sources),
            question=request.question,
        )
        stream = chat.stream(asked)
        try:
            async for event in stream:
                yield event
        finally:
            if isinstance(stream, AsyncGenerator):  # closing it cancels the provider's call
                await stream.aclose()


class _Writing:
    """One answer as it is written."""

    def __init__(self, sources: tuple[Source, ...], host: str) -> None:
        markers = frozenset(source.marker for source in sources)
        self._sanitiser = Sanitiser([source.hit.text for source in sources], host, markers)
        self._reader = CitationReader(sources, prompting.NO_ANSWER)
        self._text: list[str] = []
        self._citations: list[Citation] = []
        self._completed: Completed | None = None

    def take(self, event: ChatEvent) -> list[AnswerEvent]:
        """What one event of the model adds."""
        if isinstance(event, TextDelta):
            return self._write(self._sanitiser.feed(event.text))
        self._completed = event
        return [*self._write(self._sanitiser.finish()), *self._cite(list(self._reader.finish()))]

    def done(self, model: str) -> Done:
        """The whole answer. ProviderError when the model's stream broke off."""
        if self._completed is None:
            raise ProviderError("The model's answer broke off.")
        completed = self._completed
        text = "".join(self._text)
        return Done(
            text, tuple(self._citations), tuple(self._reader.unsupported), completed.usage, model, completed.finish_reason
        )

    def _write(self, text: str) -> list[AnswerEvent]:
        if not text:
            return []
        self._text.append(text)
        return [Token(text), *self._cite(list(self._reader.feed(text)))]

    def _cite(self, citations: list[Citation]) -> list[AnswerEvent]:
        self._citations += citations
        return list(citations)


def _context_budget(model: str, request: AnswerRequest) -> int:
    """Tokens for passages; InvalidInput for a model that does not exist, before anything is searched."""
    spare = chat_spec(model).context_window - request.max_tokens - _RULES_TOKENS - len(request.question.encode()) // 3
    return max(0, min(_CONTEXT_TOKENS, spare))
