"""Wire contracts of the auth area."""

from typing import Annotated, Literal, Self
from uuid import UUID

from pydantic import AfterValidator, Field

from atrium.kernel.principal import PrincipalKind, Role
from atrium.tenancy.api_keys import NewApiKey
from atrium.tenancy.emails import normalise_email
from atrium.tenancy.erasure import Erasure
from atrium.tenancy.models import ApiKey, MemberStatus, Organisation, Session, User
from atrium.tenancy.passwords import MAX_LENGTH, MIN_LENGTH
from atrium.tenancy.people import Invited
from atrium.tenancy.permissions import Permission
from atrium.tenancy.tenants import settings_of
from atrium.web.schemas import Reply, StrictModel, Timestamp

Email = Annotated[
    str, Field(min_length=3, max_length=254, json_schema_extra={"format": "email"}), AfterValidator(normalise_email)
]
Password = Annotated[str, Field(min_length=MIN_LENGTH, max_length=MAX_LENGTH)]
OpaqueToken = Annotated[str, Field(min_length=1, max_length=256)]
Name = Annotated[str, Field(min_length=1, max_length=200, pattern=r"\S")]


class RegisterIn(StrictModel):
    """A new organisation and its first admin."""

    org_name: Name
    email: Email
    password: Password


class LoginIn(StrictModel):
    """E-mail and password."""

    email: Email
    password: Annotated[str, Field(max_length=MAX_LENGTH)]


class RefreshIn(StrictModel):
    """The refresh token to use."""

    refresh_token: OpaqueToken


class LogoutIn(StrictModel):
    """Another login of the same user to end as well."""

    refresh_token: OpaqueToken | None = None


class PasswordIn(StrictModel):
    """A change of password by who knows the current one."""

    current_password: Annotated[str, Field(max_length=MAX_LENGTH)]
    new_password: Password


class ForgotIn(StrictModel):
    """Whose password is forgotten."""

    email: Email


class ForgotOut(Reply):
    """What becomes of it. `token` is null where tokens are mailed; on the local cloud it is here, also for an unknown e-mail."""

    status: Literal["accepted"] = "accepted"
    token: str | None


class ResetIn(StrictModel):
    """A reset token, and the password to have."""

    token: OpaqueToken
    password: Password


class AcceptIn(StrictModel):
    """An invitation's token, and the password to have."""

    token: OpaqueToken
    password: Password


class UserOut(Reply):
    """A person."""

    id: UUID
    email: str
    role: Role
    created_at: Timestamp


class OrganisationOut(Reply):
    """A tenant."""

    id: UUID
    name: str
    created_at: Timestamp


class TenantSettingsPatch(StrictModel):
    """Settings to change; null puts one back to its default."""

    chat_model: Annotated[str, Field(max_length=200)] | None = None
    invitation_days: Annotated[int, Field(ge=1, le=30)] | None = None
    api_key_max_days: Annotated[int, Field(ge=1, le=3650)] | None = None


class TenantPatch(StrictModel):
    """What to change of a tenant. The defaults say "absent": neither may be null."""

    name: Name = Field(default_factory=str)
    settings: TenantSettingsPatch = Field(default_factory=TenantSettingsPatch)


class TenantSettingsOut(Reply):
    """Settings in force. `chat_model` null: the deployment's. `api_key_max_days` null: API keys may live without end."""

    chat_model: str | None
    invitation_days: int
    api_key_max_days: int | None


class TenantOut(OrganisationOut):
    """A tenant, as its admin sees it."""

    settings: TenantSettingsOut

    @classmethod
    def of(cls, tenant: Organisation) -> Self:
        """The wire form."""
        settings = TenantSettingsOut.model_validate(settings_of(tenant))
        return cls(id=tenant.id, name=tenant.name, created_at=tenant.created_at, settings=settings)


class ErasureIn(StrictModel):
    """The organisation's name, exactly, so that nobody erases it by mistake."""

    confirm: Annotated[str, Field(max_length=200)]


class ErasureOut(Reply):
    """How far it is. `erased`: nothing is left; `erasing`: all access has ended, the rest goes within minutes."""

    tenant_id: UUID
    status: Literal["erasing", "erased"]
    requested_at: Timestamp

    @classmethod
    def of(cls, erasure: Erasure) -> Self:
        """The wire form."""
        status: Literal["erasing", "erased"] = "erased" if erasure.emptied_at else "erasing"
        return cls(tenant_id=erasure.tenant_id, status=status, requested_at=erasure.requested_at)


class InvitationIn(StrictModel):
    """Somebody to invite."""

    email: Email
    role: Annotated[Role, Field(strict=False)] = Role.MEMBER


