"""Errors as `application/problem+json` (RFC 9457). The only place that knows which failure has which status."""

import logging
import math
from collections.abc import Iterable, Iterator, Mapping
from http import HTTPStatus
from typing import Any, Final

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.routing import iter_route_contexts
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse, Response

from atrium.kernel import errors
from atrium.kernel.errors import AtriumError, FieldError

MEDIA_TYPE: Final = "application/problem+json"
SCHEMA_NAME: Final = "Problem"
SCHEMA: Final[dict[str, Any]] = {
    "type": "object",
    "title": SCHEMA_NAME,
    "description": "What went wrong (RFC 9457). `type` is a stable URN; `instance` is the request id.",
    "required": ["type", "title", "status", "detail", "instance"],
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer", "minimum": 400, "maximum": 599},
        "detail": {"type": "string"},
        "instance": {"type": "string"},
        "errors": {
            "type": "array",
            "description": "One entry per wrong field: a JSON pointer into the body, or /query/…, /path/…, /header/….",
            "items": {
                "type": "object",
                "required": ["pointer", "detail"],
                "properties": {"pointer": {"type": "string"}, "detail": {"type": "string"}},
            },
        },
        "attempts": {
            "type": "array",
            "description": "Of a model provider's failure: every try, with its model, outcome, status and milliseconds.",
            "items": {"type": "object"},
        },
    },
}

# The most derived class wins, so a new subclass inherits its parent's status.
_STATUS: Final[dict[type[AtriumError], HTTPStatus]] = {
    AtriumError: HTTPStatus.INTERNAL_SERVER_ERROR,
    errors.InvalidInput: HTTPStatus.BAD_REQUEST,
    errors.MalformedRequest: HTTPStatus.BAD_REQUEST,
    errors.PayloadTooLarge: HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    errors.UnsupportedMediaType: HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
    errors.InvalidFields: HTTPStatus.UNPROCESSABLE_ENTITY,
    errors.Unauthenticated: HTTPStatus.UNAUTHORIZED,
    errors.Forbidden: HTTPStatus.FORBIDDEN,
    errors.NotFound: HTTPStatus.NOT_FOUND,
    errors.Conflict: HTTPStatus.CONFLICT,
    errors.IdempotencyMismatch: HTTPStatus.UNPROCESSABLE_ENTITY,
    errors.RateLimited: HTTPStatus.TOO_MANY_REQUESTS,
    errors.BudgetExceeded: HTTPStatus.PAYMENT_REQUIRED,
    errors.IngestionFailed: HTTPStatus.UNPROCESSABLE_ENTITY,
    errors.ProviderError: HTTPStatus.BAD_GATEWAY,
    errors.ProviderUnavailable: HTTPStatus.SERVICE_UNAVAILABLE,
    errors.Unavailable: HTTPStatus.SERVICE_UNAVAILABLE,
}

# What the framework raises by itself (routing, multipart parsing), in our words.
_FRAMEWORK: Final[dict[int, tuple[str, str]]] = {
    400: (errors.MalformedRequest.code, errors.MalformedRequest.title),
    404: (errors.NotFound.code, errors.NotFound.title),
    405: ("method-not-allowed", "Method not allowed"),
    413: (errors.PayloadTooLarge.code, errors.PayloadTooLarge.title),
    415: (errors.UnsupportedMediaType.code, errors.UnsupportedMediaType.title),
}
_RETRY_SECONDS: Final = 5
_LOG: Final = logging.getLogger("atrium.web")


def status_of(error: AtriumError) -> HTTPStatus:
    """The status of an expected failure."""
    return next(_STATUS[cls] for cls in type(error).__mro__ if cls in _STATUS)


def is_refusal(error: Exception) -> bool:
    """Whether the request was refused (4xx) before it did anything, rather than failed."""
    match error:
        case AtriumError():
            return status_of(error) < HTTPStatus.INTERNAL_SERVER_ERROR
        case HTTPException():
            return error.status_code < HTTPStatus.INTERNAL_SERVER_ERROR
    return isinstance(error, RequestValidationError)


def problem(request_id: str, error: AtriumError) -> Response:
    """The reply to an expected failure."""
    status = status_of(error)
    fields = error.errors if isinstance(error, errors.InvalidFields) else ()
    more = _members_of(error)
    return _reply(request_id, error.code, error.title, status, error.detail, fields=fields, more=more, headers=headers_of(error))


def internal_problem(request_id: str) -> Response:
    """The reply to a failure nobody expected: it says nothing but the request id, under which the log has the rest."""
    return _reply(request_id, AtriumError.code, AtriumError.title, HTTPStatus.INTERNAL_SERVER_ERROR, "The failure was logged.")


def problem_document(request_id: str, error: AtriumError) -> dict[str, Any]:
    """The problem's JSON alone, for an event stream that has already answered 200."""
    return _document(request_id, error.code, error.title, status_of(error), error.detail) | _members_of(error)


def _members_of(error: AtriumError) -> dict[str, Any]:
    """What some problems have beside the members that all have."""
    tried = error.attempts if isinstance(error, errors.ProviderError) else ()
    return {"attempts": [dict(each) for each in tried]} if tried else {}


