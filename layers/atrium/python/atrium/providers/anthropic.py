"""Chats on Anthropic's wire, the Messages API, through its own SDK."""

import asyncio
import json
from collections.abc import AsyncGenerator, Iterator
from contextlib import aclosing, suppress
from functools import partial
from typing import TYPE_CHECKING, Any, Final, Literal

from atrium.kernel.errors import InvalidInput, UnknownModel
from atrium.providers.anthropic_connection import Connection, load_sdk, translated
from atrium.providers.anthropic_request import body_of, unsaid
from atrium.providers.base import ChatEvent, ChatRequest, Completed, TextDelta, ToolCallDelta, Usage
from atrium.providers.catalogue import ChatSpec, Provider, chat_spec
from atrium.providers.connection import CONNECT_TIMEOUT
from atrium.providers.credentials import CredentialsSource
from atrium.providers.openai_frames import broken_off

if TYPE_CHECKING:
    from anthropic import AsyncAnthropic, AsyncStream
    from anthropic.types import MessageDeltaUsage, RawContentBlockDelta, RawMessageStreamEvent
    from anthropic.types import Usage as TokensTold
    from anthropic.types.raw_content_block_start_event import ContentBlock

FinishReason = Literal["stop", "length", "content_filter", "tool_calls"]
_FINISH: Final[dict[str, FinishReason]] = {
    "end_turn": "stop",
    "stop_sequence": "stop",
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "pause_turn": "length",
    "tool_use": "tool_calls",
    "refusal": "content_filter",
}
# Together they are what OpenAI calls the prompt's tokens.
_INPUT: Final = ("input_tokens", "cache_creation_input_tokens", "cache_read_input_tokens")
_DRAIN_TIMEOUT: Final = 0.5


class AnthropicChat:
    """Messages behind `ChatModel`, and a `Partial`. It makes one attempt: who calls it retries."""

    def __init__(self, credentials: CredentialsSource, provider: Provider) -> None:
        self._connection = Connection(credentials, provider)

    def ignores(self, request: ChatRequest) -> tuple[str, ...]:
        """What of the request the model is not told, or not exactly: `seed`, a temperature over 1."""
        return unsaid(request, self._spec(request))

    async def stream(self, request: ChatRequest) -> AsyncGenerator[ChatEvent]:
        """Yield the answer as it comes, thoughts left out. `request.timeout` bounds the whole call."""
        deadline = asyncio.get_running_loop().time() + request.timeout
        body = body_of(request, self._spec(request))
        await load_sdk(deadline)
        with translated(self._connection.provider):
            async with asyncio.timeout_at(deadline):
                stream = await self._connection.use(partial(_open, body, request.timeout))
            # Closing this generator lands here, and the provider's answer stops with its connection.
            async with stream, aclosing(self._events(stream, deadline)) as events:
                async for event in events:
                    yield event

    async def close(self) -> None:
        """Close idle connections."""
        await self._connection.close()

    def _spec(self, request: ChatRequest) -> ChatSpec:
        name = f"{self._connection.provider.name}/{request.model}"
        try:
            return chat_spec(name)
        except UnknownModel:
            # Most likely newer than the catalogue, and so asked in the newest way.
            return ChatSpec(name, context_window=0, max_output=0, reasoning=True)

    async def _events(self, stream: "AsyncStream[RawMessageStreamEvent]", deadline: float) -> AsyncGenerator[ChatEvent]:
        answer = _Answer()
        while not answer.ended and (event := await _next(stream, deadline)) is not None:
            for each in answer.read(event):
                yield each
        if not answer.ended or answer.stop_reason is None:
            raise broken_off(self._connection.provider, stream, began=False)
        yield answer.completed()
        await _drain(stream)


