"""The table of roles: each may what the next lower may, and a key's scopes only take away."""

from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from atrium.kernel.errors import Forbidden
from atrium.kernel.principal import Principal, PrincipalKind, Role, TenantId
from atrium.tenancy.permissions import ROLES, Permission, check, permissions_of


def principal(role: Role, scopes: frozenset[str] = frozenset()) -> Principal:
    return Principal(TenantId(UUID(int=1)), PrincipalKind.API_KEY, UUID(int=2), role, scopes)


def test_roles_contain_each_other() -> None:
    assert ROLES[Role.VIEWER] < ROLES[Role.MEMBER] < ROLES[Role.ADMIN] == set(Permission)


@pytest.mark.parametrize("role", Role)
def test_no_scopes_narrow_nothing(role: Role) -> None:
    assert permissions_of(principal(role)) == ROLES[role]


@given(st.sampled_from(Role), st.frozensets(st.sampled_from([*(p.value for p in Permission), "unheard:of"]), min_size=1))
def test_scopes_only_take_away(role: Role, scopes: frozenset[str]) -> None:
    assert permissions_of(principal(role, scopes)) == {p for p in ROLES[role] if p.value in scopes}


def test_what_is_not_allowed_is_named() -> None:
    check(principal(Role.MEMBER), Permission.DOCUMENTS_WRITE)
    with pytest.raises(Forbidden, match="documents:write"):
        check(principal(Role.VIEWER), Permission.DOCUMENTS_WRITE)
