"""What a deletion reaches, and what it must not: files that were dropped after it, or again, or under another name."""

from dataclasses import replace
from typing import Any

import psycopg
import pytest

from atrium.db import Database
from atrium.documents.collections import NewCollection
from atrium.documents.deletion import Deletions
from atrium.documents.ingestion.arrivals import ObjectDeleted, Receipt
from atrium.documents.models import Document, DocumentChange, DocumentFilter
from atrium.kernel.principal import Principal
from atrium.kernel.settings import Settings
from tests.factories.documents import World

Connection = psycopg.AsyncConnection[dict[str, Any]]


async def only(world: World, tenant: Principal) -> Document:
    (document,) = await world.documents.list_page(tenant, DocumentFilter())
    return document


async def test_every_version_of_every_object_goes_and_the_tombstone_says_so(
    world: World, tenant: Principal, admin_connection: Connection
) -> None:
    for n in range(3):
        await world.ingest(await world.drop(tenant, "a.txt", f"Text number {n}.".encode()))
    document = await only(world, tenant)
    world.storage.mark_deleted(f"drop/{tenant.tenant_id}/a.txt")
    await world.documents.delete(tenant, document.id)
    assert world.storage.objects == {}
    assert world.storage.markers == set()
    rows = await (await admin_connection.execute(
        "SELECT deleted_at IS NOT NULL AS deleted, objects_removed_at IS NOT NULL AS removed FROM atrium.documents"
    )).fetchall()  # fmt: skip
    assert rows == [{"deleted": True, "removed": True}]


async def test_a_file_dropped_between_the_deletion_and_its_objects_removal_stays_and_is_a_new_document(
    world: World, tenant: Principal, monkeypatch: pytest.MonkeyPatch
) -> None:
    await world.ingest(await world.drop(tenant, "a.txt", b"The first text."))
    old = await only(world, tenant)
    arrivals = []
    clear = Deletions.clear

    async def raced(self: Deletions, principal: Principal, document: Document) -> None:
        arrivals.append(await world.drop(tenant, "a.txt", b"The second text."))
        await clear(self, principal, document)

    monkeypatch.setattr(Deletions, "clear", raced)
    await world.documents.delete(tenant, old.id)

    assert await world.ingest(arrivals[0]) is Receipt.STARTED
    new = await only(world, tenant)
    (chunk,) = await world.documents.chunks(tenant, new.id)
    assert (new.id != old.id, chunk.text) == (True, "The second text.")
    monkeypatch.undo()
    await world.documents.delete(tenant, old.id)  # once more
    assert await world.storage.versions(arrivals[0].key) == (arrivals[0].version_id,)


async def test_older_writes_to_a_file_that_holds_an_uploads_bytes_are_stale(world: World, tenant: Principal) -> None:
    older = await world.drop(tenant, "a.txt", b"An older text.")
    same = await world.drop(tenant, "a.txt", b"The same text.")
    document = await world.ready(tenant, "a.txt", "The same text.")
    assert await world.receive(same) is Receipt.UNCHANGED
    assert await world.receive(older) is Receipt.STALE
    assert (await only(world, tenant)).latest_version == 1
    await world.documents.delete(tenant, document.id)
    assert await world.receive(same) is Receipt.GONE
    assert await world.receive(older) is Receipt.STALE
    assert world.storage.objects == {}


async def test_a_message_that_names_no_version_stands_for_the_one_that_is_there(world: World, tenant: Principal) -> None:
    arrival = await world.drop(tenant, "a.txt", b"Some text.")
    assert await world.ingest(replace(arrival, version_id="")) is Receipt.STARTED
    document = await only(world, tenant)
    assert document.version.object_version_id == arrival.version_id
    await world.documents.delete(tenant, document.id)
    assert world.storage.objects == {}


@pytest.fixture
def mirror(settings: Settings, database: Database) -> World:
    """A deployment in which a file deleted from the drop folder takes its document along."""
    return World(settings, database, drop_delete="mirror")


