"""Anthropic's wire on loopback: messages, streamed or not, with tools, images and thoughts, as strict as the real one.

    async with AnthropicServer() as server:
        server.script(overloaded(), Script(answer=quote))
        client = AsyncAnthropic(base_url=server.base_url, api_key="test")

As a process: `python -m tests.fakes.anthropic_server --port N`; what it says is in `mind`.
"""

import argparse
import asyncio
import json
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from typing import Any

from tests.fakes.anthropic_rules import Refused, check, thinks
from tests.fakes.mind import Asked, Said, scripted, thought
from tests.fakes.openai_server import quote
from tests.fakes.wire import Reply, Request, Script, ScriptedServer

Json = dict[str, Any]

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
PIECE = 7


def rate_limited(retry_after: float = 0.001) -> Script:
    """429 with Retry-After in seconds."""
    return Script(status=429, headers={"retry-after": str(retry_after)})


def overloaded() -> Script:
    """529, Anthropic's own."""
    return Script(status=529)


class AnthropicServer(ScriptedServer):
    """The fake. `answer`, which sees texts only, is what it says where no script tells; without one it thinks."""

    def __init__(self, port: int = 0, answer: Callable[[Request], str] | None = None) -> None:
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
        asked = asked_in_messages(body)
        answer = Answer(body, asked.tokens, self._said(request, script, asked), script)
        return answer.streamed() if body.get("stream") else answer.whole()

    def _said(self, request: Request, script: Script, asked: Asked) -> Said:
        told = scripted(script)
        if told is not None:
            return told
        if script.answer is not None:
            return Said(script.text(_in_openais_words(request), quote))
        return Said(self._default(_in_openais_words(request))) if self._default else thought(asked)


def _key(request: Request) -> str:
    """Either header will do; the SDK has moved to the second."""
    return request.headers.get("x-api-key") or request.headers.get("authorization", "").removeprefix("Bearer ")


def asked_in_messages(body: Json) -> Asked:
    """What a body asks. A good model also does what its system prompt says of tools and JSON."""
    system = _text(body.get("system", []))
    parts = [part for turn in body["messages"] for part in _flat(turn["content"])]
    last = _flat(body["messages"][-1]["content"])
    choice = body.get("tool_choice", {"type": "auto"})
    return Asked(
        texts=[each for each in (system, *(_text(turn["content"]) for turn in body["messages"])) if each],
        tools={tool["name"]: tool["input_schema"] for tool in body.get("tools", [])},
        choice="required" if choice["type"] == "any" or "by calling" in system else choice.get("name", choice["type"]),
        parallel=not choice.get("disable_parallel_tool_use"),
        results=[_text(part.get("content", [])) for part in last if part["type"] == "tool_result"],
        schema=body.get("output_config", {}).get("format", {}).get("schema") or _in_words(system),
        pictures=sum(part["type"] == "image" for part in parts),
        files=sum(part["type"] == "document" for part in parts),
    )


def _in_words(system: str) -> Json | None:
    if "one JSON object" not in system:
        return None
    schema: Json = json.loads(system.partition("JSON schema: ")[2] or '{"type": "object"}')
    return schema


def _flat(content: Any) -> list[Json]:
    """Blocks, those inside of tools' results too."""
    blocks = [{"type": "text", "text": content}] if isinstance(content, str) else content
    return [each for block in blocks for each in (block, *_flat(block.get("content", [])))]


def _text(content: Any) -> str:
    blocks = [{"type": "text", "text": content}] if isinstance(content, str) else content
    return "\n".join(block["text"] for block in blocks if block["type"] == "text")


def _in_openais_words(request: Request) -> Request:
    """The texts of a request in OpenAI's shape, so that one function of an answer serves both wires."""
    body = request.json()
    turns = [{"role": "system", "content": body.get("system", [])}, *body["messages"]]
    texts = [{"role": turn["role"], "content": _text(turn["content"])} for turn in turns]
    return replace(request, body=json.dumps({"messages": [each for each in texts if each["content"]]}).encode())


