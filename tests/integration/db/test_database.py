"""Tenant transactions and the connections under them."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any, LiteralString
from uuid import uuid4

import psycopg
import pytest

from atrium.db import Database, Transaction
from atrium.kernel.errors import Unavailable
from atrium.kernel.principal import Principal
from atrium.kernel.settings import Settings
from infra.local.processes import free_port

AdminConnection = psycopg.AsyncConnection[dict[str, Any]]

COUNT: LiteralString = "SELECT count(*) AS n FROM atrium.audit_log"
INSERT: LiteralString = """INSERT INTO atrium.audit_log (tenant_id, id, actor, action)
    VALUES (%(tenant)s, gen_random_uuid(), 'someone', 'thing.done')"""
BACKEND: LiteralString = "SELECT pg_backend_pid() AS pid"


@pytest.fixture
async def lambda_database(settings: Settings) -> AsyncIterator[Database]:
    """As in a Lambda: one connection."""
    database = Database(settings.model_copy(update={"database_pool_size": 0}))
    yield database
    await database.close()


async def count(database: Database, principal: Principal) -> int:
    async with database.transaction(principal) as tx:
        row = await tx.fetch_one(COUNT)
    assert row is not None
    return int(row["n"])


async def backend(database: Database) -> int:
    (row,) = await database.call(BACKEND)
    return int(row["pid"])


async def test_a_transaction_sees_its_own_tenant_only(database: Database, tenant: Principal, other_tenant: Principal) -> None:
    async with database.transaction(tenant) as tx:
        rows = await tx.fetch_all("SELECT tenant_id FROM atrium.tenants")
    assert [row["tenant_id"] for row in rows] == [tenant.tenant_id]
    assert tx.principal is tenant


async def test_outside_a_transaction_no_row_is_seen(lambda_database: Database, tenant: Principal) -> None:
    async with lambda_database.transaction(tenant) as tx:
        assert await tx.fetch_one("SELECT 1 AS one FROM atrium.tenants") == {"one": 1}
    # The same connection again: the tenant ended with its transaction.
    assert await lambda_database.call("SELECT tenant_id FROM atrium.tenants") == []


async def test_it_commits_at_the_end(database: Database, tenant: Principal) -> None:
    async with database.transaction(tenant) as tx:
        assert await tx.execute(INSERT, tenant=tenant.tenant_id) == 1
        assert await tx.fetch_one(COUNT) == {"n": 1}
    assert await count(database, tenant) == 1


@pytest.mark.parametrize("failure", [ZeroDivisionError, asyncio.CancelledError, KeyboardInterrupt])
async def test_it_rolls_back_on_any_error(lambda_database: Database, tenant: Principal, failure: type[BaseException]) -> None:
    async def insert_and_fail() -> None:
        async with lambda_database.transaction(tenant) as tx:
            await tx.execute(INSERT, tenant=tenant.tenant_id)
            raise failure

    before = await backend(lambda_database)
    with pytest.raises(failure):
        await insert_and_fail()
    assert await count(lambda_database, tenant) == 0
    assert await backend(lambda_database) == before  # the connection is still good


async def test_a_failing_first_statement_leaves_a_usable_connection(lambda_database: Database, tenant: Principal) -> None:
    async def fail(query: LiteralString) -> None:
        async with lambda_database.transaction(tenant) as tx:
            await tx.execute(query)

    before = await backend(lambda_database)
    with pytest.raises(psycopg.errors.UndefinedTable):
        await fail("SELECT * FROM atrium.nothing")
    with pytest.raises(psycopg.errors.DivisionByZero):
        await fail("SELECT 1 / 0")
    assert await count(lambda_database, tenant) == 0
    assert await backend(lambda_database) == before


async def test_a_broken_constraint_stays_the_repositorys_to_translate(database: Database, tenant: Principal) -> None:
    with pytest.raises(psycopg.errors.ForeignKeyViolation):
        async with database.transaction(tenant) as tx:
            await tx.execute(
                """INSERT INTO atrium.document_versions (tenant_id, document_id, version, source, object_key, content_type, size)
                   VALUES (%(tenant)s, gen_random_uuid(), 1, 'api', 'k', 'text/plain', 0)""",
                tenant=tenant.tenant_id,
            )


async def test_a_swallowed_error_is_no_commit(database: Database, tenant: Principal) -> None:
    async def swallow() -> None:
        async with database.transaction(tenant) as tx:
            await tx.execute(INSERT, tenant=tenant.tenant_id)
            with pytest.raises(psycopg.errors.DivisionByZero):
                await tx.execute("SELECT 1 / 0")

    with pytest.raises(RuntimeError, match="swallowed"):
        await swallow()
    assert await count(database, tenant) == 0


async def test_after_its_end_a_transaction_is_of_no_use(lambda_database: Database, tenant: Principal) -> None:
    """Its connection may be in another tenant's by then."""
    async with lambda_database.transaction(tenant) as tx:
        async with lambda_database.transaction(tenant) as inner:
            await inner.begin()
        with pytest.raises(RuntimeError, match="ended"):
            await inner.fetch_one(COUNT)
    with pytest.raises(RuntimeError, match="ended"):
        await tx.fetch_one(COUNT)
    with pytest.raises(RuntimeError, match="no transaction is open"):
        _ = tx.connection


