"""Chats in OpenAI's shape, as any provider is asked; and events, as OpenAI writes them."""

import base64
import json
from contextlib import suppress
from copy import deepcopy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from atrium.gateway.openai_answers import Answer, read_usage, usage_json
from atrium.gateway.openai_shape import chat_request, ignored
from atrium.kernel.errors import InvalidFields
from atrium.providers.base import (
    ChatEvent,
    ChatRequest,
    Completed,
    File,
    Image,
    JsonSchema,
    Message,
    NamedTool,
    Text,
    TextDelta,
    Tool,
    ToolCall,
    ToolCallDelta,
    Usage,
)
from atrium.providers.catalogue import chat_spec, providers
from atrium.providers.openai_messages import chat_body

NAME = st.from_regex(r"[a-z_]{1,12}", fullmatch=True)
WORDS = st.text(max_size=20)
CONTENT = st.one_of(WORDS, st.lists(WORDS.map(Text), min_size=1, max_size=3).map(tuple))
CALL = st.builds(ToolCall, NAME, NAME, WORDS)
MESSAGE = st.one_of(
    st.builds(Message, st.sampled_from(["system", "user"]), CONTENT),
    st.builds(Message, st.just("assistant"), WORDS, st.lists(CALL, max_size=2).map(tuple)),
    st.builds(Message, st.just("tool"), WORDS, st.just(()), NAME),
)
REQUEST = st.builds(
    ChatRequest,
    model=st.just("gpt-4o-mini"),
    messages=st.lists(MESSAGE, min_size=1, max_size=4).map(tuple),
    max_tokens=st.integers(1, 1000),
    temperature=st.one_of(st.none(), st.floats(0, 2)),
    stop=st.lists(st.text(min_size=1, max_size=5), max_size=2).map(tuple),
    seed=st.one_of(st.none(), st.integers(0, 99)),
    tools=st.lists(st.builds(Tool, NAME, WORDS, st.just({"type": "object"}), strict=st.booleans()), min_size=1, max_size=2).map(
        tuple
    ),
    tool_choice=st.one_of(st.sampled_from(["auto", "none", "required"]), st.builds(NamedTool, NAME)),
    parallel_tool_calls=st.booleans(),
    response_format=st.one_of(st.none(), st.builds(JsonSchema, NAME, st.just({"type": "object"}), st.booleans())),
)
KEYS = st.sampled_from(["role", "content", "type", "text", "image_url", "url", "function", "name", "tool_calls", "file"])
SCALAR = st.none() | st.booleans() | st.integers() | st.text(max_size=5)
JSON = st.recursive(SCALAR, lambda each: st.lists(each, max_size=3) | st.dictionaries(KEYS, each, max_size=4), max_leaves=8)


@given(REQUEST)
def test_what_is_written_for_the_wire_reads_back_the_same(request_: ChatRequest) -> None:
    body = chat_body(request_, providers()["openai"], chat_spec("openai/gpt-4o-mini"))
    read = chat_request(body, model=request_.model, max_tokens=request_.max_tokens, timeout=request_.timeout)
    assert read == request_
    assert list(ignored(body)) == []


@given(
    st.lists(JSON, max_size=3),
    st.dictionaries(st.sampled_from(["tools", "stop", "n", "modalities", "tool_choice", "seed"]), JSON),
)
def test_whatever_is_sent_is_read_or_refused_by_name(messages: list[Any], fields: dict[str, Any]) -> None:
    request = None
    body = {"messages": messages, **fields}
    with suppress(InvalidFields):
        request = chat_request(body, model="m", max_tokens=1, timeout=1)
    assert request is None or len(request.messages) == len(messages)


WHOLE: dict[str, Any] = {
    "model": "m",
    "stream": True,
    "stream_options": {"include_usage": True},
    "messages": [
        {
            "role": "user",
            "content": [
                {"type": "text", "text": "Hi"},
                {"type": "image_url", "image_url": {"url": "https://example.com/a.png", "detail": "low"}},
                {"type": "file", "file": {"file_data": "AAAA", "filename": "a.pdf"}},
            ],
        },
        {
            "role": "assistant",
            "content": [{"type": "refusal", "refusal": "No"}],
            "tool_calls": [{"id": "1", "type": "function", "function": {"name": "f", "arguments": "{}"}}],
        },
        {"role": "tool", "tool_call_id": "1", "content": "Sunny"},
    ],
    "tools": [{"type": "function", "function": {"name": "f", "description": "d", "parameters": {"x": 1}, "strict": True}}],
    "tool_choice": {"type": "function", "function": {"name": "f"}},
    "response_format": {"type": "json_schema", "json_schema": {"name": "n", "schema": {"x": 1}, "strict": True}},
}
# A schema is handed on whole, whatever is in it.
OPAQUE = ("parameters", "schema")


