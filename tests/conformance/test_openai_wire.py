"""What we send to OpenAI's wire, and what its fake answers, are what OpenAI's specification says."""

import json
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from atrium.providers.base import ChatRequest, File, Image, JsonSchema, Message, NamedTool, Text, Tool, ToolCall
from atrium.providers.catalogue import ChatSpec, Provider
from atrium.providers.openai_messages import chat_body, responses_body
from tests.conformance.openai_schemas import complaints, needs_specification
from tests.fakes.openai_chat import asked_in_chat
from tests.fakes.openai_responses import asked_in_responses
from tests.fakes.openai_server import OpenAIServer
from tests.fakes.wire import Script

pytestmark = needs_specification

CITY = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"], "additionalProperties": False}
CALLS = [("get_weather", {"city": "Oslo"}), ("get_time", {"city": "Oslo"})]
_SCRIPTS = [
    Script(answer="One two three."),
    Script(calls=CALLS),
    Script(answer="Let me see.", calls=CALLS),
    Script(refusal="I will not."),
    Script(answer=""),
    Script(answer="One two three.", cached=1),
    Script(answer="One two three.", finish="content_filter"),
]
_NAMES = st.text("abcdefgh_", min_size=1, max_size=12)
_TEXTS = st.text(max_size=30)
_SOME = st.text(min_size=1, max_size=30)
_PARTS = st.lists(
    st.one_of(
        st.builds(Text, _SOME),
        st.builds(Image, st.just("https://example.org/a.png"), detail=st.sampled_from(["auto", "low", "high"])),
        st.builds(Image, data=st.binary(min_size=1, max_size=9), media_type=st.just("image/png")),
        st.builds(File, st.binary(min_size=1, max_size=9), name=st.just("a.pdf")),
    ),
    min_size=1,
    max_size=3,
).map(tuple)
_CALLED = st.builds(ToolCall, st.text("abc0", min_size=1, max_size=9), _NAMES, _TEXTS)
_MESSAGES = st.one_of(
    st.builds(Message, st.just("system"), _TEXTS),
    st.builds(Message, st.just("user"), st.one_of(_TEXTS, _PARTS), name=st.sampled_from(["", "ann"])),
    st.builds(Message, st.just("assistant"), _TEXTS, st.lists(_CALLED, max_size=2).map(tuple)),
    st.builds(Message, st.just("tool"), _TEXTS, tool_call_id=st.text("abc0", min_size=1, max_size=9)),
)
_REQUESTS = st.builds(
    ChatRequest,
    st.just("gpt-4.1-mini"),
    st.lists(_MESSAGES, min_size=1, max_size=5).map(tuple),
    max_tokens=st.integers(16, 4096),
    temperature=st.one_of(st.none(), st.floats(0, 2)),
    top_p=st.one_of(st.none(), st.floats(0, 1)),
    stop=st.lists(_SOME, max_size=4).map(tuple),
    seed=st.one_of(st.none(), st.integers(0, 2**31)),
    reasoning_effort=st.sampled_from([None, "low", "high"]),
    tools=st.lists(st.builds(Tool, _NAMES, _TEXTS, st.sampled_from([{}, CITY]), st.booleans()), max_size=3).map(tuple),
    tool_choice=st.one_of(st.sampled_from(["auto", "none", "required"]), st.builds(NamedTool, _NAMES)),
    parallel_tool_calls=st.booleans(),
    response_format=st.one_of(st.none(), st.builds(JsonSchema, _NAMES, st.sampled_from([{}, CITY]), st.booleans(), _TEXTS)),
)
_OPENAI = Provider("openai", "OpenAI")


@pytest.fixture
async def server() -> AsyncIterator[OpenAIServer]:
    async with OpenAIServer() as server:
        yield server


async def post(server: OpenAIServer, path: str, body: dict[str, Any]) -> httpx.Response:
    async with httpx.AsyncClient() as client:
        return await client.post(server.base_url + path, json={"model": "gpt-4.1-mini"} | body)


