"""What is known of providers and models: models.json beside this file and what the deployment adds (MODELS), read once."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum
from functools import cache
from typing import Final, Literal, NamedTuple

from atrium.kernel.errors import UnknownModel
from atrium.providers.base import Usage
from atrium.providers.catalogue_rows import UNLISTED, ChatRow, PriceRow, Rows, read_rows

Kind = Literal["query", "document"]
_NEAREST: Final = 3
_SHOWN: Final = 100


class Capability(StrEnum):
    """What a chat model can do beside answering text."""

    TOOLS = "tools"
    VISION = "vision"
    PDF = "pdf"
    JSON_SCHEMA = "json_schema"
    STREAMING = "streaming"


class EmbeddingSpace(NamedTuple):
    """An embedding model, `provider/name`, and the space that its vectors live in.

    `id` is for ever: it names the space's partition. `max_tokens` of one input are read, special tokens included.
    """

    id: int
    model: str
    dimensions: int
    max_tokens: int


@dataclass(frozen=True, slots=True)
class Rates:
    """Nano-dollars a token: a dollar for a million tokens is 1,000. `cached` input is what the provider had read before."""

    input: int
    output: int
    cached: int


@dataclass(frozen=True, slots=True)
class Price:
    """Nano-dollars a token, as the page at `source` said on `as_of`. `long` holds for a request of more than `above` tokens."""

    input: int
    output: int
    cached: int
    as_of: date
    source: str
    long: Rates | None = None
    above: int = 0

    def cost(self, usage: Usage) -> int:
        """What a call came to, in nano-dollars."""
        rates = self._rates(usage.input_tokens)
        cached = min(usage.cached_tokens, usage.input_tokens)
        return (usage.input_tokens - cached) * rates.input + cached * rates.cached + usage.output_tokens * rates.output

    def bound(self, input_tokens: int, max_tokens: int) -> int:
        """The most that a call of so many tokens can cost, in nano-dollars."""
        rates = self._rates(input_tokens)
        return input_tokens * max(rates.input, rates.cached) + max_tokens * rates.output

    def _rates(self, input_tokens: int) -> Rates:
        if self.long is not None and input_tokens > self.above:
            return self.long
        return Rates(self.input, self.output, self.cached)


# What runs on this deployment's own machines.
FREE: Final = Price(0, 0, 0, date(2026, 11, 20), "runs on your own machines")


@dataclass(frozen=True, slots=True)
class ChatSpec:
    """A chat model, `provider/name`; sizes in tokens. A `reasoning` model takes no temperature.

    `api` is the part of OpenAI's wire that it is asked by. From the day of `retires` on, its provider refuses it.
    `api_name` is what its provider calls it, where that is not `name`. `picture`: the most tokens that one costs.
    """

    model: str
    context_window: int
    max_output: int
    reasoning: bool = False
    capabilities: frozenset[Capability] = frozenset(Capability)
    price: Price = FREE
    api: Literal["chat", "responses"] = "chat"
    retires: date | None = None
    api_name: str = ""
    picture: int = 4_000


@dataclass(frozen=True, slots=True)
class Provider:
    """A server of models; `label` is what errors call it, `wire` what it speaks, `setting` the variable that gives its key.

    An `open` provider serves whatever models its owner gave it, also such as the catalogue does not list, and needs no key:
    its secret holds a `base_url`. `base_url` None: only the secret knows it.
    """

    name: str
    label: str
    base_url: str | None = None
    open: bool = False
    wire: Literal["openai", "anthropic"] = "openai"
    setting: str = ""


@dataclass(frozen=True, slots=True)
class EmbeddingSpec:
    """An embedding model. `prefixes` go before a text, by its kind, where the model was trained so."""

    space: EmbeddingSpace
    prefixes: Mapping[Kind, str] = field(default_factory=dict)
    price: Price = FREE

    @property
    def model(self) -> str:
        """Its name, `provider/name`."""
        return self.space.model


@cache
def providers() -> Mapping[str, Provider]:
    """Every provider outside this process, by name."""
    return {
        name: Provider(name, row.label or name, row.base_url, row.open, row.wire, row.setting)
        for name, row in _rows().providers.items()
    }


@cache
def embedding_specs() -> Mapping[str, EmbeddingSpec]:
    """Every embedding model, by `provider/name`."""
    return {
        model: EmbeddingSpec(EmbeddingSpace(row.space, model, row.dimensions, row.max_tokens), row.prefixes, _price(row.price))
        for model, row in _rows().embedding.items()
    }


@cache
def embedding_spaces() -> tuple[EmbeddingSpace, ...]:
    """Every embedding space there is, in order of id."""
    return tuple(sorted(spec.space for spec in embedding_specs().values()))


@cache
def chat_specs() -> Mapping[str, ChatSpec]:
    """Every chat model that is listed, by `provider/name`."""
    return {model: _chat_spec(model, row) for model, row in _rows().chat.items()}


def embedding_space(model: str) -> EmbeddingSpace:
    """The space of an embedding model. `UnknownModel` names the nearest."""
    return embedding_spec(model).space


def embedding_spec(model: str) -> EmbeddingSpec:
    """What is known of the embedding model of that name. `UnknownModel` names the nearest."""
    known = embedding_specs()
    name = _listed(model, known)
    if name is None:
        raise unknown(model, [*known], "embedding")
    return known[name]


def chat_spec(model: str) -> ChatSpec:
    """What is known of the chat model of that name; a cautious guess for an open provider's. `UnknownModel` names the nearest."""
    known = chat_specs()
    name = _listed(model, known)
    if name is not None:
        return known[name]
    if _served(model):
        return _chat_spec(model, UNLISTED)
    raise unknown(model, [*known], "chat")


