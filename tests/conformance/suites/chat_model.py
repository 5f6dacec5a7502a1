"""What every `ChatModel` does, whoever is behind it."""

import asyncio
from collections.abc import Sequence
from contextlib import aclosing
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from atrium.kernel.errors import ProviderError
from atrium.providers.base import (
    ChatEvent,
    ChatModel,
    ChatRequest,
    Completed,
    Message,
    Partial,
    Passage,
    TextDelta,
    ToolCall,
    ToolCallDelta,
)
from tests.fakes.wire import ScriptedServer

PASSAGES = (
    Passage(1, "The pump weighs 42 kg. Its casing is made of cast iron."),
    Passage(2, "The warranty period is 24 months from delivery. Wearing parts are excluded."),
)
QUESTION = "How long is the warranty period?"
PROMPT = "\n".join([*(f"[{each.marker}] {each.text}" for each in PASSAGES), QUESTION])


@dataclass(frozen=True)
class Subject:
    """A model and a request that it can answer from its passages; `server` fakes its provider, where it has one."""

    model: ChatModel
    request: ChatRequest
    server: ScriptedServer = field(default_factory=ScriptedServer)

    async def events(self, **changes: Any) -> list[ChatEvent]:
        """All that the model says to the request, with some of it changed."""
        return [event async for event in self.model.stream(replace(self.request, **changes))]

    async def asked(self, question: str, **changes: Any) -> "Heard":
        """What it says to a plain question, or to the `messages` among the changes."""
        given = {"passages": (), "question": question, "messages": (Message("user", question),)}
        return Heard.of(await self.events(**(given | changes)))

    async def until_it_fails(self, error: type[ProviderError], **changes: Any) -> tuple[list[ChatEvent], ProviderError]:
        """What the model says before an error of exactly that kind, and the error."""
        came: list[ChatEvent] = []
        with pytest.raises(error) as caught:
            await self._into(came, changes)
        assert type(caught.value) is error, caught.value
        return came, caught.value

    async def _into(self, came: list[ChatEvent], changes: dict[str, Any]) -> None:
        async for event in self.model.stream(replace(self.request, **changes)):
            came.append(event)  # noqa: PERF401  a comprehension would lose what came before the error


@dataclass(frozen=True)
class Heard:
    """An answer put together from its events."""

    text: str
    calls: tuple[ToolCall, ...]
    end: Completed

    @classmethod
    def of(cls, events: Sequence[ChatEvent]) -> "Heard":
        """Only what a reader may rely on: a call begins with its id and name, places count from 0, the end is last."""
        calls: list[ToolCall] = []
        for event in events:
            if isinstance(event, ToolCallDelta):
                if event.index == len(calls):
                    assert event.id
                    assert event.name
                    calls.append(ToolCall(event.id, event.name, ""))
                calls[event.index] = replace(calls[event.index], arguments=calls[event.index].arguments + event.arguments)
        *_, end = events
        assert isinstance(end, Completed)
        return cls("".join(each.text for each in events if isinstance(each, TextDelta)), tuple(calls), end)


def subject_of(model: ChatModel, name: str, server: ScriptedServer | None = None) -> Subject:
    """A model under the provider's own name for it."""
    messages = (Message("system", "Answer from the passages."), Message("user", PROMPT))
    request = ChatRequest(name, messages, temperature=None, passages=PASSAGES, question=QUESTION, timeout=10)
    return Subject(model, request, server or ScriptedServer())


class ChatModelSuite:
    """Give the fixture `subject`: a model, its provider faked on the wire by a server that quotes the prompt's passages."""

    @pytest.fixture
    def subject(self) -> Subject:
        """The model under test; see `subject_of`."""
        raise NotImplementedError

    async def test_pieces_then_exactly_one_end(self, subject: Subject) -> None:
        *deltas, end = await subject.events()
        assert len(deltas) > 3
        assert all(isinstance(each, TextDelta) and each.text for each in deltas)
        assert isinstance(end, Completed)
        assert (end.finish_reason, end.model) == ("stop", subject.request.model)

    async def test_the_answer_is_quoted_with_its_marker(self, subject: Subject) -> None:
        events = await subject.events()
        answer = "".join(each.text for each in events if isinstance(each, TextDelta))
        assert answer.startswith("The warranty period is 24 months from delivery.")
        assert answer.endswith("[2]")

    async def test_usage_is_counted(self, subject: Subject) -> None:
        end = (await subject.events())[-1]
        assert isinstance(end, Completed)
        assert end.usage.input_tokens > 10
        assert end.usage.output_tokens >= 8

    async def test_an_answer_over_max_tokens_ends_early_and_says_so(self, subject: Subject) -> None:
        *deltas, end = await subject.events(max_tokens=4)
        assert isinstance(end, Completed)
        assert end.finish_reason == "length"
        assert 0 < len(deltas) <= 4

    async def test_nothing_to_answer_from_is_said(self, subject: Subject) -> None:
        question = "Who won?"
        events = await subject.events(passages=(), question=question, messages=(Message("user", question),))
        answer = "".join(each.text for each in events if isinstance(each, TextDelta))
        assert "could not find" in answer
        assert "[" not in answer

    async def test_a_reader_may_leave_at_any_time(self, subject: Subject) -> None:
        events: Any = subject.model.stream(subject.request)
        async with aclosing(events):
            assert isinstance(await anext(events), TextDelta)
        assert [event async for event in events] == []

    async def test_streams_do_not_mix(self, subject: Subject) -> None:
        one, other = await asyncio.gather(subject.events(), subject.events())
        assert one == other == await subject.events()

    async def test_of_a_plain_request_nothing_is_left_unsaid(self, subject: Subject) -> None:
        assert not isinstance(subject.model, Partial) or subject.model.ignores(subject.request) == ()
