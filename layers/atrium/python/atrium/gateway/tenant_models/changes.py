"""What a tenant's admins do with its models and keys. Both are in force at once here, in other processes within 15 s."""

from collections.abc import Sequence
from dataclasses import asdict, replace
from typing import Any, Final

from atrium.audit import record
from atrium.db import Database
from atrium.gateway.tenant_models import repository
from atrium.gateway.tenant_models.models import MAX_OVERRIDES, ModelChange, OwnKey
from atrium.gateway.tenant_models.service import KEY_TABLE, TenantModels
from atrium.kernel.errors import Conflict, FieldError, InvalidFields, NotFound, Unavailable, UnknownModel
from atrium.kernel.principal import Principal
from atrium.ports.keyring import KeyringSource
from atrium.ports.sealing import Sealer
from atrium.providers.catalogue import providers, resolve

# Of a shorter key four characters are too much to show.
_SHOWABLE: Final = 20


class ModelChanges:
    """One tenant's overrides and keys, changed and looked at."""

    def __init__(self, database: Database, keyring: KeyringSource, models: TenantModels) -> None:
        self._database = database
        self._keyring = keyring
        self._models = models

    async def change(self, principal: Principal, changes: Sequence[ModelChange], *, request_id: str = "") -> None:
        """Each named model is as its change says from now on; the others stay as they are.

        `InvalidFields` where a model is unknown or named twice, `Conflict` past 1,000 changed models.
        """
        resolved = _resolved(changes)
        async with self._database.transaction(principal) as tx:
            for change in resolved:
                await repository.put_override(tx, change)
                target, detail = f"model:{change.model}", _detail(change)
                await record(tx, action="model.changed", target=target, detail=detail, request_id=request_id)
            if await repository.count_overrides(tx) > MAX_OVERRIDES:
                raise Conflict(f"An organisation may change at most {MAX_OVERRIDES} models.")
        self._models.forget(principal.tenant_id)

    async def keys(self, principal: Principal) -> dict[str, OwnKey]:
        """The tenant's keys, by provider."""
        async with self._database.transaction(principal) as tx:
            return {key.provider: key for key in await repository.list_keys(tx)}

    async def key(self, principal: Principal, provider: str) -> OwnKey | None:
        """The tenant's key of a provider, if it has one. `NotFound`: no such provider takes keys."""
        _check_provider(provider)
        return (await self.keys(principal)).get(provider)

    async def put_key(self, principal: Principal, provider: str, api_key: str, *, request_id: str = "") -> OwnKey:
        """Keep the tenant's key of a provider, sealed; calls go out with it from now on. `NotFound` as for `key`."""
        _check_provider(provider)
        sealer = await Sealer.of(self._keyring)
        sealed = sealer.seal(api_key.encode(), tenant_id=principal.tenant_id, table=KEY_TABLE, id=provider)
        last_four = api_key[-4:] if len(api_key) >= _SHOWABLE else ""
        async with self._database.transaction(principal) as tx:
            key = await repository.put_key(tx, provider, sealed, last_four)
            detail = {"last_four": last_four}
            await record(tx, action="provider_key.set", target=f"provider_key:{provider}", detail=detail, request_id=request_id)
        self._models.forget(principal.tenant_id)
        if key is None:
            raise Unavailable
        return key

    async def delete_key(self, principal: Principal, provider: str, *, request_id: str = "") -> None:
        """Forget the tenant's key of a provider; the platform's is used again, where there is one. `NotFound` without one."""
        _check_provider(provider)
        async with self._database.transaction(principal) as tx:
            if not await repository.delete_key(tx, provider):
                raise NotFound("Your organisation has no key of this provider.")
            await record(tx, action="provider_key.deleted", target=f"provider_key:{provider}", request_id=request_id)
        self._models.forget(principal.tenant_id)


def _check_provider(name: str) -> None:
    """A key for a server of the operator's own would be sent to an address that its tenant does not know: there are none."""
    provider = providers().get(name)
    if provider is None or provider.open:
        takers = ", ".join(each.name for each in providers().values() if not each.open)
        raise NotFound(f"No such provider takes keys. Those that do: {takers}.")


def _resolved(changes: Sequence[ModelChange]) -> list[ModelChange]:
    found: dict[str, ModelChange] = {}
    wrong: list[FieldError] = []
    for index, change in enumerate(changes):
        try:
            model = resolve(change.model)
        except UnknownModel as unknown:
            wrong.append(FieldError(f"/models/{index}/model", unknown.detail))
            continue
        if model in found:
            wrong.append(FieldError(f"/models/{index}/model", f"{model} is named twice."))
        found[model] = replace(change, model=model)
    if wrong:
        raise InvalidFields(tuple(wrong))
    return list(found.values())


def _detail(change: ModelChange) -> dict[str, Any]:
    price = asdict(change.price) if change.price else None
    return {"enabled": change.enabled, "price": price, "note": change.note}
