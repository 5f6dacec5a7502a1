"""Events of any provider as OpenAI writes an answer: `chat.completion`, or frames of `chat.completion.chunk`."""

import json
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final
from uuid import uuid4

from atrium.providers.base import ChatEvent, Completed, TextDelta, ToolCallDelta, Usage

DONE: Final = b"data: [DONE]\n\n"
# Not inside of a string, where its quotes are escaped.
_USAGE: Final = re.compile(rb'"usage"\s*:\s*(?=\{)')
_NEAR: Final = 64 * 1024  # bytes at a body's end, and at its beginning
_LONGEST: Final = 4096
# More tokens than anything has.
_MOST: Final = 2**40
_LINE_ENDS: Final = {place: f"\\u{place:04x}" for place in (0x85, 0x2028, 0x2029)}


def frame(value: Mapping[str, Any]) -> bytes:
    """One event of a stream."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":")).translate(_LINE_ENDS)
    return f"data: {text}\n\n".encode()


def usage_json(usage: Usage) -> dict[str, Any]:
    """As OpenAI tells what was used."""
    return {
        "prompt_tokens": usage.input_tokens,
        "completion_tokens": usage.output_tokens,
        "total_tokens": usage.input_tokens + usage.output_tokens,
        "prompt_tokens_details": {"cached_tokens": usage.cached_tokens},
    }


def read_usage(value: object) -> Usage | None:
    """What a provider on OpenAI's wire says was used; None where it says nothing that can be believed."""
    if not isinstance(value, dict):
        return None
    details = value.get("prompt_tokens_details")
    cached = details.get("cached_tokens") if isinstance(details, dict) else 0
    counts = [value.get("prompt_tokens"), value.get("completion_tokens", 0), cached or 0, value.get("total_tokens") or 0]
    told = [count for count in counts if type(count) is int and 0 <= count < _MOST]
    if len(told) != len(counts):
        return None
    given, made, cached, total = told
    # xAI counts what a model thought in the total alone.
    return Usage(given, max(made, total - given), cached)


def usage_within(reply: bytes) -> Usage | None:
    """What a body says was used, at its end or its beginning, also where it cannot be read as a whole."""
    for piece in (reply[-_NEAR:], reply[:_NEAR]):
        for found in reversed(list(_USAGE.finditer(piece))):
            text = piece[found.end() : found.end() + _LONGEST].decode("utf-8", "replace")
            try:
                used = read_usage(json.JSONDecoder().raw_decode(text)[0])
            except (ValueError, RecursionError):
                continue
            if used is not None:
                return used
    return None


@dataclass(slots=True)
class Answer:
    """One answer as it grows. `model` is what its caller asked for."""

    model: str
    id: str = field(default_factory=lambda: f"chatcmpl-{uuid4().hex}")
    created: int = field(default_factory=lambda: int(time.time()))
    text: list[str] = field(default_factory=list)
    calls: dict[int, dict[str, str]] = field(default_factory=dict)
    completed: Completed | None = None
    _begun: bool = False

    def add(self, event: ChatEvent) -> None:
        """The next event."""
        match event:
            case TextDelta(text):
                self.text.append(text)
            case ToolCallDelta(index, identifier, name, arguments):
                call = self.calls.setdefault(index, {"id": "", "name": "", "arguments": ""})
                call["id"] += identifier
                call["name"] += name
                call["arguments"] += arguments
            case Completed():
                self.completed = event

    @property
    def produced(self) -> str:
        """All that the model has written so far."""
        return "".join(self.text) + "".join(f"{call['name']}{call['arguments']}" for call in self.calls.values())

    def chunk(self, event: ChatEvent) -> bytes:
        """The event's frame; of `Completed` the one with the reason."""
        match event:
            case TextDelta(text):
                return self._chunk({"content": text})
            case ToolCallDelta():
                return self._chunk({"tool_calls": [_call_piece(event)]})
            case Completed(finish_reason):
                return self._chunk({}, finish_reason)

    def usage_chunk(self, usage: Usage) -> bytes:
        """The last frame, for who asked for it."""
        return frame(self._head("chat.completion.chunk") | {"choices": [], "usage": usage_json(usage)})

    def whole(self) -> bytes:
        """The body of an answer that is not streamed."""
        completed = self.completed or Completed("stop", Usage(), self.model)
        calls = [_call(call) for _, call in sorted(self.calls.items())]
        message: dict[str, Any] = {"role": "assistant", "content": "".join(self.text) or (None if calls else ""), "refusal": None}
        choice = {
            "index": 0,
            "message": message | ({"tool_calls": calls} if calls else {}),
            "logprobs": None,
            "finish_reason": completed.finish_reason,
        }
        body = self._head("chat.completion") | {"choices": [choice], "usage": usage_json(completed.usage)}
        return json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()

    def _chunk(self, delta: dict[str, Any], reason: str | None = None) -> bytes:
        if not self._begun:
            delta = {"role": "assistant", "content": None if "tool_calls" in delta else ""} | delta
            self._begun = True
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": reason}
        return frame(self._head("chat.completion.chunk") | {"choices": [choice]})

    def _head(self, kind: str) -> dict[str, Any]:
        return {"id": self.id, "object": kind, "created": self.created, "model": self.model}


def _call(call: Mapping[str, str]) -> dict[str, Any]:
    return {"id": call["id"], "type": "function", "function": {"name": call["name"], "arguments": call["arguments"]}}


def _call_piece(piece: ToolCallDelta) -> dict[str, Any]:
    """The first piece of a call says which function it is of."""
    if piece.id or piece.name:
        return {"index": piece.index} | _call({"id": piece.id, "name": piece.name, "arguments": piece.arguments})
    return {"index": piece.index, "function": {"arguments": piece.arguments}}
