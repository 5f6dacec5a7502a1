"""Who may do what: the one table."""

from enum import StrEnum
from typing import Final

from atrium.kernel.errors import Forbidden
from atrium.kernel.principal import Principal, Role


class Permission(StrEnum):
    """A thing that can be allowed; also the scopes of API keys."""

    DOCUMENTS_READ = "documents:read"
    DOCUMENTS_WRITE = "documents:write"
    RAG_QUERY = "rag:query"
    API_KEYS_MANAGE = "api_keys:manage"
    USERS_MANAGE = "users:manage"
    TENANT_MANAGE = "tenant:manage"
    LLM_USE = "llm:use"
    PROMPTS_READ = "prompts:read"
    PROMPTS_WRITE = "prompts:write"
    USAGE_READ = "usage:read"
    LIMITS_MANAGE = "limits:manage"
    MODELS_MANAGE = "models:manage"
    AUDIT_READ = "audit:read"


_VIEWER: Final = frozenset({Permission.DOCUMENTS_READ, Permission.RAG_QUERY, Permission.PROMPTS_READ})
_MEMBER: Final = _VIEWER | {Permission.DOCUMENTS_WRITE, Permission.LLM_USE}
_ADMIN: Final = frozenset(Permission)
ROLES: Final = {Role.VIEWER: _VIEWER, Role.MEMBER: _MEMBER, Role.ADMIN: _ADMIN}


def permissions_of(principal: Principal) -> frozenset[Permission]:
    """What the role allows, narrowed by the scopes of an API key."""
    return narrowed(principal.role, principal.scopes)


def narrowed(role: Role, scopes: frozenset[str]) -> frozenset[Permission]:
    """What `role` allows within `scopes`; no scopes narrow nothing."""
    allowed = ROLES[role]
    return allowed if not scopes else frozenset(permission for permission in allowed if permission.value in scopes)


def check(principal: Principal, permission: Permission) -> None:
    """Raise `Forbidden` unless the principal may."""
    if permission not in permissions_of(principal):
        raise Forbidden(f"This needs the permission {permission.value}.")
