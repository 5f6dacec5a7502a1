"""OpenAI's wire as other servers bend it, and frames that nobody should send: typed errors, and never a wrong answer."""

import json
from collections.abc import AsyncIterator, Mapping
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from atrium.kernel.errors import ProviderError, ProviderRefused, ProviderUnavailable
from atrium.providers.base import ChatEvent, ChatRequest, Completed, Message, TextDelta, Tool, ToolCallDelta, Usage
from atrium.providers.catalogue import ChatSpec, chat_spec, providers
from atrium.providers.connection import retry_after
from atrium.providers.credentials import Credentials
from atrium.providers.openai import OpenAIChat
from tests.fakes.openai_server import OpenAIServer
from tests.fakes.wire import Reply, Request, Script

WEATHER = Tool("get_weather", parameters={"type": "object", "properties": {"city": {"type": "string"}}})
APIS = ["chat", "responses"]


class Verbatim(OpenAIServer):
    """Answers every request with these frames."""

    frames: tuple[Any, ...] = ()

    def reply(self, request: Request, script: Script) -> Reply:
        return Reply(frames=tuple(b"data: %s\n\n" % json.dumps(each).encode() for each in self.frames))


@pytest.fixture
async def server() -> AsyncIterator[OpenAIServer]:
    async with OpenAIServer() as server:
        yield server


@pytest.fixture
async def verbatim() -> AsyncIterator[Verbatim]:
    async with Verbatim() as server:
        yield server


@pytest.fixture
async def chats(verbatim: Verbatim) -> AsyncIterator[dict[str, OpenAIChat]]:
    """For many requests to it, by the form of the wire."""
    made = {api: chat_of(verbatim, api) for api in APIS}
    yield made
    for each in made.values():
        await each.close()


def chat_of(server: OpenAIServer, api: str = "chat", *, streaming: bool = True) -> OpenAIChat:
    async def credentials(provider: str, *, refresh: bool = False) -> Credentials:
        return Credentials("sk-test", server.base_url)

    def spec_of(name: str) -> ChatSpec:
        spec = replace(chat_spec(name), api=api)  # type: ignore[arg-type]
        return spec if streaming else replace(spec, capabilities=frozenset())

    return OpenAIChat(credentials, providers()["openai"], spec_of)


async def heard(chat: OpenAIChat, **wanted: Any) -> list[ChatEvent]:
    request = ChatRequest("gpt-4.1-mini", (Message("user", "How is the weather in Oslo"),), timeout=5, **wanted)
    try:
        return [event async for event in chat.stream(request)]
    finally:
        await chat.close()


def calls(*pieces: Mapping[str, Any]) -> dict[str, Any]:
    return {"model": "m", "choices": [{"index": 0, "delta": {"tool_calls": list(pieces)}}]}


