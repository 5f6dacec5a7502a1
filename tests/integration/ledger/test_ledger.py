"""Reserve and settle: no budget is exceeded by admission, nothing is settled twice, and nothing is lost."""

import asyncio
from datetime import date, timedelta
from typing import Any, LiteralString

import psycopg
import pytest
from psycopg.sql import SQL, Identifier

from atrium.db import Database
from atrium.kernel.errors import BudgetExceeded, Unavailable
from atrium.kernel.ids import new_id
from atrium.kernel.principal import Principal, worker
from atrium.kernel.settings import Settings
from atrium.ledger import repository
from atrium.ledger.models import GroupBy, Kind, Outcome, Period, Spend
from atrium.ledger.service import LedgerService
from tests.factories.ledger import balances, set_limit, settlement, spend
from tests.factories.tenancy import make_api_key

Connection = psycopg.AsyncConnection[dict[str, Any]]
DOLLAR = 10**9
DAY = timedelta(days=1)


@pytest.fixture
def ledger(database: Database) -> LedgerService:
    return LedgerService(database)


async def rows(connection: Connection, query: str, *params: object) -> list[dict[str, Any]]:
    return await (await connection.execute(query.encode(), params)).fetchall()


async def events(connection: Connection, tenant: Principal) -> list[tuple[str, dict[str, Any]]]:
    found = await rows(connection, "SELECT type, payload FROM atrium.outbox WHERE tenant_id = %s ORDER BY id", tenant.tenant_id)
    return [(row["type"], row["payload"]) for row in found]


