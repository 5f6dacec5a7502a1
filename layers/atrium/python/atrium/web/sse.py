"""Server-sent events: frames, heartbeats, and a source that is closed as soon as nobody listens."""

import asyncio
import json
import logging
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

from fastapi import Request
from starlette.responses import StreamingResponse
from starlette.types import Send

from atrium.kernel.errors import AtriumError
from atrium.web.problems import problem_document

MEDIA_TYPE: Final = "text/event-stream"
# OpenAPI of a stream: the schema of one event.
CONTENT: Final[dict[str, Any]] = {
    MEDIA_TYPE: {
        "schema": {
            "type": "object",
            "required": ["data"],
            "properties": {"event": {"type": "string"}, "data": {"type": "string"}},
        }
    }
}
_PING: Final = b": ping\n\n"
_HEADERS: Final = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
# Some readers end a line at these too. In JSON they stand in strings only, where they may be escaped.
_LINE_ENDS: Final = {place: f"\\u{place:04x}" for place in (0x85, 0x2028, 0x2029)}
# A task that nobody holds may be collected before it ends.
_closing: Final[set[asyncio.Future[None]]] = set()
_LOG: Final = logging.getLogger("atrium.web")


@dataclass(frozen=True, slots=True)
class Event:
    """One event. `name` None is an unnamed `data:` frame; `data` is sent as JSON unless it is text."""

    name: str | None
    data: Any

    def frame(self) -> bytes:
        """The bytes on the wire; a text with newlines becomes several `data:` lines."""
        text = self.data if isinstance(self.data, str) else _json(self.data)
        # A reader ends a line at CR, LF or CRLF alike; it joins data lines by LF.
        lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
        head = f"event: {self.name}\n" if self.name else ""
        return (head + "".join(f"data: {line}\n" for line in lines) + "\n").encode()


def _json(data: object) -> str:
    return json.dumps(data, ensure_ascii=False, separators=(",", ":")).translate(_LINE_ENDS)


class EventStream(StreamingResponse):
    """A stream whose source ends with it, however it ends."""

    media_type = MEDIA_TYPE

    def __init__(self, frames: AsyncGenerator[bytes], *sources: object) -> None:
        super().__init__(frames, headers=_HEADERS)
        self._frames = frames
        self._sources = sources

    async def stream_response(self, send: Send) -> None:
        """Send the frames; the generator and its sources are closed also when `send` fails, be it before the first frame."""
        try:
            await super().stream_response(send)
        finally:
            await self._frames.aclose()
            await _closed(*self._sources)


def sse_response(
    request: Request, events: AsyncIterator[Event], *, last: Event | None = None, source: object = None
) -> EventStream:
    """Stream `events` with a `: ping` in every silence of `sse_heartbeat` seconds.

    A failure of the source becomes an `error` event with the problem's JSON; `last` closes the stream either way.
    When the client leaves, the source is cancelled where it waits, so that its `finally` blocks run. `source`
    is what the events are made of: it is closed too, for a generator that was never asked closes nothing.
    """
    settings = request.app.state.runtime.settings
    return EventStream(_frames(request.state.request_id, events, last, settings.sse_heartbeat), events, source)


async def _frames(request_id: str, events: AsyncIterator[Event], last: Event | None, heartbeat: float) -> AsyncGenerator[bytes]:
    queue: asyncio.Queue[Event | None] = asyncio.Queue(maxsize=1)
    # One task runs the whole source: its context variables and timeouts must see one task from end to end.
    pump = asyncio.create_task(_pump(request_id, events, queue))
    try:
        while (event := await _next(queue, heartbeat)) is not None:
            yield _PING if event is _SILENCE else event.frame()
        if last is not None:
            yield last.frame()
    finally:
        await _closed(pump, events)


async def _closed(*sources: object) -> None:
    """Close them in this order, tasks by cancelling them, also where whoever waits for that is called off."""
    task = asyncio.ensure_future(_close(sources))
    _closing.add(task)
    task.add_done_callback(_closing.discard)
    await asyncio.shield(task)


async def _close(sources: Sequence[object]) -> None:
    for source in sources:
        if isinstance(source, asyncio.Task):
            source.cancel()
            await asyncio.wait({source})
        elif isinstance(source, AsyncGenerator):
            await source.aclose()


async def _next(queue: asyncio.Queue[Event | None], heartbeat: float) -> Event | None:
    try:
        async with asyncio.timeout(heartbeat):
            return await queue.get()
    except TimeoutError:
        return _SILENCE


async def _pump(request_id: str, events: AsyncIterator[Event], queue: asyncio.Queue[Event | None]) -> None:
    """Move the source's events into the queue, then None; a failure becomes the event that tells it."""
    try:
        async for event in events:
            await queue.put(event)
    except AtriumError as error:
        await queue.put(Event("error", problem_document(request_id, error)))
    except Exception as error:  # noqa: BLE001  200 is sent already: the stream itself must tell the failure
        _LOG.error("the event stream failed", exc_info=error)
        await queue.put(Event("error", problem_document(request_id, AtriumError("The failure was logged."))))
    finally:
        if isinstance(events, AsyncGenerator):
            await events.aclose()
    await queue.put(None)


_SILENCE: Final = Event(None, "")
