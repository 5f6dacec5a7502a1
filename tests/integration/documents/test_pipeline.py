"""A file's way from the bucket to chunks that can be searched, and every way in which it can end elsewhere."""

from typing import Any

import psycopg
import pytest

from atrium.documents.ingestion.arrivals import Receipt
from atrium.documents.ingestion.batches import vectors_key
from atrium.documents.ingestion.steps import Step
from atrium.documents.ingestion.work import Work
from atrium.documents.models import STUCK_SECONDS, Document, DocumentFilter, Stage, Status
from atrium.documents.reprocessing import Again
from atrium.kernel.errors import Conflict, IngestionFailed, NotFound, ProviderUnavailable, Unavailable
from atrium.kernel.ids import chunk_id, new_id
from atrium.kernel.principal import Principal
from atrium.retrieval.store import IndexedChunk
from tests.factories.documents import World

Connection = psycopg.AsyncConnection[dict[str, Any]]

PARAGRAPHS = [
    f"Paragraph {n} says that the lease of unit {n} ends after {n + 1} years, unless it is renewed in time." for n in range(60)
]
TEXT = "# The lease\n\n" + "\n\n".join(PARAGRAPHS)


async def chunks_of(world: World, principal: Principal, document: Document) -> list[IndexedChunk]:
    return await world.documents.chunks(principal, document.id, limit=1000)


async def outbox(connection: Connection) -> list[str]:
    rows = await (await connection.execute("SELECT type FROM atrium.outbox ORDER BY id")).fetchall()
    return [row["type"] for row in rows]


async def test_an_upload_becomes_chunks_that_are_spans_of_the_stored_text(world: World, tenant: Principal) -> None:
    document = await world.upload(tenant, "lease.md", TEXT, content_type="text/markdown")
    assert document.version.status is Status.PENDING

    assert await world.ingest(world.arrival(document.version.object_key)) is Receipt.STARTED

    done = await world.documents.get(tenant, document.id)
    assert (done.version.status, done.version.stage, done.version.progress) == (Status.READY, None, 1)
    assert (done.ready_version, done.version.language, done.version.attempts) == (1, "en", 1)
    chunks = await chunks_of(world, tenant, done)
    assert len(chunks) == done.version.chunk_count
    assert len(chunks) > 1
    stored = world.storage.objects[f"text/{tenant.tenant_id}/{document.id}/1.txt"][0][1].decode()
    assert len(stored) == done.version.characters
    for ordinal, chunk in enumerate(chunks):
        assert chunk.id == chunk_id(document.id, 1, ordinal)
        assert chunk.text == stored[chunk.char_start : chunk.char_end]
    assert " ".join(chunk.text for chunk in chunks).split() == stored.split()
    assert world.keys("work/") == []
    assert world.parts.payers[-1] == tenant.subject, "its vectors are paid for by who sent it"


async def test_a_dropped_file_becomes_a_document_of_its_folders_collection(world: World, tenant: Principal) -> None:
    await world.ingest(await world.drop(tenant, "contracts/2026/Über + 50% & more.txt", TEXT.encode()))
    await world.ingest(await world.drop(tenant, "loose.md", TEXT.encode()))

    loose, nested = await world.documents.list_page(tenant, DocumentFilter())
    assert (nested.collection, nested.name) == ("contracts", "2026/Über + 50% & more.txt")
    assert (loose.collection, loose.name, loose.version.content_type) == ("default", "loose.md", "text/markdown")
    assert {nested.version.status, loose.version.status} == {Status.READY}


async def test_a_new_version_is_served_only_once_it_is_ready(world: World, tenant: Principal) -> None:
    first = await world.ready(tenant, "lease.txt", TEXT)
    second = await world.upload(tenant, "lease.txt", "Everything was settled anew in a single sentence.")
    assert (second.id, second.version.number, second.ready_version) == (first.id, 2, 1)
    assert {chunk.version for chunk in await chunks_of(world, tenant, first)} == {1}

    await world.ingest(world.arrival(second.version.object_key))

    (only,) = await chunks_of(world, tenant, first)
    assert (only.version, only.text) == (2, "Everything was settled anew in a single sentence.")
    assert (await world.documents.get(tenant, first.id)).ready_version == 2


