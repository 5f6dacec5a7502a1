"""Which models a tenant has, and with whose key they are called."""

import asyncio
import time
from collections import OrderedDict
from collections.abc import Mapping
from typing import Final

from atrium.db import Database
from atrium.gateway.tenant_models import repository
from atrium.gateway.tenant_models.model_set import ModelSet
from atrium.gateway.tenant_models.models import ModelInfo, OwnKey, ProviderInfo
from atrium.kernel.clock import now
from atrium.kernel.errors import ProviderNotConfigured, Unavailable, UnknownModel
from atrium.kernel.principal import Principal, TenantId
from atrium.ports.keyring import KeyringSource
from atrium.ports.sealing import Sealer
from atrium.providers.catalogue import ChatSpec, EmbeddingSpec, providers
from atrium.providers.credentials import Credentials, CredentialsSource

KEY_TABLE: Final = "provider_keys"
LOCAL: Final = "local"
_KEPT_SECONDS: Final = 15
# A key that a provider refuses for good must not become a query on every request.
_REFRESH_SECONDS: Final = 1
_KEPT_TENANTS: Final = 1000


class _Kept:
    """What is known of one tenant, since `read_at`."""

    def __init__(self, models: ModelSet, read_at: float) -> None:
        self.models: Final = models
        self.read_at: Final = read_at


