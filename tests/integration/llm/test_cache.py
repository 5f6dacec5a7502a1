"""Answers kept for the same request: whose, for how long, and which not."""

from typing import Any

import pytest

from atrium.gateway import cache
from tests.fakes.openai_server import OpenAIServer
from tests.fakes.wire import Script
from tests.integration.llm.conftest import LARGE, MINI, Api, question
from tests.integration.llm.test_faults import events

HOUR = {"ttl": 3600}


async def test_the_same_question_costs_nothing(api: Api, openai: OpenAIServer) -> None:
    first, second = [(await api.chat(cache=HOUR)).json() for _ in range(2)]
    assert (first["cached"], second["cached"], len(openai.requests)) == (False, True, 1)
    assert (second["message"], second["usage"]) == (first["message"], first["usage"])
    assert (second["cost_usd"], second["attempts"]) == (0, [])
    paid, kept = await api.entries()
    assert (str(kept["id"]), kept["cost"], kept["outcome"], kept["output_tokens"]) == (second["id"], 0, "ok", 0)
    assert paid["cost"] > 0


async def test_a_hit_is_served_where_the_budget_is_spent(api: Api) -> None:
    await api.chat(cache=HOUR)
    await api.budget(0)
    assert (await api.chat(cache=HOUR)).json()["cached"]


@pytest.mark.parametrize(
    "fields",
    [{}, {"cache": HOUR, "temperature": 0.1}, {"cache": HOUR, "model": LARGE}, {"cache": HOUR, "max_tokens": 51},
     {"cache": HOUR, "seed": 1}, {"cache": HOUR, "tools": [{"name": "a"}]}, {"cache": HOUR, "text": "Why is the sky red?"}],
)  # fmt: skip
async def test_another_request_is_another(api: Api, openai: OpenAIServer, fields: dict[str, Any]) -> None:
    await api.chat(cache=HOUR)
    assert not (await api.chat(**fields)).json()["cached"]
    assert len(openai.requests) == 2


async def test_metadata_is_no_part_of_the_question(api: Api) -> None:
    await api.chat(cache=HOUR, metadata={"a": "1"})
    assert (await api.chat(cache=HOUR, metadata={"a": "2"})).json()["cached"]


async def test_another_tenants_answer_is_nobodys(api: Api, openai: OpenAIServer) -> None:
    await api.chat(cache=HOUR)
    theirs = await api.post("/llm/chat", question(cache=HOUR), api.other)
    assert not theirs.json()["cached"]
    assert len(openai.requests) == 2


async def test_an_answer_ages(api: Api, openai: OpenAIServer) -> None:
    await api.chat(cache=HOUR)
    await api.admin.execute("UPDATE atrium.kept_answers SET kept_at = now() - interval '100 seconds'")
    assert not (await api.chat(cache={"ttl": 60})).json()["cached"]
    await api.admin.execute("UPDATE atrium.kept_answers SET expires_at = now()")
    assert not (await api.chat(cache=HOUR)).json()["cached"]


async def test_calls_of_tools_are_kept_and_streams_are_replayed(api: Api, openai: OpenAIServer) -> None:
    openai.script(Script(calls=[("weather", {"city": "Oslo"})]))
    body = question(cache=HOUR, tools=[{"name": "weather"}])
    first = (await api.post("/llm/chat", body)).json()
    told = events((await api.post("/llm/chat/stream", body)).text)
    assert [name for name, _ in told] == ["tool_call", "done"]
    assert (told[-1][1]["cached"], told[-1][1]["message"]) == (True, first["message"])


async def test_what_was_cut_short_is_not_kept(api: Api, openai: OpenAIServer) -> None:
    openai.script(Script(cut_after=3))
    await api.post("/llm/chat/stream", question(cache=HOUR))
    openai.script(Script(finish="length"))
    unbounded = {"model": MINI, "messages": [{"role": "user", "content": "x"}], "cache": HOUR}
    await api.post("/llm/chat", unbounded)
    openai.script(Script(finish="content_filter"))
    await api.chat(text="filtered", cache=HOUR)
    rows = await (await api.admin.execute("SELECT FROM atrium.kept_answers")).fetchall()
    assert rows == []


async def test_an_answer_that_cannot_be_kept_is_told_all_the_same(api: Api, openai: OpenAIServer) -> None:
    openai.script(Script(answer="a\u0000b"))  # which the database has no place for
    answer = await api.chat(cache=HOUR)
    assert (answer.status_code, answer.json()["cached"]) == (200, False)
    (row,) = await api.entries()
    assert row["outcome"] == "ok"
    assert not (await api.chat(cache=HOUR)).json()["cached"]


async def test_of_very_many_the_oldest_go(api: Api, openai: OpenAIServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cache, "MAX_ANSWERS", 3)
    for number in range(5):
        await api.chat(text=f"Question {number}?", cache=HOUR)
    theirs = await api.post("/llm/chat", question(cache=HOUR), api.other)
    assert not theirs.json()["cached"]
    kept = [(await api.chat(text=f"Question {number}?", cache=HOUR)).json()["cached"] for number in (4, 3, 2)]
    assert kept == [True] * 3
    rows = await (await api.admin.execute("SELECT tenant_id, count(*) AS n FROM atrium.kept_answers GROUP BY 1")).fetchall()
    assert sorted(row["n"] for row in rows) == [1, 3]


async def test_what_is_very_long_is_not_kept(api: Api, openai: OpenAIServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cache, "MAX_BYTES", 100)
    openai.script(Script(answer="word " * 30))
    assert [(await api.chat(cache=HOUR)).json()["cached"] for _ in range(2)] == [False, False]
