"""Beside langchain-postgres, on one server in one run: how fast chunks get in, and a search in each cell.

Ours goes through the definer function, in a transaction, as the application's role; large tenants have their own indexes,
as housekeeping makes them. Neither waits for its disk. Times are of one client; compare the ratios, not the milliseconds
of two machines.
"""

import json
import os
import random
import shutil
import statistics
import struct
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from itertools import batched
from pathlib import Path
from typing import Any

import psycopg
import pytest

from atrium.db import Database
from atrium.kernel.principal import Principal
from atrium.kernel.settings import Settings
from atrium.providers.base import Vectors
from atrium.retrieval.indexing import refresh_indexes
from atrium.retrieval.store import PostgresVectorStore, Scope, get_space
from tests.benchmarks.words import words
from tests.factories.cluster import Cluster
from tests.factories.retrieval import publish, random_vectors
from tests.factories.tenancy import make_tenant

MODEL, DIMENSIONS = "local/all-minilm-l6-v2", 384
SIZES = (1_000, 5_000, 10_000, 35_000)
QUERIES = 60
DOCUMENT = 5_000  # chunks
ENVIRONMENT = Path(__file__).parents[2] / "build" / "langchain"
PACKAGES = ("langchain-postgres==0.0.19", "psycopg[binary]")
Admin = psycopg.AsyncConnection[dict[str, Any]]


@dataclass
class Tenant:
    """One cell: its chunks, its questions, and what each side took and found."""

    size: int
    texts: list[str]
    vectors: Vectors
    questions: list[Vectors]
    principal: Principal
    rate: float = 0.0
    times: list[float] = field(default_factory=list)
    found: list[list[str]] = field(default_factory=list)
    exact: list[list[str]] = field(default_factory=list)


@pytest.fixture
async def admin(cluster: Cluster, bench_settings: Settings) -> AsyncIterator[Admin]:
    dsn = cluster.server.dsn("postgres", cluster.server.superuser_password, bench_settings.database_name)
    async with await psycopg.AsyncConnection.connect(dsn, autocommit=True, row_factory=psycopg.rows.dict_row) as connection:
        yield connection


async def test_beside_langchain(
    bench: Database, admin: Admin, cluster: Cluster, bench_settings: Settings, tmp_path: Path
) -> None:
    tenants = [await _tenant(admin, size) for size in SIZES]
    for tenant in tenants:
        await _fill(bench, tenant)
    owner = Database(cluster.settings(bench_settings.database_name, user="atrium_migrator"))
    begun = time.perf_counter()
    await refresh_indexes(owner, threshold=bench_settings.index_threshold, deadline=time.monotonic() + 600)
    indexing = time.perf_counter() - begun
    await owner.close()
    for tenant in tenants:
        await _ask(bench, admin, tenant)
    with cluster.clone() as name:  # a database of its own on the same server
        url = f"postgresql+psycopg://postgres:{cluster.server.superuser_password}@{cluster.server.host}:{cluster.server.port}/{name}"
        theirs = _langchain(tenants, url, tmp_path)
    _print(tenants, theirs)
    _print_with_indexes(tenants, indexing, theirs)


async def _tenant(admin: Admin, size: int) -> Tenant:
    drawn = random_vectors(size + QUERIES, DIMENSIONS, size)
    row, source = 4 * DIMENSIONS, random.Random(size)
    texts = [f"{place} {words(source, 120)}" for place in range(size)]
    asked = [Vectors(1, DIMENSIONS, drawn.data[at : at + row]) for at in range(size * row, len(drawn.data), row)]
    principal = await make_tenant(admin, name=f"tenant of {size}")
    return Tenant(size, texts, Vectors(size, DIMENSIONS, drawn.data[: size * row]), asked, principal)


async def _fill(database: Database, tenant: Tenant) -> None:
    """Documents of 5,000 chunks, each in a transaction of its own, as publishing does it; a smaller tenant is one document."""
    row, seconds = 4 * DIMENSIONS, 0.0
    for start, texts in zip(range(0, tenant.size, DOCUMENT), batched(tenant.texts, DOCUMENT, strict=False), strict=True):
        part = Vectors(len(texts), DIMENSIONS, tenant.vectors.data[start * row : (start + len(texts)) * row])
        begun = time.perf_counter()
        await publish(database, tenant.principal, texts, vectors=part, model=MODEL)
        seconds += time.perf_counter() - begun
    tenant.rate = tenant.size / seconds