class Answer:
    """One answer, to be given whole or in frames."""

    def __init__(self, body: Json, prompt_tokens: int, said: Said, script: Script) -> None:
        self._said = said
        self._script = script
        self._head = {"id": "msg_fake", "type": "message", "role": "assistant", "model": body["model"], "stop_sequence": None}
        self._thinks = thinks(body["model"])
        limit = body["max_tokens"]
        self._words, finish = _stopped(said.words[:limit], body.get("stop_sequences", []))
        cut = len(said.words) > limit
        ended = "refusal" if said.refusal else "tool_use" if said.calls else "end_turn"
        self._finish = script.finish or finish or ("max_tokens" if cut else ended)
        self._tokens = (prompt_tokens, len(self._words) if cut or finish else said.tokens)

    def whole(self) -> Reply:
        """As one body. Arguments that are broken are none here."""
        blocks = [block | _whole(block["type"], said) for block, said in self._blocks()]
        usage = {"usage": self._usage()} if self._script.usage else {}
        return Reply(self._head | {"content": blocks, "stop_reason": self._finish} | usage, usage=self._tokens)

    def streamed(self) -> Reply:
        """As frames."""
        return Reply(frames=tuple(_frame(each["type"], each) for each in self._events()), usage=self._tokens)

    def _events(self) -> Iterator[Json]:
        usage = {"usage": self._usage()} if self._script.usage else {}
        begun = {"usage": self._usage() | {"output_tokens": 1}} if usage else {}
        yield {"type": "message_start", "message": self._head | {"content": [], "stop_reason": None} | begun}
        for index, (block, said) in enumerate(self._blocks()):
            yield {"type": "content_block_start", "index": index, "content_block": block}
            for delta in _deltas(block["type"], said):
                yield {"type": "content_block_delta", "index": index, "delta": delta}
            yield {"type": "content_block_stop", "index": index}
        yield {"type": "ping"}
        yield {"type": "message_delta", "delta": {"stop_reason": self._finish, "stop_sequence": None}} | usage
        yield {"type": "message_stop"}

    def _blocks(self) -> Iterator[tuple[Json, str]]:
        """Each as a stream begins it, and what it says then."""
        if self._thinks:
            yield {"type": "thinking", "thinking": "", "signature": ""}, "Nobody should see this."
        if self._words:
            yield {"type": "text", "text": ""}, "".join(self._words)
        for at, (name, arguments) in enumerate(self._said.calls):
            yield {"type": "tool_use", "id": f"toolu_fake{at}", "name": name, "input": {}}, "" if arguments == "{}" else arguments

    def _usage(self) -> Json:
        prompt, made = self._tokens
        cached = min(self._script.cached, prompt)
        kept = {"cache_creation_input_tokens": 0, "cache_read_input_tokens": cached}
        return {"input_tokens": prompt - cached, "output_tokens": made} | kept


def _stopped(words: list[str], sequences: list[str]) -> tuple[list[str], str]:
    """The words before the first of the sequences."""
    text = "".join(words)
    found = [text.index(each) for each in sequences if each in text]
    return (Said(text[: min(found)]).words, "stop_sequence") if found else (words, "")


def _whole(kind: str, said: str) -> Json:
    match kind:
        case "text":
            return {"text": said}
        case "tool_use":
            with suppress(ValueError):
                return {"input": json.loads(said)}
    return {}


def _deltas(kind: str, said: str) -> Iterator[Json]:
    match kind:
        case "text":
            yield from ({"type": "text_delta", "text": word} for word in Said(said).words)
        case "tool_use":
            pieces = ["", *(said[at : at + PIECE] for at in range(0, len(said), PIECE))]
            yield from ({"type": "input_json_delta", "partial_json": piece} for piece in pieces)
        case _:
            yield {"type": "thinking_delta", "thinking": said}
            yield {"type": "signature_delta", "signature": "c2lnbmVk"}


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
