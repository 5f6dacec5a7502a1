"""A scriptable HTTP/1.1 server on loopback, in raw asyncio so that it can misbehave as real providers do.

A provider's wire (`openai_server`) says what a good reply is; a `Script` says how this one reply goes wrong.
Runs inside the test's own loop (`async with`), in a thread (`in_thread`), or as a process of its own.
"""

import asyncio
import json
import threading
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Self

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
    # Streams: stop dead after so many frames; put a broken frame, or the wire's error frame, at this place; wait before each.
    cut_after: int | None = None
    malformed_at: int | None = None
    error_at: int | None = None
    frame_delay: float = 0
    # The answer's text, or a function of the request that gives it; None: the wire's own default.
    answer: str | Callable[[Request], str] | None = None

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


class ScriptedServer:
    """Answers as `reply` of a subclass says, bent by the scripts that wait in line."""

    def __init__(self, port: int = 0) -> None:
        self.port = port
        self.requests: list[Request] = []
        # Set when a client left before the end of its answer.
        self.abandoned = asyncio.Event()
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
        await self._server.wait_closed()

    async def _connection(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._connections.add(task)
        task.add_done_callback(self._connections.discard)
        try:
            while (request := await _read(reader)) is not None and await self._answer(request, reader, writer):
                pass
        except (ConnectionError, asyncio.IncompleteReadError):
            self.abandoned.set()
        finally:
            writer.close()

    async def _answer(self, request: Request, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """True when the connection may be used again."""
        if (control := self._control(request)) is not None:
            await _send_json(writer, control)
            return True
        self.requests.append(request)
        script = self._scripts.popleft() if self._scripts else Script()
        await asyncio.sleep(script.delay)
        if script.hang:
            await reader.read()
            return False
        reply = Reply(self.error(script), status=script.status) if script.status >= 400 else self.reply(request, script)
        if reply.frames is None:
            await _send_json(writer, Reply(reply.body, None, reply.status, reply.headers | script.headers))
            return True
        return await self._stream(reply, script, reader, writer)

    async def _stream(self, reply: Reply, script: Script, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        writer.write(_head(200, {"content-type": "text/event-stream", "transfer-encoding": "chunked"} | script.headers))
        for number, frame in enumerate(reply.frames or ()):
            if number == script.cut_after:
                writer.transport.abort()
                return False
            await asyncio.sleep(script.frame_delay)
            if reader.at_eof():
                raise ConnectionResetError
            chunk = self._bent(number, frame, script)
            writer.write(b"%x\r\n%s\r\n" % (len(chunk), chunk))
            await writer.drain()
        writer.write(b"0\r\n\r\n")
        await writer.drain()
        return True

    def _bent(self, number: int, frame: bytes, script: Script) -> bytes:
        if number == script.malformed_at:
            return MALFORMED_FRAME
        return self.error_frame(script) if number == script.error_at else frame

    def _control(self, request: Request) -> Reply | None:
        """For tests in another process: POST /_scripts takes a list of scripts, GET /_requests tells what came in."""
        if request.path == "/_scripts":
            self.script(*(Script(**each) for each in request.json()))
            return Reply({"waiting": len(self._scripts)})
        if request.path == "/_requests":
            return Reply([{"path": each.path, "body": each.json() if each.body else None} for each in self.requests])
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


async def _send_json(writer: asyncio.StreamWriter, reply: Reply) -> None:
    body = json.dumps(reply.body).encode()
    headers = {"content-type": "application/json", "content-length": str(len(body))} | reply.headers
    writer.write(_head(reply.status, headers) + body)
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
