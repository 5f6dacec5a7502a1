"""Servers that people run themselves, on OpenAI's wire: Ollama, and whatever MODELS adds."""

import json
import math
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest

from atrium.kernel.errors import InvalidInput, NotFound, ProviderError, ProviderNotConfigured
from atrium.kernel.settings import load_settings
from atrium.providers import catalogue, registry
from atrium.providers.base import ChatEvent, ChatRequest, Closable, Completed, Embedder, Message, TextDelta
from atrium.providers.credentials import Credentials, CredentialsSource
from tests.fakes.openai_server import OpenAIServer
from tests.fakes.vectors import rows
from tests.fakes.wire import Reply, Script

_CACHED = (
    load_settings,
    catalogue._rows,
    catalogue._other_names,
    catalogue.providers,
    catalogue.chat_specs,
    catalogue.embedding_specs,
    catalogue.embedding_spaces,
)


@pytest.fixture
def models(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Sets MODELS for this test."""

    def give(added: object) -> None:
        monkeypatch.setenv("MODELS", json.dumps(added))
        for each in _CACHED:
            each.cache_clear()

    yield give
    monkeypatch.undo()
    for each in _CACHED:
        each.cache_clear()


@pytest.fixture
async def server() -> AsyncIterator[OpenAIServer]:
    async with OpenAIServer(own=True) as server:
        yield server


def source(server: OpenAIServer) -> Any:
    async def credentials(provider: str, *, refresh: bool = False) -> Credentials:
        return Credentials("", server.base_url)

    return credentials


@pytest.fixture
async def embedder(server: OpenAIServer, tmp_path: Path) -> AsyncIterator[Embedder]:
    made = registry.embedder("ollama/nomic-embed-text", credentials=source(server), model_dir=tmp_path)
    yield made
    assert isinstance(made, Closable)
    await made.close()


async def answered(model: str, credentials: CredentialsSource, **changes: Any) -> list[ChatEvent]:
    chat = registry.chat_model(model, credentials=credentials)
    try:
        return [event async for event in chat.stream(asked(model, **changes))]
    finally:
        assert isinstance(chat, Closable)
        await chat.close()


def asked(model: str, **changes: Any) -> ChatRequest:
    return ChatRequest(registry.own_name(model), (Message("user", "Say it."),), timeout=5, **changes)


async def test_any_model_of_ollama_answers(server: OpenAIServer) -> None:
    server.script(Script(answer="It is said so now."))
    events = await answered("ollama/llama3.2:3b", source(server), max_tokens=3)
    assert "".join(each.text for each in events if isinstance(each, TextDelta)) == "It is said"
    end = events[-1]
    assert isinstance(end, Completed)
    assert (end.finish_reason, end.model) == ("length", "llama3.2:3b")
    assert end.usage.output_tokens == 3
    assert "max_completion_tokens" not in server.requests[0].json()


async def test_a_models_name_may_have_slashes(server: OpenAIServer) -> None:
    model = "compatible/meta-llama/Llama-3.1-8B-Instruct"
    assert await answered(model, source(server))
    assert server.requests[0].json()["model"] == "meta-llama/Llama-3.1-8B-Instruct"


async def test_vectors_are_made_of_length_one_and_texts_get_their_prefix(server: OpenAIServer, embedder: Embedder) -> None:
    vectors = await embedder.embed(["a pump", "a valve"] * 20, "document")
    await embedder.embed(["a pump?"], "query")
    assert (vectors.count, vectors.dimensions) == (40, 768)
    assert all(math.isclose(math.hypot(*row), 1, abs_tol=1e-5) for row in rows(vectors))
    inputs = [each.json()["input"] for each in server.requests]
    assert [len(each) for each in inputs] == [32, 8, 1]
    assert (inputs[0][0], inputs[2]) == ("search_document: a pump", ["search_query: a pump?"])
    assert embedder.tokenizer.special_tokens == len(embedder.tokenizer.offsets("search_document: "))


@pytest.mark.parametrize(
    ("vector", "says"),
    [
        ([1.0] * 767, "not 768 long"),
        ([0.0] * 768, "without a direction"),
        ([math.nan, *[1.0] * 767], "no numbers, or infinite"),
        ([math.inf, *[1.0] * 767], "no numbers, or infinite"),
        (["x"] * 768, "neither base64 nor numbers"),
        (None, "neither base64 nor numbers"),
        ("????", "neither base64 nor numbers"),
    ],
)
async def test_what_is_no_vector_is_refused(
    server: OpenAIServer, embedder: Embedder, monkeypatch: pytest.MonkeyPatch, vector: object, says: str
) -> None:
    answer = {"object": "list", "model": "x", "data": [{"object": "embedding", "index": 0, "embedding": vector}]}
    monkeypatch.setattr(server, "reply", lambda request, script: Reply(answer))
    with pytest.raises(ProviderError, match=says):
        await embedder.embed(["a"], "document")


async def test_a_server_that_nobody_named_is_a_clear_refusal() -> None:
    async def nothing(provider: str, *, refresh: bool = False) -> Credentials:
        raise NotFound(provider)

    with pytest.raises(ProviderNotConfigured, match="ollama has no address"):
        await answered("ollama/llama3.2", nothing)


async def test_an_address_is_needed() -> None:
    async def keyed(provider: str, *, refresh: bool = False) -> Credentials:
        return Credentials("sk")

    with pytest.raises(ProviderNotConfigured, match="compatible has no base_url"):
        await answered("compatible/x", keyed)


def test_a_deployment_adds_servers_models_and_spaces(models: Any) -> None:
    models(
        {
            "providers": {"vllm": {}},
            "chat": {
                "vllm/qwen3": {"context_window": 32768, "max_output": 4096},
                "openai/gpt-9": {"context_window": 1, "max_output": 1},
            },
            "embedding": {
                "vllm/e5-1024": {"space": 1007, "dimensions": 1024, "max_tokens": 512, "prefixes": {"query": "query: "}}
            },
        }
    )
    assert registry.chat_spec("vllm/qwen3").context_window == 32768
    with pytest.raises(InvalidInput, match="vllm/qwen3"):
        registry.chat_spec("vllm/Qwen3:latest")
    assert registry.chat_spec("ollama/other").context_window == 8192, "of which nothing is listed"
    assert registry.chat_spec("openai/gpt-9").max_output == 1
    assert registry.embedding_space("vllm/e5-1024").id == 1007
    assert registry.embedding_spaces()[-1].model == "vllm/e5-1024"


@pytest.mark.parametrize(
    ("added", "says"),
    [
        ({"chats": {}}, "MODELS: chats"),
        ({"chat": {"ollama/x": {"context_window": 0, "max_output": 1}}}, "chat.ollama/x.context_window"),
        ({"chat": {"nobody/x": {"context_window": 1, "max_output": 1}}}, "nobody/x: not provider/name"),
        ({"chat": {"ollama/": {"context_window": 1, "max_output": 1}}}, "not provider/name"),
        ({"embedding": {"ollama/x": {"space": 7, "dimensions": 4, "max_tokens": 9}}}, "from 1000 on"),
        ({"embedding": {"ollama/bge-m3": {"space": 1002, "dimensions": 4, "max_tokens": 9}}}, "from 1000 on"),
        ({"embedding": {f"ollama/{n}": {"space": 1002, "dimensions": 4, "max_tokens": 9} for n in "ab"}}, "from 1000 on"),
        ({"providers": {"vllm": {"base_url": "ftp://x"}}}, "providers.vllm.base_url"),
    ],
)
def test_what_is_wrong_in_models_is_named(models: Any, added: object, says: str) -> None:
    models(added)
    with pytest.raises(ValueError, match=says):
        registry.chat_specs()


def test_an_unknown_model_is_told_which_servers_take_any() -> None:
    with pytest.raises(InvalidInput, match="ollama/<any>, compatible/<any>"):
        registry.chat_spec("nobody/x")
