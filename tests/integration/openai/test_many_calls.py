"""Many calls at a time, some of which go wrong: in the end the ledger says what the provider's bill says."""

import asyncio
from dataclasses import astuple
from typing import Any, Final

import httpx

from tests.fakes.openai_server import OpenAIServer, failing, rate_limited
from tests.fakes.wire import Script
from tests.integration.openai.conftest import HELLO, Api

CALLS: Final = 300
AT_A_TIME: Final = 16
# Each fault comes again after so many requests, so that the circuit stays closed.
EVERY: Final = 6
FAULTS: Final = (rate_limited(), failing(500), Script(answer="word " * 9, cut_after=4))
BILL: Final = """
    SELECT count(*) FILTER (WHERE outcome = 'ok') AS calls,
        sum(input_tokens)::bigint AS read, sum(output_tokens)::bigint AS written
    FROM atrium.ledger_entries WHERE counted
"""
LEFT: Final = "SELECT count(*) AS left FROM atrium.ledger_reservations"
BALANCES: Final = """
    SELECT spent, reserved, (SELECT sum(cost)::bigint FROM atrium.ledger_entries) AS cost
    FROM atrium.ledger_balances WHERE scope = 'tenant'
"""


async def test_300_calls_with_faults_among_them_are_settled_as_the_provider_bills_them(api: Api, openai: OpenAIServer) -> None:
    openai.script(*map(_script, range(CALLS)))
    statuses = await _ask(api)
    calls = await api.calls()
    assert len(calls) == len(statuses) == CALLS
    assert statuses.count(200) > CALLS * 0.9
    assert (await _row(api, LEFT))["left"] == 0
    answered, read, written, refused, broken = astuple(openai.counts)
    assert await _row(api, BILL) == {"calls": answered, "read": read, "written": written}
    assert {True} == {each["counted"] for each in calls if each["outcome"] == "ok"}
    assert (sum(each["outcome"] == "cut" for each in calls), refused > 0, broken > 0) == (broken, True, True)
    balance = await _row(api, BALANCES)
    assert (balance["spent"], balance["reserved"]) == (balance["cost"], 0)


def _script(at: int) -> Script:
    """How the request with this number is answered."""
    return Script(answer="word " * (at % 9 + 1)) if at % EVERY else FAULTS[at // EVERY % len(FAULTS)]


async def _ask(api: Api) -> list[int]:
    """The status of each call; every second is streamed, every fourth with its usage."""
    gate = asyncio.Semaphore(AT_A_TIME)

    async def ask(at: int) -> httpx.Response:
        options: dict[str, Any] = {"stream_options": {"include_usage": True}} if at % 4 == 1 else {}
        async with gate:
            return await api.post("/chat/completions", HELLO | ({"stream": True} | options if at % 2 else {}))

    return [answer.status_code for answer in await asyncio.gather(*map(ask, range(CALLS)))]


async def _row(api: Api, statement: str) -> dict[str, Any]:
    row = await (await api.rows.execute(statement)).fetchone()
    assert row is not None
    return row
