"""Any chat request becomes one that Anthropic takes, and nothing of it is lost on the way."""

import base64
import json
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from atrium.kernel.errors import InvalidInput
from atrium.providers.anthropic_messages import BEGIN, CONTINUE, EMPTY, RAW_ARGUMENTS, arguments_of, turns_of
from atrium.providers.anthropic_request import body_of, unsaid
from atrium.providers.base import ChatRequest, File, Image, JsonSchema, Message, NamedTool, Part, Text, Tool, ToolCall
from atrium.providers.catalogue import ChatSpec, chat_spec
from tests.fakes.anthropic_rules import Refused, check

OLD, PLAIN, THINKING = (chat_spec(f"anthropic/{name}") for name in ("claude-3.5-haiku", "claude-haiku-4-5", "claude-opus-5-5"))
PNG = b"\x89PNG\r\n\x1a\n" + bytes(8)
OBJECT = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"], "additionalProperties": False}
FREE = {"type": "object", "properties": {"labels": {"type": "object", "additionalProperties": {"type": "string"}}}}

names = st.from_regex(r"[a-zA-Z0-9_-]{1,64}", fullmatch=True)
ids = st.one_of(st.text(max_size=5), st.sampled_from(["call_1", "call_2", ""]))
plain_parts = st.builds(Text, st.text())
images = st.one_of(
    st.builds(Image, url=st.just("https://example.org/a.png"), detail=st.sampled_from(["auto", "low"])),
    st.builds(Image, data=st.binary(), media_type=st.sampled_from(["image/png", "image/jpeg", "image/gif", "image/webp"])),
    st.builds(lambda data: Image(url=f"data:image/png;base64,{base64.b64encode(data).decode()}"), st.binary()),
)
files = st.builds(File, st.binary(), name=st.text(max_size=600))
texts = st.one_of(st.text(), st.lists(plain_parts, max_size=3).map(tuple))
contents = st.one_of(texts, st.lists(st.one_of(plain_parts, images, files), max_size=3).map(tuple))
arguments = st.one_of(
    st.dictionaries(st.text(), st.one_of(st.text(), st.integers(), st.floats(), st.none()), max_size=3).map(json.dumps),
    st.text(),
    st.sampled_from(['{"a": 1e999}', '{"a": NaN}', "[1]", "null", '{"a": ', ""]),
)
calls = st.builds(ToolCall, ids, names, arguments)
tools = st.lists(
    st.builds(Tool, names, st.text(), st.sampled_from([{}, OBJECT, FREE, {"type": "object"}]), st.booleans()),
    max_size=3,
    unique_by=lambda tool: tool.name,
).map(tuple)


@st.composite
def exchanges(draw: st.DrawFn) -> list[Message]:
    """Some messages that may stand anywhere: an assistant's calls come with their results."""
    role = draw(st.sampled_from(["system", "user", "assistant", "calls"]))
    match role:
        case "user":
            return [Message("user", draw(contents), name=draw(st.sampled_from(["", "ann"])))]
        case "calls":
            asked = draw(st.lists(calls, min_size=1, max_size=3))
            results = [Message("tool", draw(contents), tool_call_id=call.id) for call in asked]
            if len({call.id for call in asked}) == len(asked):
                results = draw(st.permutations(results))
            return [Message("assistant", draw(texts), tuple(asked)), *results]
        case _:
            return [Message(role, draw(texts))]  # type: ignore[arg-type]


