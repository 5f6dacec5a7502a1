"""Recall and nDCG on public test sets, with the local model, through the real search.

The reference is the same model with BM25 and plain reciprocal rank fusion.
"""

import struct
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from atrium.db import Database
from atrium.kernel.principal import Principal
from atrium.kernel.settings import Settings
from atrium.retrieval.store import get_space
from tests.conformance.real_data import needs_data
from tests.conformance.retrieval_sets import MODEL, REFERENCE, Asked, index, local_embedder, modes, questions, run, scores
from tests.factories.cluster import Cluster


@pytest.fixture
async def admin(cluster: Cluster, bench_settings: Settings) -> AsyncIterator[psycopg.AsyncConnection[dict[str, Any]]]:
    dsn = cluster.server.dsn("postgres", cluster.server.superuser_password, bench_settings.database_name)
    async with await psycopg.AsyncConnection.connect(dsn, autocommit=True, row_factory=psycopg.rows.dict_row) as connection:
        yield connection


@needs_data
@pytest.mark.parametrize("name", REFERENCE)
async def test_quality(name: str, bench: Database, admin: psycopg.AsyncConnection[dict[str, Any]], model_dir: Path) -> None:
    embedder = local_embedder(model_dir)
    principal = await index(name, bench, admin, embedder)
    asked = await questions(name, embedder)
    found = await scores(name, bench, principal, asked)
    print(f"\n{name:<10} recall@10 / nDCG@10 (reference)")
    for mode, score in found.items():
        recall, ndcg = REFERENCE[name][mode]
        print(f"  {mode:<7}{score.recall:.4f} / {score.ndcg:.4f}   ({recall:.3f} / {f'{ndcg:.3f}' if ndcg else '-'})")
    print(f"  vector against exact: recall@10 {await _against_exact(bench, principal, asked[:200]):.4f}")


async def _against_exact(database: Database, principal: Principal, asked: list[Asked]) -> float:
    query = """
        SELECT d.name FROM atrium.chunks c JOIN atrium.documents d ON d.tenant_id = c.tenant_id AND d.id = c.document_id
        WHERE c.space_id = 1 ORDER BY c.embedding <=> %(v)s::halfvec LIMIT 10"""
    async with database.transaction(principal) as tx:
        space = await get_space(tx, MODEL)
    ours = await run(database, principal, asked, modes(space)["vector"])
    found = 0
    async with database.transaction(principal) as tx:
        for each in asked:
            vector = str(list(struct.unpack(f"<{each.vector.dimensions}f", each.vector.data)))
            exact = await tx.fetch_all(query, v=vector)
            found += len({row["name"] for row in exact} & set(ours[each.id]))
    return found / (10 * len(asked))
