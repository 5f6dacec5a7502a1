"""The verbs of a tenant's API keys."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import UUID

from atrium.audit import record
from atrium.db import Database, Transaction
from atrium.kernel.clock import now
from atrium.kernel.errors import Conflict, FieldError, Forbidden, InvalidFields, NotFound, Unauthenticated
from atrium.kernel.principal import Principal, PrincipalKind, Role
from atrium.ports.keyring import Key, KeyringSource
from atrium.tenancy import repository
from atrium.tenancy.keys import ApiKeyText, key_mac, new_key
from atrium.tenancy.models import ApiKey
from atrium.tenancy.permissions import ROLES, narrowed, permissions_of
from atrium.tenancy.tenants import hold_tenant, settings_in


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

        A key that makes keys makes none that lives longer than itself, and none lives longer than the tenant's settings say:
        the earliest moment is taken.

        Errors: Forbidden when it would do more than its maker, InvalidFields on a past expiry or a scope beyond the role,
        Conflict when the key of an earlier try was deleted.
        """
        _check_fields(role, scopes, expires_at)
        _check_powers(principal, role, scopes)
        text, pepper = new_key(), (await self._keyring.get()).pepper[0]
        async with self._database.transaction(principal) as tx:
            await hold_tenant(tx)
            limits = (expires_at, await _expiry_of(tx, principal), await _policy_of(tx))
            key = await repository.insert_key(
                tx,
                id=key_id,
                name=name,
                text=text,
                pepper=_peppered(pepper, text),
                role=role,
                scopes=sorted(set(scopes)),
                expires_at=min((moment for moment in limits if moment), default=None),
            )
            if key is None:
                raise Conflict("The key that this request made before was deleted.")
            await record(tx, action="api_key.created", target=f"api_key:{key.id}", detail={"name": name}, request_id=request_id)
        return NewApiKey(key, text.text)

    async def rotate(
        self, principal: Principal, key_id: UUID, *, rotation_id: UUID, overlap: timedelta, request_id: str
    ) -> NewApiKey:
        """A new secret for a key, under its id; the one in use works for `overlap` more.

        The key's expiry stays, unless the tenant's settings would have a key that is made now end earlier: then it ends so.

        No more than two work at once: what was left of an earlier rotation ends now. A request that is repeated under the same
        `rotation_id` replaces the secret that it made itself, and leaves the one in use alone.

        Errors: NotFound; Forbidden for a key that may more, or lives longer, than the principal; Conflict on an expired key.
        """
        pepper = (await self._keyring.get()).pepper[0]
        async with self._database.transaction(principal) as tx:
            await hold_tenant(tx)
            before = await _in_force(tx, key_id)
            _check_powers(principal, before.role, before.scopes)
            latest = await _expiry_of(tx, principal)
            if latest is not None and (before.expires_at is None or before.expires_at > latest):
                raise Forbidden("A key cannot renew one that outlives it.")
            text = new_key(before.key_id)
            key = await repository.rotate_key(
                tx,
                key_id,
                text,
                _peppered(pepper, text),
                rotation_id=rotation_id,
                overlap=overlap,
                latest=await _policy_of(tx),
            )
            if key is None:
                raise NotFound
            detail = {"overlap": int(overlap.total_seconds())}
            await record(tx, action="api_key.rotated", target=f"api_key:{key_id}", detail=detail, request_id=request_id)
        return NewApiKey(key, text.text)

    async def list(self, principal: Principal, *, after: UUID | None, rows: int) -> list[ApiKey]:
        """Keys in force, newest first, those after the id `after`."""
        async with self._database.transaction(principal) as tx:
            return await repository.list_keys(tx, after, rows)

    async def delete(self, principal: Principal, key_id: UUID, *, request_id: str) -> None:
        """End a key now, and the invitations that it made. NotFound when it is not there, or ended."""
        async with self._database.transaction(principal) as tx:
            await hold_tenant(tx)
            if not await repository.revoke_key(tx, key_id):
                raise NotFound
            await repository.end_invitations(tx, f"api_key:{key_id}", Role)
            await record(tx, action="api_key.deleted", target=f"api_key:{key_id}", request_id=request_id)


def _peppered(pepper: Key, text: ApiKeyText) -> tuple[str, bytes]:
    """What is stored of a secret: the pepper's kid, and the MAC under it."""
    return pepper.kid, key_mac(pepper, text)


def _check_fields(role: Role, scopes: Sequence[str], expires_at: datetime | None) -> None:
    if expires_at is not None and expires_at <= now():
        raise InvalidFields((FieldError("/expires_at", "must be in the future"),))
    beyond = tuple(
        FieldError(f"/scopes/{position}", f"is beyond the role {role}")
        for position, scope in enumerate(scopes)
        if scope not in ROLES[role]
    )
    if beyond:
        raise InvalidFields(beyond)


def _check_powers(principal: Principal, role: Role, scopes: Iterable[str]) -> None:
    if not narrowed(role, frozenset(scopes)) <= permissions_of(principal):
        raise Forbidden("Nobody can hand out a key that may more than they may themselves.")


async def _in_force(tx: Transaction, key_id: UUID) -> ApiKey:
    key = await repository.find_key(tx, key_id)
    if key is None:
        raise NotFound
    if key.expires_at is not None and key.expires_at <= now():
        raise Conflict("The key has expired; make a new one.")
    return key


async def _policy_of(tx: Transaction) -> datetime | None:
    """When a key that is made now has to end by the tenant's settings."""
    days = (await settings_in(tx)).api_key_max_days
    return None if days is None else now() + timedelta(days=days)


async def _expiry_of(tx: Transaction, principal: Principal) -> datetime | None:
    """When the principal's own credential ends for good: a key's expiry; None for a user, whose logins go on."""
    if principal.kind is not PrincipalKind.API_KEY:
        return None
    maker = await repository.find_key(tx, principal.id)
    if maker is None:
        raise Unauthenticated("The API key is not valid.")
    return maker.expires_at
