"""langchain-openai, unmodified; run by the interpreter of an environment that has it installed."""

from collections.abc import Callable
from importlib import import_module
from typing import Any

from reporting import last_asked, run, script  # type: ignore[import-not-found]  # beside this script

openai: Any = import_module("openai")
GPT, CLAUDE, EMBEDDING = "gpt-4o-mini", "anthropic/claude-sonnet-4-6", "text-embedding-3-small"
PIXEL = "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
BOTH = "What is the weather, and what the time?"
CITY = {
    "title": "place",
    "description": "Where",
    "type": "object",
    "properties": {"city": {"type": "string"}},
    "required": ["city"],
    "additionalProperties": False,
}
TOOLS = [{"type": "function", "function": {"name": name, "parameters": CITY}} for name in ("get_weather", "get_time")]


def chat(place: dict[str, str], **options: Any) -> Any:
    made = {"base_url": place["base_url"], "api_key": place["key"], "model": GPT, "max_retries": 0, "timeout": 20}
    return import_module("langchain_openai").ChatOpenAI(**(made | options))


def vectors(place: dict[str, str], **options: Any) -> Any:
    made = {"base_url": place["base_url"], "api_key": place["key"], "model": EMBEDDING}
    return import_module("langchain_openai").OpenAIEmbeddings(**(made | options))


def raised(kind: Any, call: Callable[[], object]) -> Any:
    """The error that the call ends with: LangChain's chats end with the SDK's own."""
    try:
        call()
    except kind as error:
        return error
    raise AssertionError(f"{kind} was not raised")


def plain(place: dict[str, str], model: str = GPT) -> None:
    answer = chat(place, model=model).invoke("Hello")
    assert answer.content
    assert answer.usage_metadata["total_tokens"] > 0


def streamed(place: dict[str, str], model: str = GPT) -> None:
    assert "".join(chunk.content for chunk in chat(place, model=model).stream("Hello"))


def usage_in_stream(place: dict[str, str]) -> None:
    chunks = list(chat(place, stream_usage=True).stream("Hello"))
    assert any((chunk.usage_metadata or {}).get("total_tokens", 0) > 0 for chunk in chunks)


def tools(place: dict[str, str], model: str = GPT) -> None:
    """A round trip: the model asks, the client answers, the model tells."""
    bound = chat(place, model=model).bind_tools(TOOLS)
    messages: Any = import_module("langchain_core.messages")
    asked = messages.HumanMessage("What is the weather?")
    turn = bound.invoke([asked])
    (call,) = turn.tool_calls
    assert call["name"] == "get_weather"
    assert "Sunny" in bound.invoke([asked, turn, messages.ToolMessage("Sunny.", tool_call_id=call["id"])]).content


def parallel_tools(place: dict[str, str], model: str = GPT) -> None:
    asked = chat(place, model=model)
    assert {call["name"] for call in asked.bind_tools(TOOLS).invoke(BOTH).tool_calls} == {"get_weather", "get_time"}
    assert len(asked.bind_tools(TOOLS, parallel_tool_calls=False).invoke(BOTH).tool_calls) == 1


def streamed_tools(place: dict[str, str], model: str = GPT) -> None:
    first, *others = chat(place, model=model).bind_tools(TOOLS).stream(BOTH)
    for chunk in others:
        first += chunk
    assert {call["name"] for call in first.tool_calls} == {"get_weather", "get_time"}


def json_schema(place: dict[str, str], model: str = GPT) -> None:
    asked = chat(place, model=model).with_structured_output(CITY, method="json_schema")
    assert set(asked.invoke("Where?")) == {"city"}


def image_parts(place: dict[str, str], model: str = GPT) -> None:
    parts = [{"type": "text", "text": "What is this?"}, {"type": "image_url", "image_url": {"url": PIXEL, "detail": "low"}}]
    asked = import_module("langchain_core.messages").HumanMessage(parts)
    assert "1 pictures" in chat(place, model=model).invoke([asked]).content


def embeddings(place: dict[str, str]) -> None:
    """Texts; as base64, which the SDK asks for by itself, and as floats."""
    for options in ({}, {"model_kwargs": {"encoding_format": "float"}}):
        model = vectors(place, check_embedding_ctx_length=False, **options)
        assert [len(each) for each in model.embed_documents(["one", "two"])] == [1536, 1536]
        assert last_asked(place)["input"] == ["one", "two"]


def token_ids(place: dict[str, str]) -> None:
    """As LangChain sends all texts by itself; of a vocabulary that needs no network: each byte is one."""
    tiktoken: Any = import_module("tiktoken")
    ranks = {bytes([each]): each for each in range(256)}
    import_module("tiktoken.registry").ENCODINGS["bytes"] = tiktoken.Encoding(
        "bytes", pat_str=r"[\s\S]", mergeable_ranks=ranks, special_tokens={}
    )
    import_module("tiktoken.model").MODEL_TO_ENCODING["bytes"] = "bytes"
    model = vectors(place, tiktoken_model_name="bytes")
    assert [len(each) for each in model.embed_documents(["one", "two"])] == [1536, 1536]
    assert len(model.embed_query("three")) == 1536


def errors(place: dict[str, str]) -> None:
    cases: tuple[tuple[Any, str, dict[str, Any]], ...] = (
        (openai.AuthenticationError, "invalid_api_key", {"api_key": "no"}),
        (openai.NotFoundError, "model_not_found", {"model": "gpt-nothing"}),
        (openai.RateLimitError, "insufficient_quota", {"api_key": place["poor"], "max_retries": 2, "max_tokens": 100}),
    )
    for kind, code, options in cases:
        model = chat(place, **options)
        assert raised(kind, lambda model=model: model.invoke("Hello")).code == code  # type: ignore[misc]


def rate_limits(place: dict[str, str]) -> None:
    hasty = place | {"base_url": place["hasty"]}
    model = chat(hasty)
    error = raised(openai.RateLimitError, lambda: [model.invoke("Hello") for _ in range(20)])
    assert error.code == "rate_limit_exceeded"
    assert chat(hasty, max_retries=3).invoke("Hello").content


def timeouts(place: dict[str, str]) -> None:
    script(place, {"hang": True})
    raised(openai.APITimeoutError, lambda: chat(place, timeout=0.3).invoke("Hello"))


def retries(place: dict[str, str]) -> None:
    """The gateway gives up after three; the SDK's second request is answered."""
    script(place, *[{"status": 500, "headers": {"retry-after-ms": "1"}}] * 3)
    assert chat(place, max_retries=1).invoke("Hello").content


def cut_streams(place: dict[str, str]) -> None:
    script(place, {"cut_after": 2})
    assert raised(openai.APIError, lambda: list(chat(place).stream("Hello"))).code == "provider_unavailable"


def anthropic(place: dict[str, str]) -> None:
    for case in (plain, streamed, tools, parallel_tools, streamed_tools, json_schema, image_parts):
        case(place, CLAUDE)


CASES = (
    *(plain, streamed, usage_in_stream, tools, parallel_tools, streamed_tools, json_schema, image_parts, embeddings),
    *(token_ids, errors, rate_limits, timeouts, retries, cut_streams, anthropic),
)

if __name__ == "__main__":
    run({case.__name__: case for case in CASES})
