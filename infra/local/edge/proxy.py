"""The reverse proxy in front of the emulator's REST API. Bytes in, bytes out: paths are never normalised."""

import asyncio
import sys
import uuid
from collections.abc import Iterable
from contextlib import suppress
from typing import Final

import httpcore

from infra.local.edge.asgi import Message, Receive, Scope, Send, send_problem

# API Gateway's limits: the largest body it takes, and the seconds it gives an integration (the emulator has its own 29).
BODY_LIMIT: Final = 10 * 1024 * 1024
PATIENCE: Final = 60.0

# RFC 9110 section 7.6.1: these belong to one connection. Lengths are set anew, for the body is sent whole.
_HOP_BY_HOP: Final = frozenset({
    b"connection", b"keep-alive", b"proxy-authenticate", b"proxy-authorization", b"proxy-connection",
    b"te", b"trailer", b"transfer-encoding", b"upgrade",
})  # fmt: skip

type Headers = list[tuple[bytes, bytes]]


class BodyTooLargeError(Exception):
    """More than API Gateway would take."""


class ClientGoneError(Exception):
    """The client hung up before its request was complete."""


class Proxy:
    """An ASGI app that asks `upstream` (http://host:port) for `base` + the request's own path and query."""

    def __init__(self, upstream: str, base: str, *, patience: float = PATIENCE) -> None:
        self._origin = httpcore.URL(upstream)
        self._base = base.rstrip("/").encode()
        self._timeout = {"connect": 5.0, "read": patience, "write": patience, "pool": patience}
        self._pool = httpcore.AsyncConnectionPool(max_connections=100, keepalive_expiry=30)

    async def close(self) -> None:
        """Close idle connections."""
        await self._pool.aclose()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Forward one HTTP request; a client that hangs up cancels it."""
        try:
            body = await _read_body(receive)
        except BodyTooLargeError:
            await _problem(scope, send, 413, "payload-too-large", "Payload too large", f"The limit is {BODY_LIMIT} bytes.")
            return
        except ClientGoneError:
            return
        forwarding = asyncio.create_task(self._forward(scope, body, send))
        hangup = asyncio.create_task(_until_hangup(receive))
        try:
            await asyncio.wait({forwarding, hangup}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            hangup.cancel()
            forwarding.cancel()
        with suppress(asyncio.CancelledError):
            await forwarding

    async def _forward(self, scope: Scope, body: bytes, send: Send) -> None:
        request = httpcore.Request(
            scope["method"], self._url(scope), headers=_request_headers(scope, self._origin, body),
            content=body, extensions={"timeout": self._timeout},
        )  # fmt: skip
        try:
            answer = await self._pool.handle_async_request(request)
        except (httpcore.NetworkError, httpcore.ProtocolError, httpcore.TimeoutException) as error:
            print(f"upstream: {type(error).__name__} {error}", file=sys.stderr, flush=True)
            detail = "The emulator did not answer. `make logs AREA=emulator` shows why; `make up` starts it again."
            await _problem(scope, send, 502, "bad-gateway", "Bad gateway", detail)
            return
        try:
            headers = [header for header in _end_to_end(answer.headers) if header[0] != b"date"]  # the edge's server sets it
            await send({"type": "http.response.start", "status": answer.status, "headers": headers})
            async for chunk in answer.aiter_stream():
                await send({"type": "http.response.body", "body": chunk, "more_body": True})
            await send({"type": "http.response.body", "body": b""})
        finally:
            await answer.aclose()

    def _url(self, scope: Scope) -> httpcore.URL:
        # The path as the client wrote it: `raw_path` when the server gives it, and dots and escapes as they are.
        path = scope.get("raw_path") or scope["path"].encode()
        query = b"?" + scope["query_string"] if scope["query_string"] else b""
        return httpcore.URL(
            scheme=self._origin.scheme, host=self._origin.host, port=self._origin.port, target=self._base + path + query
        )


async def _read_body(receive: Receive) -> bytes:
    """The whole body, as API Gateway collects it before it calls anybody."""
    parts: list[bytes] = []
    size, more = 0, True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientGoneError
        parts.append(message.get("body", b""))
        size += len(parts[-1])
        more = message.get("more_body", False)
        if size > BODY_LIMIT:
            raise BodyTooLargeError
    return b"".join(parts)


async def _until_hangup(receive: Receive) -> Message:
    while (message := await receive())["type"] != "http.disconnect":
        pass
    return message


def _request_headers(scope: Scope, origin: httpcore.URL, body: bytes) -> Headers:
    given = [(name, value) for name, value in _end_to_end(scope["headers"]) if name not in {b"host", b"content-length"}]
    host = origin.host if origin.port is None else b"%b:%d" % (origin.host, origin.port)
    length = [(b"content-length", str(len(body)).encode())] if body or scope["method"] in {"POST", "PUT", "PATCH"} else []
    return [(b"host", host), *given, *length]


def _end_to_end(headers: Iterable[tuple[bytes, bytes]]) -> Headers:
    """Without what belongs to one connection, which a Connection header may extend."""
    lowered = [(name.lower(), value) for name, value in headers]
    named = {token.strip().lower() for name, value in lowered if name == b"connection" for token in value.split(b",")}
    return [(name, value) for name, value in lowered if name not in _HOP_BY_HOP | named]


async def _problem(scope: Scope, send: Send, status: int, kind: str, title: str, detail: str) -> None:
    given = next((value for name, value in scope["headers"] if name == b"x-request-id"), b"")
    await send_problem(
        send, status=status, kind=kind, title=title, detail=detail, request_id=given.decode("latin-1") or str(uuid.uuid4())
    )
