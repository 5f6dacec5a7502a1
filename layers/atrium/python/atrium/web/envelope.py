"""Around every request: its id, the path it means, the headers of every answer, the log line, and the last catch."""

import logging
import math
import time
from http import HTTPStatus
from typing import Final

from starlette.datastructures import MutableHeaders
from starlette.requests import ClientDisconnect, Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from atrium.kernel.settings import Settings
from atrium.kernel.telemetry import bound
from atrium.tenancy.models import Caller, RateState
from atrium.web.context import gateway_context, identify, source_address
from atrium.web.problems import internal_problem

API: Final = "/api/"
VERSION: Final = "/api/v1/"
_SECURITY: Final = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}
_LOG: Final = logging.getLogger("atrium.web")


class Envelope:
    """The outermost middleware: nothing gets out without a request id and the security headers, nor unlogged."""

    def __init__(self, app: ASGIApp, settings: Settings) -> None:
        self._app = app
        self._headers = _SECURITY | (
            {"Strict-Transport-Security": "max-age=63072000; includeSubDomains"} if settings.target == "aws" else {}
        )
        # On AWS a request without a Lambda event came through Lambda Web Adapter.
        self._behind_adapter = settings.target == "aws"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        context = gateway_context(scope, behind_adapter=self._behind_adapter)
        state = scope.setdefault("state", {})
        state["request_id"] = identify(scope, context)
        state["caller"] = Caller(source_address(scope, context))
        started, status = time.perf_counter(), 0

        async def send_dressed(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = MutableHeaders(scope=message)
                if status == HTTPStatus.NO_CONTENT:
                    del headers["content-type"]
                self._dress(headers, scope)
            await send(message)

        with bound(request_id=state["request_id"]):
            try:
                await self._app(scope, receive, send_dressed)
            finally:
                _log(scope, status, time.perf_counter() - started)

    def _dress(self, headers: MutableHeaders, scope: Scope) -> None:
        state = scope["state"]
        headers["X-Request-Id"] = state["request_id"]
        for name, value in self._headers.items():
            headers.setdefault(name, value)
        # The same URL answers differently to different callers.
        headers.add_vary_header("Authorization, X-API-Key, Origin")
        # Of a caller who is known their own buckets, else the public ones. A refusal has said it already, of the empty one.
        rate: RateState | None = state.get("rate") or state["caller"].rate
        if rate is not None:
            headers.setdefault("RateLimit-Limit", str(rate.limit))
            headers.setdefault("RateLimit-Remaining", str(rate.remaining))
            headers.setdefault("RateLimit-Reset", str(math.ceil(rate.reset)))


class Guard:
    """Inside CORS: aliases, HEAD, and the catch of what nobody expected."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        scope = {**scope, "path": canonical_path(scope["path"])}
        if scope["method"] == "HEAD":
            scope, send = {**scope, "method": "GET"}, _without_body(send)
        started = False

        async def send_noted(message: Message) -> None:
            nonlocal started
            started = started or message["type"] == "http.response.start"
            await send(message)

        try:
            await self._app(scope, receive, send_noted)
        except ClientDisconnect:
            _LOG.info("the client left before it was answered")
        except Exception as error:  # the outermost frame of a request: whatever comes here is a bug, logged as one
            _LOG.exception("unexpected failure", exc_info=error)
            if started:
                raise
            # An area with an error shape of its own renders this one too.
            render = getattr(scope["app"].state, "internal_problem", internal_problem)
            await render(Request(scope).state.request_id)(scope, receive, send)


def canonical_path(path: str) -> str:
    """`/api/documents` is `/api/v1/documents`."""
    if path.startswith(API) and not path.startswith(VERSION):
        return VERSION + path.removeprefix(API)
    return path


def _without_body(send: Send) -> Send:
    async def send_head(message: Message) -> None:
        if message["type"] == "http.response.body":
            message = {"type": "http.response.body", "body": b"", "more_body": message.get("more_body", False)}
        await send(message)

    return send_head


def _log(scope: Scope, status: int, seconds: float) -> None:
    principal = scope["state"].get("principal")
    _LOG.info(
        "request",
        extra={
            "method": scope["method"],
            "path": scope["path"],
            "status": status or HTTPStatus.INTERNAL_SERVER_ERROR,
            "milliseconds": round(seconds * 1000, 1),
            "subject": principal.subject if principal else "",
            "tenant": str(principal.tenant_id) if principal else "",
        },
    )
