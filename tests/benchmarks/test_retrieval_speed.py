"""Search through the definer function, in a transaction, as the application's role; and how fast chunks get in.

Recall is against an exact scan; the ratio is to that scan under row level security, which is what one gets without the
bits: `ORDER BY embedding <=> … LIMIT 10`. `empty` is a transaction that asks for nothing: what this machine makes of any.
"""

import random
import statistics
import struct
import time
from collections.abc import Awaitable, Callable
from typing import Any
from uuid import UUID

import psycopg
import pytest

from atrium.db import Database
from atrium.kernel.ids import new_id
from atrium.kernel.principal import Principal, TenantId, worker
from atrium.kernel.settings import Settings
from atrium.providers.base import Vectors
from atrium.retrieval.indexing import refresh_indexes
from atrium.retrieval.store import EmbeddingSpace, PostgresVectorStore, Scope, get_space
from tests.benchmarks.words import words
from tests.factories.cluster import Cluster
from tests.factories.retrieval import chunks_of, publish, random_vectors

MODEL = "local/all-minilm-l6-v2"
GOALS = {1000: (1, 2), 5000: (1.3, 2.5), 10000: (2.5, 5), 35000: (2, None)}  # ms at p50: vector, hybrid
OTHERS = 10  # tenants of 2,000 chunks around the measured ones
QUERIES = 60
STORE = PostgresVectorStore()
Admin = psycopg.AsyncConnection[dict[str, Any]]


@pytest.fixture
async def admin(cluster: Cluster, bench_settings: Settings) -> Any:
    dsn = cluster.server.dsn("postgres", cluster.server.superuser_password, bench_settings.database_name)
    async with await psycopg.AsyncConnection.connect(dsn, autocommit=True, row_factory=psycopg.rows.dict_row) as connection:
        yield connection


async def test_retrieval(bench: Database, admin: Admin, cluster: Cluster, bench_settings: Settings) -> None:
    for seed in range(OTHERS):
        await _tenant(bench, admin, 2000, seed)
    tenants = {count: await _tenant(bench, admin, count, count) for count in GOALS}
    print(f"\n{'chunks':>7} {'when':<14}{'mode':<8}{'p50 ms':>7}{'p95':>7}  goal   recall@10  × exact scan")
    for when in ("after ingest", "housekept"):
        if when == "housekept":
            await _keep_house(admin, cluster, bench_settings)
        for count, (principal, vectors) in tenants.items():
            await _measure(bench, principal, vectors, count, when)


async def _keep_house(admin: Admin, cluster: Cluster, settings: Settings) -> None:
    """What the hourly run and the autovacuum do: tenants of `INDEX_THRESHOLD` chunks get an index of their own."""
    owner = Database(cluster.settings(settings.database_name, user="atrium_migrator"))
    started = time.perf_counter()
    report = await refresh_indexes(owner, threshold=settings.index_threshold, deadline=time.monotonic() + 600)
    await owner.close()
    print(f"{report.built} indexes built in {time.perf_counter() - started:.1f} s")
    await admin.execute("CHECKPOINT")
    await admin.execute("VACUUM ANALYZE atrium.chunks, atrium.chunk_bits, atrium.documents")


async def _tenant(database: Database, admin: Admin, count: int, seed: int) -> tuple[Principal, Vectors]:
    """A tenant of documents of 50 chunks; and vectors of the same clusters, to ask with."""
    principal = worker(TenantId(new_id()))
    await admin.execute("INSERT INTO atrium.tenants (tenant_id, name) VALUES (%s, 'bench')", [principal.tenant_id])
    drawn = random_vectors(count + QUERIES, 384, seed)
    row, source = 4 * 384, random.Random(seed)
    for start in range(0, count, 50):
        part = Vectors(50, 384, drawn.data[start * row : (start + 50) * row])
        await publish(database, principal, [words(source, 120) for _ in range(50)], vectors=part, model=MODEL)
    return principal, Vectors(QUERIES, 384, drawn.data[count * row :])


