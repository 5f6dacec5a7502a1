"""Rows of tenants, users, sessions and keys."""

from datetime import datetime, timedelta
from typing import Any, LiteralString
from uuid import UUID

from atrium.db import Database, Transaction, load_queries
from atrium.kernel.principal import Role
from atrium.tenancy.keys import ApiKeyText
from atrium.tenancy.models import ApiKey, Organisation, RateLimits, User
from atrium.tenancy.tokens import AccessClaims

_queries = load_queries(__package__)
_Row = dict[str, Any]


async def admit_key(database: Database, key_id: str, macs: dict[str, bytes], caller: str, limits: RateLimits) -> _Row:
    """The row of `auth_admit_key`; `macs` by the kid of their pepper, `caller` the bucket of the network address."""
    return await _one(
        database,
        _queries.admit_key,
        key_id=key_id,
        kids=list(macs),
        macs=list(macs.values()),
        key_rate=float(limits.principal),
        tenant_rate=float(limits.tenant),
        caller=caller,
        public_rate=float(limits.public),
    )


async def admit_user(database: Database, claims: AccessClaims, caller: str, limits: RateLimits) -> _Row:
    """The row of `auth_admit_user`; `caller` the bucket of the network address."""
    return await _one(
        database,
        _queries.admit_user,
        tenant_id=claims.tenant_id,
        user_id=claims.user_id,
        version=claims.version,
        session_id=claims.session_id,
        user_rate=float(limits.principal),
        tenant_rate=float(limits.tenant),
        caller=caller,
        public_rate=float(limits.public),
    )


async def throttle(database: Database, buckets: list[str], limits: RateLimits) -> _Row:
    """The rate state of the buckets."""
    return await _one(database, _queries.throttle, buckets=buckets, per_minute=float(limits.public))


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


async def login(database: Database, email: str, buckets: list[str], limits: RateLimits) -> _Row:
    """The rate state and, for a known e-mail, tenant_id, id and password_hash."""
    return await _one(database, _queries.login, email=email, buckets=buckets, per_minute=float(limits.public))


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
) -> bool:
    """Whether the organisation was made; False when the e-mail is taken."""
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


async def begin_session(
    tx: Transaction, user_id: UUID, token: tuple[UUID, bytes], family_id: UUID, *, idle: timedelta, absolute: timedelta
) -> None:
    """Store the first refresh token of a login."""
    await tx.execute(
        _queries.begin_session,
        tenant_id=tx.principal.tenant_id,
        id=token[0],
        family_id=family_id,
        user_id=user_id,
        token_hash=token[1],
        idle=idle,
        absolute=absolute,
    )


async def end_session(tx: Transaction, user_id: UUID, family_id: UUID) -> bool:
    """Whether the session was still open."""
    return await tx.execute(_queries.end_session, family_id=family_id, user_id=user_id) > 0


async def session_of_token(tx: Transaction, user_id: UUID, token_hash: bytes) -> UUID | None:
    """The login of one of the user's refresh tokens."""
    row = await tx.fetch_one(_queries.session_of_token, token_hash=token_hash, user_id=user_id)
    return None if row is None else row["family_id"]


async def find_user(tx: Transaction, user_id: UUID) -> User | None:
    """A user who may still act."""
    row = await tx.fetch_one(_queries.find_user, id=user_id)
    return None if row is None else User.from_row(row)


async def find_organisation(tx: Transaction) -> Organisation | None:
    """The tenant itself."""
    row = await tx.fetch_one(_queries.find_organisation)
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


async def revoke_key(tx: Transaction, key_id: UUID) -> bool:
    """Whether there was one to revoke."""
    return await tx.execute(_queries.revoke_key, id=key_id) > 0


async def _one(database: Database, query: LiteralString, **params: object) -> _Row:
    return (await database.call(query, **params))[0]
