"""Answering questions from a tenant's documents."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from urllib.parse import urlsplit

from atrium.answers.budget import Budget, budget_of, count_tokens
from atrium.answers.citations import CitationReader
from atrium.answers.models import Answer, AnswerEvent, AnswerRequest, Citation, Done, Retrieval, Source, Sources, Token
from atrium.answers.packing import pack
from atrium.answers.prompting import messages
from atrium.answers.sanitising import Sanitiser
from atrium.answers.settling import Settled, Settling, Usable, any_model
from atrium.answers.wording import NO_ANSWER, no_answer
from atrium.db import Database
from atrium.kernel.errors import ProviderError
from atrium.kernel.principal import Principal
from atrium.kernel.settings import Settings
from atrium.providers.base import ChatEvent, ChatModel, ChatRequest, Completed, Passage, TextDelta, ToolCallDelta, Usage
from atrium.providers.catalogue import ChatSpec, chat_spec
from atrium.providers.registry import own_name
from atrium.retrieval.language import detect
from atrium.retrieval.models import SearchRequest, SearchResult
from atrium.retrieval.service import RetrievalService

ChatModelOf = Callable[[Principal, str], Awaitable[ChatModel]]


class AnswerService:
    """Retrieves, asks a model, and proves what it cites. `chat_model` gives the model of a name, for whom.

    `usable` is as of `Settling`.
    """

    def __init__(
        self,
        database: Database,
        retrieval: RetrievalService,
        chat_model: ChatModelOf,
        settings: Settings,
        usable: Usable = any_model,
    ) -> None:
        self._settling = Settling(database, settings.chat_model, usable)
        self._retrieval = retrieval
        self._chat_model = chat_model
        self._settings = settings

    async def answer(self, principal: Principal, request: AnswerRequest) -> AsyncGenerator[AnswerEvent]:
        """`Sources`, then `Token`s and, as sentences end, `Citation`s, then `Done`.

        Nothing found is an answer that says so; no model is asked. Errors, also in the middle: InvalidFields, InvalidInput
        for an unknown model, ProviderError, Unavailable; what was yielded before an error is not an answer.
        """
        settled = await self._settling.settle(principal, request)
        spec = chat_spec(settled.model)
        _budget(spec, request, settled)  # refuses what cannot be answered, before anything is looked for
        found, language = await asyncio.gather(self._search(principal, request), asyncio.to_thread(detect, request.question))
        budget = _budget(spec, request, settled, language)
        packed = pack(found.hits, budget.passages, count_tokens)
        used = sum(len(source.parts) for source in packed.sources)
        retrieval = Retrieval(found.mode, found.candidates_scanned, used, packed.dropped, found.degraded)
        yield Sources(packed.sources, retrieval, settled.prompt)
        if not packed.sources:
            said = no_answer(language)
            yield Token(said)
            yield Done(said, (), (), Usage(), "", "stop")
            return
        asked = _asked(spec, request, settled, packed.sources, budget, language)
        writing = _Writing(packed.sources, urlsplit(self._settings.public_url).netloc, asked.no_answer)
        async with aclosing(self._ask(principal, spec.model, asked)) as events:
            async for event in events:
                for each in writing.take(event):
                    yield each
        yield writing.done(spec.model)

    async def answer_whole(self, principal: Principal, request: AnswerRequest) -> Answer:
        """The same, collected."""
        opening: Sources | None = None
        async for event in self.answer(principal, request):
            if isinstance(event, Sources):
                opening = event
            if isinstance(event, Done) and opening is not None:
                return Answer(opening.sources, opening.retrieval, opening.prompt, event)
        raise ProviderError("The model's answer did not come to an end.")

    async def _search(self, principal: Principal, request: AnswerRequest) -> SearchResult:
        search = SearchRequest(request.question, request.top_k, request.mode, request.scope, request.rerank)
        return await self._retrieval.search(principal, search)

    async def _ask(self, principal: Principal, model: str, asked: ChatRequest) -> AsyncGenerator[ChatEvent]:
        chat = await self._chat_model(principal, model)
        stream = chat.stream(asked)
        try:
            async for event in stream:
                yield event
        finally:
            if isinstance(stream, AsyncGenerator):  # closing it cancels the provider's call
                await stream.aclose()


def _budget(spec: ChatSpec, request: AnswerRequest, settled: Settled, language: str = "") -> Budget:
    return budget_of(spec, request.question, settled.max_tokens, language, settled.instructions)


def _asked(
    spec: ChatSpec,
    request: AnswerRequest,
    settled: Settled,
    sources: tuple[Source, ...],
    budget: Budget,
    language: str,
) -> ChatRequest:
    return ChatRequest(
        model=own_name(spec.model),
        messages=messages(request.question, sources, language, settled.instructions),
        max_tokens=budget.answer,
        passages=tuple(Passage(source.marker, source.text) for source in sources),
        question=request.question,
        no_answer=no_answer(language),
        **settled.options,
    )


class _Writing:
    """One answer as it is written."""

    def __init__(self, sources: tuple[Source, ...], host: str, nothing: str) -> None:
        markers = frozenset(source.marker for source in sources)
        self._sanitiser = Sanitiser([source.text for source in sources], host, markers)
        self._reader = CitationReader(sources, {nothing, NO_ANSWER})
        self._text: list[str] = []
        self._citations: list[Citation] = []
        self._completed: Completed | None = None

    def take(self, event: ChatEvent) -> list[AnswerEvent]:
        """What one event of the model adds."""
        if isinstance(event, TextDelta):
            return self._write(self._sanitiser.feed(event.text))
        if isinstance(event, ToolCallDelta):  # no tool was offered
            return []
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
