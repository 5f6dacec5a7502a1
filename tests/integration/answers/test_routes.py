"""The four routes as clients see them: JSON, both streams, bad input, roles, two tenants."""

import json
from typing import Any

import pytest

from atrium.answers.wording import NO_ANSWER
from atrium.db import Database
from tests.factories.auth import bearer, make_key
from tests.factories.retrieval import publish
from tests.fakes.openai_server import OpenAIServer, failing
from tests.fakes.wire import Script
from tests.integration.answers.conftest import GPT, Api

REFUNDS = "Refunds are paid within 14 days after receipt. Shipping costs are not refunded."
QUESTION = {"question": "When are refunds paid?", "top_k": 5}
ROUTES = [
    ("/rag/search", {"query": "refunds"}), ("/rag/query", QUESTION), ("/query", QUESTION), ("/query/sync", QUESTION),
]  # fmt: skip


def frames(text: str) -> list[tuple[str | None, str]]:
    """(event, data) of each frame, as a browser reads them."""
    read = []
    for frame in text.split("\n\n"):
        lines = [line for line in frame.split("\n") if line and not line.startswith(":")]
        name = next((line[7:] for line in lines if line.startswith("event: ")), None)
        data = "\n".join(line[6:] for line in lines if line.startswith("data: "))
        if lines:
            read.append((name, data))
    return read


async def test_search_returns_passages_with_their_places(api: Api, database: Database) -> None:
    document = await publish(database, api.principal, [REFUNDS], name="terms.pdf", page_from=1, page_to=2, heading="Terms")

    answer = await api.post("/rag/search", {"query": "refunds", "mode": "hybrid", "top_k": 3, "rerank": True})

    assert answer.status_code == 200, answer.text
    (hit,) = answer.json()["results"]
    assert hit.pop("score") > 0
    assert hit.pop("scores").keys() == {"vector", "keyword"}
    assert hit.pop("chunk_id")
    assert hit == {
        "document_id": str(document), "document_name": "terms.pdf", "version": 1, "page_from": 1, "page_to": 2,
        "char_start": 0, "char_end": len(REFUNDS), "heading": "Terms", "text": REFUNDS,
    }  # fmt: skip
    assert (answer.json()["mode"], answer.json()["candidates_scanned"]) == ("hybrid", 2)


async def test_filters_and_collections_narrow(api: Api, database: Database) -> None:
    await publish(database, api.principal, ["refunds of laws"], collection="laws", metadata={"year": 2020, "tags": ["a"]})
    await publish(database, api.principal, ["refunds of terms"], collection="terms", metadata={"year": 2024})
    recent = {
        "type": "and",
        "filters": [{"type": "gte", "key": "year", "value": 2021}, {"type": "nin", "key": "tags", "value": ["a"]}],
    }

    by_filter = await api.post("/rag/search", {"query": "refunds", "filters": recent})
    by_collection = await api.post("/rag/search", {"query": "refunds", "collections": ["laws"]})

    assert [hit["text"] for hit in by_filter.json()["results"]] == ["refunds of terms"]
    assert [hit["text"] for hit in by_collection.json()["results"]] == ["refunds of laws"]


@pytest.mark.parametrize("path", ["/rag/query", "/query/sync"])
async def test_an_answer_as_json(api: Api, database: Database, path: str) -> None:
    document = await publish(database, api.principal, [REFUNDS], name="terms.pdf")

    answer = await api.post(path, QUESTION)

    assert answer.status_code == 200, answer.text
    reply = answer.json()
    assert reply.keys() == {"answer", "citations", "unsupported", "usage", "model", "retrieval"}
    (citation,) = reply["citations"]
    assert citation == {
        "marker": 1, "document_id": str(document), "document_name": "terms.pdf", "version": 1, "page": None,
        "quote": "Refunds are paid within 14 days after receipt", "char_start": 0, "char_end": 45, "verified": True,
    }  # fmt: skip
    assert reply["model"] == "local/extractive"
    assert reply["unsupported"] == []
    assert [source["marker"] for source in reply["retrieval"]["sources"]] == [1]


async def test_query_streams_raw_tokens(api: Api, database: Database) -> None:
    await publish(database, api.principal, [REFUNDS])

    answer = await api.post("/query", QUESTION)

    assert answer.headers["content-type"].startswith("text/event-stream")
    read = frames(answer.text)
    assert read[0][0] == "sources"
    assert read[-1] == (None, "[DONE]")
    assert "".join(data for name, data in read[:-1] if name is None) == "Refunds are paid within 14 days after receipt. [1]"
    (citation,) = [json.loads(data) for name, data in read if name == "citation"]
    assert citation["verified"]


async def test_rag_query_streams_named_events(api: Api, database: Database) -> None:
    await publish(database, api.principal, [REFUNDS])

    answer = await api.post("/rag/query", QUESTION, accept="text/event-stream")

    read = frames(answer.text)
    assert [name for name, _ in read if name != "token"] == ["sources", "citation", "done"]
    done = json.loads(read[-1][1])
    assert done["answer"] == "".join(json.loads(data)["text"] for name, data in read if name == "token")


