"""OpenAI's wire on loopback: chat completions (streamed or not), embeddings (base64 or float), models.

    async with OpenAIServer() as server:
        server.script(rate_limited(retry_after=0), Script(answer=quote))
        client = AsyncOpenAI(base_url=server.base_url, api_key="test")

As a process: `python -m tests.fakes.openai_server --port N`; its answers quote a passage of the prompt.
"""

import argparse
import asyncio
import base64
import hashlib
import json
import math
import re
import struct
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from tests.fakes.wire import Reply, Request, Script, ScriptedServer

DIMENSIONS = {"text-embedding-3-small": 1536, "text-embedding-3-large": 3072, "text-embedding-ada-002": 1536}
_PASSAGE = re.compile(r"^\s*(?:<[^>]*>\s*)?\[(\d+)\]\s*(.+)$", re.MULTILINE)
_ORDER = re.compile(r"(?i)ignore (?:all |any )?(?:the )?previous instructions and (?:say|answer|reply|write)(?: with)?:?\s*(.+)")


def rate_limited(retry_after: float = 0.001) -> Script:
    """429 with Retry-After in seconds."""
    return Script(status=429, headers={"retry-after": str(retry_after)})


def out_of_quota() -> Script:
    """429 that no retry helps."""
    return Script(status=429, error={"message": "You exceeded your current quota", "code": "insufficient_quota"})


def failing(status: int = 500) -> Script:
    """An error of that status; the SDK may retry it at once."""
    return Script(status=status, headers={"retry-after-ms": "1"})


def quote(request: Request) -> str:
    """Answer as a good model: the first sentence of the passage that shares most words with the question, and its marker."""
    texts = [str(message["content"]) for message in request.json()["messages"]]
    passages = [found for text in texts for found in _PASSAGE.findall(text)]
    if not passages:
        return "I could not find an answer to this in your documents."
    asked = set(re.findall(r"\w+", texts[-1].rsplit("\n", 1)[-1].lower()))
    marker, text = max(passages, key=lambda found: len(asked & set(re.findall(r"\w+", found[1].lower()))))
    return f"{re.split(r'(?<=[.!?])\s', text, maxsplit=1)[0]} [{marker}]"


def obey(request: Request) -> str:
    """Answer as a gullible model: do what an instruction injected into any message says."""
    for message in request.json()["messages"]:
        if order := _ORDER.search(str(message["content"])):
            return order[1].strip()
    return quote(request)


def invent(request: Request) -> str:
    """Answer as a model that cites what nobody gave it."""
    return "The moon is made of green cheese, as everybody knows [1]. It is also hollow [99]."


def vector(text: str, dimensions: int) -> list[float]:
    """A deterministic vector of length 1 in which texts that share words are near each other."""
    values = [0.0] * dimensions
    for word in re.findall(r"\w+", text.lower()) or [text]:
        digest = hashlib.sha256(word.encode()).digest()
        for at in range(0, 24, 4):
            place, sign = divmod(int.from_bytes(digest[at : at + 4]), 2)
            values[place % dimensions] += 1.0 if sign else -1.0
    length = math.sqrt(sum(value * value for value in values)) or 1.0
    return [value / length for value in values]


