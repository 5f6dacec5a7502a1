"""What the tenancy verbs take and give."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, Self
from uuid import UUID

from atrium.kernel.principal import Principal, Role, TenantId
from atrium.ledger.models import Reservation


@dataclass(frozen=True, slots=True)
class RateState:
    """The tighter of a caller's buckets after this request. `reset`: seconds until it is full again."""

    limit: int
    remaining: int
    reset: float


@dataclass(slots=True)
class Caller:
    """Whoever sends a request, before they are known. `rate`: what is left of their public tokens, once some were taken."""

    address: str
    rate: RateState | None = None


@dataclass(frozen=True, slots=True)
class RateLimits:
    """Tokens: per second for a principal and a tenant, per minute for a public caller."""

    principal: int
    tenant: int
    public: int


@dataclass(frozen=True, slots=True)
class Bucket:
    """A bucket's size, and how fast it fills."""

    capacity: float
    per_second: float

    @classmethod
    def hourly(cls, tokens: float) -> Self:
        """So many an hour."""
        return cls(float(tokens), tokens / 3600)

    @classmethod
    def daily(cls, tokens: float) -> Self:
        """So many a day."""
        return cls(float(tokens), tokens / 86400)

    @classmethod
    def minutely(cls, tokens: float) -> Self:
        """So many a minute."""
        return cls(float(tokens), tokens / 60)


@dataclass(frozen=True, slots=True)
class Admitted:
    """An authenticated request. `session_id` is the login of a user, None for an API key; `reservation` what it may spend."""

    principal: Principal
    rate: RateState
    session_id: UUID | None = None
    reservation: Reservation | None = None


@dataclass(frozen=True, slots=True)
class Organisation:
    """A tenant, as its members see it. `settings` as stored: `tenants.settings_of` reads them."""

    id: UUID
    name: str
    created_at: datetime
    settings: Mapping[str, Any] = field(default_factory=dict, repr=False)

    @classmethod
    def from_row(cls, row: dict[str, Any]) -> Self:
        """Of a row of `tenants`."""
        return cls(row["tenant_id"], row["name"], row["created_at"], row["settings"])


@dataclass(frozen=True, slots=True)
class User:
    """A person of one tenant."""

    id: UUID
    tenant_id: TenantId
    email: str
    role: Role
    token_version: int
    created_at: datetime

    @classmethod
    def from_row(cls, row: dict[str, Any]) -> Self:
        """Of a row of `users`."""
        return cls(
            row["id"], TenantId(row["tenant_id"]), row["email"], Role(row["role"]), row["token_version"], row["created_at"]
        )


class MemberStatus(StrEnum):
    """How far somebody belongs: `invited` is a user to be, `disabled` one who may not act."""

    ACTIVE = "active"
    INVITED = "invited"
    DISABLED = "disabled"


@dataclass(frozen=True, slots=True)
class Member:
    """A user or an invitation, under one id for both. `expires_at`: the invitation's."""

    id: UUID
    email: str
    role: Role
    status: MemberStatus
    created_at: datetime
    expires_at: datetime | None

    @classmethod
    def from_row(cls, row: dict[str, Any]) -> Self:
        """Of a row of `users` or `invitations`, with a `status`."""
        return cls(row["id"], row["email"], Role(row["role"]), MemberStatus(row["status"]), row["created_at"], row["expires_at"])


@dataclass(frozen=True, slots=True)
class Tokens:
    """What a session's client holds. `expires_in`: seconds the access token lives."""

    access_token: str = field(repr=False)
    refresh_token: str = field(repr=False)
    expires_in: int


@dataclass(frozen=True, slots=True)
class Session:
    """A login that has just begun or gone on."""

    tokens: Tokens
    user: User
    organisation: Organisation


@dataclass(frozen=True, slots=True)
class ApiKey:
    """A tenant's API key without its secret. `previous_until`: how long the secret before the last rotation works too."""

    id: UUID
    name: str
    key_id: str
    last_four: str
    role: Role
    scopes: tuple[str, ...]
    created_by: str
    created_at: datetime
    expires_at: datetime | None
    last_used_at: datetime | None
    previous_until: datetime | None

    @classmethod
    def from_row(cls, row: dict[str, Any]) -> Self:
        """Of a row of `api_keys`."""
        return cls(
            id=row["id"],
            name=row["name"],
            key_id=row["key_id"],
            last_four=row["last_four"],
            role=Role(row["role"]),
            scopes=tuple(row["scopes"]),
            created_by=row["created_by"],
            created_at=row["created_at"],
            expires_at=row["expires_at"],
            last_used_at=row["last_used_at"],
            previous_until=row["previous_until"],
        )
