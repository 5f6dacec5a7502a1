"""From a model's name to its adapter."""

from pathlib import Path
from typing import Final

import pytest

from atrium.kernel.errors import UnknownModel
from atrium.providers import registry
from atrium.providers.anthropic import AnthropicChat
from atrium.providers.credentials import Credentials
from atrium.providers.extractive import ExtractiveChat
from atrium.providers.local_embedder import LocalEmbedder
from atrium.providers.openai import OpenAIChat
from atrium.providers.openai_embeddings import OpenAIEmbedder
from atrium.providers.piece_counter import in_pieces

_ADAPTERS: Final = {"local": ExtractiveChat, "anthropic": AnthropicChat}


async def no_keys(provider: str, *, refresh: bool = False) -> Credentials:
    raise AssertionError(f"{provider} was asked for its key before anything was sent")


def test_every_known_chat_model_has_an_adapter(tmp_path: Path) -> None:
    for spec in registry.chat_specs().values():
        model = registry.chat_model(spec.model, credentials=no_keys, model_dir=tmp_path)
        assert isinstance(model, _ADAPTERS.get(spec.model.partition("/")[0], OpenAIChat))
        assert 0 < spec.max_output <= spec.context_window


def test_every_known_space_has_an_adapter_of_its_size(tmp_path: Path) -> None:
    for space in registry.embedding_spaces():
        embedder = registry.embedder(space.model, credentials=no_keys, model_dir=tmp_path)
        assert isinstance(embedder, LocalEmbedder if space.model.startswith("local/") else OpenAIEmbedder)
        window = space.max_tokens if isinstance(embedder, LocalEmbedder) else in_pieces(space.max_tokens)
        assert (embedder.dimensions, embedder.max_tokens) == (space.dimensions, window)


def test_spaces_have_distinct_ids_for_ever() -> None:
    assert {space.id: space.model for space in registry.embedding_spaces()} == {
        1: "local/all-minilm-l6-v2",
        2: "openai/text-embedding-3-small",
        3: "openai/text-embedding-3-large",
        4: "ollama/nomic-embed-text",
        5: "ollama/bge-m3",
    }


def test_the_local_model_is_shared(tmp_path: Path) -> None:
    one, other = (registry.embedder("local/all-minilm-l6-v2", credentials=no_keys, model_dir=tmp_path) for _ in range(2))
    assert one is other


@pytest.mark.parametrize(
    ("name", "nearest"),
    [
        ("gpt-4.1-mimi", "openai/gpt-4.1-mini"),
        ("openai/", "lists all"),
        ("", "lists all"),
        ("local/all-minilm-l6-v2", "ollama/<any>"),
    ],
)
def test_an_unknown_chat_model_is_refused_with_the_nearest(name: str, nearest: str) -> None:
    with pytest.raises(UnknownModel, match=nearest) as caught:
        registry.chat_model(name, credentials=no_keys)
    assert caught.value.model == name


@pytest.mark.parametrize("name", ["local/extractive", "text-embedding-3-smal"])
def test_an_unknown_embedding_model_is_refused(name: str, tmp_path: Path) -> None:
    with pytest.raises(UnknownModel, match="Unknown embedding model"):
        registry.embedder(name, credentials=no_keys, model_dir=tmp_path)


def test_a_bare_name_finds_its_adapter(tmp_path: Path) -> None:
    assert isinstance(registry.chat_model("gpt-4.1-mini", credentials=no_keys), OpenAIChat)
    assert isinstance(registry.embedder("all-minilm-l6-v2", credentials=no_keys, model_dir=tmp_path), LocalEmbedder)


def test_a_models_own_name() -> None:
    assert registry.own_name("openai/gpt-4.1-mini") == "gpt-4.1-mini"
    assert registry.own_name("anthropic/claude-sonnet-4") == "claude-sonnet-4-20250514"
    assert registry.own_name("compatible/meta-llama/Llama-3.1-8B") == "meta-llama/Llama-3.1-8B"
