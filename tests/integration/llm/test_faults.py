"""Everything that goes wrong between here and a provider, and what is told and paid then."""

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from atrium.gateway.circuits import FAILURES
from atrium.gateway.models import Purpose
from atrium.gateway.routing import TRIES
from tests.factories.auth import bearer
from tests.fakes.anthropic_server import AnthropicServer
from tests.fakes.openai_server import OpenAIServer, failing, rate_limited
from tests.fakes.wire import Script
from tests.integration.llm.conftest import CLAUDE, LARGE, MINI, Api, question

LOCAL = "local/all-minilm-l6-v2"
SECRETS = ("key-of-the-tests", "127.0.0.1")


def tried(problem: dict[str, Any]) -> list[tuple[str, str, int | None]]:
    return [(each["model"], each["outcome"], each["status"]) for each in problem["attempts"]]


def events(text: str) -> list[tuple[str, Any]]:
    """Names and data of a stream's events."""
    frames = [frame.split("\n") for frame in text.split("\n\n") if frame and not frame.startswith(":")]
    return [(frame[0].removeprefix("event: "), json.loads(frame[1].removeprefix("data: "))) for frame in frames]


async def until(happened: Callable[[], bool]) -> None:
    """Wait in small steps for what another task does."""
    async with asyncio.timeout(5):
        while not happened():  # noqa: ASYNC110  nobody tells
            await asyncio.sleep(0.005)


async def test_an_unknown_model_is_told_the_nearest(api: Api) -> None:
    answer = await api.chat(model="gpt-4o-mni")
    assert answer.status_code == 400
    assert (answer.json()["type"], MINI in answer.json()["detail"]) == ("urn:atrium:problem:unknown-model", True)


async def test_a_context_too_long_is_told_both_numbers(api: Api) -> None:
    answer = await api.chat(text="word " * 200_000, model=MINI)
    assert (answer.status_code, answer.json()["type"]) == (400, "urn:atrium:problem:context-too-long")
    assert "128000" in answer.json()["detail"]
    assert await api.entries() == []


async def test_what_a_model_cannot_names_those_that_can(api: Api) -> None:
    picture = [{"role": "user", "content": [{"type": "image", "url": "https://example.com/a.png"}]}]
    answer = await api.chat(model="local/extractive", messages=picture)
    assert answer.status_code == 400
    assert "read images" in answer.json()["detail"]
    assert "openai/" in answer.json()["detail"]


async def test_a_missing_key_names_the_setting(api: Api) -> None:
    answer = await api.chat(model="xai/grok-4")
    assert (answer.status_code, answer.json()["type"]) == (503, "urn:atrium:problem:provider-not-configured")
    assert "XAI_API_KEY" in answer.json()["detail"]


async def test_a_model_without_a_key_is_passed_over(api: Api) -> None:
    body = question(models=["xai/grok-4", MINI])
    del body["model"]
    answer = (await api.post("/llm/chat", body)).json()
    assert [(each["model"], each["outcome"]) for each in answer["attempts"]] == [("xai/grok-4", "not_configured"), (MINI, "ok")]


async def test_429_waits_as_it_says(api: Api, openai: OpenAIServer) -> None:
    openai.script(rate_limited(7))
    answer = (await api.chat()).json()
    assert api.waits.seconds == [7]
    assert [(each["outcome"], each["status"]) for each in answer["attempts"]] == [("unavailable", 429), ("ok", None)]


async def test_429_for_longer_than_there_is_time_says_when(api: Api, openai: OpenAIServer) -> None:
    openai.script(rate_limited(4000))
    answer = await api.chat()
    assert (answer.status_code, answer.headers["retry-after"], api.waits.seconds) == (503, "4000", [])


async def test_500_three_times_is_told_with_its_attempts(api: Api, openai: OpenAIServer) -> None:
    openai.script(*[Script(status=500)] * 3)
    answer = await api.chat()
    assert (answer.status_code, answer.json()["type"]) == (503, "urn:atrium:problem:provider-unavailable")
    assert tried(answer.json()) == [(MINI, "unavailable", 500)] * 3
    assert api.waits.seconds == [0.25, 0.5]
    assert not any(secret in answer.text for secret in SECRETS)
    (row,) = await api.entries()
    assert (row["outcome"], row["cost"], len(row["attempts"])) == ("failed", 0, 3)
    assert await api.unsettled() == 0


