"""The verbs of an admin about people: list, invite, change, remove. Accepting an invitation is a login, in `sessions`."""

from dataclasses import dataclass, field
from datetime import timedelta
from typing import Final
from uuid import UUID

from atrium.audit import record
from atrium.db import Database, Transaction
from atrium.kernel.errors import Conflict, Forbidden, NotFound
from atrium.kernel.principal import Principal, Role
from atrium.kernel.settings import Settings
from atrium.ports.mail import Mail
from atrium.tenancy import letters, opaque
from atrium.tenancy import repository as accounts
from atrium.tenancy.admission import Admission
from atrium.tenancy.models import Member, MemberStatus, Organisation
from atrium.tenancy.people import repository
from atrium.tenancy.permissions import ROLES, permissions_of
from atrium.tenancy.tenants import hold_tenant, settings_of

_CHANGED: Final = "This was changed at the same moment; look at it again."


@dataclass(frozen=True, slots=True)
class Invited:
    """An invitation that was just made; `token` where it travels in the answer, None where it was mailed."""

    member: Member
    token: str | None = field(repr=False)


class PeopleService:
    """Users and invitations of the principal's tenant. The permission to manage them is checked at the door."""

    def __init__(self, database: Database, settings: Settings, admission: Admission) -> None:
        self._database = database
        self._settings = settings
        self._admission = admission

    async def list(self, principal: Principal, *, after: UUID | None, rows: int) -> list[Member]:
        """Users and open invitations, newest first, those after the id `after`."""
        async with self._database.transaction(principal) as tx:
            return await repository.list_members(tx, after, rows)

    async def invite(
        self, principal: Principal, *, invitation_id: UUID, email: str, role: Role, mail: Mail | None, request_id: str
    ) -> Invited:
        """Invite an e-mail, or invite it again: the token of before is dead then, and the id stays.

        `mail` carries the token; without it the answer does. It is sent after the commit: where that fails (Unavailable) the
        invitation is there, and inviting again mails another token. Whether another tenant has this e-mail is not told.

        Errors: Forbidden where nobody may join, or the role may more than the principal; Conflict on a user of this tenant;
        RateLimited by mails for the tenant and the e-mail; Unavailable.
        """
        if self._settings.registration == "closed":
            raise Forbidden("Registration is closed here: nobody can be invited.")
        _check_grant(principal, role)
        await self._admission.throttle_invitations(principal.tenant_id, email)
        token = opaque.new_token()
        async with self._database.transaction(principal) as tx:
            await hold_tenant(tx)
            if await repository.is_users_email(tx, email):
                raise Conflict("This e-mail address is a user's already.")
            organisation = await _organisation(tx)
            life = timedelta(days=settings_of(organisation).invitation_days)
            member = await repository.invite(tx, invitation_id, email, role, opaque.digest(token), life)
            await _note(tx, "user.invited", member.id, {"role": role.value}, request_id)
        if mail is None:
            return Invited(member, token)
        await mail.send(email, *letters.invitation(organisation.name, token, member, self._settings.public_url))
        return Invited(member, None)

    async def update(
        self, principal: Principal, member_id: UUID, *, role: Role | None, disabled: bool | None, request_id: str
    ) -> Member:
        """Give a user or an invitation another role; disable a user (their sessions end) or enable them again.

        Invitations that a user made end as far as they could not make them any more: all of one who is disabled.

        Errors: NotFound, Forbidden, Conflict (the last active admin; an invitation cannot be disabled).
        """
        if role is not None:
            _check_grant(principal, role)
        async with self._database.transaction(principal) as tx:
            await hold_tenant(tx)
            admins = await repository.lock_admins(tx)
            before = await _found(tx, member_id)
            _check_power_over(principal, before)
            if admins == {member_id} and (disabled or role not in (None, Role.ADMIN)):
                raise Conflict("This is the last active admin; make another one first.")
            changes = _changes(before, role, disabled)
            if changes:
                if disabled is False:
                    # To let an admin back in is to make one.
                    _check_grant(principal, role or before.role)
                await _apply(tx, before, role, disabled)
                await _note(tx, "user.updated", member_id, changes, request_id)
            return await _found(tx, member_id)

    async def delete(self, principal: Principal, member_id: UUID, *, request_id: str) -> None:
        """Remove a user, whose sessions and invitations end, or an invitation.

        Errors: NotFound, Forbidden (somebody who may more than the principal), Conflict (the last active admin).
        """
        async with self._database.transaction(principal) as tx:
            await hold_tenant(tx)
            admins = await repository.lock_admins(tx)
            _check_power_over(principal, await _found(tx, member_id))
            if admins == {member_id}:
                raise Conflict("This is the last active admin; make another one first.")
            if await repository.delete_user(tx, member_id):
                await accounts.end_invitations(tx, f"user:{member_id}", Role)
                await _note(tx, "user.deleted", member_id, {}, request_id)
            elif await repository.delete_invitation(tx, member_id):
                await _note(tx, "user.uninvited", member_id, {}, request_id)
            else:
                raise NotFound


async def _organisation(tx: Transaction) -> Organisation:
    organisation = await accounts.find_organisation(tx)
    if organisation is None:
        raise NotFound
    return organisation


async def _found(tx: Transaction, member_id: UUID) -> Member:
    member = await repository.find_member(tx, member_id)
    if member is None:
        raise NotFound
    return member


def _check_grant(principal: Principal, role: Role) -> None:
    if not ROLES[role] <= permissions_of(principal):
        raise Forbidden("Nobody can give a role that may more than they may themselves.")


def _check_power_over(principal: Principal, member: Member) -> None:
    if not ROLES[member.role] <= permissions_of(principal):
        raise Forbidden("Nobody can change or remove somebody who may more than they may themselves.")


def _changes(before: Member, role: Role | None, disabled: bool | None) -> dict[str, object]:
    """What is not so yet, as the audit log has it."""
    is_disabled = before.status is MemberStatus.DISABLED
    changes: dict[str, object] = {}
    if role not in (None, before.role):
        changes["role"] = role
    if disabled not in (None, is_disabled):
        changes["disabled"] = disabled
    return changes


async def _apply(tx: Transaction, before: Member, role: Role | None, disabled: bool | None) -> None:
    if before.status is MemberStatus.INVITED:
        if disabled:
            raise Conflict("An invitation cannot be disabled; delete it.")
        done = role is None or await repository.update_invitation(tx, before.id, role)
    else:
        done = await repository.update_user(tx, before.id, role, disabled)
        lost = set(Role) if disabled else {each for each in Role if not ROLES[each] <= ROLES[role or before.role]}
        await accounts.end_invitations(tx, f"user:{before.id}", lost)
        if disabled:
            await accounts.end_sessions(tx, before.id)
    if not done:
        raise Conflict(_CHANGED)


async def _note(tx: Transaction, action: str, member_id: UUID, detail: dict[str, object], request_id: str) -> None:
    await record(tx, action=action, target=f"user:{member_id}", detail=detail, request_id=request_id)
