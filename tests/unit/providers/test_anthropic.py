"""Anthropic's adapter through its real SDK, against a server that misbehaves as told."""

import asyncio
import warnings
from collections.abc import AsyncIterator
from contextlib import aclosing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest

from atrium.kernel.errors import (
    InvalidInput,
    NotFound,
    ProviderError,
    ProviderNotConfigured,
    ProviderRefused,
    ProviderUnavailable,
)
from atrium.providers.anthropic import AnthropicChat
from atrium.providers.base import ChatEvent, ChatRequest, Completed, Message, Partial, TextDelta, Tool, ToolCallDelta, Usage
from atrium.providers.catalogue import providers
from atrium.providers.credentials import Credentials
from tests.fakes.anthropic_server import AnthropicServer, overloaded, rate_limited
from tests.fakes.wire import Reply, Request, Script

ANTHROPIC = providers()["anthropic"]
HAIKU = "claude-haiku-4-5-20251001"
TOOLS = (Tool("get_weather", "The weather.", {"type": "object", "properties": {"city": {"type": "string"}}}), Tool("get_time"))


@pytest.fixture
async def server() -> AsyncIterator[AnthropicServer]:
    async with AnthropicServer() as server:
        yield server


@pytest.fixture
async def chat(server: AnthropicServer) -> AsyncIterator[AnthropicChat]:
    chat = AnthropicChat(source(server), ANTHROPIC)
    yield chat
    await chat.close()


def source(server: AnthropicServer, key: str = "sk-ant-test") -> Any:
    async def credentials(provider: str, *, refresh: bool = False) -> Credentials:
        assert provider == "anthropic"
        return Credentials(key, server.base_url)

    return credentials


def request(**changes: Any) -> ChatRequest:
    messages = (Message("system", "Be brief."), Message("user", "Say it."))
    given: dict[str, Any] = {"model": HAIKU, "messages": messages, "timeout": 30.0}
    return ChatRequest(**(given | changes))


async def collect(chat: AnthropicChat, asked: ChatRequest) -> list[ChatEvent]:
    return [event async for event in chat.stream(asked)]


async def test_the_answer_streams_with_its_usage(server: AnthropicServer, chat: AnthropicChat) -> None:
    server.script(Script(answer="One two three."))
    *deltas, end = await collect(chat, request())
    assert [each.text for each in deltas if isinstance(each, TextDelta)] == ["One", " two", " three."]
    assert end == Completed("stop", Usage(4, 3), HAIKU)


async def test_what_goes_over_the_wire(server: AnthropicServer, chat: AnthropicChat) -> None:
    await collect(chat, request(max_tokens=77, temperature=0.5, stop=("END",)))
    (sent,) = server.requests
    assert (sent.path, sent.headers["authorization"][-11:]) == ("/v1/messages", "sk-ant-test")
    assert sent.json() == {
        "model": HAIKU,
        "max_tokens": 77,
        "system": [{"type": "text", "text": "Be brief."}],
        "messages": [{"role": "user", "content": [{"type": "text", "text": "Say it."}]}],
        "stop_sequences": ["END"],
        "temperature": 0.5,
        "stream": True,
    }


async def test_cached_tokens_are_among_those_of_the_prompt(server: AnthropicServer, chat: AnthropicChat) -> None:
    server.script(Script(answer="Yes.", cached=3))
    end = (await collect(chat, request()))[-1]
    assert isinstance(end, Completed)
    assert end.usage == Usage(4, 1, 3)


async def test_tokens_that_fill_the_cache_are_among_those_of_the_prompt() -> None:
    class Filling(AnthropicServer):
        def reply(self, request: Request, script: Script) -> Reply:
            frames = super().reply(request, script).frames or ()
            return Reply(
                frames=tuple(each.replace(b'creation_input_tokens": 0', b'creation_input_tokens": 9') for each in frames)
            )

    async with Filling() as server:
        chat = AnthropicChat(source(server), ANTHROPIC)
        end = (await collect(chat, request()))[-1]
        await chat.close()
    assert isinstance(end, Completed)
    assert end.usage.input_tokens == 13


async def test_a_provider_that_tells_no_usage_is_not_counted(server: AnthropicServer, chat: AnthropicChat) -> None:
    server.script(Script(answer="Yes.", usage=False))
    assert (await collect(chat, request()))[-1] == Completed("stop", Usage(), HAIKU, counted=False)


