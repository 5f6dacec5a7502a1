"""Routes of the auth area: parse, call one verb, shape the reply."""

from datetime import timedelta
from typing import Annotated, Final

from fastapi import Depends, Request, Response

from atrium.kernel.budget import Budget
from atrium.kernel.principal import Principal
from atrium.tenancy.permissions import Permission, permissions_of
from atrium.web.auth import CurrentAdmission, CurrentPrincipal, OptionalPrincipal, require
from atrium.web.context import request_id
from atrium.web.idempotency import Idempotent, redacted
from atrium.web.pagination import Page, Paged
from atrium.web.problems import problem_responses
from atrium.web.routing import NOT_IDEMPOTENT, area_router
from atrium.web.schemas import ResourceId
from functions.auth.dependencies import ApiKeys, Carrier, Erasures, MaybeOperator, Passwords, People, Sessions, Tenants, Whence
from functions.auth.schemas import (
    AcceptIn,
    ApiKeyIn,
    ApiKeyOut,
    ErasureIn,
    ErasureOut,
    ForgotIn,
    ForgotOut,
    InvitationIn,
    InvitedOut,
    LoginIn,
    LogoutIn,
    MemberOut,
    MemberPatch,
    MeOut,
    NewApiKeyOut,
    PasswordIn,
    RefreshIn,
    RegisterIn,
    ResetIn,
    RotationIn,
    SessionOut,
    StatusOut,
    TenantOut,
    TenantPatch,
)

auth = area_router(prefix="/auth", tags=["auth"])
api_keys = area_router(prefix="/api-keys", tags=["api-keys"])
tenant = area_router(prefix="/tenant", tags=["tenant"])
users = area_router(prefix="/users", tags=["users"])

# A request waits so long for rows and objects to go; what is left then is housekeeping's.
_ERASING_SECONDS: Final = 5

RequestId = Annotated[str, Depends(request_id)]
KeyManager = Annotated[Principal, require(Permission.API_KEYS_MANAGE)]
UserManager = Annotated[Principal, require(Permission.USERS_MANAGE)]
TenantManager = Annotated[Principal, require(Permission.TENANT_MANAGE)]


@auth.post("/register", status_code=201, responses=problem_responses([401, 403, 409]))
async def register(
    body: RegisterIn, sessions: Sessions, caller: Whence, operator: MaybeOperator, request_id: RequestId
) -> SessionOut:
    """Make an organisation and its first admin, and log in. With the operator's `X-API-Key` in every registration mode."""
    session = await sessions.register(
        organisation=body.org_name,
        email=body.email,
        password=body.password,
        caller=caller,
        operator=operator,
        request_id=request_id,
    )
    return SessionOut.of(session)


@auth.post("/login", responses=problem_responses([401]))
async def login(body: LoginIn, sessions: Sessions, caller: Whence, request_id: RequestId) -> SessionOut:
    """Log in."""
    session = await sessions.login(email=body.email, password=body.password, caller=caller, request_id=request_id)
    return SessionOut.of(session)


@auth.post("/refresh", responses=problem_responses([401]))
async def refresh(body: RefreshIn, sessions: Sessions, caller: Whence, request_id: RequestId) -> SessionOut:
    """A new pair of tokens for a refresh token, which is used up by it."""
    session = await sessions.refresh(refresh_token=body.refresh_token, caller=caller, request_id=request_id)
    return SessionOut.of(session)


@auth.post("/logout", status_code=204, dependencies=[NOT_IDEMPOTENT])
async def logout(admitted: CurrentAdmission, sessions: Sessions, request_id: RequestId, body: LogoutIn | None = None) -> None:
    """End this login: its refresh token and its access tokens stop working."""
    await sessions.logout(
        admitted.principal,
        admitted.session_id,
        refresh_token=body.refresh_token if body else None,
        request_id=request_id,
    )


@auth.post("/logout-all", status_code=204, dependencies=[NOT_IDEMPOTENT])
async def logout_all(principal: CurrentPrincipal, sessions: Sessions, request_id: RequestId) -> None:
    """End every login of the user: no refresh token and no access token works any more."""
    await sessions.logout_all(principal, request_id=request_id)


@auth.post("/password", status_code=204, dependencies=[NOT_IDEMPOTENT])
async def change_password(
    body: PasswordIn, admitted: CurrentAdmission, passwords: Passwords, caller: Whence, request_id: RequestId
) -> None:
    """Change the password; this login goes on, every other one of the user ends."""
    await passwords.change(
        admitted.principal,
        admitted.session_id,
        current=body.current_password,
        new=body.new_password,
        caller=caller,
        request_id=request_id,
    )


@auth.post("/password/forgot", status_code=202)
async def forgot_password(
    body: ForgotIn, passwords: Passwords, mail: Carrier, caller: Whence, request_id: RequestId
) -> ForgotOut:
    """Have a reset token mailed, if the e-mail is somebody's; the answer is the same if it is not."""
    return ForgotOut(token=await passwords.forget(email=body.email, mail=mail, caller=caller, request_id=request_id))


@auth.post("/password/reset", status_code=204, responses=problem_responses([401]))
async def reset_password(body: ResetIn, passwords: Passwords, caller: Whence, request_id: RequestId) -> None:
    """Use a reset token for a new password; every login of the user ends."""
    await passwords.reset(token=body.token, password=body.password, caller=caller, request_id=request_id)


@auth.get("/me")
async def me(principal: CurrentPrincipal, sessions: Sessions) -> MeOut:
    """Who asks."""
    account, organisation = await sessions.me(principal)
    return MeOut.of(account, organisation, permissions_of(principal))


