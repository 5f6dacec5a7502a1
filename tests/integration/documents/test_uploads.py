"""Files that are sent straight to the bucket: one form, one version, however often and however late it is used."""

from typing import Any

import psycopg
import pytest

from atrium.documents.ingestion import upkeep
from atrium.documents.ingestion.arrivals import Receipt
from atrium.documents.models import DocumentFilter, PlannedUpload, Status
from atrium.documents.uploading import PresignedUpload
from atrium.kernel.errors import PayloadTooLarge, Unavailable, UnsupportedMediaType
from atrium.kernel.ids import new_id
from atrium.kernel.principal import Principal
from tests.factories.documents import World

Connection = psycopg.AsyncConnection[dict[str, Any]]
TEXT = b"The lease of the house ends after seven years."
PLAN = PlannedUpload("lease.txt", "text/plain", metadata={"year": 2026})


async def plan(world: World, tenant: Principal, planned: PlannedUpload = PLAN) -> PresignedUpload:
    return await world.uploads.plan(tenant, planned, new_id())


async def send(world: World, upload: PresignedUpload, data: bytes = TEXT) -> Any:
    """What a client does with the form; the arrival."""
    key, kind = upload.post.fields["key"], upload.post.fields["Content-Type"]
    await world.storage.put(key, data, content_type=kind)
    return world.arrival(key)


async def test_the_row_is_there_at_once_and_the_file_becomes_a_document(world: World, tenant: Principal) -> None:
    upload = await plan(world, tenant)
    document = await world.documents.get(tenant, upload.document.id)
    assert (document.version.status, document.version.size, document.metadata) == (Status.PENDING, 0, {"year": 2026})
    assert upload.post.fields["key"] == f"uploads/{tenant.tenant_id}/{document.id}/1/lease.txt"
    assert upload.post.fields["policy"] == f"1-{1024 * 1024}, 3600 s"

    assert await world.ingest(await send(world, upload)) is Receipt.STARTED
    done = await world.documents.get(tenant, document.id)
    assert (done.version.status, done.version.size) == (Status.READY, len(TEXT))
    assert done.version.sha256 is not None


async def test_a_known_size_is_the_only_one_that_is_taken(world: World, tenant: Principal) -> None:
    upload = await plan(world, tenant, PlannedUpload("a.pdf", "application/pdf", size=1000))
    assert upload.post.fields["policy"].startswith("1000-1000,")
    with pytest.raises(PayloadTooLarge):
        await plan(world, tenant, PlannedUpload("a.pdf", "application/pdf", size=1024 * 1024 + 1))


@pytest.mark.parametrize(
    ("name", "kind"),
    [("a.pdf", "text/html"), ("a.svg", "image/svg+xml"), ("a", ""), ("a.exe", "application/pdf"), ("a", "application/zip")],
)
async def test_what_would_not_be_taken_gets_no_form(world: World, tenant: Principal, name: str, kind: str) -> None:
    with pytest.raises(UnsupportedMediaType):
        await plan(world, tenant, PlannedUpload(name, kind))
    assert await world.documents.list_page(tenant, DocumentFilter()) == []


async def test_a_form_that_is_used_again_changes_nothing_and_leaves_nothing(world: World, tenant: Principal) -> None:
    upload = await plan(world, tenant)
    first = await send(world, upload)
    second = await send(world, upload, b"Something else.")
    assert await world.receive(first) is Receipt.STARTED
    assert await world.receive(second) is Receipt.STARTED  # again the same execution
    third = await send(world, upload, b"And something else again.")
    (execution,) = world.workflow.started
    await world.run(execution)
    assert await world.receive(third) is Receipt.UNCHANGED
    assert await world.receive(second) is Receipt.GONE

    (chunk,) = await world.documents.chunks(tenant, upload.document.id)
    assert chunk.text.encode() == TEXT
    assert await world.storage.versions(first.key) == (first.version_id,)


async def test_the_second_use_may_be_seen_first(world: World, tenant: Principal) -> None:
    upload = await plan(world, tenant)
    first, second = await send(world, upload, b"Sent first."), await send(world, upload)
    assert await world.receive(second) is Receipt.STARTED
    assert await world.receive(first) is Receipt.STARTED
    (execution,) = world.workflow.started
    await world.run(execution)
    (chunk,) = await world.documents.chunks(tenant, upload.document.id)
    assert chunk.text.encode() == TEXT
    assert await world.storage.versions(first.key) == (second.version_id,)


async def test_the_same_request_again_gets_the_same_version(world: World, tenant: Principal) -> None:
    document_id = new_id()
    uploads = [await world.uploads.plan(tenant, PLAN, document_id) for _ in range(2)]
    assert [(each.document.id, each.document.version.number) for each in uploads] == [(document_id, 1)] * 2
    assert uploads[0].expires_at == uploads[1].expires_at
    other = await plan(world, tenant)
    assert (other.document.id, other.document.version.number) == (document_id, 2)


async def test_the_old_version_serves_until_the_file_has_come_and_is_ready(world: World, tenant: Principal) -> None:
    old = await world.ready(tenant, "lease.txt", "The old text.")
    upload = await plan(world, tenant)
    assert (upload.document.id, upload.document.version.number, upload.document.ready_version) == (old.id, 2, 1)
    (chunk,) = await world.documents.chunks(tenant, old.id)
    assert chunk.text == "The old text."
    await world.ingest(await send(world, upload))
    (chunk,) = await world.documents.chunks(tenant, old.id)
    assert chunk.text.encode() == TEXT


async def expire(connection: Connection, minutes: int) -> None:
    await connection.execute(
        "UPDATE atrium.document_versions SET upload_expires_at = now() - make_interval(mins => %s)", [minutes]
    )


async def test_a_form_that_is_never_used_fails_after_its_time(
    world: World, tenant: Principal, admin_connection: Connection
) -> None:
    upload = await plan(world, tenant)
    assert await world.upkeep.expire_uploads(tenant.tenant_id) == 0
    await expire(admin_connection, 14)
    assert await world.upkeep.expire_uploads(tenant.tenant_id) == 0
    await expire(admin_connection, 15)
    assert await world.upkeep.expire_uploads(tenant.tenant_id) == 1
    assert await world.upkeep.expire_uploads(tenant.tenant_id) == 0
    failed = await world.documents.get(tenant, upload.document.id)
    assert (failed.version.status, failed.version.error_type) == (Status.FAILED, "upload-expired")
    told = await (await admin_connection.execute("SELECT type FROM atrium.outbox")).fetchall()
    assert [row["type"] for row in told] == ["document.failed"]


async def test_a_file_that_comes_after_all_is_not_lost(world: World, tenant: Principal, admin_connection: Connection) -> None:
    upload = await plan(world, tenant)
    await expire(admin_connection, 60)
    await world.upkeep.expire_uploads(tenant.tenant_id)
    assert await world.ingest(await send(world, upload)) is Receipt.STARTED
    done = await world.documents.get(tenant, upload.document.id)
    assert (done.version.status, done.version.error_type) == (Status.READY, None)


async def test_a_used_form_does_not_expire(world: World, tenant: Principal, admin_connection: Connection) -> None:
    upload = await plan(world, tenant)
    await world.receive(await send(world, upload))
    await expire(admin_connection, 60)
    assert await world.upkeep.expire_uploads(tenant.tenant_id) == 0


async def test_waiting_for_its_file_a_document_is_not_stuck(
    world: World, tenant: Principal, admin_connection: Connection
) -> None:
    upload = await plan(world, tenant)
    await admin_connection.execute("UPDATE atrium.document_versions SET updated_at = now() - interval '40 minutes'")
    assert await world.upkeep.revive_stuck(tenant.tenant_id) == 0
    again = await world.upload(tenant, "lease.txt", "Another text.")
    assert again.version.number == 2
    assert await world.receive(await send(world, upload)) is Receipt.STARTED


async def untouched(connection: Connection, minutes: int) -> None:
    await connection.execute("UPDATE atrium.document_versions SET updated_at = now() - make_interval(mins => %s)", [minutes])


async def test_a_file_whose_message_was_lost_is_found_before_its_form_is_called_unused(
    world: World, tenant: Principal, admin_connection: Connection
) -> None:
    upload = await plan(world, tenant)
    lost = await send(world, upload)
    await expire(admin_connection, 15)
    assert await world.upkeep.expire_uploads(tenant.tenant_id) == 0
    (execution,) = world.workflow.started
    assert await world.receive(lost) is Receipt.STARTED  # and it comes after all
    assert await world.run(execution) == "SUCCEEDED"
    done = await world.documents.get(tenant, upload.document.id)
    assert (done.version.status, done.version.size) == (Status.READY, len(TEXT))


async def test_an_upload_whose_message_was_lost_goes_to_its_turn(
    world: World, tenant: Principal, admin_connection: Connection
) -> None:
    document = await world.upload(tenant, "lease.txt", TEXT.decode())
    await untouched(admin_connection, 29)
    await world.upkeep.expire_uploads(tenant.tenant_id)
    assert world.workflow.started == {}
    await untouched(admin_connection, 30)
    assert await world.upkeep.expire_uploads(tenant.tenant_id) == 0
    assert await world.run(f"{document.id}-1-1") == "SUCCEEDED"


async def test_an_upload_that_was_cut_off_before_the_bucket_fails(
    world: World, tenant: Principal, admin_connection: Connection
) -> None:
    document = await world.upload(tenant, "lease.txt", TEXT.decode())
    del world.storage.objects[document.version.object_key]
    await untouched(admin_connection, 30)
    assert await world.upkeep.expire_uploads(tenant.tenant_id) == 1
    assert await world.upkeep.expire_uploads(tenant.tenant_id) == 0
    failed = await world.documents.get(tenant, document.id)
    assert (failed.version.status, failed.version.error_type) == (Status.FAILED, "storage-unavailable")


async def test_deleted_documents_are_in_no_sweeps_way(
    world: World, tenant: Principal, admin_connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(upkeep, "_AT_ONCE", 1)
    for name in ("a.txt", "b.txt"):
        await world.documents.delete(tenant, (await plan(world, tenant, PlannedUpload(name, "text/plain"))).document.id)
    await expire(admin_connection, 60)
    upload = await plan(world, tenant)
    await expire(admin_connection, 50)
    await world.upkeep.expire_uploads(tenant.tenant_id)
    assert (await world.documents.get(tenant, upload.document.id)).version.error_type == "upload-expired"


async def test_a_deleted_documents_unstarted_attempt_is_not_started(world: World, tenant: Principal) -> None:
    world.workflow.down = True
    with pytest.raises(Unavailable):
        await world.receive(await world.drop(tenant, "a.txt", TEXT))
    world.workflow.down = False
    (document,) = await world.documents.list_page(tenant, DocumentFilter())
    await world.documents.delete(tenant, document.id)
    assert await world.upkeep.start_waiting(tenant.tenant_id, idle=0) == 0
