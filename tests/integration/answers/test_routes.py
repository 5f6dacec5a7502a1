"""The four routes as clients see them: JSON, both streams, bad input, roles, two tenants."""

import json
import re
from typing import Any

import psycopg
import pytest

from atrium.answers.budget import count_tokens
from atrium.answers.wording import NO_ANSWER, no_answer
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

VERSION = """
INSERT INTO atrium.document_versions (tenant_id, document_id, version, source, object_key, content_type, size, status)
VALUES (%(tenant)s, %(document)s, 1, 'api', %(document)s::text, 'text/plain', 1, 'ready')
"""


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

    answer = await api.post("/rag/search", {"query": "refunds", "mode": "hybrid", "top_k": 3, "rerank": False})

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


@pytest.mark.parametrize(("path", "body"), ROUTES)
@pytest.mark.parametrize("rerank", [True, "local/judge"])
async def test_a_reranker_that_is_not_there_is_refused(api: Api, path: str, body: dict[str, Any], rerank: bool | str) -> None:
    answer = await api.post(path, body | {"rerank": rerank})

    assert answer.status_code == 422
    assert [error["pointer"] for error in answer.json()["errors"]] == ["/rerank"]


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
    assert reply.keys() == {"answer", "citations", "unsupported", "usage", "model", "prompt", "retrieval"}
    (citation,) = reply["citations"]
    assert citation == {
        "marker": 1, "document_id": str(document), "document_name": "terms.pdf", "version": 1, "page": None,
        "quote": "Refunds are paid within 14 days after receipt", "char_start": 0, "char_end": 45, "verified": True,
    }  # fmt: skip
    assert reply["model"] == "local/extractive"
    assert reply["prompt"] == {"key": "rag_answer", "layer": "builtin", "version": None, "label": None}
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


FORMS: list[tuple[str, dict[str, str]]] = [
    ("/query", {}),
    ("/query/sync", {}),
    ("/rag/query", {}),
    ("/rag/query", {"accept": "text/event-stream"}),
]


@pytest.mark.parametrize(("path", "headers"), FORMS)
async def test_a_model_that_cannot_begin_is_a_plain_problem_in_every_form(
    api: Api, database: Database, openai: OpenAIServer, path: str, headers: dict[str, str]
) -> None:
    await publish(database, api.principal, [REFUNDS])
    openai.script(*[failing()] * 4)

    away = await api.post(path, QUESTION | {"model": GPT}, **headers)
    openai.forget()
    openai.script(failing(401), failing(401))
    refused = await api.post(path, QUESTION | {"model": GPT}, **headers)

    assert (away.status_code, refused.status_code) == (503, 502)
    assert away.headers["content-type"] == refused.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize(("path", "headers"), FORMS)
async def test_a_provider_without_a_key_is_a_plain_problem_in_every_form(
    api: Api, database: Database, path: str, headers: dict[str, str]
) -> None:
    await publish(database, api.principal, [REFUNDS])
    del api.runtime.memory_secrets.values[f"{api.runtime.settings.provider_secret_prefix}openai"]

    keyless = await api.post(path, QUESTION | {"model": GPT}, **headers)

    assert (keyless.status_code, keyless.headers["content-type"]) == (503, "application/problem+json")
    assert "openai has no API key in this deployment" in keyless.json()["detail"]


async def test_a_slow_first_word_begins_the_stream_all_the_same(api: Api, database: Database, openai: OpenAIServer) -> None:
    await publish(database, api.principal, [REFUNDS])
    api.runtime.settings = api.runtime.settings.model_copy(update={"sse_heartbeat": 0.05})
    openai.script(Script(answer="Slow.", delay=0.4), Script(status=401, delay=0.4), Script(status=401, delay=0.4))

    slow = await api.post("/query", QUESTION | {"model": GPT})
    late = await api.post("/query", QUESTION | {"model": GPT})

    assert ": ping" in slow.text
    assert frames(slow.text)[-2:] == [(None, "Slow."), (None, "[DONE]")]
    assert (late.status_code, [name for name, _ in frames(late.text)]) == (200, ["sources", "error", None])


@pytest.mark.parametrize(("path", "headers"), FORMS)
async def test_a_question_too_long_for_the_model_is_told_both_numbers(
    api: Api, small_window: int, path: str, headers: dict[str, str]
) -> None:
    answer = await api.post(path, {"question": "why " * 999, "model": GPT}, **headers)

    assert answer.status_code == 422
    (error,) = answer.json()["errors"]
    assert error["pointer"] == "/question"
    assert re.fullmatch(r"has about \d+ tokens; openai/gpt-4.1-mini has room for \d+", error["detail"])


@pytest.mark.parametrize("path", ["/query/sync", "/rag/query"])
@pytest.mark.parametrize("field", ["conversation_id"])
async def test_what_comes_later_is_refused_in_words(api: Api, path: str, field: str) -> None:
    answer = await api.post(path, QUESTION | {field: "x"})

    assert answer.status_code == 422
    (error,) = answer.json()["errors"]
    assert (error["pointer"], error["detail"].startswith("is not supported: ")) == (f"/{field}", True)
    assert (await api.post(path, QUESTION | {field: None})).status_code == 200