class TestOneCall:
    async def test_it_is_reserved_then_spent(
        self, ledger: LedgerService, admin_connection: Connection, tenant: Principal
    ) -> None:
        call = spend(900, document_id=new_id(), request_id="r-1", feature="rag")
        reservation = await ledger.reserve(tenant, call)
        assert (reservation.id, reservation.bound, reservation.month.day) == (call.id, 900, 1)
        own, whole = ("user", tenant.id), ("tenant", tenant.tenant_id)
        assert await balances(admin_connection, tenant) == {own: (0, 900, 0), whole: (0, 900, 0)}

        attempts = ({"provider": "a", "detail": "nul \0 and \ud800", "at": float("nan")},)
        assert await ledger.settle(tenant, call.id, settlement(700, model="anthropic/claude", attempts=attempts))

        assert await balances(admin_connection, tenant) == {own: (700, 0, 1), whole: (700, 0, 1)}
        (entry,) = await rows(admin_connection, "SELECT * FROM atrium.ledger_entries")
        assert entry["provider"] == "anthropic"
        assert (entry["user_id"], entry["api_key_id"], entry["document_id"]) == (tenant.id, None, call.document_id)
        assert (entry["cost"], entry["bound"], entry["feature"], entry["request_id"]) == (700, 900, "rag", "r-1")
        assert entry["attempts"] == [{"provider": "a", "detail": "nul  and ?", "at": None}]
        assert await rows(admin_connection, "SELECT * FROM atrium.ledger_reservations") == []

    async def test_it_is_settled_once(self, ledger: LedgerService, admin_connection: Connection, tenant: Principal) -> None:
        call = spend(900)
        await ledger.reserve(tenant, call)
        first, *others = await asyncio.gather(*(ledger.settle(tenant, call.id, settlement(cost)) for cost in (700, 1, 2, 3)))
        assert [first, *others].count(True) == 1
        (entry,) = await rows(admin_connection, "SELECT cost FROM atrium.ledger_entries")
        assert await balances(admin_connection, tenant) == {
            ("user", tenant.id): (entry["cost"], 0, 1),
            ("tenant", tenant.tenant_id): (entry["cost"], 0, 1),
        }

    async def test_an_overshoot_is_written_and_told(
        self, ledger: LedgerService, admin_connection: Connection, tenant: Principal
    ) -> None:
        await set_limit(admin_connection, tenant, 1000)
        call = spend(900)
        await ledger.reserve(tenant, call)
        assert await ledger.settle(tenant, call.id, settlement(5000))
        assert (await balances(admin_connection, tenant))["tenant", tenant.tenant_id] == (5000, 0, 1)
        told = await events(admin_connection, tenant)
        assert told[0] == (
            "budget.overshot",
            {"model": "openai/gpt-4o-mini", "feature": "chat", "reserved_usd": 9e-07, "cost_usd": 5e-06},
        )
        assert [payload["percent"] for kind, payload in told[1:]] == [50, 80, 100]

    async def test_nonsense_of_a_provider_does_not_keep_it_from_being_settled(
        self, ledger: LedgerService, admin_connection: Connection, tenant: Principal
    ) -> None:
        call = spend(900)
        await ledger.reserve(tenant, call)
        assert await ledger.settle(tenant, call.id, settlement(-5, input_tokens=10**40, output_tokens=-1, milliseconds=-3))
        (entry,) = await rows(admin_connection, "SELECT cost, input_tokens, output_tokens FROM atrium.ledger_entries")
        assert entry == {"cost": 0, "input_tokens": 10**12, "output_tokens": 0}

    async def test_a_reservation_that_a_crash_took_back_is_settled_all_the_same(
        self, ledger: LedgerService, admin_connection: Connection, tenant: Principal
    ) -> None:
        call_id = new_id()
        assert await ledger.settle(tenant, call_id, settlement(7))
        assert not await ledger.settle(tenant, call_id, settlement(7))
        assert (await balances(admin_connection, tenant))["tenant", tenant.tenant_id] == (7, 0, 1)

    async def test_a_worker_has_no_scope_of_its_own(
        self, ledger: LedgerService, admin_connection: Connection, tenant: Principal
    ) -> None:
        pages = Spend(Kind.OCR, "local/tesseract", "ingestion", 0, document_id=new_id())
        done = settlement(0, model="local/tesseract", units=12)
        assert await ledger.record(worker(tenant.tenant_id), pages, done)
        assert not await ledger.record(worker(tenant.tenant_id), pages, done)
        assert await balances(admin_connection, tenant) == {("tenant", tenant.tenant_id): (0, 0, 1)}

    @pytest.mark.parametrize(
        "verb",
        [
            "ledger_abandon(%(tenant_id)s, %(id)s, NULL)",
            "ledger_reserve(%(tenant_id)s, NULL, NULL, NULL)",
            "ledger_settle(%(tenant_id)s, NULL, NULL, %(id)s, NULL)",
            "ledger_record(%(tenant_id)s, NULL, NULL, NULL, NULL)",
        ],
    )
    async def test_in_another_tenants_transaction_it_is_refused(
        self, database: Database, tenant: Principal, other_tenant: Principal, verb: LiteralString
    ) -> None:
        with pytest.raises(psycopg.errors.InsufficientPrivilege, match="not the transaction's tenant"):
            async with database.transaction(tenant) as tx:
                await tx.fetch_all("SELECT atrium." + verb, tenant_id=other_tenant.tenant_id, id=new_id())

    async def test_only_who_has_the_operators_key_raises_a_ceiling(
        self, database: Database, tenant: Principal, admin_connection: Connection
    ) -> None:
        await admin_connection.execute(
            "INSERT INTO atrium.operator_keys (key_id, mac, pepper_kid, digest) VALUES ('theoperator', %(any)s, 'p', %(any)s)",
            {"any": bytes(32)},
        )
        query = "SELECT atrium.limit_tenant(%(tenant)s, 1, 'soft', 5, 'theoperator', %(proof)s, '') AS known"
        right, wrong = ({"tenant": tenant.tenant_id, "proof": proof} for proof in (bytes(32), bytes(31) + b"x"))
        with pytest.raises(psycopg.errors.InsufficientPrivilege, match="the operator's"):
            await database.call(query, **wrong)
        with pytest.raises(psycopg.errors.InsufficientPrivilege, match="the operator's"):
            async with database.transaction(tenant) as tx:
                await tx.fetch_all(query, **right)
        assert (await database.call(query, **right))[0]["known"]


