"""OpenAI's Python SDK, 1.x and current, unmodified; run by the interpreter of an environment that has it installed."""

import json
from collections.abc import Callable
from functools import partial
from importlib import import_module
from typing import Any

from reporting import run, script  # type: ignore[import-not-found]  # beside this script

openai: Any = import_module("openai")
GPT, CLAUDE = "gpt-4o-mini", "anthropic/claude-sonnet-4-6"
PIXEL = "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
CITY = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"], "additionalProperties": False}
TOOLS = [
    {"type": "function", "function": {"name": name, "description": "Of a city", "parameters": CITY}}
    for name in ("get_weather", "get_time")
]
BOTH = "What is the weather, and what the time?"


def client(place: dict[str, str], **options: Any) -> Any:
    return openai.OpenAI(base_url=place["base_url"], api_key=place["key"], **({"max_retries": 0, "timeout": 20} | options))


def said(text: str) -> list[dict[str, str]]:
    return [{"role": "user", "content": text}]


def raised(kind: Any, call: Callable[[], object]) -> Any:
    """The error that the call ends with."""
    try:
        call()
    except kind as error:
        return error
    raise AssertionError(f"{kind} was not raised")


def plain(place: dict[str, str], model: str = GPT) -> None:
    answer = client(place).chat.completions.create(model=model, messages=said("Hello"))
    assert answer.choices[0].message.content
    assert answer.choices[0].finish_reason == "stop"
    assert answer.usage.total_tokens > 0


def streamed(place: dict[str, str], model: str = GPT) -> None:
    chunks = list(client(place).chat.completions.create(model=model, messages=said("Hello"), stream=True))
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
    assert all(chunk.choices for chunk in chunks)
    assert [chunk.choices[0].finish_reason for chunk in chunks if chunk.choices][-1] == "stop"


def usage_in_stream(place: dict[str, str]) -> None:
    options = {"include_usage": True}
    chunks = list(client(place).chat.completions.create(model=GPT, messages=said("Hello"), stream=True, stream_options=options))
    assert (chunks[-1].choices, chunks[-1].usage.total_tokens > 0) == ([], True)


def tools(place: dict[str, str], model: str = GPT) -> None:
    """A round trip: the model asks, the client answers, the model tells."""
    api = client(place).chat.completions
    asked = said("What is the weather?")
    turn = api.create(model=model, messages=asked, tools=TOOLS, tool_choice="auto").choices[0]
    assert turn.finish_reason == "tool_calls"
    (call,) = turn.message.tool_calls
    assert call.function.name == "get_weather"
    json.loads(call.function.arguments)
    given = {"role": "tool", "tool_call_id": call.id, "content": "Sunny."}
    turns = [*asked, turn.message.model_dump(exclude_none=True), given]
    assert "Sunny" in api.create(model=model, messages=turns, tools=TOOLS).choices[0].message.content


def parallel_tools(place: dict[str, str], model: str = GPT) -> None:
    turn = client(place).chat.completions.create(model=model, messages=said(BOTH), tools=TOOLS).choices[0]
    assert {call.function.name for call in turn.message.tool_calls} == {"get_weather", "get_time"}
    one = client(place).chat.completions.create(model=model, messages=said(BOTH), tools=TOOLS, parallel_tool_calls=False)
    assert len(one.choices[0].message.tool_calls) == 1


def streamed_tools(place: dict[str, str], model: str = GPT) -> None:
    pieces: dict[int, dict[str, str]] = {}
    for chunk in client(place).chat.completions.create(model=model, messages=said(BOTH), tools=TOOLS, stream=True):
        for piece in chunk.choices[0].delta.tool_calls or ():
            call = pieces.setdefault(piece.index, {"name": "", "arguments": ""})
            call["name"] += piece.function.name or ""
            call["arguments"] += piece.function.arguments or ""
    assert {call["name"] for call in pieces.values()} == {"get_weather", "get_time"}
    assert all(isinstance(json.loads(call["arguments"]), dict) for call in pieces.values())


def json_schema(place: dict[str, str], model: str = GPT) -> None:
    wanted = {"type": "json_schema", "json_schema": {"name": "place", "schema": CITY, "strict": True}}
    answer = client(place).chat.completions.create(model=model, messages=said("Where?"), response_format=wanted)
    assert set(json.loads(answer.choices[0].message.content)) == {"city"}


