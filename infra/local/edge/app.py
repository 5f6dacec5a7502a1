"""The edge as an ASGI application: which area answers a request, and who else is asked."""

import json
import uuid
from collections.abc import Mapping
from contextlib import AsyncExitStack
from typing import Any, Protocol

from infra.areas import area_for
from infra.local.edge.asgi import Receive, Scope, Send
from infra.local.edge.proxy import Proxy

# Lambda Web Adapter hands the gateway's context to the app in these headers; a client's own are not believed.
_CONTEXT = b"x-amzn-request-context"
_UNTRUSTED = frozenset(
    {_CONTEXT, b"x-amzn-lambda-context", b"x-forwarded-for", b"x-forwarded-host", b"x-forwarded-proto", b"forwarded"}
)


class StreamingApp(Protocol):
    """A FastAPI app: ASGI, with a lifespan."""

    router: Any

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection."""


class Edge:
    """Serves `apps` (area name → app) in process and everything else through `proxy`."""

    def __init__(self, apps: Mapping[str, StreamingApp], proxy: Proxy) -> None:
        self._apps = apps
        self._proxy = proxy

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Dispatch one ASGI connection."""
        if scope["type"] == "lifespan":
            await self._lifespan(receive, send)
        elif scope["type"] == "http":
            await self._serve(_as_gateway(scope), receive, send)
        else:  # a WebSocket: nothing here speaks it yet
            await receive()
            await send({"type": "websocket.close", "code": 1008})

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        area = area_for(scope["path"])
        app = self._apps.get(area.name) if area else None
        await (app or self._proxy)(scope, receive, send)

    async def _lifespan(self, receive: Receive, send: Send) -> None:
        """Run every app's own lifespan inside ours, as one uvicorn per app would."""
        await receive()
        async with AsyncExitStack() as stack:
            for app in self._apps.values():
                await stack.enter_async_context(app.router.lifespan_context(app))
            stack.push_async_callback(self._proxy.close)
            await send({"type": "lifespan.startup.complete"})
            await receive()
        await send({"type": "lifespan.shutdown.complete"})


def _as_gateway(scope: Scope) -> Scope:
    """The request as API Gateway passes it on: the caller's address is the connection's, whatever headers claim."""
    address = (scope.get("client") or ("127.0.0.1", 0))[0]
    headers = [(name, value) for name, value in scope["headers"] if name not in _UNTRUSTED]
    context = {"requestId": str(uuid.uuid4()), "identity": {"sourceIp": address}, "httpMethod": scope["method"]}
    headers += [(_CONTEXT, json.dumps(context).encode()), (b"x-forwarded-for", address.encode())]
    return {**scope, "headers": headers}
