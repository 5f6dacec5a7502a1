"""Arrivals come twice, late, out of order, for what was deleted and for what never was; each ends in the same state."""

import json
from typing import Any

import psycopg
import pytest

from atrium.documents.ingestion.arrivals import ObjectCreated, Receipt
from atrium.documents.ingestion.deliveries import receive_batch
from atrium.documents.models import Document, DocumentFilter, Status
from atrium.kernel.errors import Unavailable
from atrium.kernel.ids import new_id
from atrium.kernel.principal import Principal
from tests.factories.documents import World, event

Connection = psycopg.AsyncConnection[dict[str, Any]]
TENANT_IN_EVENTS = "0199f3a2-7c1e-7b2a-9a7e-3c5d1f0b2a11"
DOCUMENT_IN_EVENTS = "0199f3a3-0d4f-7c55-8b1c-6f2e9a7d4c22"


async def documents_of(world: World, principal: Principal) -> list[Document]:
    return await world.documents.list_page(principal, DocumentFilter())


async def served(world: World, principal: Principal) -> list[str]:
    """The texts that search would find."""
    documents = await documents_of(world, principal)
    return [chunk.text for document in documents for chunk in await world.documents.chunks(principal, document.id)]


async def test_a_message_that_comes_again_starts_nothing_again(world: World, tenant: Principal) -> None:
    arrival = await world.drop(tenant, "a.txt", b"The first text.")
    assert await world.receive(arrival) is Receipt.STARTED
    assert await world.receive(arrival) is Receipt.STARTED
    (document,) = await documents_of(world, tenant)
    assert list(world.workflow.started) == [f"{document.id}-1-1"]
    assert world.workflow.started[f"{document.id}-1-1"] == {
        "tenant_id": str(tenant.tenant_id), "document_id": str(document.id), "version": 1, "attempt": 1,
    }  # fmt: skip

    await world.run(f"{document.id}-1-1")
    assert await world.receive(arrival) is Receipt.UNCHANGED


async def test_a_message_that_comes_again_does_not_read_the_file_again(world: World, tenant: Principal) -> None:
    arrival = await world.drop(tenant, "a.txt", b"The first text.")
    await world.receive(arrival)
    world.storage.before_get = lambda: pytest.fail("the object was read")
    assert await world.receive(arrival) is Receipt.STARTED


async def test_a_row_whose_execution_was_never_started_gets_it_when_the_message_comes_again(
    world: World, tenant: Principal
) -> None:
    arrival = await world.drop(tenant, "a.txt", b"The first text.")
    world.workflow.down = True
    with pytest.raises(Unavailable):
        await world.receive(arrival)
    world.workflow.down = False

    assert await world.ingest(arrival) is Receipt.STARTED
    assert await served(world, tenant) == ["The first text."]


async def test_the_last_write_wins_whatever_the_order_of_arrivals(world: World, tenant: Principal) -> None:
    writes = [await world.drop(tenant, "a.txt", f"Text number {n}.".encode()) for n in range(3)]
    assert await world.ingest(writes[2]) is Receipt.STARTED
    assert await world.ingest(writes[0]) is Receipt.STALE
    assert await world.ingest(writes[1]) is Receipt.STALE

    (document,) = await documents_of(world, tenant)
    assert document.latest_version == 1
    assert await served(world, tenant) == ["Text number 2."]


async def test_each_later_write_is_a_version(world: World, tenant: Principal) -> None:
    for n in range(3):
        assert await world.ingest(await world.drop(tenant, "a.txt", f"Text number {n}.".encode())) is Receipt.STARTED
    (document,) = await documents_of(world, tenant)
    assert (document.latest_version, document.ready_version) == (3, 3)
    assert await served(world, tenant) == ["Text number 2."]


async def test_a_version_reads_the_write_that_it_stands_for(world: World, tenant: Principal) -> None:
    await world.receive(await world.drop(tenant, "a.txt", b"The first text."))
    await world.drop(tenant, "a.txt", b"The second text, whose arrival is late.")
    (execution,) = world.workflow.started
    await world.run(execution)
    assert await served(world, tenant) == ["The first text."]


async def test_the_same_bytes_again_change_nothing_and_older_writes_stay_old(world: World, tenant: Principal) -> None:
    first = await world.drop(tenant, "a.txt", b"Stays.")
    between = await world.drop(tenant, "a.txt", b"Was there between.")
    last = await world.drop(tenant, "a.txt", b"Stays.")
    await world.ingest(first)
    assert await world.ingest(last) is Receipt.UNCHANGED
    assert await world.ingest(between) is Receipt.STALE
    (document,) = await documents_of(world, tenant)
    assert document.latest_version == 1
    assert await served(world, tenant) == ["Stays."]


