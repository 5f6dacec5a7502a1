"""The width of the rerank, gated on real embeddings: quantized search finds what an exact scan finds."""

import json
import struct
from pathlib import Path

from atrium.db import Database
from atrium.kernel.errors import NotFound
from atrium.kernel.principal import Principal
from atrium.providers import registry
from atrium.providers.base import Vectors
from atrium.providers.credentials import Credentials
from atrium.retrieval.store import PostgresVectorStore, Scope, get_space
from tests.conformance.real_data import DATA, needs_data
from tests.factories.retrieval import publish

MODEL = "local/all-minilm-l6-v2"
TOP = 10
EXACT = "SELECT id FROM atrium.chunks WHERE space_id = 1 ORDER BY embedding <=> %(vector)s::public.halfvec LIMIT 10"


def texts(name: str) -> list[str]:
    lines = (DATA / "rag" / "cranfield" / name).read_text(encoding="utf-8").splitlines()
    return [json.loads(line)["text"] or "-" for line in lines]


async def no_keys(provider: str, *, refresh: bool = False) -> Credentials:
    raise NotFound(provider)


def rows(vectors: Vectors) -> list[Vectors]:
    size = 4 * vectors.dimensions
    return [Vectors(1, vectors.dimensions, vectors.data[at : at + size]) for at in range(0, len(vectors.data), size)]


@needs_data
async def test_recall_of_the_quantized_search_against_an_exact_one(
    database: Database, tenant: Principal, model_dir: Path
) -> None:
    embedder = registry.embedder(MODEL, credentials=no_keys, model_dir=model_dir)
    corpus = texts("corpus.jsonl")
    await publish(database, tenant, corpus, vectors=await embedder.embed(corpus, "document"), model=MODEL)
    asked = rows(await embedder.embed(texts("queries.jsonl")[:100], "query"))
    found = 0
    async with database.transaction(tenant) as tx:
        space = await get_space(tx, MODEL)
        for vector in asked:
            exact = await tx.fetch_all(EXACT, vector=str(list(struct.unpack(f"<{vector.dimensions}f", vector.data))))
            hits = (await PostgresVectorStore().similarity_search(tx, space, vector, scope=Scope(), limit=TOP)).hits
            assert len(hits) == TOP
            found += len({hit.chunk_id for hit in hits} & {row["id"] for row in exact})
    assert found / (TOP * len(asked)) >= 0.99
