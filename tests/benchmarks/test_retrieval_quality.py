"""Recall and nDCG on public test sets, with the local model, through the real search.

The reference is the same model with BM25 and plain reciprocal rank fusion.
"""

import json
import math
import os
import struct
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from atrium.db import Database
from atrium.kernel.errors import NotFound
from atrium.kernel.ids import new_id
from atrium.kernel.principal import Principal, TenantId, worker
from atrium.kernel.settings import Settings
from atrium.providers import registry
from atrium.providers.base import Embedder, Vectors
from atrium.providers.credentials import Credentials
from atrium.retrieval.language import detect
from atrium.retrieval.store import EmbeddingSpace, Found, PostgresVectorStore, Scope, get_space
from tests.factories.cluster import Cluster
from tests.factories.retrieval import publish

MODEL = "local/all-minilm-l6-v2"
# recall@10 / nDCG@10 of text, vector and fused.
REFERENCE = {
    "cranfield": ((0.380, 0.360), (0.404, 0.385), (0.431, 0.419)),
    "xquad-en": ((0.992, 0.961), (0.988, 0.933), (0.995, 0.968)),
    "xquad-de": ((0.971, None), (0.829, None), (0.956, None)),
}
STORE = PostgresVectorStore()
Grades = dict[str, dict[str, int]]
Run = dict[str, list[str]]


def data(name: str) -> Path:
    root = Path(os.environ.get("ATRIUM_CONFORMANCE_DATA", Path(__file__).parents[3] / "shared" / "data"))
    if not (root / "rag" / name / "corpus.jsonl").exists():
        pytest.skip(f"no test set {name} in {root}: set ATRIUM_CONFORMANCE_DATA")
    return root / "rag" / name


@pytest.mark.parametrize("name", REFERENCE)
async def test_quality(name: str, bench: Database, cluster: Cluster, bench_settings: Settings, model_dir: Path) -> None:
    folder = data(name)
    embedder = registry.embedder(MODEL, credentials=_no_keys, model_dir=model_dir)
    principal = await _index(folder, bench, cluster, bench_settings, embedder)
    asked = await _questions(folder, embedder)
    async with bench.transaction(principal) as tx:
        space = await get_space(tx, MODEL)
    grades = _grades(folder)
    rows = [await _ask(bench, principal, asked, ask) for ask in _modes(space)]
    print(f"\n{name:<10} recall@10 / nDCG@10 (reference)")
    for mode, run, (recall, ndcg) in zip(("text", "vector", "hybrid"), rows, REFERENCE[name], strict=True):
        reference = f"{recall:.3f} / {f'{ndcg:.3f}' if ndcg else '-'}"
        print(f"  {mode:<7}{_recall(grades, run):.3f} / {_ndcg(grades, run):.3f}   ({reference})")
    print(f"  vector against exact: recall@10 {await _against_exact(bench, principal, asked, rows[1]):.4f}")
    assert all(rows)


async def _no_keys(provider: str, *, refresh: bool = False) -> Credentials:
    raise NotFound(provider)


async def _index(folder: Path, database: Database, cluster: Cluster, settings: Settings, embedder: Embedder) -> Principal:
    principal = worker(TenantId(new_id()))
    with cluster.superuser(settings.database_name) as admin:
        admin.execute("INSERT INTO atrium.tenants (tenant_id, name) VALUES (%s, 'bench')", [principal.tenant_id])
    rows = [json.loads(line) for line in (folder / "corpus.jsonl").read_text().splitlines()]
    vectors = await embedder.embed([row["text"] or "-" for row in rows], "document")
    size = 4 * vectors.dimensions
    for place, row in enumerate(rows):
        one = Vectors(1, vectors.dimensions, vectors.data[place * size : (place + 1) * size])
        language = "de" if folder.name.endswith("de") else "en"
        await publish(database, principal, [row["text"] or "-"], name=row["_id"], vectors=one, model=MODEL, language=language)
    return principal


Asked = list[tuple[str, str, Vectors]]


async def _questions(folder: Path, embedder: Embedder) -> Asked:
    rows = [json.loads(line) for line in (folder / "queries.jsonl").read_text().splitlines()]
    vectors = await embedder.embed([row["text"] for row in rows], "query")
    size = 4 * vectors.dimensions
    return [
        (row["_id"], row["text"], Vectors(1, vectors.dimensions, vectors.data[place * size : (place + 1) * size]))
        for place, row in enumerate(rows)
    ]


Ask = Callable[[Any, str, Vectors], Awaitable[Found]]


def _modes(space: EmbeddingSpace) -> tuple[Ask, Ask, Ask]:
    scope = Scope()
    return (
        lambda tx, text, _: STORE.keyword_search(tx, space, text, scope=scope, limit=10),
        lambda tx, _, vector: STORE.similarity_search(tx, space, vector, scope=scope, limit=10),
        lambda tx, text, vector: STORE.hybrid_search(tx, space, vector, text, language=detect(text), scope=scope, limit=10),
    )


async def _ask(database: Database, principal: Principal, asked: Asked, ask: Ask) -> Run:
    run: Run = {}
    async with database.transaction(principal) as tx:
        for identifier, text, vector in asked:
            run[identifier] = [hit.document_name for hit in (await ask(tx, text, vector)).hits]
    return run


async def _against_exact(database: Database, principal: Principal, asked: Asked, run: Run) -> float:
    query = """
        SELECT d.name FROM atrium.chunks c JOIN atrium.documents d ON d.tenant_id = c.tenant_id AND d.id = c.document_id
        WHERE c.space_id = 1 ORDER BY c.embedding <=> %(v)s::halfvec LIMIT 10"""
    found = 0
    async with database.transaction(principal) as tx:
        for identifier, _, vector in asked[:200]:
            exact = await tx.fetch_all(query, v=str(list(struct.unpack(f"<{vector.dimensions}f", vector.data))))
            found += len({row["name"] for row in exact} & set(run[identifier]))
    return found / (10 * len(asked[:200]))


def _grades(folder: Path) -> Grades:
    grades: Grades = {}
    for line in (folder / "qrels.tsv").read_text().splitlines()[1:]:
        query, document, grade = line.split("\t")
        grades.setdefault(query, {})[document] = int(grade)
    return grades


def _recall(grades: Grades, run: Run) -> float:
    return sum(len(set(run.get(query, [])) & relevant.keys()) / len(relevant) for query, relevant in grades.items()) / len(grades)


def _ndcg(grades: Grades, run: Run) -> float:
    shares = [_gain(relevant, run.get(query, [])) / _gain(relevant, _ideal(relevant)) for query, relevant in grades.items()]
    return sum(shares) / len(shares)


def _gain(relevant: dict[str, int], ranked: list[str]) -> float:
    return sum(float(2 ** relevant.get(document, 0) - 1) / math.log2(place + 2) for place, document in enumerate(ranked[:10]))


def _ideal(relevant: dict[str, int]) -> list[str]:
    return sorted(relevant, key=lambda document: -relevant[document])
