"""Housekeeping seals every tenant's audit log, and tells the log group where each chain ends."""

import logging
from typing import Any

import httpx
import psycopg
import pytest
from psycopg.sql import SQL, Identifier

from atrium.audit import record
from atrium.audit.models import Link
from atrium.audit.verifying import verify
from atrium.db import Database
from atrium.housekeeping.sealing import seal_logs
from atrium.housekeeping.service import HousekeepingService
from atrium.kernel.budget import Budget
from atrium.kernel.principal import Principal
from atrium.kernel.settings import Settings
from atrium.ledger.models import Kind, Outcome, Settlement, Spend
from atrium.ledger.service import LedgerService
from functions.auth.app import create_app
from tests.factories.auth import PASSWORD, LocalRuntime, bearer, client, register

AdminConnection = psycopg.AsyncConnection[dict[str, Any]]
AMPLE = 30.0
CALL = Settlement(Outcome.OK, 0, "local/tesseract", units=1)


async def write(database: Database, tenant: Principal, count: int) -> None:
    for _ in range(count):
        async with database.transaction(tenant) as tx:
            await record(tx, action="thing.done")


async def sealed(housekeeping: HousekeepingService, seconds: float = AMPLE) -> dict[str, int]:
    return (await housekeeping.run("seal", Budget(seconds)))["seal"]


async def test_all_tenants_logs_are_sealed(
    housekeeping: HousekeepingService, database: Database, tenant: Principal, other_tenant: Principal
) -> None:
    await write(database, tenant, 3)
    await write(database, other_tenant, 2)
    assert await sealed(housekeeping) == {"sealed": 5, "tenants": 2, "left": 0, "days": 0}
    assert await sealed(housekeeping) == {"sealed": 0, "tenants": 0, "left": 0, "days": 0}
    for each, count in ((tenant, 3), (other_tenant, 2)):
        assert (await verify(database, each, Link(), Budget(AMPLE))).verified_to == count


async def test_where_a_chain_ends_stands_in_the_log(
    housekeeping: HousekeepingService, database: Database, tenant: Principal, caplog: pytest.LogCaptureFixture
) -> None:
    await write(database, tenant, 2)
    with caplog.at_level(logging.INFO):
        await sealed(housekeeping)
    end = (await verify(database, tenant, Link(), Budget(AMPLE))).chain.end
    (line,) = [vars(each) for each in caplog.records if "audit_seq" in vars(each)]
    assert end.hash is not None
    assert (line["tenant_id"], line["audit_seq"], line["audit_hash"]) == (str(tenant.tenant_id), 2, end.hash.hex())


async def test_without_time_it_is_left_for_the_next_run(
    housekeeping: HousekeepingService, database: Database, tenant: Principal
) -> None:
    await write(database, tenant, 2)
    assert await sealed(housekeeping, seconds=0) == {"sealed": 0, "tenants": 0, "left": 1, "days": 0}
    assert (await sealed(housekeeping))["sealed"] == 2


async def test_one_tenant_that_is_locked_keeps_no_other_from_being_sealed(
    relay: Database,
    settings: Settings,
    database: Database,
    tenant: Principal,
    other_tenant: Principal,
    admin_connection: AdminConnection,
) -> None:
    await write(database, tenant, 2)
    await write(database, other_tenant, 3)
    hasty = Database(settings.model_copy(update={"database_statement_timeout": 0.3}))
    # As an erasure has it for as long as it deletes. Its log waits the longest, so it is the first in turn.
    async with admin_connection.transaction():
        await admin_connection.execute("SELECT FROM atrium.tenants WHERE tenant_id = %s FOR UPDATE", (tenant.tenant_id,))
        counts = await seal_logs(relay, hasty, Budget(AMPLE))
    await hasty.close()
    assert counts == {"sealed": 3, "tenants": 1, "left": 1, "days": 0}
    assert (await seal_logs(relay, database, Budget(AMPLE)))["sealed"] == 2


async def test_days_that_cannot_be_closed_keep_no_log_from_being_sealed(
    relay: Database,
    settings: Settings,
    database: Database,
    tenant: Principal,
    other_tenant: Principal,
    admin_connection: AdminConnection,
) -> None:
    await write(database, other_tenant, 1)
    for each in (tenant, other_tenant):
        await LedgerService(database).record(each, Spend(Kind.OCR, "local/tesseract", "ingestion", 0), CALL)
    await admin_connection.execute("UPDATE atrium.ledger_entries SET created_at = created_at - interval '3 days'")
    await admin_connection.execute("UPDATE atrium.usage_daily SET day = day - 3")
    hasty = Database(settings.model_copy(update={"database_statement_timeout": 0.3}))
    async with admin_connection.transaction():
        await admin_connection.execute("SELECT FROM atrium.tenants WHERE tenant_id = %s FOR UPDATE", (tenant.tenant_id,))
        counts = await seal_logs(relay, hasty, Budget(AMPLE))
    await hasty.close()
    assert counts == {"sealed": 1, "tenants": 1, "left": 1, "days": 1}


async def test_what_is_being_erased_is_not_sealed_and_goes_with_its_chain(
    housekeeping: HousekeepingService, settings: Settings, database: Database, admin_connection: AdminConnection
) -> None:
    async with client(create_app(LocalRuntime(settings, database))) as http:
        session = await register(http)
        assert (await sealed(housekeeping))["sealed"] == 1
        await login(http)
        answer = await http.request("DELETE", "/api/v1/tenant", headers=bearer(session), json={"confirm": "Acme"})
        assert answer.status_code < 300, answer.text
    assert await sealed(housekeeping) == {"sealed": 0, "tenants": 0, "left": 0, "days": 0}
    await housekeeping.run("erase", Budget(AMPLE))
    for table in ("audit_log", "audit_chains"):
        rows = await admin_connection.execute(SQL("SELECT * FROM {}").format(Identifier("atrium", table)))
        assert await rows.fetchall() == []


async def login(http: httpx.AsyncClient) -> None:
    """One entry more, which nobody seals."""
    body = {"email": "ada@example.com", "password": PASSWORD}
    assert (await http.post("/api/v1/auth/login", json=body)).status_code == 200
