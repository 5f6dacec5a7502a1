"""The verbs of a tenant's API keys."""

from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from atrium.audit import record
from atrium.db import Database, Transaction
from atrium.kernel.clock import now
from atrium.kernel.errors import Conflict, FieldError, Forbidden, InvalidFields, NotFound, Unauthenticated
from atrium.kernel.principal import Principal, PrincipalKind, Role
from atrium.ports.keyring import KeyringSource
from atrium.tenancy import repository
from atrium.tenancy.keys import key_mac, new_key
from atrium.tenancy.models import ApiKey
from atrium.tenancy.permissions import narrowed, permissions_of


@dataclass(frozen=True, slots=True)
class NewApiKey:
    """A key that was just made; `text` is shown this once."""

    key: ApiKey
    text: str = field(repr=False)


class ApiKeyService:
    """Keys of the principal's tenant. The permission to manage them is checked at the door."""

    def __init__(self, database: Database, keyring: KeyringSource) -> None:
        self._database = database
        self._keyring = keyring

    async def create(
        self,
        principal: Principal,
        *,
        key_id: UUID,
        name: str,
        role: Role,
        scopes: tuple[str, ...],
        expires_at: datetime | None,
        request_id: str,
    ) -> NewApiKey:
        """A key with the id `key_id`; where there is one, made by a try whose answer was lost, it gets a new secret.

        A key that makes keys makes none that lives longer than itself: `expires_at` is then its own.

        Errors: Forbidden when it would do more than its maker, InvalidFields on a past expiry, Conflict when the key of
        an earlier try was deleted.
        """
        if expires_at is not None and expires_at <= now():
            raise InvalidFields((FieldError("/expires_at", "must be in the future"),))
        if not narrowed(role, frozenset(scopes)) <= permissions_of(principal):
            raise Forbidden("A key cannot do more than the one who makes it.")
        text = new_key()
        pepper = (await self._keyring.get()).pepper[0]
        async with self._database.transaction(principal) as tx:
            latest = await _expiry_of(tx, principal)
            key = await repository.insert_key(
                tx,
                id=key_id,
                name=name,
                text=text,
                pepper=(pepper.kid, key_mac(pepper, text)),
                role=role,
                scopes=sorted(set(scopes)),
                expires_at=min((moment for moment in (expires_at, latest) if moment), default=None),
            )
            if key is None:
                raise Conflict("The key that this request made before was deleted.")
            await record(tx, action="api_key.created", target=f"api_key:{key.id}", detail={"name": name}, request_id=request_id)
        return NewApiKey(key, text.text)

    async def list(self, principal: Principal, *, after: UUID | None, rows: int) -> list[ApiKey]:
        """Keys in force, newest first, those after the id `after`."""
        async with self._database.transaction(principal) as tx:
            return await repository.list_keys(tx, after, rows)

    async def delete(self, principal: Principal, key_id: UUID, *, request_id: str) -> None:
        """End a key now. NotFound when it is not there, or ended."""
        async with self._database.transaction(principal) as tx:
            if not await repository.revoke_key(tx, key_id):
                raise NotFound
            await record(tx, action="api_key.deleted", target=f"api_key:{key_id}", request_id=request_id)


async def _expiry_of(tx: Transaction, principal: Principal) -> datetime | None:
    """When the principal's own credential ends for good: a key's expiry; None for a user, whose logins go on."""
    if principal.kind is not PrincipalKind.API_KEY:
        return None
    maker = await repository.find_key(tx, principal.id)
    if maker is None:
        raise Unauthenticated("The API key is not valid.")
    return maker.expires_at
