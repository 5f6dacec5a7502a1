"""Search through the real definer function, as atrium_app."""

import random
import struct
from typing import Any, LiteralString

import psycopg
import pytest

from atrium.db import Database, load_queries
from atrium.kernel.errors import InvalidFields, InvalidInput, NotFound, ProviderUnavailable
from atrium.kernel.principal import Principal
from atrium.kernel.settings import Settings
from atrium.providers.base import Vectors
from atrium.retrieval.filters import Comparison, Filter, Group, compile_filter
from atrium.retrieval.models import Hit, Scope, SearchMode, SearchRequest
from atrium.retrieval.service import RetrievalService
from atrium.retrieval.store import EmbeddingSpace, PostgresVectorStore, get_space
from tests.factories.retrieval import MODEL, FixedEmbedder, pack, publish, random_vectors
from tests.factories.tenancy import make_tenant


class Searching:
    """A retrieval service on the small space, with a known embedder."""

    def __init__(self, database: Database, settings: Settings) -> None:
        self.embedder = FixedEmbedder()
        self.service = RetrievalService(database, self.embedder.of, settings.model_copy(update={"embedding_model": MODEL}))

    async def texts(self, principal: Principal, query: str, **fields: Any) -> list[str]:
        return [hit.text for hit in await self.hits(principal, query, **fields)]

    async def hits(self, principal: Principal, query: str, **fields: Any) -> tuple[Hit, ...]:
        return (await self.service.search(principal, SearchRequest(query, **fields))).hits


@pytest.fixture
def searching(database: Database, settings: Settings) -> Searching:
    return Searching(database, settings)


async def test_the_nearest_by_meaning_come_first(database: Database, tenant: Principal, searching: Searching) -> None:
    await publish(database, tenant, ["far", "near", "nearer"], vectors=pack([[-1, 1, 0, 0], [1, 1, 0, 0], [1, 0.1, 0, 0]]))

    hits = await searching.hits(tenant, "?", mode=SearchMode.VECTOR)

    assert [hit.text for hit in hits] == ["nearer", "near", "far"]
    assert hits[0].score == hits[0].vector_score == pytest.approx(0.995, abs=1e-3)
    assert hits[0].keyword_score is None


async def test_rarer_words_count_more(database: Database, tenant: Principal, searching: Searching) -> None:
    common = [f"the pump number {i} runs" for i in range(20)]
    await publish(database, tenant, [*common, "the cavitation of a turbine", "a pump with cavitation"])

    hits = await searching.hits(tenant, "pump cavitation", mode=SearchMode.KEYWORD, top_k=3)

    assert [hit.text for hit in hits][:2] == ["a pump with cavitation", "the cavitation of a turbine"]
    assert hits[0].vector_score is None
    assert hits[0].keyword_score == hits[0].score


async def test_both_halves_are_fused(database: Database, tenant: Principal, searching: Searching) -> None:
    vectors = pack([[1, 0, 0, 0], [0.9, 0.5, 0, 0], [-1, 0, 0, 0]])
    await publish(
        database,
        tenant,
        ["only the meaning", "turbines and meaning", "of turbines, and of so many other things besides"],
        vectors=vectors,
    )

    hits = await searching.hits(tenant, "turbine")

    assert hits[0].text == "turbines and meaning"
    assert hits[0].vector_score is not None
    assert hits[0].keyword_score is not None


async def test_words_are_stemmed_as_each_chunk_was(database: Database, tenant: Principal, searching: Searching) -> None:
    await publish(database, tenant, ["Die Verträge wurden gekündigt"], language="de")
    await publish(database, tenant, ["The contracts were terminated"], language="en")
    await publish(database, tenant, ["العقود المنتهية"], language="")

    assert await searching.texts(tenant, "Vertrag", mode=SearchMode.KEYWORD) == ["Die Verträge wurden gekündigt"]
    assert await searching.texts(tenant, "contract", mode=SearchMode.KEYWORD) == ["The contracts were terminated"]
    assert await searching.texts(tenant, "العقود", mode=SearchMode.KEYWORD) == ["العقود المنتهية"]


@pytest.mark.parametrize("question", ["", " \n", "\t"])
async def test_an_empty_question_is_refused(tenant: Principal, searching: Searching, question: str) -> None:
    with pytest.raises(InvalidFields):
        await searching.hits(tenant, question)


@pytest.mark.parametrize("top_k", [0, 51, -1])
async def test_top_k_has_bounds(tenant: Principal, searching: Searching, top_k: int) -> None:
    with pytest.raises(InvalidFields):
        await searching.hits(tenant, "?", top_k=top_k)


