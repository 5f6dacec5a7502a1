"""Attempts that overlap, and releases that change while documents are under way: nothing is mixed, lost or left."""

from typing import Any

import psycopg
import pytest

from atrium.db import Database
from atrium.documents.chunking import ChunkingOptions
from atrium.documents.ingestion.pipeline import IngestionService
from atrium.documents.models import Document, DocumentFilter, Status
from atrium.documents.reprocessing import Again
from atrium.kernel.principal import Principal
from atrium.kernel.settings import Settings
from tests.factories.documents import World

Connection = psycopg.AsyncConnection[dict[str, Any]]
TEXT = "\n\n".join(
    f"Paragraph {n} says that the lease of unit {n} ends after {n + 1} years, unless it is renewed." for n in range(40)
)
SMALL = ChunkingOptions.parse({"mode": "sentence", "max_tokens": 64, "overlap_tokens": 0})


async def under_way(world: World, tenant: Principal, *steps: str) -> tuple[Document, dict[str, object]]:
    """An uploaded document whose first attempt has gone so far, and that attempt."""
    document = await world.upload(tenant, "lease.txt", TEXT)
    await world.receive(world.arrival(document.version.object_key))
    payload = world.workflow.started[f"{document.id}-1-1"]
    for step in steps:
        reply = await world.step(payload, step)
        for batch in reply.get("batches", ()):
            await world.step(payload, "embed", batch=batch)
    return document, payload


async def spans(world: World, tenant: Principal, document: Document) -> list[tuple[int, int]]:
    return [(chunk.char_start, chunk.char_end) for chunk in await world.documents.chunks(tenant, document.id, limit=1000)]


async def test_an_attempt_that_was_given_up_takes_nothing_from_the_next(world: World, tenant: Principal) -> None:
    document, old = await under_way(world, tenant, "inspect", "extract", "chunk")
    await world.reprocessing.reprocess(tenant, document.id, Again(), idle=0)
    new = world.workflow.started[f"{document.id}-1-2"]
    for step in ("inspect", "extract", "chunk"):
        await world.step(new, step)
    await world.step(old, "publish")
    assert await world.step(new, "publish") == {"published": True}
    assert world.keys("work/") == []


async def test_two_attempts_that_cut_in_two_ways_are_not_mixed(world: World, tenant: Principal) -> None:
    document, old = await under_way(world, tenant, "inspect", "extract")

    async def overtake() -> None:
        """All of the next attempt up to its publishing, while the old one has begun to write its plan."""
        await world.reprocessing.reprocess(tenant, document.id, Again(chunking=SMALL), idle=0)
        for step in ("inspect", "extract"):
            await world.step(new(), step)
        for batch in (await world.step(new(), "chunk"))["batches"]:
            await world.step(new(), "embed", batch=batch)

    def new() -> dict[str, object]:
        return world.workflow.started[f"{document.id}-1-2"]

    world.storage.before_put = overtake
    await world.step(old, "chunk")
    assert await world.step(new(), "publish") == {"published": True}

    alone = await world.upload(tenant, "alone.txt", TEXT)
    await world.ingest(world.arrival(alone.version.object_key))
    other = await world.reprocessing.reprocess(tenant, alone.id, Again(chunking=SMALL))
    await world.run(f"{alone.id}-{other.version.number}-1")
    assert await spans(world, tenant, document) == await spans(world, tenant, alone)


async def test_a_publish_that_comes_twice_at_once_succeeds_twice(world: World, tenant: Principal) -> None:
    document, payload = await under_way(world, tenant, "inspect", "extract", "chunk")
    world.storage.before_get = lambda: world.step(payload, "publish")
    assert await world.step(payload, "publish") == {"published": False}
    done = await world.documents.get(tenant, document.id)
    assert (done.version.status, done.version.attempts) == (Status.READY, 1)


@pytest.mark.parametrize("written", ["chunks-001.json", "batch-"])
@pytest.mark.parametrize("step", ["embed", "publish"])
async def test_what_another_release_planned_is_planned_again(world: World, tenant: Principal, step: str, written: str) -> None:
    document, payload = await under_way(world, tenant, "inspect", "extract", "chunk")
    (key,) = (key for key in world.keys("work/") if written in key and key.endswith(".json"))
    old = (
        b'{"model": "test/four", "batches": 1, "chunks": 1}'
        if written.startswith("chunks")
        else b'{"model": "m", "chunks": [[0]]}'
    )
    await world.storage.put(key, old, content_type="application/json")

    await world.step(payload, step, batch=0)
    await world.step(payload, "publish")

    again = await world.documents.get(tenant, document.id)
    assert (again.version.status, again.version.attempts) == (Status.PENDING, 2)
    assert await world.run(f"{document.id}-1-2") == "SUCCEEDED"
    assert (await world.documents.get(tenant, document.id)).version.status is Status.READY


async def test_what_another_release_extracted_is_extracted_again(world: World, tenant: Principal) -> None:
    document, payload = await under_way(world, tenant, "inspect", "extract")
    await world.storage.put(f"work/{tenant.tenant_id}/{document.id}/1/extracted.json", b"{}", content_type="application/json")
    assert (await world.step(payload, "chunk"))["batches"] == []
    await world.step(payload, "publish")
    assert await world.run(f"{document.id}-1-2") == "SUCCEEDED"


async def test_a_deleted_documents_execution_takes_room_until_it_ends(
    settings: Settings, database: Database, tenant: Principal
) -> None:
    world = World(settings, database, ingest_in_flight=2)
    for n in range(4):
        await world.receive(await world.drop(tenant, f"{n}.txt", b"Text number %d." % n))
    first, second = list(world.workflow.started)
    for execution in (first, second):
        await world.step(world.workflow.started[execution], "inspect")
    for document in await world.documents.list_page(tenant, DocumentFilter()):
        if document.version.attempts:
            await world.documents.delete(tenant, document.id)
    await world.upkeep.start_waiting(tenant.tenant_id)
    assert len(world.workflow.started) == 2

    await world.run(first)
    assert len(world.workflow.started) == 3
    await world.step(world.workflow.started[second], "fail", error={"Error": "States.Timeout", "Cause": ""})
    assert len(world.workflow.started) == 4


async def test_a_document_of_too_many_chunks_is_a_typed_failure(world: World, tenant: Principal) -> None:
    world.ingestion = IngestionService(world.parts, parser=world.parser, max_chunks=2)
    document, _ = await under_way(world, tenant)
    assert await world.run(f"{document.id}-1-1") == "FAILED"
    failed = await world.documents.get(tenant, document.id)
    assert failed.version.error_type == "too-many-chunks"
    assert "at most 2" in (failed.version.error_detail or "")
