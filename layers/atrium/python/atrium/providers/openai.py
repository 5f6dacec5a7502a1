"""Chat completions on OpenAI's wire, through its own SDK: OpenAI, Ollama and every server that speaks it too."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from functools import partial
from typing import TYPE_CHECKING, Any, Final, Literal, cast

from atrium.kernel.errors import ProviderUnavailable
from atrium.providers.base import ChatEvent, ChatRequest, Completed, TextDelta, Usage
from atrium.providers.catalogue import Provider, chat_spec
from atrium.providers.credentials import CredentialsSource
from atrium.providers.openai_connection import CONNECT_TIMEOUT, Connection, translated

if TYPE_CHECKING:
    from openai import AsyncOpenAI, AsyncStream
    from openai.types.chat import ChatCompletionChunk

FinishReason = Literal["stop", "length", "content_filter", "tool_calls"]
_FINISH: Final[dict[str, FinishReason]] = {
    "stop": "stop",
    "length": "length",
    "content_filter": "content_filter",
    "tool_calls": "tool_calls",
    "function_call": "tool_calls",
}


class OpenAIChat:
    """Chat completions behind `ChatModel`."""

    def __init__(self, credentials: CredentialsSource, provider: Provider) -> None:
        self._connection = Connection(credentials, provider)

    async def stream(self, request: ChatRequest) -> AsyncGenerator[ChatEvent]:
        """Yield the answer as it comes. `request.timeout` bounds the whole call, retries included."""
        deadline = asyncio.get_running_loop().time() + request.timeout
        provider = self._connection.provider
        with translated(provider):
            async with asyncio.timeout_at(deadline):
                stream = await self._connection.use(partial(_open, provider, request))
            # Closing this generator lands here, and the provider's answer stops with its connection.
            async with stream, aclosing(_events(provider, stream, deadline)) as events:
                async for event in events:
                    yield event

    async def close(self) -> None:
        """Close idle connections."""
        await self._connection.close()


async def _open(provider: Provider, request: ChatRequest, client: "AsyncOpenAI") -> "AsyncStream[ChatCompletionChunk]":
    from openai import Timeout, omit

    reasoning = chat_spec(f"{provider.name}/{request.model}").reasoning
    return await client.chat.completions.create(
        model=request.model,
        messages=cast("Any", [{"role": each.role, "content": each.content} for each in request.messages]),
        # Only OpenAI's newer models refuse the older name, which every other server knows.
        max_tokens=request.max_tokens if provider.open else omit,
        max_completion_tokens=omit if provider.open else request.max_tokens,
        temperature=omit if reasoning else request.temperature,
        stream=True,
        stream_options={"include_usage": True},
        timeout=Timeout(request.timeout, connect=CONNECT_TIMEOUT),
    )


async def _events(provider: Provider, stream: "AsyncStream[ChatCompletionChunk]", deadline: float) -> AsyncGenerator[ChatEvent]:
    finish: FinishReason | None = None
    usage, model = Usage(), ""
    while (chunk := await _next(stream, deadline)) is not None:
        model = chunk.model or model
        usage = _usage(chunk) or usage
        for choice in chunk.choices[:1]:
            if choice.delta.content:
                yield TextDelta(choice.delta.content)
            if choice.finish_reason:
                finish = _FINISH.get(choice.finish_reason, "stop")
    if finish is None:
        raise ProviderUnavailable(f"The answer of {provider.label} broke off")
    yield Completed(finish, usage, model)


async def _next(stream: "AsyncStream[ChatCompletionChunk]", deadline: float) -> "ChatCompletionChunk | None":
    # The HTTP client only times each read: a trickle of frames would never end.
    async with asyncio.timeout_at(deadline):
        return await anext(stream, None)


def _usage(chunk: "ChatCompletionChunk") -> Usage | None:
    if chunk.usage is None:
        return None
    details = chunk.usage.prompt_tokens_details
    return Usage(chunk.usage.prompt_tokens, chunk.usage.completion_tokens, (details and details.cached_tokens) or 0)