async def _open(body: dict[str, Any], seconds: float, client: "AsyncAnthropic") -> "AsyncStream[RawMessageStreamEvent]":
    from anthropic import Timeout

    try:
        stream: AsyncStream[RawMessageStreamEvent] = await client.messages.create(
            # The body names it. Where it is named here too, the SDK warns of models that it takes for retired.
            model="",
            max_tokens=body["max_tokens"],
            messages=body["messages"],
            stream=True,
            # The SDK has no word for temperature any more, which older models still take; the rest goes the same way.
            extra_body=body,
            timeout=Timeout(seconds, connect=CONNECT_TIMEOUT),
        )
    except (ValueError, RecursionError) as exc:
        # Nothing of the answer was read yet.
        raise InvalidInput("The request holds text that is no Unicode, or JSON that is nested too deeply") from exc
    return stream


async def _next(stream: "AsyncStream[RawMessageStreamEvent]", deadline: float) -> "RawMessageStreamEvent | None":
    # The HTTP client only times each read: a trickle of frames would never end.
    async with asyncio.timeout_at(deadline):
        return await anext(stream, None)


async def _drain(stream: "AsyncStream[RawMessageStreamEvent]") -> None:
    """Read to the end, so that the connection can be used again; not for long, as nobody needs what comes."""
    # Whatever comes, the answer was whole.
    with suppress(Exception):
        async with asyncio.timeout(_DRAIN_TIMEOUT):
            await anext(stream, None)


class _Answer:
    """What was read of one answer. Numbers are cumulative: the last one told counts."""

    def __init__(self) -> None:
        self.ended = False
        self.stop_reason: str | None = None
        self._model = ""
        self._tokens: dict[str, int] = {}
        self._counted = False
        # By block, the call's index and whether it has arguments yet.
        self._calls: dict[int, int] = {}
        self._argued: set[int] = set()

    def read(self, event: "RawMessageStreamEvent") -> Iterator[ChatEvent]:
        match event.type:
            case "message_start":
                self._model = event.message.model
                self._count(event.message.usage)
            case "content_block_start":
                yield from self._start(event.index, event.content_block)
            case "content_block_delta":
                yield from self._delta(event.index, event.delta)
            case "content_block_stop":
                yield from self._stop(event.index)
            case "message_delta":
                self.stop_reason = event.delta.stop_reason or self.stop_reason
                self._counted |= self._count(event.usage)
            case "message_stop":
                self.ended = True

    def completed(self) -> Completed:
        tokens = self._tokens
        usage = Usage(
            sum(tokens.get(name, 0) for name in _INPUT), tokens.get("output_tokens", 0), tokens.get("cache_read_input_tokens", 0)
        )
        return Completed(_FINISH.get(self.stop_reason or "", "stop"), usage, self._model, self._counted)

    def _start(self, index: int, block: "ContentBlock") -> Iterator[ChatEvent]:
        if block.type == "text" and block.text:
            yield TextDelta(block.text)
        if block.type == "tool_use":
            call = self._calls[index] = len(self._calls)
            yield ToolCallDelta(call, block.id, block.name)
            if block.input:
                yield from self._arguments(index, json.dumps(block.input))

    def _delta(self, index: int, delta: "RawContentBlockDelta") -> Iterator[ChatEvent]:
        if delta.type == "text_delta" and delta.text:
            yield TextDelta(delta.text)
        if delta.type == "input_json_delta" and delta.partial_json:
            yield from self._arguments(index, delta.partial_json)

    def _arguments(self, index: int, text: str) -> Iterator[ChatEvent]:
        self._argued.add(index)
        yield ToolCallDelta(self._calls[index], arguments=text)

    def _stop(self, index: int) -> Iterator[ChatEvent]:
        # A call without arguments has no pieces of them; OpenAI's way to say so is an empty object.
        if index in self._calls and index not in self._argued:
            yield from self._arguments(index, "{}")

    def _count(self, usage: "TokensTold | MessageDeltaUsage") -> bool:
        """Whether anything was told."""
        told = {name: getattr(usage, name, None) for name in (*_INPUT, "output_tokens")}
        self._tokens |= {name: number for name, number in told.items() if isinstance(number, int)}
        return isinstance(told["output_tokens"], int)
