"""A stream that answers 200 only when its beginning is there: what fails before is a plain error response."""

import asyncio
from collections.abc import AsyncGenerator


async def begun[E](events: AsyncGenerator[E], patience: float) -> AsyncGenerator[E]:
    """The same events, once the first is there; what fails before it is raised here.

    The first is waited for, but for `patience` seconds at most, when a client should see a sign of life. When the wait is called
    off, so are the events.
    """
    first = asyncio.ensure_future(anext(events))
    try:
        await asyncio.wait({first}, timeout=patience)
        if first.done() and (failure := first.exception()) is not None:
            raise failure
    except BaseException:
        await _leave(first, events)
        raise
    return _rest(first, events)


async def _rest[E](first: asyncio.Future[E], events: AsyncGenerator[E]) -> AsyncGenerator[E]:
    try:
        yield await first
        async for event in events:
            yield event
    finally:
        await _leave(first, events)


async def _leave[E](first: asyncio.Future[E], events: AsyncGenerator[E]) -> None:
    """Cancel what is under way: closing the events ends the provider's call."""
    if not first.done():
        first.cancel()
        await asyncio.wait({first})
    await events.aclose()