class TenantModels:
    """Every tenant's models and keys, each kept 15 s in this process.

    `platform` gives the deployment's own keys; `base_urls` are the addresses that the deployment set for providers it has no
    key of. A tenant never says where a call goes.
    """

    def __init__(
        self,
        database: Database,
        keyring: KeyringSource,
        platform: CredentialsSource,
        base_urls: Mapping[str, str] | None = None,
    ) -> None:
        self._database = database
        self._keyring = keyring
        self._platform = platform
        self._base_urls = base_urls or {}
        self._kept: OrderedDict[TenantId, _Kept] = OrderedDict()
        self._changes = 0

    async def of(self, principal: Principal) -> ModelSet:
        """The models that the principal's tenant has now, or had at most 15 s ago."""
        return (await self._known(principal, _KEPT_SECONDS)).models

    def forget(self, tenant_id: TenantId) -> None:
        """What is known of a tenant is old, also what is being read."""
        self._changes += 1
        self._kept.pop(tenant_id, None)

    async def credentials(self, principal: Principal, provider: str, *, refresh: bool = False) -> Credentials:
        """The key to call a provider with: the tenant's own, else the platform's. `refresh` after it was refused.

        `ProviderNotConfigured` names the setting, or the route, that would give one.
        """
        known = await self._known(principal, _REFRESH_SECONDS if refresh else _KEPT_SECONDS)
        return await self.key_of(known.models, principal, provider, refresh=refresh)

    async def key_of(self, models: ModelSet, principal: Principal, provider: str, *, refresh: bool = False) -> Credentials:
        """The same by what `models` know of the tenant, so that its prices and its key are of one moment."""
        if provider == LOCAL:
            return Credentials("")
        own = models.own_keys.get(provider)
        if own is None:
            return await self._platforms(principal, provider, refresh=refresh)
        if provider not in models.opened:
            key = await self._open(principal, own)
            models.opened[provider] = Credentials(key, await self._base_url(provider), own=True)
        return models.opened[provider]

    async def _platforms(self, principal: Principal, provider: str, *, refresh: bool) -> Credentials:
        try:
            return await self._platform(provider, refresh=refresh)
        except ProviderNotConfigured:
            # Whoever is told so gives the tenant a key, in another process: then this one must not go by what it knew before.
            self.forget(principal.tenant_id)
            raise

    async def can_ask(self, principal: Principal, model: str) -> bool:
        """Whether the tenant has the chat model, and there is a key for its provider."""
        try:
            spec = (await self.of(principal)).chat(model)
            await self.credentials(principal, spec.model.partition("/")[0])
        except (UnknownModel, ProviderNotConfigured):
            return False
        return True

    async def describe(self, principal: Principal, *, disabled: bool = False) -> tuple[ModelInfo, ...]:
        """Every model that the tenant has, chat before embedding; `disabled`: also those that it switched off."""
        models = await self.of(principal)
        configured = await self._configured(models)
        return tuple(_info(spec, models, configured) for spec in models.all(disabled=disabled))

    async def providers(self, principal: Principal) -> tuple[ProviderInfo, ...]:
        """Every provider, and whether it can be called."""
        models = await self.of(principal)
        configured = await self._configured(models)
        remote = (
            ProviderInfo(each.name, each.label, each.open, each.setting, each.name in configured, each.name in models.own_keys)
            for each in providers().values()
        )
        return (ProviderInfo(LOCAL, "This deployment", open=False, setting="", configured=True, own_key=False), *remote)

    async def _known(self, principal: Principal, seconds: float) -> _Kept:
        tenant_id = principal.tenant_id
        kept = self._kept.get(tenant_id)
        if kept is None or time.monotonic() - kept.read_at > seconds:
            changes, kept = self._changes, await self._read(principal)
            if changes == self._changes:
                self._keep(tenant_id, kept)
        else:
            self._kept.move_to_end(tenant_id)
        return kept

    def _keep(self, tenant_id: TenantId, kept: _Kept) -> None:
        self._kept[tenant_id] = kept
        self._kept.move_to_end(tenant_id)
        while len(self._kept) > _KEPT_TENANTS:
            self._kept.popitem(last=False)

    async def _read(self, principal: Principal) -> _Kept:
        read_at = time.monotonic()
        async with self._database.transaction(principal) as tx:
            overrides = await repository.list_overrides(tx)
            keys = await repository.list_keys(tx)
        models = ModelSet({each.model: each for each in overrides}, {each.provider: each for each in keys}, self)
        return _Kept(models, read_at)

    async def _open(self, principal: Principal, key: OwnKey) -> str:
        try:
            sealer = await Sealer.of(self._keyring)
            return sealer.open(key.sealed, tenant_id=principal.tenant_id, table=KEY_TABLE, id=key.provider).decode()
        except Unavailable:  # sealed under a key that is newer than what this process has read
            sealer = Sealer((await self._keyring.get(refresh=True)).data)
            return sealer.open(key.sealed, tenant_id=principal.tenant_id, table=KEY_TABLE, id=key.provider).decode()

    async def _base_url(self, provider: str) -> str | None:
        """Where the deployment calls the provider: a tenant's own key goes there too."""
        try:
            platform = await self._platform(provider)
        except ProviderNotConfigured:
            return self._base_urls.get(provider)
        return platform.base_url

    async def _configured(self, models: ModelSet) -> frozenset[str]:
        """The providers that can be called."""
        names = [name for name in providers() if name not in models.own_keys]
        there = await asyncio.gather(*map(self._has_platform_key, names))
        return frozenset({LOCAL, *models.own_keys, *(name for name, has in zip(names, there, strict=True) if has)})

    async def _has_platform_key(self, provider: str) -> bool:
        try:
            await self._platform(provider)
        except ProviderNotConfigured:
            return False
        return True


def _info(spec: ChatSpec | EmbeddingSpec, models: ModelSet, configured: frozenset[str]) -> ModelInfo:
    chat = spec if isinstance(spec, ChatSpec) else None
    space = None if isinstance(spec, ChatSpec) else spec.space
    provider = spec.model.partition("/")[0]
    retires = chat.retires if chat else None
    return ModelInfo(
        model=spec.model,
        kind="chat" if chat else "embedding",
        provider=provider,
        context_window=chat.context_window if chat else space.max_tokens if space else 0,
        max_output=chat.max_output if chat else None,
        dimensions=space.dimensions if space else None,
        capabilities=tuple(sorted(chat.capabilities)) if chat else (),
        reasoning=bool(chat and chat.reasoning),
        price=spec.price,
        retires=retires,
        retired=retires is not None and retires <= now().date(),
        configured=provider in configured,
        own_key=provider in models.own_keys,
        enabled=models.enabled(spec.model),
        override=models.overrides.get(spec.model),
    )