def deletion(world: World, key: str) -> ObjectDeleted:
    """What a user's deletion does, and its message."""
    world.storage.mark_deleted(key)
    world._sequence += 1
    return ObjectDeleted(key, f"{world._sequence:016X}")


async def test_deleted_files_are_ignored_unless_they_are_mirrored(world: World, tenant: Principal) -> None:
    arrival = await world.drop(tenant, "a.txt", b"Some text.")
    await world.ingest(arrival)
    assert await world.receive(deletion(world, arrival.key)) is Receipt.IGNORED
    assert (await only(world, tenant)).ready_version == 1


async def test_a_mirrored_deletion_deletes_the_document_and_late_messages_lose_to_it(mirror: World, tenant: Principal) -> None:
    first = await mirror.drop(tenant, "contracts/a.txt", b"The first text.")
    second = await mirror.drop(tenant, "contracts/a.txt", b"The second text.")
    await mirror.ingest(first)
    gone = deletion(mirror, first.key)
    assert await mirror.receive(gone) is Receipt.DELETED
    assert await mirror.documents.list_page(tenant, DocumentFilter()) == []
    assert await mirror.receive(gone) is Receipt.UNCHANGED
    assert await mirror.receive(second) is Receipt.STALE
    assert await mirror.receive(first) is Receipt.STALE
    again = await mirror.drop(tenant, "contracts/a.txt", b"The third text.")
    assert await mirror.ingest(again) is Receipt.STARTED
    assert await mirror.receive(gone) is Receipt.UNCHANGED  # the file is there again


async def test_a_deletion_that_is_heard_of_first_wins_too(mirror: World, tenant: Principal) -> None:
    arrival = await mirror.drop(tenant, "a.txt", b"Some text.")
    assert await mirror.receive(deletion(mirror, arrival.key)) is Receipt.UNCHANGED
    assert await mirror.receive(arrival) is Receipt.STALE
    assert await mirror.documents.list_page(tenant, DocumentFilter()) == []


async def test_what_came_through_the_api_since_is_not_the_folders(
    mirror: World, tenant: Principal, other_tenant: Principal
) -> None:
    arrival = await mirror.drop(tenant, "a.txt", b"Dropped.")
    await mirror.ingest(arrival)
    document = await mirror.ready(tenant, "a.txt", "Uploaded.")
    assert await mirror.receive(deletion(mirror, arrival.key)) is Receipt.UNCHANGED
    assert (await only(mirror, tenant)).id == document.id
    other = await mirror.drop(other_tenant, "a.txt", b"Another's.")
    await mirror.ingest(other)
    assert (await only(mirror, other_tenant)).ready_version == 1


async def test_a_mirrored_deletion_finds_a_document_that_was_renamed_and_moved(mirror: World, tenant: Principal) -> None:
    arrival = await mirror.drop(tenant, "a.txt", b"Dropped.")
    await mirror.ingest(arrival)
    document = await only(mirror, tenant)
    await mirror.collections.create(tenant, NewCollection("contracts"))
    await mirror.documents.change(tenant, document.id, DocumentChange(name="b.txt", collection="contracts"))
    assert await mirror.receive(deletion(mirror, arrival.key)) is Receipt.DELETED
    assert await mirror.documents.list_page(tenant, DocumentFilter()) == []


async def test_it_takes_the_document_of_the_last_write_and_no_older_one(mirror: World, tenant: Principal) -> None:
    first = await mirror.drop(tenant, "a.txt", b"Dropped.")
    await mirror.ingest(first)
    kept = await only(mirror, tenant)
    await mirror.documents.change(tenant, kept.id, DocumentChange(name="b.txt"))
    await mirror.ingest(await mirror.drop(tenant, "a.txt", b"Dropped again."))
    assert await mirror.receive(deletion(mirror, first.key)) is Receipt.DELETED
    assert (await only(mirror, tenant)).id == kept.id
