"""The catalogue: names, prices, and whether the shipped file makes sense."""

import json
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from atrium.kernel.errors import UnknownModel
from atrium.kernel.settings import load_settings
from atrium.providers import catalogue, catalogue_rows
from atrium.providers.base import Usage
from atrium.providers.catalogue import Capability, ChatSpec, Price, Rates
from atrium.providers.catalogue_rows import Rows

SHIPPED = Rows.model_validate_json(Path(catalogue_rows.__file__).with_name("models.json").read_bytes())
RAW = json.loads(Path(catalogue_rows.__file__).with_name("models.json").read_bytes())
CACHED = (
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
        monkeypatch.setenv("MODELS", added if isinstance(added, str) else json.dumps(added))
        for each in CACHED:
            each.cache_clear()

    yield give
    monkeypatch.undo()
    for each in CACHED:
        each.cache_clear()


@pytest.mark.parametrize("model", sorted(SHIPPED.chat))
def test_a_shipped_chat_model_makes_sense(model: str) -> None:
    row, raw = SHIPPED.chat[model], RAW["chat"][model]
    provider = model.partition("/")[0]
    assert provider == "local" or provider in SHIPPED.providers
    assert row.max_output <= row.context_window
    assert "capabilities" in raw
    if provider == "local" or SHIPPED.providers[provider].open:
        assert row.price is None
        return
    assert row.price is not None, "what is billed has a price"
    assert {"as_of", "source"} <= raw["price"].keys()
    assert raw["price"]["source"].startswith("https://")
    assert date(2024, 1, 1) <= row.price.as_of <= date(2026, 11, 20)
    assert row.price.output >= row.price.input > 0
    assert row.price.cached is None or 0 < row.price.cached <= row.price.input
    if row.price.long:
        assert row.price.long.input >= row.price.input
        assert row.price.long.output >= row.price.output
        assert row.price.long.above < row.context_window


@pytest.mark.parametrize("model", sorted(SHIPPED.embedding))
def test_a_shipped_embedding_model_makes_sense(model: str) -> None:
    row = SHIPPED.embedding[model]
    assert (row.price is None) == (model.partition("/")[0] in {"local", "ollama"})
    assert row.price is None or row.price.input > 0


def test_every_provider_says_what_gives_its_key() -> None:
    assert {name: (row.wire, row.setting) for name, row in SHIPPED.providers.items()} == {
        "openai": ("openai", "OPENAI_API_KEY"),
        "anthropic": ("anthropic", "ANTHROPIC_API_KEY"),
        "xai": ("openai", "XAI_API_KEY"),
        "groq": ("openai", "GROQ_API_KEY"),
        "ollama": ("openai", "OLLAMA_URL"),
        "compatible": ("openai", "OPENAI_COMPATIBLE_URL"),
    }


def test_no_name_means_two_models() -> None:
    assert {name: models for name, models in catalogue._other_names().items() if len(models) > 1} == {}


@pytest.mark.parametrize(
    ("name", "model", "own_name"),
    [
        ("gpt-4o-mini", "openai/gpt-4o-mini", "gpt-4o-mini"),
        ("openai/gpt-4o-mini", "openai/gpt-4o-mini", "gpt-4o-mini"),
        ("gpt-4o-2024-08-06", "openai/gpt-4o-2024-08-06", "gpt-4o-2024-08-06"),
        ("claude-sonnet-4", "anthropic/claude-sonnet-4", "claude-sonnet-4-20250514"),
        ("claude-sonnet-4-20250514", "anthropic/claude-sonnet-4", "claude-sonnet-4-20250514"),
        ("anthropic/claude-3-5-haiku-latest", "anthropic/claude-3.5-haiku", "claude-3-5-haiku-20241022"),
        ("grok-4", "xai/grok-4", "grok-4-0709"),
        ("xai/grok-4-0709", "xai/grok-4", "grok-4-0709"),
        ("openai/gpt-oss-120b", "groq/openai/gpt-oss-120b", "openai/gpt-oss-120b"),
        ("text-embedding-3-small", "openai/text-embedding-3-small", "text-embedding-3-small"),
        ("extractive", "local/extractive", "extractive"),
        ("ollama/llama3.2:3b", "ollama/llama3.2:3b", "llama3.2:3b"),
    ],
)
def test_a_name_becomes_a_model(name: str, model: str, own_name: str) -> None:
    assert (catalogue.resolve(name), catalogue.own_name(catalogue.resolve(name))) == (model, own_name)


@pytest.mark.parametrize(
    ("name", "nearest"),
    [
        ("gpt-4o-mni", "Nearest: openai/gpt-4o-mini, "),
        ("claude-sonet-4", "Nearest: anthropic/claude-sonnet-4, "),
        ("openai/gpt-4-1-mini", "openai/gpt-4.1-mini"),
        ("anthropic/gpt-4o", "openai/gpt-4o"),
        ("GPT-4O", "Nearest: openai/gpt-4o"),
        ("", "lists all"),
        ("openai/", "lists all"),
        ("x" * 5000, "lists all"),
    ],
)
def test_an_unknown_name_is_told_the_nearest(name: str, nearest: str) -> None:
    with pytest.raises(UnknownModel) as caught:
        catalogue.resolve(name)
    assert nearest in caught.value.detail
    assert len(caught.value.detail) < 500


@given(st.text(max_size=40))
def test_any_name_is_a_model_or_unknown(name: str) -> None:
    if catalogue.exists(name):
        model = catalogue.resolve(name)
        assert catalogue.resolve(model) == model
    else:
        with pytest.raises(UnknownModel) as caught:
            catalogue.resolve(name)
        assert caught.value.model == name


def test_a_price_is_in_nano_dollars_a_token() -> None:
    price = catalogue.chat_spec("gpt-4o-mini").price
    assert (price.input, price.output, price.cached) == (150, 600, 75)
    assert price.cost(Usage(input_tokens=1_000_000, output_tokens=1_000_000)) == 750_000_000
    assert price.cost(Usage(input_tokens=100, output_tokens=0, cached_tokens=40)) == 60 * 150 + 40 * 75
    assert price.bound(1000, 500) == 1000 * 150 + 500 * 600


def test_a_long_request_costs_more() -> None:
    price = Price(100, 200, 10, date(2026, 1, 1), "x", Rates(200, 300, 20), above=1000)
    assert price.cost(Usage(1000, 1)) == 1000 * 100 + 200
    assert price.cost(Usage(1001, 1, 1)) == 1000 * 200 + 20 + 300
    assert price.bound(1001, 1) == 1001 * 200 + 300


RATES = st.integers(0, 10**6)
TOKENS = st.integers(0, 10**7)


@given(RATES, RATES, RATES, TOKENS, TOKENS, TOKENS, TOKENS)
def test_a_call_never_costs_more_than_its_bound(
    input_: int, output: int, saved: int, tokens: int, answer: int, cached: int, spare: int
) -> None:
    base = Rates(input_, output, max(0, input_ - saved))
    long = Rates(2 * base.input, 2 * base.output, 2 * base.cached)
    price = Price(base.input, base.output, base.cached, date(2026, 1, 1), "x", long, above=200_000)
    assert price.cost(Usage(tokens, answer, cached)) <= price.bound(tokens + spare, answer + spare)


def test_what_runs_at_home_is_free() -> None:
    for name in ("local/extractive", "ollama/anything", "compatible/anything"):
        assert catalogue.chat_spec(name).price.bound(10**6, 10**6) == 0
    assert catalogue.embedding_spec("all-minilm-l6-v2").price.bound(10**6, 0) == 0


def test_an_unlisted_model_is_trusted_to_say_itself_what_it_cannot() -> None:
    assert catalogue.chat_spec("ollama/anything").capabilities == frozenset(Capability) - {Capability.PDF}


def test_models_changes_a_listed_model_field_by_field(models: Any) -> None:
    models({"chat": {"openai/gpt-4o": {"price": {"input": 1, "output": 2}, "retires": None}}})
    spec = catalogue.chat_spec("gpt-4o")
    assert (spec.context_window, spec.retires) == (128_000, None)
    assert (spec.price.input, spec.price.output, spec.price.cached, spec.price.source) == (1000, 2000, 1000, "the setting MODELS")


def test_models_adds_a_provider_on_anthropics_wire(models: Any) -> None:
    models(
        {
            "providers": {
                "mirror": {"base_url": "https://m.example", "open": False, "wire": "anthropic", "setting": "MIRROR_KEY"}
            },
            "chat": {
                "mirror/claude": {"context_window": 10, "max_output": 5, "api_name": "claude-x", "retires": "2027-01-01"},
            },
        }
    )
    assert catalogue.providers()["mirror"].wire == "anthropic"
    assert catalogue.chat_spec("claude-x") == ChatSpec(
        "mirror/claude", 10, 5, False, frozenset(Capability) - {Capability.PDF}, retires=date(2027, 1, 1), api_name="claude-x"
    )


@pytest.mark.parametrize(
    ("added", "says"),
    [
        ({"chat": {"openai/gpt-4o": {"price": {"input": 1}}}}, "what output costs"),
        ({"chat": {"openai/gpt-4o": {"price": {"input": -1}}}}, "price.input"),
        ({"chat": {"openai/gpt-4o": {"price": {"input": 0.0001}}}}, "price.input"),
        ({"chat": {"openai/gpt-4o": {"price": {"input": 1, "cached": 2}}}}, "not dearer"),
        ({"chat": {"openai/gpt-4o": {"retires": "tomorrow"}}}, "retires"),
        ({"chat": {"openai/gpt-4o": {"capabilities": ["magic"]}}}, "capabilities"),
        ({"chat": {"openai/gpt-4o": 3}}, "MODELS"),
        ({"chat": 3}, "MODELS"),
        ([], "MODELS"),
        ("{", "MODELS"),
    ],
)
def test_what_is_wrong_is_named(models: Any, added: object, says: str) -> None:
    models(added)
    with pytest.raises(ValueError, match=says):
        catalogue.chat_specs()
