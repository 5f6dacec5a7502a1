"""A provider on OpenAI's wire that answers at once: whole, in tokens, or with vectors. Raw asyncio, so that it is no bottleneck.

`python -m tests.benchmarks.gateway.upstream PORT TOKENS SECONDS_A_TOKEN`. `GET /count` is its bill: the calls that it
answered, and their tokens.
"""

import asyncio
import base64
import json
import sys
from typing import Final

PROMPT: Final = 20
DIMENSIONS: Final = 1536
_HEAD: Final = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n%s"
_STREAM: Final = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"


def _usage(tokens: int) -> dict[str, int]:
    return {"prompt_tokens": PROMPT, "completion_tokens": tokens, "total_tokens": PROMPT + tokens}


def _whole(tokens: int) -> bytes:
    message = {"role": "assistant", "content": "word " * tokens, "refusal": None}
    choice = {"index": 0, "message": message, "finish_reason": "stop", "logprobs": None}
    head = {"id": "chatcmpl-1", "object": "chat.completion", "created": 1_700_000_000, "model": "gpt-4.1-mini"}
    return json.dumps(head | {"choices": [choice], "usage": _usage(tokens)}).encode()


def _frames(tokens: int) -> list[bytes]:
    head = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1_700_000_000, "model": "gpt-4.1-mini"}

    def frame(choices: object, **more: object) -> bytes:
        data = b"data: %s\n\n" % json.dumps(head | {"choices": choices} | more).encode()
        return b"%x\r\n%s\r\n" % (len(data), data)

    deltas = [frame([{"index": 0, "delta": {"content": "word "}, "finish_reason": None}])] * tokens
    end = frame([{"index": 0, "delta": {}, "finish_reason": "stop"}])
    return [*deltas, end, frame([], usage=_usage(tokens)), b"e\r\ndata: [DONE]\n\n\r\n", b"0\r\n\r\n"]


def _vectors(count: int, *, packed: bool) -> bytes:
    values = [0.001 * place for place in range(DIMENSIONS)]
    vector: object = base64.b64encode(bytes(4 * DIMENSIONS)).decode() if packed else values
    data = [{"object": "embedding", "index": at, "embedding": vector} for at in range(count)]
    usage = {"prompt_tokens": count, "total_tokens": count}
    return json.dumps({"object": "list", "data": data, "model": "text-embedding-3-small", "usage": usage}).encode()


class Upstream(asyncio.Protocol):
    """One connection. Requests come one at a time."""

    answered = 0
    read = 0
    written = 0
    tokens = 50
    pause = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._read = b""
        self._tasks: set[asyncio.Task[None]] = set()

    def data_received(self, data: bytes) -> None:
        self._read += data
        head, end, rest = self._read.partition(b"\r\n\r\n")
        lower = head.lower()
        length = int(lower.partition(b"content-length: ")[2].partition(b"\r\n")[0] or 0)
        if end and len(rest) >= length:
            self._read = b""
            self._answer(head, rest)

    def _answer(self, head: bytes, body: bytes) -> None:
        if head.startswith(b"GET /count"):
            bill = {"calls": Upstream.answered, "prompt": Upstream.read, "output": Upstream.written}
            self._send(json.dumps(bill).encode())
            return
        Upstream.answered += 1
        if b"/embeddings" in head.partition(b"\r\n")[0]:
            asked = json.loads(body)
            Upstream.read += len(asked["input"])
            self._send(_vectors(len(asked["input"]), packed=asked.get("encoding_format") == "base64"))
            return
        Upstream.read += PROMPT
        Upstream.written += Upstream.tokens
        if b'"stream":true' in body.replace(b" ", b""):
            task = asyncio.ensure_future(self._stream())
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        else:
            self._send(_WHOLE[0])

    def _send(self, body: bytes) -> None:
        self._transport.write(_HEAD % (len(body), body))

    async def _stream(self) -> None:
        self._transport.write(_STREAM)
        for frame in _FRAMES[0]:
            self._transport.write(frame)
            if self.pause:
                await asyncio.sleep(self.pause)


_WHOLE: Final = [b""]
_FRAMES: Final[list[list[bytes]]] = [[]]


async def _serve(port: int, tokens: int, pause: float) -> None:
    Upstream.tokens, Upstream.pause = tokens, pause
    _WHOLE[0], _FRAMES[0] = _whole(tokens), _frames(tokens)
    server = await asyncio.get_running_loop().create_server(Upstream, "127.0.0.1", port)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(_serve(int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3])))
