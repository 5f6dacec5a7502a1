"""Authentication at the door: `CurrentPrincipal`, `require(permission)`.

The route class authenticates before it reads a body; the dependencies here hand out what it found, so that a route
says in its signature what it needs and OpenAPI can tell.
"""

from dataclasses import dataclass
from typing import Annotated, Any, Final

from fastapi import Depends, Request, params
from fastapi.dependencies.models import Dependant

from atrium.kernel.errors import Unauthenticated
from atrium.kernel.principal import Operator, Principal
from atrium.ledger.models import Spend
from atrium.tenancy.admission import Admission
from atrium.tenancy.keys import PREFIX
from atrium.tenancy.models import Admitted, Caller
from atrium.tenancy.permissions import Permission, check

SECURITY_SCHEMES: Final[dict[str, dict[str, Any]]] = {
    "ApiKey": {"type": "apiKey", "in": "header", "name": "X-API-Key", "description": "An API key, `atr_live_…`."},
    "Bearer": {"type": "http", "scheme": "bearer", "description": "An access token, or an API key."},
}


@dataclass(frozen=True, slots=True)
class Need:
    """What a route asks of its caller, read from its dependencies."""

    principal: bool
    permissions: tuple[Permission, ...]
    operator: bool = False


class Required:
    """The dependency that `require` makes."""

    def __init__(self, permission: Permission) -> None:
        self.permission = permission

    async def __call__(self, request: Request) -> Principal:
        """The principal, who may."""
        principal = await current_principal(request)
        check(principal, self.permission)
        return principal


def require(permission: Permission) -> params.Depends:
    """Ask for a permission.

    `principal: Annotated[Principal, require(Permission.DOCUMENTS_WRITE)]`, or in a route's `dependencies=[…]`.
    """
    return params.Depends(Required(permission))


class RequiredOrOperator:
    """The dependency that `require_or_operator` makes."""

    def __init__(self, permission: Permission) -> None:
        self.permission = permission

    async def __call__(self, request: Request) -> Principal | Operator:
        """The operator, or the principal, who may."""
        operator: Operator | None = operator_of(request)
        return operator or await Required(self.permission)(request)


def require_or_operator(permission: Permission) -> params.Depends:
    """Ask for a permission inside a tenant, or for the operator's `X-API-Key`, which means the platform's own things.

    `author: Annotated[Principal | Operator, require_or_operator(Permission.PROMPTS_WRITE)]`. A POST of the operator's takes no
    `Idempotency-Key`: replays are a tenant's rows.
    """
    return params.Depends(RequiredOrOperator(permission))


async def current_admission(request: Request) -> Admitted:
    """The authenticated request: its principal and, of a user, the session."""
    admitted: Admitted | None = getattr(request.state, "admitted", None)
    if admitted is None:
        raise Unauthenticated
    return admitted


async def current_principal(request: Request) -> Principal:
    """Who asks."""
    return (await current_admission(request)).principal


async def optional_principal(request: Request) -> Principal | None:
    """Who asks, on a public route; None without credentials and with wrong ones."""
    try:
        return (await authenticate(request)).principal
    except Unauthenticated:
        return None


CurrentPrincipal = Annotated[Principal, Depends(current_principal)]
CurrentAdmission = Annotated[Admitted, Depends(current_admission)]
OptionalPrincipal = Annotated[Principal | None, Depends(optional_principal)]


def need_of(dependant: Dependant) -> Need:
    """What the route with this dependency tree asks of its caller."""
    calls = list(_calls(dependant))
    permissions = tuple(call.permission for call in calls if isinstance(call, Required | RequiredOrOperator))
    needs_principal = bool(permissions) or current_principal in calls or current_admission in calls
    return Need(needs_principal, permissions, any(isinstance(call, RequiredOrOperator) for call in calls))


async def authenticate(request: Request, spend: Spend | None = None) -> Admitted:
    """Admit the request by `X-API-Key`, or by `Authorization: Bearer` with a key or an access token.

    `spend`: what it is going to cost, reserved in the same call. Errors: Unauthenticated, RateLimited, Unavailable,
    BudgetExceeded. The outcome is in `request.state` for the rest of the request.
    """
    admission, text = admission_of(request), credentials_of(request)
    by_key = api_key_of(request) is not None or text.startswith(PREFIX)
    admitted = await (admission.by_api_key if by_key else admission.by_access_token)(text, caller_of(request), spend)
    request.state.admitted = admitted
    request.state.principal = admitted.principal
    request.state.rate = admitted.rate
    return admitted


async def authenticate_or_operator(request: Request) -> Admitted | None:
    """`authenticate`, and where no tenant knows the `X-API-Key` the operator, who is then in `request.state`: None."""
    try:
        return await authenticate(request)
    except Unauthenticated:
        key = api_key_of(request)
        if key is None:
            raise
        request.state.operator = await admission_of(request).operator(key, caller_of(request))
        return None


def operator_of(request: Request) -> Operator | None:
    """The operator, on a route that they may ask too."""
    operator: Operator | None = getattr(request.state, "operator", None)
    return operator


def admission_of(request: Request) -> Admission:
    """The application's one `Admission`."""
    state = request.app.state
    if not hasattr(state, "admission"):
        state.admission = Admission(state.runtime.database, state.runtime.keyring, state.runtime.settings)
    admission: Admission = state.admission
    return admission


def caller_of(request: Request) -> Caller:
    """Where the request comes from, as the gateway saw it; whoever takes its public tokens notes there what is left."""
    caller: Caller = request.state.caller
    return caller


def credentials_of(request: Request) -> str:
    """The API key or access token that the request is to be admitted by. Unauthenticated when it has neither."""
    key = api_key_of(request)
    text = _bearer(request) if key is None else key
    if text is None:
        raise Unauthenticated
    return text


def api_key_of(request: Request) -> str | None:
    """What `X-API-Key` holds."""
    return _single(request, "x-api-key")


def _bearer(request: Request) -> str | None:
    value = _single(request, "authorization")
    if value is None:
        return None
    scheme, _, token = value.partition(" ")
    return token.strip() if scheme.lower() == "bearer" else ""


def _single(request: Request, name: str) -> str | None:
    values = request.headers.getlist(name)
    if len(values) > 1:
        raise Unauthenticated(f"There is more than one {name} header.")
    return values[0] if values else None


def _calls(dependant: Dependant) -> list[Any]:
    return [dependant.call, *(call for child in dependant.dependencies for call in _calls(child))]
