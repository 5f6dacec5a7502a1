"""What a provider says was used, and what of it is believed."""

import asyncio

from hypothesis import given
from hypothesis import strategies as st

from atrium.gateway.metering import believed, finish, keep
from atrium.providers.base import Usage
from atrium.providers.catalogue import chat_spec

MINI = chat_spec("openai/gpt-4o-mini")
MOST = MINI.context_window + MINI.max_output
TOKENS = st.integers(0, 10**12)


@given(TOKENS, TOKENS, TOKENS, st.integers(1, 8))
def test_no_more_than_any_call_can_use(read: int, written: int, cached: int, answers: int) -> None:
    told = believed(Usage(read, written, cached), MINI, answers)
    assert MINI.price.cost(told) <= answers * MOST * (MINI.price.input + MINI.price.output)
    assert (told.input_tokens, told.output_tokens) == (min(read, answers * MOST), min(written, answers * MOST))


def test_what_can_be_is_as_it_was_told() -> None:
    usage = Usage(MINI.context_window, MINI.max_output, 1_000)
    assert believed(usage, MINI) == usage


def test_of_what_is_free_nobody_knows_the_window() -> None:
    usage = Usage(100_000, 50_000)
    assert believed(usage, chat_spec("compatible/anything")) == usage


async def test_an_end_waits_for_what_goes_on_by_itself_and_for_what_it_settles() -> None:
    told: list[str] = []

    async def settle(word: str) -> None:
        await asyncio.sleep(0)
        told.append(word)

    async def call(seconds: float) -> None:
        try:
            await asyncio.sleep(seconds)
        finally:
            keep(asyncio.ensure_future(settle("answered" if seconds < 1 else "called off")))

    tasks = [keep(asyncio.ensure_future(call(seconds))) for seconds in (0.001, 600)]
    await finish(patience=0.02)

    assert sorted(told) == ["answered", "called off"]
    assert [task.cancelled() for task in tasks] == [False, True]
