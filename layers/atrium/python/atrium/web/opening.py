"""A stream that answers 200 only when its beginning is there: what fails before is a plain error response."""

import asyncio
from collections.abc import AsyncGenerator
from typing import Any


async def begun[E](events: AsyncGenerator[E], patience: float) -> AsyncGenerator[E]:
    """The same events, once the first is there; what fails before it is raised here. Close them, also where none was asked for.

    The first is waited for, but for `patience` seconds at most, when a client should see a sign of life. When the wait is called
    off, so are the events.
    """
    first = asyncio.ensure_future(_next(events))
    try:
        await asyncio.wait({first}, timeout=patience)
        if first.done():
            first.result()
    except BaseException:
        await _leave(first, events)
        raise
    return _Begun(first, events)


class _Begun[E](AsyncGenerator[E]):
    """Events of which the first is on the way. A generator that was never asked would close nothing when it is closed."""

    def __init__(self, first: asyncio.Future[tuple[E, ...]], events: AsyncGenerator[E]) -> None:
        self._first: asyncio.Future[tuple[E, ...]] | None = first
        self._events = events

    async def asend(self, _: None, /) -> E:
        """The next event."""
        if self._first is None:
            return await anext(self._events)
        there = await self._first
        self._first = None
        if not there:
            raise StopAsyncIteration
        return there[0]

    async def athrow(self, typ: Any, val: object = None, _: object = None, /) -> E:  # noqa: ANN401  the base says so
        """Close the events, and raise."""
        await self.aclose()
        raise typ if val is None else val  # type: ignore[misc]

    async def aclose(self) -> None:
        """Close the events, whether or not any was asked for."""
        await _leave(self._first, self._events)


async def _next[E](events: AsyncGenerator[E]) -> tuple[E, ...]:
    """The next event; nothing at the end."""
    async for event in events:
        return (event,)
    return ()


async def _leave[E](first: asyncio.Future[tuple[E, ...]] | None, events: AsyncGenerator[E]) -> None:
    """Cancel what is under way: closing the events ends the provider's call."""
    if first is not None and not first.done():
        first.cancel()
        await asyncio.wait({first})
    await events.aclose()
