"""The services that the auth area's routes call."""

from typing import Annotated

from fastapi import Depends, Request

from atrium.kernel.principal import Operator
from atrium.tenancy.api_keys import ApiKeyService
from atrium.tenancy.sessions import SessionService
from atrium.web.auth import admission_of, api_key_of


async def session_service(request: Request) -> SessionService:
    """Logins."""
    runtime = request.app.state.runtime
    return SessionService(runtime.database, runtime.keyring, runtime.settings, admission_of(request))


async def api_key_service(request: Request) -> ApiKeyService:
    """API keys."""
    runtime = request.app.state.runtime
    return ApiKeyService(runtime.database, runtime.keyring)


async def operator(request: Request) -> Operator | None:
    """The operator, when the request carries a key; a key that is not the operator's is refused."""
    key = api_key_of(request)
    return None if key is None else await admission_of(request).operator(key, request.state.address)


async def address(request: Request) -> str:
    """The caller's network address, as the gateway saw it."""
    seen: str = request.state.address
    return seen


Sessions = Annotated[SessionService, Depends(session_service)]
ApiKeys = Annotated[ApiKeyService, Depends(api_key_service)]
MaybeOperator = Annotated[Operator | None, Depends(operator)]
Address = Annotated[str, Depends(address)]
