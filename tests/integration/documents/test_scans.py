"""Scans on their way through the pipeline: many invocations, killed anywhere, nothing lost and nothing read twice."""

from typing import Any

import pytest
from PIL import Image

from atrium.db import Database
from atrium.documents.ingestion import recognition
from atrium.documents.models import Document, Stage, Status
from atrium.documents.reprocessing import Again
from atrium.kernel.errors import IngestionFailed, Unavailable
from atrium.kernel.principal import Principal
from atrium.kernel.settings import Settings
from tests.factories.documents import World
from tests.factories.scans import scanned_pdf, tiff

PAGES = 5
SCAN = tiff(*(Image.new("1", (20 + n, 30)) for n in range(PAGES)))


async def arrived(world: World, tenant: Principal, data: bytes = SCAN, name: str = "scan.tif") -> tuple[str, dict[str, object]]:
    """A scan whose execution is due: its name and input."""
    await world.receive(await world.drop(tenant, name, data))
    return list(world.workflow.started.items())[-1]


async def latest(world: World, tenant: Principal, payload: dict[str, Any]) -> Document:
    return await world.documents.get(tenant, payload["document_id"])


async def text_of(world: World, tenant: Principal, document: Document) -> str:
    return world.storage.objects[f"text/{tenant.tenant_id}/{document.id}/1.txt"][0][1].decode()


async def test_a_scan_is_read_page_by_page_and_says_so(world: World, tenant: Principal) -> None:
    execution, payload = await arrived(world, tenant)
    assert await world.run(execution) == "SUCCEEDED"

    document = await latest(world, tenant, payload)
    assert (document.version.status, document.version.pages, document.version.ocr_pages) == (Status.READY, PAGES, PAGES)
    assert document.version.ocr_confidence == pytest.approx(0.9)
    assert document.version.ocr_poor_pages == []
    assert [f"Page {n} of the scan." in await text_of(world, tenant, document) for n in range(1, PAGES + 1)] == [True] * PAGES
    assert sorted(world.parser.pages_read) == list(range(1, PAGES + 1))
    assert world.keys("work/") == []
    chunks = await world.documents.chunks(tenant, document.id)
    assert (chunks[0].page_from, chunks[-1].page_to) == (1, PAGES)


async def test_an_invocation_reads_what_it_has_time_for_and_the_next_goes_on(
    settings: Settings, database: Database, tenant: Principal
) -> None:
    world = World(settings, database, ocr_seconds=0)
    _, payload = await arrived(world, tenant)
    await world.step(payload, "inspect")
    left, progress = [], []
    while True:
        left.append((await world.step(payload, "extract"))["pages_left"])
        progress.append((await latest(world, tenant, payload)).version.progress)
        if not left[-1]:
            break
    assert left == sorted(left, reverse=True)
    assert len(left) > 2
    assert progress == sorted(set(progress))
    assert sorted(world.parser.pages_read) == list(range(1, PAGES + 1))


async def test_a_killed_invocation_loses_and_doubles_no_page(world: World, tenant: Principal) -> None:
    _, payload = await arrived(world, tenant)
    await world.step(payload, "inspect")
    world.parser.page_failures[PAGES] = Unavailable("The container was taken away.")
    with pytest.raises(Unavailable):
        await world.step(payload, "extract")
    assert len(world.keys("work/")) == PAGES - 1

    assert (await world.step(payload, "extract"))["pages_left"] == 0
    assert sorted(world.parser.pages_read) == [*range(1, PAGES + 1), PAGES]


async def test_a_page_that_cannot_be_read_costs_its_own_text_alone(world: World, tenant: Principal) -> None:
    execution, payload = await arrived(world, tenant)
    world.parser.page_failures[2] = IngestionFailed("parser-memory", "Too much.")
    assert await world.run(execution) == "SUCCEEDED"

    document = await latest(world, tenant, payload)
    assert (document.version.ocr_pages, document.version.ocr_poor_pages) == (PAGES, [2])
    assert "Page 2" not in await text_of(world, tenant, document)
    assert "Page 3" in await text_of(world, tenant, document)


async def test_a_scan_of_which_nothing_can_be_read_fails_as_its_first_page_did(world: World, tenant: Principal) -> None:
    execution, payload = await arrived(world, tenant, tiff(Image.new("1", (20, 30))))
    world.parser.page_failures[1] = IngestionFailed("parser-timeout", "Reading the file took longer than 90 s.")
    assert await world.run(execution) == "FAILED"
    document = await latest(world, tenant, payload)
    assert (document.version.error_type, document.version.stage) == ("parser-timeout", Stage.EXTRACTING)


async def test_the_next_attempt_reads_again_what_could_not_be_read_and_nothing_else(world: World, tenant: Principal) -> None:
    _, payload = await arrived(world, tenant)
    await world.step(payload, "inspect")
    world.parser.page_failures[2] = IngestionFailed("parser-memory", "Too much.")
    await world.step(payload, "extract")
    document = await latest(world, tenant, payload)
    await world.reprocessing.reprocess(tenant, document.id, Again(), idle=0)

    assert await world.run(f"{document.id}-1-2") == "SUCCEEDED"

    assert sorted(world.parser.pages_read) == [1, 2, 2, 3, 4, 5]
    assert "Page 2" in " ".join(chunk.text for chunk in await world.documents.chunks(tenant, document.id))


@pytest.mark.parametrize(("limit", "kind"), [(PAGES - 1, "too-many-scanned-pages"), (0, "empty-text")])
async def test_how_many_pages_are_read_is_a_setting(
    settings: Settings, database: Database, tenant: Principal, limit: int, kind: str
) -> None:
    world = World(settings.model_copy(update={"ocr_max_pages": limit}), database)
    execution, payload = await arrived(world, tenant)
    assert await world.run(execution) == "FAILED"
    document = await latest(world, tenant, payload)
    assert document.version.error_type == kind
    assert world.parser.pages_read == []


async def test_pages_with_text_are_not_read_by_ocr(world: World, tenant: Principal) -> None:
    scan = Image.new("L", (60, 84), 200)
    mixed = scanned_pdf([(None, "The first page is text."), (scan, ""), (None, "The third page is text.")])
    execution, payload = await arrived(world, tenant, mixed, "mixed.pdf")
    assert await world.run(execution) == "SUCCEEDED"
    document = await latest(world, tenant, payload)
    assert world.parser.pages_read == [2]
    assert (document.version.pages, document.version.ocr_pages) == (3, 1)
    assert (await text_of(world, tenant, document)).split("\n\n") == [
        "The first page is text.", "Page 2 of the scan.", "The third page is text.",
    ]  # fmt: skip


async def test_a_document_deleted_while_it_is_read_ends_quietly(
    world: World, tenant: Principal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recognition, "_AT_ONCE", 1)  # a second reader may read the rest before the deletion is through
    _, payload = await arrived(world, tenant)
    await world.step(payload, "inspect")
    document = await latest(world, tenant, payload)
    world.storage.before_put = lambda: world.documents.delete(tenant, document.id)
    assert (await world.step(payload, "extract"))["pages_left"] > 0
    assert await world.step(payload, "extract") == {"skipped": True}
    assert world.keys("work/") == []
