"""The words of a question: bounded, however long it is and however many languages the documents are in."""

from typing import Any

from atrium.db import Database
from atrium.kernel.principal import Principal
from atrium.kernel.settings import Settings
from atrium.retrieval.models import SearchMode, SearchRequest
from atrium.retrieval.service import RetrievalService
from tests.factories.retrieval import MODEL, FixedEmbedder, publish

PAIRS = "endefresarcadaeleteufigahihuhyiditltnenlnoptrorusrsvtatr"
LANGUAGES = [PAIRS[at : at + 2] for at in range(0, len(PAIRS), 2)]
HAN = "".join(chr(0x4E00 + i) for i in range(4000))


async def search(database: Database, settings: Settings, principal: Principal, query: str, **fields: Any) -> list[str]:
    service = RetrievalService(database, FixedEmbedder().of, settings.model_copy(update={"embedding_model": MODEL}))
    found = await service.search(principal, SearchRequest(query, mode=SearchMode.KEYWORD, **fields))
    return [hit.text for hit in found.hits]


async def test_the_longest_question_in_28_languages_takes_no_seconds(
    database: Database, tenant: Principal, settings: Settings
) -> None:
    for at, language in enumerate(LANGUAGES):
        await publish(database, tenant, [HAN[at * 100 + i * 10 : at * 100 + i * 10 + 60] for i in range(6)], language=language)

    bounded = Database(settings.model_copy(update={"database_statement_timeout": 2.0}))
    try:
        found = await search(bounded, settings, tenant, HAN)
    finally:
        await bounded.close()

    assert HAN[:60] in found


async def test_a_word_late_in_an_ordinary_question_counts(database: Database, tenant: Principal, settings: Settings) -> None:
    await publish(database, tenant, ["the pump runs", "a turbine stands", "refunds are paid"])

    question = "please tell me at length, with all that you know of it, whatever that may be, when and how refunds were paid"
    assert await search(database, settings, tenant, question, top_k=1) == ["refunds are paid"]


async def test_a_language_of_few_documents_has_its_words(database: Database, tenant: Principal, settings: Settings) -> None:
    await publish(database, tenant, [f"the pump number {i} runs" for i in range(60)])
    await publish(database, tenant, ["gekündigte Verträge"], language="de")

    assert await search(database, settings, tenant, "Vertrag") == ["gekündigte Verträge"]