def frames(response: httpx.Response) -> list[Any]:
    lines = [line.removeprefix("data: ") for line in response.text.splitlines() if line.startswith("data: ")]
    return [json.loads(line) for line in lines if line != "[DONE]"]


@given(_REQUESTS, st.booleans())
@settings(max_examples=150, deadline=None)
def test_every_request_is_one_of_openais(request: ChatRequest, reasoning: bool) -> None:
    spec = ChatSpec("openai/gpt-4.1-mini", 1000, 1000, reasoning)
    assert complaints("CreateChatCompletionRequest", chat_body(request, _OPENAI, spec)) == []
    assert complaints("CreateResponse", responses_body(request, spec)) == []


@given(_REQUESTS)
@settings(deadline=None)
def test_nothing_that_was_said_is_lost(request: ChatRequest) -> None:
    spec = ChatSpec("openai/gpt-4.1-mini", 1000, 1000)
    parts = [part for each in request.messages if not isinstance(each.content, str) for part in each.content]
    chat, responses = chat_body(request, _OPENAI, spec), responses_body(request, spec)
    for asked, body in ((asked_in_chat(chat), chat), (asked_in_responses(responses), responses)):
        assert [each for each in asked.texts if each] == [each.text for each in request.messages if said(each)]
        assert asked.pictures == sum(isinstance(part, Image) for part in parts)
        assert asked.files == sum(isinstance(part, File) for part in parts)
        assert set(asked.tools) == {each.name for each in request.tools}
        calls = [call for each in request.messages for call in each.tool_calls]
        assert all(json.dumps(word) in json.dumps(body) for call in calls for word in (call.id, call.name, call.arguments))


def said(message: Message) -> bool:
    """Whether a text of its own must reach the model; what a tool gave is looked at elsewhere."""
    return message.role != "tool" and bool(message.text)


@pytest.mark.parametrize("script", _SCRIPTS)
async def test_the_fakes_chat_completions_are_openais(server: OpenAIServer, script: Script) -> None:
    messages = {"messages": [{"role": "user", "content": "Say it."}]}
    server.script(script, script)
    whole = await post(server, "/chat/completions", messages)
    streamed = await post(server, "/chat/completions", messages | {"stream": True, "stream_options": {"include_usage": True}})
    assert complaints("CreateChatCompletionResponse", whole.json()) == []
    chunks = frames(streamed)
    assert [each for chunk in chunks for each in complaints("CreateChatCompletionStreamResponse", chunk)] == []
    assert chunks[-1]["usage"] == whole.json()["usage"]


@pytest.mark.parametrize("script", [*_SCRIPTS, Script(error={"code": "rate_limit_exceeded"})])
async def test_the_fakes_responses_are_openais(server: OpenAIServer, script: Script) -> None:
    server.script(script, script)
    whole = await post(server, "/responses", {"input": "Say it."})
    streamed = await post(server, "/responses", {"input": "Say it.", "stream": True})
    assert complaints("Response", whole.json()) == []
    events = frames(streamed)
    assert [each for event in events for each in complaints("ResponseStreamEvent", event)] == []
    assert [each["sequence_number"] for each in events] == list(range(len(events)))
    assert events[-1]["response"] == whole.json()


async def test_the_fakes_embeddings_models_and_errors_are_openais(server: OpenAIServer) -> None:
    for form in ("float", "base64"):
        body = {"model": "text-embedding-3-small", "input": ["one", "two"], "dimensions": 4, "encoding_format": form}
        answer = (await post(server, "/embeddings", body)).json()
        # The specification knows lists of numbers only.
        plain = answer | {"data": [each | {"embedding": [0.5]} for each in answer["data"]]}
        assert complaints("CreateEmbeddingResponse", plain) == []
    server.script(replace(Script(), status=429))
    assert complaints("ErrorResponse", (await post(server, "/responses", {"input": "Say it."})).json()) == []
    async with httpx.AsyncClient() as client:
        models = (await client.get(f"{server.base_url}/models")).json()
    assert complaints("ListModelsResponse", models) == []