@auth.get("/status", responses=problem_responses([429, 503]))
async def status(request: Request, principal: OptionalPrincipal) -> StatusOut:
    """Whether the credentials hold, and who may register; for everyone."""
    registration = request.app.state.runtime.settings.registration
    return StatusOut(authenticated=principal is not None, kind=principal.kind if principal else None, registration=registration)


@api_keys.get("")
async def list_api_keys(principal: KeyManager, page: Paged, keys: ApiKeys) -> Page[ApiKeyOut]:
    """The keys in force, newest first."""
    found = await keys.list(principal, after=page.after[0] if page.after else None, rows=page.rows)
    return page.page(found, key=lambda key: (key.id,), shape=ApiKeyOut.of)


@api_keys.post("", status_code=201, dependencies=[redacted("key")])
async def create_api_key(
    body: ApiKeyIn, principal: KeyManager, claim: Idempotent, keys: ApiKeys, response: Response, request_id: RequestId
) -> NewApiKeyOut:
    """Make a key; the answer shows it this once."""
    new = await keys.create(
        principal,
        key_id=claim.resource_id,
        name=body.name,
        role=body.role,
        scopes=tuple(body.scopes),
        expires_at=body.expires_at,
        request_id=request_id,
    )
    response.headers["Location"] = f"/api/v1/api-keys/{new.key.id}"
    return NewApiKeyOut.made(new)


@api_keys.post("/{id}/rotate", dependencies=[redacted("key")])
async def rotate_api_key(
    id: ResourceId,  # noqa: A002  the path's name
    principal: KeyManager,
    claim: Idempotent,
    keys: ApiKeys,
    request_id: RequestId,
    body: RotationIn | None = None,
) -> NewApiKeyOut:
    """Give a key a new secret, shown this once. The one in use works for `overlap` seconds more, any older one no longer."""
    new = await keys.rotate(
        principal,
        id,
        rotation_id=claim.resource_id,
        overlap=timedelta(seconds=(body or RotationIn()).overlap),
        request_id=request_id,
    )
    return NewApiKeyOut.made(new)


@api_keys.delete("/{id}", status_code=204)
async def delete_api_key(id: ResourceId, principal: KeyManager, keys: ApiKeys, request_id: RequestId) -> None:  # noqa: A002  the path's name
    """End a key now."""
    await keys.delete(principal, id, request_id=request_id)


@tenant.get("")
async def get_tenant(principal: TenantManager, tenants: Tenants) -> TenantOut:
    """The organisation and its settings."""
    return TenantOut.of(await tenants.get(principal))


@tenant.patch("")
async def update_tenant(body: TenantPatch, principal: TenantManager, tenants: Tenants, request_id: RequestId) -> TenantOut:
    """Change what is given (a merge patch); a setting of null goes back to its default."""
    settings = body.settings.model_dump(exclude_unset=True)
    return TenantOut.of(await tenants.update(principal, name=body.name or None, settings=settings, request_id=request_id))


@tenant.delete("", status_code=202)
async def delete_tenant(body: ErasureIn, principal: TenantManager, erasures: Erasures, request_id: RequestId) -> ErasureOut:
    """Erase the organisation and everything it has, for good: an admin who is a user may, and every credential ends with it."""
    budget = Budget(_ERASING_SECONDS)
    return ErasureOut.of(await erasures.erase(principal, confirm=body.confirm, budget=budget, request_id=request_id))


@users.get("")
async def list_users(principal: UserManager, page: Paged, people: People) -> Page[MemberOut]:
    """Users and open invitations, newest first."""
    found = await people.list(principal, after=page.after[0] if page.after else None, rows=page.rows)
    return page.page(found, key=lambda member: (member.id,), shape=MemberOut.model_validate)


@users.post("", status_code=201, dependencies=[redacted("token")])
async def invite_user(
    body: InvitationIn, principal: UserManager, claim: Idempotent, people: People, mail: Carrier, request_id: RequestId
) -> InvitedOut:
    """Invite somebody by e-mail. The same e-mail again: a new token, and the one before is dead."""
    invited = await people.invite(
        principal, invitation_id=claim.resource_id, email=body.email, role=body.role, mail=mail, request_id=request_id
    )
    return InvitedOut.of(invited)


@users.post("/accept", status_code=201, responses=problem_responses([401, 403, 409]))
async def accept_invitation(
    body: AcceptIn, sessions: Sessions, caller: Whence, operator: MaybeOperator, request_id: RequestId
) -> SessionOut:
    """Become a user by an invitation's token, with a password of one's own, and log in."""
    session = await sessions.accept(
        token=body.token, password=body.password, caller=caller, operator=operator, request_id=request_id
    )
    return SessionOut.of(session)


@users.patch("/{id}", responses=problem_responses([409]))
async def update_user(
    id: ResourceId,  # noqa: A002  the path's name
    body: MemberPatch,
    principal: UserManager,
    people: People,
    request_id: RequestId,
) -> MemberOut:
    """Give a user or an invitation another role, disable a user or enable them again; access tokens so far end."""
    given = body.model_fields_set
    member = await people.update(
        principal,
        id,
        role=body.role if "role" in given else None,
        disabled=body.disabled if "disabled" in given else None,
        request_id=request_id,
    )
    return MemberOut.model_validate(member)


@users.delete("/{id}", status_code=204, responses=problem_responses([409]))
async def delete_user(id: ResourceId, principal: UserManager, people: People, request_id: RequestId) -> None:  # noqa: A002
    """Remove a user, whose sessions end now, or an invitation. What they made stays the tenant's."""
    await people.delete(principal, id, request_id=request_id)