class TestBudgets:
    async def test_of_32_at_once_a_budget_for_20_lets_20_out(
        self, settings: Settings, admin_connection: Connection, tenant: Principal
    ) -> None:
        await set_limit(admin_connection, tenant, 2000)
        database = Database(settings.model_copy(update={"database_pool_size": 16}))
        ledger = LedgerService(database)
        key = await make_api_key(admin_connection, tenant)
        found = await asyncio.gather(
            *(ledger.reserve(tenant if turn % 2 else key, spend(100)) for turn in range(32)), return_exceptions=True
        )
        await database.close()
        assert [each for each in found if isinstance(each, BaseException) and not isinstance(each, BudgetExceeded)] == []
        assert sum(isinstance(each, BudgetExceeded) for each in found) == 12
        assert (await balances(admin_connection, tenant))["tenant", tenant.tenant_id] == (0, 2000, 0)

    async def test_who_is_refused_is_told_why(
        self, ledger: LedgerService, admin_connection: Connection, tenant: Principal
    ) -> None:
        await set_limit(admin_connection, tenant, 20 * DOLLAR)
        await set_limit(admin_connection, tenant, 2 * DOLLAR, scope="user", scope_id=tenant.id, origin="tenant")
        await ledger.reserve(tenant, spend(3 * DOLLAR // 2))
        with pytest.raises(BudgetExceeded) as refused:
            await ledger.reserve(tenant, spend(DOLLAR))
        assert refused.value.scope == "user"
        assert refused.value.detail == (
            "The monthly budget of this user, $2.00, has no room for this call: it may cost $1.00, $0.00 is spent and $1.50 is "
            "reserved by calls under way. Allow fewer tokens (max_tokens) or use a cheaper model; an admin can raise it with "
            "PUT /api/v1/admin/limits, or wait for next month."
        )
        with pytest.raises(BudgetExceeded, match=r"the organisation, \$20\.00.*ask the operator"):
            await ledger.reserve(worker(tenant.tenant_id), spend(19 * DOLLAR))

    async def test_what_is_left_is_reserved_where_that_is_enough(
        self, ledger: LedgerService, admin_connection: Connection, tenant: Principal
    ) -> None:
        await set_limit(admin_connection, tenant, 1000)
        await set_limit(admin_connection, tenant, 400, scope="user", scope_id=tenant.id, origin="tenant")
        assert (await ledger.reserve(tenant, spend(5000, least=300))).bound == 400
        with pytest.raises(BudgetExceeded):
            await ledger.reserve(tenant, spend(5000, least=0))
        assert (await ledger.reserve(worker(tenant.tenant_id), spend(5000, least=600))).bound == 600
        assert (await balances(admin_connection, tenant))["tenant", tenant.tenant_id] == (0, 1000, 0)

    async def test_what_costs_nothing_needs_no_room(
        self, ledger: LedgerService, admin_connection: Connection, tenant: Principal
    ) -> None:
        await set_limit(admin_connection, tenant, 0)
        assert (await ledger.reserve(tenant, spend(0))).bound == 0
        with pytest.raises(BudgetExceeded):
            await ledger.reserve(tenant, spend(1))

    async def test_a_soft_budget_tells_and_refuses_nothing(
        self, ledger: LedgerService, admin_connection: Connection, tenant: Principal
    ) -> None:
        await set_limit(admin_connection, tenant, 1000, origin="tenant", mode="soft")
        for _ in range(4):
            call = spend(600)
            await ledger.reserve(tenant, call)
            await ledger.settle(tenant, call.id, settlement(600))
        told = [payload for kind, payload in await events(admin_connection, tenant) if kind == "budget.threshold_reached"]
        assert [(each["percent"], each["set_by"], each["mode"]) for each in told] == [
            (percent, "tenant", "soft") for percent in (50, 80, 100)
        ]
        assert told[0]["monthly_budget_usd"] == 1e-06

    async def test_each_threshold_of_each_budget_is_told_once_a_month(
        self, ledger: LedgerService, admin_connection: Connection, tenant: Principal
    ) -> None:
        await set_limit(admin_connection, tenant, 1000)
        await set_limit(admin_connection, tenant, 500, scope="user", scope_id=tenant.id, origin="tenant")
        for _ in range(10):
            call = spend(50)
            await ledger.reserve(tenant, call)
            await ledger.settle(tenant, call.id, settlement(50))
        told = [(payload["scope"], payload["percent"]) for _, payload in await events(admin_connection, tenant)]
        assert sorted(told) == [("tenant", 50), ("user", 50), ("user", 80), ("user", 100)]


class TestTime:
    async def test_a_call_ends_in_the_month_that_it_began_in(
        self, ledger: LedgerService, admin_connection: Connection, tenant: Principal
    ) -> None:
        await set_limit(admin_connection, tenant, 1000)
        call = spend(1000)
        await ledger.reserve(tenant, call)
        for table in ("ledger_balances", "ledger_reservations"):
            await rows_changed(admin_connection, f"UPDATE atrium.{table} SET month = month - interval '1 month'")
        assert (await ledger.reserve(tenant, spend(1000))).bound == 1000
        await ledger.settle(tenant, call.id, settlement(800))
        found = await rows(
            admin_connection, "SELECT spent, reserved FROM atrium.ledger_balances WHERE scope = 'tenant' ORDER BY month"
        )
        assert found == [{"spent": 800, "reserved": 0}, {"spent": 0, "reserved": 1000}]

    async def test_the_sum_of_many_calls_is_theirs_and_none_stays_open(
        self, settings: Settings, admin_connection: Connection, tenant: Principal
    ) -> None:
        database = Database(settings.model_copy(update={"database_pool_size": 8}))
        ledger = LedgerService(database)
        key = await make_api_key(admin_connection, tenant)

        async def caller(turn: int) -> int:
            cost = 0
            for number in range(125):
                call = spend(1000)
                await ledger.reserve(tenant if turn % 2 else key, call)
                await ledger.settle(tenant if turn % 2 else key, call.id, settlement(number * turn))
                cost += number * turn
            return cost

        costs = await asyncio.gather(*(caller(turn) for turn in range(8)))
        await database.close()
        assert (await balances(admin_connection, tenant))["tenant", tenant.tenant_id] == (sum(costs), 0, 1000)
        (entries,) = await rows(admin_connection, "SELECT count(*) AS calls, sum(cost) AS cost FROM atrium.ledger_entries")
        (days,) = await rows(admin_connection, "SELECT sum(calls) AS calls, sum(cost) AS cost FROM atrium.usage_daily")
        assert entries == days == {"calls": 1000, "cost": sum(costs)}
        assert await rows(admin_connection, "SELECT id FROM atrium.ledger_reservations") == []


class TestUsage:
    @pytest.mark.parametrize("zone", ["Pacific/Kiritimati", "Pacific/Midway"])
    async def test_a_day_is_utcs_whatever_the_server_thinks(
        self, settings: Settings, database: Database, admin_connection: Connection, tenant: Principal, zone: str
    ) -> None:
        await LedgerService(database).record(tenant, spend(0), settlement(1))
        await admin_connection.execute("UPDATE atrium.ledger_entries SET created_at = '2026-03-02T00:00:00Z'")
        await admin_connection.execute(
            SQL("ALTER DATABASE {} SET timezone = {}").format(Identifier(settings.database_name), zone)
        )
        there = Database(settings)
        day = date(2026, 3, 2)
        reports = [
            await LedgerService(there).usage(tenant, GroupBy.DAY, Period(each, each)) for each in (day, day - DAY, day + DAY)
        ]
        await there.close()
        assert [report.total.calls for report in reports] == [1, 0, 0]
        assert [line.key for report in reports for line in report.lines] == ["2026-03-02"]

    async def test_what_does_not_fit_is_told_and_summed(self, database: Database, tenant: Principal) -> None:
        for number in range(3):
            await LedgerService(database).record(tenant, spend(0), settlement(number, model=f"openai/{number}"))
        period = Period(date(2026, 1, 1), date(9998, 1, 1))
        async with database.transaction(tenant) as tx:
            report, whole = [await repository.usage(tx, GroupBy.MODEL, period, most) for most in (2, 3)]
        assert ([line.key for line in report.lines], report.truncated) == (["openai/2", "openai/1"], True)
        assert (report.total.calls, report.total.cost, report.total.key) == (3, 3, "")
        assert (len(whole.lines), whole.truncated) == (3, False)

    async def test_it_is_told_apart_by_whatever_is_asked_for(
        self, ledger: LedgerService, admin_connection: Connection, tenant: Principal, other_tenant: Principal
    ) -> None:
        key = await make_api_key(admin_connection, tenant)
        document, job, conversation = new_id(), new_id(), new_id()
        calls: list[tuple[Principal, dict[str, Any], dict[str, Any]]] = [
            (tenant, {"feature": "rag", "conversation_id": conversation}, {"cost": 30}),
            (key, {"job_id": job}, {"cost": 20, "model": "anthropic/claude", "outcome": Outcome.FAILED}),
            (worker(tenant.tenant_id), {"feature": "ingestion", "document_id": document}, {"cost": 50}),
            (other_tenant, {}, {"cost": 1000}),
        ]
        for principal, call, came_to in calls:
            made = spend(100, **call)
            await ledger.reserve(principal, made)
            await ledger.settle(principal, made.id, settlement(**came_to))
        (today,) = await rows(admin_connection, "SELECT (now() AT TIME ZONE 'UTC')::date AS day")
        period = Period(today["day"], today["day"])

        async def costs(group_by: GroupBy) -> list[tuple[str, int]]:
            return [(line.key, line.cost) for line in (await ledger.usage(tenant, group_by, period)).lines]

        assert await costs(GroupBy.DAY) == [(today["day"].isoformat(), 100)]
        assert await costs(GroupBy.MODEL) == [("openai/gpt-4o-mini", 80), ("anthropic/claude", 20)]
        assert await costs(GroupBy.PROVIDER) == [("openai", 80), ("anthropic", 20)]
        assert await costs(GroupBy.FEATURE) == [("ingestion", 50), ("rag", 30), ("chat", 20)]
        assert await costs(GroupBy.USER) == [("", 70), (str(tenant.id), 30)]
        assert await costs(GroupBy.API_KEY) == [("", 80), (str(key.id), 20)]
        for group_by, each, cost in (
            (GroupBy.DOCUMENT, document, 50),
            (GroupBy.JOB, job, 20),
            (GroupBy.CONVERSATION, conversation, 30),
        ):
            assert (str(each), cost) in await costs(group_by)
        assert (await ledger.usage(tenant, GroupBy.MODEL, period)).total.cost == 100
        (failed,) = [line for line in (await ledger.usage(tenant, GroupBy.PROVIDER, period)).lines if line.failed]
        assert (failed.key, failed.calls, failed.input_tokens, failed.output_tokens) == ("anthropic", 1, 10, 5)


async def rows_changed(connection: Connection, statement: str) -> None:
    await connection.execute(statement.encode())


async def test_a_settlement_that_cannot_be_written_fails_nobody(settings: Settings, tenant: Principal) -> None:
    nowhere = LedgerService(Database(settings.model_copy(update={"database_port": 1})))
    assert not await nowhere.settle(tenant, new_id(), settlement(5))
    with pytest.raises(Unavailable):
        await nowhere.reserve(tenant, spend(5))