@pytest.mark.parametrize(
    "question", ["the of and", "!?! ''", "'; DROP TABLE x; --", "\\ \\' <-> !a & (b", "a:* | b", "𓀀 \u200b", "x" * 4000]
)
@pytest.mark.parametrize("mode", list(SearchMode))
async def test_any_text_is_a_question(
    database: Database, tenant: Principal, searching: Searching, question: str, mode: SearchMode
) -> None:
    await publish(database, tenant, ["some text"])

    assert len(await searching.hits(tenant, question, mode=mode)) == (0 if mode is SearchMode.KEYWORD else 1)


async def test_nobody_sees_another_tenant(
    database: Database, tenant: Principal, other_tenant: Principal, searching: Searching
) -> None:
    document = await publish(database, tenant, ["the secret turbine"])

    for mode in SearchMode:
        assert await searching.texts(other_tenant, "turbine", mode=mode) == []
        assert await searching.texts(other_tenant, "turbine", mode=mode, scope=Scope(document_ids=(document,))) == []
        assert await searching.texts(tenant, "turbine", mode=mode) == ["the secret turbine"]


async def test_without_a_tenant_the_function_raises(database: Database) -> None:
    with pytest.raises(psycopg.errors.InsufficientPrivilege, match=r"app\.tenant_id"):
        await database.call("SELECT * FROM atrium.search_chunks(1001::smallint, NULL, 'x', '', NULL, NULL, NULL, NULL, 10)")


async def test_code_of_the_release_before_still_searches(database: Database, tenant: Principal) -> None:
    await publish(database, tenant, ["turbine"])
    async with database.transaction(tenant) as tx:
        found = await tx.fetch_all(
            "SELECT * FROM atrium.search_chunks(1001::smallint, '[1,0,0,0]', 'turbine', NULL, NULL, NULL, 0.25, 10)"
        )
    assert [(row["text"], row["compared"]) for row in found] == [("turbine", 2)]


async def test_the_parts_of_search_are_not_for_the_application(database: Database, tenant: Principal) -> None:
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        async with database.transaction(tenant) as tx:
            await tx.fetch_all("SELECT * FROM atrium.matching_chunks(1001::smallint, 'x', '', NULL, 10, 10)")


async def test_only_the_ready_version_of_a_living_document_is_found(
    database: Database, tenant: Principal, searching: Searching, admin_connection: psycopg.AsyncConnection[Any]
) -> None:
    deleted = await publish(database, tenant, ["turbine of the deleted"])
    replaced = await publish(database, tenant, ["turbine of the old version"])
    await admin_connection.execute("UPDATE atrium.documents SET deleted_at = now() WHERE id = %s", [deleted])
    await admin_connection.execute("UPDATE atrium.documents SET ready_version = 2, latest_version = 2 WHERE id = %s", [replaced])

    for mode in SearchMode:
        assert await searching.texts(tenant, "turbine", mode=mode) == []


async def test_collections_and_documents_narrow(database: Database, tenant: Principal, searching: Searching) -> None:
    manual = await publish(database, tenant, ["turbine manual"], collection="manuals")
    await publish(database, tenant, ["turbine law"], collection="laws")

    for mode in SearchMode:
        assert await searching.texts(tenant, "turbine", mode=mode, scope=Scope(collections=("laws",))) == ["turbine law"]
        assert await searching.texts(tenant, "turbine", mode=mode, scope=Scope(document_ids=(manual,))) == ["turbine manual"]
        assert await searching.texts(tenant, "turbine", mode=mode, scope=Scope(collections=())) == []
        both = Scope(collections=("laws",), document_ids=(manual,))
        assert await searching.texts(tenant, "turbine", mode=mode, scope=both) == []


async def test_within_one_document_frequent_words_count_too(database: Database, tenant: Principal, searching: Searching) -> None:
    await publish(database, tenant, [f"a pump and a valve of kind{i}" for i in range(900)])
    document = await publish(database, tenant, ["the pump alone", "the valve alone", "neither"])

    found = await searching.texts(tenant, "pump valve", mode=SearchMode.KEYWORD, scope=Scope(document_ids=(document,)))

    assert set(found) == {"the pump alone", "the valve alone"}


