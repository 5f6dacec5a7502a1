"""What is known of providers and models: models.json beside this file and what the deployment adds (MODELS), read once."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Final, Literal, NamedTuple

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from atrium.kernel.errors import InvalidInput
from atrium.kernel.settings import load_settings

_DATA = Path(__file__).with_name("models.json")
# Below are the ids of the spaces that ship; a deployment's own begin here.
_OWN_SPACES: Final = 1000

Kind = Literal["query", "document"]


class EmbeddingSpace(NamedTuple):
    """An embedding model, `provider/name`, and the space that its vectors live in.

    `id` is for ever: it names the space's partition. `max_tokens` of one input are read, special tokens included.
    """

    id: int
    model: str
    dimensions: int
    max_tokens: int


@dataclass(frozen=True, slots=True)
class ChatSpec:
    """A chat model, `provider/name`; sizes in tokens. A `reasoning` model takes no temperature."""

    model: str
    context_window: int
    max_output: int
    reasoning: bool = False


@dataclass(frozen=True, slots=True)
class Provider:
    """A server that speaks OpenAI's wire; `label` is what errors call it.

    An `open` provider serves whatever models its owner gave it, also such as the catalogue does not list, and needs no key:
    its secret holds a `base_url`. `base_url` None: only the secret knows it.
    """

    name: str
    label: str
    base_url: str | None = None
    open: bool = False


@dataclass(frozen=True, slots=True)
class EmbeddingSpec:
    """An embedding model. `prefixes` go before a text, by its kind, where the model was trained so."""

    space: EmbeddingSpace
    prefixes: Mapping[Kind, str] = field(default_factory=dict)


class _Row(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class _ProviderRow(_Row):
    label: str = ""
    base_url: str | None = Field(default=None, pattern=r"^https?://")
    # What a deployment adds is its own server.
    open: bool = True


class _ChatRow(_Row):
    context_window: int = Field(gt=0)
    max_output: int = Field(gt=0)
    reasoning: bool = False


class _EmbeddingRow(_Row):
    space: int = Field(ge=1, le=32767)
    dimensions: int = Field(ge=1, le=4000)
    max_tokens: int = Field(gt=0)
    prefixes: dict[Kind, str] = Field(default_factory=dict)


class _Rows(_Row):
    """The file's shape, and that of MODELS."""

    providers: dict[str, _ProviderRow] = Field(default_factory=dict)
    chat: dict[str, _ChatRow] = Field(default_factory=dict)
    embedding: dict[str, _EmbeddingRow] = Field(default_factory=dict)


# What is believed of a model that only its server knows: small enough for any that answers questions about documents.
_UNLISTED: Final = _ChatRow(context_window=8192, max_output=2048)


@cache
def providers() -> Mapping[str, Provider]:
    """Every provider behind OpenAI's wire, by name."""
    rows = _rows().providers.items()
    return {name: Provider(name, row.label or name, row.base_url, row.open) for name, row in rows}


@cache
def embedding_specs() -> Mapping[str, EmbeddingSpec]:
    """Every embedding model, by `provider/name`."""
    return {
        model: EmbeddingSpec(EmbeddingSpace(row.space, model, row.dimensions, row.max_tokens), row.prefixes)
        for model, row in _rows().embedding.items()
    }


@cache
def embedding_spaces() -> tuple[EmbeddingSpace, ...]:
    """Every embedding space there is, in order of id."""
    return tuple(sorted(spec.space for spec in embedding_specs().values()))


@cache
def chat_specs() -> tuple[ChatSpec, ...]:
    """Every chat model that is listed."""
    return tuple(_chat_spec(model, row) for model, row in _rows().chat.items())


def embedding_space(model: str) -> EmbeddingSpace:
    """The space of `provider/name`. `InvalidInput` names what exists."""
    return embedding_spec(model).space


def embedding_spec(model: str) -> EmbeddingSpec:
    """What is known of the embedding model `provider/name`. `InvalidInput` names what exists."""
    if model not in embedding_specs():
        raise _unknown(model, embedding_specs(), "embedding")
    return embedding_specs()[model]


def chat_spec(model: str) -> ChatSpec:
    """What is known of `provider/name`; a cautious guess for an open provider's. `InvalidInput` names what exists."""
    rows = _rows().chat
    if model in rows:
        return _chat_spec(model, rows[model])
    provider, _, own = model.partition("/")
    if own and provider in providers() and providers()[provider].open:
        return _chat_spec(model, _UNLISTED)
    anything = [f"{each.name}/<any>" for each in providers().values() if each.open]
    raise _unknown(model, [*rows, *anything], "chat")


def _chat_spec(model: str, row: _ChatRow) -> ChatSpec:
    return ChatSpec(model, row.context_window, row.max_output, row.reasoning)


def _unknown(model: str, known: Iterable[str], kind: str) -> InvalidInput:
    return InvalidInput(f"Unknown {kind} model {model[:100]!r}. Known: {', '.join(known)}")


@cache
def _rows() -> _Rows:
    shipped = _Rows.model_validate_json(_DATA.read_bytes())
    return _merged(shipped, load_settings().models)


def _merged(shipped: _Rows, added: str) -> _Rows:
    """The rows of both; a listed model may be described anew, an embedding space is for ever. ValueError says what is wrong."""
    try:
        own = _Rows.model_validate_json(added or "{}")
    except ValidationError as exc:
        wrong = "; ".join(f"{'.'.join(map(str, error['loc']))}: {error['msg']}" for error in exc.errors(include_input=False))
        raise ValueError(f"MODELS: {wrong}") from exc
    taken = {row.space for row in shipped.embedding.values()}
    for model, row in own.embedding.items():
        if model in shipped.embedding or row.space < _OWN_SPACES or row.space in taken:
            raise ValueError(f"MODELS: embedding.{model}: a new model with a space of its own from {_OWN_SPACES} on is needed")
        taken.add(row.space)
    known = {"local", *shipped.providers, *own.providers}
    for model in (*own.chat, *own.embedding):
        if model.partition("/")[0] not in known or not model.partition("/")[2]:
            raise ValueError(f"MODELS: {model}: not provider/name of a provider among {', '.join(sorted(known))}")
    return _Rows(
        providers=shipped.providers | own.providers, chat=shipped.chat | own.chat, embedding=shipped.embedding | own.embedding
    )