def problem_responses(statuses: Iterable[int]) -> dict[int | str, dict[str, Any]]:
    """For a route's `responses=`: statuses beyond those that every route of its kind declares by itself."""
    return {status: openapi_response(status) for status in statuses}


def openapi_response(status: int) -> dict[str, Any]:
    """One error response in OpenAPI's words."""
    schema = {"$ref": f"#/components/schemas/{SCHEMA_NAME}"}
    return {"description": HTTPStatus(status).phrase, "content": {MEDIA_TYPE: {"schema": schema}}}


def install_handlers(app: FastAPI) -> None:
    """Render our errors, validation errors and the framework's own; anything else is the guard's."""
    # Starlette types every handler for any Exception, and calls it for its own alone.
    app.add_exception_handler(AtriumError, _on_atrium_error)  # type: ignore[arg-type]
    app.add_exception_handler(RequestValidationError, _on_validation_error)  # type: ignore[arg-type]
    app.add_exception_handler(HTTPException, _on_http_exception)  # type: ignore[arg-type]


async def _on_atrium_error(request: Request, error: AtriumError) -> Response:
    if status_of(error) >= HTTPStatus.INTERNAL_SERVER_ERROR:
        _LOG.warning("%s: %s", error.code, error.detail, exc_info=error)
    return problem(request.state.request_id, error)


async def _on_validation_error(request: Request, error: RequestValidationError) -> Response:
    fields = tuple(
        FieldError(pointer(entry["loc"], error.body), str(entry["msg"]).removeprefix("Value error, ")) for entry in error.errors()
    )
    return problem(request.state.request_id, errors.InvalidFields(fields))


async def _on_http_exception(request: Request, error: HTTPException) -> Response:
    headers = dict(error.headers or {})
    if error.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
        headers["Allow"] = ", ".join(allowed_methods(request))
        if request.method == "OPTIONS":
            return Response(status_code=HTTPStatus.NO_CONTENT, headers=headers)
    code, title = _FRAMEWORK.get(error.status_code, ("http-error", HTTPStatus(error.status_code).phrase))
    return _reply(request.state.request_id, code, title, HTTPStatus(error.status_code), title, headers=headers)


def allowed_methods(request: Request) -> list[str]:
    """What the path answers to; the router itself tells of the first route that has the path, not of all."""
    path = request.scope["path"]
    contexts = [context for context in iter_route_contexts(request.app.routes) if context.path_regex.match(path)]
    if path in request.app.state.literal_paths:
        contexts = [context for context in contexts if context.path == path]
    methods = {method for context in contexts for method in context.methods or ()}
    return sorted(methods | {"OPTIONS"} | ({"HEAD"} if "GET" in methods else set()))


def pointer(location: tuple[int | str, ...], body: object = None) -> str:
    """A validation error's location as a JSON pointer: into the body, or `/query/…`, `/path/…`, `/header/…`."""
    in_body = location[:1] == ("body",)
    parts = _places(location[1:], body) if in_body else location
    return "".join("/" + str(part).replace("~", "~0").replace("/", "~1") for part in parts)


def _places(parts: tuple[int | str, ...], at: object) -> Iterator[int | str]:
    """Without what names the alternatives of a union: it stands nowhere in the body."""
    for number, part in enumerate(parts, 1):
        if isinstance(at, dict) and (part in at or number == len(parts)):
            yield part
            at = at.get(part)
        elif isinstance(at, list) and isinstance(part, int):
            yield part
            at = at[part] if part < len(at) else None
        elif at is None:
            yield part


def headers_of(error: AtriumError) -> dict[str, str]:
    """What a failure says in headers: how to authenticate, when to come back."""
    match error:
        case errors.Unauthenticated():
            return {"WWW-Authenticate": "Bearer"}
        case errors.RateLimited():
            seconds = str(max(1, math.ceil(error.retry_after)))
            return {
                "Retry-After": seconds,
                "RateLimit-Limit": str(error.limit),
                "RateLimit-Remaining": "0",
                "RateLimit-Reset": seconds,
            }
        case errors.ProviderUnavailable(retry_after=float() | int() as wanted):
            return {"Retry-After": str(max(1, math.ceil(wanted)))}
        case errors.Unavailable() | errors.ProviderUnavailable():
            return {"Retry-After": str(_RETRY_SECONDS)}
    return {}


def _reply(
    request_id: str,
    code: str,
    title: str,
    status: HTTPStatus,
    detail: str,
    *,
    fields: tuple[FieldError, ...] = (),
    more: Mapping[str, Any] | None = None,
    headers: Mapping[str, str] | None = None,
) -> Response:
    document = _document(request_id, code, title, status, detail) | dict(more or {})
    if fields:
        document["errors"] = [{"pointer": field.pointer, "detail": field.detail} for field in fields]
    return JSONResponse(document, status_code=status, headers=headers, media_type=MEDIA_TYPE)


def _document(request_id: str, code: str, title: str, status: HTTPStatus, detail: str) -> dict[str, Any]:
    return {"type": f"urn:atrium:problem:{code}", "title": title, "status": int(status), "detail": detail, "instance": request_id}