async def test_newlines_and_endings_survive_the_stream(api: Api, database: Database, openai: OpenAIServer) -> None:
    await publish(database, api.principal, [REFUNDS])
    openai.script(Script(answer="one\ntwo\n\n[DONE] three"))

    read = frames((await api.post("/query", QUESTION | {"model": GPT})).text)

    assert [data for name, data in read if name is None].count("[DONE]") == 1
    assert "".join(data for name, data in read[:-1] if name is None) == "one\ntwo\n\n[DONE] three"


async def test_a_stream_that_breaks_ends_with_an_error(api: Api, database: Database, openai: OpenAIServer) -> None:
    await publish(database, api.principal, [REFUNDS])
    openai.script(Script(cut_after=4), Script(cut_after=4))

    plain = frames((await api.post("/query", QUESTION | {"model": GPT})).text)
    named = frames((await api.post("/rag/query", QUESTION | {"model": GPT}, accept="text/event-stream")).text)

    assert [name for name, _ in plain][-2:] == ["error", None]
    assert named[-1][0] == "error"
    problem = json.loads(named[-1][1])
    assert problem["status"] in {502, 503}
    assert "done" not in [name for name, _ in named]


async def test_what_fails_before_the_stream_is_a_plain_problem(api: Api, database: Database, openai: OpenAIServer) -> None:
    unknown = await api.post("/query", QUESTION | {"model": "no/such"})
    await publish(database, api.principal, [REFUNDS])
    openai.script(*[failing()] * 4)
    away = await api.post("/query/sync", QUESTION | {"model": GPT})

    assert (unknown.status_code, unknown.headers["content-type"]) == (400, "application/problem+json")
    assert away.status_code == 503


async def test_nothing_found_is_said(api: Api) -> None:
    sync = (await api.post("/query/sync", QUESTION)).json()
    streamed = frames((await api.post("/query", QUESTION)).text)

    assert (sync["answer"], sync["citations"], sync["unsupported"], sync["model"]) == (NO_ANSWER, [], [], None)
    assert [data for name, data in streamed if name is None] == [NO_ANSWER, "[DONE]"]


@pytest.mark.parametrize(("path", "body"), ROUTES)
async def test_tenants_do_not_see_each_other(api: Api, database: Database, path: str, body: dict[str, Any]) -> None:
    await publish(database, api.principal, [REFUNDS])

    mine = await api.post(path, body)
    theirs = await api.http.post(f"/api/v1{path}", json=body, headers=bearer(api.other))

    assert "14 days" in mine.text
    assert theirs.status_code == 200
    assert "14 days" not in theirs.text


@pytest.mark.parametrize(("path", "body"), ROUTES)
async def test_who_may_not_ask_is_told(api: Api, path: str, body: dict[str, Any]) -> None:
    key = await make_key(api.http, api.session, role="member", scopes=["documents:read"])

    anonymous = await api.http.post(f"/api/v1{path}", json=body)
    narrowed = await api.http.post(f"/api/v1{path}", json=body, headers={"X-API-Key": key["key"]})

    assert (anonymous.status_code, narrowed.status_code) == (401, 403)


BAD: list[tuple[dict[str, Any], str]] = [
    ({"query": ""}, "/query"),
    ({"query": "   "}, "/query"),
    ({"query": "x" * 4001}, "/query"),
    ({"query": "x", "top_k": 0}, "/top_k"),
    ({"query": "x", "top_k": 51}, "/top_k"),
    ({"query": "x", "top_k": "5"}, "/top_k"),
    ({"query": "x", "mode": "magic"}, "/mode"),
    ({"query": "x", "collections": ["No Such!"]}, "/collections/0"),
    ({"query": "x", "document_ids": ["nope"]}, "/document_ids/0"),
    ({"query": "x", "unknown": 1}, "/unknown"),
    ({"query": "x", "filters": {"type": "in", "key": "a", "value": 1}}, "/filters/value"),
]


@pytest.mark.parametrize(("body", "pointer"), BAD)
async def test_wrong_fields_are_named(api: Api, body: dict[str, Any], pointer: str) -> None:
    answer = await api.post("/rag/search", body)

    assert answer.status_code == 422
    assert [error["pointer"] for error in answer.json()["errors"]] == [pointer]


async def test_a_filter_of_no_kind_is_refused(api: Api) -> None:
    kinds: list[Any] = [{"type": "like", "key": "a", "value": 1}, {"type": "eq"}, {"type": "and", "filters": []}, [], "x"]
    for wrong in kinds:
        assert (await api.post("/rag/search", {"query": "x", "filters": wrong})).status_code == 422


async def test_the_same_question_with_a_key_is_answered_once(api: Api, database: Database, openai: OpenAIServer) -> None:
    await publish(database, api.principal, [REFUNDS])
    body = QUESTION | {"model": GPT}

    first = await api.post("/query/sync", body, **{"Idempotency-Key": "once"})
    again = await api.post("/query/sync", body, **{"Idempotency-Key": "once"})

    assert again.headers["Idempotency-Replayed"] == "true"
    assert again.json() == first.json()
    assert len(openai.requests) == 1
