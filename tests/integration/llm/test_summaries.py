"""Long texts in few words."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from atrium.gateway.bounds import count_text
from atrium.gateway.metering import finish
from atrium.gateway.summaries import joined
from atrium.kernel.errors import InvalidFields, ProviderUnavailable
from tests.fakes.openai_server import OpenAIServer
from tests.fakes.wire import Script
from tests.integration.llm.conftest import MINI, Api

TEXT = "\n\n".join(f"Paragraph {number} tells of the year {1900 + number} and its harvest." for number in range(5000))


@given(st.lists(st.text(max_size=300), max_size=8), st.integers(40, 400))
def test_parts_fit_and_lose_nothing(pieces: list[str], room: int) -> None:
    parts = list(joined(pieces, room))
    assert all(count_text(part) <= room + 2 * room // 10 for part in parts)
    assert "".join("".join(parts).split()) == "".join("".join(pieces).split())


async def test_a_short_text_is_one_call(api: Api, openai: OpenAIServer) -> None:
    summary = await api.runtime.gateway.summarise(api.principal, "The cat sat on the mat.", MINI)
    assert (summary.text, summary.calls) == ("Because of Rayleigh scattering.", 1)
    system, user = openai.requests[-1].json()["messages"]
    fence = user["content"].split("\n")[0]
    assert fence.removeprefix("<") in system["content"].replace("<", "")
    (row,) = await api.entries()
    assert (row["feature"], row["cost"]) == ("summary", summary.cost)


async def test_a_long_text_is_read_whole(api: Api, openai: OpenAIServer) -> None:
    summary = await api.runtime.gateway.summarise(api.principal, TEXT, MINI, max_tokens=200)
    bodies = [each.json()["messages"][1]["content"] for each in openai.requests]
    assert summary.calls == len(bodies) > 3
    read = "\n".join(bodies[:-1])
    assert all(f"Paragraph {number} " in read for number in range(0, 5000, 99))
    rows = await api.entries()
    assert ({row["feature"] for row in rows}, sum(row["cost"] for row in rows)) == ({"summary"}, summary.cost)


async def test_one_call_that_fails_ends_it(api: Api, openai: OpenAIServer) -> None:
    openai.habit = Script(status=500)
    with pytest.raises(ProviderUnavailable):
        await api.runtime.gateway.summarise(api.principal, TEXT, MINI)
    await finish()  # its neighbours were called off, and settle by themselves
    assert await api.unsettled() == 0


async def test_time_ends(api: Api, openai: OpenAIServer) -> None:
    openai.habit = Script(hang=True)
    with pytest.raises(ProviderUnavailable, match="longer"):
        await api.runtime.gateway.summarise(api.principal, TEXT, MINI, seconds=0.2)
    await finish()
    assert await api.unsettled() == 0


async def test_no_key_is_needed_for_a_summary(api: Api) -> None:
    text = "The harbour of Oslo froze in 1740. Ships could not leave for four months. Bread became dear."
    summary = await api.runtime.gateway.summarise(api.principal, text, "local/extractive")
    assert summary.cost == 0
    assert summary.text


async def test_nothing_is_no_text(api: Api) -> None:
    with pytest.raises(InvalidFields):
        await api.runtime.gateway.summarise(api.principal, [" ", ""], MINI)
