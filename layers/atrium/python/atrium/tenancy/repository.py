"""Rows of tenants, users, sessions and keys."""

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any, LiteralString
from uuid import UUID

from atrium.db import Database, Transaction, load_queries
from atrium.kernel.principal import Role
from atrium.ledger.models import Spend
from atrium.ledger.repository import spend_params
from atrium.tenancy.keys import ApiKeyText
from atrium.tenancy.models import ApiKey, Bucket, Organisation, RateLimits, User
from atrium.tenancy.tokens import AccessClaims

_queries = load_queries(__package__)
_Row = dict[str, Any]


async def admit_key(
    database: Database, key_id: str, macs: dict[str, bytes], caller: str, limits: RateLimits, spend: Spend | None
) -> _Row:
    """The row of `admit_key`; `macs` by the kid of their pepper, `caller` the bucket of the network address."""
    return await _admitted(
        database,
        _queries.admit_key if spend is None else _queries.admit_key_to_spend,
        key_id=key_id,
        kids=list(macs),
        macs=list(macs.values()),
        key_rate=float(limits.principal),
        tenant_rate=float(limits.tenant),
        caller=caller,
        public_rate=float(limits.public),
        **({} if spend is None else spend_params(spend)),
    )


async def admit_user(database: Database, claims: AccessClaims, caller: str, limits: RateLimits, spend: Spend | None) -> _Row:
    """The row of `admit_user`; `caller` the bucket of the network address."""
    return await _admitted(
        database,
        _queries.admit_user if spend is None else _queries.admit_user_to_spend,
        tenant_id=claims.tenant_id,
        user_id=claims.user_id,
        version=claims.version,
        session_id=claims.session_id,
        user_rate=float(limits.principal),
        tenant_rate=float(limits.tenant),
        caller=caller,
        public_rate=float(limits.public),
        **({} if spend is None else spend_params(spend)),
    )


async def throttle(database: Database, buckets: list[str], limits: RateLimits) -> _Row:
    """The rate state of the buckets."""
    return await _one(database, _queries.throttle, buckets=buckets, per_minute=float(limits.public))


async def take(database: Database, buckets: Mapping[str, Bucket]) -> _Row:
    """The rate state of buckets of their own sizes, by name."""
    return await _one(
        database,
        _queries.take,
        **_sizes(buckets),
    )


async def admit_operator(database: Database, key_id: str, macs: dict[str, bytes], caller: str, limits: RateLimits) -> _Row:
    """The row of `auth_operator`; arguments as of `admit_key`."""
    return await _one(
        database,
        _queries.operator,
        key_id=key_id,
        kids=list(macs),
        macs=list(macs.values()),
        caller=caller,
        public_rate=float(limits.public),
    )


async def login(database: Database, email: str, buckets: Mapping[str, Bucket]) -> _Row:
    """The rate state and, for a known e-mail, tenant_id, id and password_hash."""
    return await _one(database, _queries.login, email=email, **_sizes(buckets))


async def login_failed(database: Database, email: str, request_id: str) -> None:
    """Audit it."""
    await database.call(_queries.login_failed, email=email, request_id=request_id)


async def register(
    database: Database,
    *,
    tenant_id: UUID,
    name: str,
    user_id: UUID,
    email: str,
    password_hash: str,
    actor: str,
    request_id: str,
    budget: int,
) -> bool:
    """Whether the organisation was made, with a monthly `budget` in nano-dollars; False when the e-mail is taken."""
    row = await _one(
        database,
        _queries.register,
        tenant_id=tenant_id,
        name=name,
        user_id=user_id,
        email=email,
        password_hash=password_hash,
        actor=actor,
        request_id=request_id,
        budget=budget,
    )
    return bool(row["made"])


async def refresh(
    database: Database,
    token_hash: bytes,
    child: tuple[UUID, bytes],
    idle: timedelta,
    *,
    request_id: str,
    buckets: list[str],
    limits: RateLimits,
) -> _Row:
    """The row of `auth_refresh`."""
    return await _one(
        database,
        _queries.refresh,
        token_hash=token_hash,
        child_id=child[0],
        child_hash=child[1],
        idle=idle,
        request_id=request_id,
        buckets=buckets,
        per_minute=float(limits.public),
    )


async def accept(database: Database, token_hash: bytes, password_hash: str, request_id: str) -> _Row:
    """The row of `auth_accept`."""
    return await _one(database, _queries.accept, token_hash=token_hash, password_hash=password_hash, request_id=request_id)


async def forgot(database: Database, email: str, token_hash: bytes, life: timedelta, request_id: str) -> bool:
    """Whether the e-mail is a user's, whose reset token this is from now on."""
    row = await _one(database, _queries.forgot, email=email, token_hash=token_hash, life=life, request_id=request_id)
    return bool(row["known"])


async def reset(database: Database, token_hash: bytes, password_hash: str, request_id: str) -> bool:
    """Whether the reset token was good; its user has the new password and no session."""
    row = await _one(database, _queries.reset, token_hash=token_hash, password_hash=password_hash, request_id=request_id)
    return bool(row["done"])


async def begin_session(
    tx: Transaction,
    user_id: UUID,
    token: tuple[UUID, bytes],
    family_id: UUID,
    *,
    idle: timedelta,
    absolute: timedelta,
    password_hash: str | None,
) -> bool:
    """Store the first refresh token of a login; False when the user may not act or has another password than this one."""
    begun = await tx.execute(
        _queries.begin_session,
        id=token[0],
        family_id=family_id,
        user_id=user_id,
        token_hash=token[1],
        idle=idle,
        absolute=absolute,
        password_hash=password_hash,
    )
    return begun > 0


