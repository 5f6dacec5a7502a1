"""Refresh tokens against a model of them: any order of uses, delays, logouts; whoever holds a copy ends the family."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final, LiteralString
from uuid import UUID, uuid4

import psycopg
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test
from psycopg.rows import dict_row

from tests.factories.cluster import Cluster

TENANT, USER = uuid4(), uuid4()
REFRESH: Final[LiteralString] = """SELECT outcome, family_id FROM atrium.auth_refresh(
    %(hash)s, %(child)s, %(child_hash)s, interval '14 days', 'r', ARRAY['ip:x'], 1000000000)"""


@dataclass
class Token:
    """One token as the rules have it. `late`: it was used more than ten seconds ago."""

    family: UUID
    hash: bytes = field(default_factory=lambda: uuid4().bytes * 2)
    used: bool = False
    late: bool = False
    children: list["Token"] = field(default_factory=list)

    @property
    def may_be_used(self) -> bool:
        if not self.used:
            return True
        return not self.late and len(self.children) == 1 and not self.children[0].used


class Families(RuleBasedStateMachine):
    """`admin` prepares and looks, `app` is the application's role."""

    admin: psycopg.Connection
    app: psycopg.Connection[dict[str, Any]]

    def __init__(self) -> None:
        super().__init__()
        self.tokens: list[Token] = []
        self.ended: set[UUID] = set()
        self.version = 1

    @initialize()
    def begin(self) -> None:
        self.admin.execute("DELETE FROM atrium.refresh_tokens")
        self.admin.execute("DELETE FROM atrium.audit_log")
        self.admin.execute("UPDATE atrium.users SET token_version = 1, disabled_at = NULL")
        self.log_in()

    @rule()
    def log_in(self) -> None:
        token = Token(uuid4())
        self.admin.execute(
            "INSERT INTO atrium.refresh_tokens"
            " (tenant_id, id, family_id, user_id, token_hash, idle_expires_at, family_expires_at)"
            " VALUES (%s, %s, %s, %s, %s, now() + interval '14 days', now() + interval '60 days')",
            [TENANT, uuid4(), token.family, USER, token.hash],
        )
        self.tokens.append(token)

    @rule(choice=st.integers(min_value=0))
    def use(self, choice: int) -> None:
        token, child = self.tokens[choice % len(self.tokens)], Token(uuid4())
        row = self.app.execute(REFRESH, {"hash": token.hash, "child": uuid4(), "child_hash": child.hash}).fetchone()
        assert row is not None
        if token.family in self.ended:
            assert row["outcome"] == "expired"
        elif token.may_be_used:
            assert (row["outcome"], row["family_id"]) == ("ok", token.family)
            child.family = token.family
            token.used = True
            token.children.append(child)
            self.tokens.append(child)
        else:
            assert row["outcome"] == "reused"
            self.ended.add(token.family)
            self.version += 1

    @rule()
    def invent(self) -> None:
        row = self.app.execute(REFRESH, {"hash": uuid4().bytes * 2, "child": uuid4(), "child_hash": bytes(32)}).fetchone()
        assert row == {"outcome": "unknown", "family_id": None}

    @rule()
    def wait(self) -> None:
        self.admin.execute("UPDATE atrium.refresh_tokens SET used_at = used_at - interval '11 seconds'")
        for token in self.tokens:
            token.late = token.used

    @rule(choice=st.integers(min_value=0))
    def log_out(self, choice: int) -> None:
        family = self.tokens[choice % len(self.tokens)].family
        self.admin.execute("UPDATE atrium.refresh_tokens SET revoked_at = now() WHERE family_id = %s", [family])
        self.ended.add(family)

    @invariant()
    def access_tokens_end_with_each_theft_and_it_is_audited(self) -> None:
        row = self.admin.execute(
            "SELECT token_version, (SELECT count(*) FROM atrium.audit_log WHERE action = 'auth.refresh_reused') FROM atrium.users"
        ).fetchone()
        assert row == (self.version, self.version - 1)


@pytest.fixture
def families(cluster: Cluster) -> Iterator[type[Families]]:
    with cluster.clone() as name:
        setup = cluster.settings(name)
        dsn = cluster.server.dsn(setup.database_user, setup.database_password, name)
        with cluster.superuser(name) as admin, psycopg.connect(dsn, autocommit=True, row_factory=dict_row) as app:
            admin.execute("INSERT INTO atrium.tenants (tenant_id, name) VALUES (%s, 'A tenant')", [TENANT])
            admin.execute(
                "INSERT INTO atrium.users (tenant_id, id, email, password_hash, role) VALUES (%s, %s, 'a@b.cd', '!', 'admin')",
                [TENANT, USER],
            )
            yield type("Prepared", (Families,), {"admin": admin, "app": app})


def test_any_order_of_uses_keeps_the_rules(families: type[Families]) -> None:
    run_state_machine_as_test(
        families,
        settings=settings(max_examples=25, stateful_step_count=20, deadline=None, suppress_health_check=list(HealthCheck)),
    )
