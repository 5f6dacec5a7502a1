"""Renaming, describing, moving; processing again; passwords; history."""

import asyncio
from typing import Any

import psycopg
import pytest

from atrium.documents.chunking import ChunkingOptions, ChunkMode
from atrium.documents.collections import NewCollection
from atrium.documents.models import DocumentChange, DocumentFilter, Status, Upload
from atrium.documents.reprocessing import Again
from atrium.kernel.errors import Conflict, InvalidFields, NotFound, Unavailable
from atrium.kernel.ids import new_id
from atrium.kernel.principal import Principal
from tests.factories.documents import World
from tests.unit.parsing.samples import pdf

Connection = psycopg.AsyncConnection[dict[str, Any]]
TEXT = "The lease of the house ends after seven years."
PASSWORD = "Sesame, open! Ünï"


async def test_metadata_is_merged_and_found_at_once(world: World, tenant: Principal, admin_connection: Connection) -> None:
    document = await world.ready(tenant, "lease.txt", TEXT, metadata={"a": 1, "b": {"c": 2}})
    change = DocumentChange(metadata={"b": None, "d": [1]})
    changed = await world.documents.change(tenant, document.id, change, request_id="request-1")
    assert changed.metadata == {"a": 1, "d": [1]}
    assert len(await world.documents.list_page(tenant, DocumentFilter(metadata={"d": [1]}))) == 1
    logged = await (await admin_connection.execute(
        "SELECT actor, target, detail, request_id FROM atrium.audit_log WHERE action = 'document.changed'"
    )).fetchall()  # fmt: skip
    assert logged == [
        {
            "actor": tenant.subject,
            "target": f"document:{document.id}",
            "detail": {"metadata": ["b", "d"]},
            "request_id": "request-1",
        }
    ]


async def test_changes_of_different_keys_at_once_are_all_kept(world: World, tenant: Principal) -> None:
    document = await world.upload(tenant, "lease.txt", TEXT)
    changes = [DocumentChange(metadata={f"key-{n}": n}) for n in range(5)]
    await asyncio.gather(*(world.documents.change(tenant, document.id, change) for change in changes))
    assert (await world.documents.get(tenant, document.id)).metadata == {f"key-{n}": n for n in range(5)}


async def test_metadata_does_not_grow_for_ever(world: World, tenant: Principal) -> None:
    document = await world.upload(tenant, "lease.txt", TEXT, metadata={"a": "x" * 9000})
    with pytest.raises(InvalidFields):
        await world.documents.change(tenant, document.id, DocumentChange(metadata={"b": "x" * 9000}))


async def test_a_name_is_taken_by_one_document_alone(world: World, tenant: Principal) -> None:
    first, second = await world.upload(tenant, "a.txt", TEXT), await world.upload(tenant, "b.txt", TEXT)
    with pytest.raises(Conflict):
        await world.documents.change(tenant, second.id, DocumentChange(name="a.txt"))
    assert (await world.documents.change(tenant, first.id, DocumentChange(name="a.txt"))).name == "a.txt"
    assert (await world.documents.change(tenant, first.id, DocumentChange(name="c.txt"))).name == "c.txt"
    assert (await world.documents.change(tenant, second.id, DocumentChange(name="a.txt"))).name == "a.txt"
    assert (await world.upload(tenant, "a.txt", TEXT + " More.")).id == second.id


async def test_of_renames_and_uploads_at_once_each_name_has_one_document(world: World, tenant: Principal) -> None:
    documents = [await world.upload(tenant, f"{n}.txt", TEXT) for n in range(4)]
    renames = [world.documents.change(tenant, document.id, DocumentChange(name="same.txt")) for document in documents]
    outcomes = await asyncio.gather(*renames, world.upload(tenant, "same.txt", "Another."), return_exceptions=True)
    assert {type(each) for each in outcomes if isinstance(each, Exception)} <= {Conflict}
    assert len(await world.documents.list_page(tenant, DocumentFilter(name="same.txt"))) == 1


async def test_a_document_moves_with_its_chunks_within_its_space(
    world: World, tenant: Principal, admin_connection: Connection
) -> None:
    document = await world.ready(tenant, "lease.txt", TEXT)
    moved = await world.documents.change(tenant, document.id, DocumentChange(collection="contracts"))
    assert moved.collection == "contracts"
    chunks = await (await admin_connection.execute("SELECT collection FROM atrium.chunks")).fetchall()
    assert [row["collection"] for row in chunks] == ["contracts"]

    await world.collections.create(tenant, NewCollection("foreign", embedding_model="local/all-minilm-l6-v2"))
    with pytest.raises(Conflict):
        await world.documents.change(tenant, document.id, DocumentChange(collection="foreign"))


