"""Fusion is at least as good as the reference, and never much worse than the better of its halves in any language."""

from pathlib import Path
from typing import Any

import psycopg
import pytest

from atrium.db import Database
from tests.conformance.real_data import needs_data
from tests.conformance.retrieval_sets import REFERENCE, index, local_embedder, questions, scores


@needs_data
@pytest.mark.parametrize("name", REFERENCE)
async def test_fusion_on_public_sets(
    name: str, database: Database, admin_connection: psycopg.AsyncConnection[dict[str, Any]], model_dir: Path
) -> None:
    embedder = local_embedder(model_dir)
    principal = await index(name, database, admin_connection, embedder)
    found = await scores(name, database, principal, await questions(name, embedder))

    recall, ndcg = REFERENCE[name]["hybrid"]
    assert found["hybrid"].recall >= recall
    assert found["hybrid"].recall >= max(found["text"].recall, found["vector"].recall) - 0.01
    assert ndcg is None or found["hybrid"].ndcg >= ndcg
