"""The models that one tenant has, at one moment."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Protocol

from atrium.gateway.tenant_models.models import Override, OwnKey
from atrium.kernel.errors import ProviderError, UnknownModel
from atrium.kernel.principal import Principal
from atrium.providers import catalogue
from atrium.providers.catalogue import ChatSpec, EmbeddingSpec, Price
from atrium.providers.credentials import Credentials


class Keys(Protocol):
    """Where a tenant's keys come from."""

    async def key_of(self, models: "ModelSet", principal: Principal, provider: str) -> Credentials:
        """The key to call a provider with: the tenant's own of `models`, else the platform's."""
        ...

    async def credentials(self, principal: Principal, provider: str, *, refresh: bool = False) -> Credentials:
        """The same as things stand now."""
        ...


class ModelSet:
    """The catalogue with a tenant's overrides: what it switched off is not there, its prices hold where its own key is used."""

    def __init__(self, overrides: Mapping[str, Override], own_keys: Mapping[str, OwnKey], keys: Keys) -> None:
        self.overrides = overrides
        self.own_keys = own_keys
        self._off = {_spelled(model) for model, each in overrides.items() if not each.enabled}
        self.opened: dict[str, Credentials] = {}  # own keys that were unsealed once
        self._keys = keys

    def owns_key(self, provider: str) -> bool:
        """Whether the provider is called with the tenant's own key, which its own prices hold for."""
        return provider in self.own_keys

    async def credentials(self, principal: Principal, provider: str, *, refresh: bool = False) -> Credentials:
        """The key to call a provider with, of whose owner `owns_key` and the prices tell. `ProviderNotConfigured`: none.

        `refresh` after it was refused: the key as it is now; ProviderError where it is another owner's by now.
        """
        if not refresh:
            return await self._keys.key_of(self, principal, provider)
        fresh = await self._keys.credentials(principal, provider, refresh=True)
        if fresh.own != self.owns_key(provider):
            raise ProviderError(f"The key of {provider} was changed while it was used. Try again.")
        return fresh

    def chat(self, name: str) -> ChatSpec:
        """The chat model of that name. `UnknownModel`: there is none, or not for this tenant."""
        try:
            spec = catalogue.chat_spec(name)
        except UnknownModel as unknown:
            raise self._unknown(name, "chat") from unknown
        self._check(name, spec.model, "chat")
        return self.priced_chat(spec)

    def embedding(self, name: str) -> EmbeddingSpec:
        """The embedding model of that name. `UnknownModel`: there is none, or not for this tenant."""
        try:
            spec = catalogue.embedding_spec(name)
        except UnknownModel as unknown:
            raise self._unknown(name, "embedding") from unknown
        self._check(name, spec.model, "embedding")
        return self.priced_embedding(spec)

    def all(self, *, disabled: bool = False) -> tuple[ChatSpec | EmbeddingSpec, ...]:
        """Every listed model that the tenant has, and those of open providers that it named; `disabled`: also switched off."""
        return (*self.chat_models(disabled=disabled), *self.embedding_models(disabled=disabled))

    def chat_models(self, *, disabled: bool = False) -> tuple[ChatSpec, ...]:
        """Every chat model; `disabled`: also those switched off."""
        listed = catalogue.chat_specs()
        named = (model for model in self.overrides if model not in listed and model not in catalogue.embedding_specs())
        specs = (*listed.values(), *(catalogue.chat_spec(model) for model in named if catalogue.exists(model)))
        return tuple(self.priced_chat(spec) for spec in specs if disabled or self.enabled(spec.model))

    def embedding_models(self, *, disabled: bool = False) -> tuple[EmbeddingSpec, ...]:
        """Every embedding model; `disabled`: also those switched off."""
        specs = catalogue.embedding_specs().values()
        return tuple(self.priced_embedding(spec) for spec in specs if disabled or self.enabled(spec.model))

    def enabled(self, model: str) -> bool:
        """Whether the tenant left a model on, however its name is spelled: servers of one's own take several spellings."""
        override = self.overrides.get(model)
        return override.enabled if override else _spelled(model) not in self._off

    def priced_chat(self, spec: ChatSpec) -> ChatSpec:
        """The model at the price that holds for the tenant."""
        price = self._own_price(spec.model)
        return spec if price is None else replace(spec, price=price)

    def priced_embedding(self, spec: EmbeddingSpec) -> EmbeddingSpec:
        """The model at the price that holds for the tenant."""
        price = self._own_price(spec.model)
        return spec if price is None else replace(spec, price=price)

    def _own_price(self, model: str) -> Price | None:
        override = self.overrides.get(model)
        if override is None or override.price is None or not self.owns_key(model.partition("/")[0]):
            return None
        rates = override.price
        return Price(rates.input, rates.output, rates.cached, override.updated_at.date(), "set by your organisation")

    def _check(self, asked: str, model: str, kind: str) -> None:
        if not self.enabled(model):
            raise self._unknown(asked, kind, f"The model {model} is switched off for your organisation.")

    def _unknown(self, asked: str, kind: str, said: str = "") -> UnknownModel:
        specs = self.chat_models() if kind == "chat" else self.embedding_models()
        return catalogue.unknown(asked, [spec.model for spec in specs], kind, said)


def _spelled(model: str) -> str:
    """What a server of one's own makes of a name: `ollama/Llama3:latest` is `ollama/llama3` there."""
    return model.lower().removesuffix(":latest")