async def _ask(database: Database, admin: Admin, tenant: Tenant) -> None:
    store = PostgresVectorStore()
    async with database.transaction(tenant.principal) as tx:
        space = await get_space(tx, MODEL)
    for question in (*tenant.questions[:10], *tenant.questions):  # the first ten warm caches and plans
        start = time.perf_counter()
        async with database.transaction(tenant.principal) as tx:
            found = await store.similarity_search(tx, space, question, scope=Scope(), limit=10)
        tenant.times.append((time.perf_counter() - start) * 1000)
        tenant.found.append([hit.text for hit in found.hits])
    tenant.times, tenant.found = tenant.times[10:], tenant.found[10:]
    query = "SELECT text FROM atrium.chunks_1 WHERE tenant_id = %s ORDER BY embedding <=> %s::halfvec LIMIT 10"
    for question in tenant.questions:
        vector = str(list(struct.unpack(f"<{DIMENSIONS}f", question.data)))
        rows = await (await admin.execute(query, [tenant.principal.tenant_id, vector])).fetchall()
        tenant.exact.append([row["text"] for row in rows])


def _langchain(tenants: list[Tenant], url: str, folder: Path) -> dict[str, Any]:
    plan: dict[str, Any] = {"url": url, "dimensions": DIMENSIONS, "tenants": []}
    for tenant in tenants:
        paths = {name: folder / f"{tenant.size}.{name}" for name in ("texts", "vectors", "questions")}
        paths["texts"].write_text(json.dumps(tenant.texts))
        paths["vectors"].write_bytes(tenant.vectors.data)
        paths["questions"].write_bytes(b"".join(each.data for each in tenant.questions))
        plan["tenants"].append({"tenant": str(tenant.size)} | {name: str(path) for name, path in paths.items()})
    script = Path(__file__).with_name("langchain_pgvector.py")
    ran = subprocess.run([_interpreter(), script], input=json.dumps(plan), capture_output=True, text=True, check=True)
    answer: dict[str, Any] = json.loads(ran.stdout)
    return answer


def _interpreter() -> Path:
    """An environment of its own, so that nothing of it comes into ours."""
    python = ENVIRONMENT / "bin" / "python"
    uv = os.environ.get("UV") or shutil.which("uv")
    if uv is None:
        pytest.skip("no uv to make langchain-postgres an environment: set UV")
    if not python.exists():
        subprocess.run([uv, "venv", "--quiet", "--python", sys.executable, ENVIRONMENT], check=True)
    subprocess.run([uv, "pip", "install", "--quiet", "--python", python, *PACKAGES], check=True)
    return python


def _print(tenants: list[Tenant], theirs: dict[str, Any]) -> None:
    print(
        f"{'chunks':>7}  {'ours p50/p95':>14} {'recall':>7} {'theirs p50/p95':>16} {'recall':>7} {'short':>6} {'x faster':>9}",
        end="",
    )
    print(f"  {'ours rows/s':>11} {'theirs':>7} {'x':>5}")
    for tenant in tenants:
        asked, rate = theirs["asked"][str(tenant.size)], theirs["rates"][str(tenant.size)]
        short = sum(len(found) < 10 for found in asked["found"])
        ratio = statistics.median(asked["times"]) / statistics.median(tenant.times)
        print(f"{tenant.size:>7}  {_spread(tenant.times):>14} {_recall(tenant.found, tenant.exact):>7.3f}", end=" ")
        print(f"{_spread(asked['times']):>16} {_recall(asked['found'], tenant.exact):>7.3f} {short:>6} {ratio:>9.1f}", end="")
        print(f"  {tenant.rate:>11,.0f} {rate:>7,.0f} {tenant.rate / rate:>5.1f}")


def _print_with_indexes(tenants: list[Tenant], indexing: float, theirs: dict[str, Any]) -> None:
    """Of all rows, vector indexes included: theirs of all, ours of the large tenants and of every word."""
    rows = sum(tenant.size for tenant in tenants)
    ours = rows / (indexing + sum(tenant.size / tenant.rate for tenant in tenants))
    other = rows / (theirs["indexing"] + sum(tenant.size / theirs["rates"][str(tenant.size)] for tenant in tenants))
    print(f"rows/s with the vector indexes: ours {ours:,.0f}, theirs {other:,.0f}, x {ours / other:.1f}")


def _spread(times: list[float]) -> str:
    return f"{statistics.median(times):.2f} / {sorted(times)[int(len(times) * 0.95)]:.2f}"


def _recall(found: list[list[str]], exact: list[list[str]]) -> float:
    return statistics.mean(len(set(a) & set(b)) / 10 for a, b in zip(found, exact, strict=True))
