"""langchain-openai and llama-index's OpenAILike, unmodified; run by the interpreter of an environment that has them installed."""

import json
from importlib import import_module
from typing import Any

from reporting import run  # type: ignore[import-not-found]  # beside this script

GPT = "gpt-4o-mini"
CITY = {
    "title": "place",
    "description": "Where",
    "type": "object",
    "properties": {"city": {"type": "string"}},
    "required": ["city"],
    "additionalProperties": False,
}


def _chat(place: dict[str, str], **options: Any) -> Any:
    made = {"base_url": place["base_url"], "api_key": place["key"], "model": GPT, "max_retries": 0, "timeout": 20}
    return import_module("langchain_openai").ChatOpenAI(**(made | options))


def _like(place: dict[str, str], **options: Any) -> Any:
    made = {"api_base": place["base_url"], "api_key": place["key"], "model": GPT, "is_chat_model": True, "max_retries": 0}
    return import_module("llama_index.llms.openai_like").OpenAILike(**(made | options))


def langchain_plain(place: dict[str, str]) -> None:
    answer = _chat(place).invoke("Hello")
    assert answer.content
    assert answer.usage_metadata["total_tokens"] > 0


def langchain_streamed(place: dict[str, str]) -> None:
    chunks = list(_chat(place, stream_usage=True).stream("Hello"))
    assert "".join(chunk.content for chunk in chunks)
    assert any(chunk.usage_metadata for chunk in chunks)


def langchain_tools(place: dict[str, str]) -> None:
    tools = [{"type": "function", "function": {"name": name, "parameters": CITY}} for name in ("get_weather", "get_time")]
    bound = _chat(place).bind_tools(tools)
    question = "What is the weather, and what the time?"
    assert {call["name"] for call in bound.invoke(question).tool_calls} == {"get_weather", "get_time"}
    streamed: Any = None
    for chunk in bound.stream(question):
        streamed = chunk if streamed is None else streamed + chunk
    assert {call["name"] for call in streamed.tool_calls} == {"get_weather", "get_time"}


def langchain_json_schema(place: dict[str, str]) -> None:
    assert set(_chat(place).with_structured_output(CITY, method="json_schema").invoke("Where?")) == {"city"}


def langchain_embeddings(place: dict[str, str]) -> None:
    """As texts."""
    embeddings = import_module("langchain_openai").OpenAIEmbeddings(
        base_url=place["base_url"], api_key=place["key"], model="text-embedding-3-small", check_embedding_ctx_length=False
    )
    assert [len(each) for each in embeddings.embed_documents(["one", "two"])] == [1536, 1536]


def langchain_token_embeddings(place: dict[str, str]) -> None:
    """As the ids of tokens, as it sends all by itself; of a vocabulary that needs no network: each byte is one."""
    tiktoken: Any = import_module("tiktoken")
    ranks = {bytes([each]): each for each in range(256)}
    import_module("tiktoken.registry").ENCODINGS["bytes"] = tiktoken.Encoding(
        "bytes", pat_str=r"[\s\S]", mergeable_ranks=ranks, special_tokens={}
    )
    import_module("tiktoken.model").MODEL_TO_ENCODING["bytes"] = "bytes"
    embeddings = import_module("langchain_openai").OpenAIEmbeddings(
        base_url=place["base_url"], api_key=place["key"], model="text-embedding-3-small", tiktoken_model_name="bytes"
    )
    assert [len(each) for each in embeddings.embed_documents(["one", "two"])] == [1536, 1536]
    assert len(embeddings.embed_query("three")) == 1536


def langchain_errors(place: dict[str, str]) -> None:
    openai: Any = import_module("openai")
    for kind, options in ((openai.AuthenticationError, {"api_key": "no"}), (openai.NotFoundError, {"model": "gpt-nothing"})):
        try:
            _chat(place, **options).invoke("Hello")
        except kind:
            continue
        raise AssertionError(kind)


def llama_index_plain(place: dict[str, str]) -> None:
    assert str(_like(place).complete("Hello"))


def llama_index_streamed(place: dict[str, str]) -> None:
    assert "".join(piece.delta or "" for piece in _like(place).stream_complete("Hello"))


def llama_index_tools(place: dict[str, str]) -> None:
    tools: Any = import_module("llama_index.core.tools")

    def get_weather(city: str) -> str:
        """The weather of a city."""
        return city

    model = _like(place, is_function_calling_model=True)
    answer = model.chat_with_tools([tools.FunctionTool.from_defaults(get_weather)], user_msg="What is the weather?")
    calls = model.get_tool_calls_from_response(answer)
    assert [call.tool_name for call in calls] == ["get_weather"]
    json.dumps(calls[0].tool_kwargs)


def llama_index_embeddings(place: dict[str, str]) -> None:
    model = import_module("llama_index.embeddings.openai").OpenAIEmbedding(
        api_base=place["base_url"], api_key=place["key"], model="text-embedding-3-small"
    )
    assert len(model.get_text_embedding("one")) == 1536


CASES = (
    *(langchain_plain, langchain_streamed, langchain_tools, langchain_json_schema, langchain_embeddings),
    *(langchain_token_embeddings, langchain_errors),
    *(llama_index_plain, llama_index_streamed, llama_index_tools, llama_index_embeddings),
)

if __name__ == "__main__":
    run({case.__name__: case for case in CASES})