class OpenAIServer(ScriptedServer):
    """The fake. `answer` is what it says where no script tells.

    `own`: as servers that people run themselves (Ollama, llama.cpp) differ: any model, no key, `max_tokens` is the only bound
    they know, and a vector is a list of floats of any length, at the size that the model's name ends in (`embed-768`).
    """

    def __init__(self, port: int = 0, answer: Callable[[Request], str] = quote, *, own: bool = False) -> None:
        super().__init__(port)
        self._default = answer
        self._own = own

    @property
    def base_url(self) -> str:
        return f"{self.origin}/v1"

    def reply(self, request: Request, script: Script) -> Reply:
        match (request.method, request.path):
            case ("POST", "/v1/chat/completions"):
                return self._chat(request, script)
            case ("POST", "/v1/embeddings"):
                return _own_embeddings(request.json()) if self._own else _embeddings(request.json())
            case ("GET", "/v1/models"):
                return Reply(
                    {"object": "list", "data": [{"id": name, "object": "model"} for name in ("gpt-4.1-mini", *DIMENSIONS)]}
                )
            case _:
                return Reply({"error": {"message": f"No route {request.path}", "type": "invalid_request_error"}}, status=404)

    def error(self, script: Script) -> Any:
        kind = "invalid_request_error" if script.status < 500 else "server_error"
        return {
            "error": {"message": f"Scripted {script.status}", "type": kind, "param": None, "code": None} | (script.error or {})
        }

    def error_frame(self, script: Script) -> bytes:
        return super().error_frame(replace(script, status=500))

    def _chat(self, request: Request, script: Script) -> Reply:
        body = request.json()
        text = script.text(request, self._default)
        words = re.findall(r"\s*\S+", text)
        bounds = (body.get("max_tokens"), None if self._own else body.get("max_completion_tokens"))
        limit = next(filter(None, bounds), len(words))
        finish = "length" if len(words) > limit else "stop"
        words = words[:limit]
        usage = _usage(sum(len(str(each["content"]).split()) for each in body["messages"]), len(words))
        head = {"id": "chatcmpl-fake", "created": 1_700_000_000, "model": body["model"]}
        if body.get("stream"):
            return Reply(frames=tuple(_frames(head, words, finish, usage, body)))
        message = {"role": "assistant", "content": "".join(words), "refusal": None}
        choice = {"index": 0, "message": message, "finish_reason": finish, "logprobs": None}
        return Reply(head | {"object": "chat.completion", "choices": [choice], "usage": usage})


def _frames(head: dict[str, Any], words: list[str], finish: str, usage: dict[str, Any], body: dict[str, Any]) -> list[bytes]:
    included = bool((body.get("stream_options") or {}).get("include_usage"))
    base = head | {"object": "chat.completion.chunk"} | ({"usage": None} if included else {})
    deltas: list[tuple[dict[str, str], str | None]] = [({"role": "assistant", "content": ""}, None)]
    deltas += [({"content": word}, None) for word in words]
    deltas.append(({}, finish))
    chunks = [base | {"choices": [{"index": 0, "delta": delta, "finish_reason": reason}]} for delta, reason in deltas]
    if included:
        chunks.append(base | {"choices": [], "usage": usage})
    return [*(b"data: %s\n\n" % json.dumps(chunk).encode() for chunk in chunks), b"data: [DONE]\n\n"]


def _usage(prompt: int, completion: int) -> dict[str, Any]:
    details = {"prompt_tokens_details": {"cached_tokens": 0}}
    return {"prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": prompt + completion} | details


def _embeddings(body: dict[str, Any]) -> Reply:
    texts = [body["input"]] if isinstance(body["input"], str) else body["input"]
    if not texts or not all(texts):
        return Reply({"error": {"message": "'$.input' is invalid: empty", "type": "invalid_request_error"}}, status=400)
    dimensions = body.get("dimensions") or DIMENSIONS.get(body["model"], 1536)
    vectors = [vector(str(text), dimensions) for text in texts]
    encode = _base64 if body.get("encoding_format") == "base64" else list
    data = [{"object": "embedding", "index": at, "embedding": encode(each)} for at, each in enumerate(vectors)]
    tokens = sum(len(str(text).split()) for text in texts)
    return Reply(
        {"object": "list", "data": data, "model": body["model"], "usage": {"prompt_tokens": tokens, "total_tokens": tokens}}
    )


def _own_embeddings(body: dict[str, Any]) -> Reply:
    if "dimensions" in body:
        return Reply({"error": {"message": "unknown field dimensions", "type": "invalid_request_error"}}, status=400)
    size = int(re.search(r"\d+$", body["model"] + "768" * (not body["model"][-1].isdigit()))[0])  # type: ignore[index]
    vectors = [[3.5 * value for value in vector(str(text) or " ", size)] for text in body["input"]]
    data = [{"object": "embedding", "index": at, "embedding": each} for at, each in enumerate(vectors)]
    return Reply({"object": "list", "data": data, "model": body["model"]})


def _base64(values: list[float]) -> str:
    return base64.b64encode(struct.pack(f"<{len(values)}f", *values)).decode()


async def _serve(port: int) -> None:
    async with OpenAIServer(port) as server:
        print(f"OpenAI's wire on {server.base_url}", flush=True)
        await asyncio.Event().wait()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m tests.fakes.openai_server")
    parser.add_argument("--port", type=int, default=0)
    asyncio.run(_serve(parser.parse_args().port))
