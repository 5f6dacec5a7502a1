"""Chat completions on OpenAI's wire: what was asked, and the bodies and frames of an answer."""

import json
from collections.abc import Iterator
from typing import Any

from tests.fakes.mind import Asked, Said
from tests.fakes.wire import Reply, Script

Json = dict[str, Any]


def asked_in_chat(body: Json) -> Asked:
    """What a body asks."""
    messages = body["messages"]
    parts = [part for each in messages if isinstance(each.get("content"), list) for part in each["content"]]
    results = [_text(each) for each in messages if each["role"] == "tool"] if messages[-1]["role"] == "tool" else []
    choice = body.get("tool_choice") or "auto"
    return Asked(
        texts=[_text(each) for each in messages if each["role"] != "tool"],
        tools={each["function"]["name"]: each["function"].get("parameters", {}) for each in body.get("tools") or ()},
        choice=choice if isinstance(choice, str) else choice["function"]["name"],
        parallel=body.get("parallel_tool_calls") is not False,
        results=results,
        schema=_schema(body.get("response_format") or {}),
        pictures=sum(part["type"] == "image_url" for part in parts),
        files=sum(part["type"] == "file" for part in parts),
        stop=[body["stop"]] if isinstance(body.get("stop"), str) else body.get("stop") or (),
    )


def complaint(body: Json) -> str:
    """What OpenAI would refuse a body for: a tool's result that nobody asked for, or a call without one."""
    open_calls: set[str] = set()
    for message in body["messages"]:
        if message["role"] == "tool":
            if message.get("tool_call_id") not in open_calls:
                return "messages with role 'tool' must be a response to a preceding message with 'tool_calls'."
            open_calls.discard(message["tool_call_id"])
        elif open_calls:
            break
        open_calls |= {call["id"] for call in message.get("tool_calls") or ()}
    return f"tool_call_ids did not have response messages: {', '.join(sorted(open_calls))}" if open_calls else ""


def _schema(wanted: Json) -> Json | None:
    match wanted.get("type"):
        case "json_schema":
            schema: Json = wanted["json_schema"]["schema"]
            return schema
        case "json_object":
            return {"type": "object"}
        case _:
            return None


def _text(message: Json) -> str:
    content = message.get("content") or ""
    return content if isinstance(content, str) else "\n".join(part["text"] for part in content if part["type"] == "text")


class Answer:
    """One answer, to be given whole or in frames."""

    def __init__(self, body: Json, prompt_tokens: int, said: Said, script: Script, *, own: bool) -> None:
        self._own = own
        self._said = said
        self._script = script
        self._included = bool((body.get("stream_options") or {}).get("include_usage"))
        self._head = {"id": "chatcmpl-fake", "created": 1_700_000_000, "model": body["model"]}
        bounds = (body.get("max_tokens"), None if own else body.get("max_completion_tokens"))
        limit = next(filter(None, bounds), len(said.words))
        self._words = said.words[:limit]
        cut = len(said.words) > limit
        ended = "tool_calls" if said.calls and not own else "stop"
        self._finish = script.finish or ("length" if cut else ended)
        made = len(self._words) if cut else said.tokens
        self._tokens = (prompt_tokens, made)

    def whole(self) -> Reply:
        """As one body."""
        text = "".join(self._words)
        message: Json = {"role": "assistant", "content": text or None, "refusal": None}
        if self._said.refusal:
            message |= {"content": None, "refusal": text}
        if self._said.calls:
            message["tool_calls"] = [self._call(at, whole=True) for at in range(len(self._said.calls))]
        choice = {"index": 0, "message": message, "finish_reason": self._finish, "logprobs": None}
        usage = {"usage": self._usage()} if self._script.usage else {}
        body = self._head | {"object": "chat.completion", "choices": [choice]} | usage
        return Reply(body, usage=self._tokens)

    def streamed(self) -> Reply:
        """As frames."""
        told = self._included and self._script.usage
        base = self._head | {"object": "chat.completion.chunk"} | ({"usage": None} if told else {})
        chunks = [base | {"choices": [{"index": 0, "delta": delta, "finish_reason": None}]} for delta in self._deltas()]
        chunks.append(base | {"choices": [{"index": 0, "delta": {}, "finish_reason": self._finish}]})
        if told:
            chunks.append(base | {"choices": [], "usage": self._usage()})
        frames = [b"data: %s\n\n" % json.dumps(chunk).encode() for chunk in chunks]
        return Reply(frames=(*frames, b"data: [DONE]\n\n"), usage=self._tokens)

    def _deltas(self) -> Iterator[Json]:
        yield {"role": "assistant", "content": "", "refusal": None}
        field = "refusal" if self._said.refusal else "content"
        for word in self._words:
            yield {field: word}
        for at, (_, arguments) in enumerate(self._said.calls):
            # Servers of one's own give a call whole, and none a place.
            yield {"tool_calls": [self._call(at, whole=self._own) | {"index": 0 if self._own else at}]}
            for piece in [] if self._own else _pieces(arguments):
                yield {"tool_calls": [{"index": at, "function": {"arguments": piece}}]}

    def _call(self, at: int, *, whole: bool) -> Json:
        name, arguments = self._said.calls[at]
        function = {"name": name, "arguments": arguments if whole else ""}
        return {"id": f"call_fake{at}", "type": "function", "function": function}

    def _usage(self) -> Json:
        prompt, made = self._tokens
        details = {"prompt_tokens_details": {"cached_tokens": min(self._script.cached, prompt)}}
        return {"prompt_tokens": prompt, "completion_tokens": made, "total_tokens": prompt + made} | details


def _pieces(text: str) -> list[str]:
    return [text[at : at + 7] for at in range(0, len(text), 7)]
