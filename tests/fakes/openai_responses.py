"""OpenAI's Responses API: what was asked, and the bodies and events of an answer."""

import json
from collections.abc import Iterator
from typing import Any

from tests.fakes.mind import Asked, Said
from tests.fakes.wire import Reply, Script

Json = dict[str, Any]


def asked_in_responses(body: Json) -> Asked:
    """What a body asks."""
    given = body["input"]
    items: list[Json] = given if isinstance(given, list) else [{"role": "user", "content": given}]
    parts = [part for each in items if isinstance(each.get("content"), list) for part in each["content"]]
    outputs = [_text(each["output"]) for each in items if each.get("type") == "function_call_output"]
    wanted = (body.get("text") or {}).get("format") or {}
    choice = body.get("tool_choice") or "auto"
    return Asked(
        texts=[body.get("instructions") or "", *(_text(each["content"]) for each in items if "content" in each)],
        tools={each["name"]: each.get("parameters") or {} for each in body.get("tools") or ()},
        choice=choice if isinstance(choice, str) else choice["name"],
        parallel=body.get("parallel_tool_calls") is not False,
        results=outputs if items[-1].get("type") == "function_call_output" else [],
        schema={"json_schema": wanted.get("schema"), "json_object": {"type": "object"}}.get(wanted.get("type", "")),
        pictures=sum(part["type"] == "input_image" for part in parts),
        files=sum(part["type"] == "input_file" for part in parts),
    )


def _text(content: str | list[Json]) -> str:
    if isinstance(content, str):
        return content
    return "\n".join(part["text"] for part in content if "text" in part)


class Answer:
    """One answer, to be given whole or in events."""

    def __init__(self, body: Json, prompt_tokens: int, said: Said, script: Script) -> None:
        self._body = body
        self._said = said
        self._script = script
        limit = body.get("max_output_tokens") or len(said.words)
        self._words = said.words[:limit]
        cut = len(said.words) > limit
        self._tokens = (prompt_tokens, len(self._words) if cut else said.tokens)
        self._reason = script.finish or ("max_output_tokens" if cut else None)
        if script.error is not None:
            self._status = "failed"
        else:
            self._status = "incomplete" if self._reason else "completed"

    def whole(self) -> Reply:
        """As one body."""
        return Reply(self._response(self._status), usage=self._tokens)

    def streamed(self) -> Reply:
        """As events."""
        events = [
            {"type": "response.created", "response": self._response("in_progress")},
            {"type": "response.in_progress", "response": self._response("in_progress")},
            *(event for at, item in enumerate(self._items()) for event in self._item_events(at, item)),
            {"type": f"response.{self._status}", "response": self._response(self._status)},
        ]
        numbered = [event | {"sequence_number": number} for number, event in enumerate(events)]
        frames = [b"event: %s\ndata: %s\n\n" % (str(each["type"]).encode(), json.dumps(each).encode()) for each in numbered]
        return Reply(frames=tuple(frames), usage=self._tokens)

    def _items(self) -> list[Json]:
        items: list[Json] = []
        if self._words or not self._said.calls:
            items.append(
                {"id": "msg_fake", "type": "message", "role": "assistant", "status": "completed", "content": [self._part()]}
            )
        for at, (name, arguments) in enumerate(self._said.calls):
            call = {"id": f"fc_fake{at}", "type": "function_call", "call_id": f"call_fake{at}", "name": name}
            items.append(call | {"arguments": arguments, "status": "completed"})
        return items

    def _part(self) -> Json:
        text = "".join(self._words)
        if self._said.refusal:
            return {"type": "refusal", "refusal": text}
        return {"type": "output_text", "text": text, "annotations": [], "logprobs": []}

    def _item_events(self, at: int, item: Json) -> Iterator[Json]:
        called = item["type"] == "function_call"
        empty: Json = {"arguments": ""} if called else {"content": []}
        begun = item | {"status": "in_progress"} | empty
        yield {"type": "response.output_item.added", "output_index": at, "item": begun}
        yield from self._call_events(at, item) if called else self._text_events(at, item)
        yield {"type": "response.output_item.done", "output_index": at, "item": item}

    def _text_events(self, at: int, item: Json) -> Iterator[Json]:
        part = self._part()
        place = {"item_id": item["id"], "output_index": at, "content_index": 0}
        field = "refusal" if self._said.refusal else "text"
        kind = "response.refusal" if self._said.refusal else "response.output_text"
        more: Json = {} if self._said.refusal else {"logprobs": []}
        yield {"type": "response.content_part.added", "part": part | {field: ""}} | place
        for word in self._words:
            yield {"type": f"{kind}.delta", "delta": word} | place | more
        yield {"type": f"{kind}.done", field: part[field]} | place | more
        yield {"type": "response.content_part.done", "part": part} | place

    def _call_events(self, at: int, item: Json) -> Iterator[Json]:
        place = {"item_id": item["id"], "output_index": at}
        arguments = item["arguments"]
        for start in range(0, len(arguments), 7):
            yield {"type": "response.function_call_arguments.delta", "delta": arguments[start : start + 7]} | place
        yield {"type": "response.function_call_arguments.done", "name": item["name"], "arguments": arguments} | place

    def _response(self, status: str) -> Json:
        ended = status != "in_progress"
        failure = {"code": "server_error", "message": "Scripted failure"} | (self._script.error or {})
        told = {"usage": self._usage()} if ended and self._script.usage else {}
        return {
            "id": "resp_fake",
            "object": "response",
            "created_at": 1_700_000_000,
            "status": status,
            "error": failure if status == "failed" else None,
            "incomplete_details": {"reason": self._reason} if status == "incomplete" else None,
            "instructions": self._body.get("instructions"),
            "max_output_tokens": self._body.get("max_output_tokens"),
            "model": self._body["model"],
            "output": self._items() if ended else [],
            "parallel_tool_calls": self._body.get("parallel_tool_calls", True),
            "temperature": self._body.get("temperature", 1),
            "top_p": self._body.get("top_p", 1),
            "tool_choice": self._body.get("tool_choice", "auto"),
            "tools": self._body.get("tools", []),
            "text": self._body.get("text", {"format": {"type": "text"}}),
            "metadata": {},
        } | told

    def _usage(self) -> Json:
        prompt, made = self._tokens
        return {
            "input_tokens": prompt,
            "input_tokens_details": {"cached_tokens": min(self._script.cached, prompt), "cache_write_tokens": 0},
            "output_tokens": made,
            "output_tokens_details": {"reasoning_tokens": 0},
            "total_tokens": prompt + made,
        }