@st.composite
def requests(draw: st.DrawFn) -> ChatRequest:
    spec = draw(st.sampled_from([OLD, PLAIN, THINKING]))
    offered = draw(tools)
    choices: list[Any] = ["auto", "none", "required", *(NamedTool(tool.name) for tool in offered)]
    schema = st.sampled_from([{}, OBJECT, FREE])
    return ChatRequest(
        spec.api_name or spec.model.partition("/")[2],
        tuple(message for each in draw(st.lists(exchanges(), max_size=6)) for message in each),
        max_tokens=draw(st.integers(1, 8192)),
        temperature=draw(st.one_of(st.none(), st.floats(0, 2))),
        top_p=draw(st.one_of(st.none(), st.floats(0, 1))),
        stop=tuple(draw(st.lists(st.text(max_size=5), max_size=4))),
        seed=draw(st.one_of(st.none(), st.integers())),
        reasoning_effort=draw(st.sampled_from([None, "none", "minimal", "low", "medium", "high", "xhigh", "other"])),
        tools=offered,
        tool_choice=draw(st.sampled_from(choices)),
        parallel_tool_calls=draw(st.booleans()),
        response_format=draw(st.one_of(st.none(), st.builds(JsonSchema, st.just("answer"), schema, st.booleans(), st.text()))),
    )


def said(request: ChatRequest) -> dict[str, Any]:
    """The body as it arrives."""
    body = json.dumps(body_of(request, chat_spec(f"anthropic/{request.model}")) | {"stream": True}, allow_nan=False)
    arrived: dict[str, Any] = json.loads(body)
    return arrived