def resolve(name: str) -> str:
    """The full name of a model: `gpt-4o-mini`, `openai/gpt-4o-mini` and a provider's own name become `provider/name`.

    `UnknownModel` names the nearest.
    """
    rows = _rows()
    every = [*rows.chat, *rows.embedding]
    found = _listed(name, every) or (name if _served(name) else None)
    if found is None:
        raise unknown(name, every)
    return found


def exists(name: str) -> bool:
    """Whether there is a model of that name."""
    try:
        resolve(name)
    except UnknownModel:
        return False
    return True


def nearest(name: str, known: Sequence[str]) -> tuple[str, ...]:
    """The models whose names are most like this one, best first, at most three."""
    from difflib import get_close_matches

    own = {each.partition("/")[2].lower(): each for each in reversed(known)} | {each.lower(): each for each in known}
    matches = get_close_matches(name[:_SHOWN].lower(), own, n=2 * _NEAREST, cutoff=0.5)
    return tuple(dict.fromkeys(own[each] for each in matches))[:_NEAREST]


def own_name(model: str) -> str:
    """What its provider calls a model: `anthropic/claude-sonnet-4` → `claude-sonnet-4-20250514`."""
    row = _rows().chat.get(model)
    return (row.api_name if row else "") or model.partition("/")[2]


def _listed(name: str, among: Collection[str]) -> str | None:
    """The listed model of `among` that is meant."""
    if name in among:
        return name
    return next((each for each in _other_names().get(name, ()) if each in among), None)


def _served(name: str) -> bool:
    """Whether an open provider may have a model of that name, though it is not listed."""
    provider, _, own = name.partition("/")
    return bool(own) and provider in _taking_any()


def _taking_any() -> frozenset[str]:
    """Open providers of which no chat model is listed: another spelling of one that is would be a model without its price."""
    listed = {model.partition("/")[0] for model in _rows().chat}
    return frozenset(name for name, each in providers().items() if each.open and name not in listed)


@cache
def _other_names() -> Mapping[str, tuple[str, ...]]:
    """What else listed models are called: bare names, and those that providers' interfaces have."""
    names: dict[str, tuple[str, ...]] = {}
    rows = _rows()
    for model in (*rows.chat, *rows.embedding):
        provider, _, own = model.partition("/")
        row = rows.chat.get(model)
        api_names = (row.api_name, *row.aliases) if row else ()
        for other in (own, *(each for name in api_names if name for each in (name, f"{provider}/{name}"))):
            names[other] = (*names.get(other, ()), model)
    return names


def _chat_spec(model: str, row: ChatRow) -> ChatSpec:
    return ChatSpec(
        model,
        row.context_window,
        row.max_output,
        row.reasoning,
        frozenset(map(Capability, row.capabilities)),
        _price(row.price),
        row.api,
        row.retires,
        own_name(model),
        row.picture,
    )


def _price(row: PriceRow | None) -> Price:
    if row is None:
        return FREE
    long = row.long
    return Price(
        *row.nano(),
        row.as_of,
        row.source,
        Rates(*long.nano()) if long else None,
        long.above if long else 0,
    )


def unknown(model: str, known: Sequence[str], kind: str = "", said: str = "") -> UnknownModel:
    """That there is no such model among the `known`, or what is `said` instead, and the nearest."""
    asked = model[:_SHOWN]
    near = nearest(asked, [each for each in known if each != model])
    open_ones = [f"{name}/<any>" for name in providers() if name in _taking_any()] if kind != "embedding" else []
    anything = ", ".join(open_ones)
    words = [said or f"Unknown {kind} model {asked!r}.".replace("  ", " ")]
    words += [f"Nearest: {', '.join(near)}."] if near else []
    words += [f"Servers of your own take any name: {anything}."] if anything and not said else []
    words += ["GET /api/v1/llm/models lists all."]
    return UnknownModel(model, " ".join(words))


@cache
def _rows() -> Rows:
    return read_rows()
