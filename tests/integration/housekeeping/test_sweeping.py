"""What was killed, lost or forgotten is found and mended; what is all right is left alone."""

import asyncio
from typing import Any

import psycopg
import pytest

from atrium.documents.models import DocumentFilter, Status
from atrium.housekeeping.service import HousekeepingService
from atrium.kernel.budget import Budget
from atrium.kernel.errors import InvalidInput, Unavailable
from atrium.kernel.principal import Principal
from tests.factories.documents import World

Connection = psycopg.AsyncConnection[dict[str, Any]]
AMPLE = 30.0


async def swept(housekeeping: HousekeepingService) -> dict[str, int]:
    report = await housekeeping.run("sweep", Budget(AMPLE))
    return {outcome: count for outcome, count in report["sweep"].items() if count}


async def age(connection: Connection, *, deleted: bool = False) -> None:
    """As if everything had happened an hour ago."""
    await connection.execute("UPDATE atrium.document_versions SET updated_at = now() - interval '1 hour', started_at = NULL")
    if deleted:
        await connection.execute("UPDATE atrium.documents SET deleted_at = deleted_at - interval '1 hour'")


async def started(world: World, principal: Principal, name: str = "a.txt") -> str:
    """An uploaded document whose execution was started; the execution's name."""
    document = await world.upload(principal, name, f"Bridges of {name} are built of steel.")
    before = set(world.workflow.started)
    await world.receive(world.arrival(document.version.object_key))
    (execution,) = set(world.workflow.started) - before
    return execution


async def test_a_document_whose_worker_was_killed_becomes_ready(
    housekeeping: HousekeepingService, world: World, admin_connection: Connection, tenant: Principal, other_tenant: Principal
) -> None:
    lost = await started(world, tenant)
    await world.step(world.workflow.started[lost], "inspect")
    going_on = await started(world, other_tenant)
    await admin_connection.execute(
        "UPDATE atrium.document_versions SET updated_at = now() - interval '1 hour' WHERE tenant_id = %s", [tenant.tenant_id]
    )
    assert await swept(housekeeping) == {"revived": 1, "started": 1}
    (again,) = set(world.workflow.started) - {lost, going_on}
    assert await world.run(again) == "SUCCEEDED"
    assert await swept(housekeeping) == {}


async def test_nobody_is_tried_for_ever(
    housekeeping: HousekeepingService, world: World, admin_connection: Connection, tenant: Principal
) -> None:
    await started(world, tenant)
    for _ in range(6):
        await age(admin_connection)
        await swept(housekeeping)
    (document,) = (await world.documents.list_page(tenant, DocumentFilter()))[:1]
    assert (document.version.status, document.version.error_type) == (Status.FAILED, "internal")
    assert document.version.attempts == 5


async def test_what_a_deleted_document_left_is_removed_once(
    housekeeping: HousekeepingService, world: World, admin_connection: Connection, tenant: Principal
) -> None:
    document = await world.ready(tenant, "a.txt", "Bridges are built of steel.")
    world.storage.down = True
    with pytest.raises(Unavailable):
        await world.documents.delete(tenant, document.id)
    world.storage.down = False
    assert world.keys("") != []
    assert await swept(housekeeping) == {}, "it may still be being removed"
    await age(admin_connection, deleted=True)
    assert await swept(housekeeping) == {"emptied": 1}
    assert world.keys("") == []
    assert await swept(housekeeping) == {}


async def test_finished_versions_leave_no_work_and_failed_ones_keep_it(
    housekeeping: HousekeepingService, world: World, tenant: Principal
) -> None:
    ready = await world.ready(tenant, "a.txt", "Bridges are built of steel.")
    waiting = await started(world, tenant, "b.txt")
    await world.step(world.workflow.started[waiting], "inspect")
    await world.step(world.workflow.started[waiting], "extract")
    left = f"work/{tenant.tenant_id}/{ready.id}/1/batch-00000.json"
    for key in (left, "work/strange", "work/not/a/version/of/ours"):
        await world.storage.put(key, b"{}", content_type="application/json")
    kept = [key for key in world.keys("work/") if key != left]
    assert await swept(housekeeping) == {"tidied": 1}
    assert world.keys("work/") == kept
    assert len(kept) > 2


async def test_one_tenants_trouble_is_not_anothers(
    housekeeping: HousekeepingService, world: World, admin_connection: Connection, tenant: Principal, other_tenant: Principal
) -> None:
    for each in (tenant, other_tenant):
        await started(world, each)
    await age(admin_connection)
    world.workflow.down = True
    assert (await swept(housekeeping))["failed"] == 2
    world.workflow.down = False
    await admin_connection.execute("UPDATE atrium.document_versions SET started_at = started_at - interval '1 minute'")
    assert await swept(housekeeping) == {"started": 2}


async def test_two_sweeps_at_once_start_an_attempt_once(
    housekeeping: HousekeepingService, world: World, admin_connection: Connection, tenant: Principal
) -> None:
    lost = await started(world, tenant)
    await age(admin_connection)
    await asyncio.gather(swept(housekeeping), swept(housekeeping))
    (again,) = set(world.workflow.started) - {lost}
    assert again.endswith("-2")


async def test_a_tenant_whose_unfinished_documents_are_deleted_has_nothing_unfinished(
    housekeeping: HousekeepingService, world: World, admin_connection: Connection, tenant: Principal
) -> None:
    document = await world.upload(tenant, "a.txt", "Bridges are built of steel.")
    await world.documents.delete(tenant, document.id)
    await age(admin_connection)
    assert (await housekeeping.run("sweep", Budget(0)))["sweep"] == {}


async def test_what_there_is_no_time_for_is_left_to_the_next_run(
    housekeeping: HousekeepingService, world: World, admin_connection: Connection, tenant: Principal
) -> None:
    await started(world, tenant)
    await age(admin_connection)
    assert (await housekeeping.run("sweep", Budget(0)))["sweep"] == {"left": 1}
    assert await swept(housekeeping) == {"revived": 1, "started": 1}


async def test_erasures_that_were_cut_off_are_ended(
    housekeeping: HousekeepingService, world: World, admin_connection: Connection, tenant: Principal, other_tenant: Principal
) -> None:
    for each in (tenant, other_tenant):
        await world.ready(each, "a.txt", "Bridges are built of steel.")
    async with world.database.transaction(tenant) as tx:
        await tx.fetch_one("SELECT atrium.erase_tenant('First', 'user', '')")
    assert (await housekeeping.run("erase", Budget(AMPLE)))["erase"] == {"emptied": 1, "finished": 0, "left": 0}
    assert {key.split("/")[1] for key in world.keys("")} == {str(other_tenant.tenant_id)}
    await admin_connection.execute("UPDATE atrium.erasures SET requested_at = now() - interval '5 hours'")
    assert (await housekeeping.run("erase", Budget(AMPLE)))["erase"] == {"emptied": 0, "finished": 1, "left": 0}
    assert (await housekeeping.run("erase", Budget(AMPLE)))["erase"] == {"emptied": 0, "finished": 0, "left": 0}


async def test_a_task_is_named_or_all_are_run(housekeeping: HousekeepingService) -> None:
    assert set(await housekeeping.run("all", Budget(AMPLE))) == {"expire", "seal", "sweep", "erase"}
    with pytest.raises(InvalidInput, match="sweep"):
        await housekeeping.run("tidy", Budget(AMPLE))
