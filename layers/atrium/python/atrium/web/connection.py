"""Work that is only worth doing while its client waits."""

import asyncio
from collections.abc import Coroutine
from typing import Any

from starlette.requests import ClientDisconnect, Request


async def while_connected[Result](request: Request, work: Coroutine[Any, Any, Result]) -> Result:
    """What `work` comes to. When the client leaves first, `work` is cancelled and ClientDisconnect raised.

    The request's body must have been read. A buffered gateway does not report that its client left: there the work ends.
    """
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


async def _disconnected(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass
