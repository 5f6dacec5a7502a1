"""Anthropic's wire on loopback: messages, streamed or not, with tools, images and thoughts, as strict as the real one.

    async with AnthropicServer() as server:
        server.script(overloaded(), Script(answer=quote))
        client = AsyncAnthropic(base_url=server.base_url, api_key="test")

As a process: `python -m tests.fakes.anthropic_server --port N`; its answers quote a passage of the prompt.
"""

import argparse
import asyncio
import json
import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

from tests.fakes.anthropic_rules import Refused, check, thinks
from tests.fakes.openai_server import quote
from tests.fakes.wire import Reply, Request, Script, ScriptedServer

MODELS = ("claude-haiku-4-5-20251001", "claude-opus-5-5", "claude-sonnet-5-5")
KINDS = {
    400: "invalid_request_error",
    401: "authentication_error",
    402: "billing_error",
    403: "permission_error",
    404: "not_found_error",
    408: "timeout_error",
    413: "request_too_large",
    429: "rate_limit_error",
    529: "overloaded_error",
}
MALFORMED = b'event: content_block_delta\ndata: {"broken\n\n'
IMAGE_TOKENS = 100
DOCUMENT_TOKENS = 1000
PIECE = 7


def rate_limited(retry_after: float = 0.001) -> Script:
    """429 with Retry-After in seconds."""
    return Script(status=429, headers={"retry-after": str(retry_after)})


def overloaded() -> Script:
    """529, Anthropic's own."""
    return Script(status=529)


class AnthropicServer(ScriptedServer):
    """The fake. `answer` is what it says where no script tells; it reads the conversation as text, the system prompt first."""

    def __init__(self, port: int = 0, answer: Callable[[Request], str] = quote) -> None:
        super().__init__(port)
        self._default = answer

    @property
    def base_url(self) -> str:
        return self.origin

    def reply(self, request: Request, script: Script) -> Reply:
        path = request.path.partition("?")[0]
        if (request.method, path) == ("GET", "/v1/models"):
            data = [{"type": "model", "id": name, "display_name": name, "created_at": "2026-10-07T00:00:00Z"} for name in MODELS]
            return Reply({"data": data, "has_more": False, "first_id": MODELS[0], "last_id": MODELS[-1]})
        if (request.method, path) != ("POST", "/v1/messages"):
            return self._refused(404, f"No route {request.path}")
        if not _key(request):
            return self._refused(401, "x-api-key header is required")
        if "anthropic-version" not in request.headers:
            return self._refused(400, "anthropic-version: header is required")
        try:
            check(request.json())
        except Refused as exc:
            return self._refused(400, str(exc))
        return self._message(request, script)

    def error(self, script: Script) -> Any:
        kind = KINDS.get(script.status, "api_error")
        error = {"type": kind, "message": f"Scripted {script.status}"} | (script.error or {})
        return {"type": "error", "error": error, "request_id": "req_fake"}

    def error_frame(self, script: Script) -> bytes:
        return _frame("error", self.error(replace(script, status=529)))

    def _bent(self, number: int, frame: bytes, script: Script) -> bytes:
        return MALFORMED if number == script.malformed_at else super()._bent(number, frame, script)

    def _refused(self, status: int, message: str) -> Reply:
        return Reply(self.error(Script(status=status, error={"message": message})), status=status)

    def _message(self, request: Request, script: Script) -> Reply:
        body = request.json()
        text = script.refusal or ("" if script.calls and script.answer is None else script.text(_as_text(request), self._default))
        text, finish = _ended(text, body)
        calls = [_call(number, name, said) for number, (name, said) in enumerate(script.calls)]
        finish = script.finish or ("refusal" if script.refusal else "tool_use" if calls and finish == "end_turn" else finish)
        tokens = (count(body), len(text.split()) + sum(len(said.split()) + 1 for _, said in calls))
        thoughts = [{"type": "thinking", "thinking": "", "signature": "c2ln"}] if thinks(body["model"]) else []
        blocks = [*thoughts, *([{"type": "text", "text": text}] if text else []), *(block for block, _ in calls)]
        head = {"id": "msg_fake", "type": "message", "role": "assistant", "model": body["model"], "stop_sequence": None}
        usage = _usage(*tokens, script.cached)
        if body.get("stream"):
            told = usage if script.usage else {}
            frames = _frames(head, blocks, [said for _, said in calls], finish, told)
            return Reply(frames=tuple(_frame(each["type"], each) for each in frames), usage=tokens)
        return Reply(head | {"content": blocks, "stop_reason": finish, "usage": usage if script.usage else None}, usage=tokens)


def _key(request: Request) -> str:
    """Either header will do; the SDK has moved to the second."""
    return request.headers.get("x-api-key") or request.headers.get("authorization", "").removeprefix("Bearer ")


def count(body: dict[str, Any]) -> int:
    """Tokens of a request: its words, so many for each image and document, and what tools are described with."""
    parts = list(_parts(body))
    words = sum(len(text.split()) for text in _texts(parts))
    images = sum(part["type"] == "image" for part in parts)
    documents = sum(part["type"] == "document" for part in parts)
    return words + images * IMAGE_TOKENS + documents * DOCUMENT_TOKENS + len(json.dumps(body.get("tools", [])).split())


def _parts(body: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Every block of a request, those inside of tools' results too."""
    for message in [{"content": body.get("system", [])}, *body["messages"]]:
        yield from _flat(message["content"])


def _flat(content: Any) -> Iterator[dict[str, Any]]:
    for block in [{"type": "text", "text": content}] if isinstance(content, str) else content:
        yield block
        if block["type"] == "tool_result":
            yield from _flat(block.get("content", []))


def _texts(parts: list[dict[str, Any]]) -> Iterator[str]:
    for part in parts:
        if part["type"] == "text":
            yield part["text"]
        if part["type"] == "tool_use":
            yield json.dumps(part["input"])


def _as_text(request: Request) -> Request:
    """The request with its turns as text, so that one answer's function serves both wires."""
    body = request.json()
    turns = [{"role": "system", "content": body.get("system", [])}, *body["messages"]]
    texts = [{"role": turn["role"], "content": "\n".join(_texts(list(_flat(turn["content"]))))} for turn in turns]
    return replace(request, body=json.dumps(body | {"messages": [each for each in texts if each["content"]]}).encode())


def _ended(text: str, body: dict[str, Any]) -> tuple[str, str]:
    """The text as far as it may go, and why it stops there."""
    words = re.findall(r"\s*\S+", text)
    finish = "end_turn" if len(words) <= body["max_tokens"] else "max_tokens"
    text = "".join(words[: body["max_tokens"]])
    found = [text.index(each) for each in body.get("stop_sequences", []) if each in text]
    return (text[: min(found)], "stop_sequence") if found else (text, finish)


def _call(number: int, name: str, said: Any) -> tuple[dict[str, Any], str]:
    """A block, and its arguments as they are streamed; raw text may be broken there, and is no part of a whole message."""
    whole = {} if isinstance(said, str) else said
    return {"type": "tool_use", "id": f"toolu_fake_{number}", "name": name, "input": whole}, (
        said if isinstance(said, str) else json.dumps(said) if said else ""
    )


def _usage(prompt: int, completion: int, cached: int) -> dict[str, Any]:
    kept = {"cache_creation_input_tokens": 0, "cache_read_input_tokens": cached}
    return {"input_tokens": prompt - cached, "output_tokens": completion} | kept


def _frames(
    head: dict[str, Any], blocks: list[dict[str, Any]], said: list[str], finish: str, usage: dict[str, Any]
) -> Iterator[dict[str, Any]]:
    begun = {"usage": usage | {"output_tokens": 1}} if usage else {}
    yield {"type": "message_start", "message": head | {"content": [], "stop_reason": None} | begun}
    arguments = iter(said)
    for index, block in enumerate(blocks):
        yield {"type": "content_block_start", "index": index, "content_block": _empty(block)}
        if index == 0:
            yield {"type": "ping"}
        for delta in _deltas(block, arguments):
            yield {"type": "content_block_delta", "index": index, "delta": delta}
        yield {"type": "content_block_stop", "index": index}
    counted = {"usage": usage} if usage else {}
    yield {"type": "message_delta", "delta": {"stop_reason": finish, "stop_sequence": None}} | counted
    yield {"type": "message_stop"}


def _empty(block: dict[str, Any]) -> dict[str, Any]:
    match block["type"]:
        case "text":
            return block | {"text": ""}
        case "tool_use":
            return block | {"input": {}}
        case _:
            return block | {"signature": ""}


def _deltas(block: dict[str, Any], arguments: Iterator[str]) -> Iterator[dict[str, Any]]:
    match block["type"]:
        case "text":
            for word in re.findall(r"\s*\S+", block["text"]):
                yield {"type": "text_delta", "text": word}
        case "tool_use":
            text = next(arguments)
            for piece in ["", *(text[at : at + PIECE] for at in range(0, len(text), PIECE))]:
                yield {"type": "input_json_delta", "partial_json": piece}
        case _:
            yield {"type": "thinking_delta", "thinking": "Nobody should see this."}
            yield {"type": "signature_delta", "signature": block["signature"]}


def _frame(event: str, data: Any) -> bytes:
    return f"event: {event}\ndata: {json.dumps(data)}\n\n".encode()


async def _serve(port: int) -> None:
    async with AnthropicServer(port) as server:
        print(f"Anthropic's wire on {server.base_url}", flush=True)
        await asyncio.Event().wait()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m tests.fakes.anthropic_server")
    parser.add_argument("--port", type=int, default=0)
    asyncio.run(_serve(parser.parse_args().port))
