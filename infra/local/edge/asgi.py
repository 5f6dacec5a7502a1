"""ASGI's types, and the two replies the edge gives by itself."""

import json
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

type Scope = MutableMapping[str, Any]
type Message = MutableMapping[str, Any]
type Receive = Callable[[], Awaitable[Message]]
type Send = Callable[[Message], Awaitable[None]]


async def send_problem(send: Send, *, status: int, kind: str, title: str, detail: str, request_id: str) -> None:
    """Answer with an RFC 9457 problem, in the shape of the areas' own errors."""
    problem = {"type": f"urn:atrium:problem:{kind}", "title": title, "status": status, "detail": detail, "instance": request_id}
    body = json.dumps(problem).encode()
    headers = [
        (b"content-type", b"application/problem+json"),
        (b"content-length", str(len(body)).encode()),
        (b"x-request-id", request_id.encode()),
    ]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
