"""Tenants, users and API keys as rows, written past row level security by a superuser's connection."""

from typing import Any
from uuid import UUID

import psycopg

from atrium.kernel.ids import new_id
from atrium.kernel.principal import Principal, PrincipalKind, Role, TenantId

Connection = psycopg.AsyncConnection[dict[str, Any]]


async def make_tenant(connection: Connection, *, name: str = "A tenant") -> Principal:
    """A new tenant and its first user, an admin; the principal is that user."""
    tenant_id = TenantId(new_id())
    await connection.execute("INSERT INTO atrium.tenants (tenant_id, name) VALUES (%s, %s)", [tenant_id, name])
    return await make_user(connection, tenant_id)


async def make_user(
    connection: Connection,
    tenant_id: TenantId,
    *,
    role: Role = Role.ADMIN,
    email: str = "",
    password_hash: str = "!no password opens this",
) -> Principal:
    """A user of a tenant, without a usable password unless its hash is given."""
    user_id = new_id()
    await connection.execute(
        "INSERT INTO atrium.users (tenant_id, id, email, password_hash, role) VALUES (%s, %s, %s, %s, %s)",
        [tenant_id, user_id, email or f"{user_id}@example.com", password_hash, role.value],
    )
    return Principal(tenant_id, PrincipalKind.USER, user_id, role)


async def make_api_key(
    connection: Connection,
    owner: Principal,
    *,
    role: Role = Role.MEMBER,
    scopes: tuple[str, ...] = (),
    key_id: str = "",
    mac: bytes = bytes(32),
    pepper_kid: str = "none",
) -> Principal:
    """An API key of the owner's tenant; give `key_id`, `mac` and `pepper_kid` of a real one where it must open something."""
    row_id: UUID = new_id()
    await connection.execute(
        "INSERT INTO atrium.api_keys (tenant_id, id, name, key_id, mac, pepper_kid, last_four, role, scopes, created_by)"
        " VALUES (%s, %s, 'a key', %s, %s, %s, 'last', %s, %s, %s)",
        [owner.tenant_id, row_id, key_id or row_id.hex, mac, pepper_kid, role.value, list(scopes), owner.subject],
    )
    return Principal(owner.tenant_id, PrincipalKind.API_KEY, row_id, role, frozenset(scopes))
