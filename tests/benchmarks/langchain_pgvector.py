"""langchain-postgres on the same server, the same vectors and texts; run by its own interpreter, which has it installed.

Reads a plan as JSON from stdin and writes its times to stdout: see test_beside_langchain.py, which starts it. As its
documentation has it: one collection for all, an HNSW index on the vectors, the tenant as a filter on the metadata.
"""

import json
import struct
import sys
import time
from importlib import import_module
from itertools import islice
from pathlib import Path
from typing import Any


def vectors(path: str, dimensions: int) -> list[list[float]]:
    """Rows of float32."""
    return [list(row) for row in struct.iter_unpack(f"<{dimensions}f", Path(path).read_bytes())]


def fill(store: Any, tenant: str, texts: list[str], rows: list[list[float]]) -> float:
    """Rows a second, 500 at once."""
    pairs = iter(zip(texts, rows, strict=True))
    start = time.perf_counter()
    while batch := list(islice(pairs, 500)):
        store.add_embeddings([text for text, _ in batch], [row for _, row in batch], [{"tenant": tenant}] * len(batch))
    return len(texts) / (time.perf_counter() - start)


def ask(store: Any, tenant: str, questions: list[list[float]]) -> dict[str, Any]:
    """Milliseconds and texts of each question."""
    times, found = [], []
    for warm in (True, False):
        for question in questions[:10] if warm else questions:
            start = time.perf_counter()
            hits = store.similarity_search_by_vector(question, k=10, filter={"tenant": tenant})
            if not warm:
                times.append((time.perf_counter() - start) * 1000)
                found.append([hit.page_content for hit in hits])
    return {"times": times, "found": found}


def main() -> None:
    """Fill, index, ask."""
    plan = json.load(sys.stdin)
    text = import_module("sqlalchemy").text
    store = import_module("langchain_postgres").PGVector(
        embeddings=None, connection=plan["url"], embedding_length=plan["dimensions"], create_extension=False
    )
    rates = {
        each["tenant"]: fill(
            store, each["tenant"], json.loads(Path(each["texts"]).read_text()), vectors(each["vectors"], plan["dimensions"])
        )
        for each in plan["tenants"]
    }
    begun = time.perf_counter()
    with store._engine.connect() as connection:
        connection.execute(text("SET maintenance_work_mem = '512MB'"))
        connection.execute(text("CREATE INDEX ON langchain_pg_embedding USING hnsw (embedding vector_cosine_ops)"))
        connection.execute(text("ANALYZE langchain_pg_embedding"))
        connection.commit()
    indexing = time.perf_counter() - begun
    asked = {
        each["tenant"]: ask(store, each["tenant"], vectors(each["questions"], plan["dimensions"])) for each in plan["tenants"]
    }
    json.dump({"rates": rates, "indexing": indexing, "asked": asked}, sys.stdout)


if __name__ == "__main__":
    main()
