"""The services that the auth area's routes call."""

from typing import Annotated

from fastapi import Depends, Request

from atrium.kernel.principal import Operator
from atrium.ports.mail import Mail
from atrium.tenancy.api_keys import ApiKeyService
from atrium.tenancy.erasure import ErasureService
from atrium.tenancy.models import Caller
from atrium.tenancy.people import PeopleService
from atrium.tenancy.recovery import PasswordService
from atrium.tenancy.sessions import SessionService
from atrium.tenancy.tenants import TenantService
from atrium.web.auth import admission_of, api_key_of, caller_of


async def session_service(request: Request) -> SessionService:
    """Logins."""
    runtime = request.app.state.runtime
    return SessionService(runtime.database, runtime.keyring, runtime.settings, admission_of(request))


async def api_key_service(request: Request) -> ApiKeyService:
    """API keys."""
    runtime = request.app.state.runtime
    return ApiKeyService(runtime.database, runtime.keyring)


async def password_service(request: Request) -> PasswordService:
    """Passwords."""
    runtime = request.app.state.runtime
    return PasswordService(runtime.database, runtime.settings, admission_of(request))


async def people_service(request: Request) -> PeopleService:
    """Users and invitations."""
    runtime = request.app.state.runtime
    return PeopleService(runtime.database, runtime.settings, admission_of(request))


async def tenant_service(request: Request) -> TenantService:
    """The tenant itself."""
    return TenantService(request.app.state.runtime.database)


async def erasure_service(request: Request) -> ErasureService:
    """The tenant's end."""
    runtime = request.app.state.runtime
    return ErasureService(runtime.database, runtime.storage)


async def mail(request: Request) -> Mail | None:
    """What carries tokens to people; None on the local cloud. `Unavailable` where nothing can be mailed."""
    carrier: Mail | None = request.app.state.runtime.mail
    return carrier


async def operator(request: Request) -> Operator | None:
    """The operator, when the request carries a key; a key that is not the operator's is refused."""
    key = api_key_of(request)
    return None if key is None else await admission_of(request).operator(key, caller_of(request))


async def caller(request: Request) -> Caller:
    """Where the request comes from, as the gateway saw it."""
    return caller_of(request)


Sessions = Annotated[SessionService, Depends(session_service)]
ApiKeys = Annotated[ApiKeyService, Depends(api_key_service)]
MaybeOperator = Annotated[Operator | None, Depends(operator)]
Passwords = Annotated[PasswordService, Depends(password_service)]
People = Annotated[PeopleService, Depends(people_service)]
Tenants = Annotated[TenantService, Depends(tenant_service)]
Erasures = Annotated[ErasureService, Depends(erasure_service)]
Carrier = Annotated[Mail | None, Depends(mail)]
Whence = Annotated[Caller, Depends(caller)]
