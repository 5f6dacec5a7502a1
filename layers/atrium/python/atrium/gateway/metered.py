"""Models as other features know them, routed and metered on the way."""

from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import aclosing
from typing import Literal, Protocol
from uuid import UUID

from atrium.gateway.embedding import Embedding
from atrium.gateway.models import Answered, ChatCall, GatewayEvent, Purpose
from atrium.kernel.principal import Principal
from atrium.providers.base import ChatEvent, ChatModel, ChatRequest, Completed, Embedder, TokenCounter, Vectors

Chat = Callable[[ChatCall], AsyncGenerator[GatewayEvent]]
ChatModelOf = Callable[[Principal, str], Awaitable[ChatModel]]
EmbedderOf = Callable[[Principal, str], Awaitable[Embedder]]


class Gateway(Protocol):
    """What other features use of the gateway; `atrium.gateway.service.GatewayService` is one."""

    async def chat_model(self, principal: Principal, model: str, purpose: Purpose) -> ChatModel:
        """A chat model whose answers are routed and metered for the principal."""
        ...

    async def embedder(self, principal: Principal, model: str, purpose: Purpose) -> Embedder:
        """An embedding model whose calls are routed and metered for the principal."""
        ...

    async def record_pages(self, principal: Principal, call: UUID, pages: int, purpose: Purpose) -> None:
        """Pages that were read by OCR; once, by the call's id."""
        ...


def chat_models(gateway: Gateway, purpose: Purpose) -> ChatModelOf:
    """Chat models of a name, for one purpose."""
    return lambda principal, model: gateway.chat_model(principal, model, purpose)


def embedders(gateway: Gateway, purpose: Purpose) -> EmbedderOf:
    """Embedding models of a name, for one purpose."""
    return lambda principal, model: gateway.embedder(principal, model, purpose)


class MeteredChat:
    """A `ChatModel` whose every answer goes through the gateway; `chat` is its verb for one principal."""

    def __init__(self, chat: Chat, model: str, purpose: Purpose) -> None:
        self._chat = chat
        self._model = model
        self._purpose = purpose

    async def stream(self, request: ChatRequest) -> AsyncGenerator[ChatEvent]:
        """See `ChatModel.stream`; the request's `timeout` bounds retries too. Errors: also BudgetExceeded, ContextTooLong."""
        call = ChatCall((self._model,), request, self._purpose, request.max_tokens, timeout=request.timeout)
        async with aclosing(self._chat(call)) as events:
            async for event in events:
                if isinstance(event, Answered):
                    yield Completed(event.finish_reason, event.usage, event.model, event.counted)
                else:
                    yield event


class MeteredEmbedder:
    """An `Embedder` whose every call goes through the gateway; `plain` knows its sizes."""

    def __init__(self, plain: Embedder, model: str, embedding: Embedding) -> None:
        self._plain = plain
        self._model = model
        self._embedding = embedding

    @property
    def dimensions(self) -> int:
        """See `Embedder.dimensions`."""
        return self._plain.dimensions

    @property
    def max_tokens(self) -> int:
        """See `Embedder.max_tokens`."""
        return self._plain.max_tokens

    @property
    def tokenizer(self) -> TokenCounter:
        """See `Embedder.tokenizer`."""
        return self._plain.tokenizer

    async def embed(self, texts: Sequence[str], kind: Literal["document", "query"]) -> Vectors:
        """See `Embedder.embed`. Errors: also BudgetExceeded."""
        return (await self._embedding.embed(self._model, texts, kind)).vectors
