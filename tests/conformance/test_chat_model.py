"""What every `ChatModel` does, whoever is behind it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, aclosing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from atrium.providers import registry
from atrium.providers.base import ChatEvent, ChatModel, ChatRequest, Completed, Message, Passage, TextDelta
from atrium.providers.credentials import Credentials
from tests.fakes.openai_server import OpenAIServer

PASSAGES = (
    Passage(1, "The pump weighs 42 kg. Its casing is made of cast iron."),
    Passage(2, "The warranty period is 24 months from delivery. Wearing parts are excluded."),
)
QUESTION = "How long is the warranty period?"
PROMPT = "\n".join([*(f"[{each.marker}] {each.text}" for each in PASSAGES), QUESTION])
MODELS = ["local/extractive", "openai/gpt-4.1-mini", "ollama/llama3.2"]


@dataclass(frozen=True)
class Subject:
    """A model and a request that it can answer from its passages."""

    model: ChatModel
    request: ChatRequest

    async def events(self, **changes: Any) -> list[ChatEvent]:
        return [event async for event in self.model.stream(replace(self.request, **changes))]


@pytest.fixture(params=MODELS)
async def subject(request: pytest.FixtureRequest, model_dir: Path) -> AsyncIterator[Subject]:
    async with AsyncExitStack() as stack:
        server = await stack.enter_async_context(OpenAIServer(own=request.param.startswith("ollama/")))

        async def credentials(provider: str, *, refresh: bool = False) -> Credentials:
            return Credentials("sk-test", server.base_url)

        model = registry.chat_model(request.param, credentials=credentials, model_dir=model_dir)
        if close := getattr(model, "close", None):
            stack.push_async_callback(close)
        messages = (Message("system", "Answer from the passages."), Message("user", PROMPT))
        name = registry.own_name(request.param)
        yield Subject(model, ChatRequest(name, messages, passages=PASSAGES, question=QUESTION, timeout=10))


async def test_pieces_then_exactly_one_end(subject: Subject) -> None:
    *deltas, end = await subject.events()
    assert len(deltas) > 3
    assert all(isinstance(each, TextDelta) and each.text for each in deltas)
    assert isinstance(end, Completed)
    assert (end.finish_reason, end.model) == ("stop", subject.request.model)


async def test_the_answer_is_quoted_with_its_marker(subject: Subject) -> None:
    events = await subject.events()
    answer = "".join(each.text for each in events if isinstance(each, TextDelta))
    assert answer.startswith("The warranty period is 24 months from delivery.")
    assert answer.endswith("[2]")


async def test_usage_is_counted(subject: Subject) -> None:
    end = (await subject.events())[-1]
    assert isinstance(end, Completed)
    assert end.usage.input_tokens > 10
    assert end.usage.output_tokens >= 8


async def test_an_answer_over_max_tokens_ends_early_and_says_so(subject: Subject) -> None:
    *deltas, end = await subject.events(max_tokens=4)
    assert isinstance(end, Completed)
    assert end.finish_reason == "length"
    assert 0 < len(deltas) <= 4


async def test_nothing_to_answer_from_is_said(subject: Subject) -> None:
    question = "Who won?"
    events = await subject.events(passages=(), question=question, messages=(Message("user", question),))
    answer = "".join(each.text for each in events if isinstance(each, TextDelta))
    assert "could not find" in answer
    assert "[" not in answer


async def test_a_reader_may_leave_at_any_time(subject: Subject) -> None:
    events: Any = subject.model.stream(subject.request)
    async with aclosing(events):
        assert isinstance(await anext(events), TextDelta)
    assert [event async for event in events] == []


async def test_streams_do_not_mix(subject: Subject) -> None:
    one, other = await asyncio.gather(subject.events(), subject.events())
    assert one == other == await subject.events()