async def _measure(database: Database, principal: Principal, vectors: Vectors, count: int, when: str) -> None:
    async with database.transaction(principal) as tx:
        space = await get_space(tx, MODEL)
    source = random.Random(7)
    asked = [(_at(vectors, place), words(source, 8)) for place in range(QUERIES)]
    _, empty_time = await _timed(asked, lambda *_: _empty(database, principal))
    exact, exact_time = await _timed(asked, lambda vector, _: _exact(database, principal, vector))
    near, near_time = await _timed(asked, lambda vector, _: _vector(database, principal, space, vector))
    _, both_time = await _timed(asked, lambda vector, text: _hybrid(database, principal, space, vector, text))
    recall = statistics.mean(len(set(a) & set(b)) / 10 for a, b in zip(near, exact, strict=True))
    modes = (("empty", empty_time, None), ("vector", near_time, GOALS[count][0]), ("hybrid", both_time, GOALS[count][1]))
    for mode, times, goal in modes:
        p50, p95 = statistics.median(times), sorted(times)[int(len(times) * 0.95)]
        note = f"{recall:>9.3f}  {statistics.median(exact_time) / p50:>8.1f}" if mode == "vector" else ""
        print(f"{count:>7} {when:<14}{mode:<8}{p50:>7.2f}{p95:>7.2f}  {goal or '':<5}{note}")
    assert all(len(ids) == 10 for ids in near)


def _at(vectors: Vectors, place: int) -> Vectors:
    size = 4 * vectors.dimensions
    return Vectors(1, vectors.dimensions, vectors.data[place * size : (place + 1) * size])


Ask = Callable[[Vectors, str], Awaitable[list[UUID]]]


async def _timed(asked: list[tuple[Vectors, str]], ask: Ask) -> tuple[list[list[UUID]], list[float]]:
    """The answers, and milliseconds of each; a first round warms caches and plans."""
    for vector, text in asked[:10]:
        await ask(vector, text)
    found, times = [], []
    for vector, text in asked:
        start = time.perf_counter()
        found.append(await ask(vector, text))
        times.append((time.perf_counter() - start) * 1000)
    return found, times


async def _empty(database: Database, principal: Principal) -> list[UUID]:
    async with database.transaction(principal) as tx:
        await tx.begin()
    return []


async def _vector(database: Database, principal: Principal, space: EmbeddingSpace, vector: Vectors) -> list[UUID]:
    async with database.transaction(principal) as tx:
        found = await STORE.similarity_search(tx, space, vector, scope=Scope(), limit=10)
    return [hit.chunk_id for hit in found.hits]


async def _hybrid(database: Database, principal: Principal, space: EmbeddingSpace, vector: Vectors, text: str) -> list[UUID]:
    async with database.transaction(principal) as tx:
        found = await STORE.hybrid_search(tx, space, vector, text, language="en", scope=Scope(), limit=10)
    return [hit.chunk_id for hit in found.hits]


async def _exact(database: Database, principal: Principal, vector: Vectors) -> list[UUID]:
    text = str(list(struct.unpack(f"<{vector.dimensions}f", vector.data)))
    async with database.transaction(principal) as tx:
        rows = await tx.fetch_all(
            "SELECT id, document_id, text FROM atrium.chunks WHERE space_id = 1 ORDER BY embedding <=> %(v)s::halfvec LIMIT 10",
            v=text,
        )
    return [row["id"] for row in rows]


@pytest.mark.parametrize(("model", "dimensions"), [(MODEL, 384), ("test/four", 4)])
async def test_insert_rate(bench: Database, admin: Admin, model: str, dimensions: int) -> None:
    principal = worker(TenantId(new_id()))
    await admin.execute("INSERT INTO atrium.tenants (tenant_id, name) VALUES (%s, 'bench')", [principal.tenant_id])
    source = random.Random(1)
    count = 3000
    chunks = chunks_of(new_id(), [words(source, 120) for _ in range(count)])
    vectors = random_vectors(count, dimensions)
    async with bench.transaction(principal) as tx:
        space = await get_space(tx, model)
        start = time.perf_counter()
        assert await STORE.upsert(tx, space, chunks, vectors) == count
        seconds = time.perf_counter() - start
    print(f"\ninsert, {dimensions} dimensions, 120 words, bits and text index: {count / seconds:,.0f} chunks/s (goal 10,000)")