async def test_a_statement_left_running_ends_with_its_transaction(lambda_database: Database, tenant: Principal) -> None:
    async with lambda_database.transaction(tenant) as tx:
        first = asyncio.create_task(tx.fetch_one("SELECT 1 AS one, pg_sleep(0.05)"))
        await asyncio.sleep(0)
        late = asyncio.create_task(tx.fetch_one(COUNT))
    assert (await first or {})["one"] == 1
    with pytest.raises(RuntimeError, match="ended"):
        await late


class TestNesting:
    async def test_another_tenant_is_refused(self, database: Database, tenant: Principal, other_tenant: Principal) -> None:
        async with database.transaction(tenant):
            with pytest.raises(RuntimeError, match="another tenant"):
                await count(database, other_tenant)

    async def test_the_same_tenant_gets_a_savepoint(self, lambda_database: Database, tenant: Principal) -> None:
        async with lambda_database.transaction(tenant) as tx:
            await tx.execute(INSERT, tenant=tenant.tenant_id)
            with pytest.raises(psycopg.errors.DivisionByZero):
                await self._insert_and_fail(lambda_database, tenant)
            async with lambda_database.transaction(tenant) as inner:
                await inner.execute(INSERT, tenant=tenant.tenant_id)
        assert await count(lambda_database, tenant) == 2

    async def test_a_savepoint_goes_with_its_transaction(self, database: Database, tenant: Principal) -> None:
        async def insert_within_and_fail() -> None:
            async with database.transaction(tenant):
                async with database.transaction(tenant) as inner:
                    await inner.execute(INSERT, tenant=tenant.tenant_id)
                raise ZeroDivisionError

        with pytest.raises(ZeroDivisionError):
            await insert_within_and_fail()
        assert await count(database, tenant) == 0

    async def test_a_call_inside_is_refused(self, database: Database, tenant: Principal) -> None:
        async with database.transaction(tenant):
            with pytest.raises(RuntimeError, match="open"):
                await database.call("SELECT 1 AS one")

    async def test_a_task_started_inside_is_refused_until_it_ends(self, database: Database, tenant: Principal) -> None:
        ended = asyncio.Event()

        async def later() -> int:
            await ended.wait()
            return await count(database, tenant)

        async with database.transaction(tenant):
            with pytest.raises(RuntimeError, match="task"):
                await asyncio.create_task(count(database, tenant))
            waiting = asyncio.create_task(later())
        ended.set()
        assert await waiting == 0

    async def test_after_an_ended_one_any_tenant_may(
        self, database: Database, tenant: Principal, other_tenant: Principal
    ) -> None:
        assert await count(database, tenant) == 0
        assert await count(database, other_tenant) == 0

    @staticmethod
    async def _insert_and_fail(database: Database, tenant: Principal) -> None:
        async with database.transaction(tenant) as tx:
            await tx.execute(INSERT, tenant=tenant.tenant_id)
            await tx.execute("SELECT 1 / 0")


