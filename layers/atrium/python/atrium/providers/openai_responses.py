"""OpenAI's Responses API as the same stream of events that Chat Completions gives."""

from collections.abc import AsyncGenerator
from typing import TYPE_CHECKING, Any, Final

from atrium.providers.base import ChatEvent, Completed, TextDelta, ToolCallDelta, Usage
from atrium.providers.catalogue import Provider
from atrium.providers.openai_connection import stream_error
from atrium.providers.openai_frames import FinishReason, Frame, as_text, broken_off, counted, following, read_to_the_end

if TYPE_CHECKING:
    from openai import AsyncStream

_ENDS: Final = frozenset({"response.completed", "response.incomplete"})


async def responses_events(provider: Provider, stream: "AsyncStream[Frame]", deadline: float) -> AsyncGenerator[ChatEvent]:
    """What is said, refused or called, then the end. The loop's time `deadline` bounds it."""
    answer, began = _Answer(provider), False
    while (event := await following(stream, deadline)) is not None:
        began = True
        if event.type in _ENDS:
            end = answer.end(event.response)
            await read_to_the_end(stream)
            yield end
            return
        for each in answer.take(event):
            yield each
    raise broken_off(provider, stream, began=began)


def response_events(provider: Provider, response: Frame) -> list[ChatEvent]:
    """The same of an answer that came whole."""
    answer = _Answer(provider)
    if response.status == "failed":
        raise stream_error(provider.label, _words(response.error))
    events = [event for at, item in enumerate(response.output) for event in answer.take_item(at, item)]
    return [*events, answer.end(response)]


class _Answer:
    """What of one answer came so far."""

    def __init__(self, provider: Provider) -> None:
        self._provider = provider
        self._refused = False
        # The place of each call among the calls, by its place among all that is put out; and which have told arguments.
        self._calls: dict[int, int] = {}
        self._told: set[int] = set()

    def take(self, event: Frame) -> list[ChatEvent]:
        """The events that one of theirs is to us; ValueError: it is none."""
        match event.type:
            case "response.output_text.delta":
                return self._said(event.delta)
            case "response.refusal.delta":
                self._refused = True
                return self._said(event.delta)
            case "response.output_item.added" if event.item.type == "function_call":
                return [self._call(event.output_index, event.item)]
            case "response.function_call_arguments.delta":
                return self._arguments(event.output_index, event.delta)
            case "response.function_call_arguments.done" if self._calls[event.output_index] not in self._told:
                return self._arguments(event.output_index, event.arguments)
            case "response.failed":
                raise stream_error(self._provider.label, _words(event.response.error))
            case "error":
                raise stream_error(self._provider.label, _words(event))
            case _:
                return []

    def take_item(self, at: int, item: Frame) -> list[ChatEvent]:
        """The events of all that is in one item."""
        if item.type == "function_call":
            return [self._call(at, item)]
        if item.type != "message":
            return []
        self._refused = self._refused or any(part.type == "refusal" for part in item.content)
        texts = (part.refusal if part.type == "refusal" else part.text for part in item.content)
        return [event for text in texts for event in self._said(text)]

    def end(self, response: Frame) -> Completed:
        """The last event, of the response as a whole."""
        usage = _usage(response.usage)
        return Completed(self._finish(response), usage or Usage(), as_text(response.model), counted=usage is not None)

    def _finish(self, response: Frame) -> FinishReason:
        if response.status == "incomplete":
            reason = getattr(response.incomplete_details, "reason", None)
            return "content_filter" if reason == "content_filter" else "length"
        if self._refused:
            return "content_filter"
        return "tool_calls" if self._calls else "stop"

    def _said(self, delta: object) -> list[ChatEvent]:
        text = as_text(delta)
        return [TextDelta(text)] if text else []

    def _call(self, at: int, item: Frame) -> ToolCallDelta:
        name, call_id = as_text(item.name), as_text(item.call_id)
        if not name or not call_id:
            raise ValueError("a tool call without a name or an id")
        place = self._calls[at] = len(self._calls)
        arguments = as_text(item.arguments)
        if arguments:
            self._told.add(place)
        return ToolCallDelta(place, call_id, name, arguments)

    def _arguments(self, at: int, delta: object) -> list[ChatEvent]:
        place, arguments = self._calls[at], as_text(delta)
        self._told.add(place)
        return [ToolCallDelta(place, arguments=arguments)] if arguments else []


def _words(error: Frame) -> dict[str, Any]:
    return {field: getattr(error, field, None) for field in ("code", "message", "param")}


def _usage(usage: Frame) -> Usage | None:
    if usage is None:
        return None
    return counted(usage.input_tokens, usage.output_tokens, getattr(usage.input_tokens_details, "cached_tokens", 0))
