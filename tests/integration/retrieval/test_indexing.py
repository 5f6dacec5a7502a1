"""Large tenants get a partial HNSW index, and lose it when they shrink."""

import time
from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID

import psycopg
import pytest

from atrium.db import Database
from atrium.kernel.principal import Principal
from atrium.kernel.settings import Settings
from atrium.retrieval.indexing import IndexReport, plan_indexes, refresh_indexes
from tests.factories.cluster import Cluster
from tests.factories.retrieval import publish

THRESHOLD = 40
Admin = psycopg.AsyncConnection[dict[str, Any]]


@pytest.fixture
async def owner(cluster: Cluster, settings: Settings) -> AsyncIterator[Database]:
    database = Database(cluster.settings(settings.database_name, user="atrium_migrator"))
    yield database
    await database.close()


async def refresh(owner: Database) -> IndexReport:
    return await refresh_indexes(owner, threshold=THRESHOLD, deadline=time.monotonic() + 60)


async def indexes(admin: Admin) -> set[str]:
    rows = await admin.execute("SELECT relname AS name FROM pg_class WHERE relname ~ '_hnsw_' AND relkind = 'i'")
    return {row["name"] for row in await rows.fetchall()}


async def registered(admin: Admin) -> list[UUID]:
    rows = await admin.execute("SELECT tenant_id FROM atrium.tenant_indexes")
    return [row["tenant_id"] for row in await rows.fetchall()]


def name_of(principal: Principal) -> str:
    return f"chunks_1001_hnsw_{principal.tenant_id.hex}"


async def test_a_tenant_that_grew_has_an_index(
    database: Database, owner: Database, tenant: Principal, other_tenant: Principal, admin_connection: Admin
) -> None:
    await publish(database, tenant, [f"text {i}" for i in range(THRESHOLD)])
    await publish(database, other_tenant, [f"text {i}" for i in range(THRESHOLD - 1)])

    assert await refresh(owner) == IndexReport(built=1)

    assert await indexes(admin_connection) == {name_of(tenant)}
    assert await registered(admin_connection) == [tenant.tenant_id]
    assert await plan_indexes(owner, threshold=THRESHOLD) == []


