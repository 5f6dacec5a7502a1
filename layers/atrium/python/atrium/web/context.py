"""What the gateway, and nobody else, says of a request: its id and where it comes from."""

import json
import re
from typing import Any, Final
from uuid import uuid4

from fastapi import Request
from starlette.types import Scope

# Long enough to be unique, short and plain enough for logs and headers.
_REQUEST_ID: Final = re.compile(r"[A-Za-z0-9._-]{8,128}", re.ASCII)
# Lambda Web Adapter puts the gateway's context here, over whatever a client sent.
_ADAPTER_CONTEXT: Final = "x-amzn-request-context"


def gateway_context(scope: Scope, *, behind_adapter: bool) -> dict[str, Any]:
    """API Gateway's `requestContext`; empty where there is no gateway. `behind_adapter`: Lambda Web Adapter is in front."""
    event = scope.get("aws.event")
    if event is not None:
        context = event.get("requestContext") or {}
    elif behind_adapter:
        context = _json_object(_header(scope, _ADAPTER_CONTEXT))
    else:
        context = {}
    return context if isinstance(context, dict) else {}


def identify(scope: Scope, context: dict[str, Any]) -> str:
    """The request's id: the gateway's, else the client's when well-formed, else a new one."""
    for candidate in (context.get("requestId"), _header(scope, "x-request-id")):
        if isinstance(candidate, str) and _REQUEST_ID.fullmatch(candidate):
            return candidate
    return str(uuid4())


def source_address(scope: Scope, context: dict[str, Any]) -> str:
    """The caller's address as the gateway saw it, else the connection's. `X-Forwarded-For` is anybody's to write."""
    identity = context.get("identity")
    address = identity.get("sourceIp") if isinstance(identity, dict) else None
    client = scope.get("client")
    return str(address or (client[0] if client else None) or "unknown")


def request_id(request: Request) -> str:
    """The id of this request, as in `X-Request-Id`."""
    identifier: str = request.state.request_id
    return identifier


def _header(scope: Scope, name: str) -> str:
    wanted = name.encode()
    return next((value.decode("latin-1") for key, value in scope["headers"] if key == wanted), "")


def _json_object(text: str) -> dict[str, Any]:
    try:
        value = json.loads(text)
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}