class TestConnections:
    async def test_nothing_connects_before_the_first_statement(self, settings: Settings) -> None:
        database = Database(settings.model_copy(update={"database_port": free_port()}))
        await database.close()
        with pytest.raises(Unavailable):
            await database.ready()

    async def test_a_database_that_was_closed_opens_again(self, lambda_database: Database) -> None:
        before = await backend(lambda_database)
        await lambda_database.close()
        assert await backend(lambda_database) != before

    async def test_coroutines_queue_on_the_one_connection(
        self, lambda_database: Database, tenant: Principal, other_tenant: Principal
    ) -> None:
        async def insert(principal: Principal) -> int:
            async with lambda_database.transaction(principal) as tx:
                await tx.execute(INSERT, tenant=principal.tenant_id)
                row = await tx.fetch_one(BACKEND)
            assert row is not None
            return int(row["pid"])

        backends = await asyncio.gather(*(insert(principal) for principal in [tenant, other_tenant] * 10))
        assert len(set(backends)) == 1
        assert await count(lambda_database, tenant) == await count(lambda_database, other_tenant) == 10

    async def test_a_pool_serves_several_at_once_and_no_more(self, settings: Settings) -> None:
        pool = Database(settings.model_copy(update={"database_pool_size": 3}))
        rows = await asyncio.gather(*(pool.call("SELECT pg_backend_pid() AS pid, pg_sleep(0.02)") for _ in range(9)))
        await pool.close()
        assert len({row["pid"] for (row,) in rows}) == 3

    async def test_a_connection_that_died_idle_is_replaced_once(
        self, lambda_database: Database, tenant: Principal, admin_connection: AdminConnection, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("atrium.db.connections._TRUSTED_IDLE", 0)
        before = await backend(lambda_database)
        await admin_connection.execute("SELECT pg_terminate_backend(%s, 5000)", [before])
        assert await count(lambda_database, tenant) == 0
        assert await backend(lambda_database) != before

    async def test_a_connection_that_died_a_moment_after_its_use_is_replaced_too(
        self, lambda_database: Database, tenant: Principal, admin_connection: AdminConnection, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("atrium.db.connections._TRUSTED_IDLE", 3600)
        before = await backend(lambda_database)
        await admin_connection.execute("SELECT pg_terminate_backend(%s, 5000)", [before])
        assert await count(lambda_database, tenant) == 0
        assert await backend(lambda_database) != before

    async def test_a_connection_lost_in_the_middle_is_unavailable_and_then_replaced(
        self, lambda_database: Database, tenant: Principal, admin_connection: AdminConnection
    ) -> None:
        async def lose() -> None:
            async with lambda_database.transaction(tenant) as tx:
                row = await tx.fetch_one(BACKEND)
                assert row is not None
                await admin_connection.execute("SELECT pg_terminate_backend(%s, 5000)", [row["pid"]])
                await tx.execute(INSERT, tenant=tenant.tenant_id)

        with pytest.raises(Unavailable):
            await lose()
        assert await count(lambda_database, tenant) == 0

    async def test_a_cancelled_statement_stops_and_frees_the_connection(
        self, lambda_database: Database, tenant: Principal
    ) -> None:
        async def sleep() -> None:
            async with lambda_database.transaction(tenant) as tx:
                await tx.execute("SELECT pg_sleep(20)")

        task = asyncio.create_task(sleep())
        await asyncio.sleep(0.1)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asyncio.wait_for(task, 5)
        assert await asyncio.wait_for(count(lambda_database, tenant), 5) == 0

    async def test_wrong_passwords_are_unavailable(self, settings: Settings) -> None:
        async def wrong(user: str) -> str:
            return f"not the password of {user}"

        with pytest.raises(Unavailable) as caught:
            await Database(settings, password=wrong).ready()
        assert "password" not in caught.value.detail

    async def test_the_password_source_is_asked_for_the_role(self, settings: Settings) -> None:
        asked: list[str] = []

        async def token(user: str) -> str:
            asked.append(user)
            return settings.database_password

        database = Database(settings.model_copy(update={"database_password": ""}), password=token)
        await database.ready()
        await database.close()
        assert asked == ["atrium_app"]


class TestTimeouts:
    async def test_statements_and_locks_and_idling_are_bounded(self, lambda_database: Database) -> None:
        (row,) = await lambda_database.call(
            """SELECT current_setting('statement_timeout') AS statement, current_setting('lock_timeout') AS lock,
                      current_setting('idle_session_timeout') AS idle,
                      current_setting('idle_in_transaction_session_timeout') AS transaction"""
        )
        assert row == {"statement": "25s", "lock": "5s", "idle": "4min", "transaction": "25s"}

    async def test_a_statement_over_its_time_is_unavailable(self, settings: Settings, tenant: Principal) -> None:
        database = Database(settings.model_copy(update={"database_statement_timeout": 0.05}))
        with pytest.raises(Unavailable):
            await database.call("SELECT pg_sleep(5)")
        await database.close()


class TestStatements:
    async def test_statements_at_once_are_all_under_the_tenant(self, database: Database, tenant: Principal) -> None:
        query: LiteralString = "SELECT %(n)s::int AS n, current_setting('app.tenant_id') AS tenant"
        async with database.transaction(tenant) as tx:
            rows = await asyncio.gather(*(tx.fetch_one(query, n=n) for n in range(5)))
        assert rows == [{"n": n, "tenant": str(tenant.tenant_id)} for n in range(5)]

    async def test_dicts_travel_as_jsonb_and_uuids_as_uuids(self, database: Database, tenant: Principal) -> None:
        identifier = uuid4()
        async with database.transaction(tenant) as tx:
            row = await tx.fetch_one(
                "SELECT %(detail)s AS detail, %(id)s AS id, '100%%' AS percent", detail={"a": [1, None]}, id=identifier
            )
        assert row == {"detail": {"a": [1, None]}, "id": identifier, "percent": "100%"}

    async def test_an_absent_row_is_none(self, database: Database, tenant: Principal) -> None:
        async with database.transaction(tenant) as tx:
            assert await tx.fetch_one("SELECT 1 AS one WHERE false") is None
            assert await tx.fetch_all("SELECT 1 AS one WHERE false") == []

    async def test_the_bare_connection_is_refused_before_a_tenant_is_set(self, database: Database, tenant: Principal) -> None:
        async with database.transaction(tenant) as tx:
            with pytest.raises(RuntimeError, match="begin"):
                _ = tx.connection
            await tx.begin()
            assert await self._tenant(tx) == str(tenant.tenant_id)

    @staticmethod
    async def _tenant(tx: Transaction) -> str:
        row = await (await tx.connection.execute("SELECT current_setting('app.tenant_id') AS tenant")).fetchone()
        assert row is not None
        return str(row["tenant"])
