"""OpenAI's wire on loopback: chat completions, responses (both streamed or not), embeddings (base64 or float), models.

    async with OpenAIServer() as server:
        server.script(rate_limited(retry_after=0), Script(answer=quote))
        client = AsyncOpenAI(base_url=server.base_url, api_key="test")

As a process: `python -m tests.fakes.openai_server --port N`; its answers quote a passage of the prompt, or with `--tokens N`
are N words, each after `--token-delay` seconds. It answers some thousands of calls a second.
"""

import argparse
import asyncio
import gc
import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from tests.fakes import openai_chat, openai_responses, openai_vectors
from tests.fakes.mind import Asked, Said, quoted, scripted, thought
from tests.fakes.openai_chat import asked_in_chat
from tests.fakes.openai_responses import asked_in_responses
from tests.fakes.wire import Reply, Request, Script, ScriptedServer

_ORDER = re.compile(r"(?i)ignore (?:all |any )?(?:the )?previous instructions and (?:say|answer|reply|write)(?: with)?:?\s*(.+)")


def rate_limited(retry_after: float = 0.001) -> Script:
    """429 with Retry-After in seconds."""
    return Script(status=429, headers={"retry-after": str(retry_after)})


def out_of_quota() -> Script:
    """429 that no retry helps."""
    return Script(status=429, error={"message": "You exceeded your current quota", "code": "insufficient_quota"})


def failing(status: int = 500) -> Script:
    """An error of that status; who asks may retry at once."""
    return Script(status=status, headers={"retry-after-ms": "1"})


def quote(request: Request) -> str:
    """Answer as a good model: the first sentence of the passage that shares most words with the question, and its marker."""
    return quoted(_asked(request).texts)


def obey(request: Request) -> str:
    """Answer as a gullible model: do what an instruction injected into any message says."""
    for text in _asked(request).texts:
        if order := _ORDER.search(text):
            return order[1].strip()
    return quote(request)


def invent(request: Request) -> str:
    """Answer as a model that cites what nobody gave it."""
    return "The moon is made of green cheese, as everybody knows [1]. It is also hollow [99]."


def _asked(request: Request) -> Asked:
    body = request.json()
    return asked_in_chat(body) if "messages" in body else asked_in_responses(body)


class OpenAIServer(ScriptedServer):
    """The fake. `answer` is what it says where no script tells and it was not given tools, pictures or a schema.

    `own`: as servers that people run themselves (Ollama, llama.cpp) differ: any model, no key, `max_tokens` is the only bound
    they know, all tool calls have the index 0 and end in `stop`, there is no Responses API, and a vector is a list of floats
    of any length, at the size that the model's name ends in (`embed-768`).
    """

    def __init__(self, port: int = 0, answer: Callable[[Request], str] | None = None, *, own: bool = False) -> None:
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
            case ("POST", "/v1/responses") if not self._own:
                return self._responses(request, script)
            case ("POST", "/v1/embeddings"):
                return openai_vectors.embeddings(request.json(), script, own=self._own)
            case ("GET", "/v1/models"):
                names = ("gpt-4.1-mini", *openai_vectors.DIMENSIONS)
                models = [{"id": name, "object": "model", "created": 1_700_000_000, "owned_by": "system"} for name in names]
                return Reply({"object": "list", "data": models})
            case _:
                return _refusal(f"No route {request.path}", 404)

    def error(self, script: Script) -> Any:
        kind = "invalid_request_error" if script.status < 500 else "server_error"
        return {
            "error": {"message": f"Scripted {script.status}", "type": kind, "param": None, "code": None} | (script.error or {})
        }

    def error_frame(self, script: Script) -> bytes:
        return super().error_frame(replace(script, status=500))

    def _chat(self, request: Request, script: Script) -> Reply:
        body = request.json()
        if wrong := openai_chat.complaint(body):
            return _refusal(wrong, 400)
        asked = asked_in_chat(body)
        answer = openai_chat.Answer(
            body, asked.tokens, self._said(request, script, asked).before(asked.stop), script, own=self._own
        )
        return answer.streamed() if body.get("stream") else answer.whole()

    def _responses(self, request: Request, script: Script) -> Reply:
        body = request.json()
        asked = asked_in_responses(body)
        answer = openai_responses.Answer(body, asked.tokens, self._said(request, script, asked), script)
        return answer.streamed() if body.get("stream") else answer.whole()

    def _said(self, request: Request, script: Script, asked: Asked) -> Said:
        told = scripted(script)
        if told is not None:
            return told
        if script.answer is not None:
            return Said(script.text(request, quote))
        return Said(self._default(request)) if self._default else thought(asked)


def _refusal(message: str, status: int) -> Reply:
    return Reply({"error": {"message": message, "type": "invalid_request_error", "param": None, "code": None}}, status=status)


async def _serve(given: argparse.Namespace) -> None:
    answer = "word" + " word" * (given.tokens - 1) if given.tokens else ""
    async with OpenAIServer(given.port, (lambda _: answer) if answer else None, own=given.own) as server:
        server.habit = Script(delay=given.delay, frame_delay=given.token_delay)
        server.recording = given.record
        gc.freeze()
        print(f"OpenAI's wire on {server.base_url}", flush=True)
        await asyncio.Event().wait()


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.fakes.openai_server")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--tokens", type=int, default=0, help="words of every answer; 0: it answers what it is asked")
    parser.add_argument("--delay", type=float, default=0, help="seconds before the first byte")
    parser.add_argument("--token-delay", type=float, default=0, help="seconds before each frame of a stream")
    parser.add_argument("--own", action="store_true", help="as a server that people run themselves")
    parser.add_argument("--no-record", dest="record", action="store_false", help="keep no requests: for a benchmark")
    return parser.parse_args()


if __name__ == "__main__":
    asyncio.run(_serve(_options()))
