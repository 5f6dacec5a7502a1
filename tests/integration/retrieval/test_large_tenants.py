"""Search through a tenant's own HNSW index: as good as exact, never short, and only where it is."""

import struct
import time
from functools import cache
from typing import Any

import psycopg
import pytest

from atrium.db import Database
from atrium.kernel.principal import Principal
from atrium.kernel.settings import Settings
from atrium.providers.base import Vectors
from atrium.retrieval.indexing import IndexReport, refresh_indexes
from atrium.retrieval.store import Found, PostgresVectorStore, Scope, get_space
from tests.factories.cluster import Cluster
from tests.factories.retrieval import publish, random_vectors

MODEL = "local/all-minilm-l6-v2"
COUNT = 1500
ALL = Scope()
Admin = psycopg.AsyncConnection[dict[str, Any]]
ROW = 4 * 384


@cache
def drawn() -> bytes:
    """The tenant's vectors, and those of 20 questions: a second's work, which no other test waits for."""
    return random_vectors(COUNT + 20, 384, seed=3).data


def questions() -> list[Vectors]:
    return [Vectors(1, 384, drawn()[at : at + ROW]) for at in range(COUNT * ROW, len(drawn()), ROW)]


@pytest.fixture
async def large(database: Database, cluster: Cluster, settings: Settings, tenant: Principal) -> Database:
    """A tenant of 1,500 chunks in documents of 500, with its index."""
    for start in range(0, COUNT, 500):
        part = Vectors(500, 384, drawn()[start * ROW : (start + 500) * ROW])
        texts = [f"text {start + i}" for i in range(500)]
        await publish(database, tenant, texts, vectors=part, model=MODEL, collection=f"c{start}")
    owner = Database(cluster.settings(settings.database_name, user="atrium_migrator"))
    assert await refresh_indexes(owner, threshold=1000, deadline=time.monotonic() + 60) == IndexReport(built=1)
    await owner.close()
    return database


async def nearest(database: Database, principal: Principal, vector: Vectors, scope: Scope = ALL, limit: int = 10) -> Found:
    async with database.transaction(principal) as tx:
        space = await get_space(tx, MODEL)
        return await PostgresVectorStore().similarity_search(tx, space, vector, scope=scope, limit=limit)


async def exact(connection: Admin, principal: Principal, vector: Vectors) -> set[str]:
    rows = await connection.execute(
        "SELECT text FROM atrium.chunks WHERE tenant_id = %s ORDER BY embedding <=> %s::halfvec LIMIT 10",
        [principal.tenant_id, str(list(struct.unpack("<384f", vector.data)))],
    )
    return {row["text"] for row in await rows.fetchall()}


async def test_the_index_finds_what_an_exact_scan_finds(large: Database, tenant: Principal, admin_connection: Admin) -> None:
    found = [await nearest(large, tenant, vector) for vector in questions()]

    assert [len(each.hits) for each in found] == [10] * len(questions())
    assert {each.compared for each in found} == {100}
    shared = [
        len({hit.text for hit in each.hits} & await exact(admin_connection, tenant, vector))
        for each, vector in zip(found, questions(), strict=True)
    ]
    assert sum(shared) / (10 * len(questions())) >= 0.99


async def test_the_index_is_used(large: Database, tenant: Principal, admin_connection: Admin) -> None:
    used = "SELECT idx_scan AS n FROM pg_stat_user_indexes WHERE indexrelname LIKE 'chunks_1_hnsw_%'"
    await nearest(large, tenant, questions()[0])
    await large.close()  # a session reports its counts when it ends
    scans = 0
    for _ in range(50):
        row = await (await admin_connection.execute(used)).fetchone()
        scans = row["n"] if row else 0
        if scans:
            break
        await admin_connection.execute("SELECT pg_sleep(0.1), pg_stat_clear_snapshot()")
    assert scans == 1


async def test_a_few_documents_are_searched_by_bits(large: Database, tenant: Principal) -> None:
    found = await nearest(large, tenant, questions()[0], Scope(collections=("c500",)), limit=50)

    assert len(found.hits) == 50
    assert found.compared == 200
    assert {500 <= int(hit.text.split()[1]) < 1000 for hit in found.hits} == {True}


async def test_another_tenants_index_is_nothing_to_me(large: Database, other_tenant: Principal) -> None:
    await publish(large, other_tenant, ["mine"], model=MODEL)

    assert [hit.text for hit in (await nearest(large, other_tenant, questions()[0])).hits] == ["mine"]


async def test_what_was_added_or_removed_since_counts(large: Database, tenant: Principal, admin_connection: Admin) -> None:
    await publish(large, tenant, ["added"], vectors=questions()[0], model=MODEL)
    assert (await nearest(large, tenant, questions()[0])).hits[0].text == "added"

    await admin_connection.execute("DELETE FROM atrium.chunks WHERE text <> 'added' AND ordinal > 0")

    found = await nearest(large, tenant, questions()[0])
    assert len(found.hits) == 4
    assert found.compared == 8  # the index's, which was too little, and then all of them by their bits


async def test_an_index_that_went_is_done_without(large: Database, tenant: Principal, admin_connection: Admin) -> None:
    await admin_connection.execute(f"DROP INDEX atrium.chunks_1_hnsw_{tenant.tenant_id.hex}")

    assert len((await nearest(large, tenant, questions()[0])).hits) == 10
