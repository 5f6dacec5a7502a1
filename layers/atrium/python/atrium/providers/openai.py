"""Chat completions on OpenAI's wire, through its own SDK: OpenAI, Ollama and every server that speaks it too.

A model's spec says which of the wire's two forms it is asked in: Chat Completions here, Responses in openai_responses.
"""

import asyncio
import secrets
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import aclosing
from typing import TYPE_CHECKING, Any, Final

from atrium.kernel.errors import ProviderError
from atrium.providers.base import ChatEvent, ChatRequest, Completed, TextDelta, ToolCallDelta, Usage
from atrium.providers.catalogue import Capability, ChatSpec, Provider, chat_spec
from atrium.providers.connection import CONNECT_TIMEOUT
from atrium.providers.credentials import CredentialsSource
from atrium.providers.openai_connection import Connection, load_sdk, translated
from atrium.providers.openai_frames import FinishReason, Frame, as_text, broken_off, counted, following
from atrium.providers.openai_messages import chat_body, responses_body, unsaid
from atrium.providers.openai_responses import response_events, responses_events

if TYPE_CHECKING:
    from openai import AsyncOpenAI, AsyncStream, Timeout
    from openai.types.chat import ChatCompletion, ChatCompletionChunk, ChatCompletionMessage
    from openai.types.chat.chat_completion_chunk import ChoiceDelta

_FINISH: Final[dict[str, FinishReason]] = {
    "stop": "stop",
    "length": "length",
    "content_filter": "content_filter",
    "tool_calls": "tool_calls",
    "function_call": "tool_calls",
}


class OpenAIChat:
    """OpenAI's wire behind `ChatModel`."""

    def __init__(
        self, credentials: CredentialsSource, provider: Provider, spec_of: Callable[[str], ChatSpec] = chat_spec
    ) -> None:
        """`spec_of` knows the models, by `provider/name`."""
        self._connection = Connection(credentials, provider)
        self._spec_of = spec_of

    def ignores(self, request: ChatRequest) -> tuple[str, ...]:
        """What the wire's form for this model has no words for, and what a reasoning model would refuse."""
        spec = self._spec(request)
        return unsaid(request, spec, responses=spec.api == "responses")

    async def stream(self, request: ChatRequest) -> AsyncGenerator[ChatEvent]:
        """Yield the answer as it comes, or all at once where the model does not stream. `request.timeout` bounds the call."""
        deadline = asyncio.get_running_loop().time() + request.timeout
        await load_sdk(deadline)
        provider, spec = self._connection.provider, self._spec(request)
        with translated(provider):
            async with asyncio.timeout_at(deadline):
                answer = await self._connection.use(lambda client: _ask(client, provider, spec, request))
            if Capability.STREAMING not in spec.capabilities:
                for event in _WHOLE[spec.api](provider, answer):
                    yield event
                return
            # Closing this generator lands here, and the provider's answer stops with its connection.
            async with answer, aclosing(_STREAMED[spec.api](provider, answer, deadline)) as events:
                async for event in events:
                    yield event

    async def close(self) -> None:
        """Close idle connections."""
        await self._connection.close()

    def _spec(self, request: ChatRequest) -> ChatSpec:
        return self._spec_of(f"{self._connection.provider.name}/{request.model}")


async def _ask(client: "AsyncOpenAI", provider: Provider, spec: ChatSpec, request: ChatRequest) -> Frame:
    """The SDK's stream, or its completion or response."""
    create: Any = client.responses.create if spec.api == "responses" else client.chat.completions.create
    body = responses_body(request, spec) if spec.api == "responses" else chat_body(request, provider, spec)
    if Capability.STREAMING in spec.capabilities:
        body["stream"] = True
        if spec.api == "chat":
            body["stream_options"] = {"include_usage": True}
    return await create(**body, timeout=_timeout(request))


def _timeout(request: ChatRequest) -> "Timeout":
    from openai import Timeout

    return Timeout(request.timeout, connect=CONNECT_TIMEOUT)


async def _events(provider: Provider, stream: "AsyncStream[ChatCompletionChunk]", deadline: float) -> AsyncGenerator[ChatEvent]:
    answer, usage, model, began = _Answer(), None, "", False
    while (chunk := await following(stream, deadline)) is not None:
        began, model = True, as_text(chunk.model) or model
        usage = _usage(chunk) or usage
        for choice in chunk.choices[:1]:
            for event in answer.take(choice.delta, choice.finish_reason):
                yield event
    if answer.finish is None:
        raise broken_off(provider, stream, began=began)
    yield Completed(answer.finish_reason, usage or Usage(), model, counted=usage is not None)


def _completion_events(provider: Provider, completion: "ChatCompletion") -> list[ChatEvent]:
    """The same of an answer that came whole."""
    answer, choice = _Answer(), completion.choices[0]
    events = answer.take(choice.message, choice.finish_reason)
    if answer.finish is None:
        raise ProviderError(f"The answer of {provider.label} cannot be read", charged=True)
    usage = _usage(completion)
    return [*events, Completed(answer.finish_reason, usage or Usage(), as_text(completion.model), counted=usage is not None)]


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

    def take(self, said: "ChoiceDelta | ChatCompletionMessage | None", finish: object) -> list[ChatEvent]:
        """The events of the next piece, or of all. ValueError: it is none."""
        events: list[ChatEvent] = []
        if said is not None:
            text, refusal = as_text(said.content), as_text(said.refusal)
            self._refused = self._refused or bool(refusal)
            events += [TextDelta(each) for each in (text, refusal) if each]
            events += [self._calls.piece(each) for each in said.tool_calls or ()]
        if finish:
            self.finish = _FINISH.get(as_text(finish), "stop")
        return events


class _Calls:
    """Numbers an answer's tool calls 0, 1, 2 …: some servers give all of them one index, and only a new id tells."""

    def __init__(self) -> None:
        self.count = 0
        self._places: dict[int | None, tuple[int, str]] = {}

    def piece(self, piece: Frame) -> ToolCallDelta:
        """The next piece of one of them, or a whole one, which has no index."""
        index = getattr(piece, "index", None)
        place, known = self._places.get(index, (-1, ""))
        name, arguments = as_text(piece.function and piece.function.name), as_text(piece.function and piece.function.arguments)
        given = as_text(piece.id)
        if place >= 0 and given in ("", known):
            return ToolCallDelta(place, arguments=arguments)
        if not name:
            raise ValueError("a tool call without a name")
        place, self.count = self.count, self.count + 1
        self._places[index] = (place, given)
        return ToolCallDelta(place, given or f"call_{secrets.token_hex(8)}", name, arguments)


def _usage(chunk: "ChatCompletionChunk | ChatCompletion") -> Usage | None:
    if chunk.usage is None:
        return None
    usage, details = chunk.usage, chunk.usage.prompt_tokens_details
    total = getattr(usage, "total_tokens", None)  # not every server tells it
    return counted(usage.prompt_tokens, usage.completion_tokens, details and details.cached_tokens, total)


_STREAMED: Final[Mapping[str, Any]] = {"chat": _events, "responses": responses_events}
_WHOLE: Final[Mapping[str, Any]] = {"chat": _completion_events, "responses": response_events}