async def test_the_next_model_answers(api: Api, openai: OpenAIServer) -> None:
    openai.script(*[Script(status=500)] * 3)
    body = question(models=[MINI, CLAUDE])
    del body["model"]
    answer = (await api.post("/llm/chat", body)).json()
    assert answer["model"] == CLAUDE
    assert [each["outcome"] for each in answer["attempts"]] == ["unavailable"] * 3 + ["ok"]
    (row,) = await api.entries()
    assert (row["model"], row["provider"]) == (CLAUDE, "anthropic")


async def test_all_down_opens_the_circuit(api: Api, openai: OpenAIServer) -> None:
    openai.script(*[Script(status=500)] * (FAILURES * TRIES))
    for _ in range(FAILURES):
        assert (await api.chat()).status_code == 503
    openai.forget()
    answer = await api.chat()
    assert (answer.status_code, tried(answer.json()), openai.requests) == (503, [(MINI, "circuit_open", None)], [])


async def test_all_providers_down_is_told_with_everybodys_attempts(
    api: Api, openai: OpenAIServer, anthropic: AnthropicServer
) -> None:
    for server in (openai, anthropic):
        server.script(*[failing(500)] * TRIES)
    body = question(models=[MINI, CLAUDE])
    del body["model"]
    answer = await api.post("/llm/chat", body)
    assert (answer.status_code, answer.json()["type"]) == (503, "urn:atrium:problem:provider-unavailable")
    assert tried(answer.json()) == [(MINI, "unavailable", 500)] * TRIES + [(CLAUDE, "unavailable", 500)] * TRIES
    assert [len(server.requests) for server in (openai, anthropic)] == [TRIES, TRIES]
    assert not any(secret in answer.text for secret in SECRETS)
    (row,) = await api.entries()
    assert (row["outcome"], row["cost"], len(row["attempts"])) == ("failed", 0, 2 * TRIES)
    assert await api.unsettled() == 0


async def test_a_refusal_is_nobody_elses_business(api: Api, openai: OpenAIServer) -> None:
    openai.script(Script(status=400, error={"message": "no such tool"}))
    body = question(models=[MINI, LARGE])
    del body["model"]
    answer = await api.post("/llm/chat", body)
    assert (answer.status_code, answer.json()["type"]) == (502, "urn:atrium:problem:provider-refused")
    assert tried(answer.json()) == [(MINI, "refused", 400)]
    assert len(openai.requests) == 1


async def test_one_that_hangs_is_left_for_the_next(api: Api, openai: OpenAIServer) -> None:
    openai.script(Script(hang=True))
    api.runtime.settings = api.runtime.settings.model_copy(update={"chat_timeout": 4})
    body = question(models=[MINI, LARGE])
    del body["model"]
    answer = (await api.post("/llm/chat", body)).json()
    assert [(each["model"], each["outcome"]) for each in answer["attempts"]][-1] == (LARGE, "ok")


async def test_one_that_hung_may_want_to_be_paid(api: Api, openai: OpenAIServer) -> None:
    openai.script(Script(hang=True))
    api.runtime.settings = api.runtime.settings.model_copy(update={"chat_timeout": 4})
    body = question(models=[LARGE, MINI])
    del body["model"]
    answer = (await api.post("/llm/chat", body)).json()
    (row,) = await api.entries()
    answered = row["input_tokens"] * 150 + row["output_tokens"] * 600
    # LARGE has read the question, at 2,500 a token.
    assert (row["model"], row["outcome"], row["counted"]) == (MINI, "ok", False)
    assert row["cost"] > answered + 2_500 * 5
    assert answer["cost_usd"] == pytest.approx(row["cost"] / 1e9)


async def hung(api: Api, openai: OpenAIServer) -> Any:
    """The answer to who asked one that hangs, which may have thought all it was allowed to, then another at the same price."""
    openai.script(Script(hang=True))
    api.runtime.settings = api.runtime.settings.model_copy(update={"chat_timeout": 4})
    body = question(models=["openai/o4-mini", "openai/gpt-5.1"], max_tokens=100)
    del body["model"]
    return await api.post("/llm/chat", body)


async def test_what_was_lost_is_settled_by_itself_and_the_next_is_reserved_anew(api: Api, openai: OpenAIServer) -> None:
    answer = await hung(api, openai)
    assert answer.status_code == 200, answer.text
    lost, told = await api.entries()
    assert [(row["outcome"], row["model"]) for row in (lost, told)] == [("failed", "openai/o4-mini"), ("ok", "openai/gpt-5.1")]
    for row in (lost, told):
        assert 0 < row["cost"] <= row["bound"]
    assert answer.json()["cost_usd"] == pytest.approx((lost["cost"] + told["cost"]) / 1e9)
    assert answer.json()["id"] == str(told["id"])
    assert await api.unsettled() == 0