FILTERS: list[tuple[Filter, set[str]]] = [
    (Comparison("eq", "region", "eu"), {"a"}),
    (Comparison("ne", "region", "eu"), {"b", "c"}),
    (Comparison("gt", "year", 2020), {"b"}),
    (Comparison("gte", "year", 2020), {"a", "b"}),
    (Comparison("lt", "year", 2020.5), {"a"}),
    (Comparison("lte", "released", "2024-06-01"), {"b"}),
    (Comparison("in", "region", ["us", "eu"]), {"a", "b"}),
    (Comparison("nin", "region", ["us", "eu"]), {"c"}),
    (Comparison("eq", "tags", "x"), {"b"}),
    (Comparison("ne", "tags", "x"), {"a", "c"}),
    (Comparison("eq", "draft", True), {"c"}),
    (Comparison("eq", "year", "2020"), set()),
    (Comparison("eq", 'odd "key" \\ ✓', "$.x"), {"c"}),
    (Group("and", (Comparison("eq", "region", "us"), Comparison("eq", "year", 2021))), {"b"}),
    (Group("or", (Comparison("eq", "region", "eu"), Comparison("eq", "draft", True))), {"a", "c"}),
    (Comparison("eq", "region", '" || true || "'), set()),
]


@pytest.mark.parametrize(("node", "names"), FILTERS)
async def test_filters_read_the_metadata(
    database: Database, tenant: Principal, searching: Searching, node: Filter, names: set[str]
) -> None:
    await publish(database, tenant, ["turbine"], name="a", metadata={"region": "eu", "year": 2020})
    await publish(
        database,
        tenant,
        ["turbine"],
        name="b",
        metadata={"region": "us", "year": 2021, "tags": ["x", "y"], "released": "2024-05-31"},
    )
    await publish(database, tenant, ["turbine"], name="c", metadata={"draft": True, 'odd "key" \\ ✓': "$.x"})

    for mode in SearchMode:
        hits = await searching.hits(tenant, "turbine", mode=mode, scope=Scope(filter=compile_filter(node)))
        assert {hit.document_name for hit in hits} == names


async def test_results_are_never_short_and_as_good_as_exact(
    database: Database, tenant: Principal, other_tenant: Principal, admin_connection: psycopg.AsyncConnection[Any]
) -> None:
    model, dimensions, count = "local/all-minilm-l6-v2", 384, 3000
    drawn = random_vectors(count + 20, dimensions, seed=1)
    row = 4 * dimensions
    stored, questions = Vectors(count, dimensions, drawn.data[: count * row]), drawn.data[count * row :]
    await publish(database, tenant, [f"text {i}" for i in range(count)], vectors=stored, model=model)
    await publish(database, other_tenant, [f"other {i}" for i in range(500)], model=model)
    store, found, wanted = PostgresVectorStore(), 0, 0
    async with database.transaction(tenant) as tx:
        space = await get_space(tx, model)
        for at in range(0, len(questions), row):
            question = Vectors(1, dimensions, questions[at : at + row])
            hits = (await store.similarity_search(tx, space, question, scope=Scope(), limit=10)).hits
            assert len(hits) == 10
            exact = await _exact(admin_connection, tenant, hits, question.data)
            found, wanted = found + len(exact & {hit.chunk_id for hit in hits}), wanted + 10

    assert found / wanted >= 0.99


async def _exact(connection: psycopg.AsyncConnection[Any], tenant: Principal, hits: tuple[Hit, ...], question: bytes) -> set[Any]:
    text = str(list(struct.unpack(f"<{len(question) // 4}f", question)))
    rows = await connection.execute(
        "SELECT id FROM atrium.chunks WHERE tenant_id = %s ORDER BY embedding <=> %s::halfvec LIMIT 10", [tenant.tenant_id, text]
    )
    return {row["id"] for row in await rows.fetchall()}


async def test_a_search_passes_over_bits_and_looks_rows_up(
    database: Database, tenant: Principal, other_tenant: Principal, admin_connection: psycopg.AsyncConnection[Any]
) -> None:
    model = "local/all-minilm-l6-v2"
    for principal in (tenant, other_tenant):
        await publish(database, principal, [f"text {i} " + "and more words " * 40 for i in range(1000)], model=model)
    for _ in range(50):  # most tenants are small: what is planned for the average must do for the large
        await publish(database, await make_tenant(admin_connection, name="Small"), ["text"], model=model)
    await publish(database, tenant, ["turbine"], model=model)
    plans = {"right after ingest": await _plans(admin_connection, tenant)}
    await admin_connection.execute("VACUUM ANALYZE atrium.chunks")
    await admin_connection.execute("VACUUM ANALYZE atrium.chunk_bits")
    plans["after vacuum"] = await _plans(admin_connection, tenant)

    for moment, plan in plans.items():
        assert "Bitmap Index Scan on chunk_bits_documents" in plan, moment
        assert "Seq Scan" not in plan, moment
    assert "Bitmap Index Scan on chunks_1_tsv" in plans["after vacuum"]