async def end_session(tx: Transaction, user_id: UUID, family_id: UUID) -> bool:
    """Whether the session was still open."""
    return await tx.execute(_queries.end_session, family_id=family_id, user_id=user_id) > 0


async def end_sessions(tx: Transaction, user_id: UUID, *, keep: UUID | None = None) -> int:
    """Revoke every refresh token of a user, but not those of the session `keep`; how many those were."""
    return await tx.execute(_queries.end_sessions, **{"user_id": user_id, "except": keep})


async def end_invitations(tx: Transaction, inviter: str, roles: Iterable[Role]) -> int:
    """Remove the invitations that `inviter` (a principal's subject) made for these roles; how many those were."""
    return await tx.execute(_queries.end_invitations, inviter=inviter, roles=[role.value for role in roles])


async def end_access(tx: Transaction, user_id: UUID) -> None:
    """Refuse every access token that the user has."""
    await tx.execute(_queries.end_access, id=user_id)


async def find_password(tx: Transaction, user_id: UUID) -> tuple[str, str] | None:
    """A user's e-mail and password hash."""
    row = await tx.fetch_one(_queries.find_password, id=user_id)
    return None if row is None else (row["email"], row["password_hash"])


async def change_password(tx: Transaction, user_id: UUID, *, old: str, new: str) -> bool:
    """Whether the hash `old` was still the user's; asked-for reset tokens are good no longer."""
    if not await tx.execute(_queries.change_password, id=user_id, old=old, new=new):
        return False
    await tx.execute(_queries.forget_resets, user_id=user_id)
    return True


async def session_of_token(tx: Transaction, user_id: UUID, token_hash: bytes) -> UUID | None:
    """The login of one of the user's refresh tokens."""
    row = await tx.fetch_one(_queries.session_of_token, token_hash=token_hash, user_id=user_id)
    return None if row is None else row["family_id"]


async def find_user(tx: Transaction, user_id: UUID) -> User | None:
    """A user who may still act."""
    row = await tx.fetch_one(_queries.find_user, id=user_id)
    return None if row is None else User.from_row(row)


async def hold_tenant(tx: Transaction) -> bool:
    """Whether nobody asked to erase the transaction's tenant; nobody can, then, before the transaction ends."""
    row = await tx.fetch_one(_queries.hold_tenant, tenant_id=tx.principal.tenant_id)
    return bool(row and row["stays"])


async def find_organisation(tx: Transaction) -> Organisation | None:
    """The tenant itself."""
    row = await tx.fetch_one(_queries.find_organisation)
    return None if row is None else Organisation.from_row(row)


async def update_organisation(tx: Transaction, name: str | None, settings: dict[str, Any]) -> Organisation | None:
    """The tenant with another name and settings; None leaves the name, and removes a setting."""
    row = await tx.fetch_one(_queries.update_organisation, name=name, settings=settings)
    return None if row is None else Organisation.from_row(row)


async def list_keys(tx: Transaction, after: UUID | None, rows: int) -> list[ApiKey]:
    """Keys in force, newest first."""
    return [ApiKey.from_row(row) for row in await tx.fetch_all(_queries.list_keys, after=after, rows=rows)]


async def find_key(tx: Transaction, key_id: UUID) -> ApiKey | None:
    """A key in force."""
    row = await tx.fetch_one(_queries.find_key, id=key_id)
    return None if row is None else ApiKey.from_row(row)


async def insert_key(
    tx: Transaction,
    *,
    id: UUID,  # noqa: A002  the column's name
    name: str,
    text: ApiKeyText,
    pepper: tuple[str, bytes],
    role: Role,
    scopes: list[str],
    expires_at: datetime | None,
) -> ApiKey | None:
    """Store a key, or give the one that is there under this id the secret of `text`; None when that one was ended.

    `pepper` is the kid and the MAC under it.
    """
    row = await tx.fetch_one(
        _queries.insert_key,
        tenant_id=tx.principal.tenant_id,
        id=id,
        name=name,
        key_id=text.key_id,
        mac=pepper[1],
        pepper_kid=pepper[0],
        last_four=text.last_four,
        role=role.value,
        scopes=scopes,
        created_by=tx.principal.subject,
        expires_at=expires_at,
    )
    return None if row is None else ApiKey.from_row(row)


async def rotate_key(
    tx: Transaction,
    key_id: UUID,
    text: ApiKeyText,
    pepper: tuple[str, bytes],
    *,
    rotation_id: UUID,
    overlap: timedelta,
    latest: datetime | None,
) -> ApiKey | None:
    """Give a key in force the secret of `text`, and an end no later than `latest`; `pepper` as of `insert_key`."""
    row = await tx.fetch_one(
        _queries.rotate_key,
        id=key_id,
        mac=pepper[1],
        pepper_kid=pepper[0],
        last_four=text.last_four,
        rotation_id=rotation_id,
        overlap=overlap,
        latest=latest,
    )
    return None if row is None else ApiKey.from_row(row)


async def revoke_key(tx: Transaction, key_id: UUID) -> bool:
    """Whether there was one to revoke."""
    return await tx.execute(_queries.revoke_key, id=key_id) > 0


def _sizes(buckets: Mapping[str, Bucket]) -> dict[str, object]:
    return {
        "buckets": list(buckets),
        "capacities": [bucket.capacity for bucket in buckets.values()],
        "per_second": [bucket.per_second for bucket in buckets.values()],
    }


async def _admitted(database: Database, query: LiteralString, **params: object) -> _Row:
    # Asked with every request.
    return (await database.invoke(query, **params))[0]


async def _one(database: Database, query: LiteralString, **params: object) -> _Row:
    return (await database.call(query, **params))[0]