async def test_a_tenant_that_shrank_loses_it(
    database: Database, owner: Database, tenant: Principal, admin_connection: Admin
) -> None:
    await publish(database, tenant, [f"text {i}" for i in range(THRESHOLD)])
    await refresh(owner)
    await admin_connection.execute("DELETE FROM atrium.chunks WHERE ordinal >= %s", [THRESHOLD // 2])
    assert await refresh(owner) == IndexReport()

    await admin_connection.execute("DELETE FROM atrium.chunks")

    assert await refresh(owner) == IndexReport(dropped=1)
    assert await indexes(admin_connection) == set()
    assert await registered(admin_connection) == []


async def test_an_erased_tenant_leaves_no_index(
    database: Database, owner: Database, tenant: Principal, admin_connection: Admin
) -> None:
    await publish(database, tenant, [f"text {i}" for i in range(THRESHOLD)])
    await refresh(owner)
    await admin_connection.execute("DELETE FROM atrium.chunks")
    await admin_connection.execute("DELETE FROM atrium.documents")
    await admin_connection.execute("DELETE FROM atrium.tenants WHERE tenant_id = %s", [tenant.tenant_id])

    assert await refresh(owner) == IndexReport(dropped=1)
    assert await indexes(admin_connection) == set()


async def test_what_a_broken_build_left_is_made_anew(
    database: Database, owner: Database, tenant: Principal, admin_connection: Admin
) -> None:
    await publish(database, tenant, [f"text {i}" for i in range(THRESHOLD)])
    await refresh(owner)
    await admin_connection.execute(
        "UPDATE pg_index SET indisvalid = false WHERE indexrelid = %s::regclass", [f"atrium.{name_of(tenant)}"]
    )

    assert await refresh(owner) == IndexReport(built=1, dropped=1)
    assert await plan_indexes(owner, threshold=THRESHOLD) == []


async def test_an_index_that_nobody_registered_is_registered(
    database: Database, owner: Database, tenant: Principal, admin_connection: Admin
) -> None:
    await publish(database, tenant, [f"text {i}" for i in range(THRESHOLD)])
    await refresh(owner)
    await admin_connection.execute("DELETE FROM atrium.tenant_indexes")

    assert await refresh(owner) == IndexReport()
    assert await registered(admin_connection) == [tenant.tenant_id]


async def test_an_index_that_went_is_not_counted_on(
    database: Database, owner: Database, tenant: Principal, admin_connection: Admin
) -> None:
    await publish(database, tenant, [f"text {i}" for i in range(THRESHOLD)])
    await refresh(owner)
    await admin_connection.execute(f"DROP INDEX atrium.{name_of(tenant)}")
    await admin_connection.execute("DELETE FROM atrium.chunks WHERE ordinal >= 1")

    assert await refresh(owner) == IndexReport()
    assert await registered(admin_connection) == []


async def test_without_time_nothing_is_begun(
    database: Database, owner: Database, tenant: Principal, admin_connection: Admin
) -> None:
    await publish(database, tenant, [f"text {i}" for i in range(THRESHOLD)])

    assert await refresh_indexes(owner, threshold=THRESHOLD, deadline=time.monotonic()) == IndexReport(left=1)
    assert await indexes(admin_connection) == set()


async def test_limits_of_a_maintenance_do_not_outlive_it(owner: Database) -> None:
    async with owner.alone("test") as session:
        assert session is not None
        before = await session.call("SELECT current_setting('statement_timeout'), current_setting('maintenance_work_mem')")
        await session.run("VACUUM atrium.chunks_1001", seconds=3)
        assert (
            await session.call("SELECT current_setting('statement_timeout'), current_setting('maintenance_work_mem')") == before
        )


async def test_smaller_tenants_come_first_and_what_broke_comes_last(
    database: Database, owner: Database, tenant: Principal, other_tenant: Principal, admin_connection: Admin
) -> None:
    await publish(database, tenant, [f"text {i}" for i in range(THRESHOLD + 10)])
    await publish(database, other_tenant, [f"text {i}" for i in range(THRESHOLD)])
    assert [step.chunks for step in await plan_indexes(owner, threshold=THRESHOLD)] == [THRESHOLD, THRESHOLD + 10]

    await refresh(owner)
    await admin_connection.execute("DELETE FROM atrium.tenant_indexes")
    await admin_connection.execute(f"DROP INDEX atrium.{name_of(tenant)}")
    await admin_connection.execute(
        "UPDATE pg_index SET indisvalid = false WHERE indexrelid = %s::regclass", [f"atrium.{name_of(other_tenant)}"]
    )

    assert [step.tenant_id for step in await plan_indexes(owner, threshold=THRESHOLD)] == [
        tenant.tenant_id,
        other_tenant.tenant_id,
    ]


async def test_a_tenant_erased_during_the_build_leaves_no_index_and_stops_nobody(
    database: Database, owner: Database, tenant: Principal, other_tenant: Principal, admin_connection: Admin
) -> None:
    await publish(database, tenant, [f"text {i}" for i in range(THRESHOLD)])
    await publish(database, other_tenant, [f"text {i}" for i in range(THRESHOLD + 1)])
    await admin_connection.execute("DELETE FROM atrium.documents WHERE tenant_id = %s", [tenant.tenant_id])
    await admin_connection.execute("DELETE FROM atrium.tenants WHERE tenant_id = %s", [tenant.tenant_id])

    assert await refresh(owner) == IndexReport(built=1)

    assert await indexes(admin_connection) == {name_of(other_tenant)}
    assert await registered(admin_connection) == [other_tenant.tenant_id]


async def test_a_second_run_returns_at_once(database: Database, owner: Database, tenant: Principal) -> None:
    await publish(database, tenant, [f"text {i}" for i in range(THRESHOLD)])

    async with owner.alone("tenant-indexes"):
        assert await refresh(owner) == IndexReport()
    assert await refresh(owner) == IndexReport(built=1)