def blocks(content: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    for block in content:
        yield block
        yield from blocks(block.get("content", []))


def parts(message: Message) -> tuple[Part, ...]:
    return (Text(message.content),) if isinstance(message.content, str) else message.content


@given(requests())
def test_any_request_is_taken_and_whole(request: ChatRequest) -> None:
    body = said(request)
    check(body)
    there = [*blocks(body.get("system", [])), *(block for turn in body["messages"] for block in blocks(turn["content"]))]
    asked = [part for message in request.messages for part in parts(message)]
    texts = Counter(block["text"] for block in there if block["type"] == "text")
    assert Counter(part.text for part in asked if isinstance(part, Text) and part.text.strip()) <= texts
    for kind, block in ((Image, "image"), (File, "document")):
        assert sum(isinstance(part, kind) for part in asked) == sum(each["type"] == block for each in there)
    data = Counter(part.data for part in asked if isinstance(part, Image | File) and part.data)
    assert data <= Counter(base64.b64decode(each["source"].get("data", "")) for each in there if "source" in each)


@given(requests())
def test_each_call_keeps_its_name_its_arguments_and_its_result(request: ChatRequest) -> None:
    turns = [block for turn in said(request)["messages"] for block in turn["content"]]
    uses = [block for block in turns if block["type"] == "tool_use"]
    asked = [call for message in request.messages for call in message.tool_calls]
    assert [(use["name"], use["input"]) for use in uses] == [(call.name, arguments_of(call.arguments)) for call in asked]
    given_back = {block["tool_use_id"]: texts_of(block.get("content", [])) for block in turns if block["type"] == "tool_result"}
    assert [given_back[use["id"]] for use in uses] == list(results(request))


def texts_of(content: list[dict[str, Any]]) -> list[str]:
    return [block["text"] for block in content if block["type"] == "text"]


def results(request: ChatRequest) -> Iterator[list[str]]:
    """What the tools gave, in the order of the calls."""
    messages = list(request.messages)
    for at, message in enumerate(messages):
        given_back = messages[at + 1 : at + 1 + len(message.tool_calls)]
        for call in message.tool_calls:
            result = next(each for each in given_back if each.tool_call_id == call.id)
            given_back.remove(result)
            yield [part.text for part in parts(result) if isinstance(part, Text) and part.text.strip()]


@given(requests())
def test_what_is_not_said_is_named(request: ChatRequest) -> None:
    body, unspoken = said(request), unsaid(request, chat_spec(f"anthropic/{request.model}"))
    assert ("seed" in unspoken) == (request.seed is not None)
    for name in ("temperature", "top_p"):
        asked = getattr(request, name)
        assert name in unspoken or asked is None or body.get(name, 1.0) == asked
    assert "stop" in unspoken or list(request.stop) == body.get("stop_sequences", [])
    forced = request.tools and (request.tool_choice == "required" or isinstance(request.tool_choice, NamedTool))
    assert ("tool_choice" in unspoken) == bool(forced and body["tool_choice"]["type"] == "auto")
    strict = [tool for tool in body.get("tools", []) if tool.get("strict")]
    kept = sum(tool.strict and bool(tool.parameters) for tool in request.tools) == len(strict) or "tools" in str(unspoken)
    assert kept or len(body["tools"]) < len(request.tools)
    assert ("response_format" in unspoken) == (
        request.response_format is not None and "format" not in body.get("output_config", {})
    )


def ask(spec: ChatSpec = PLAIN, **changes: Any) -> tuple[dict[str, Any], tuple[str, ...]]:
    given_: dict[str, Any] = {"messages": (Message("user", "Hi."),), "temperature": None} | changes
    request = ChatRequest(spec.api_name or spec.model.partition("/")[2], **given_)
    body = said(request)
    check(body)
    return body, unsaid(request, spec)


def turn(role: str, *texts: str) -> dict[str, Any]:
    return {"role": role, "content": [{"type": "text", "text": text} for text in texts]}


def test_later_system_messages_go_in_front_in_their_order() -> None:
    messages = (Message("system", "One."), Message("user", "Hi."), Message("system", "Two."), Message("user", "There."))
    body, _ = ask(messages=messages)
    assert [block["text"] for block in body["system"]] == ["One.", "Two."]
    assert body["messages"] == [turn("user", "Hi.", "There.")]


def test_missing_turns_are_marked() -> None:
    assert turns_of(()) == [turn("user", BEGIN)]
    assert turns_of((Message("user", " \n"),)) == [turn("user", EMPTY)]
    assert turns_of((Message("assistant", "Welcome."), Message("assistant", ""))) == [
        turn("user", BEGIN),
        turn("assistant", "Welcome."),
        turn("user", CONTINUE),
    ]


def test_results_come_before_what_the_user_says() -> None:
    call = ToolCall("functions.weather:0", "get_weather", '{"city": "Bern"}')
    messages = (
        Message("user", "?"),
        Message("assistant", "", (call,)),
        Message("user", "!"),
        Message("tool", "Rain.", tool_call_id=call.id),
    )
    body, _ = ask(messages=messages)
    assert [block["type"] for block in body["messages"][2]["content"]] == ["tool_result", "text"]
    assert body["tools"] == [{"name": "get_weather", "input_schema": {"type": "object"}}]
    assert body["tool_choice"] == {"type": "none"}


@pytest.mark.parametrize(
    ("text", "arguments"),
    [
        ('{"a": 1}', {"a": 1}),
        ("", {}),
        (" \n", {}),
        ('{"a": ', {RAW_ARGUMENTS: '{"a": '}),
        ("[1]", {RAW_ARGUMENTS: "[1]"}),
        ('{"a": NaN}', {RAW_ARGUMENTS: '{"a": NaN}'}),
        ('{"a": 1e999}', {RAW_ARGUMENTS: '{"a": 1e999}'}),
        ('{"a":' * 100_000, {RAW_ARGUMENTS: '{"a":' * 100_000}),
    ],
)
def test_arguments_are_an_object_or_kept_as_they_are(text: str, arguments: dict[str, Any]) -> None:
    assert arguments_of(text) == arguments


@pytest.mark.parametrize(
    ("choice", "plain", "thinking"),
    [
        ("auto", {"type": "auto"}, {"type": "auto"}),
        ("none", {"type": "none"}, {"type": "none"}),
        ("required", {"type": "any"}, {"type": "auto"}),
        (NamedTool("b"), {"type": "tool", "name": "b"}, {"type": "auto"}),
    ],
)
def test_tools_are_chosen_as_each_model_can(choice: Any, plain: dict[str, Any], thinking: dict[str, Any]) -> None:
    two = (Tool("a"), Tool("b"))
    assert ask(tools=two, tool_choice=choice)[0]["tool_choice"] == plain
    body, unspoken = ask(THINKING, tools=two, tool_choice=choice)
    assert body["tool_choice"] == thinking
    assert (unspoken == ("tool_choice",)) == ("by calling" in str(body.get("system"))) == (plain != thinking)
    assert len(body["tools"]) == (1 if isinstance(choice, NamedTool) else 2)


def test_one_call_at_a_time() -> None:
    body, _ = ask(tools=(Tool("a"),), parallel_tool_calls=False)
    assert body["tool_choice"] == {"type": "auto", "disable_parallel_tool_use": True}


def test_a_tool_that_is_none_of_them_is_refused() -> None:
    with pytest.raises(InvalidInput, match="'c'"):
        ask(tools=(Tool("a"),), tool_choice=NamedTool("c"))


def test_a_closed_schema_is_enforced_and_a_free_one_asked_for() -> None:
    body, unspoken = ask(response_format=JsonSchema("place", OBJECT, description="Where."))
    assert body["output_config"]["format"]["schema"] == {"title": "place", "description": "Where.", **OBJECT}
    assert not unspoken
    for spec, schema in ((PLAIN, FREE), (OLD, OBJECT), (PLAIN, {})):
        body, unspoken = ask(spec, response_format=JsonSchema("place", schema))
        assert unspoken == ("response_format",)
        assert "one JSON object" in body["system"][-1]["text"]
        assert not schema or json.dumps(schema) in body["system"][-1]["text"]


def test_effort_is_told_where_there_is_any() -> None:
    assert ask(THINKING, reasoning_effort="high") == (ask(THINKING)[0] | {"output_config": {"effort": "high"}}, ())
    body, unspoken = ask(THINKING, reasoning_effort="none")
    assert (body["output_config"], unspoken) == ({"effort": "low"}, ("reasoning_effort",))
    assert ask(PLAIN, reasoning_effort="high") == (ask(PLAIN)[0], ("reasoning_effort",))


def test_temperatures_over_one_are_one() -> None:
    body, unspoken = ask(temperature=1.7, top_p=0.5)
    assert (body["temperature"], "top_p" in body, unspoken) == (1.0, False, ("temperature", "top_p"))
    assert ask(THINKING, temperature=1.0)[1] == ()


def test_bytes_tell_an_images_type() -> None:
    body, _ = ask(messages=(Message("user", (Image(data=PNG, media_type="image/jpeg"),)),))
    assert body["messages"][0]["content"][0]["source"]["media_type"] == "image/png"


@pytest.mark.parametrize(
    "messages",
    [
        (Message("user", (Image(data=b"BM", media_type="image/bmp"),)),),
        (Message("user", (Image(),)),),
        (Message("user", (Image(url="data:image/png;base64,%%"),)),),
        (Message("user", (Image(url="data:image/png"),)),),
        (Message("user", (File(b"PK", "application/zip"),)),),
        (Message("system", (Image(data=PNG),)),),
        (Message("assistant", (File(b"%PDF"),)),),
    ],
)
def test_what_no_message_can_hold_is_refused(messages: tuple[Message, ...]) -> None:
    with pytest.raises(InvalidInput):
        ask(messages=messages)


def test_the_rules_bite() -> None:
    """So that the tests above prove something."""
    good = said(ChatRequest("claude-haiku-4-5", (Message("user", "Hi."),), temperature=0.5))
    check(good)
    two = [turn("user", "Hi."), turn("assistant", "Hello.")]
    wrong: list[dict[str, Any]] = [
        {"seed": 1},
        {"max_tokens": 0},
        {"messages": []},
        {"messages": two, "model": "claude-opus-4-6"},
        {"messages": two[1:]},
        {"messages": [turn("user", " ")]},
        {"messages": [{"role": "tool", "content": "x"}]},
        {"messages": [{"role": "user", "content": [{"type": "tool_result", "tool_use_id": "x"}]}]},
        {"top_p": 0.5},
        {"temperature": 1.5},
        {"tool_choice": {"type": "auto"}},
        {"model": "claude-opus-5-5"},
        {"output_config": {"effort": "low"}},
        {"output_config": {"format": {"type": "json_schema", "schema": FREE}}},
    ]
    for change in wrong:
        with pytest.raises(Refused):
            check({**good, **change})
