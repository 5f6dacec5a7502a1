"""Streams that have begun: closed, they close their source, at whatever moment."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing

import pytest

from atrium.web.opening import begun


class Source:
    """Numbers, each after a wait; notes how it ended."""

    def __init__(self, wait: float = 0, fails: bool = False, numbers: int = 100) -> None:
        self.told: list[int] = []
        self.closed = False
        self._wait, self._fails, self._numbers = wait, fails, numbers

    async def run(self) -> AsyncGenerator[int]:
        try:
            for number in range(self._numbers):
                await asyncio.sleep(self._wait)
                if self._fails:
                    raise LookupError
                self.told.append(number)
                yield number
        finally:
            self.closed = True


@pytest.mark.parametrize("wait", [0, 60])
async def test_closed_before_anything_was_asked_for_it_closes_its_source(wait: float) -> None:
    source = Source(wait)
    events = await begun(source.run(), 0.01)
    await events.aclose()
    assert source.closed
    assert source.told == ([] if wait else [0])
    await events.aclose()


async def test_the_events_are_the_same() -> None:
    assert [event async for event in await begun(Source(numbers=3).run(), 1)] == [0, 1, 2]
    assert [event async for event in await begun(Source(0.01, numbers=3).run(), 0)] == [0, 1, 2]
    assert [event async for event in await begun(Source(numbers=0).run(), 1)] == []


async def test_left_in_the_middle_it_closes_its_source() -> None:
    source = Source()
    async with aclosing(await begun(source.run(), 1)) as events:
        async for event in events:
            if event == 2:
                break
    assert (source.closed, source.told) == (True, [0, 1, 2])


async def test_who_leaves_while_it_waits_for_the_first_ends_the_source() -> None:
    source = Source(60)
    events = await begun(source.run(), 0)
    waiting = asyncio.ensure_future(anext(events))
    await asyncio.sleep(0)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    await events.aclose()
    assert source.closed


async def test_what_fails_before_the_first_is_raised_at_once() -> None:
    source = Source(fails=True)
    with pytest.raises(LookupError):
        await begun(source.run(), 1)
    assert source.closed


async def test_what_is_thrown_in_closes_it() -> None:
    source = Source()
    events = await begun(source.run(), 1)
    with pytest.raises(KeyError):
        await events.athrow(KeyError("x"))
    assert source.closed