async def test_a_renamed_documents_dropped_file_makes_another_when_it_is_dropped_again(world: World, tenant: Principal) -> None:
    await world.ingest(await world.drop(tenant, "a.txt", b"The first text."))
    (document,) = await world.documents.list_page(tenant, DocumentFilter())
    await world.documents.change(tenant, document.id, DocumentChange(name="b.txt"))
    await world.ingest(await world.drop(tenant, "a.txt", b"The second text."))
    (other,) = await world.documents.list_page(tenant, DocumentFilter(name="a.txt"))
    assert other.id != document.id
    await world.documents.delete(tenant, other.id)
    assert len((await world.documents.download(tenant, document.id)).url) > 0  # its bytes are still there
    await world.documents.delete(tenant, document.id)
    assert world.storage.objects == {}


async def test_a_ready_version_serves_until_the_same_bytes_are_ready_again(
    world: World, tenant: Principal, admin_connection: Connection
) -> None:
    long = "\n\n".join(f"# Part {n}\n\n" + f"What part {n} says of the lease. " * 6 for n in range(3))
    document = await world.ready(tenant, "lease.md", long, content_type="text/markdown")
    before = await world.documents.chunks(tenant, document.id)
    how = Again(chunking=ChunkingOptions(mode=ChunkMode.FIXED, max_tokens=64))
    again = await world.reprocessing.reprocess(tenant, document.id, how, request_id="request-1")
    assert (again.version.number, again.version.status, again.ready_version) == (2, Status.PENDING, 1)
    assert await world.documents.chunks(tenant, document.id) == before

    assert await world.run(f"{document.id}-2-1") == "SUCCEEDED"
    done = await world.documents.get(tenant, document.id)
    assert (done.ready_version, done.version.sha256) == (2, document.version.sha256)
    after = await world.documents.chunks(tenant, document.id)
    assert [chunk.text for chunk in after] != [chunk.text for chunk in before]
    history = await world.documents.history(tenant, document.id)
    assert [(version.number, version.status) for version in history] == [(2, Status.READY), (1, Status.READY)]
    assert history[0].sha256 == history[1].sha256 == document.version.sha256
    logged = await (await admin_connection.execute(
        "SELECT detail, request_id FROM atrium.audit_log WHERE action = 'document.reprocessed'"
    )).fetchall()  # fmt: skip
    assert logged == [{"detail": {"version": 2}, "request_id": "request-1"}]


async def test_each_version_can_be_fetched(world: World, tenant: Principal, other_tenant: Principal) -> None:
    first = await world.ready(tenant, "lease.txt", TEXT)
    second = await world.upload(tenant, "lease.txt", TEXT + " Or eight.")
    for wanted, key in [(None, first), (1, first), (2, second)]:
        assert key.version.object_key in (await world.documents.download(tenant, first.id, wanted)).url
    with pytest.raises(NotFound):
        await world.documents.download(tenant, first.id, 3)
    with pytest.raises(NotFound):
        await world.documents.history(other_tenant, first.id)


async def test_a_file_that_was_never_stored_is_not_processed_again(world: World, tenant: Principal) -> None:
    world.storage.fail_puts = 1
    with pytest.raises(Unavailable):
        await world.upload(tenant, "lease.txt", TEXT)
    (document,) = await world.documents.list_page(tenant, DocumentFilter())
    with pytest.raises(Conflict):
        await world.reprocessing.reprocess(tenant, document.id, Again(), idle=0)


async def stored_passwords(connection: Connection) -> list[bytes]:
    rows = await (await connection.execute(
        "SELECT password FROM atrium.document_versions WHERE password IS NOT NULL"
    )).fetchall()  # fmt: skip
    return [bytes(row["password"]) for row in rows]


async def send_encrypted(world: World, tenant: Principal, password: str | None) -> Any:
    """An encrypted PDF through the API, and its arrival."""
    data = pdf("The lease ends after seven years.", password=PASSWORD)
    upload = Upload("lease.pdf", data, "application/pdf", password=password)
    document = await world.uploads.upload(tenant, upload, new_id())
    return document, world.arrival(document.version.object_key)


