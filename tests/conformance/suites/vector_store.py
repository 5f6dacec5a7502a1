"""What every `VectorStore` does. Inherit it, give `make`, and provide the fixtures `database`, `tenant`, `other_tenant`.

Spaces `test/four` (4 dimensions) and `local/all-minilm-l6-v2` (384) must be declared.
"""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any, Final

import pytest

from atrium.db import Database
from atrium.kernel.errors import InvalidInput
from atrium.kernel.ids import new_id
from atrium.kernel.principal import Principal
from atrium.providers.base import Vectors
from atrium.retrieval.filters import Comparison, compile_filter
from atrium.retrieval.store import Found, Scope, VectorStore, get_space
from tests.factories.retrieval import MODEL, chunks_of, pack, publish, random_vectors

OTHER_MODEL: Final = "local/all-minilm-l6-v2"
EAST: Final = pack([[1, 0, 0, 0]])
ALL: Final = Scope()
QUESTIONS: Final = ("the of and", "!?! ''", "'; DROP TABLE x; --", "\\ \\' <-> !a & (b", "𓀀 \u200b", "a:* | b")
_SET_READY: Final = "UPDATE atrium.documents SET ready_version = 2, latest_version = 2 WHERE id = %(id)s"
_DELETE: Final = "UPDATE atrium.documents SET deleted_at = now() WHERE id = %(id)s"


