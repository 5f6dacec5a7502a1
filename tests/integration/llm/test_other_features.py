"""Answers from documents, searches and ingestion go through the same gateway and ledger."""

from uuid import UUID

import pytest

from atrium.db import Database
from atrium.gateway.models import Purpose
from atrium.kernel.errors import BudgetExceeded
from atrium.kernel.ids import new_id
from tests.factories.retrieval import publish
from tests.fakes.openai_server import OpenAIServer, failing
from tests.integration.llm.conftest import MINI, Api

SMALL = "openai/text-embedding-3-small"
FACT = "Refunds are possible up to 14 days after receipt."


async def test_an_answer_from_documents_is_routed_and_paid_for(api: Api, database: Database, openai: OpenAIServer) -> None:
    await publish(database, api.principal, [FACT])
    openai.script(failing(500))
    answer = await api.post("/query/sync", {"question": "When are refunds possible?", "model": MINI})
    assert answer.status_code == 200, answer.text
    (row,) = await api.entries()
    assert (row["feature"], row["model"], row["outcome"], len(row["attempts"])) == ("rag", MINI, "ok", 2)
    assert row["user_id"] == UUID(api.session["user"]["id"])
    assert row["output_tokens"] == answer.json()["usage"]["output_tokens"]


async def test_without_a_budget_there_is_no_answer_from_documents(api: Api, database: Database) -> None:
    await publish(database, api.principal, [FACT])
    await api.budget(0)
    body = {"question": "When are refunds possible?"}
    assert (await api.post("/query/sync", body | {"model": MINI})).status_code == 402
    assert (await api.post("/query/sync", body | {"model": "local/extractive"})).status_code == 200


async def test_a_document_is_paid_for_by_the_batch(api: Api, openai: OpenAIServer) -> None:
    document = new_id()
    embedder = await api.runtime.gateway.embedder(api.principal, SMALL, Purpose("ingestion", document_id=document))
    openai.script(failing(503))
    vectors = await embedder.embed(["a cat", "a dog", "a cow"], "document")
    (row,) = await api.entries()
    assert (vectors.count, row["kind"], row["feature"], row["document_id"]) == (3, "embedding", "ingestion", document)
    assert row["cost"] == row["input_tokens"] * 20
    assert [each["outcome"] for each in row["attempts"]] == ["unavailable", "ok"]
    await api.budget(0)
    with pytest.raises(BudgetExceeded):
        await embedder.embed(["a hen"], "document")


async def test_pages_of_ocr_are_recorded_once(api: Api) -> None:
    call = new_id()
    for _ in range(2):
        await api.runtime.gateway.record_pages(api.principal, call, 12, Purpose("ingestion"))
    (row,) = await api.entries()
    assert (row["kind"], row["units"], row["cost"]) == ("ocr", 12, 0)