async def test_the_same_bytes_after_a_failure_are_tried_again(world: World, tenant: Principal) -> None:
    await world.ingest(await world.drop(tenant, "a.txt", b" "))
    assert await world.ingest(await world.drop(tenant, "a.txt", b" ")) is Receipt.STARTED
    (document,) = await documents_of(world, tenant)
    assert (document.latest_version, document.version.error_type) == (2, "empty-text")


async def test_an_uploads_arrival_waits_for_its_row(world: World, tenant: Principal) -> None:
    key = f"uploads/{tenant.tenant_id}/{new_id()}/1/a.txt"
    await world.storage.put(key, b"Too early.", content_type="text/plain")
    with pytest.raises(Unavailable):
        await world.receive(world.arrival(key))


async def test_what_arrives_for_a_tombstone_is_removed(world: World, tenant: Principal) -> None:
    document = await world.upload(tenant, "a.txt", "Deleted before it was read.")
    arrival = world.arrival(document.version.object_key)
    await world.documents.delete(tenant, document.id)
    await world.storage.put(arrival.key, b"A put that took its time.", content_type="text/plain")

    assert await world.receive(world.arrival(arrival.key)) is Receipt.GONE
    assert world.storage.objects == {}
    assert world.workflow.started == {}


async def test_a_dropped_files_late_arrival_does_not_bring_back_what_was_deleted(world: World, tenant: Principal) -> None:
    arrival = await world.drop(tenant, "a.txt", b"The first text.")
    await world.ingest(arrival)
    (document,) = await documents_of(world, tenant)
    await world.documents.delete(tenant, document.id)

    assert await world.receive(arrival) is Receipt.GONE
    assert await documents_of(world, tenant) == []


async def test_nor_does_it_while_the_object_could_not_be_removed(world: World, tenant: Principal) -> None:
    older = await world.drop(tenant, "a.txt", b"The first text.")
    arrival = await world.drop(tenant, "a.txt", b"The second text.")
    await world.ingest(arrival)
    (document,) = await documents_of(world, tenant)
    world.storage.down = True
    with pytest.raises(Unavailable):
        await world.documents.delete(tenant, document.id)
    world.storage.down = False

    assert await world.receive(arrival) is Receipt.STALE
    assert await world.receive(older) is Receipt.STALE
    assert await documents_of(world, tenant) == []
    await world.documents.delete(tenant, document.id)
    assert world.storage.objects == {}


async def test_a_file_dropped_again_after_the_deletion_is_a_new_document(world: World, tenant: Principal) -> None:
    await world.ingest(await world.drop(tenant, "contracts/a.txt", b"The first text."))
    (old,) = await documents_of(world, tenant)
    await world.documents.delete(tenant, old.id)
    await world.ingest(await world.drop(tenant, "contracts/a.txt", b"The first text."))

    (new,) = await documents_of(world, tenant)
    assert (new.id != old.id, new.latest_version, new.version.status) == (True, 1, Status.READY)
    # Deleting the old one once more leaves the new one's file alone.
    await world.documents.delete(tenant, old.id)
    assert world.keys("drop/") == [f"drop/{tenant.tenant_id}/contracts/a.txt"]
    assert await served(world, tenant) == ["The first text."]


async def test_a_file_over_the_limit_is_refused_without_being_read(
    world: World, tenant: Principal, admin_connection: Connection
) -> None:
    arrival = await world.drop(tenant, "big.txt", b"x" * (1024 * 1024 + 1))
    world.storage.before_get = lambda: pytest.fail("the object was read")

    assert await world.receive(arrival) is Receipt.REFUSED
    assert await world.receive(arrival) is Receipt.UNCHANGED

    (document,) = await documents_of(world, tenant)
    assert (document.version.status, document.version.error_type) == (Status.FAILED, "too-large")
    assert "1,048,576 bytes" in (document.version.error_detail or "")
    assert world.workflow.started == {}
    events = await (await admin_connection.execute("SELECT type FROM atrium.outbox")).fetchall()
    assert [row["type"] for row in events] == ["document.failed"]


