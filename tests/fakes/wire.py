"""A scriptable HTTP/1.1 server on loopback, in raw asyncio so that it can misbehave as real providers do.

A provider's wire (`openai_server`) says what a good reply is; a `Script` says how this one reply goes wrong.
Runs inside the test's own loop (`async with`), in a thread (`in_thread`), or as a process of its own.
"""

import asyncio
import json
import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from typing import Any, Self

HTTP_ERROR = 400
REDIRECTION = 300
MOST_KNOWN = 4096
MALFORMED_FRAME = b'data: {"broken\n\n'


@dataclass(frozen=True, slots=True)
class Request:
    """What came in. Header names are lower case."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)


@dataclass(frozen=True, slots=True)
class Script:
    """How one request is answered; the defaults answer it well and at once. Times in seconds."""

    delay: float = 0
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    error: dict[str, Any] | None = None
    hang: bool = False
    # Streams: stop dead after so many frames, or end well there as if nothing were missing; put a broken frame, or the wire's
    # error frame, at this place; wait before each.
    cut_after: int | None = None
    end_after: int | None = None
    malformed_at: int | None = None
    error_at: int | None = None
    frame_delay: float = 0
    # Frames and bodies reach the client in pieces of so many bytes, each after `frame_delay`; 0: as they are.
    split: int = 0
    # A body of no wire, under status 200: a proxy's page, half a JSON.
    garbage: str | None = None
    # The answer's text, or a function of the request that gives it; None: the wire's own default.
    answer: str | Callable[[Request], str] | None = None
    # Tool calls, each a name and its arguments as an object or as raw text; or a refusal instead of an answer.
    calls: Sequence[tuple[str, Any]] = ()
    refusal: str = ""
    # The wire's own word for why it ended; whether usage is told; how many of the prompt's tokens were cached.
    finish: str | None = None
    usage: bool = True
    cached: int = 0
    # What is wrong with the last vector of embeddings: nan, inf, short, few (it is missing), index (it has another's).
    vectors: str = ""

    def text(self, request: Request, default: Callable[[Request], str]) -> str:
        if isinstance(self.answer, str):
            return self.answer
        return (self.answer or default)(request)


@dataclass(frozen=True, slots=True)
class Reply:
    """A reply as a wire means it: a JSON body, or the frames of an event stream."""

    body: Any = None
    frames: tuple[bytes, ...] | None = None
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    # Tokens of the prompt and of the answer, as the provider bills them.
    usage: tuple[int, int] = (0, 0)


@dataclass(slots=True)
class Counts:
    """What a provider's bill says: `calls` answered whole, their tokens, and what else came in. Scripted usage counts too."""

    calls: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    refused: int = 0
    broken: int = 0

    def add(self, usage: tuple[int, int]) -> None:
        """One more call was answered whole."""
        self.calls += 1
        self.prompt_tokens += usage[0]
        self.completion_tokens += usage[1]


