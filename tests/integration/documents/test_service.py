"""What people do with documents, and what happens when two do it at once or something breaks in between."""

import asyncio
from typing import Any

import psycopg
import pytest

from atrium.documents.models import Document, DocumentFilter, Status, Upload
from atrium.documents.service import DOWNLOAD_SECONDS
from atrium.kernel.clock import now
from atrium.kernel.errors import NotFound, Unavailable
from atrium.kernel.ids import new_id
from atrium.kernel.principal import Principal, worker
from tests.factories.documents import World

Connection = psycopg.AsyncConnection[dict[str, Any]]
TEXT = "The lease of the house ends after seven years."


async def rows(connection: Connection, table: str) -> int:
    row = await (await connection.execute(f"SELECT count(*) AS n FROM atrium.{table}")).fetchone()
    assert row is not None
    return int(row["n"])


async def test_an_upload_is_pending_under_the_id_it_was_given(world: World, tenant: Principal) -> None:
    document_id = new_id()
    upload = Upload("lease.txt", TEXT.encode(), "text/plain", collection="contracts", metadata={"year": 2026})
    document = await world.uploads.upload(tenant, upload, document_id)

    assert (document.id, document.version.status, document.version.size) == (document_id, Status.PENDING, len(TEXT))
    assert (document.collection, document.metadata, document.created_by) == ("contracts", {"year": 2026}, tenant.subject)
    assert world.keys("") == [f"uploads/{tenant.tenant_id}/{document_id}/1/lease.txt"]


async def test_the_same_bytes_again_are_the_same_version(world: World, tenant: Principal) -> None:
    first = await world.ready(tenant, "lease.txt", TEXT, metadata={"a": 1})
    again = await world.upload(tenant, "lease.txt", TEXT)
    assert (again.id, again.version.number, again.version.status, again.metadata) == (first.id, 1, Status.READY, {"a": 1})
    described = await world.upload(tenant, "lease.txt", TEXT, metadata={"b": 2})
    assert (described.version.number, described.metadata) == (1, {"b": 2})
    assert len(world.storage.objects[first.version.object_key]) == 1


async def test_the_same_name_elsewhere_is_another_document(world: World, tenant: Principal, other_tenant: Principal) -> None:
    ids = {
        (await world.upload(tenant, "lease.txt", TEXT)).id,
        (await world.upload(tenant, "lease.txt", TEXT, collection="other")).id,
        (await world.upload(other_tenant, "lease.txt", TEXT)).id,
    }
    assert len(ids) == 3


async def test_without_the_bucket_the_row_fails_and_sending_again_makes_a_version(world: World, tenant: Principal) -> None:
    world.storage.fail_puts = 1
    with pytest.raises(Unavailable):
        await world.upload(tenant, "lease.txt", TEXT)
    (failed,) = await world.documents.list_page(tenant, DocumentFilter())
    assert (failed.version.status, failed.version.error_type) == (Status.FAILED, "storage-unavailable")

    done = await world.ready(tenant, "lease.txt", TEXT)
    assert (done.id, done.version.number, done.version.status) == (failed.id, 2, Status.READY)


async def test_an_upload_cut_off_before_its_object_is_completed_by_the_next(world: World, tenant: Principal) -> None:
    document = await world.upload(tenant, "lease.txt", TEXT)
    del world.storage.objects[document.version.object_key]

    again = await world.upload(tenant, "lease.txt", TEXT)

    assert (again.id, again.version.number) == (document.id, 1)
    assert world.keys("uploads/") == [document.version.object_key]


async def age(connection: Connection, minutes: int) -> None:
    """Nothing has touched the versions for so long."""
    await connection.execute("UPDATE atrium.document_versions SET updated_at = now() - make_interval(mins => %s)", [minutes])


async def versions(connection: Connection) -> list[tuple[int, str, str | None]]:
    """Number, status and kind of failure of every version."""
    rows = await connection.execute("SELECT version, status, error_type FROM atrium.document_versions ORDER BY version")
    return [(row["version"], row["status"], row["error_type"]) for row in await rows.fetchall()]


@pytest.mark.parametrize("steps", [[], ["inspect"]], ids=["pending", "processing"])
async def test_a_version_that_nothing_works_on_is_made_anew_when_the_same_bytes_come_again(
    world: World, tenant: Principal, admin_connection: Connection, steps: list[str]
) -> None:
    first = await world.upload(tenant, "lease.txt", TEXT)
    await world.receive(world.arrival(first.version.object_key))
    (payload,) = world.workflow.started.values()
    for step in steps:
        await world.step(payload, step)
    await age(admin_connection, 29)
    assert (await world.upload(tenant, "lease.txt", TEXT)).version.number == 1

    await age(admin_connection, 30)
    again = await world.ready(tenant, "lease.txt", TEXT)

    assert (again.id, again.version.number, again.ready_version) == (first.id, 2, 2)
    # Should its execution come back, it has nothing to say any more.
    assert (await world.step(payload, "extract"))["skipped"]
    await world.step(payload, "fail", error={"Error": "States.Timeout", "Cause": ""})
    assert await versions(admin_connection) == [(1, "failed", "superseded"), (2, "ready", None)]
    told = await (await admin_connection.execute("SELECT type FROM atrium.outbox")).fetchall()
    assert [row["type"] for row in told] == ["document.ready"]