async def test_calls_of_tools_come_in_pieces(server: AnthropicServer, chat: AnthropicChat) -> None:
    server.script(Script(answer="Let me look.", calls=[("get_weather", {"city": "Zürich"}), ("get_time", {})]))
    events = await collect(chat, request(tools=TOOLS))
    calls = [each for each in events if isinstance(each, ToolCallDelta)]
    assert [(each.index, each.id, each.name) for each in calls if each.name] == [
        (0, "toolu_fake0", "get_weather"),
        (1, "toolu_fake1", "get_time"),
    ]
    assert [said(calls, 0), said(calls, 1)] == ['{"city": "Z\\u00fcrich"}', "{}"]
    assert len(calls) > 5
    assert isinstance(end := events[-1], Completed)
    assert end.finish_reason == "tool_calls"


async def test_arguments_that_come_whole_are_told_too() -> None:
    class Whole(AnthropicServer):
        def reply(self, request: Request, script: Script) -> Reply:
            frames = super().reply(request, script).frames or ()
            return Reply(frames=tuple(each.replace(b'"input": {}', b'"input": {"city": "Bern"}') for each in frames))

    async with Whole() as server:
        chat = AnthropicChat(source(server), ANTHROPIC)
        server.script(Script(calls=[("get_weather", {})]))
        events = await collect(chat, request(tools=TOOLS))
        await chat.close()
    assert said([each for each in events if isinstance(each, ToolCallDelta)], 0) == '{"city": "Bern"}'


def said(calls: list[ToolCallDelta], index: int) -> str:
    return "".join(each.arguments for each in calls if each.index == index)


async def test_broken_arguments_are_passed_on_as_they_are(server: AnthropicServer, chat: AnthropicChat) -> None:
    server.script(Script(calls=[("get_weather", '{"city": ')]))
    events = await collect(chat, request(tools=TOOLS))
    assert said([each for each in events if isinstance(each, ToolCallDelta)], 0) == '{"city": '


async def test_thoughts_are_not_shown(server: AnthropicServer, chat: AnthropicChat) -> None:
    server.script(Script(answer="Plainly."))
    events = await collect(chat, request(model="claude-opus-5-5"))
    assert [type(each) for each in events] == [TextDelta, Completed]
    assert events[0] == TextDelta("Plainly.")


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [
        ("end_turn", "stop"),
        ("stop_sequence", "stop"),
        ("max_tokens", "length"),
        ("model_context_window_exceeded", "length"),
        ("pause_turn", "length"),
        ("tool_use", "tool_calls"),
        ("refusal", "content_filter"),
        ("something_new", "stop"),
    ],
)
async def test_why_it_ended(server: AnthropicServer, chat: AnthropicChat, theirs: str, ours: str) -> None:
    server.script(Script(answer="Yes.", finish=theirs))
    end = (await collect(chat, request()))[-1]
    assert isinstance(end, Completed)
    assert end.finish_reason == ours


async def test_a_refusal_is_shown_and_named(server: AnthropicServer, chat: AnthropicChat) -> None:
    server.script(Script(refusal="I will not."))
    events = await collect(chat, request())
    assert "".join(each.text for each in events if isinstance(each, TextDelta)) == "I will not."
    assert isinstance(end := events[-1], Completed)
    assert end.finish_reason == "content_filter"


@pytest.mark.parametrize(
    "fault", [rate_limited(), overloaded(), *(Script(status=status) for status in (408, 409, 500, 502, 503, 504))]
)
async def test_a_passing_fault_is_worth_a_retry_that_the_caller_makes(
    server: AnthropicServer, chat: AnthropicChat, fault: Script
) -> None:
    server.script(fault)
    with pytest.raises(ProviderUnavailable) as caught:
        await collect(chat, request())
    assert caught.value.status == fault.status
    assert len(server.requests) == 1


async def test_it_says_when_to_come_back(server: AnthropicServer, chat: AnthropicChat) -> None:
    soon = format_datetime(datetime.now(UTC) + timedelta(seconds=90), usegmt=True)
    server.script(rate_limited(7), Script(status=529, headers={"retry-after": soon}), overloaded())
    told: list[float | None] = []
    for _ in range(3):
        with pytest.raises(ProviderUnavailable) as caught:
            await collect(chat, request())
        told.append(caught.value.retry_after)
    assert told[0] == 7
    assert 60 < (told[1] or 0) <= 90
    assert told[2] is None


@pytest.mark.parametrize(
    ("status", "code"), [(400, None), (404, "model_not_found"), (413, "request_too_large"), (422, "api_error")]
)
async def test_a_refused_request_says_why_in_openais_shape(
    server: AnthropicServer, chat: AnthropicChat, status: int, code: str | None
) -> None:
    server.script(Script(status=status, error={"message": "max_tokens: too large"}))
    with pytest.raises(ProviderRefused, match="too large") as caught:
        await collect(chat, request())
    assert caught.value.status == status
    assert caught.value.error == {
        "message": "max_tokens: too large",
        "type": "invalid_request_error",
        "param": None,
        "code": code,
    }
    assert len(server.requests) == 1


