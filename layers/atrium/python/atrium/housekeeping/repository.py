"""What housekeeping sees of all tenants, as `atrium_relay`: ids and times, no more. What it notes, it notes inside a tenant."""

from typing import Final
from uuid import UUID

from atrium.db import Database, Row, Transaction, load_queries
from atrium.kernel.principal import TenantId

_queries = load_queries(__package__)
# What expires, by the name it has in a report.
EXPIRY: Final = {
    "refresh_tokens": _queries.expire_refresh_tokens,
    "idempotency_keys": _queries.expire_idempotency_keys,
    "rate_buckets": _queries.expire_rate_buckets,
    "invitations": _queries.expire_invitations,
    "password_resets": _queries.expire_password_resets,
    "api_keys": _queries.expire_api_keys,
    "outbox": _queries.expire_outbox,
    "kept_answers": _queries.expire_kept_answers,
}


async def expire(relay: Database, what: str, most: int) -> int:
    """Delete up to `most` rows whose time is over; how many went."""
    (row,) = await relay.call(EXPIRY[what], most=most)
    return int(row["removed"])


async def open_erasures(relay: Database) -> list[TenantId]:
    """The tenants whose erasure is not over, the oldest first."""
    return [TenantId(row["tenant_id"]) for row in await relay.call(_queries.open_erasures)]


async def unfinished_tenants(relay: Database) -> list[TenantId]:
    """The tenants that have anything unfinished, the longest waiting first."""
    return [TenantId(row["tenant_id"]) for row in await relay.call(_queries.unfinished_tenants)]


async def oldest_unfinished(relay: Database) -> float:
    """The age in seconds of the oldest unfinished version."""
    (row,) = await relay.call(_queries.oldest_unfinished)
    return float(row["seconds"])


async def unclosed_tenants(relay: Database) -> list[TenantId]:
    """The tenants whose ledger has a day that is over and not closed."""
    return [TenantId(row["tenant_id"]) for row in await relay.call(_queries.unclosed_tenants)]


async def unsealed_tenants(relay: Database) -> list[TenantId]:
    """The tenants whose audit log has entries to seal, the longest waiting first."""
    return [TenantId(row["tenant_id"]) for row in await relay.call(_queries.unsealed_tenants)]


async def tombstones(relay: Database, *, idle: float, most: int) -> list[tuple[TenantId, UUID]]:
    """Tenant and id of documents deleted at least `idle` seconds ago whose objects are not known to be gone."""
    rows = await relay.call(_queries.tombstones, idle=idle, most=most)
    return [(TenantId(row["tenant_id"]), row["id"]) for row in rows]


async def set_objects_removed(tx: Transaction, document_id: UUID) -> None:
    """Nothing of the tombstone is in the bucket any more."""
    await tx.execute(_queries.set_objects_removed, tenant_id=tx.principal.tenant_id, id=document_id)


async def platform_figures(database: Database) -> list[tuple[str, str, float]]:
    """Name, label and value of the deployment's numbers, as the application's role."""
    rows = await database.call(_queries.platform_figures)
    return [(row["name"], row["label"], float(row["value"])) for row in rows]


async def admit_operator(database: Database, key_id: str, digest: bytes, *, per_minute: int) -> Row:
    """The row of `auth_operator_digest`, as the application's role."""
    (row,) = await database.call(_queries.admit_operator, key_id=key_id, digest=digest, per_minute=float(per_minute))
    return row
