from typing import Any, LiteralString

import psycopg
import pytest

from atrium.audit import record
from atrium.db import Database
from atrium.kernel.principal import Principal, worker

AdminConnection = psycopg.AsyncConnection[dict[str, Any]]


async def test_an_entry_says_who_did_what_to_what(
    database: Database, tenant: Principal, admin_connection: AdminConnection
) -> None:
    async with database.transaction(tenant) as tx:
        await record(tx, action="document.deleted", target="document:1", detail={"name": "a.pdf"}, request_id="r-1")
    (row,) = await (await admin_connection.execute("SELECT * FROM atrium.audit_log")).fetchall()
    assert (row["tenant_id"], row["actor"]) == (tenant.tenant_id, f"user:{tenant.id}")
    assert (row["action"], row["target"], row["request_id"]) == ("document.deleted", "document:1", "r-1")
    assert row["detail"] == {"name": "a.pdf"}


async def test_a_worker_is_named_as_such(database: Database, tenant: Principal, admin_connection: AdminConnection) -> None:
    async with database.transaction(worker(tenant.tenant_id)) as tx:
        await record(tx, action="document.published")
    (row,) = await (await admin_connection.execute("SELECT actor, detail FROM atrium.audit_log")).fetchall()
    assert row["actor"].startswith("worker:")
    assert row["detail"] == {}


async def test_nothing_is_recorded_of_what_was_rolled_back(
    database: Database, tenant: Principal, admin_connection: AdminConnection
) -> None:
    async def fail_afterwards() -> None:
        async with database.transaction(tenant) as tx:
            await record(tx, action="document.deleted")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await fail_afterwards()
    assert await (await admin_connection.execute("SELECT * FROM atrium.audit_log")).fetchall() == []


@pytest.mark.parametrize("statement", ["UPDATE atrium.audit_log SET actor = 'nobody'", "DELETE FROM atrium.audit_log"])
async def test_the_application_cannot_rewrite_the_log(database: Database, tenant: Principal, statement: LiteralString) -> None:
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        async with database.transaction(tenant) as tx:
            await tx.execute(statement)
