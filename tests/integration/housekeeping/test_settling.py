"""Calls whose process was killed are settled at what was reserved; the deployment's counters only go up."""

import asyncio
import logging
from typing import Any

import psycopg
import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families

from atrium.db import Database
from atrium.housekeeping.figures import Figures
from atrium.housekeeping.service import HousekeepingService
from atrium.kernel.budget import Budget
from atrium.kernel.principal import Principal
from atrium.ledger import repository
from atrium.ledger.service import LedgerService
from tests.factories.ledger import balances, settlement, spend

Connection = psycopg.AsyncConnection[dict[str, Any]]
AMPLE = 30.0


async def used(database: Database, principal: Principal, cost: int) -> None:
    ledger, call = LedgerService(database), spend(cost)
    await ledger.reserve(principal, call)
    await ledger.settle(principal, call.id, settlement(cost))


async def counters(database: Database) -> dict[str, float]:
    families = text_string_to_metric_families(await Figures(database, {}).text())  # type: ignore[no-untyped-call]
    return {
        f"{sample.name} {sample.labels.get('type', sample.labels.get('state', ''))}".strip(): sample.value
        for family in families
        for sample in family.samples
        if family.name.startswith(("atrium_usage", "atrium_metered"))
    }


async def test_a_killed_processs_call_is_settled_a_day_after_its_time(
    housekeeping: HousekeepingService,
    database: Database,
    admin_connection: Connection,
    tenant: Principal,
    other_tenant: Principal,
) -> None:
    ledger = LedgerService(database)
    dead, late, young = spend(500), spend(50), spend(5)
    for principal, call in ((tenant, dead), (other_tenant, late), (tenant, young)):
        await ledger.reserve(principal, call)
    await admin_connection.execute(
        "UPDATE atrium.ledger_reservations SET due_at = due_at - interval '25 hours' WHERE bound >= 50"
    )
    assert (await counters(database))["atrium_metered_calls_open unknown"] == 2
    assert await ledger.settle(other_tenant, late.id, settlement(40))

    assert (await housekeeping.run("sweep", Budget(AMPLE)))["sweep"]["settled"] == 1

    assert (await balances(admin_connection, tenant))["tenant", tenant.tenant_id] == (500, 5, 1)
    row = await (await admin_connection.execute("SELECT * FROM atrium.ledger_entries WHERE id = %s", [dead.id])).fetchone()
    assert row is not None
    assert (row["outcome"], row["cost"], row["counted"]) == ("unknown", 500, False)
    assert not await ledger.settle(tenant, dead.id, settlement(1))
    assert "settled" not in (await housekeeping.run("sweep", Budget(AMPLE)))["sweep"]


async def test_metrics_name_models_of_the_catalogue_alone(
    housekeeping: HousekeepingService, database: Database, admin_connection: Connection, tenant: Principal
) -> None:
    ledger = LedgerService(database)
    asked = ["compatible/acme-secret", "compatible/acme-secret-2", "nobody/x", "local/tesseract", "openai/gpt-4o-mini"]
    for model in asked:
        call = spend(5, model=model)
        await ledger.reserve(tenant, call)
        await ledger.settle(tenant, call.id, settlement(5, model=model))
    for model in asked[0], asked[-1]:
        await ledger.reserve(tenant, spend(7, model=model))
    await admin_connection.execute("UPDATE atrium.ledger_reservations SET due_at = due_at - interval '25 hours'")
    await housekeeping.run("sweep", Budget(AMPLE))
    figures = {(row["provider"], row["model"]): row["calls"] for row in await repository.usage_figures(database)}
    assert figures == {
        ("compatible", "compatible/other"): 3, ("other", "other/other"): 1,
        ("local", "local/tesseract"): 1, ("openai", "openai/gpt-4o-mini"): 2,
    }  # fmt: skip
    rows = await (await admin_connection.execute("SELECT DISTINCT model FROM atrium.ledger_entries")).fetchall()
    assert {row["model"] for row in rows} == set(asked)


async def test_each_sweep_tells_what_came_since_the_one_before(
    housekeeping: HousekeepingService, database: Database, tenant: Principal, caplog: pytest.LogCaptureFixture
) -> None:
    async def told() -> list[tuple[str, int, float]]:
        caplog.clear()
        with caplog.at_level(logging.INFO):
            await asyncio.gather(*(housekeeping.run("sweep", Budget(AMPLE)) for _ in range(2)))
        lines = [vars(each) for each in caplog.records if each.message == "usage"]
        return [(line["model"], line["calls"], line["cost_usd"]) for line in lines]

    await used(database, tenant, 1_500_000_000)
    assert await told() == [("openai/gpt-4o-mini", 1, 1.5)]
    assert await told() == []
    await used(database, tenant, 1)
    await used(database, tenant, 2)
    assert await told() == [("openai/gpt-4o-mini", 2, 0.000000003)]


async def test_counters_stay_when_days_are_folded_and_tenants_go(
    housekeeping: HousekeepingService,
    database: Database,
    admin_connection: Connection,
    tenant: Principal,
    other_tenant: Principal,
) -> None:
    await used(database, tenant, 1_000_000_000)
    await admin_connection.execute("UPDATE atrium.usage_daily SET day = day - 40")
    await used(database, tenant, 2)
    await used(database, other_tenant, 500_000_000)
    before = await counters(database)
    assert before == {
        "atrium_metered_calls_open calling": 0, "atrium_metered_calls_open unknown": 0, "atrium_usage_calls_total": 3,
        "atrium_usage_tokens_total input": 30, "atrium_usage_tokens_total output": 15, "atrium_usage_tokens_total cached": 0,
        "atrium_usage_cost_dollars_total": 1.500000002,
    }  # fmt: skip

    assert (await housekeeping.run("expire", Budget(AMPLE)))["expire"]["usage_daily"] == 1
    assert await counters(database) == before

    async with database.transaction(other_tenant) as tx:
        await tx.fetch_all("SELECT atrium.erase_tenant('Second', 'user', 'r')")
    assert await counters(database) == before