STOP = {"model": "m", "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}


async def test_calls_that_share_an_index_are_told_apart_by_their_ids(verbatim: Verbatim) -> None:
    verbatim.frames = (
        calls({"index": 0, "id": "a", "function": {"name": "one", "arguments": '{"x"'}}),
        calls({"index": 0, "id": "a", "function": {"arguments": ": 1}"}}),
        calls(
            {"index": 0, "id": "b", "function": {"name": "two", "arguments": "{}"}}, {"index": 0, "function": {"arguments": " "}}
        ),
        STOP,
    )
    assert await heard(chat_of(verbatim)) == [
        ToolCallDelta(0, "a", "one", '{"x"'),
        ToolCallDelta(0, arguments=": 1}"),
        ToolCallDelta(1, "b", "two", "{}"),
        ToolCallDelta(1, arguments=" "),
        Completed("tool_calls", Usage(), "m", counted=False),
    ]


async def test_a_call_without_an_id_gets_one(verbatim: Verbatim) -> None:
    verbatim.frames = (calls({"index": 0, "function": {"name": "one", "arguments": "{}"}}), STOP)
    first = (await heard(chat_of(verbatim)))[0]
    assert isinstance(first, ToolCallDelta)
    assert first.id.startswith("call_")


@pytest.mark.parametrize("api", APIS)
@pytest.mark.parametrize("script", [Script(), Script(refusal="No."), Script(answer="Hm.", calls=[("one", {}), ("two", {})])])
async def test_a_model_that_does_not_stream_answers_the_same_at_once(server: OpenAIServer, api: str, script: Script) -> None:
    server.script(script, script)
    streamed = await heard(chat_of(server, api), tools=(WEATHER,))
    whole = await heard(chat_of(server, api, streaming=False), tools=(WEATHER,))
    assert joined(whole) == joined(streamed)
    assert [each.json().get("stream", False) for each in server.requests] == [True, False]


def joined(events: list[ChatEvent]) -> tuple[str, dict[int, tuple[str, str, str]], ChatEvent]:
    found: dict[int, tuple[str, str, str]] = {}
    for each in events:
        if isinstance(each, ToolCallDelta):
            known = found.get(each.index, ("", "", ""))
            found[each.index] = (known[0] + each.id, known[1] + each.name, known[2] + each.arguments)
    return "".join(each.text for each in events if isinstance(each, TextDelta)), found, events[-1]


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        ({"code": "server_error"}, ProviderUnavailable),
        ({"code": "rate_limit_exceeded"}, ProviderUnavailable),
        ({"code": "invalid_prompt", "message": "Too odd"}, ProviderRefused),
        ({"code": "invalid_image_format", "message": "No PNG"}, ProviderRefused),
        ({"code": "insufficient_quota"}, ProviderError),
    ],
)
@pytest.mark.parametrize("streaming", [True, False])
async def test_a_response_that_failed_says_whose_fault_it_was(
    server: OpenAIServer, error: dict[str, Any], kind: type[ProviderError], streaming: bool
) -> None:
    server.script(Script(error=error, answer=""))
    with pytest.raises(kind) as caught:
        await heard(chat_of(server, "responses", streaming=streaming))
    assert type(caught.value) is kind
    assert error.get("message", "") in caught.value.detail


@pytest.mark.parametrize(("reason", "finish"), [("max_output_tokens", "length"), ("content_filter", "content_filter")])
async def test_an_incomplete_response_says_why(server: OpenAIServer, reason: str, finish: str) -> None:
    server.script(Script(answer="One two", finish=reason))
    end = (await heard(chat_of(server, "responses")))[-1]
    assert isinstance(end, Completed)
    assert end.finish_reason == finish


async def test_an_error_event_of_responses_is_an_error(verbatim: Verbatim) -> None:
    verbatim.frames = ({"type": "error", "code": "server_error", "message": "Oh", "param": None, "sequence_number": 0},)
    with pytest.raises(ProviderUnavailable, match="broke its answer off"):
        await heard(chat_of(verbatim, "responses"))


async def test_arguments_that_come_only_at_their_end_are_not_lost(verbatim: Verbatim) -> None:
    call = {"type": "function_call", "id": "fc", "call_id": "c", "name": "one", "arguments": ""}
    verbatim.frames = (
        {"type": "response.output_item.added", "output_index": 4, "item": call},
        {"type": "response.function_call_arguments.done", "output_index": 4, "arguments": "{}"},
        {"type": "response.completed", "response": {"status": "completed", "model": "m", "output": []}},
    )
    *events, end = await heard(chat_of(verbatim, "responses"))
    assert events == [ToolCallDelta(0, "c", "one"), ToolCallDelta(0, arguments="{}")]
    assert end == Completed("tool_calls", Usage(), "m", counted=False)


@pytest.mark.parametrize("error", [{"code": "insufficient_quota"}, {"type": "insufficient_quota"}])
async def test_an_empty_account_is_not_worth_a_retry(server: OpenAIServer, error: dict[str, Any]) -> None:
    server.script(Script(status=429, error=error), Script(status=402))
    for _ in range(2):
        with pytest.raises(ProviderError, match="no quota left") as caught:
            await heard(chat_of(server))
        assert type(caught.value) is ProviderError