async def test_a_dropped_file_that_nothing_works_on_too_however_often_it_was_dropped_meanwhile(
    world: World, tenant: Principal, admin_connection: Connection
) -> None:
    for _ in range(3):
        await world.receive(await world.drop(tenant, "lease.txt", TEXT.encode()))
        await admin_connection.execute("UPDATE atrium.document_versions SET updated_at = updated_at - interval '15 minutes'")
    assert await versions(admin_connection) == [(1, "failed", "superseded"), (2, "pending", None)]


async def test_who_sent_a_version_is_in_the_audit_log(world: World, tenant: Principal, admin_connection: Connection) -> None:
    upload = Upload("lease.txt", TEXT.encode(), "text/plain", created_by="user:somebody-else")
    document = await world.uploads.upload(tenant, upload, new_id(), request_id="request-1")
    await world.uploads.upload(tenant, upload, new_id(), request_id="request-2")
    await world.receive(await world.drop(tenant, "lease.txt", b"Another text."))

    logged = await (await admin_connection.execute(
        "SELECT actor, target, detail, request_id FROM atrium.audit_log WHERE action = 'document.received' ORDER BY id"
    )).fetchall()  # fmt: skip
    named = {"name": "lease.txt", "collection": "default"}
    assert logged == [
        {"actor": tenant.subject, "target": f"document:{document.id}", "request_id": "request-1",
         "detail": named | {"version": 1, "source": "api"}},
        {"actor": worker(tenant.tenant_id).subject, "target": f"document:{document.id}", "request_id": "",
         "detail": named | {"version": 2, "source": "drop"}},
    ]  # fmt: skip


async def test_uploads_of_one_name_at_once_are_versions_of_one_document(world: World, tenant: Principal) -> None:
    documents = await asyncio.gather(*(world.upload(tenant, "lease.txt", f"{TEXT} {n}") for n in range(6)))
    assert len({document.id for document in documents}) == 1
    assert sorted(document.version.number for document in documents) == [1, 2, 3, 4, 5, 6]


async def test_the_same_upload_at_once_is_one_version(world: World, tenant: Principal) -> None:
    documents = await asyncio.gather(*(world.upload(tenant, "lease.txt", TEXT) for _ in range(6)))
    assert {(document.id, document.version.number) for document in documents} == {(documents[0].id, 1)}


async def test_arrivals_at_once_leave_the_last_write(world: World, tenant: Principal) -> None:
    arrivals = [await world.drop(tenant, "a.txt", f"{TEXT} {n}".encode()) for n in range(6)]
    await asyncio.gather(*(world.receive(arrival) for arrival in [*arrivals, *reversed(arrivals)]))
    for execution in list(world.workflow.started):
        await world.run(execution)
    (document,) = await world.documents.list_page(tenant, DocumentFilter())
    (chunk,) = await world.documents.chunks(tenant, document.id)
    assert chunk.text == f"{TEXT} 5"


async def test_a_retried_request_whose_document_was_deleted_meanwhile_gets_another_id(world: World, tenant: Principal) -> None:
    upload, document_id = Upload("lease.txt", TEXT.encode(), "text/plain"), new_id()
    await world.uploads.upload(tenant, upload, document_id)
    await world.documents.delete(tenant, document_id)
    again = await world.uploads.upload(tenant, upload, document_id)
    assert (again.id != document_id, again.version.status) == (True, Status.PENDING)


async def test_lists_are_filtered_and_go_on_after_a_row(world: World, tenant: Principal, other_tenant: Principal) -> None:
    await world.upload(other_tenant, "theirs.txt", TEXT)
    ready = await world.ready(tenant, "a.txt", TEXT, collection="contracts", metadata={"year": 2026, "tags": ["x", "y"]})
    pending = [await world.upload(tenant, f"{n}.txt", TEXT, created_by="user:somebody") for n in range(4)]

    async def names(**where: Any) -> list[str]:
        return [document.name for document in await world.documents.list_page(tenant, DocumentFilter(**where))]

    assert await names() == ["3.txt", "2.txt", "1.txt", "0.txt", "a.txt"]
    assert await names(status=Status.READY) == await names(collection="contracts") == await names(name="a.txt") == ["a.txt"]
    assert await names(metadata={"tags": ["y"]}) == await names(created_by=tenant.subject) == ["a.txt"]
    assert await names(metadata={"year": 2025}) == await names(name="theirs.txt") == []
    last = pending[2]
    page = await world.documents.list_page(tenant, DocumentFilter(), after=(last.created_at, last.id), limit=2)
    assert [document.name for document in page] == ["1.txt", "0.txt"]
    assert ready.id not in {document.id for document in page}


