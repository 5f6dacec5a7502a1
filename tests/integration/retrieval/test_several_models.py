"""Searches over collections of different embedding models, and by a reranking model."""

from collections.abc import Awaitable, Callable, Sequence

import pytest

from atrium.db import Database
from atrium.kernel.errors import InvalidFields, ProviderError, ProviderUnavailable
from atrium.kernel.principal import Principal
from atrium.kernel.settings import Settings
from atrium.providers.base import Embedder
from atrium.retrieval.models import SearchMode, SearchRequest
from atrium.retrieval.reranking import Reranker
from atrium.retrieval.service import RetrievalService
from tests.factories.retrieval import MODEL, FixedEmbedder, pack, publish

OTHER = "local/all-minilm-l6-v2"
AXES = [[1.0 if place == axis else 0.0 for place in range(384)] for axis in range(2)]


class Shortest:
    """Prefers short passages."""

    def __init__(self) -> None:
        self.judged: list[Sequence[str]] = []

    async def score(self, question: str, passages: Sequence[str]) -> Sequence[float]:
        self.judged.append(passages)
        return [-len(passage) for passage in passages]

    async def of(self, name: str) -> Reranker:
        return self


class Broken:
    """Forgets a passage."""

    async def score(self, question: str, passages: Sequence[str]) -> Sequence[float]:
        return [0.0] * (len(passages) - 1)

    async def of(self, name: str) -> Reranker:
        return self


EMBEDDERS = {MODEL: FixedEmbedder(), OTHER: FixedEmbedder(dimensions=384)}


async def embedders(principal: Principal, model: str) -> Embedder:
    return EMBEDDERS[model]


async def only_the_first(principal: Principal, model: str) -> Embedder:
    if model == OTHER:
        raise ProviderUnavailable("it is away")
    return EMBEDDERS[model]


def service(
    database: Database,
    settings: Settings,
    *,
    of: Callable[[Principal, str], Awaitable[Embedder]] = embedders,
    reranker: Shortest | Broken | None = None,
    configured: str = "",
) -> RetrievalService:
    chosen = settings.model_copy(update={"embedding_model": MODEL, "reranker": configured})
    return RetrievalService(database, of, chosen, reranker=reranker.of if reranker else None)


@pytest.fixture
async def two_spaces(database: Database, tenant: Principal) -> Database:
    """Two passages of each of two models."""
    await publish(database, tenant, ["near here turbine", "far here"], vectors=pack([[1, 0, 0, 0], [0, 1, 0, 0]]))
    await publish(database, tenant, ["near there turbine", "far there"], vectors=pack(AXES), model=OTHER, collection="there")
    return database


@pytest.mark.parametrize("mode", list(SearchMode))
async def test_every_space_is_searched(two_spaces: Database, tenant: Principal, settings: Settings, mode: SearchMode) -> None:
    found = await service(two_spaces, settings).search(tenant, SearchRequest("turbine", mode=mode))

    assert [hit.text for hit in found.hits[:2]] == ["near here turbine", "near there turbine"]
    assert found.candidates_scanned >= 2
    scores = [hit.score for hit in found.hits]
    assert scores == sorted(scores, reverse=True)


async def test_top_k_counts_over_all_spaces(two_spaces: Database, tenant: Principal, settings: Settings) -> None:
    assert len((await service(two_spaces, settings).search(tenant, SearchRequest("turbine", top_k=3))).hits) == 3


async def test_another_tenants_spaces_are_not_asked(
    two_spaces: Database, tenant: Principal, other_tenant: Principal, settings: Settings
) -> None:
    await publish(two_spaces, other_tenant, ["mine"])

    found = await service(two_spaces, settings, of=only_the_first).search(other_tenant, SearchRequest("turbine"))

    assert [hit.text for hit in found.hits] == ["mine"]


async def test_where_a_model_is_away_words_still_find(two_spaces: Database, tenant: Principal, settings: Settings) -> None:
    searching = service(two_spaces, settings, of=only_the_first)

    found = await searching.search(tenant, SearchRequest("turbine"))

    assert {hit.text for hit in found.hits} == {"near here turbine", "far here", "near there turbine"}
    assert found.degraded == (OTHER,)
    assert (await service(two_spaces, settings).search(tenant, SearchRequest("turbine"))).degraded == ()
    with pytest.raises(ProviderUnavailable):
        await searching.search(tenant, SearchRequest("turbine", mode=SearchMode.VECTOR))


@pytest.mark.parametrize("rerank", [True, "local/shortest"])
async def test_a_reranker_has_the_last_word(
    two_spaces: Database, tenant: Principal, settings: Settings, rerank: bool | str
) -> None:
    judge = Shortest()
    searching = service(two_spaces, settings, reranker=judge, configured="local/shortest")

    found = await searching.search(tenant, SearchRequest("turbine", top_k=2, rerank=rerank))

    assert [hit.text for hit in found.hits] == ["far here", "far there"]
    assert [hit.score for hit in found.hits] == [-8, -9]
    assert [len(passages) for passages in judge.judged] == [4]


async def test_without_being_asked_it_judges_nothing(two_spaces: Database, tenant: Principal, settings: Settings) -> None:
    judge = Shortest()
    await service(two_spaces, settings, reranker=judge, configured="x").search(tenant, SearchRequest("turbine"))
    assert judge.judged == []


@pytest.mark.parametrize(("configured", "rerank"), [("", True), ("", "local/relevance"), ("local/relevance", "cohere/best")])
async def test_a_reranker_that_is_not_there_is_refused(
    database: Database, tenant: Principal, settings: Settings, configured: str, rerank: bool | str
) -> None:
    with pytest.raises(InvalidFields) as refused:
        await service(database, settings, reranker=Shortest(), configured=configured).search(
            tenant, SearchRequest("turbine", rerank=rerank)
        )
    assert [error.pointer for error in refused.value.errors] == ["/rerank"]


async def test_a_reranker_that_forgets_a_passage_is_told(two_spaces: Database, tenant: Principal, settings: Settings) -> None:
    with pytest.raises(ProviderError):
        await service(two_spaces, settings, reranker=Broken(), configured="x").search(
            tenant, SearchRequest("turbine", rerank=True)
        )


async def test_nothing_found_is_not_judged(database: Database, tenant: Principal, settings: Settings) -> None:
    judge = Shortest()
    found = await service(database, settings, reranker=judge, configured="x").search(tenant, SearchRequest("?", rerank=True))
    assert (found.hits, judge.judged) == ((), [])
