"""llama-index's OpenAILike, unmodified; run by the interpreter of an environment that has it installed."""

from collections.abc import Callable
from importlib import import_module
from typing import Any

from reporting import last_asked, run, script  # type: ignore[import-not-found]  # beside this script

openai: Any = import_module("openai")
core: Any = import_module("llama_index.core.llms")
GPT, CLAUDE = "gpt-4o-mini", "anthropic/claude-sonnet-4-6"
PIXEL = "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
BOTH = "What is the weather, and what the time?"


def get_weather(city: str) -> str:
    """The weather of a city."""
    return city


def get_time(city: str) -> str:
    """The time of a city."""
    return city


def like(place: dict[str, str], **options: Any) -> Any:
    made = {"api_base": place["base_url"], "api_key": place["key"], "model": GPT, "is_chat_model": True, "max_retries": 0}
    return import_module("llama_index.llms.openai_like").OpenAILike(**(made | {"timeout": 20} | options))


def toolbox() -> list[Any]:
    tool = import_module("llama_index.core.tools").FunctionTool
    return [tool.from_defaults(each) for each in (get_weather, get_time)]


def raised(kind: Any, call: Callable[[], object]) -> Any:
    """The error that the call ends with: llama-index's chats end with the SDK's own."""
    try:
        call()
    except kind as error:
        return error
    raise AssertionError(f"{kind} was not raised")


def plain(place: dict[str, str], model: str = GPT) -> None:
    answer = like(place, model=model).complete("Hello")
    assert str(answer)
    assert answer.raw.usage.total_tokens > 0


def streamed(place: dict[str, str], model: str = GPT) -> None:
    assert "".join(piece.delta or "" for piece in like(place, model=model).stream_complete("Hello"))


def usage_in_stream(place: dict[str, str]) -> None:
    asked = [core.ChatMessage(role="user", content="Hello")]
    *_, last = like(place).stream_chat(asked, stream_options={"include_usage": True})
    assert last.raw.usage.total_tokens > 0


def tools(place: dict[str, str], model: str = GPT) -> None:
    """A round trip: the model asks, the client answers, the model tells."""
    asked = like(place, model=model, is_function_calling_model=True)
    question = core.ChatMessage(role="user", content="What is the weather?")
    turn = asked.chat_with_tools(toolbox(), user_msg=question)
    (call,) = asked.get_tool_calls_from_response(turn)
    assert call.tool_name == "get_weather"
    given = core.ChatMessage(role="tool", content="Sunny.", additional_kwargs={"tool_call_id": call.tool_id})
    told = asked.chat_with_tools(toolbox(), chat_history=[question, turn.message, given])
    assert "Sunny" in str(told.message.content)


def parallel_tools(place: dict[str, str], model: str = GPT) -> None:
    asked = like(place, model=model, is_function_calling_model=True)
    turn = asked.chat_with_tools(toolbox(), user_msg=BOTH, allow_parallel_tool_calls=True)
    assert {call.tool_name for call in asked.get_tool_calls_from_response(turn)} == {"get_weather", "get_time"}


def streamed_tools(place: dict[str, str], model: str = GPT) -> None:
    asked = like(place, model=model, is_function_calling_model=True)
    *_, last = asked.stream_chat_with_tools(toolbox(), user_msg=BOTH, allow_parallel_tool_calls=True)
    assert {call.tool_name for call in asked.get_tool_calls_from_response(last)} == {"get_weather", "get_time"}


def json_schema(place: dict[str, str], model: str = GPT) -> None:
    pydantic: Any = import_module("pydantic")
    wanted = pydantic.create_model("Place", city=(str, ...))
    asked = like(place, model=model, should_use_structured_outputs=True)
    assert asked.as_structured_llm(wanted).complete("Where?").raw.city
    if model == GPT:
        assert last_asked(place)["response_format"]["type"] == "json_schema"


def image_parts(place: dict[str, str], model: str = GPT) -> None:
    blocks = [core.TextBlock(text="What is this?"), core.ImageBlock(url=PIXEL, detail="low")]
    answer = like(place, model=model).chat([core.ChatMessage(role="user", blocks=blocks)])
    assert "1 pictures" in str(answer.message.content)


def embeddings(place: dict[str, str]) -> None:
    """As base64, which the SDK asks for by itself, and as floats."""
    for options in ({}, {"encoding_format": "float"}):
        made = {"api_base": place["base_url"], "api_key": place["key"], "model": "text-embedding-3-small"}
        model = import_module("llama_index.embeddings.openai").OpenAIEmbedding(**made, additional_kwargs=options)
        assert len(model.get_text_embedding("one")) == 1536
        assert [len(each) for each in model.get_text_embedding_batch(["one", "two"])] == [1536, 1536]


def errors(place: dict[str, str]) -> None:
    cases: tuple[tuple[Any, str, dict[str, Any]], ...] = (
        (openai.AuthenticationError, "invalid_api_key", {"api_key": "no"}),
        (openai.NotFoundError, "model_not_found", {"model": "gpt-nothing"}),
        (openai.RateLimitError, "insufficient_quota", {"api_key": place["poor"], "max_tokens": 100}),
    )
    for kind, code, options in cases:
        model = like(place, **options)
        assert raised(kind, lambda model=model: model.complete("Hello")).code == code  # type: ignore[misc]


def rate_limits(place: dict[str, str]) -> None:
    hasty = place | {"base_url": place["hasty"]}
    model = like(hasty)
    error = raised(openai.RateLimitError, lambda: [model.complete("Hello") for _ in range(20)])
    assert error.code == "rate_limit_exceeded"
    assert str(like(hasty, max_retries=3).complete("Hello"))


def timeouts(place: dict[str, str]) -> None:
    script(place, {"hang": True})
    raised(openai.APITimeoutError, lambda: like(place, timeout=0.3).complete("Hello"))


def retries(place: dict[str, str]) -> None:
    """The gateway gives up after three; the SDK's second request is answered."""
    script(place, *[{"status": 500, "headers": {"retry-after-ms": "1"}}] * 3)
    assert str(like(place, max_retries=1).complete("Hello"))


def cut_streams(place: dict[str, str]) -> None:
    script(place, {"cut_after": 2})
    assert raised(openai.APIError, lambda: list(like(place).stream_complete("Hello"))).code == "provider_unavailable"


def anthropic(place: dict[str, str]) -> None:
    for case in (plain, streamed, tools, parallel_tools, streamed_tools, json_schema, image_parts):
        case(place, CLAUDE)


CASES = (
    *(plain, streamed, usage_in_stream, tools, parallel_tools, streamed_tools, json_schema, image_parts, embeddings),
    *(errors, rate_limits, timeouts, retries, cut_streams, anthropic),
)

if __name__ == "__main__":
    run({case.__name__: case for case in CASES})