def image_parts(place: dict[str, str], model: str = GPT) -> None:
    parts = [{"type": "text", "text": "What is this?"}, {"type": "image_url", "image_url": {"url": PIXEL, "detail": "low"}}]
    answer = client(place).chat.completions.create(model=model, messages=[{"role": "user", "content": parts}])
    assert answer.choices[0].message.content


def embeddings(place: dict[str, str]) -> None:
    """As base64, which the SDK asks for by itself, and as floats."""
    same_both_ways(place, "one", ["one", "two"])
    api = client(place).embeddings
    assert len(api.create(model="text-embedding-3-small", input="one", dimensions=256).data[0].embedding) == 256


def token_ids(place: dict[str, str]) -> None:
    same_both_ways(place, [5, 6], [[5, 6], [7]])


def same_both_ways(place: dict[str, str], *asked: Any) -> None:
    api = client(place).embeddings
    for given in asked:
        decoded = api.create(model="text-embedding-3-small", input=given)
        floats = api.create(model="text-embedding-3-small", input=given, encoding_format="float")
        assert [len(each.embedding) for each in decoded.data] == [1536] * len(floats.data)
        assert all(abs(a - b) < 1e-6 for a, b in zip(decoded.data[-1].embedding, floats.data[-1].embedding, strict=True))


def models(place: dict[str, str]) -> None:
    ids = [model.id for model in client(place).models.list()]
    assert "openai/gpt-4o-mini" in ids
    assert client(place).models.retrieve("openai/gpt-4o-mini").id == "openai/gpt-4o-mini"


def local_model(place: dict[str, str]) -> None:
    text = "Refunds are paid within 14 days.\n\nWhen are refunds paid?"
    answer = client(place).chat.completions.create(model="local/extractive", messages=said(text))
    assert "14 days" in answer.choices[0].message.content


def errors(place: dict[str, str]) -> None:
    cases: tuple[tuple[Any, int, str, dict[str, Any], str], ...] = (
        (openai.AuthenticationError, 401, "invalid_api_key", {"api_key": "atr_live_wrong"}, GPT),
        (openai.NotFoundError, 404, "model_not_found", {}, "gpt-nothing"),
        # A spent budget says that no retry helps; so the SDK, which would wait for two, makes none.
        (openai.RateLimitError, 429, "insufficient_quota", {"api_key": place["poor"], "max_retries": 2}, GPT),
    )
    for kind, status, code, options, model in cases:
        api = client(place | {"key": options.pop("api_key", place["key"])}, **options).chat.completions
        error = raised(kind, partial(api.create, model=model, messages=said("Hello"), max_tokens=100))
        assert (error.status_code, error.code) == (status, code)
        assert error.request_id


def rate_limits(place: dict[str, str]) -> None:
    """Too much at a time is told with the seconds to wait, and the SDK waits for them."""
    hasty = place | {"base_url": place["hasty"]}
    api = client(hasty).chat.completions
    error = raised(openai.RateLimitError, lambda: [api.create(model=GPT, messages=said("Hello")) for _ in range(20)])
    assert (error.status_code, error.code, error.type) == (429, "rate_limit_exceeded", "requests")
    assert int(error.response.headers["retry-after"]) >= 1
    assert client(hasty, max_retries=3).chat.completions.create(model=GPT, messages=said("Hello")).choices


def timeouts(place: dict[str, str]) -> None:
    script(place, {"hang": True})
    api = client(place, timeout=0.3).chat.completions
    raised(openai.APITimeoutError, partial(api.create, model=GPT, messages=said("Hello")))


def retries(place: dict[str, str]) -> None:
    """The gateway gives up after three; the SDK's second request is answered."""
    script(place, *[{"status": 500, "headers": {"retry-after-ms": "1"}}] * 3)
    assert client(place, max_retries=1).chat.completions.create(model=GPT, messages=said("Hello")).choices


def cut_streams(place: dict[str, str]) -> None:
    script(place, {"cut_after": 2})
    stream = client(place).chat.completions.create(model=GPT, messages=said("Hello"), stream=True)
    assert raised(openai.APIError, partial(list, stream)).code == "provider_unavailable"


def anthropic(place: dict[str, str]) -> None:
    for case in (plain, streamed, tools, parallel_tools, streamed_tools, json_schema, image_parts):
        case(place, CLAUDE)


CASES = (
    *(plain, streamed, usage_in_stream, tools, parallel_tools, streamed_tools, json_schema, image_parts, embeddings),
    *(token_ids, models, local_model, errors, rate_limits, timeouts, retries, cut_streams, anthropic),
)

if __name__ == "__main__":
    run({case.__name__: case for case in CASES})