async def test_whether_there_are_other_spaces_is_looked_up_and_not_counted(
    database: Database, tenant: Principal, admin_connection: psycopg.AsyncConnection[Any]
) -> None:
    await publish(database, tenant, [f"text {i}" for i in range(500)], model="local/all-minilm-l6-v2")
    await admin_connection.execute("VACUUM ANALYZE atrium.chunk_bits")
    plan = await _plans(admin_connection, tenant, "SELECT atrium.search_elsewhere(1::smallint)")

    looks = [line for line in plan.splitlines() if " on chunk_bits" in line]
    assert len(looks) == 2
    assert all("Index Only Scan" in line and "rows=1.00" in line for line in looks)


async def test_a_search_itself_reads_no_table(database: Database, tenant: Principal) -> None:
    """So a connection plans it once: what is planned once and reads tables would find nothing under row level security."""
    query = load_queries("atrium.retrieval").search_chunks
    asked = dict.fromkeys(("vector", "known", "collections", "document_ids", "filter"))
    async with database.transaction(tenant) as tx:
        rows = await tx.fetch_all(f"EXPLAIN {query}", **asked, space_id=1, words="text", asked_in="", limit=10)

    scans = [line for row in rows for line in row.values() if "Scan" in line]
    assert len(scans) == 2
    assert all("Function Scan" in line for line in scans)


HYBRID: LiteralString = """
SELECT * FROM atrium.search_chunks(
    1::smallint, ('[1' || repeat(',0', 383) || ']')::halfvec, 'turbine', '', NULL, NULL, NULL, NULL, 10)
"""


async def _plans(connection: psycopg.AsyncConnection[Any], tenant: Principal, statement: LiteralString = HYBRID) -> str:
    """The plans of every statement that a hybrid search, or another, runs, by auto_explain."""
    notices: list[str] = []
    connection.add_notice_handler(lambda notice: notices.append(notice.message_primary or ""))
    await connection.execute("LOAD 'auto_explain'")
    settings = {
        "auto_explain.log_min_duration": "0",
        "auto_explain.log_nested_statements": "on",
        "auto_explain.log_analyze": "on",
    }
    for name, value in {**settings, "client_min_messages": "log", "app.tenant_id": str(tenant.tenant_id)}.items():
        await connection.execute("SELECT set_config(%s, %s, false)", [name, value])
    await connection.execute(statement)
    await connection.execute("SET client_min_messages = warning")
    return "\n".join(notices)


async def test_what_was_compared_is_counted(database: Database, tenant: Principal, searching: Searching) -> None:
    await publish(database, tenant, ["turbine one", "turbine two", "three"])

    counts = {
        mode: (await searching.service.search(tenant, SearchRequest("turbine", mode=mode))).candidates_scanned
        for mode in SearchMode
    }

    assert counts == {SearchMode.VECTOR: 3, SearchMode.KEYWORD: 2, SearchMode.HYBRID: 5}


async def test_a_keyword_search_needs_no_embedder(database: Database, tenant: Principal, searching: Searching) -> None:
    await publish(database, tenant, ["turbine"])

    await searching.hits(tenant, "turbine", mode=SearchMode.KEYWORD)

    assert searching.embedder.calls == []


async def test_an_embedder_that_fails_is_told(database: Database, tenant: Principal, settings: Settings) -> None:
    async def unavailable(principal: Principal, model: str) -> FixedEmbedder:
        raise ProviderUnavailable(f"{model} is away")

    service = RetrievalService(database, unavailable, settings)

    with pytest.raises(ProviderUnavailable):
        await service.search(tenant, SearchRequest("x"))


async def test_a_question_of_another_length_is_refused(database: Database, tenant: Principal) -> None:
    space = EmbeddingSpace(1001, MODEL, 4, 64)
    async with database.transaction(tenant) as tx:
        with pytest.raises(InvalidInput):
            await PostgresVectorStore().similarity_search(tx, space, pack([[1, 0]]), scope=Scope(), limit=5)


async def test_an_undeclared_model_is_not_found(database: Database, tenant: Principal, settings: Settings) -> None:
    embedder = FixedEmbedder()
    service = RetrievalService(database, embedder.of, settings.model_copy(update={"embedding_model": "no/such"}))

    with pytest.raises(NotFound, match="no/such"):
        await service.search(tenant, SearchRequest("x"))


async def test_random_words_rank_as_their_rarity_says(database: Database, tenant: Principal, searching: Searching) -> None:
    source = random.Random(3)
    vocabulary = [f"word{i}" for i in range(300)]
    texts = [" ".join(source.choices(vocabulary, weights=[1 / (i + 1) for i in range(300)], k=40)) for _ in range(800)]
    await publish(database, tenant, [*texts, "word0 word299 word299x"])

    (best,) = await searching.hits(tenant, "word0 word299x", mode=SearchMode.KEYWORD, top_k=1)

    assert best.text == "word0 word299 word299x"
