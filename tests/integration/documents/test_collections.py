"""Collections: made by hand or by what comes into them, cut in their own way, gone with their documents only when asked."""

import asyncio
from typing import Any

import psycopg
import pytest

from atrium.documents.chunking import ChunkingOptions, ChunkMode
from atrium.documents.collections import CollectionChange, NewCollection
from atrium.documents.models import DocumentFilter
from atrium.kernel.budget import Budget
from atrium.kernel.errors import Conflict, InvalidFields, InvalidInput, NotFound, Unavailable
from atrium.kernel.principal import Principal
from tests.factories.documents import MODEL, World

Connection = psycopg.AsyncConnection[dict[str, Any]]
OTHER_MODEL = "local/all-minilm-l6-v2"
LONG = "\n\n".join(f"# Part {n}\n\n" + f"What part {n} says of the lease. " * 12 for n in range(3))


async def names(world: World, tenant: Principal) -> list[str]:
    return [collection.name for collection in await world.collections.list_page(tenant)]


async def test_default_is_always_there_and_others_come_with_their_first_document(
    world: World, tenant: Principal, other_tenant: Principal
) -> None:
    default = await world.collections.get(tenant, "default")
    assert (default.embedding_model, default.chunking, default.metadata, default.document_count) == (
        MODEL,
        ChunkingOptions(),
        {},
        0,
    )
    await world.upload(tenant, "a.txt", "Uploaded.", collection="notes")
    await world.receive(await world.drop(tenant, "contracts/b.txt", b"Dropped."))
    await world.receive(await world.drop(tenant, "c.txt", b"Dropped."))
    assert await names(world, tenant) == ["contracts", "default", "notes"]
    assert [
        (each.name, each.document_count) for each in await world.collections.list_page(tenant, after="contracts", limit=1)
    ] == [("default", 1)]
    assert await names(world, other_tenant) == ["default"]
    with pytest.raises(NotFound):
        await world.collections.get(other_tenant, "notes")


async def test_default_is_neither_made_nor_deleted_but_changed(world: World, tenant: Principal) -> None:
    with pytest.raises(Conflict):
        await world.collections.create(tenant, NewCollection("default"))
    with pytest.raises(Conflict):
        await world.collections.delete(tenant, "default", Budget(20), with_documents=True)
    change = CollectionChange(chunking={"mode": "fixed"}, metadata={"team": "legal"})
    changed = await world.collections.change(tenant, "default", change)
    assert (changed.chunking.mode, changed.metadata) == (ChunkMode.FIXED, {"team": "legal"})
    assert (await world.upload(tenant, "a.txt", "Text.")).metadata == {"team": "legal"}


async def test_a_collection_is_made_once_and_changes_are_merged(
    world: World, tenant: Principal, admin_connection: Connection
) -> None:
    made = await world.collections.create(
        tenant, NewCollection("notes", ChunkingOptions(max_tokens=100), metadata={"a": 1, "b": 2}), request_id="request-1"
    )
    assert (made.chunking.max_tokens, made.embedding_model, made.document_count) == (100, MODEL, 0)
    with pytest.raises(Conflict):
        await world.collections.create(tenant, NewCollection("notes"))
    change = CollectionChange(chunking={"overlap_tokens": 10}, metadata={"a": None, "c": 3})
    changed = await world.collections.change(tenant, "notes", change, request_id="request-2")
    assert (changed.chunking.max_tokens, changed.chunking.overlap_tokens) == (100, 10)
    assert changed.metadata == {"b": 2, "c": 3}
    with pytest.raises(InvalidFields):
        await world.collections.change(tenant, "notes", CollectionChange(chunking={"overlap_tokens": 90}))
    with pytest.raises(NotFound):
        await world.collections.change(tenant, "absent", CollectionChange(metadata={}))
    logged = await (await admin_connection.execute(
        "SELECT action, target, detail, request_id FROM atrium.audit_log ORDER BY id"
    )).fetchall()  # fmt: skip
    assert logged == [
        {"action": "collection.created", "target": "collection:notes", "detail": {"embedding_model": MODEL},
         "request_id": "request-1"},
        {"action": "collection.changed", "target": "collection:notes", "detail": {"changed": ["chunking", "metadata"]},
         "request_id": "request-2"},
    ]  # fmt: skip


async def test_default_metadata_stands_under_a_documents_own(world: World, tenant: Principal) -> None:
    await world.collections.create(tenant, NewCollection("notes", metadata={"team": "legal", "year": 2025}))
    plain = await world.upload(tenant, "a.txt", "Text.", collection="notes")
    own = await world.upload(tenant, "b.txt", "Text.", collection="notes", metadata={"year": 2026})
    await world.receive(await world.drop(tenant, "notes/c.txt", b"Text."))
    (dropped,) = await world.documents.list_page(tenant, DocumentFilter(name="c.txt"))
    assert plain.metadata == dropped.metadata == {"team": "legal", "year": 2025}
    assert own.metadata == {"team": "legal", "year": 2026}
    replaced = await world.upload(tenant, "b.txt", "Another text.", collection="notes", metadata={"kind": "lease"})
    assert replaced.metadata == {"team": "legal", "year": 2025, "kind": "lease"}
    kept = await world.upload(tenant, "b.txt", "A third text.", collection="notes")
    assert kept.metadata == replaced.metadata


async def test_later_versions_are_cut_as_the_collection_says_now(world: World, tenant: Principal) -> None:
    before = await world.ready(tenant, "a.md", LONG, collection="notes", content_type="text/markdown")
    change = CollectionChange(chunking={"mode": "fixed", "max_tokens": 64})
    await world.collections.change(tenant, "notes", change)
    assert len(await world.documents.chunks(tenant, before.id)) == before.version.chunk_count
    after = await world.ready(tenant, "a.md", LONG + "\n\nEnd.", collection="notes", content_type="text/markdown")
    assert (after.id, after.ready_version) == (before.id, 2)
    assert (after.version.chunk_count or 0) > (before.version.chunk_count or 0)


async def test_the_model_is_changed_while_there_is_nothing_in_it(world: World, tenant: Principal) -> None:
    await world.collections.create(tenant, NewCollection("notes", embedding_model=OTHER_MODEL))
    with pytest.raises(InvalidFields):
        await world.collections.create(tenant, NewCollection("other", embedding_model="nobody/knows"))
    with pytest.raises(InvalidFields):
        await world.collections.change(tenant, "notes", CollectionChange(embedding_model="nobody/knows"))
    assert (await world.collections.change(tenant, "notes", CollectionChange(embedding_model=MODEL))).embedding_model == MODEL
    document = await world.ready(tenant, "a.txt", "Some text.", collection="notes")
    with pytest.raises(Conflict):
        await world.collections.change(tenant, "notes", CollectionChange(embedding_model=OTHER_MODEL))
    await world.documents.delete(tenant, document.id)
    changed = await world.collections.change(tenant, "notes", CollectionChange(embedding_model=OTHER_MODEL))
    assert changed.embedding_model == OTHER_MODEL


async def test_chunks_go_to_the_space_of_their_collection(world: World, tenant: Principal, admin_connection: Connection) -> None:
    await world.collections.create(tenant, NewCollection("notes"))
    await admin_connection.execute("UPDATE atrium.collections SET embedding_model = %s WHERE name = 'notes'", [OTHER_MODEL])
    document = await world.upload(tenant, "a.txt", "Some text.", collection="notes")
    await world.receive(world.arrival(document.version.object_key))
    (payload,) = world.workflow.started.values()
    await world.step(payload, "inspect")
    await world.step(payload, "extract")
    await world.step(payload, "chunk")
    await world.step(payload, "embed", batch=0)
    assert world.parts.asked == [OTHER_MODEL, OTHER_MODEL]
    with pytest.raises(InvalidInput, match=OTHER_MODEL):  # the stand-in's vectors are too short for that space
        await world.step(payload, "publish")


async def test_a_collection_with_documents_is_deleted_with_them_or_not_at_all(
    world: World, tenant: Principal, other_tenant: Principal, admin_connection: Connection
) -> None:
    document = await world.ready(tenant, "a.md", LONG, collection="notes", content_type="text/markdown")
    await world.ingest(await world.drop(tenant, "notes/b.txt", b"Some text."))
    kept = await world.ready(tenant, "a.txt", "Some text.")
    with pytest.raises(Conflict):
        await world.collections.delete(tenant, "notes", Budget(20))
    with pytest.raises(NotFound):
        await world.collections.delete(other_tenant, "notes", Budget(20), with_documents=True)

    await world.collections.delete(tenant, "notes", Budget(20), with_documents=True, request_id="request-1")

    assert await names(world, tenant) == ["default"]
    with pytest.raises(NotFound):
        await world.documents.get(tenant, document.id)
    assert [each.id for each in await world.documents.list_page(tenant, DocumentFilter())] == [kept.id]
    assert all(str(kept.id) in key for key in world.storage.objects)
    chunks = await (await admin_connection.execute("SELECT DISTINCT document_id FROM atrium.chunks")).fetchall()
    assert [row["document_id"] for row in chunks] == [kept.id]
    actions = await (await admin_connection.execute(
        "SELECT action FROM atrium.audit_log WHERE request_id = 'request-1' ORDER BY id"
    )).fetchall()  # fmt: skip
    assert [row["action"] for row in actions] == ["document.deleted", "document.deleted", "collection.deleted"]
    with pytest.raises(NotFound):
        await world.collections.delete(tenant, "notes", Budget(20), with_documents=True)


async def test_a_deletion_that_runs_out_of_time_goes_on_when_it_is_repeated(world: World, tenant: Principal) -> None:
    await world.upload(tenant, "a.txt", "Some text.", collection="notes")
    with pytest.raises(Unavailable):
        await world.collections.delete(tenant, "notes", Budget(0), with_documents=True)
    await world.collections.delete(tenant, "notes", Budget(20))
    assert await names(world, tenant) == ["default"]


async def test_of_uploads_and_a_deletion_at_once_every_document_has_its_collection(world: World, tenant: Principal) -> None:
    await world.upload(tenant, "first.txt", "Some text.", collection="notes")
    uploads = [world.upload(tenant, f"{n}.txt", "Some text.", collection="notes") for n in range(6)]
    deletion = world.collections.delete(tenant, "notes", Budget(20), with_documents=True)
    outcomes = await asyncio.gather(*uploads[:3], deletion, *uploads[3:], return_exceptions=True)
    assert {type(each) for each in outcomes if isinstance(each, Exception)} <= {Conflict}
    documents = await world.documents.list_page(tenant, DocumentFilter(collection="notes"))
    assert ("notes" in await names(world, tenant)) >= bool(documents)
