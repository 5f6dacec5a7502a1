"""Answers under way, whatever wire they come by: pieces of an event stream in OpenAI's shape, and what they came to.

A stream is opened when its first frame, or event, is there and can be read: until then another model may be asked.
"""

import asyncio
import json
from collections.abc import AsyncGenerator
from contextlib import aclosing, suppress
from typing import Any, Final, Protocol

from atrium.gateway.bounds import count_text
from atrium.gateway.openai_answers import Answer, read_usage
from atrium.kernel.errors import ProviderError, ProviderUnavailable
from atrium.providers.base import ChatEvent, ChatModel, ChatRequest, Completed, Usage
from atrium.providers.openai_relay import EventReader, frame_data

PING: Final = b": ping\n\n"
_DONE: Final = b"[DONE]"
# What is kept of an answer, in characters, to be counted where its provider does not; what is longer is counted by its length.
_KEPT: Final = 4_000_000
_TOKEN: Final = 3


class Opened(Protocol):
    """A stream under way. `usage` is what the provider counted, once it has told."""

    usage: Usage | None

    def pieces(self) -> AsyncGenerator[bytes]:
        """Whole frames, but for `[DONE]`, and a ping in every silence. `ProviderError`: the stream broke."""
        ...

    @property
    def tokens(self) -> int:
        """Cautiously counted, of all that the model has written so far."""
        ...

    async def close(self) -> None:
        """End the provider's call."""
        ...


class WireStream:
    """A stream that is relayed as it comes. `wants_usage`: its client asked for the frame that tells the usage."""

    def __init__(self, reader: EventReader, label: str, *, wants_usage: bool, heartbeat: float, deadline: float) -> None:
        self.usage: Usage | None = None
        self._reader = reader
        self._label = label
        self._wants_usage = wants_usage
        self._heartbeat = heartbeat
        self._deadline = deadline
        self._first = b""
        self._text: list[str] = []
        self._kept = 0
        self._more = 0
        self._finished = False
        self._done = False

    async def begin(self) -> None:
        """Wait for the first frame."""
        try:
            while not self._first and not self._done:
                self._first = self._shown(await self._frames())
            if not self._first:
                raise self._broke_off()
        except BaseException:
            self._reader.close()
            raise

    async def pieces(self) -> AsyncGenerator[bytes]:
        """As `Opened` says."""
        if self._first:
            yield self._first
        while not self._done:
            try:
                async with asyncio.timeout(self._patience()):
                    frames = await self._frames()
            except TimeoutError:
                yield PING
                continue
            if shown := self._shown(frames):
                yield shown
        if not self._finished:
            # Its end was told, but no reason: something is missing.
            raise self._broke_off()

    @property
    def tokens(self) -> int:
        """Of the deltas; asked only where nobody else counted them."""
        return count_text("".join(self._text)) + self._more // _TOKEN

    async def close(self) -> None:
        """End the provider's call."""
        self._reader.close()

    def _patience(self) -> float:
        left = self._deadline - asyncio.get_running_loop().time()
        if left <= 0:
            raise ProviderUnavailable(f"{self._label} did not come to an end in time.", charged=True)
        return min(self._heartbeat, left)

    async def _frames(self) -> list[bytes]:
        frames = await self._reader.read()
        if not frames:
            self._done = True
        return frames

    def _broke_off(self) -> ProviderUnavailable:
        return ProviderUnavailable(f"The answer of {self._label} broke off.", charged=True)

    def _shown(self, frames: list[bytes]) -> bytes:
        shown = []
        for frame in frames:
            data = frame_data(frame)
            if data == _DONE:
                self._done = True
                break
            if data is not None and self._read(data):
                shown += [frame, b"\n\n"]
        return b"".join(shown)

    def _read(self, data: bytes) -> bool:
        """Note what a frame tells; whether its client is to see it."""
        try:
            value: Any = json.loads(data)
            choices = value.get("choices")
            # Some servers have the field in every frame.
            if value.get("error") is not None or not isinstance(choices, list):
                raise ProviderUnavailable(f"{self._label} broke its answer off with an error.", charged=True)
            self._finished = self._finished or any(choice.get("finish_reason") for choice in choices)
        except (ValueError, AttributeError, TypeError, RecursionError) as exc:
            raise ProviderError(f"{self._label} sent a frame that cannot be read.", charged=True) from exc
        if (told := value.get("usage")) is not None:
            self.usage = read_usage(told) or self.usage
            if not choices and not self._wants_usage:
                return False
        self._keep(written(value))
        return True

    def _keep(self, text: str) -> None:
        if self._kept < _KEPT:
            self._text.append(text)
            self._kept += len(text)
        else:
            self._more += len(text)


def written(chunk: dict[str, Any]) -> str:
    """What the choices of a chunk add, or those of a whole answer say."""
    pieces: list[str] = []
    with suppress(AttributeError, TypeError):
        for choice in chunk["choices"]:
            delta = choice.get("delta") or choice.get("message") or {}
            functions = [call.get("function") or {} for call in delta.get("tool_calls") or ()]
            told = [delta.get("content"), delta.get("refusal"), delta.get("reasoning_content")]
            told += [text for function in functions for text in (function.get("name"), function.get("arguments"))]
            pieces += [text for text in told if isinstance(text, str)]
    return "".join(pieces)


class TranslatedStream:
    """A stream of another wire's events, told in OpenAI's frames. One task runs the provider's from end to end."""

    def __init__(self, answer: Answer, *, wants_usage: bool, heartbeat: float) -> None:
        self.usage: Usage | None = None
        self._answer = answer
        self._wants_usage = wants_usage
        self._heartbeat = heartbeat
        self._queue: asyncio.Queue[ChatEvent | Exception] = asyncio.Queue(maxsize=1)
        self._pump: asyncio.Task[None] | None = None
        self._first: ChatEvent | None = None

    async def begin(self, model: ChatModel, request: ChatRequest) -> None:
        """Ask, and wait for the first event."""
        self._pump = asyncio.create_task(_pump(model.stream(request), self._queue))
        try:
            while self._first is None:
                self._first = await self._next()
        except BaseException:
            await self.close()
            raise

    async def pieces(self) -> AsyncGenerator[bytes]:
        """As `Opened` says."""
        event = self._first
        while not isinstance(event, Completed):
            if event is None:
                yield PING
            else:
                self._answer.add(event)
                yield self._answer.chunk(event)
            event = await self._next()
        self._answer.add(event)
        self.usage = event.usage if event.counted else None
        yield self._answer.chunk(event)
        if self._wants_usage:
            yield self._answer.usage_chunk(event.usage)

    @property
    def tokens(self) -> int:
        """Of the text and the calls."""
        return count_text(self._answer.produced)

    async def close(self) -> None:
        """End the provider's call."""
        if self._pump is not None:
            self._pump.cancel()
            await asyncio.wait({self._pump})

    async def _next(self) -> ChatEvent | None:
        """The next event; None in a silence."""
        try:
            async with asyncio.timeout(self._heartbeat):
                event = await self._queue.get()
        except TimeoutError:
            return None
        if isinstance(event, Exception):
            raise event
        return event


async def _pump(events: AsyncGenerator[ChatEvent], queue: asyncio.Queue[ChatEvent | Exception]) -> None:
    """Move the events into the queue; the last of them is `Completed`, or what went wrong."""
    try:
        async with aclosing(events):
            async for event in events:
                await queue.put(event)
                if isinstance(event, Completed):
                    return
        await queue.put(ProviderUnavailable("The answer broke off.", charged=True))
    except Exception as error:  # noqa: BLE001  whoever reads the queue raises it
        await queue.put(error)