async def test_a_version_that_fails_leaves_the_old_one_served(
    world: World, tenant: Principal, admin_connection: Connection
) -> None:
    first = await world.ready(tenant, "lease.txt", TEXT)
    second = await world.upload(tenant, "lease.txt", "   \n\t  ")
    await world.ingest(world.arrival(second.version.object_key))

    document = await world.documents.get(tenant, first.id)
    assert (document.version.status, document.version.error_type, document.ready_version) == (Status.FAILED, "empty-text", 1)
    assert document.version.stage is Stage.EXTRACTING
    assert len(await chunks_of(world, tenant, document)) == first.version.chunk_count
    assert await outbox(admin_connection) == ["document.ready", "document.failed"]


async def test_a_version_overtaken_by_a_newer_one_ends_quietly(
    world: World, tenant: Principal, admin_connection: Connection
) -> None:
    first = await world.upload(tenant, "lease.txt", TEXT)
    await world.receive(world.arrival(first.version.object_key))
    (slow,) = world.workflow.started
    await world.ready(tenant, "lease.txt", "The newer one is ready first.")

    assert await world.run(slow) == "SUCCEEDED"

    assert [chunk.version for chunk in await chunks_of(world, tenant, first)] == [2]
    rows = await (await admin_connection.execute("SELECT version, status, error_type FROM atrium.document_versions")).fetchall()
    assert {(row["version"], row["status"], row["error_type"]) for row in rows} == {
        (1, "failed", "superseded"),
        (2, "ready", None),
    }
    assert await outbox(admin_connection) == ["document.ready"]
    assert world.keys("work/") == []


async def test_publishing_decides_under_the_documents_lock(world: World, tenant: Principal) -> None:
    """Overtaken between the step's begin and its transaction, as late as it can be."""
    first = await world.upload(tenant, "lease.txt", TEXT)
    await world.receive(world.arrival(first.version.object_key))
    (slow,) = world.workflow.started
    payload = world.workflow.started[slow]
    await world.step(payload, "inspect")
    await world.step(payload, "extract")
    for batch in (await world.step(payload, "chunk"))["batches"]:
        await world.step(payload, "embed", batch=batch)
    world.storage.before_get = lambda: world.ready(tenant, "lease.txt", "The newer one is ready first.")

    assert await world.step(payload, "publish") == {"published": False}
    assert [chunk.version for chunk in await chunks_of(world, tenant, first)] == [2]


@pytest.mark.parametrize("after", ["inspect", "extract", "chunk", "embed"])
async def test_a_document_deleted_on_the_way_stays_deleted(
    world: World, tenant: Principal, admin_connection: Connection, after: str
) -> None:
    document = await world.upload(tenant, "lease.txt", TEXT)
    await world.receive(world.arrival(document.version.object_key))
    (execution,) = world.workflow.started
    payload = world.workflow.started[execution]
    for step in ("inspect", "extract", "chunk", "embed"):
        await world.step(payload, step, batch=0)
        if step == after:
            await world.documents.delete(tenant, document.id)

    assert await world.run(execution) == "SUCCEEDED"

    with pytest.raises(NotFound):
        await world.documents.get(tenant, document.id)
    assert world.storage.objects == {}
    assert await outbox(admin_connection) == ["document.deleted"]
    assert (await (await admin_connection.execute("SELECT count(*) AS n FROM atrium.chunks")).fetchone()) == {"n": 0}


@pytest.mark.parametrize("step", ["extract", "chunk", "embed"])
async def test_what_a_step_writes_after_the_deletion_is_removed_by_it(world: World, tenant: Principal, step: str) -> None:
    document = await world.upload(tenant, "lease.txt", TEXT)
    await world.receive(world.arrival(document.version.object_key))
    (payload,) = world.workflow.started.values()
    for before in ("inspect", "extract", "chunk", "embed"):
        if before == step:
            break
        await world.step(payload, before)
    world.storage.before_put = lambda: world.documents.delete(tenant, document.id)

    await world.step(payload, step, batch=0)

    assert world.storage.objects == {}


