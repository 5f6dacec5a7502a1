"""The rows of model overrides and provider keys. Every function runs inside the caller's transaction and sees one tenant."""

from atrium.db import Transaction, load_queries
from atrium.gateway.tenant_models.models import ModelChange, Override, OwnKey

_queries = load_queries(__package__)


async def list_overrides(tx: Transaction) -> list[Override]:
    """What the tenant changed, by model."""
    return [Override.from_row(row) for row in await tx.fetch_all(_queries.list_overrides, tenant_id=tx.principal.tenant_id)]


async def list_keys(tx: Transaction) -> list[OwnKey]:
    """The tenant's own keys, by provider."""
    return [OwnKey.from_row(row) for row in await tx.fetch_all(_queries.list_keys, tenant_id=tx.principal.tenant_id)]


async def put_override(tx: Transaction, change: ModelChange) -> None:
    """Keep the change; one that leaves the catalogue as it is takes the row away."""
    tenant_id = tx.principal.tenant_id
    if change.is_nothing:
        await tx.execute(_queries.delete_override, tenant_id=tenant_id, model=change.model)
        return
    price = change.price
    await tx.execute(
        _queries.put_override,
        tenant_id=tenant_id,
        model=change.model,
        enabled=change.enabled,
        input=price.input if price else None,
        output=price.output if price else None,
        cached=price.cached if price else None,
        note=change.note,
        updated_by=tx.principal.subject,
    )


async def count_overrides(tx: Transaction) -> int:
    """How many models the tenant has changed."""
    row = await tx.fetch_one(_queries.count_overrides, tenant_id=tx.principal.tenant_id)
    return row["overrides"] if row else 0


async def put_key(tx: Transaction, provider: str, sealed: bytes, last_four: str) -> OwnKey | None:
    """Keep the tenant's key of a provider."""
    row = await tx.fetch_one(
        _queries.put_key,
        tenant_id=tx.principal.tenant_id,
        provider=provider,
        sealed=sealed,
        last_four=last_four,
        updated_by=tx.principal.subject,
    )
    return OwnKey.from_row(row) if row else None


async def delete_key(tx: Transaction, provider: str) -> bool:
    """Delete the tenant's key of a provider; False where there is none."""
    return await tx.execute(_queries.delete_key, tenant_id=tx.principal.tenant_id, provider=provider) == 1
