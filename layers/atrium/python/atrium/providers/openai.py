"""Chat completions on OpenAI's wire, through its own SDK: OpenAI, Ollama and every server that speaks it too.

A model's spec says which of the wire's two forms it is asked in: Chat Completions here, Responses in openai_responses.
"""

import asyncio
import secrets
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import TYPE_CHECKING, Any, Final, cast

from atrium.providers.base import ChatEvent, ChatRequest, Completed, TextDelta, ToolCallDelta, Usage
from atrium.providers.catalogue import ChatSpec, Provider, chat_spec
from atrium.providers.credentials import CredentialsSource
from atrium.providers.openai_connection import CONNECT_TIMEOUT, Connection, translated
from atrium.providers.openai_frames import FinishReason, as_text, broken_off, counted, following
from atrium.providers.openai_messages import chat_body, responses_body, unsaid
from atrium.providers.openai_responses import responses_events

if TYPE_CHECKING:
    from openai import AsyncOpenAI, AsyncStream, Timeout
    from openai.types.chat import ChatCompletionChunk
    from openai.types.chat.chat_completion_chunk import Choice, ChoiceDeltaToolCall

_FINISH: Final[dict[str, FinishReason]] = {
    "stop": "stop",
    "length": "length",
    "content_filter": "content_filter",
    "tool_calls": "tool_calls",
    "function_call": "tool_calls",
}


class OpenAIChat:
    """OpenAI's wire behind `ChatModel`."""

    def __init__(self, credentials: CredentialsSource, provider: Provider) -> None:
        self._connection = Connection(credentials, provider)

    def ignores(self, request: ChatRequest) -> tuple[str, ...]:
        """What the wire's form for this model has no words for, and what a reasoning model would refuse."""
        spec = self._spec(request)
        return unsaid(request, spec, responses=spec.api == "responses")

    async def stream(self, request: ChatRequest) -> AsyncGenerator[ChatEvent]:
        """Yield the answer as it comes. `request.timeout` bounds the whole call."""
        deadline = asyncio.get_running_loop().time() + request.timeout
        provider, spec = self._connection.provider, self._spec(request)
        with translated(provider):
            async with asyncio.timeout_at(deadline):
                stream = await self._connection.use(lambda client: _open(client, provider, spec, request))
            read: Any = responses_events if spec.api == "responses" else _events
            # Closing this generator lands here, and the provider's answer stops with its connection.
            async with stream, aclosing(read(provider, stream, deadline)) as events:
                async for event in events:
                    yield event

    async def close(self) -> None:
        """Close idle connections."""
        await self._connection.close()

    def _spec(self, request: ChatRequest) -> ChatSpec:
        return chat_spec(f"{self._connection.provider.name}/{request.model}")


async def _open(client: "AsyncOpenAI", provider: Provider, spec: ChatSpec, request: ChatRequest) -> "AsyncStream[Any]":
    if spec.api == "responses":
        wanted: Any = responses_body(request, spec) | {"stream": True}
        return cast("AsyncStream[Any]", await client.responses.create(**wanted, timeout=_timeout(request)))
    body: Any = chat_body(request, provider, spec) | {"stream": True, "stream_options": {"include_usage": True}}
    return cast("AsyncStream[Any]", await client.chat.completions.create(**body, timeout=_timeout(request)))


def _timeout(request: ChatRequest) -> "Timeout":
    from openai import Timeout

    return Timeout(request.timeout, connect=CONNECT_TIMEOUT)


async def _events(provider: Provider, stream: "AsyncStream[ChatCompletionChunk]", deadline: float) -> AsyncGenerator[ChatEvent]:
    answer, usage, model, began = _Answer(), None, "", False
    while (chunk := await following(stream, deadline)) is not None:
        began, model = True, as_text(chunk.model) or model
        usage = _usage(chunk) or usage
        for choice in chunk.choices[:1]:
            for event in answer.take(choice):
                yield event
    if answer.finish is None:
        raise broken_off(provider, stream, began=began)
    yield Completed(answer.finish_reason, usage or Usage(), model, counted=usage is not None)


class _Answer:
    """What of one answer came so far."""

    def __init__(self) -> None:
        self.finish: FinishReason | None = None
        self._refused = False
        self._calls = _Calls()

    @property
    def finish_reason(self) -> FinishReason:
        """Some servers say `stop` also after tool calls, and OpenAI after a refusal."""
        if self._refused:
            return "content_filter"
        if self._calls.count and self.finish == "stop":
            return "tool_calls"
        return self.finish or "stop"

    def take(self, choice: "Choice") -> list[ChatEvent]:
        """The events of the next piece. ValueError: it is none."""
        events: list[ChatEvent] = []
        delta = choice.delta
        if delta is not None:
            said, refusal = as_text(delta.content), as_text(delta.refusal)
            self._refused = self._refused or bool(refusal)
            events += [TextDelta(each) for each in (said, refusal) if each]
            events += [self._calls.piece(each) for each in delta.tool_calls or ()]
        if choice.finish_reason:
            self.finish = _FINISH.get(as_text(choice.finish_reason), "stop")
        return events


class _Calls:
    """Numbers an answer's tool calls 0, 1, 2 …: some servers give all of them one index, and only a new id tells."""

    def __init__(self) -> None:
        self.count = 0
        self._places: dict[int, tuple[int, str]] = {}

    def piece(self, piece: "ChoiceDeltaToolCall") -> ToolCallDelta:
        place, known = self._places.get(piece.index, (-1, ""))
        name, arguments = as_text(piece.function and piece.function.name), as_text(piece.function and piece.function.arguments)
        given = as_text(piece.id)
        if place >= 0 and given in ("", known):
            return ToolCallDelta(place, arguments=arguments)
        if not name:
            raise ValueError("a tool call without a name")
        place, self.count = self.count, self.count + 1
        self._places[piece.index] = (place, given)
        return ToolCallDelta(place, given or f"call_{secrets.token_hex(8)}", name, arguments)


def _usage(chunk: "ChatCompletionChunk") -> Usage | None:
    if chunk.usage is None:
        return None
    details = chunk.usage.prompt_tokens_details
    return counted(chunk.usage.prompt_tokens, chunk.usage.completion_tokens, details and details.cached_tokens)
