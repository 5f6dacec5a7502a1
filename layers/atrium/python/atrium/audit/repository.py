"""The audit log's rows."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import date
from typing import Any

from atrium.audit.activity import ActivityFilter
from atrium.audit.canonical import GENESIS, MEMBERS, parse
from atrium.audit.models import AuditEntry, AuditFilter, Chain, DayDigest, Link, SealedEntry
from atrium.db import Row, Transaction, load_queries
from atrium.kernel.errors import Conflict
from atrium.kernel.ids import new_id
from atrium.kernel.principal import worker

queries = load_queries(__package__)


async def insert_entry(
    tx: Transaction, *, actor: str, action: str, target: str, detail: Mapping[str, Any], request_id: str
) -> None:
    """Write one entry of the transaction's tenant."""
    await tx.execute(
        queries.insert_entry,
        tenant_id=tx.principal.tenant_id,
        id=new_id(),
        actor=actor,
        action=action,
        target=target,
        detail=dict(detail),
        request_id=request_id,
    )


async def list_entries(tx: Transaction, where: AuditFilter, *, after: tuple[Any, ...] | None, limit: int) -> Sequence[AuditEntry]:
    """The tenant's entries that `where` leaves, the newest first, below `after`: (at, id)."""
    at, last = after or (None, None)
    rows = await tx.fetch_all(
        queries.list_entries, tenant_id=tx.principal.tenant_id, after_at=at, after_id=last, limit=limit, **asdict(where)
    )
    return [AuditEntry.from_row(row) for row in rows]


async def list_activity(tx: Transaction, where: ActivityFilter, *, after: tuple[Any, ...] | None, limit: int) -> Sequence[Row]:
    """Rows of `list_activity`: what `where` leaves, the newest first, below `after`: (at, id)."""
    at, last = after or (None, None)
    return await tx.fetch_all(
        queries.list_activity, tenant_id=tx.principal.tenant_id, after_at=at, after_id=last, limit=limit, **asdict(where)
    )


async def count_days(tx: Transaction, days: int) -> Sequence[Row]:
    """Rows of `count_days`."""
    return await tx.fetch_all(queries.count_days, tenant_id=tx.principal.tenant_id, days=days)


async def seal(tx: Transaction, most: int) -> tuple[int, Link]:
    """Seal up to `most` entries; how many, and the chain's end after it, 0 where the tenant is being erased."""
    row = _one(await tx.fetch_one(queries.seal, most=most))
    return row["sealed"], Link(row["seq"] or 0, row["hash"])


async def close_day(tx: Transaction) -> date | None:
    """Close the first day of the tenant's ledger that can be; None where there is none."""
    closed: date | None = _one(await tx.fetch_one(queries.close_day))["closed"]
    return closed


async def ledger_digest(tx: Transaction, day: date) -> DayDigest:
    """What the tenant's calls of that day come to now."""
    return DayDigest(**_one(await tx.fetch_one(queries.ledger_digest, day=day)))


async def closing_entry(tx: Transaction, day: date) -> AuditEntry | None:
    """The sealed entry that closed a day of the tenant's ledger."""
    tenant_id = tx.principal.tenant_id
    params = {"tenant_id": tenant_id, "target": f"ledger:{day}", "actor": worker(tenant_id).subject}
    row = await tx.fetch_one(queries.closing_entry, **params)
    return None if row is None else AuditEntry.from_row(row)


async def claim_verification(tx: Transaction) -> None:
    """Be the one who verifies the tenant's log until the transaction ends. Conflict while somebody else is."""
    row = _one(await tx.fetch_one(queries.claim_verification, tenant_id=str(tx.principal.tenant_id)))
    if not row["claimed"]:
        raise Conflict("The organisation's log is being verified already: ask again when that has ended.")


async def chain(tx: Transaction) -> Chain:
    """The tenant's chain as the database has it."""
    row = _one(await tx.fetch_one(queries.chain, tenant_id=tx.principal.tenant_id))
    end = Link(0, GENESIS) if row["seq"] is None else Link(row["seq"], row["hash"])
    return Chain(end, row["sealed_at"], row["last"], row["unsealed"], row["oldest"])


async def hash_of(tx: Transaction, seq: int) -> bytes | None:
    """The hash of entry number `seq`; None where there is no such entry."""
    row = await tx.fetch_one(queries.hash_of, tenant_id=tx.principal.tenant_id, seq=seq)
    return None if row is None else bytes(row["hash"])


async def sealed_entries(tx: Transaction, *, after: int, until: int, limit: int) -> Sequence[SealedEntry]:
    """Entries in the chain's order, their numbers above `after` and up to `until`."""
    rows = await tx.fetch_all(queries.sealed_entries, tenant_id=tx.principal.tenant_id, after=after, until=until, limit=limit)
    return [_sealed(row) for row in rows]


def _sealed(row: Row) -> SealedEntry:
    members = {name: row[name] for name in MEMBERS} | {"detail": parse(row["detail"])}
    return SealedEntry(row["seq"], row["hash"], members)


def _one(row: Row | None) -> Row:
    if row is None:
        raise LookupError("a statement that always gives a row gave none")
    return row
