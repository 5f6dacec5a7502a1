"""Rows of users and invitations, seen as members of a tenant."""

from datetime import timedelta
from uuid import UUID

from atrium.db import Transaction, load_queries
from atrium.kernel.principal import Role
from atrium.tenancy.models import Member

_queries = load_queries(__package__)


async def list_members(tx: Transaction, after: UUID | None, rows: int) -> list[Member]:
    """Users and invitations, newest first."""
    return [Member.from_row(row) for row in await tx.fetch_all(_queries.list_members, after=after, rows=rows)]


async def find_member(tx: Transaction, member_id: UUID) -> Member | None:
    """A user or an invitation."""
    row = await tx.fetch_one(_queries.find_member, id=member_id)
    return None if row is None else Member.from_row(row)


async def is_users_email(tx: Transaction, email: str) -> bool:
    """Whether a user of this tenant has it."""
    return await tx.fetch_one(_queries.email_is_members, email=email) is not None


async def invite(tx: Transaction, invitation_id: UUID, email: str, role: Role, token_hash: bytes, life: timedelta) -> Member:
    """A new invitation, or the one that this e-mail has with a new token."""
    row = await tx.fetch_one(
        _queries.invite,
        tenant_id=tx.principal.tenant_id,
        id=invitation_id,
        email=email,
        role=role.value,
        token_hash=token_hash,
        invited_by=tx.principal.subject,
        life=life,
    )
    assert row is not None
    return Member.from_row(row)


async def lock_admins(tx: Transaction) -> set[UUID]:
    """The admins who may act, none of whom changes before this transaction ends."""
    return {row["id"] for row in await tx.fetch_all(_queries.lock_admins)}


async def update_user(tx: Transaction, user_id: UUID, role: Role | None, disabled: bool | None) -> bool:
    """Whether the user is there; None leaves a column as it is."""
    return await tx.execute(_queries.update_user, id=user_id, role=role and role.value, disabled=disabled) > 0


async def update_invitation(tx: Transaction, invitation_id: UUID, role: Role) -> bool:
    """Whether the invitation is there."""
    return await tx.execute(_queries.update_invitation, id=invitation_id, role=role.value) > 0


async def delete_user(tx: Transaction, user_id: UUID) -> bool:
    """Whether there was such a user."""
    return await tx.execute(_queries.delete_user, id=user_id) > 0


async def delete_invitation(tx: Transaction, invitation_id: UUID) -> bool:
    """Whether there was such an invitation."""
    return await tx.execute(_queries.delete_invitation, id=invitation_id) > 0
