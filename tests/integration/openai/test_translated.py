"""Models on another wire behind the same door: the local one, and Anthropic's."""

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.fakes.anthropic_server import AnthropicServer
from tests.fakes.wire import Script
from tests.integration.openai.conftest import Api, frames

CLAUDE = "anthropic/claude-sonnet-4-6"
TOOL = {
    "type": "function",
    "function": {"name": "weather", "description": "Of a city", "parameters": {"type": "object", "properties": {}}},
}
DOCUMENT = "Refunds are paid within 14 days. Shipping takes three days."


def chat(text: str, **fields: Any) -> dict[str, Any]:
    return {"model": CLAUDE, "messages": [{"role": "user", "content": text}], **fields}


@pytest.fixture
async def anthropic(api: Api) -> AsyncIterator[AnthropicServer]:
    async with AnthropicServer(answer=lambda request: "Bonjour to you.") as server:
        secret = json.dumps({"api_key": "sk-ant", "base_url": server.base_url})
        api.runtime.memory_secrets.values["atrium/providers/anthropic"] = secret
        yield server
        await api.runtime.close()


async def test_the_local_model_quotes_what_it_is_given(api: Api) -> None:
    messages = [{"role": "system", "content": DOCUMENT}, {"role": "user", "content": "When are refunds paid?"}]
    answer = await api.post("/chat/completions", {"model": "local/extractive", "messages": messages, "seed": 5, "user": "me"})
    assert answer.status_code == 200, answer.text
    assert "14 days" in answer.json()["choices"][0]["message"]["content"]
    assert "user" in answer.headers["x-atrium-ignored"]
    (call,) = await api.calls()
    assert (call["outcome"], call["cost"], call["model"]) == ("ok", 0, "local/extractive")


async def test_a_replay_says_what_was_ignored(api: Api) -> None:
    body = {"model": "local/extractive", "messages": [{"role": "user", "content": DOCUMENT}], "logit_bias": {"1": 1}}
    first, again = [await api.post("/chat/completions", body, **{"Idempotency-Key": "one"}) for _ in range(2)]
    assert again.headers["idempotency-replayed"] == "true"
    assert again.headers["x-atrium-ignored"] == first.headers["x-atrium-ignored"] == "logit_bias"


@pytest.mark.parametrize("stream", [True, False])
async def test_anthropic_answers_in_openais_shape(api: Api, anthropic: AnthropicServer, stream: bool) -> None:
    body = chat("Hi", stream=stream, frequency_penalty=1, **({"stream_options": {"include_usage": True}} if stream else {}))
    answer = await api.post("/chat/completions", body)
    assert answer.status_code == 200, answer.text
    assert "frequency_penalty" in answer.headers["x-atrium-ignored"]
    if stream:
        *chunks, done = frames(answer)
        assert done == "[DONE]"
        assert chunks[-1]["usage"]["completion_tokens"] > 0
        text = "".join(each["choices"][0]["delta"].get("content") or "" for each in chunks[:-1])
        assert chunks[-2]["choices"][0]["finish_reason"] == "stop"
    else:
        text = answer.json()["choices"][0]["message"]["content"]
        assert answer.json()["usage"]["total_tokens"] > 0
    assert text == "Bonjour to you."
    (call,) = await api.calls()
    assert (call["outcome"], call["model"], call["counted"]) == ("ok", CLAUDE, True)


@pytest.mark.parametrize("stream", [True, False])
async def test_anthropics_tool_calls_are_openais(api: Api, anthropic: AnthropicServer, stream: bool) -> None:
    anthropic.script(Script(calls=[("weather", {"city": "Bern"}), ("weather", {"city": "Genf"})]))
    answer = await api.post("/chat/completions", chat("Weather?", stream=stream, tools=[TOOL]))
    assert answer.status_code == 200, answer.text
    calls: dict[int, str] = {}
    if stream:
        chunks = frames(answer)[:-1]
        for piece in (each for chunk in chunks for each in chunk["choices"][0]["delta"].get("tool_calls", ())):
            calls[piece["index"]] = calls.get(piece["index"], "") + piece["function"]["arguments"]
        reason = chunks[-1]["choices"][0]["finish_reason"]
    else:
        choice = answer.json()["choices"][0]
        calls = {at: each["function"]["arguments"] for at, each in enumerate(choice["message"]["tool_calls"])}
        reason = choice["finish_reason"]
    assert reason == "tool_calls"
    assert [json.loads(each)["city"] for _, each in sorted(calls.items())] == ["Bern", "Genf"]


async def test_a_cut_stream_of_another_wire_is_told_and_settled(api: Api, anthropic: AnthropicServer) -> None:
    anthropic.script(Script(cut_after=4))
    answer = await api.post("/chat/completions", chat("Hi", stream=True))
    assert "error" in frames(answer)[-1]
    (call,) = await api.calls()
    assert call["outcome"] == "cut"


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"n": 2}, "n"),
        ({"functions": [{"name": "f"}]}, "functions"),
        ({"modalities": ["audio"]}, "modalities"),
        ({"tool_choice": {"type": "custom"}}, "tool_choice"),
        ({"messages": [{"role": "user", "content": [{"type": "input_audio"}]}]}, "messages[0].content[0].type"),
        ({"temperature": "hot"}, "temperature"),
    ],
)
async def test_what_the_other_wire_cannot_answer_is_refused_by_name(
    api: Api, anthropic: AnthropicServer, fields: dict[str, Any], param: str
) -> None:
    answer = await api.post("/chat/completions", chat("Hi") | fields)
    assert (answer.status_code, answer.json()["error"]["param"]) == (400, param)
    assert anthropic.requests == []


async def test_what_is_not_told_of_a_part_is_named_by_its_place(api: Api, anthropic: AnthropicServer) -> None:
    mark = {"cache_control": {"type": "ephemeral"}}
    odd = {"x" * 100: 1, "a\r\nSet-Cookie: pwn=1\r\nx": 1}
    parts = [{"type": "text", "text": "Hi", **mark, **odd}] * 3
    body = chat("") | {"messages": [{"role": "user", "content": parts}], "tools": [TOOL | mark]}
    answer = await api.post("/chat/completions", body | {"stream": True, "stream_options": {"include_obfuscation": True}})
    assert answer.status_code == 200, answer.text
    told = answer.headers["x-atrium-ignored"].split(", ")
    named = ["messages.content.cache_control", "stream_options.include_obfuscation", "tools.cache_control"]
    assert (sorted(told[:-1]), told[-1]) == (named, "and 2 more")
    assert "set-cookie" not in answer.headers


@pytest.mark.parametrize("stream", [True, False])
async def test_field_names_of_the_callers_never_write_the_header(api: Api, stream: bool) -> None:
    strange = {"日本": 1, "a\r\nSet-Cookie: pwn=1\r\nx": 1, **{f"field_{at}": 1 for at in range(40)}}
    messages = [{"role": "user", "content": DOCUMENT}]
    answer = await api.post("/chat/completions", {"model": "local/extractive", "messages": messages, "stream": stream} | strange)
    assert answer.status_code == 200, answer.text
    told = answer.headers["x-atrium-ignored"]
    assert told.startswith("field_0, field_1, ")
    assert told.endswith("field_19, and 22 more")
    assert "set-cookie" not in answer.headers
    assert [call["outcome"] for call in await api.calls()] == ["ok"]
