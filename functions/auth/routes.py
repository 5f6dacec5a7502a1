"""Routes of the auth area: parse, call one verb, shape the reply."""

from typing import Annotated

from fastapi import Depends, Request, Response

from atrium.kernel.principal import Principal
from atrium.tenancy.permissions import Permission, permissions_of
from atrium.web.auth import CurrentAdmission, CurrentPrincipal, OptionalPrincipal, require
from atrium.web.context import request_id
from atrium.web.idempotency import Idempotent, redacted
from atrium.web.pagination import Page, Paged
from atrium.web.problems import problem_responses
from atrium.web.routing import NOT_IDEMPOTENT, area_router
from atrium.web.schemas import ResourceId
from functions.auth.dependencies import Address, ApiKeys, MaybeOperator, Sessions
from functions.auth.schemas import (
    ApiKeyIn,
    ApiKeyOut,
    LoginIn,
    LogoutIn,
    MeOut,
    NewApiKeyOut,
    RefreshIn,
    RegisterIn,
    SessionOut,
    StatusOut,
)

auth = area_router(prefix="/auth", tags=["auth"])
api_keys = area_router(prefix="/api-keys", tags=["api-keys"])

RequestId = Annotated[str, Depends(request_id)]
KeyManager = Annotated[Principal, require(Permission.API_KEYS_MANAGE)]


@auth.post("/register", status_code=201, responses=problem_responses([401, 403, 409]))
async def register(
    body: RegisterIn, sessions: Sessions, address: Address, operator: MaybeOperator, request_id: RequestId
) -> SessionOut:
    """Make an organisation and its first admin, and log in. With the operator's `X-API-Key` in every registration mode."""
    session = await sessions.register(
        organisation=body.org_name,
        email=body.email,
        password=body.password,
        address=address,
        operator=operator,
        request_id=request_id,
    )
    return SessionOut.of(session)


@auth.post("/login", responses=problem_responses([401]))
async def login(body: LoginIn, sessions: Sessions, address: Address, request_id: RequestId) -> SessionOut:
    """Log in."""
    session = await sessions.login(email=body.email, password=body.password, address=address, request_id=request_id)
    return SessionOut.of(session)


@auth.post("/refresh", responses=problem_responses([401]))
async def refresh(body: RefreshIn, sessions: Sessions, address: Address, request_id: RequestId) -> SessionOut:
    """A new pair of tokens for a refresh token, which is used up by it."""
    session = await sessions.refresh(refresh_token=body.refresh_token, address=address, request_id=request_id)
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


@api_keys.delete("/{id}", status_code=204)
async def delete_api_key(id: ResourceId, principal: KeyManager, keys: ApiKeys, request_id: RequestId) -> None:  # noqa: A002  the path's name
    """End a key now."""
    await keys.delete(principal, id, request_id=request_id)