def places(value: Any, path: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    """Where in a body there are objects that somebody reads."""
    below = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    inside = [place for key, each in below if key not in OPAQUE for place in places(each, (*path, key))]
    return [path, *inside] if isinstance(value, dict) else inside


@given(
    st.lists(st.tuples(st.sampled_from(places(WHOLE)), st.from_regex(r"x_[a-z]{1,8}", fullmatch=True), SCALAR), max_size=6),
)
def test_whatever_is_not_read_is_named_at_any_level(planted: list[tuple[tuple[str | int, ...], str, Any]]) -> None:
    body = deepcopy(WHOLE)
    for place, name, value in planted:
        within: Any = body
        for key in place:
            within = within[key]
        within[name] = value
    named = list(ignored(body))
    asked: dict[tuple[Any, ...], Any] = {(*place, name): value for place, name, value in planted}
    wanted = {".".join(key for key in path if isinstance(key, str)) for path, value in asked.items() if value is not None}
    assert len(chat_request(body, model="m", max_tokens=1, timeout=1).messages) == len(body["messages"])
    assert (set(named), len(named)) == (wanted, len(wanted))


def parts(*content: dict[str, Any]) -> tuple[Any, ...]:
    body = {"messages": [{"role": "user", "content": list(content)}]}
    (message,) = chat_request(body, model="m", max_tokens=1, timeout=1).messages
    assert isinstance(message.content, tuple)
    return message.content


def test_pictures_and_files_keep_their_bytes() -> None:
    data = base64.b64encode(b"bytes").decode()
    assert parts(
        {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{data}", "detail": "low"}},
        {"type": "image_url", "image_url": {"url": "https://example.com/a.png"}},
        {"type": "file", "file": {"file_data": f"data:application/pdf;base64,{data}", "filename": "a.pdf"}},
    ) == (
        Image(data=b"bytes", media_type="image/png", detail="low"),
        Image("https://example.com/a.png"),
        File(b"bytes", name="a.pdf"),
    )


@pytest.mark.parametrize(
    "part",
    [
        {"type": "image_url", "image_url": {"url": "file:///etc/passwd"}},
        {"type": "image_url", "image_url": {"url": "data:image/png;base64,!!"}},
        {"type": "file", "file": {"file_id": "file-1"}},
        {"type": "input_audio", "input_audio": {}},
    ],
)
def test_what_no_other_wire_takes_is_refused(part: dict[str, Any]) -> None:
    with pytest.raises(InvalidFields):
        parts(part)


def test_what_is_not_told_is_named() -> None:
    body = {"messages": [{"role": "user", "content": "Hi", "weight": 1}], "logit_bias": {}, "frequency_penalty": 0, "user": "me"}
    assert list(ignored(body)) == ["logit_bias", "user", "messages.weight"]


def test_what_is_not_told_of_a_part_is_named_once() -> None:
    mark = {"cache_control": {"type": "ephemeral"}}
    part = {"type": "text", "text": "Hi", **mark}
    tool = {"type": "function", "function": {"name": "f", "input_examples": [{}]}, **mark}
    body = {"messages": [{"role": "user", "content": [part, part]}], "tools": [tool, tool]}
    named = ["messages.content.cache_control", "tools.cache_control", "tools.function.input_examples"]
    assert list(ignored(body)) == named
    assert list(ignored({"stream_options": {"include_obfuscation": True}})) == ["stream_options.include_obfuscation"]
    assert list(ignored({"stream_options": {"include_usage": True, "include_obfuscation": False}})) == []


@pytest.mark.parametrize(
    ("message", "name"),
    [
        ({"content": "Yes", "refusal": "No"}, "messages.refusal"),
        ({"content": [{"type": "text", "text": "a", "file": {}}]}, "messages.content.file"),
        ({"content": [{"type": "file", "file": {"file_data": "AAAA", "file_id": "1"}}]}, "messages.content.file.file_id"),
    ],
)
def test_what_is_passed_over_for_another_field_is_named(message: dict[str, Any], name: str) -> None:
    assert list(ignored({"messages": [{"role": "assistant", **message}]})) == [name]


EVENTS: list[ChatEvent] = [
    TextDelta("Hel"), TextDelta("lo"), ToolCallDelta(0, "id", "f", ""), ToolCallDelta(0, arguments="{}"),
    Completed("tool_calls", Usage(5, 3, 2), "m"),
]  # fmt: skip


def test_events_are_told_alike_whole_and_in_chunks() -> None:
    answer, text, arguments, reason = Answer("m"), "", "", None
    for event in EVENTS:
        answer.add(event)
        (choice,) = json.loads(answer.chunk(event).removeprefix(b"data: "))["choices"]
        text += choice["delta"].get("content") or ""
        arguments += "".join(each["function"]["arguments"] for each in choice["delta"].get("tool_calls", ()))
        reason = choice["finish_reason"]
    whole = json.loads(answer.whole())
    (told,) = whole["choices"]
    assert (told["message"]["content"], told["finish_reason"]) == (text, reason) == ("Hello", "tool_calls")
    assert told["message"]["tool_calls"][0]["function"] == {"name": "f", "arguments": arguments}
    assert read_usage(whole["usage"]) == Usage(5, 3, 2)


@given(st.integers(0, 2**38), st.integers(0, 2**38), st.integers(0, 2**38))
def test_usage_reads_back(read: int, written: int, cached: int) -> None:
    usage = Usage(read, written, cached)
    assert read_usage(usage_json(usage)) == usage


@pytest.mark.parametrize("value", [None, 5, {}, {"prompt_tokens": -1}, {"prompt_tokens": "5"}, {"prompt_tokens": True}])
def test_usage_that_cannot_be_believed_is_none(value: object) -> None:
    assert read_usage(value) is None