async def test_a_budget_pays_for_no_more_attempts_than_it_has_room_for(api: Api, openai: OpenAIServer) -> None:
    await api.budget(0.0012)
    answer = await hung(api, openai)
    assert (answer.status_code, answer.json()["type"]) == (402, "urn:atrium:problem:budget-exceeded")
    (row,) = await api.entries()
    assert (row["outcome"], row["cost"] <= 1_200_000) == ("failed", True)
    assert await api.unsettled() == 0


async def test_one_that_never_answered_may_want_to_be_paid(api: Api, openai: OpenAIServer) -> None:
    openai.script(Script(hang=True))
    api.runtime.settings = api.runtime.settings.model_copy(update={"chat_timeout": 0.2})
    assert (await api.chat()).status_code == 503
    (row,) = await api.entries()
    assert (row["outcome"], row["counted"], row["cost"] > 0) == ("failed", False, True)


async def test_thoughts_of_one_who_is_left_are_paid_for(api: Api, openai: OpenAIServer) -> None:
    openai.script(Script(hang=True))
    request = asyncio.ensure_future(api.chat(model="openai/o4-mini", max_tokens=100))
    await until(lambda: bool(openai.requests))
    await asyncio.sleep(0.1)
    request.cancel()
    with pytest.raises(asyncio.CancelledError):
        await request
    (row,) = await api.entries()
    # 4.40 dollars for a million tokens: all hundred may have been thought.
    assert (row["outcome"], row["counted"], row["cost"] > 100 * 4_400) == ("cancelled", False, True)


@pytest.mark.parametrize("garbage", ["<html>Bad gateway</html>", '{"choices": [{}'])
async def test_garbage_is_502_with_its_attempts(api: Api, openai: OpenAIServer, garbage: str) -> None:
    openai.script(*[Script(garbage=garbage)] * 3)
    answer = await api.chat()
    assert answer.status_code == 502
    assert answer.json()["attempts"]
    assert await api.unsettled() == 0


async def test_usage_absent_is_counted_here(api: Api, openai: OpenAIServer) -> None:
    openai.script(Script(usage=False))
    answer = (await api.chat()).json()
    assert answer["usage"]["input_tokens"] > 0
    assert answer["usage"]["output_tokens"] > 0
    assert answer["warnings"] == ["The provider told no usage: the tokens are counted here."]
    (row,) = await api.entries()
    assert (row["counted"], row["cost"] > 0) == (False, True)


@pytest.mark.parametrize("fault", [Script(cut_after=3), Script(malformed_at=3), Script(error_at=3)])
async def test_a_stream_that_breaks_is_told_and_paid_for(api: Api, openai: OpenAIServer, fault: Script) -> None:
    openai.script(fault)
    answer = await api.post("/llm/chat/stream", question(models=None) | {"model": MINI})
    told = events(answer.text)
    assert [name for name, _ in told] == ["token", "token", "error"]
    assert told[-1][1]["attempts"][0]["outcome"] == "failed"
    (row,) = await api.entries()
    assert (row["outcome"], row["counted"], row["output_tokens"] > 0, row["cost"] > 0) == ("cut", False, True, True)
    assert len(openai.requests) == 1, "after its first word nobody else is asked"


async def test_a_stream_that_fails_before_its_first_word_is_a_plain_error(api: Api, openai: OpenAIServer) -> None:
    openai.script(*[failing(503)] * 3)
    answer = await api.post("/llm/chat/stream", question())
    assert (answer.status_code, len(answer.json()["attempts"])) == (503, 3)


async def test_a_stream_ends_in_the_whole_answer(api: Api) -> None:
    answer = await api.post("/llm/chat/stream", question())
    told = events(answer.text)
    (row,) = await api.entries()
    assert told[-1][0] == "done"
    assert "".join(data["text"] for name, data in told if name == "token") == told[-1][1]["message"]["content"]
    assert told[-1][1]["id"] == str(row["id"])


async def test_who_leaves_pays_for_what_was_produced(api: Api, openai: OpenAIServer) -> None:
    openai.script(Script(answer="one two three four five six", frame_delay=0.02))
    request = asyncio.ensure_future(api.chat())
    await until(lambda: bool(openai.requests))
    await asyncio.sleep(0.03)
    request.cancel()
    with pytest.raises(asyncio.CancelledError):
        await request
    async with asyncio.timeout(2):
        await openai.abandoned.wait()
    assert await api.unsettled() == 0
    (row,) = await api.entries()
    assert (row["outcome"], row["counted"], row["cost"] > 0) == ("cancelled", False, True)


async def test_a_wrong_vector_is_refused(api: Api, openai: OpenAIServer) -> None:
    for wrong in ("nan", "inf", "short", "few", "index"):
        openai.script(Script(vectors=wrong))
        answer = await api.post("/llm/embed", {"model": "openai/text-embedding-3-small", "input": ["a", "b"]})
        assert answer.status_code == 502, wrong
        assert answer.json()["attempts"][0]["outcome"] == "failed"
    rows = await api.entries()
    # It read the texts, whatever it made of them: at 20 nano-dollars a token.
    assert {(row["outcome"], row["cost"] > 0, row["counted"]) for row in rows} == {("failed", True, False)}


MANY = {"model": "openai/text-embedding-3-small", "input": ["a cat"] * 300}


@pytest.mark.parametrize(
    ("faults", "status", "calls"),
    [
        ([Script(status=400)], 502, 2),
        ([rate_limited()] * 3, 503, 4),
        ([failing(503)] * 3, 503, 4),
        ([rate_limited(), failing(500)], 200, 4),
    ],
    ids=["refused", "limited", "failing", "answered at last"],
)
async def test_a_part_of_an_embedding_that_was_answered_is_paid_for_once(
    api: Api, openai: OpenAIServer, faults: list[Script], status: int, calls: int
) -> None:
    openai.script(Script(), *faults)
    answer = await api.post("/llm/embed", MANY)
    assert (answer.status_code, len(openai.requests)) == (status, calls)
    (row,) = await api.entries()
    assert row["input_tokens"] == openai.counts.prompt_tokens
    assert (row["cost"], row["counted"]) == (openai.counts.prompt_tokens * 20, True)


async def test_of_an_embedding_only_the_part_that_got_lost_is_guessed(api: Api, openai: OpenAIServer) -> None:
    openai.script(Script(), Script(garbage="<html>"))
    assert (await api.post("/llm/embed", MANY)).status_code == 502
    (row,) = await api.entries()
    told, whole = openai.counts.prompt_tokens, 300 * 2
    assert told == row["input_tokens"] == 256 * 2
    assert (told * 20 < row["cost"] <= 2 * whole * 20, row["counted"]) == (True, False)


@pytest.mark.parametrize("kind", ["document", "query"])
async def test_a_text_over_what_a_local_model_reads_is_refused_but_searched(api: Api, model_dir: Path, kind: str) -> None:
    api.runtime.settings = api.runtime.settings.model_copy(update={"model_dir": str(model_dir)})
    answer = await api.post("/llm/embed", {"model": LOCAL, "input": ["short", "word " * 300], "kind": kind})
    problem = answer.json()
    assert (answer.status_code, problem["type"]) == (400, "urn:atrium:problem:context-too-long")
    assert {"302", "256"} <= set(problem["detail"].replace(".", " ").replace(",", " ").split())
    for feature in ("search", "ingestion"):
        embedder = await api.runtime.gateway.embedder(api.principal, LOCAL, Purpose(feature))
        assert (await embedder.embed(["word " * 300], "query")).count == 1


async def test_a_text_that_is_certainly_over_what_a_model_reads_is_not_sent(api: Api, openai: OpenAIServer) -> None:
    answer = await api.post("/llm/embed", MANY | {"input": ["short", "word " * 11_000]})
    assert (answer.status_code, answer.json()["type"]) == (400, "urn:atrium:problem:context-too-long")
    assert "8192" in answer.json()["detail"] or "8191" in answer.json()["detail"]
    assert openai.requests == [] == await api.entries()
    assert (await api.post("/llm/embed", MANY | {"input": "word " * 9_000})).status_code == 200


async def test_vectors_are_metered(api: Api) -> None:
    answer = await api.post("/llm/embed", {"model": "text-embedding-3-small", "input": ["a cat", "a dog"]})
    body = answer.json()
    assert (answer.status_code, len(body["data"]), len(body["data"][0]["embedding"])) == (200, 2, 1536)
    (row,) = await api.entries()
    assert (row["kind"], str(row["id"]), row["cost"]) == ("embedding", body["id"], body["usage"]["input_tokens"] * 20)
    again = await api.post("/llm/embed", {"model": "text-embedding-3-small", "input": "a cat", "encoding_format": "base64"})
    assert isinstance(again.json()["data"][0]["embedding"], str)


async def test_an_idempotent_answer_is_paid_for_once(api: Api) -> None:
    headers = bearer(api.session) | {"Idempotency-Key": "one"}
    first, second = [await api.http.post("/api/v1/llm/chat", json=question(), headers=headers) for _ in range(2)]
    assert (first.json(), second.headers["idempotency-replayed"]) == (second.json(), "true")
    assert len(await api.entries()) == 1