async def test_a_prompt_too_long_has_openais_code(server: AnthropicServer, chat: AnthropicChat) -> None:
    server.script(Script(status=400, error={"message": "prompt is too long: 210000 tokens > 200000 maximum"}))
    with pytest.raises(ProviderRefused, match="210000") as caught:
        await collect(chat, request())
    assert caught.value.error["code"] == "context_length_exceeded"


@pytest.mark.parametrize("status", [401, 403])
async def test_a_refused_key_is_not_shown(server: AnthropicServer, chat: AnthropicChat, status: int) -> None:
    server.script(Script(status=status, error={"message": "invalid x-api-key sk-ant-test"}))
    with pytest.raises(ProviderError) as caught:
        await collect(chat, request())
    assert "sk-ant" not in caught.value.detail
    assert type(caught.value) is ProviderError


@pytest.mark.parametrize(
    "script", [Script(status=402), Script(status=400, error={"message": "Your credit balance is too low to access the API."})]
)
async def test_an_empty_account_is_not_the_callers_fault(server: AnthropicServer, chat: AnthropicChat, script: Script) -> None:
    server.script(script)
    with pytest.raises(ProviderError, match="no credit left") as caught:
        await collect(chat, request())
    assert type(caught.value) is ProviderError


@pytest.mark.parametrize("script", [Script(hang=True), Script(delay=5), Script(answer="a b c d e f g h", frame_delay=0.1)])
async def test_the_timeout_bounds_the_whole_call(server: AnthropicServer, chat: AnthropicChat, script: Script) -> None:
    server.script(script)
    started = asyncio.get_running_loop().time()
    with pytest.raises(ProviderUnavailable):
        await collect(chat, request(timeout=0.35))
    assert asyncio.get_running_loop().time() - started < 3


async def test_a_server_that_is_not_there_is_unavailable(server: AnthropicServer) -> None:
    async def nowhere(provider: str, *, refresh: bool = False) -> Credentials:
        return Credentials("sk-ant-test", "http://127.0.0.1:9")

    chat = AnthropicChat(nowhere, ANTHROPIC)
    with pytest.raises(ProviderUnavailable, match="cannot be reached"):
        await collect(chat, request())
    await chat.close()


@pytest.mark.parametrize(
    ("script", "error"),
    [
        (Script(cut_after=4), ProviderUnavailable),
        (Script(error_at=4), ProviderUnavailable),
        (Script(error_at=4, error={"type": "rate_limit_error"}), ProviderUnavailable),
        (Script(error_at=4, error={"type": "something_new"}), ProviderUnavailable),
        (Script(error_at=4, error={"type": "invalid_request_error"}), ProviderRefused),
        (Script(malformed_at=4), ProviderError),
    ],
)
async def test_a_stream_that_breaks_gives_what_came_and_then_fails(
    server: AnthropicServer, chat: AnthropicChat, script: Script, error: type[ProviderError]
) -> None:
    server.script(replace(script, answer="One two three."))
    came: list[ChatEvent] = []

    async def take() -> None:
        async for event in chat.stream(request()):
            came.append(event)  # noqa: PERF401  a comprehension would lose what came before the error

    with pytest.raises(error) as caught:
        await take()
    assert type(caught.value) is error
    assert came == [TextDelta("One"), TextDelta(" two")]


@pytest.mark.parametrize("frames", [0, 3, 7, -1])
async def test_a_stream_without_an_end_is_not_taken_for_a_whole_answer(frames: int) -> None:
    class Endless(AnthropicServer):
        def reply(self, request: Request, script: Script) -> Reply:
            return Reply(frames=(super().reply(request, script).frames or ())[:frames])

    async with Endless() as server:
        chat = AnthropicChat(source(server), ANTHROPIC)
        with pytest.raises(ProviderUnavailable, match="broke off"):
            await collect(chat, request())
        await chat.close()


@pytest.mark.parametrize(
    "garbage", ["<html>Bad gateway</html>", "{", "event: message_start\ndata: {}\n\n", "event: message_start\ndata: [7]\n\n"]
)
async def test_garbage_is_no_answer(server: AnthropicServer, chat: AnthropicChat, garbage: str) -> None:
    server.script(Script(garbage=garbage))
    with pytest.raises(ProviderError):
        await collect(chat, request())


@pytest.mark.parametrize(
    "frame", [b'event: new_event\ndata: {"type": "new_event"}\n\n', b": comment\n\n", b"event: ping\ndata: {}\n\n"]
)
async def test_what_is_new_in_a_stream_is_passed_over(frame: bytes) -> None:
    class Newer(AnthropicServer):
        def reply(self, request: Request, script: Script) -> Reply:
            frames = super().reply(request, script).frames or ()
            return Reply(frames=tuple(each for both in zip(frames, [frame] * len(frames), strict=True) for each in both))

    async with Newer() as server:
        chat = AnthropicChat(source(server), ANTHROPIC)
        server.script(Script(answer="One two."))
        events = await collect(chat, request())
        await chat.close()
    assert events[:2] == [TextDelta("One"), TextDelta(" two.")]
    assert isinstance(events[-1], Completed)


