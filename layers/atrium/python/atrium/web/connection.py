"""Work that is only worth doing while its client waits."""

import asyncio
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from typing import Any

from starlette.requests import ClientDisconnect, Request


async def while_connected[Result](request: Request, work: Coroutine[Any, Any, Result]) -> Result:
    """What `work` comes to. When the client leaves first, `work` is cancelled and ClientDisconnect raised.

    The request's body must have been read. A buffered gateway does not report that its client left: there the work ends, and so
    does it where its answer is kept for who asks again.
    """
    if _is_kept(request):
        return await work
    task, left = asyncio.ensure_future(work), asyncio.ensure_future(_disconnected(request))
    try:
        await asyncio.wait({task, left}, return_when=asyncio.FIRST_COMPLETED)
        if not task.done():
            raise ClientDisconnect
        return task.result()
    finally:
        task.cancel()
        left.cancel()
        await asyncio.wait({task, left})


def _is_kept(request: Request) -> bool:
    """Whether an `Idempotency-Key` was claimed: a client that left asks again, and must not have the work done twice."""
    return getattr(request.state, "claim", None) is not None


async def _disconnected(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass


@asynccontextmanager
async def left_cancels(request: Request) -> AsyncIterator[None]:
    """The same for a block of the current task: when the client leaves first, it is cancelled and ClientDisconnect raised."""
    if _is_kept(request):
        yield
        return
    task, left = asyncio.current_task(), False
    assert task is not None

    def cancel(watcher: asyncio.Future[None]) -> None:
        nonlocal left
        if not watcher.cancelled():
            left = True
            task.cancel()

    watcher = asyncio.ensure_future(_disconnected(request))
    watcher.add_done_callback(cancel)
    try:
        yield
    except asyncio.CancelledError:
        # Somebody else may cancel the task too; that goes on to them.
        if left and task.uncancel() == 0:
            raise ClientDisconnect from None
        raise
    else:
        if left:
            task.uncancel()
    finally:
        watcher.remove_done_callback(cancel)
        watcher.cancel()
