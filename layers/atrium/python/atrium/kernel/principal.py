"""Who is asking. A `TenantId` comes out of authentication or out of an event's verified key, never out of a request body."""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import NewType
from uuid import UUID

TenantId = NewType("TenantId", UUID)


class Role(StrEnum):
    """What a principal may do; `atrium.tenancy.permissions` is the one table. Ordered admin > member > viewer."""

    ADMIN = "admin"
    MEMBER = "member"
    VIEWER = "viewer"


class PrincipalKind(StrEnum):
    """Where the identity comes from."""

    USER = "user"
    API_KEY = "api_key"
    WORKER = "worker"


@dataclass(frozen=True, slots=True)
class Principal:
    """An authenticated caller inside one tenant.

    `id` is the user's or the API key's id; a worker acts for a tenant under a fixed id. `scopes` is empty
    for a user (the role alone decides) and narrows an API key.
    """

    tenant_id: TenantId
    kind: PrincipalKind
    id: UUID
    role: Role
    scopes: frozenset[str] = field(default_factory=frozenset)

    @property
    def subject(self) -> str:
        """`user:<id>`, `api_key:<id>`: the form in audit rows, rate buckets and idempotency keys."""
        return f"{self.kind.value}:{self.id}"


_WORKER = UUID(int=0)


def worker(tenant_id: TenantId) -> Principal:
    """The principal under which an event worker acts for one tenant."""
    return Principal(tenant_id, PrincipalKind.WORKER, _WORKER, Role.ADMIN)


@dataclass(frozen=True, slots=True)
class Operator:
    """The deployment's own operator: reaches platform-wide state, belongs to no tenant."""

    key_id: str
    digest: bytes = field(repr=False)
    """SHA-256 of the whole key: what the database takes for proof. The key's id is none, it stands in what tenants may read."""
