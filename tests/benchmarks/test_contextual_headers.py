"""What titles before a chunk's text do to retrieval: recall and nDCG by meaning alone, exact, with them and without."""

from pathlib import Path
from typing import Any

import pytest

from atrium.documents.chunking import ChunkingOptions, ChunkMode, chunker, embedding_input
from atrium.documents.parsing.models import ExtractedText
from atrium.providers.base import Vectors
from atrium.providers.local_embedder import LocalEmbedder
from tests.conformance.real_data import needs_data
from tests.conformance.retrieval_sets import Run, grades_of, lines, ndcg, recall


def inputs(corpus: list[dict[str, Any]], options: ChunkingOptions, embedder: LocalEmbedder) -> list[tuple[str, str]]:
    """(document, what is embedded) of every chunk."""
    cutting = chunker(options)
    return [
        (row["_id"], embedding_input(part.header, row["text"][part.start : part.end]))
        for row in corpus
        for part in cutting.chunk(ExtractedText(row["text"], title=row["title"]), embedder.tokenizer, window=embedder.max_tokens)
    ]


def ranked(asked: Vectors, given: Vectors, owners: list[str]) -> list[list[str]]:
    """For each question the documents of the best chunks."""
    import numpy as np

    scores = matrix(asked) @ matrix(given).T
    best = np.argsort(-scores, axis=1)[:, :60]
    return [list(dict.fromkeys(owners[place] for place in row))[:10] for row in best]


def matrix(vectors: Vectors) -> Any:
    import numpy as np

    return np.frombuffer(vectors.data, dtype="<f4").reshape(vectors.count, vectors.dimensions)


@needs_data
@pytest.mark.parametrize("name", ["cranfield", "xquad-en"])
async def test_headers(name: str, model_dir: Path) -> None:
    embedder = LocalEmbedder(model_dir)
    corpus, queries, grades = lines(name, "corpus.jsonl"), lines(name, "queries.jsonl"), grades_of(name)
    asked = await embedder.embed([query["text"] for query in queries], "query")
    print(f"\n{name}: recall@10 / nDCG@10 by meaning alone")
    for mode in (ChunkMode.HEADING, ChunkMode.FIXED):
        for contextual in (False, True):
            chunks = inputs(corpus, ChunkingOptions(mode, contextual=contextual), embedder)
            given = await embedder.embed([text for _, text in chunks], "document")
            found = ranked(asked, given, [owner for owner, _ in chunks])
            run: Run = {query["_id"]: documents for query, documents in zip(queries, found, strict=True)}
            headers = "with headers" if contextual else "without"
            print(f"  {mode:<8} {headers:<13}{recall(grades, run):.3f} / {ndcg(grades, run):.3f}   {len(chunks)} chunks")
            assert run