def test_reasoning_models_and_responses_have_fewer_words() -> None:
    asked = ChatRequest("gpt-4.1-mini", (Message("user", "x", name="ann"),), temperature=1, stop=("a",), seed=1)
    assert chat_of(OpenAIServer()).ignores(asked) == ()
    assert chat_of(OpenAIServer(), "responses").ignores(asked) == ("stop", "seed", "messages.name")
    reasoning = OpenAIChat(None, providers()["openai"], lambda name: replace(chat_spec(name), reasoning=True))  # type: ignore[arg-type]
    assert reasoning.ignores(asked) == ("temperature",)


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"retry-after": "7"}, 7),
        ({"retry-after": "0.5"}, 0.5),
        ({"retry-after-ms": "1500", "retry-after": "9"}, 1.5),
        ({"retry-after-ms": "soon", "retry-after": "9"}, 9),
        ({"retry-after": "Wed, 21 Oct 2015 07:28:00 GMT"}, 0),
        ({"retry-after": "-3"}, None),
        ({"retry-after": "nan"}, None),
        ({"retry-after": "inf"}, None),
        ({"retry-after": "later"}, None),
        ({"retry-after": ""}, None),
        ({}, None),
    ],
)
def test_when_to_come_back_is_read_in_every_form(headers: dict[str, str], seconds: float | None) -> None:
    assert retry_after(headers) == seconds


def test_when_to_come_back_may_be_a_date() -> None:
    soon = format_datetime(datetime.now(UTC) + timedelta(seconds=30), usegmt=True)
    assert 25 < (retry_after({"retry-after": soon}) or 0) <= 30


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5), lambda of: st.lists(of, max_size=2), max_leaves=4
)
_KINDS = [
    "created",
    "output_item.added",
    "output_text.delta",
    "function_call_arguments.delta",
    "completed",
    "incomplete",
    "failed",
]


def _object(**fields: Any) -> st.SearchStrategy[Any]:
    """An object in which any field may be missing, or anything."""
    return st.fixed_dictionaries({}, optional={name: _JSON | each for name, each in fields.items()})


_FUNCTION = _object(name=st.just("one"), arguments=st.just("{}"))
_DELTA = _object(
    content=st.text(), refusal=st.text(), tool_calls=st.lists(_object(index=st.just(0), id=st.just("a"), function=_FUNCTION))
)
_CHOICE = _object(index=st.just(0), delta=_DELTA, finish_reason=st.sampled_from(["stop", "length", "odd"]))
_USAGE = _object(prompt_tokens=st.integers(), completion_tokens=st.integers(), prompt_tokens_details=_object(cached_tokens=_JSON))
_CHUNK = _object(model=st.just("m"), choices=st.lists(_CHOICE, max_size=2), usage=_USAGE, error=_object(code=st.text()))
_ITEM = _object(
    type=st.sampled_from(["function_call", "message"]), name=st.just("one"), call_id=st.just("c"), arguments=st.text()
)
_RESPONSE = _object(
    status=st.just("incomplete"), model=st.just("m"), usage=_USAGE, incomplete_details=_object(reason=_JSON), error=_JSON
)
_EVENT = _object(
    type=st.sampled_from([f"response.{kind}" for kind in _KINDS]),
    delta=st.text(),
    output_index=st.just(0),
    item=_ITEM,
    response=_RESPONSE,
)


@given(st.lists(_CHUNK | _EVENT | _JSON, max_size=4), st.sampled_from(APIS))
@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
async def test_whatever_comes_is_an_answer_or_a_typed_error(
    verbatim: Verbatim, chats: dict[str, OpenAIChat], frames: list[Any], api: str
) -> None:
    verbatim.frames = tuple(frames)
    with suppress(ProviderError):
        *events, end = [event async for event in chats[api].stream(ChatRequest("gpt-4.1-mini", (Message("user", "x"),)))]
        assert isinstance(end, Completed)
        assert all(isinstance(each.text, str) for each in events if isinstance(each, TextDelta))
        assert min(end.usage.input_tokens, end.usage.output_tokens, end.usage.cached_tokens) >= 0
