"""An answer as server-sent events."""

from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing

from atrium.gateway.models import Answered, GatewayEvent
from atrium.providers.base import TextDelta, ToolCallDelta
from atrium.web.sse import Event
from functions.llm.schemas import ChatOut


async def named_events(answer: AsyncGenerator[GatewayEvent], metadata: Mapping[str, str]) -> AsyncGenerator[Event]:
    """`token`s and `tool_call`s as they come, then `done` with the whole answer; each JSON."""
    async with aclosing(answer):
        async for event in answer:
            match event:
                case TextDelta(text):
                    yield Event("token", {"text": text})
                case ToolCallDelta(index, call_id, name, arguments):
                    yield Event("tool_call", {"index": index, "id": call_id, "name": name, "arguments": arguments})
                case Answered():
                    yield Event("done", ChatOut.of(event, metadata).model_dump(mode="json"))