class ScriptedServer:
    """Answers as `reply` of a subclass says, bent by the scripts that wait in line, else by `habit`.

    For speed a server may not be `recording` its requests, and then it gives equal requests its first answer again.
    """

    def __init__(self, port: int = 0) -> None:
        self.port = port
        self.habit = Script()
        self.recording = True
        self.counts = Counts()
        # Connections that were made, whatever became of them.
        self.connected = 0
        self._known: dict[tuple[str, bytes], Reply] = {}
        self.requests: list[Request] = []
        # Set when a client left before the end of its answer; when one waits for an answer that never comes.
        self.abandoned = asyncio.Event()
        self.hanging = asyncio.Event()
        self._scripts: deque[Script] = deque()
        self._server: asyncio.Server | None = None
        self._connections: set[asyncio.Task[None]] = set()

    @property
    def origin(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def script(self, *scripts: Script) -> None:
        """The next requests are answered so, one script each; later ones well again."""
        self._scripts.extend(scripts)

    def forget(self) -> None:
        """Drop waiting scripts and recorded requests."""
        self._scripts.clear()
        self.requests.clear()
        self.counts = Counts()

    def reply(self, request: Request, script: Script) -> Reply:
        """The good reply to a request."""
        raise NotImplementedError

    def error(self, script: Script) -> Any:
        """The wire's shape of an error body."""
        raise NotImplementedError

    def error_frame(self, script: Script) -> bytes:
        """The wire's way to say inside a stream that it failed."""
        return b"data: %s\n\n" % json.dumps(self.error(script)).encode()

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._connection, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.close()
        for connection in self._connections:
            connection.cancel()
        await asyncio.gather(*self._connections, return_exceptions=True)
        # Also those whose handler has not begun, or whose client never reads what was written to it: they would stay for ever.
        self._server.abort_clients()
        await self._server.wait_closed()

    async def _connection(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._connections.add(task)
        self.connected += 1
        task.add_done_callback(self._connections.discard)
        try:
            while (request := await _read(reader)) is not None and await self._answer(request, reader, writer):
                pass
        except (ConnectionError, asyncio.IncompleteReadError):
            self.abandoned.set()
            self.counts.broken += 1
        finally:
            writer.close()

    async def _answer(self, request: Request, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """True when the connection may be used again."""
        if (control := self._control(request)) is not None:
            await _send(writer, control, Script())
            return True
        if self.recording:
            self.requests.append(request)
        script = self._scripts.popleft() if self._scripts else self.habit
        if script.delay:
            await asyncio.sleep(script.delay)
        if script.hang:
            self.hanging.set()
            await reader.read()
            return False
        reply = self._reply(request, script)
        if reply.status >= HTTP_ERROR:
            self.counts.refused += 1
        if reply.frames is None:
            self._bill(reply, script)
            await _send(writer, reply, script)
        elif not await self._stream(reply, script, reader, writer):
            self.counts.broken += 1
            return False
        return True

    def _bill(self, reply: Reply, script: Script) -> None:
        """Before the last bytes are there to be read: whoever has them may look at the bill at once, from another thread."""
        if reply.status < REDIRECTION and script.garbage is None:
            self.counts.add(reply.usage)

    def _reply(self, request: Request, script: Script) -> Reply:
        if script.status >= REDIRECTION:
            return Reply(self.error(script), status=script.status)
        if script.garbage is not None:
            return Reply(script.garbage, headers={"content-type": "text/html"})
        if self.recording or script is not self.habit:
            return self.reply(request, script)
        key = (request.path, request.body)
        if key not in self._known:
            if len(self._known) >= MOST_KNOWN:
                self._known.clear()
            self._known[key] = self.reply(request, script)
        return self._known[key]

    async def _stream(self, reply: Reply, script: Script, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        writer.write(_head(200, {"content-type": "text/event-stream", "transfer-encoding": "chunked"} | script.headers))
        if script is self.habit and not script.frame_delay:
            writer.write(b"".join(map(_chunk, reply.frames or ())))
        elif not await self._one_by_one((reply.frames or ())[: script.end_after], script, reader, writer):
            return False
        self._bill(reply, script)
        writer.write(b"0\r\n\r\n")
        await writer.drain()
        return True

    async def _one_by_one(
        self, frames: Sequence[bytes], script: Script, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> bool:
        for number, frame in enumerate(frames):
            if number == script.cut_after:
                writer.transport.abort()
                return False
            for piece in _pieces(self._bent(number, frame, script), script.split):
                await asyncio.sleep(script.frame_delay)
                if reader.at_eof():
                    self.abandoned.set()
                    return False
                writer.write(_chunk(piece))
                await writer.drain()
        return True

    def _bent(self, number: int, frame: bytes, script: Script) -> bytes:
        if number == script.malformed_at:
            return MALFORMED_FRAME
        return self.error_frame(script) if number == script.error_at else frame

    def _control(self, request: Request) -> Reply | None:
        """For tests in another process: POST /_scripts takes a list of scripts, GET /_requests tells what came in.

        GET /_counts is the bill; POST /_forget begins anew.
        """
        if request.path == "/_scripts":
            self.script(*(Script(**each) for each in request.json()))
            return Reply({"waiting": len(self._scripts)})
        if request.path == "/_requests":
            return Reply([{"path": each.path, "body": each.json() if each.body else None} for each in self.requests])
        if request.path == "/_counts":
            return Reply(asdict(self.counts))
        if request.path == "/_forget":
            self.forget()
            return Reply({})
        return None


async def _read(reader: asyncio.StreamReader) -> Request | None:
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError:
        return None
    first, *lines = head.decode("latin-1").rstrip("\r\n").split("\r\n")
    headers = {name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    method, path, _ = first.split(" ")
    body = await reader.readexactly(int(headers.get("content-length", "0")))
    return Request(method, path, headers, body)


def _head(status: int, headers: dict[str, str]) -> bytes:
    lines = [f"HTTP/1.1 {status} Scripted", *(f"{name}: {value}" for name, value in headers.items())]
    return "\r\n".join([*lines, "", ""]).encode("latin-1")


def _chunk(data: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(data), data)


def _pieces(data: bytes, size: int) -> list[bytes]:
    return [data[at : at + size] for at in range(0, len(data), size)] if size else [data]


async def _send(writer: asyncio.StreamWriter, reply: Reply, script: Script) -> None:
    body = reply.body.encode() if isinstance(reply.body, str) else json.dumps(reply.body).encode()
    headers = {"content-type": "application/json", "content-length": str(len(body))} | reply.headers | script.headers
    writer.write(_head(reply.status, headers))
    for piece in _pieces(body, script.split):
        if script.split:
            await asyncio.sleep(script.frame_delay)
        writer.write(piece)
        await writer.drain()


@contextmanager
def in_thread[Server: ScriptedServer](server: Server) -> Iterator[Server]:
    """Run a server in a thread of its own, for tests that have no loop."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    asyncio.run_coroutine_threadsafe(server.__aenter__(), loop).result(10)
    try:
        yield server
    finally:
        asyncio.run_coroutine_threadsafe(server.__aexit__(), loop).result(10)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)
        loop.close()