async def test_a_password_opens_the_file_and_is_forgotten(
    world: World, tenant: Principal, admin_connection: Connection, capsys: pytest.CaptureFixture[str]
) -> None:
    document, arrival = await send_encrypted(world, tenant, PASSWORD)
    (sealed,) = await stored_passwords(admin_connection)
    assert PASSWORD.encode() not in sealed
    await world.receive(arrival)
    (payload,) = world.workflow.started.values()
    await world.step(payload, "inspect")
    assert len(await stored_passwords(admin_connection)) == 1
    for _ in range(2):  # its answer may be lost
        await world.step(payload, "extract")
    batches = (await world.step(payload, "chunk"))["batches"]
    assert await stored_passwords(admin_connection) == []
    for batch in batches:
        await world.step(payload, "embed", batch=batch)
    assert await world.step(payload, "publish") == {"published": True}

    dumps = [
        str(await (await admin_connection.execute(f"SELECT * FROM atrium.{table}")).fetchall())
        for table in ("audit_log", "outbox", "document_versions")
    ]
    everything = "".join([*dumps, str(world.workflow.started), capsys.readouterr().err])
    assert "Sesame" not in everything
    assert (await world.documents.get(tenant, document.id)).version.pages == 1


async def test_without_or_with_a_wrong_password_it_fails_and_a_right_one_mends_it(
    world: World, tenant: Principal, admin_connection: Connection
) -> None:
    document, arrival = await send_encrypted(world, tenant, None)
    await world.ingest(arrival)
    for attempt, password in enumerate(["wrong", PASSWORD], start=2):
        failed = await world.documents.get(tenant, document.id)
        assert (failed.version.status, failed.version.error_type) == (Status.FAILED, "encrypted")
        assert await stored_passwords(admin_connection) == []
        await world.reprocessing.reprocess(tenant, document.id, Again(password))
        await world.run(f"{document.id}-1-{attempt}")
    done = await world.documents.get(tenant, document.id)
    assert (done.version.status, done.version.number, done.version.attempts) == (Status.READY, 1, 3)


async def test_a_deleted_documents_password_is_forgotten(world: World, tenant: Principal, admin_connection: Connection) -> None:
    document, _ = await send_encrypted(world, tenant, PASSWORD)
    await world.documents.delete(tenant, document.id)
    assert await stored_passwords(admin_connection) == []


async def test_a_password_that_comes_after_the_text_was_extracted_is_not_kept(
    world: World, tenant: Principal, admin_connection: Connection
) -> None:
    _, arrival = await send_encrypted(world, tenant, PASSWORD)
    await world.receive(arrival)
    (payload,) = world.workflow.started.values()
    for step in ("inspect", "extract", "chunk"):
        await world.step(payload, step)
    await send_encrypted(world, tenant, PASSWORD)
    assert await stored_passwords(admin_connection) == []


async def test_a_published_versions_password_is_forgotten_whenever_it_came(
    world: World, tenant: Principal, admin_connection: Connection
) -> None:
    _, arrival = await send_encrypted(world, tenant, PASSWORD)
    await world.receive(arrival)
    (payload,) = world.workflow.started.values()
    for step in ("inspect", "extract", "chunk"):
        await world.step(payload, step)
    await world.step(payload, "embed", batch=0)
    await admin_connection.execute("UPDATE atrium.document_versions SET password = 'sealed'")
    assert await world.step(payload, "publish") == {"published": True}
    assert await stored_passwords(admin_connection) == []


async def test_the_first_password_of_an_attempt_counts(world: World, tenant: Principal) -> None:
    document, arrival = await send_encrypted(world, tenant, PASSWORD)
    again, _ = await send_encrypted(world, tenant, "another")
    assert (again.id, again.version.number) == (document.id, 1)
    await world.ingest(arrival)
    assert (await world.documents.get(tenant, document.id)).version.status is Status.READY


async def test_who_begins_a_stuck_version_again_may_bring_another_password(world: World, tenant: Principal) -> None:
    document, arrival = await send_encrypted(world, tenant, "wrong")
    await world.receive(arrival)
    await world.reprocessing.reprocess(tenant, document.id, Again(PASSWORD), idle=0)
    assert await world.run(f"{document.id}-1-2") == "SUCCEEDED"