@pytest.mark.parametrize("more", [b'event: error\ndata: {"type": "error"}\n\n', b"event: late\ndata: {\n\n"])
async def test_what_comes_after_the_end_changes_nothing(more: bytes) -> None:
    class Late(AnthropicServer):
        def reply(self, request: Request, script: Script) -> Reply:
            return Reply(frames=(*(super().reply(request, script).frames or ()), more))

    async with Late() as server:
        chat = AnthropicChat(source(server), ANTHROPIC)
        assert isinstance((await collect(chat, request()))[-1], Completed)
        await chat.close()


async def test_frames_may_come_in_any_pieces(server: AnthropicServer, chat: AnthropicChat) -> None:
    server.script(Script(answer="Zwölf Boxkämpfer jagen Viktor.", split=3))
    events = await collect(chat, request())
    assert "".join(each.text for each in events if isinstance(each, TextDelta)) == "Zwölf Boxkämpfer jagen Viktor."


async def test_closing_the_iterator_ends_the_providers_call(server: AnthropicServer, chat: AnthropicChat) -> None:
    server.script(Script(answer="word " * 200, frame_delay=0.01))
    async with aclosing(chat.stream(request())) as events:
        async for _ in events:
            break
    await asyncio.wait_for(server.abandoned.wait(), 3)
    assert server.abandoned.is_set()


async def test_without_a_key_the_setting_is_named() -> None:
    async def nothing(provider: str, *, refresh: bool = False) -> Credentials:
        raise NotFound(f"no secret for {provider}")

    with pytest.raises(ProviderNotConfigured, match="ANTHROPIC_API_KEY"):
        await collect(AnthropicChat(nothing, ANTHROPIC), request())


@pytest.mark.parametrize("status", [401, 403])
async def test_a_refused_key_is_read_again_once(server: AnthropicServer, status: int) -> None:
    keys = ["sk-old", "sk-new"]
    asked: list[bool] = []

    async def rotating(provider: str, *, refresh: bool = False) -> Credentials:
        asked.append(refresh)
        return Credentials(keys[refresh], server.base_url)

    server.script(Script(status=status), Script(answer="Back."))
    chat = AnthropicChat(rotating, ANTHROPIC)
    assert (await collect(chat, request()))[0] == TextDelta("Back.")
    await chat.close()
    assert [each.headers["authorization"][-6:] for each in server.requests] == keys
    assert asked == [False, True]


async def test_an_address_may_end_in_v1(server: AnthropicServer) -> None:
    async def versioned(provider: str, *, refresh: bool = False) -> Credentials:
        return Credentials("sk-ant-test", f"{server.base_url}/v1/")

    chat = AnthropicChat(versioned, ANTHROPIC)
    await collect(chat, request())
    await chat.close()
    assert server.requests[0].path == "/v1/messages"


async def test_a_connection_is_used_again(server: AnthropicServer, chat: AnthropicChat) -> None:
    for _ in range(3):
        await collect(chat, request())
    assert len(server._connections) == 1


async def test_what_cannot_be_sent_is_the_callers_to_mend(chat: AnthropicChat) -> None:
    deep: dict[str, Any] = {}
    for _ in range(100_000):
        deep = {"items": deep}
    with pytest.raises(InvalidInput, match="no Unicode"):
        await collect(chat, request(messages=(Message("user", "half a \ud83d pair"),)))
    with pytest.raises(InvalidInput, match="too deeply"):
        await collect(chat, request(tools=(Tool("deep", parameters=deep),)))


async def test_a_model_of_tomorrow_is_asked_in_the_newest_way(server: AnthropicServer, chat: AnthropicChat) -> None:
    asked = request(model="claude-haiku-7", temperature=0.3)
    await collect(chat, asked)
    assert "temperature" not in server.requests[0].json()
    assert isinstance(chat, Partial)
    assert chat.ignores(asked) == ("temperature",)


async def test_a_model_that_the_sdk_takes_for_retired_is_asked_without_a_warning(server: AnthropicServer) -> None:
    async def source(provider: str, *, refresh: bool = False) -> Credentials:
        return Credentials("sk-ant-test", server.base_url)

    chat = AnthropicChat(source, providers()["anthropic"])
    request = ChatRequest("claude-opus-4-20250514", (Message("user", "Hello"),), 50)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        events = [event async for event in chat.stream(request)]
    await chat.close()
    assert isinstance(events[-1], Completed)
    assert server.requests[-1].json()["model"] == "claude-opus-4-20250514"
