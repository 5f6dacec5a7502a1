"""Search in scripts without spaces and in languages with and without a stemmer, through the definer function."""

import re

import pytest

from atrium.db import Database
from atrium.kernel.principal import Principal
from atrium.kernel.settings import Settings
from atrium.retrieval.language import detect
from atrium.retrieval.models import SearchMode, SearchRequest
from atrium.retrieval.service import RetrievalService
from tests.factories.retrieval import MODEL, FixedEmbedder, publish

PASSAGES = {
    "en": ["Refunds are paid within 14 days.", "Shipping takes two weeks and is paid by the buyer."],
    "de": ["Erstattungen werden innerhalb von 14 Tagen gezahlt.", "Der Versand dauert zwei Wochen."],
    "ja": ["返金は14日以内に行われます。", "配送には二週間かかります。"],
    "zh": ["退款将在十四天内支付。", "运输需要两个星期。"],
    "ko": ["환불은 14일 이내에 지급됩니다.", "배송에는 2주가 걸립니다."],
    "th": ["เงินคืนจะจ่ายภายใน 14 วัน", "การจัดส่งใช้เวลาสองสัปดาห์"],
    "it": ["I rimborsi vengono pagati entro 14 giorni.", "La spedizione richiede due settimane."],
    "ru": ["Возвраты выплачиваются в течение 14 дней.", "Доставка занимает две недели."],
    "pl": ["Zwrot pieniędzy następuje w ciągu 14 dni.", "Dostawa trwa dwa tygodnie."],
}
QUESTIONS = {
    "en": "When is a refund paid?", "de": "Wann wird die Erstattung gezahlt?", "ja": "返金はいつですか？", "zh": "什么时候退款？",
    "ko": "환불은 언제 되나요?", "th": "ได้เงินคืนเมื่อไร", "it": "Quando arriva il rimborso?", "ru": "Когда будет возврат?",
    "pl": "Kiedy nastąpi zwrot pieniędzy?",
}  # fmt: skip


@pytest.fixture
async def filled(database: Database, tenant: Principal) -> Database:
    """Every language's passages, as ingestion stores them."""
    for language, texts in PASSAGES.items():
        assert [detect(text, language) for text in texts] == [language] * 2
        await publish(database, tenant, texts, language=language)
    return database


@pytest.mark.parametrize("language", list(QUESTIONS))
async def test_words_find_the_passage_of_their_language(
    filled: Database, tenant: Principal, settings: Settings, language: str
) -> None:
    service = RetrievalService(filled, FixedEmbedder().of, settings.model_copy(update={"embedding_model": MODEL}))
    found = await service.search(tenant, SearchRequest(QUESTIONS[language], mode=SearchMode.KEYWORD))
    assert found.hits[0].text == PASSAGES[language][0]


@pytest.mark.parametrize("stray", ["de", "", "it"])
async def test_one_chunk_in_another_language_does_not_take_a_long_questions_words(
    database: Database, tenant: Principal, settings: Settings, stray: str
) -> None:
    """Read in that language, a question's small words are rare ones; sixteen are looked for."""
    small = re.findall(
        r"\w+", "what is it that of the and in for to with by from at on as be are was were this these those which or not"
    )
    texts = [f"The pump {n} {' '.join(small)} is kept in hall {n}." for n in range(60)]
    await publish(database, tenant, texts, language="en")
    await publish(database, tenant, ["A wrench yields zinc."], language="en", name="wrench.txt")
    await publish(database, tenant, ["Una guarnizione"], language=stray)
    service = RetrievalService(database, FixedEmbedder().of, settings.model_copy(update={"embedding_model": MODEL}))

    question = " ".join([*small[:14], "wrench", *small[14:], "yields zinc"])
    found = await service.search(tenant, SearchRequest(question, mode=SearchMode.KEYWORD))

    assert found.hits[0].document_name == "wrench.txt"