async def test_a_failure_in_the_middle_resumes_at_the_failed_batch(world: World, tenant: Principal) -> None:
    long = "\n\n".join(
        f"Section {n} of the long lease says what it says in {n} words and nothing else at all." * 6 for n in range(200)
    )
    document = await world.upload(tenant, "long.txt", long)
    await world.receive(world.arrival(document.version.object_key))
    (first,) = world.workflow.started
    world.model.fail_at(3, ProviderUnavailable("the model is away"))

    assert await world.run(first) == "FAILED"

    failed = await world.documents.get(tenant, document.id)
    assert (failed.version.status, failed.version.stage, failed.version.error_type) == (
        Status.FAILED, Stage.EMBEDDING, "embedding-unavailable",
    )  # fmt: skip
    made = world.model.calls - 1
    assert (await world.reprocessing.reprocess(tenant, document.id, Again())).version.attempts == 2
    pending = await world.documents.get(tenant, document.id)
    assert (pending.version.status, pending.version.error_type, pending.version.attempts) == (Status.PENDING, None, 2)
    assert await world.run(f"{document.id}-1-2") == "SUCCEEDED"

    done = await world.documents.get(tenant, document.id)
    batches = -(-(done.version.chunk_count or 0) // 64)
    assert (done.version.status, batches > 3) == (Status.READY, True)
    assert world.model.calls == made + 1 + batches - made


async def test_an_attempt_that_was_given_up_cannot_fail_the_next(world: World, tenant: Principal) -> None:
    document = await world.upload(tenant, "lease.txt", TEXT)
    await world.receive(world.arrival(document.version.object_key))
    (first,) = world.workflow.started
    assert (await world.reprocessing.reprocess(tenant, document.id, Again(), idle=0)).version.attempts == 2

    old = world.workflow.started[first]
    await world.step(old, "fail", error={"Error": "States.Timeout", "Cause": ""})
    assert await world.step(old, "chunk") == {"batches": []}
    assert await world.step(old, "publish") == {"published": False}

    assert (await world.documents.get(tenant, document.id)).version.status is Status.PENDING
    assert await world.run(f"{document.id}-1-2") == "SUCCEEDED"
    assert (await world.documents.get(tenant, document.id)).version.status is Status.READY


async def test_what_is_being_processed_is_not_begun_again(world: World, tenant: Principal, other_tenant: Principal) -> None:
    document = await world.upload(tenant, "lease.txt", TEXT)
    for idle in (STUCK_SECONDS, 0):  # its bytes have not arrived: nothing was begun
        with pytest.raises(Conflict):
            await world.reprocessing.reprocess(tenant, document.id, Again(), idle=idle)
    await world.receive(world.arrival(document.version.object_key))
    with pytest.raises(Conflict):
        await world.reprocessing.reprocess(tenant, document.id, Again())
    with pytest.raises(NotFound):
        await world.reprocessing.reprocess(other_tenant, document.id, Again(), idle=0)


async def test_every_step_can_be_repeated_after_every_other(
    world: World, tenant: Principal, admin_connection: Connection
) -> None:
    document = await world.upload(tenant, "lease.txt", TEXT)
    await world.receive(world.arrival(document.version.object_key))
    (payload,) = world.workflow.started.values()
    for _ in range(2):
        await world.step(payload, "inspect")
        await world.step(payload, "extract")
        await world.step(payload, "chunk")
        await world.step(payload, "embed", batch=0)
    calls = world.model.calls
    for _ in range(2):
        await world.step(payload, "publish")
    for step in ("inspect", "extract", "chunk", "embed"):
        await world.step(payload, step, batch=0)

    assert (calls, world.model.calls) == (1, 1)
    done = await world.documents.get(tenant, document.id)
    assert (done.version.status, len(await chunks_of(world, tenant, done))) == (Status.READY, done.version.chunk_count)
    assert await outbox(admin_connection) == ["document.ready"]
    assert world.keys("work/") == []


async def test_vectors_of_other_content_are_not_taken_for_a_batchs(world: World, tenant: Principal) -> None:
    document = await world.upload(tenant, "lease.txt", TEXT)
    await world.receive(world.arrival(document.version.object_key))
    (payload,) = world.workflow.started.values()
    for step in ("inspect", "extract", "chunk"):
        await world.step(payload, step)
    (batch,) = (key for key in world.keys("work/") if "/batch-" in key)
    work = Work.of(world.storage, Step.from_event(payload))
    key = vectors_key(f"work/{tenant.tenant_id}/{document.id}/1/", await work.get_batch(batch.split("/batch-")[1][:-5]))
    await world.storage.put(key, b"AVB1" + bytes(40 + 16), content_type="application/octet-stream")

    with pytest.raises(Unavailable, match="Batch 0 has no vectors"):
        await world.step(payload, "publish")
    assert await world.step(payload, "embed", batch=0) == {"batch": 0, "embedded": True}
    assert await world.step(payload, "publish") == {"published": True}


async def test_a_typed_failure_leaves_the_function_with_its_kind_in_the_message(world: World, tenant: Principal) -> None:
    await world.receive(await world.drop(tenant, "picture.gif", b"GIF89a"))
    (execution,) = world.workflow.started
    with pytest.raises(IngestionFailed, match=r'^\{"type": "unsupported-type", "detail": '):
        await world.step(world.workflow.started[execution], "inspect")

    assert await world.run(execution) == "FAILED"

    (document,) = await world.documents.list_page(tenant, DocumentFilter())
    assert (document.version.error_type, document.version.stage) == ("unsupported-type", Stage.INSPECTING)
    assert "gif" in (document.version.error_detail or "")


async def test_an_object_that_was_removed_from_the_bucket_is_a_typed_failure(world: World, tenant: Principal) -> None:
    arrival = await world.drop(tenant, "notes.txt", TEXT.encode())
    await world.receive(arrival)
    (execution,) = world.workflow.started
    del world.storage.objects[arrival.key]

    await world.run(execution)

    (document,) = await world.documents.list_page(tenant, DocumentFilter())
    assert document.version.error_type == "source-missing"


async def test_a_failure_that_is_nobodys_business_is_told_as_internal(world: World, tenant: Principal) -> None:
    document = await world.upload(tenant, "lease.txt", TEXT)
    await world.receive(world.arrival(document.version.object_key))
    (payload,) = world.workflow.started.values()
    await world.step(payload, "fail", error={"Error": "RuntimeError", "Cause": '{"errorMessage": "secret=hunter2"}'})

    failed = await world.documents.get(tenant, document.id)
    assert failed.version.error_type == "internal"
    assert "hunter2" not in (failed.version.error_detail or "")


async def test_a_step_for_a_row_that_was_never_there_is_an_error(world: World, tenant: Principal) -> None:
    payload: dict[str, object] = {"tenant_id": str(tenant.tenant_id), "document_id": str(new_id()), "version": 1, "attempt": 1}
    with pytest.raises(NotFound):
        await world.step(payload, "inspect")
    await world.step(payload, "fail", error={"Error": "NotFound", "Cause": ""})
    with pytest.raises(ValueError, match="no step is named 'dance'"):
        await world.step(payload, "dance")


async def test_a_step_sees_nothing_of_another_tenants_document(world: World, tenant: Principal, other_tenant: Principal) -> None:
    document = await world.upload(tenant, "lease.txt", TEXT)
    payload: dict[str, object] = {
        "tenant_id": str(other_tenant.tenant_id), "document_id": str(document.id), "version": 1, "attempt": 1,
    }  # fmt: skip
    with pytest.raises(NotFound):
        await world.step(payload, "inspect")
    await world.step(payload, "fail", error={"Error": "NotFound", "Cause": ""})
    assert (await world.documents.get(tenant, document.id)).version.status is Status.PENDING
