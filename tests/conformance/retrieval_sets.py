"""Public retrieval test sets through the real search: how they are indexed, asked and scored.

Languages are detected, of passages and of questions, as the pipeline and the service do it.
"""

import json
import math
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import psycopg

from atrium.db import Database
from atrium.kernel.errors import NotFound
from atrium.kernel.principal import Principal
from atrium.providers import registry
from atrium.providers.base import Embedder, Vectors
from atrium.providers.credentials import Credentials
from atrium.retrieval.language import detect
from atrium.retrieval.store import EmbeddingSpace, Found, PostgresVectorStore, Scope, get_space
from tests.conformance.real_data import DATA
from tests.factories.retrieval import publish
from tests.factories.tenancy import make_tenant

MODEL: Final = "local/all-minilm-l6-v2"
TOP: Final = 10
STORE: Final = PostgresVectorStore()
Grades = dict[str, dict[str, int]]
Run = dict[str, list[str]]
Ask = Callable[[Any, "Asked"], Awaitable[Found]]


@dataclass(frozen=True)
class Score:
    """Of a run, averaged over its questions."""

    recall: float
    ndcg: float


# The same model with BM25 and plain reciprocal rank fusion; None where nobody measured.
REFERENCE: Final[dict[str, dict[str, tuple[float, float | None]]]] = {
    "cranfield": {"text": (0.380, 0.360), "vector": (0.404, 0.385), "hybrid": (0.431, 0.419)},
    "xquad-en": {"text": (0.992, 0.961), "vector": (0.988, 0.933), "hybrid": (0.995, 0.968)},
    "xquad-de": {"text": (0.971, None), "vector": (0.829, None), "hybrid": (0.956, None)},
}


@dataclass(frozen=True)
class Asked:
    """A question with its vector and its detected language."""

    id: str
    text: str
    vector: Vectors
    language: str


def local_embedder(model_dir: Path) -> Embedder:
    """The model that ships."""
    return registry.embedder(MODEL, credentials=_no_keys, model_dir=model_dir)


async def _no_keys(provider: str, *, refresh: bool = False) -> Credentials:
    raise NotFound(provider)


def rows_of(vectors: Vectors) -> list[Vectors]:
    """One `Vectors` per row."""
    size = 4 * vectors.dimensions
    return [Vectors(1, vectors.dimensions, vectors.data[at : at + size]) for at in range(0, len(vectors.data), size)]


async def index(name: str, database: Database, admin: psycopg.AsyncConnection[dict[str, Any]], embedder: Embedder) -> Principal:
    """A new tenant with a document of one chunk for each passage of the set."""
    principal = await make_tenant(admin, name=name)
    rows = lines(name, "corpus.jsonl")
    texts = [row["text"] or "-" for row in rows]
    vectors = rows_of(await embedder.embed(texts, "document"))
    for row, text, vector in zip(rows, texts, vectors, strict=True):
        await publish(database, principal, [text], name=row["_id"], vectors=vector, model=MODEL, language=detect(text))
    await admin.execute("VACUUM ANALYZE atrium.chunks")
    return principal


async def questions(name: str, embedder: Embedder) -> list[Asked]:
    """The set's questions."""
    rows = lines(name, "queries.jsonl")
    vectors = rows_of(await embedder.embed([row["text"] for row in rows], "query"))
    return [Asked(row["_id"], row["text"], vector, detect(row["text"])) for row, vector in zip(rows, vectors, strict=True)]


def modes(space: EmbeddingSpace) -> dict[str, Ask]:
    """The three ways to search."""
    where = Scope()
    return {
        "text": lambda tx, each: STORE.keyword_search(tx, space, each.text, scope=where, limit=TOP),
        "vector": lambda tx, each: STORE.similarity_search(tx, space, each.vector, scope=where, limit=TOP),
        "hybrid": lambda tx, each: STORE.hybrid_search(
            tx, space, each.vector, each.text, language=each.language, scope=where, limit=TOP
        ),
    }


async def run(database: Database, principal: Principal, asked: list[Asked], ask: Ask) -> Run:
    """The names of the documents found, by question."""
    async with database.transaction(principal) as tx:
        return {each.id: [hit.document_name for hit in (await ask(tx, each)).hits] for each in asked}


async def scores(name: str, database: Database, principal: Principal, asked: list[Asked]) -> dict[str, Score]:
    """Recall@10 and nDCG@10 of each mode."""
    async with database.transaction(principal) as tx:
        space = await get_space(tx, MODEL)
    grades = grades_of(name)
    runs = {mode: await run(database, principal, asked, ask) for mode, ask in modes(space).items()}
    return {mode: Score(recall(grades, found), ndcg(grades, found)) for mode, found in runs.items()}


def lines(name: str, file: str) -> list[dict[str, Any]]:
    """A file of a set."""
    return [json.loads(line) for line in (DATA / "rag" / name / file).read_text(encoding="utf-8").splitlines()]


def grades_of(name: str) -> Grades:
    """By question the documents that answer it, and how well."""
    grades: Grades = {}
    for line in (DATA / "rag" / name / "qrels.tsv").read_text().splitlines()[1:]:
        query, document, grade = line.split("\t")
        grades.setdefault(query, {})[document] = int(grade)
    return grades


def recall(grades: Grades, found: Run) -> float:
    """Which part of the answering documents is among the first ten."""
    shares = [len(set(found.get(query, [])) & relevant.keys()) / len(relevant) for query, relevant in grades.items()]
    return sum(shares) / len(shares)


def ndcg(grades: Grades, found: Run) -> float:
    """How well the first ten are ordered, 1 for as well as can be."""
    shares = [_gain(relevant, found.get(query, [])) / _gain(relevant, _ideal(relevant)) for query, relevant in grades.items()]
    return sum(shares) / len(shares)


def _gain(relevant: dict[str, int], ranked: list[str]) -> float:
    return sum(float(2 ** relevant.get(document, 0) - 1) / math.log2(place + 2) for place, document in enumerate(ranked[:TOP]))


def _ideal(relevant: dict[str, int]) -> list[str]:
    return sorted(relevant, key=lambda document: -relevant[document])
