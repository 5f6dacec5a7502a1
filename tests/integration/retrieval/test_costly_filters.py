"""A filter that costs too much is its author's mistake, not an outage."""

from typing import Any

import psycopg
import pytest

from atrium.db import Database
from atrium.kernel.errors import InvalidFields
from atrium.kernel.principal import Principal
from atrium.kernel.settings import Settings
from atrium.retrieval import repository
from atrium.retrieval.models import Scope, SearchMode, SearchRequest
from atrium.retrieval.service import RetrievalService
from tests.factories.retrieval import MODEL, FixedEmbedder, publish


async def test_it_is_refused_by_name(
    database: Database,
    tenant: Principal,
    settings: Settings,
    admin_connection: psycopg.AsyncConnection[dict[str, Any]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(repository, "_FILTER_MILLISECONDS", 20)
    service = RetrievalService(database, FixedEmbedder().of, settings.model_copy(update={"embedding_model": MODEL}))
    await publish(database, tenant, ["text"])
    # As only documents from before the limit of a list can be.
    numbers = "(SELECT jsonb_agg(i) FROM generate_series(1, 300000) AS i)"
    await admin_connection.execute(f"UPDATE atrium.documents SET metadata = jsonb_build_object('n', {numbers})")
    unlucky = "(" + " || ".join(f'$."n" == {-i}' for i in range(1, 101)) + ")"

    with pytest.raises(InvalidFields) as caught:
        await service.search(tenant, SearchRequest("text", mode=SearchMode.KEYWORD, scope=Scope(filter=unlucky)))

    assert [error.pointer for error in caught.value.errors] == ["/filters"]
    assert (await service.search(tenant, SearchRequest("text", mode=SearchMode.KEYWORD))).hits[0].text == "text"