class MemberPatch(StrictModel):
    """What to change of a user or an invitation. The defaults say "absent": neither may be null."""

    role: Annotated[Role, Field(strict=False, default_factory=lambda: Role.MEMBER)]
    disabled: bool = Field(default_factory=bool)


class MemberOut(Reply):
    """A user or an invitation, under the same id for both. `expires_at`: when an invitation ends, null for a user."""

    id: UUID
    email: str
    role: Role
    status: MemberStatus
    created_at: Timestamp
    expires_at: Timestamp | None


class InvitedOut(MemberOut):
    """An invitation that was just made. `token` is null where it was mailed; on the local cloud it is here, this once."""

    token: str | None

    @classmethod
    def of(cls, invited: Invited) -> Self:
        """The wire form."""
        return cls.model_validate(MemberOut.model_validate(invited.member).model_dump() | {"token": invited.token})


class SessionOut(Reply):
    """A session; `token` is `access_token` under the name that other systems give it. `expires_in` in seconds."""

    access_token: str
    token: str
    refresh_token: str
    expires_in: int
    token_type: Literal["Bearer"] = "Bearer"  # noqa: S105  the scheme's name
    user: UserOut
    org: OrganisationOut

    @classmethod
    def of(cls, session: Session) -> Self:
        """The wire form."""
        tokens = session.tokens
        return cls(
            access_token=tokens.access_token,
            token=tokens.access_token,
            refresh_token=tokens.refresh_token,
            expires_in=tokens.expires_in,
            user=UserOut.model_validate(session.user),
            org=OrganisationOut.model_validate(session.organisation),
        )


class ApiKeyIn(StrictModel):
    """A key to make. No scopes: everything the role may. No expiry: until it is deleted."""

    name: Name
    role: Annotated[Role, Field(strict=False)] = Role.MEMBER
    scopes: Annotated[list[Annotated[Permission, Field(strict=False)]], Field(default_factory=list, max_length=32)]
    expires_at: Annotated[Timestamp, Field(strict=False)] | None = None


class RotationIn(StrictModel):
    """How long the secret in use goes on working, in seconds: a day, at most a week, 0 for not at all."""

    overlap: Annotated[int, Field(ge=0, le=7 * 86_400)] = 86_400


class ApiKeyOut(Reply):
    """A key without its secret; `prefix` is its public beginning, `previous_until` when the one before the rotation ends."""

    id: UUID
    name: str
    prefix: str
    last_four: str
    role: Role
    scopes: list[str]
    created_by: str
    created_at: Timestamp
    expires_at: Timestamp | None
    last_used_at: Timestamp | None
    previous_until: Timestamp | None

    @classmethod
    def of(cls, key: ApiKey) -> Self:
        """The wire form."""
        return cls.model_validate(_fields(key))


class NewApiKeyOut(ApiKeyOut):
    """A key that was just made, or has a new secret: `key` is shown this once."""

    key: str

    @classmethod
    def made(cls, new: NewApiKey) -> Self:
        """The wire form, with the secret."""
        return cls.model_validate(_fields(new.key) | {"key": new.text})


class MeOut(Reply):
    """Who asks: a user or an API key, one of the two."""

    kind: PrincipalKind
    id: UUID
    role: Role
    permissions: list[Permission]
    user: UserOut | None
    api_key: ApiKeyOut | None
    org: OrganisationOut

    @classmethod
    def of(cls, account: User | ApiKey, org: Organisation, permissions: frozenset[Permission]) -> Self:
        """The wire form."""
        is_user = isinstance(account, User)
        return cls(
            kind=PrincipalKind.USER if is_user else PrincipalKind.API_KEY,
            id=account.id,
            role=account.role,
            permissions=sorted(permissions),
            user=UserOut.model_validate(account) if isinstance(account, User) else None,
            api_key=ApiKeyOut.of(account) if isinstance(account, ApiKey) else None,
            org=OrganisationOut.model_validate(org),
        )


class StatusOut(Reply):
    """Whether the caller's credentials hold, and who may register here."""

    authenticated: bool
    kind: PrincipalKind | None
    registration: Literal["open", "invite", "closed"]


def _fields(key: ApiKey) -> dict[str, object]:
    return {
        "id": key.id,
        "name": key.name,
        "prefix": f"atr_live_{key.key_id}",
        "last_four": key.last_four,
        "role": key.role,
        "scopes": list(key.scopes),
        "created_by": key.created_by,
        "created_at": key.created_at,
        "expires_at": key.expires_at,
        "last_used_at": key.last_used_at,
        "previous_until": key.previous_until,
    }
