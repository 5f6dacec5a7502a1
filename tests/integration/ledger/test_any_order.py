"""Whatever is reserved, settled, lost, swept and limited in whatever order: the ledger agrees with a few lines of Python."""

import asyncio
from collections.abc import Coroutine, Iterator
from typing import Any
from uuid import UUID

import psycopg
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, rule, run_state_machine_as_test
from psycopg.rows import dict_row

from atrium.db import Database
from atrium.kernel.errors import BudgetExceeded
from atrium.kernel.principal import Principal
from atrium.ledger import repository
from atrium.ledger.models import Spend
from atrium.ledger.service import LedgerService
from infra.local.postgres import SUPERUSER
from tests.factories.cluster import Cluster
from tests.factories.ledger import balances, set_limit, settlement, spend
from tests.factories.tenancy import make_api_key, make_tenant

AMOUNTS = st.integers(0, 400)
BUDGETS = st.none() | st.integers(0, 1500)


class World:
    """A database, and a loop to ask it in."""

    def __init__(self, cluster: Cluster, name: str, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        self.database = Database(cluster.settings(name))
        dsn = cluster.server.dsn(SUPERUSER, cluster.server.superuser_password, name)
        self.admin = self.do(psycopg.AsyncConnection.connect(dsn, autocommit=True, row_factory=dict_row))

    def do[T](self, what: Coroutine[Any, Any, T]) -> T:
        return self.loop.run_until_complete(what)

    def close(self) -> None:
        self.do(self.database.close())
        self.do(self.admin.close())


@pytest.fixture
def world(cluster: Cluster) -> Iterator[World]:
    with cluster.clone() as name, asyncio.Runner() as runner:
        world = World(cluster, name, runner.get_loop())
        yield world
        world.close()


class Money(RuleBasedStateMachine):
    """One tenant, its user and a key of it."""

    world: World
    open_calls = Bundle("open_calls")
    over = Bundle("over")

    def __init__(self) -> None:
        super().__init__()
        self.ledger = LedgerService(self.world.database)
        self.user = self.world.do(make_tenant(self.world.admin))
        self.key = self.world.do(make_api_key(self.world.admin, self.user))
        self.open: dict[UUID, tuple[Principal, int]] = {}
        self.spent: dict[UUID, int] = dict.fromkeys(self._ids(), 0)
        self.caps: dict[UUID, int | None] = dict.fromkeys(self._ids())
        self.calls = 0

    def _ids(self) -> tuple[UUID, UUID, UUID]:
        return self.user.tenant_id, self.user.id, self.key.id

    def _reserved(self, scope_id: UUID) -> int:
        return sum(bound for whose, bound in self.open.values() if scope_id in (whose.tenant_id, whose.id))

    def _room(self, principal: Principal) -> int | None:
        rooms = [
            cap - self.spent[each] - self._reserved(each)
            for each in (principal.tenant_id, principal.id)
            if (cap := self.caps[each]) is not None
        ]
        return min(rooms, default=None)

    @rule(target=open_calls, by_key=st.booleans(), bound=AMOUNTS, least=st.none() | AMOUNTS)
    def reserve(self, by_key: bool, bound: int, least: int | None) -> Spend:
        principal = self.key if by_key else self.user
        call = spend(bound, least=least)
        room = self._room(principal)
        fits = room is None or bound == 0 or room >= bound
        partly = room is not None and least is not None and room >= max(1, least)
        if not fits and not partly:
            with pytest.raises(BudgetExceeded):
                self.world.do(self.ledger.reserve(principal, call))
            return call
        reserved = self.world.do(self.ledger.reserve(principal, call)).bound
        assert reserved == (bound if fits else room)
        self.open[call.id] = (principal, reserved)
        return call

    @rule(target=over, call=consumes(open_calls), cost=AMOUNTS)
    def settle(self, call: Spend, cost: int) -> Spend:
        if call.id in self.open:
            principal, _ = self.open.pop(call.id)
            assert self.world.do(self.ledger.settle(principal, call.id, settlement(cost)))
            self._spend(principal, cost)
        return call

    @rule(call=over, cost=AMOUNTS)
    def settle_again(self, call: Spend, cost: int) -> None:
        if self.world.do(repository.abandon(self.world.database, self.user.tenant_id, call.id)):
            raise AssertionError("it was over")
        known = self.world.do(self._entries(call.id))
        if known:
            assert not self.world.do(self.ledger.settle(self.user, call.id, settlement(cost)))

    @rule(target=over, call=consumes(open_calls))
    def lose(self, call: Spend) -> Spend:
        """Its process died; a day after its time the sweep comes."""
        assert not self.world.do(repository.abandon(self.world.database, self.user.tenant_id, call.id))
        self.world.do(self._age(call.id))
        found = self.world.do(repository.abandon(self.world.database, self.user.tenant_id, call.id))
        assert found == (call.id in self.open)
        if found:
            self._spend(*self.open.pop(call.id))
        return call

    @rule(which=st.integers(0, 2), budget=BUDGETS)
    def limit(self, which: int, budget: int | None) -> None:
        scope = ("tenant", "user", "api_key")[which]
        self.world.do(set_limit(self.world.admin, self.user, budget, scope=scope, scope_id=self._ids()[which], origin="tenant"))
        self.caps[self._ids()[which]] = budget

    @invariant()
    def balances_agree(self) -> None:
        found = self.world.do(balances(self.world.admin, self.user))
        for scope_id in self._ids():
            kept = [each[:2] for (_, each_id), each in found.items() if each_id == scope_id]
            assert (kept or [(0, 0)]) == [(self.spent[scope_id], self._reserved(scope_id))]

    @invariant()
    def calls_are_entered_once(self) -> None:
        assert self.world.do(self._entries()) == self.calls

    def _spend(self, principal: Principal, cost: int) -> None:
        self.calls += 1
        for each in (principal.tenant_id, principal.id):
            self.spent[each] += cost

    async def _age(self, call_id: UUID) -> None:
        await self.world.admin.execute(
            "UPDATE atrium.ledger_reservations SET due_at = now() - interval '25 hours' WHERE id = %s", [call_id]
        )

    async def _entries(self, call_id: UUID | None = None) -> int:
        cursor = await self.world.admin.execute(
            "SELECT count(*) AS calls FROM atrium.ledger_entries WHERE tenant_id = %s AND (%s::uuid IS NULL OR id = %s)",
            [self.user.tenant_id, call_id, call_id],
        )
        row = await cursor.fetchone()
        assert row is not None
        return int(row["calls"])


def test_the_ledger_agrees_with_its_model(world: World) -> None:
    machine = type("MoneyHere", (Money,), {"world": world})
    run_state_machine_as_test(
        machine,
        settings=settings(max_examples=25, stateful_step_count=25, deadline=None, suppress_health_check=list(HealthCheck)),
    )
