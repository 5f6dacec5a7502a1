"""Rows of idempotency keys. A key belongs to one principal and one route."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from atrium.db import Transaction, load_queries

_queries = load_queries(__package__)


@dataclass(frozen=True, slots=True)
class KeyName:
    """What a row is found by, beside the tenant."""

    subject: str
    route: str
    key: str

    def params(self) -> dict[str, object]:
        """As query parameters."""
        return {"subject": self.subject, "route": self.route, "key": self.key}


@dataclass(frozen=True, slots=True)
class Lease:
    """The right to do the work. `until` also tells one holder from the next."""

    resource_id: UUID
    until: datetime


@dataclass(frozen=True, slots=True)
class StoredRequest:
    """An earlier request under the same key; the response only when it is finished."""

    fingerprint: bytes
    finished: bool
    status: int
    headers: dict[str, str]
    body: bytes


async def claim(
    tx: Transaction, name: KeyName, fingerprints: tuple[bytes, ...], resource_id: UUID, lease: timedelta
) -> Lease | None:
    """Begin or take over; None when another request holds the key or has finished under it."""
    row = await tx.fetch_one(
        _queries.claim_key,
        tenant_id=tx.principal.tenant_id,
        fingerprint=fingerprints[0],
        fingerprints=list(fingerprints),
        resource_id=resource_id,
        lease=lease,
        **name.params(),
    )
    return None if row is None else Lease(row["resource_id"], row["lease_until"])


async def find(tx: Transaction, name: KeyName) -> StoredRequest | None:
    """The earlier request under this key."""
    row: dict[str, Any] | None = await tx.fetch_one(_queries.find_key, **name.params())
    if row is None:
        return None
    finished = row["state"] == "finished"
    return StoredRequest(row["fingerprint"], finished, row["status"] or 0, row["headers"] or {}, row["response"] or b"")


async def finish(tx: Transaction, name: KeyName, lease: Lease, status: int, headers: dict[str, str], body: bytes) -> bool:
    """Keep the response; False when another holder took over."""
    done = await tx.execute(
        _queries.finish_key, status=status, headers=headers, response=body, lease_until=lease.until, **name.params()
    )
    return done > 0


async def release(tx: Transaction, name: KeyName, lease: Lease) -> None:
    """Let a retry take over now."""
    await tx.execute(_queries.release_key, lease_until=lease.until, **name.params())


async def forget(tx: Transaction, name: KeyName, lease: Lease) -> None:
    """Free the key."""
    await tx.execute(_queries.forget_key, lease_until=lease.until, **name.params())
