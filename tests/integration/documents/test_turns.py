"""At most so many of a tenant's documents at once; the others wait, in order, and nobody else does."""

from typing import Any

import psycopg
import pytest

from atrium.db import Database
from atrium.documents.ingestion.arrivals import Receipt
from atrium.documents.ingestion.attempts import MOST_ATTEMPTS
from atrium.documents.models import DocumentFilter, Status
from atrium.kernel.errors import Unavailable
from atrium.kernel.principal import Principal
from atrium.kernel.settings import Settings
from tests.factories.documents import World

Connection = psycopg.AsyncConnection[dict[str, Any]]


@pytest.fixture
def world(settings: Settings, database: Database) -> World:
    """A deployment that processes two documents of a tenant at once."""
    return World(settings, database, ingest_in_flight=2)


async def drop(world: World, tenant: Principal, numbers: range) -> list[Receipt]:
    return [await world.receive(await world.drop(tenant, f"{n}.txt", f"Text number {n}.".encode())) for n in numbers]


async def names(world: World, tenant: Principal) -> dict[str, str]:
    """Document's id to its name."""
    found = await world.documents.list_page(tenant, DocumentFilter(), limit=300)
    return {str(document.id): document.name for document in found}


async def started(world: World, tenant: Principal) -> list[str]:
    """The names of the documents whose executions were started, in that order."""
    known = await names(world, tenant)
    ids = [str(payload["document_id"]) for payload in world.workflow.started.values()]
    return [known[each] for each in ids if each in known]


async def test_one_tenants_flood_holds_up_nobody_else(
    settings: Settings, database: Database, tenant: Principal, other_tenant: Principal
) -> None:
    world = World(settings, database)
    receipts = await drop(world, tenant, range(200))
    assert receipts == [Receipt.STARTED] * settings.ingest_in_flight + [Receipt.WAITING] * (200 - settings.ingest_in_flight)

    assert await world.receive(await world.drop(other_tenant, "one.txt", b"The only one.")) is Receipt.STARTED

    assert len(await started(world, tenant)) == settings.ingest_in_flight == 16
    assert await started(world, other_tenant) == ["one.txt"]


async def test_who_ends_makes_room_for_the_one_that_waits_longest(world: World, tenant: Principal) -> None:
    assert await drop(world, tenant, range(5)) == [Receipt.STARTED, Receipt.STARTED, *[Receipt.WAITING] * 3]
    waiting = await world.documents.list_page(tenant, DocumentFilter(name="4.txt"))
    assert (waiting[0].version.status, waiting[0].version.waiting, waiting[0].version.attempts) == (Status.PENDING, True, 0)

    for n in range(5):
        execution = list(world.workflow.started)[n]
        assert await world.run(execution) == "SUCCEEDED"
        assert await started(world, tenant) == [f"{each}.txt" for each in range(min(5, n + 3))]
    assert {document.version.attempts for document in await world.documents.list_page(tenant, DocumentFilter())} == {1}


async def test_a_failure_makes_room_too_and_so_does_a_deletion(world: World, tenant: Principal) -> None:
    await world.receive(await world.drop(tenant, "empty.txt", b" "))
    await drop(world, tenant, range(3))
    first, second = list(world.workflow.started)
    assert await world.run(first) == "FAILED"
    assert await started(world, tenant) == ["empty.txt", "0.txt", "1.txt"]

    (deleted,) = await world.documents.list_page(tenant, DocumentFilter(name="0.txt"))
    await world.documents.delete(tenant, deleted.id)
    assert await world.run(second) == "SUCCEEDED"  # it ends quietly, and looks who is next
    assert (await started(world, tenant))[-1] == "2.txt"


async def test_a_message_that_comes_again_keeps_its_place(world: World, tenant: Principal) -> None:
    await drop(world, tenant, range(2))
    waiting = await world.drop(tenant, "a.txt", b"Waits.")
    assert await world.receive(waiting) is Receipt.WAITING
    assert await world.receive(await world.drop(tenant, "b.txt", b"Waits behind it.")) is Receipt.WAITING
    assert await world.receive(waiting) is Receipt.WAITING
    await world.run(next(iter(world.workflow.started)))
    assert await started(world, tenant) == ["0.txt", "1.txt", "a.txt"]
    assert await world.receive(waiting) is Receipt.STARTED
    assert len(world.workflow.started) == 3


async def test_what_was_killed_before_it_was_started_is_found_by_the_sweep(world: World, tenant: Principal) -> None:
    await drop(world, tenant, range(4))
    first = next(iter(world.workflow.started))
    payload = world.workflow.started[first]
    for step in ("inspect", "extract", "chunk"):
        await world.step(payload, step)
    await world.step(payload, "embed", batch=0)
    world.workflow.down = True
    with pytest.raises(Unavailable):
        await world.step(payload, "publish")
    world.workflow.down = False
    assert await started(world, tenant) == ["0.txt", "1.txt"]  # the third had its turn, and nobody started it

    assert await world.upkeep.start_waiting(tenant.tenant_id) == 0  # it may be on its way
    assert await world.upkeep.start_waiting(tenant.tenant_id, idle=0) == 2  # it, and the second, which has not begun either
    assert await started(world, tenant) == ["0.txt", "1.txt", "2.txt"]


async def test_an_execution_that_ended_without_a_word_is_followed_by_another(world: World, tenant: Principal) -> None:
    await drop(world, tenant, range(1))
    (execution,) = world.workflow.started
    world.workflow.ended.add(execution)  # stopped by hand before its first step
    await world.upkeep.start_waiting(tenant.tenant_id, idle=0)
    await world.upkeep.start_waiting(tenant.tenant_id)
    first, second = world.workflow.started
    assert (first, second) == (execution, execution[:-1] + "2")
    assert await world.run(second) == "SUCCEEDED"


async def test_what_nothing_works_on_takes_no_room_and_gets_another_attempt_and_in_the_end_a_verdict(
    world: World, tenant: Principal, admin_connection: Connection
) -> None:
    await drop(world, tenant, range(3))
    for payload in list(world.workflow.started.values()):
        await world.step(payload, "inspect")
    for _ in range(MOST_ATTEMPTS):
        await admin_connection.execute(
            "UPDATE atrium.document_versions SET updated_at = now() - interval '31 minutes' WHERE status = 'processing'"
        )
        assert await world.upkeep.revive_stuck(tenant.tenant_id) in {1, 2}
        await world.upkeep.start_waiting(tenant.tenant_id)
        for payload in list(world.workflow.started.values()):
            await world.step(payload, "inspect")
    found = {each.name: each.version for each in await world.documents.list_page(tenant, DocumentFilter())}
    assert (found["0.txt"].status, found["0.txt"].error_type, found["0.txt"].attempts) == (
        Status.FAILED,
        "internal",
        MOST_ATTEMPTS,
    )
    assert await world.upkeep.revive_stuck(tenant.tenant_id) == 0
