"""A tenant's own name and settings."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Final

from atrium.audit import record
from atrium.db import Database, Transaction
from atrium.kernel.errors import FieldError, InvalidFields, InvalidInput, NotFound, Unauthenticated
from atrium.kernel.principal import Principal
from atrium.tenancy import repository
from atrium.tenancy.models import Organisation

INVITATION_DAYS: Final = 7


@dataclass(frozen=True, slots=True)
class TenantSettings:
    """What a tenant has settled; a setting that it never made has the value here.

    `chat_model`: answers when a request names no model, None for the deployment's. `invitation_days`: how long an invitation
    can be accepted. `api_key_max_days`: how long a new API key lives at most, None for without end.
    """

    chat_model: str | None = None
    invitation_days: int = INVITATION_DAYS
    api_key_max_days: int | None = None


def settings_of(organisation: Organisation) -> TenantSettings:
    """The settings in a tenant's row; what a newer or older release wrote there besides is passed over."""
    known = {name: value for name, value in organisation.settings.items() if name in TenantSettings.__slots__}
    return TenantSettings(**known)


async def settings_in(tx: Transaction) -> TenantSettings:
    """The settings of the transaction's tenant."""
    return settings_of(await _found(tx))


async def hold_tenant(tx: Transaction) -> None:
    """First in a transaction that gives access or changes it: the tenant is not being erased, nor will be before it ends.

    The erasure locks the tenant, then what it has; who began the other way round would wait for it in a ring. Errors:
    Unauthenticated, as every credential of an erased tenant is refused.
    """
    if not await repository.hold_tenant(tx):
        raise Unauthenticated("The organisation was erased.")


class TenantService:
    """The principal's tenant. The permission to manage it is checked at the door."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def get(self, principal: Principal) -> Organisation:
        """The tenant."""
        async with self._database.transaction(principal) as tx:
            return await _found(tx)

    async def update(
        self, principal: Principal, *, name: str | None, settings: Mapping[str, Any], request_id: str
    ) -> Organisation:
        """Another name, other settings (a merge patch: None puts a setting back to its default); what is absent stays.

        Errors: InvalidFields on a chat model that is not there; its text names those that are.
        """
        _check_model(settings.get("chat_model"))
        async with self._database.transaction(principal) as tx:
            await hold_tenant(tx)
            before = await _found(tx)
            after = await repository.update_organisation(tx, name, dict(settings))
            if after is None:
                raise NotFound
            if changes := _changes(before, after):
                target = f"tenant:{after.id}"
                await record(tx, action="tenant.updated", target=target, detail=changes, request_id=request_id)
            return after


def _check_model(name: str | None) -> None:
    if name is None:
        return
    # The catalogue of models is much to import for the one rare request that names a model.
    from atrium.providers.catalogue import chat_spec

    try:
        chat_spec(name)
    except InvalidInput as error:
        raise InvalidFields((FieldError("/settings/chat_model", error.detail),)) from error


async def _found(tx: Transaction) -> Organisation:
    organisation = await repository.find_organisation(tx)
    if organisation is None:
        raise NotFound
    return organisation


def _changes(before: Organisation, after: Organisation) -> dict[str, Any]:
    """The fields that differ, with their new values."""
    old, new = (asdict(settings_of(each)) | {"name": each.name} for each in (before, after))
    return {name: value for name, value in new.items() if value != old[name]}
