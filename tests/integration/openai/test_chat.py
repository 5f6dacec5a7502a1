"""Chats under /v1: relayed, streamed, metered, and settled whatever becomes of them."""

from typing import Any

import pytest

from tests.fakes.openai_server import OpenAIServer
from tests.fakes.wire import Script
from tests.integration.openai.conftest import GPT, HELLO, Api, frames


async def test_an_answer_is_relayed_and_metered(api: Api, openai: OpenAIServer) -> None:
    for _ in range(2):
        answer = await api.post("/chat/completions", HELLO)
        assert answer.status_code == 200, answer.text
        assert answer.json()["choices"][0]["message"]["content"] == "Hello, you there."
        assert answer.headers["x-request-id"]
        assert answer.headers["ratelimit-limit"]
    calls = await api.calls()
    assert [(call["outcome"], call["feature"], call["model"], call["counted"]) for call in calls] == [
        ("ok", "openai", GPT, True)
    ] * 2
    assert all(call["cost"] > 0 and call["attempts"][-1]["outcome"] == "ok" for call in calls)
    sent = openai.requests[-1]
    assert sent.json()["model"] == "gpt-4o-mini"
    assert sent.headers["authorization"] == "Bearer sk-of-the-platform"
    assert not {"cookie", "x-api-key"} & set(sent.headers)


@pytest.mark.parametrize("wanted", [True, False])
async def test_a_stream_is_relayed_frame_by_frame_and_counted(api: Api, openai: OpenAIServer, wanted: bool) -> None:
    body = HELLO | {"stream": True} | ({"stream_options": {"include_usage": True}} if wanted else {})
    answer = await api.post("/chat/completions", body)
    assert (answer.status_code, answer.headers["content-type"]) == (200, "text/event-stream; charset=utf-8")
    told = frames(answer)
    assert told[-1] == "[DONE]"
    assert (
        "".join(each["choices"][0]["delta"].get("content") or "" for each in told[:-1] if each["choices"]) == "Hello, you there."
    )
    assert any(not each["choices"] for each in told[:-1]) is wanted
    (call,) = await api.calls()
    assert (call["outcome"], call["counted"]) == ("ok", True)
    assert openai.requests[-1].json()["stream_options"] == {"include_usage": True}


async def test_a_cut_stream_ends_with_an_error_and_is_settled_for_what_was_produced(api: Api, openai: OpenAIServer) -> None:
    openai.script(Script(cut_after=3))
    answer = await api.post("/chat/completions", HELLO | {"stream": True})
    last = frames(answer)[-1]
    assert (answer.status_code, last["error"]["code"]) == (200, "provider_unavailable")
    (call,) = await api.calls()
    assert (call["outcome"], call["counted"]) == ("cut", False)
    assert call["output_tokens"] > 0


BROKEN: dict[str, tuple[Any, str]] = {
    "no model": ({"messages": HELLO["messages"]}, "model"),
    "no messages": ({"model": GPT, "messages": []}, "messages"),
    "a message that is none": ({"model": GPT, "messages": ["Hi"]}, "messages[0]"),
    "content of a wrong type": ({"model": GPT, "messages": [{"role": "user", "content": 5}]}, "messages[0].content"),
    "max_tokens as text": (HELLO | {"max_tokens": "5"}, "max_tokens"),
    "no answer": (HELLO | {"n": 0}, "n"),
    "stream as text": (HELLO | {"stream": "yes"}, "stream"),
}


@pytest.mark.parametrize("name", list(BROKEN))
async def test_what_is_wrong_is_named(api: Api, name: str) -> None:
    body, param = BROKEN[name]
    answer = await api.post("/chat/completions", body)
    error = answer.json()["error"]
    assert (answer.status_code, error["type"], error["param"]) == (400, "invalid_request_error", param)
    assert await api.calls() == []
