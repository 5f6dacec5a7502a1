"""The store's writing half, on a real database as atrium_app."""

from dataclasses import replace

import pytest

from atrium.db import Database
from atrium.kernel.errors import InvalidInput
from atrium.kernel.ids import new_id
from atrium.kernel.principal import Principal
from atrium.retrieval.store import PostgresVectorStore, get_space
from tests.factories.retrieval import MODEL, chunks_of, publish, random_vectors

STORE = PostgresVectorStore()


async def test_chunks_come_back_as_they_went_in(database: Database, tenant: Principal) -> None:
    chunks = chunks_of(new_id(), [f"text {i} ünïcode ✓ \\ ' \n" for i in range(300)], page_from=1, page_to=2, heading="A > B")
    async with database.transaction(tenant) as tx:
        space = await get_space(tx, MODEL)
        assert await STORE.upsert(tx, space, chunks, random_vectors(300, 4)) == 300

        first = await STORE.list_chunks(tx, chunks[0].document_id, 1, limit=100)
        rest = await STORE.list_chunks(tx, chunks[0].document_id, 1, (99,), 500)

    assert first + rest == chunks


async def test_an_upsert_replaces(database: Database, tenant: Principal) -> None:
    chunks = chunks_of(new_id(), ["one", "two"])
    async with database.transaction(tenant) as tx:
        space = await get_space(tx, MODEL)
        await STORE.upsert(tx, space, chunks, random_vectors(2, 4))
        await STORE.upsert(tx, space, [replace(chunks[1], text="two, again")], random_vectors(1, 4))

        texts = [chunk.text for chunk in await STORE.list_chunks(tx, chunks[0].document_id, 1)]

    assert texts == ["one", "two, again"]


async def test_a_version_can_be_kept(database: Database, tenant: Principal) -> None:
    document = new_id()
    async with database.transaction(tenant) as tx:
        space = await get_space(tx, MODEL)
        for version in (1, 2):
            await STORE.upsert(tx, space, chunks_of(document, ["a", "b"], version=version), random_vectors(2, 4))

        assert await STORE.delete(tx, document, keep_version=2) == 2
        assert len(await STORE.list_chunks(tx, document, 2)) == 2
        assert await STORE.delete(tx, document) == 2
        assert await STORE.list_chunks(tx, document, 2) == []


async def test_another_tenants_chunks_cannot_be_deleted(database: Database, tenant: Principal, other_tenant: Principal) -> None:
    document = await publish(database, tenant, ["mine"])
    async with database.transaction(other_tenant) as tx:
        assert await STORE.delete(tx, document) == 0
        assert await STORE.list_chunks(tx, document, 1) == []
    async with database.transaction(tenant) as tx:
        assert len(await STORE.list_chunks(tx, document, 1)) == 1


@pytest.mark.parametrize(("count", "dimensions"), [(1, 4), (3, 4), (2, 3)])
async def test_vectors_that_do_not_fit_are_refused(database: Database, tenant: Principal, count: int, dimensions: int) -> None:
    async with database.transaction(tenant) as tx:
        space = await get_space(tx, MODEL)
        with pytest.raises(InvalidInput):
            await STORE.upsert(tx, space, chunks_of(new_id(), ["a", "b"]), random_vectors(count, dimensions))


async def test_nothing_to_write_is_nothing(database: Database, tenant: Principal) -> None:
    async with database.transaction(tenant) as tx:
        space = await get_space(tx, MODEL)
        assert await STORE.upsert(tx, space, [], random_vectors(1, 4).__class__(0, 4, b"")) == 0