@pytest.mark.parametrize(("path", "headers"), [*FORMS, ("/rag/search", {})])
async def test_every_route_looks_where_it_is_told(api: Api, database: Database, path: str, headers: dict[str, str]) -> None:
    wanted = await publish(database, api.principal, ["Refunds take 7 days."], collection="laws", metadata={"year": 2024})
    await publish(database, api.principal, ["Refunds take 8 days."], collection="laws", metadata={"year": 2024})
    await publish(database, api.principal, ["Refunds take 9 days."], collection="terms")
    asked = {"query" if path == "/rag/search" else "question": "When are refunds paid?", "top_k": 3, "mode": "keyword"}
    wheres: list[dict[str, Any]] = [
        {"collections": ["laws"], "document_ids": [str(wanted)]},
        {"filters": {"type": "in", "key": "year", "value": [2024]}, "document_ids": [str(wanted)]},
    ]

    for where in wheres:
        text = (await api.post(path, asked | where | {"rerank": False}, **headers)).text

        assert "Refunds take 7 days" in text
        assert "8 days" not in text
        assert "9 days" not in text
        assert '"mode":"keyword"' in text


async def test_the_tenants_own_model_answers_where_none_is_named(
    api: Api, database: Database, openai: OpenAIServer, admin_connection: psycopg.AsyncConnection[dict[str, Any]]
) -> None:
    await publish(database, api.principal, [REFUNDS])
    chosen = {"chat_model": GPT}
    await admin_connection.execute(
        "UPDATE atrium.tenants SET settings = settings || %s::jsonb WHERE tenant_id = %s",
        (json.dumps(chosen), api.session["org"]["id"]),
    )
    await admin_connection.commit()

    by_default = (await api.post("/query/sync", QUESTION)).json()
    by_name = (await api.post("/query/sync", QUESTION | {"model": "local/extractive"})).json()
    theirs = await api.http.post("/api/v1/query/sync", json=QUESTION, headers=bearer(api.other))

    assert (by_default["model"], by_name["model"]) == (GPT, "local/extractive")
    assert theirs.json()["model"] is None
    assert by_default["usage"]["input_tokens"] > 0 < by_default["usage"]["output_tokens"]
    assert len(openai.requests) == 1


@pytest.mark.parametrize(
    ("language", "question"),
    [
        ("de", "Wie lange dauert die Rückerstattung?"),
        ("ja", "返金はいつですか？"),
        ("fr", "Quel est le délai de remboursement ?"),
    ],
)
async def test_nothing_found_is_said_in_the_questions_language(
    api: Api, database: Database, language: str, question: str
) -> None:
    nowhere = (await api.post("/query/sync", {"question": question})).json()
    await publish(database, api.principal, ["Hamsters run at night."])
    nothing = (await api.post("/query/sync", {"question": question})).json()

    assert nowhere["answer"] == nothing["answer"] == no_answer(language)
    assert nowhere["unsupported"] == nothing["unsupported"] == []


async def test_a_model_is_asked_for_the_questions_language(api: Api, database: Database, openai: OpenAIServer) -> None:
    await publish(database, api.principal, [REFUNDS])
    openai.script(Script(answer='Die Erstattung dauert "within 14 days after receipt" [1].'), Script(answer=no_answer("de")))

    answer = (await api.post("/query/sync", {"question": "Wie lange dauert die Erstattung?", "model": GPT})).json()
    unknown = (await api.post("/query/sync", {"question": "Wie hoch ist der Mond?", "model": GPT})).json()

    assert "Answer in German" in openai.requests[0].json()["messages"][0]["content"]
    assert [citation["quote"] for citation in answer["citations"]] == ["within 14 days after receipt"]
    assert (answer["unsupported"], unknown["unsupported"]) == ([], [])


async def test_what_a_small_model_has_no_room_for_is_told(
    api: Api, database: Database, openai: OpenAIServer, small_window: int
) -> None:
    for number in range(6):
        await publish(database, api.principal, [f"Refunds of kind {number} take a while. " * 12])

    reply = (await api.post("/query/sync", QUESTION | {"model": GPT, "top_k": 6})).json()["retrieval"]

    assert reply["passages_used"] + reply["passages_dropped"] == 6
    assert 0 < reply["passages_used"] == len(reply["sources"]) < 6
    (asked,) = openai.requests
    assert asked.json()["max_completion_tokens"] == small_window // 4
    assert sum(count_tokens(message["content"]) for message in asked.json()["messages"]) <= small_window - small_window // 4


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
    ({"query": "x", "filters": {"type": "in", "key": "a", "value": []}}, "/filters/value"),
    ({"query": "x", "filters": {"type": "eq", "value": 1}}, "/filters/key"),
    (
        {"query": "x", "filters": {"type": "and", "filters": [{"type": "nin", "key": "a", "value": "b"}]}},
        "/filters/filters/0/value",
    ),
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


@pytest.mark.parametrize(("path", "body"), [route for route in ROUTES if route[0] != "/query"])
async def test_a_replay_does_not_give_a_deleted_documents_text(
    api: Api, database: Database, path: str, body: dict[str, Any]
) -> None:
    document = await publish(database, api.principal, [REFUNDS])
    async with database.transaction(api.principal) as tx:
        await tx.execute(VERSION, tenant=api.principal.tenant_id, document=document)
    key = {"Idempotency-Key": "once"}
    assert "14 days" in (await api.post(path, body, **key)).text

    deleted = await api.http.delete(f"/api/v1/documents/{document}", headers=bearer(api.session))
    again = await api.post(path, body, **key)

    assert deleted.status_code == 204, deleted.text
    assert "Idempotency-Replayed" not in again.headers
    assert "14 days" not in again.text