async def test_deleting_removes_everything_but_a_tombstone(world: World, tenant: Principal, admin_connection: Connection) -> None:
    document = await world.ready(tenant, "lease.txt", TEXT)
    await world.upload(tenant, "lease.txt", TEXT + " Or eight.")
    await world.ready(tenant, "kept.txt", TEXT)

    await world.documents.delete(tenant, document.id, request_id="request-1")
    await world.documents.delete(tenant, document.id, request_id="request-2")

    with pytest.raises(NotFound):
        await world.documents.get(tenant, document.id)
    assert all(str(document.id) not in key for key in world.storage.objects)
    assert [chunk["document_id"] for chunk in await _chunks(admin_connection)] != [document.id]
    assert (await rows(admin_connection, "chunks"), await rows(admin_connection, "documents")) == (1, 2)
    audit = await (await admin_connection.execute(
        "SELECT actor, target, request_id FROM atrium.audit_log WHERE action = 'document.deleted'"
    )).fetchall()  # fmt: skip
    assert audit == [{"actor": tenant.subject, "target": f"document:{document.id}", "request_id": "request-1"}]
    outbox = await (
        await admin_connection.execute("SELECT payload FROM atrium.outbox WHERE type = 'document.deleted'")
    ).fetchall()
    assert [row["payload"]["document_id"] for row in outbox] == [str(document.id)]


async def _chunks(connection: Connection) -> list[dict[str, Any]]:
    return await (await connection.execute("SELECT document_id FROM atrium.chunks")).fetchall()


async def test_deleting_also_removes_the_file_of_that_name_in_the_drop_folder(world: World, tenant: Principal) -> None:
    document = await world.ready(tenant, "lease.txt", TEXT)
    await world.ingest(await world.drop(tenant, "lease.txt", TEXT.encode()))
    assert (await world.documents.get(tenant, document.id)).latest_version == 1
    await world.documents.delete(tenant, document.id)
    assert world.storage.objects == {}


async def test_a_deletion_without_the_bucket_can_be_repeated(world: World, tenant: Principal) -> None:
    document = await world.ready(tenant, "lease.txt", TEXT)
    world.storage.down = True
    with pytest.raises(Unavailable):
        await world.documents.delete(tenant, document.id)
    with pytest.raises(NotFound):
        await world.documents.get(tenant, document.id)
    world.storage.down = False
    await world.documents.delete(tenant, document.id)
    assert world.storage.objects == {}


async def test_nothing_of_another_tenant_is_found(world: World, tenant: Principal, other_tenant: Principal) -> None:
    document = await world.ready(tenant, "lease.txt", TEXT)
    for verb in (world.documents.get, world.documents.chunks, world.documents.download, world.documents.delete):
        with pytest.raises(NotFound):
            await verb(other_tenant, document.id)
        with pytest.raises(NotFound):
            await verb(other_tenant, new_id())
    assert (await world.documents.get(tenant, document.id)).version.status is Status.READY


async def download_url(world: World, principal: Principal, document: Document) -> str:
    return (await world.documents.download(principal, document.id)).url


async def test_a_download_is_the_served_version_under_the_documents_own_name(world: World, tenant: Principal) -> None:
    first = await world.ready(tenant, "Häuser & Höfe/lease.txt", TEXT)
    await world.upload(tenant, "Häuser & Höfe/lease.txt", TEXT + " Or eight.")
    download = await world.documents.download(tenant, first.id)
    assert first.version.object_key in download.url
    assert "filename=lease.txt" in download.url
    assert f"expires={DOWNLOAD_SECONDS}" in download.url
    assert 0 < (download.expires_at - now()).total_seconds() <= DOWNLOAD_SECONDS

    renamed = await world.upload(tenant, "report.pdf", "text under the name of another type")
    assert "filename=report.pdf.txt" in await download_url(world, tenant, renamed)
    await world.receive(await world.drop(tenant, "dropped.html", b"<p>Hello"))
    (dropped, *_) = await world.documents.list_page(tenant, DocumentFilter())
    assert "filename=dropped.html" in await download_url(world, tenant, dropped)


async def test_chunks_are_none_before_a_version_is_ready(world: World, tenant: Principal) -> None:
    document = await world.upload(tenant, "lease.txt", TEXT)
    assert await world.documents.chunks(tenant, document.id) == []
