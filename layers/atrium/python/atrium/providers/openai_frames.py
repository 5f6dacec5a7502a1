"""How the streams of OpenAI's wire are read, in either form: to their end, in time, and without trust in what frames hold."""

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final, Literal, cast

from atrium.kernel.errors import ProviderError, ProviderUnavailable
from atrium.providers.base import Usage
from atrium.providers.catalogue import Provider

if TYPE_CHECKING:
    from openai import AsyncStream

# Anything: the SDK does not check what it is sent.
Frame = Any
_LAST_READ: Final = 0.2  # seconds
FinishReason = Literal["stop", "length", "content_filter", "tool_calls"]


async def following[T](stream: "AsyncStream[T]", deadline: float) -> T | None:
    """The stream's next event before the loop's time `deadline`; None at its end.

    The HTTP client only times each read: a trickle of frames would never end.
    """
    async with asyncio.timeout_at(deadline):
        return await anext(stream, None)


async def read_to_the_end(stream: Frame) -> None:
    """Take what comes after the last event, so that the connection can be used again; not for long, as nobody needs it."""
    with suppress(TimeoutError):
        async with asyncio.timeout(_LAST_READ):
            await anext(stream, None)


def broken_off(provider: Provider, stream: Frame, *, began: bool) -> ProviderError:
    """The error for a stream that ended before its end: cut, or never a stream (a web page, a JSON body)."""
    kind = stream.response.headers.get("content-type", "")
    if began or kind.startswith("text/event-stream"):
        return ProviderUnavailable(f"The answer of {provider.label} broke off", charged=True)
    return ProviderError(f"The answer of {provider.label} cannot be read", charged=True)


def as_text(value: object) -> str:
    """A frame's text; nothing is empty. ValueError: it is something else, for the SDK does not look."""
    if value is not None and not isinstance(value, str):
        raise ValueError("not a text")
    return value or ""


def counted(given: object, made: object, cached: object, total: object = None) -> Usage | None:
    """The usage of whole numbers that are none below zero; of anything else none.

    xAI counts what a model thought in the total alone: what is neither input nor answer there is output too.
    """
    numbers = (given, made, cached or 0, total or 0)
    if not all(isinstance(each, int) and each >= 0 for each in numbers):
        return None
    given_tokens, made_tokens, cached_tokens, all_tokens = cast("tuple[int, int, int, int]", numbers)
    return Usage(given_tokens, max(made_tokens, all_tokens - given_tokens), cached_tokens)
