"""Budgets and the ledger, end to end."""

import asyncio

import httpx

from atrium.gateway.bounds import count_input, plan
from atrium.providers.base import ChatRequest, Message
from atrium.providers.catalogue import chat_spec
from tests.fakes.openai_server import OpenAIServer
from tests.fakes.wire import Script
from tests.integration.llm.conftest import LARGE, MINI, Api, question

ASKED = "Why is the sky blue?"


def bound(max_tokens: int, model: str = MINI, text: str = ASKED) -> float:
    """Dollars that a call reserves."""
    request = ChatRequest(model.partition("/")[2], (Message("user", text),))
    return plan(chat_spec(model), count_input(request), max_tokens).bound / 1e9


async def refused(calls: list[asyncio.Task[httpx.Response]], wanted: int) -> list[httpx.Response]:
    """The first so many answers."""
    answers: list[httpx.Response] = []
    async with asyncio.timeout(20):
        for answer in asyncio.as_completed(calls):
            answers.append(await answer)
            if len(answers) == wanted:
                break
    return answers


async def test_32_at_once_on_a_budget_for_20_are_20(api: Api, openai: OpenAIServer) -> None:
    """None of the 20 is answered before the others were refused, so that no room comes back meanwhile."""
    await api.budget(20 * bound(50))
    openai.habit = Script(hang=True)
    calls = [asyncio.ensure_future(api.chat()) for _ in range(32)]
    answers = await refused(calls, 12)
    assert {(answer.status_code, answer.json()["type"]) for answer in answers} == {(402, "urn:atrium:problem:budget-exceeded")}
    async with asyncio.timeout(20):
        while len(openai.requests) < 20:  # noqa: ASYNC110  nobody tells
            await asyncio.sleep(0.01)
    assert await api.unsettled() == 20
    for call in calls:
        call.cancel()
    await asyncio.gather(*calls, return_exceptions=True)
    assert (await api.unsettled(), len(openai.requests), len(await api.entries())) == (0, 20, 20)


async def test_an_answer_nobody_bounded_is_as_long_as_the_budget_lets_it(api: Api, openai: OpenAIServer) -> None:
    await api.budget(bound(300))
    answer = await api.post("/llm/chat", {"model": MINI, "messages": [{"role": "user", "content": ASKED}]})
    assert answer.status_code == 200, answer.text
    assert openai.requests[-1].json()["max_completion_tokens"] == 300


async def test_what_is_not_worth_a_word_is_refused(api: Api) -> None:
    await api.budget(bound(30))
    answer = await api.post("/llm/chat", {"model": MINI, "messages": [{"role": "user", "content": ASKED}]})
    assert answer.status_code == 402


async def test_the_dearest_that_may_answer_is_reserved(api: Api) -> None:
    """Also where the cheaper one would do."""
    await api.budget((bound(50) + bound(50, LARGE)) / 2)
    assert (await api.chat()).status_code == 200
    body = question(models=[MINI, LARGE])
    del body["model"]
    assert (await api.post("/llm/chat", body)).status_code == 402


async def test_what_is_free_needs_no_budget(api: Api) -> None:
    await api.budget(0)
    assert (await api.chat(model="local/extractive")).status_code == 200
    assert (await api.chat()).status_code == 402
    (row,) = await api.entries()
    assert (row["model"], row["cost"]) == ("local/extractive", 0)
