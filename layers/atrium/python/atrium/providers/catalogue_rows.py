"""The catalogue as it is written: models.json, and the setting MODELS in the same shape over it. Prices in US dollars."""

import json
from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any, Final, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from atrium.kernel.clock import now
from atrium.kernel.settings import load_settings

_DATA = Path(__file__).with_name("models.json")
# Below are the ids of the spaces that ship; a deployment's own begin here.
_OWN_SPACES: Final = 1000
# A dollar for a million tokens, in nano-dollars a token.
_NANO: Final = 1000

# Dollars for a million tokens. A price finer than a nano-dollar a token cannot be kept in the ledger.
Dollars = Annotated[Decimal, Field(ge=0, le=100_000, decimal_places=3)]
_ALL_BUT_PDF: Final = ("tools", "vision", "json_schema", "streaming")


class _Row(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class _ProviderRow(_Row):
    label: str = ""
    base_url: str | None = Field(default=None, pattern=r"^https?://")
    # What a deployment adds is its own server.
    open: bool = True
    wire: Literal["openai", "anthropic"] = "openai"
    setting: str = ""


class _RatesRow(_Row):
    input: Dollars
    output: Dollars = Decimal(0)
    cached: Dollars | None = None

    @model_validator(mode="after")
    def _cached_is_no_dearer(self) -> Self:
        if self.cached is not None and self.cached > self.input:
            raise ValueError("cached input is not dearer than input")
        return self

    def nano(self) -> tuple[int, int, int]:
        """Input, output and cached in nano-dollars a token."""
        cached = self.input if self.cached is None else self.cached
        return int(self.input * _NANO), int(self.output * _NANO), int(cached * _NANO)


class _LongRow(_RatesRow):
    above: int = Field(gt=0)


class PriceRow(_RatesRow):
    """Dollars for a million tokens; `long`: those of a request with more input than `above`."""

    # An operator who sets a price in MODELS means that it holds now.
    as_of: date = Field(default_factory=lambda: now().date())
    source: str = Field(default="the setting MODELS", min_length=1)
    long: _LongRow | None = None


class ChatRow(_Row):
    """A chat model."""

    context_window: int = Field(gt=0)
    max_output: int = Field(gt=0)
    reasoning: bool = False
    # What a server of one's own can do, it says itself.
    capabilities: tuple[Literal["tools", "vision", "pdf", "json_schema", "streaming"], ...] = _ALL_BUT_PDF
    price: PriceRow | None = None
    api: Literal["chat", "responses"] = "chat"
    retires: date | None = None
    api_name: str = ""
    # The most tokens that a picture costs, after the provider has made it smaller.
    picture: int = Field(default=4_000, gt=0)
    aliases: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _answers_have_a_price(self) -> Self:
        if self.price is not None and "output" not in self.price.model_fields_set:
            raise ValueError("a chat model's price says what output costs")
        return self


class _EmbeddingRow(_Row):
    space: int = Field(ge=1, le=32767)
    dimensions: int = Field(ge=1, le=4000)
    max_tokens: int = Field(gt=0)
    prefixes: dict[Literal["query", "document"], str] = Field(default_factory=dict)
    price: PriceRow | None = None


class Rows(_Row):
    """The file's shape, and that of MODELS."""

    providers: dict[str, _ProviderRow] = Field(default_factory=dict)
    chat: dict[str, ChatRow] = Field(default_factory=dict)
    embedding: dict[str, _EmbeddingRow] = Field(default_factory=dict)


# What is believed of a model that only its server knows: small enough for any that answers questions about documents.
UNLISTED: Final = ChatRow(context_window=8192, max_output=2048)

_Raw = Mapping[str, Mapping[str, Mapping[str, Any]]]


def read_rows() -> Rows:
    """What ships with what the deployment says over it. ValueError names what is wrong in MODELS."""
    text = _DATA.read_bytes()
    return _merged(Rows.model_validate_json(text), json.loads(text), load_settings().models)


def _merged(shipped: Rows, raw: _Raw, added: str) -> Rows:
    """The rows of both; a listed model may be described anew, field by field, an embedding space is for ever."""
    own = _own_rows(raw, added)
    taken = {row.space for row in shipped.embedding.values()}
    for model, row in own.embedding.items():
        if model in shipped.embedding or row.space < _OWN_SPACES or row.space in taken:
            raise ValueError(f"MODELS: embedding.{model}: a new model with a space of its own from {_OWN_SPACES} on is needed")
        taken.add(row.space)
    known = {"local", *shipped.providers, *own.providers}
    for model in (*own.chat, *own.embedding):
        if model.partition("/")[0] not in known or not model.partition("/")[2]:
            raise ValueError(f"MODELS: {model}: not provider/name of a provider among {', '.join(sorted(known))}")
    return Rows(
        providers=shipped.providers | own.providers, chat=shipped.chat | own.chat, embedding=shipped.embedding | own.embedding
    )


def _own_rows(shipped: _Raw, added: str) -> Rows:
    try:
        given = json.loads(added or "{}")
        chat = given.get("chat", {})
        given["chat"] = {model: shipped["chat"].get(model, {}) | row for model, row in chat.items()}
        return Rows.model_validate_json(json.dumps(given))
    except ValidationError as exc:
        wrong = "; ".join(f"{'.'.join(map(str, error['loc']))}: {error['msg']}" for error in exc.errors(include_input=False))
        raise ValueError(f"MODELS: {wrong}") from exc
    except (ValueError, TypeError, AttributeError) as exc:
        raise ValueError(f"MODELS is not a JSON object of objects: {exc}") from exc