async def test_what_can_never_become_a_document_is_rejected_and_audited(
    world: World, tenant: Principal, admin_connection: Connection
) -> None:
    rejected = [
        f"drop/{tenant.tenant_id}/Bad Folder!/a.txt",
        f"drop/{tenant.tenant_id}/{'x' * 65}/a.txt",
        f"drop/{tenant.tenant_id}/contracts/\u202e",
        f"uploads/{tenant.tenant_id}/not-an-id/1/a.txt",
        f"uploads/{tenant.tenant_id}/{new_id()}/one/a.txt",
    ]
    for key in [*rejected, "drop/acme/a.txt", f"drop/{new_id()}/a.txt", f"drop/{str(tenant.tenant_id).upper()}/a.txt"]:
        await world.storage.put(key, b"text", content_type="text/plain")
        assert await world.receive(world.arrival(key)) is Receipt.REJECTED, key

    audited = await (await admin_connection.execute("SELECT target, action, actor FROM atrium.audit_log ORDER BY id")).fetchall()
    assert [row["target"] for row in audited] == rejected
    assert {row["action"] for row in audited} == {"document.rejected"}
    assert await documents_of(world, tenant) == []


@pytest.mark.parametrize("key", ["drop/{}/contracts/", "drop/{}/", "work/{}/x", "text/{}/x.txt", "elsewhere.txt"])
async def test_keys_that_are_not_ours_are_passed_over(world: World, tenant: Principal, key: str) -> None:
    assert await world.receive(ObjectCreated(key.format(tenant.tenant_id), "v1", "1")) is Receipt.IGNORED


async def test_a_tenants_folder_gives_documents_to_that_tenant_alone(
    world: World, tenant: Principal, other_tenant: Principal
) -> None:
    await world.ingest(await world.drop(tenant, "a.txt", b"For the first."))
    await world.ingest(await world.drop(other_tenant, "a.txt", b"For the second."))
    assert await served(world, tenant) == ["For the first."]
    assert await served(world, other_tenant) == ["For the second."]


def with_tenant(name: str, principal: Principal, document: Document | None = None) -> dict[str, Any]:
    """A stored event for a tenant and document of this test."""
    text = json.dumps(event(name)).replace(TENANT_IN_EVENTS, str(principal.tenant_id))
    loaded: dict[str, Any] = json.loads(text.replace(DOCUMENT_IN_EVENTS, str(document.id)) if document else text)
    return loaded


async def put_objects(world: World, batch: dict[str, Any], data: bytes) -> None:
    """Put what a stored event is about, under the version that it names."""
    for record in batch["Records"]:
        if record["body"].startswith('{"'):
            thing = json.loads(record["body"])["detail"]["object"]
            await world.storage.put(thing["key"], data, content_type="text/plain")
            stored, _ = world.storage.objects[thing["key"]][-1]
            world.storage.objects[thing["key"]] = [
                (type(stored)(stored.key, stored.size, thing["version-id"], "text/plain"), data)
            ]


async def test_a_drops_message_as_the_queue_brings_it(world: World, tenant: Principal) -> None:
    batch = with_tenant("ingest/drop", tenant)
    await put_objects(world, batch, b"A plus and a per cent sign in the name.")

    assert await receive_batch(world.receiving, batch) == {"batchItemFailures": []}

    (document,) = await documents_of(world, tenant)
    assert (document.collection, document.name) == ("contracts", "2026/Über + 50% & more.txt")


async def test_only_the_messages_that_failed_come_again(world: World, tenant: Principal) -> None:
    batch = with_tenant("ingest/mixed", tenant)
    await put_objects(world, batch, b"The good one.")
    broken, _, rowless = [record["messageId"] for record in batch["Records"]]

    failures = (await receive_batch(world.receiving, batch))["batchItemFailures"]

    assert failures == [{"itemIdentifier": broken}, {"itemIdentifier": rowless}]
    assert [document.name for document in await documents_of(world, tenant)] == ["notes.txt"]


async def test_rejected_messages_are_done_with(world: World, tenant: Principal) -> None:
    batch = with_tenant("ingest/rejected", tenant)
    assert await receive_batch(world.receiving, batch) == {"batchItemFailures": []}
    assert await documents_of(world, tenant) == []


async def test_an_uploads_message_as_the_queue_brings_it(world: World, tenant: Principal) -> None:
    document = await world.upload(tenant, "handbook.pdf", "%PDF-1.7 not really", content_type="application/pdf")
    batch = with_tenant("ingest/upload", tenant, document)
    await put_objects(world, batch, b"%PDF-1.7 not really")

    assert await receive_batch(world.receiving, batch) == {"batchItemFailures": []}
    assert list(world.workflow.started) == [f"{document.id}-1-1"]