class VectorStoreSuite:
    """Give `make`: the store under test."""

    def make(self) -> VectorStore:
        """The store under test; it may be asked for more than once."""
        raise NotImplementedError

    async def publish(self, database: Database, principal: Principal, texts: Sequence[str], **fields: Any) -> Any:
        """A ready document of these chunks."""
        return await publish(database, principal, texts, store=self.make(), **fields)

    async def search(
        self, database: Database, principal: Principal, *, vector: Vectors | None = EAST, words: str | None = None,
        scope: Scope = ALL, limit: int = 10, language: str = "en", model: str = MODEL,
    ) -> Found:  # fmt: skip
        """By what is given: a vector, words, or both."""
        store = self.make()
        async with database.transaction(principal) as tx:
            space = await get_space(tx, model)
            if vector is None:
                return await store.keyword_search(tx, space, words or "", scope=scope, limit=limit)
            if words is None:
                return await store.similarity_search(tx, space, vector, scope=scope, limit=limit)
            return await store.hybrid_search(tx, space, vector, words, language=language, scope=scope, limit=limit)

    async def everywhere(self, database: Database, principal: Principal, words: str, scope: Scope = ALL) -> list[list[str]]:
        """The texts that each of the three ways finds."""
        ways = [(EAST, None), (None, words), (EAST, words)]
        found = [await self.search(database, principal, vector=vector, words=text, scope=scope) for vector, text in ways]
        return [sorted(hit.text for hit in each.hits) for each in found]

    async def test_chunks_come_back_as_they_went_in(self, database: Database, tenant: Principal) -> None:
        texts = [f"text {i} ünïcode ✓ \\ ' \n" for i in range(600)]
        chunks = chunks_of(new_id(), texts, page_from=1, page_to=2, page_starts=(7,), heading="A > B")
        store = self.make()
        async with database.transaction(tenant) as tx:
            space = await get_space(tx, MODEL)
            assert await store.upsert(tx, space, chunks, random_vectors(600, 4)) == 600
            first = await store.list_chunks(tx, chunks[0].document_id, 1, limit=100)
            rest = await store.list_chunks(tx, chunks[0].document_id, 1, (99,), 1000)
        assert first + rest == chunks

    async def test_an_upsert_replaces(self, database: Database, tenant: Principal) -> None:
        chunks, store = chunks_of(new_id(), ["one", "two"]), self.make()
        async with database.transaction(tenant) as tx:
            space = await get_space(tx, MODEL)
            await store.upsert(tx, space, chunks, random_vectors(2, 4))
            await store.upsert(tx, space, [replace(chunks[1], text="two, again")], random_vectors(1, 4))
            kept = await store.list_chunks(tx, chunks[0].document_id, 1)
        assert [chunk.text for chunk in kept] == ["one", "two, again"]

    async def test_nothing_to_write_is_nothing(self, database: Database, tenant: Principal) -> None:
        async with database.transaction(tenant) as tx:
            assert await self.make().upsert(tx, await get_space(tx, MODEL), [], Vectors(0, 4, b"")) == 0

    @pytest.mark.parametrize(("count", "dimensions"), [(1, 4), (3, 4), (2, 3)])
    async def test_vectors_that_do_not_fit_are_refused(
        self, database: Database, tenant: Principal, count: int, dimensions: int
    ) -> None:
        async with database.transaction(tenant) as tx:
            space = await get_space(tx, MODEL)
            with pytest.raises(InvalidInput):
                await self.make().upsert(tx, space, chunks_of(new_id(), ["a", "b"]), random_vectors(count, dimensions))

    async def test_a_question_that_does_not_fit_is_refused(self, database: Database, tenant: Principal) -> None:
        with pytest.raises(InvalidInput):
            await self.search(database, tenant, vector=pack([[1, 0]]))

    async def test_what_is_rolled_back_was_never_there(self, database: Database, tenant: Principal) -> None:
        store, chunks = self.make(), chunks_of(new_id(), ["turbine"])
        with suppress(ZeroDivisionError):
            async with database.transaction(tenant) as tx:
                await store.upsert(tx, await get_space(tx, MODEL), chunks, EAST)
                raise ZeroDivisionError
        async with database.transaction(tenant) as tx:
            assert await store.list_chunks(tx, chunks[0].document_id, 1) == []
            assert await store.spaces_of_tenant(tx) == []

    async def test_a_version_can_be_kept(self, database: Database, tenant: Principal) -> None:
        document, store = new_id(), self.make()
        async with database.transaction(tenant) as tx:
            space = await get_space(tx, MODEL)
            for version in (1, 2):
                await store.upsert(tx, space, chunks_of(document, ["a", "b"], version=version), random_vectors(2, 4))
            assert await store.delete(tx, document, keep_version=2) == 2
            assert len(await store.list_chunks(tx, document, 2)) == 2
            assert await store.delete(tx, document) == 2
            assert await store.list_chunks(tx, document, 2) == []

    async def test_what_is_deleted_is_not_found(self, database: Database, tenant: Principal) -> None:
        document = await self.publish(database, tenant, ["turbine"], vectors=EAST)
        async with database.transaction(tenant) as tx:
            await self.make().delete(tx, document)
        assert await self.everywhere(database, tenant, "turbine") == [[], [], []]

    async def test_the_nearest_come_first_with_their_cosine(self, database: Database, tenant: Principal) -> None:
        vectors = pack([[-1, 1, 0, 0], [1, 1, 0, 0], [1, 0.1, 0, 0]])
        await self.publish(database, tenant, ["far", "near", "nearer"], vectors=vectors)
        hits = (await self.search(database, tenant)).hits
        assert [hit.text for hit in hits] == ["nearer", "near", "far"]
        assert hits[0].vector_score == pytest.approx(0.995, abs=2e-3)

    async def test_results_are_never_short(self, database: Database, tenant: Principal, other_tenant: Principal) -> None:
        await self.publish(database, other_tenant, [f"other {i}" for i in range(300)], vectors=random_vectors(300, 4))
        await self.publish(database, tenant, [f"text {i}" for i in range(30)], vectors=random_vectors(30, 4))
        assert [len((await self.search(database, tenant, limit=n)).hits) for n in (1, 10, 30, 50)] == [1, 10, 30, 30]

    async def test_rarer_words_count_more(self, database: Database, tenant: Principal) -> None:
        common = [f"the pump number {i} runs" for i in range(20)]
        await self.publish(database, tenant, [*common, "the cavitation of a turbine", "a pump with cavitation"])
        hits = (await self.search(database, tenant, vector=None, words="pump cavitation")).hits
        assert [hit.text for hit in hits[:2]] == ["a pump with cavitation", "the cavitation of a turbine"]

    async def test_without_a_shared_word_words_find_nothing(self, database: Database, tenant: Principal) -> None:
        await self.publish(database, tenant, ["turbine"])
        assert (await self.search(database, tenant, vector=None, words="submarine")).hits == ()

    async def test_what_both_halves_find_comes_first(self, database: Database, tenant: Principal) -> None:
        vectors = pack([[1, 0, 0, 0], [0.9, 0.5, 0, 0], [-1, 0, 0, 0]])
        await self.publish(database, tenant, ["the meaning", "a turbine and the meaning", "of turbines"], vectors=vectors)
        found = await self.search(database, tenant, words="turbine")
        assert found.hits[0].text == "a turbine and the meaning"
        assert found.compared >= 3

    @pytest.mark.parametrize(
        "question", ["the of and", "!?! ''", "'; DROP TABLE x; --", "\\ \\' <-> !a & (b", "𓀀 \u200b", "a:* | b"]
    )
    async def test_any_text_is_a_question(self, database: Database, tenant: Principal, question: str) -> None:
        await self.publish(database, tenant, ["some text"])
        assert len((await self.search(database, tenant, words=question)).hits) == 1
        assert (await self.search(database, tenant, vector=None, words=question)).hits == ()

    async def test_nobody_sees_another_tenant(self, database: Database, tenant: Principal, other_tenant: Principal) -> None:
        document = await self.publish(database, tenant, ["the secret turbine"], vectors=EAST)
        assert await self.everywhere(database, other_tenant, "turbine") == [[], [], []]
        async with database.transaction(other_tenant) as tx:
            assert await self.make().delete(tx, document) == 0
            assert await self.make().list_chunks(tx, document, 1) == []
            assert await self.make().spaces_of_tenant(tx) == []
        assert await self.everywhere(database, tenant, "turbine") == [["the secret turbine"]] * 3

    @pytest.mark.parametrize("change", [_SET_READY, _DELETE])
    async def test_only_the_ready_version_of_a_living_document_is_found(
        self, database: Database, tenant: Principal, change: str
    ) -> None:
        document = await self.publish(database, tenant, ["turbine"], vectors=EAST)
        async with database.transaction(tenant) as tx:
            await tx.execute(change, id=document)
        assert await self.everywhere(database, tenant, "turbine") == [[], [], []]

    async def test_a_scope_narrows(self, database: Database, tenant: Principal) -> None:
        manual = await self.publish(database, tenant, ["turbine manual"], collection="manuals", metadata={"year": 2020})
        await self.publish(database, tenant, ["turbine law"], collection="laws", metadata={"year": 2021})
        new = compile_filter(Comparison("gt", "year", 2020))
        for scope, texts in (
            (Scope(), ["turbine law", "turbine manual"]),
            (Scope(collections=("laws",)), ["turbine law"]),
            (Scope(document_ids=(manual,)), ["turbine manual"]),
            (Scope(filter=new), ["turbine law"]),
            (Scope(collections=()), []),
            (Scope(collections=("laws",), document_ids=(manual,)), []),
        ):
            assert await self.everywhere(database, tenant, "turbine", scope) == [texts] * 3

    async def test_spaces_are_apart(self, database: Database, tenant: Principal) -> None:
        await self.publish(database, tenant, ["turbine"])
        assert not (await self.search(database, tenant)).elsewhere
        await self.publish(database, tenant, ["turbine elsewhere"], model=OTHER_MODEL)
        found = await self.search(database, tenant, vector=None, words="turbine")
        assert [hit.text for hit in found.hits] == ["turbine"]
        assert found.elsewhere
        async with database.transaction(tenant) as tx:
            assert {space.model for space in await self.make().spaces_of_tenant(tx)} == {MODEL, OTHER_MODEL}

    async def test_where_the_model_does_not_know_the_language_words_lead(self, database: Database, tenant: Principal) -> None:
        question, away = random_vectors(1, 384, 1), random_vectors(8, 384, 2)
        near = Vectors(9, 384, question.data + away.data)
        texts = ["Der Mond ist rund", "Die Turbine wird gewartet", *(f"Etwas anderes {i}" for i in range(7))]
        await self.publish(database, tenant, texts, vectors=near, model=OTHER_MODEL, language="de")
        for language in ("de", ""):
            found = await self.search(database, tenant, vector=question, words="Turbine", language=language, model=OTHER_MODEL)
            assert found.hits[0].text == "Die Turbine wird gewartet"
